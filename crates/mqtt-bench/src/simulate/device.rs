//! A device that is not there: what it measures, what it switches, what it says. No I/O and no clock.

use super::walk::{Chance, Walk};

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A DHT22: temperature and humidity to a tenth.
    Dht22,
    /// A DS18B20: temperature to a sixteenth of a degree.
    Ds18b20,
    /// Two relays.
    Relay,
    /// A room: a DHT22, and two relays that heat and cool it.
    Hvac,
}

impl Kind {
    /// All kinds, by their names.
    pub const NAMES: [(&'static str, Kind); 4] = [
        ("hvac", Kind::Hvac),
        ("dht22", Kind::Dht22),
        ("ds18b20", Kind::Ds18b20),
        ("relay", Kind::Relay),
    ];

    fn measures(self) -> bool {
        self != Kind::Relay
    }

    fn switches(self) -> bool {
        matches!(self, Kind::Relay | Kind::Hvac)
    }
}

/// A message below the device's own topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The levels behind the device's topic.
    pub below: String,
    /// The message.
    pub payload: String,
}

/// The number of relays.
pub const RELAYS: usize = 2;
/// How much a heating or cooling relay changes the temperature in a second, in degrees.
const DRIFT: f64 = 0.02;

/// One device.
#[derive(Debug)]
pub struct Device {
    kind: Kind,
    is_json: bool,
    chance: Chance,
    temperature: Walk,
    humidity: Walk,
    relays: [bool; RELAYS],
}

impl Device {
    /// A device with this number; the same seed and number give the same values.
    pub fn new(kind: Kind, is_json: bool, seed: u64, number: u64) -> Device {
        let mut chance = Chance::new(seed.wrapping_mul(0x9E37_79B9).wrapping_add(number));
        Device {
            kind,
            is_json,
            temperature: Walk::new(20.0 + 3.0 * chance.next(), 15.0..32.0, 0.05),
            humidity: Walk::new(40.0 + 15.0 * chance.next(), 20.0..80.0, 0.2),
            relays: [false; RELAYS],
            chance,
        }
    }

    /// Whether it obeys commands, below `relay/+/set`.
    pub fn obeys(&self) -> bool {
        self.kind.switches()
    }

    /// What it measures after so many seconds more.
    pub fn measure(&mut self, seconds: f64) -> Vec<Said> {
        let heat = f64::from(u8::from(self.relays[0])) - f64::from(u8::from(self.relays[1]));
        let drift = if self.kind == Kind::Hvac {
            heat * DRIFT
        } else {
            0.0
        };
        self.temperature.step(seconds, drift, &mut self.chance);
        self.humidity.step(seconds, 0.0, &mut self.chance);
        let (temperature, humidity) = (self.temperature.value(), self.humidity.value());
        let fields = match self.kind {
            _ if !self.kind.measures() => return Vec::new(),
            // Its steps are 0.0625 degrees.
            Kind::Ds18b20 => {
                let steps = (temperature * 16.0).round() / 16.0;
                vec![("temperature", format!("{steps:.4}"))]
            }
            _ => vec![
                ("temperature", format!("{temperature:.1}")),
                ("humidity", format!("{humidity:.1}")),
            ],
        };
        if self.is_json {
            let pair = |(name, value): &(&str, String)| format!("\"{name}\":{value}");
            let pairs: Vec<_> = fields.iter().map(pair).collect();
            let payload = format!("{{{}}}", pairs.join(","));
            return vec![said("state", payload)];
        }
        fields
            .into_iter()
            .map(|(name, value)| said(name, value))
            .collect()
    }

    /// The state of all relays.
    pub fn relays(&self) -> Vec<Said> {
        match self.kind.switches() {
            true => (0..RELAYS).map(|relay| self.relay(relay)).collect(),
            false => Vec::new(),
        }
    }

    fn relay(&self, relay: usize) -> Said {
        let state = if self.relays[relay] { "ON" } else { "OFF" };
        let payload = if self.is_json {
            format!("{{\"state\":\"{state}\"}}")
        } else {
            state.to_owned()
        };
        said(&format!("relay/{}", relay + 1), payload)
    }

    /// Obeys a command that came below the device's topic: the new state, or why there is none.
    ///
    /// # Errors
    /// The topic names no relay, or the message is none of ON, OFF and TOGGLE.
    pub fn command(&mut self, below: &str, payload: &str) -> Result<Said, String> {
        let number = below
            .strip_prefix("relay/")
            .and_then(|rest| rest.strip_suffix("/set"));
        let relay = number.and_then(|number| number.parse::<usize>().ok());
        let relay = relay.filter(|relay| (1..=RELAYS).contains(relay));
        let relay =
            relay.ok_or_else(|| format!("there are relays 1 to {RELAYS}, and no {below}"))? - 1;
        let word = payload.trim().trim_matches('"').to_ascii_uppercase();
        let is_on = match word.as_str() {
            "ON" | "1" | "TRUE" => true,
            "OFF" | "0" | "FALSE" => false,
            "TOGGLE" => !self.relays[relay],
            _ => return Err(format!("'{payload}' is none of ON, OFF and TOGGLE")),
        };
        self.relays[relay] = is_on;
        Ok(self.relay(relay))
    }
}

fn said(below: &str, payload: String) -> Said {
    Said {
        below: below.to_owned(),
        payload,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_values_and_they_are_plausible() {
        let values = |seed| {
            let mut device = Device::new(Kind::Dht22, false, seed, 0);
            (0..1000)
                .flat_map(|_| device.measure(5.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(values(1), values(1));
        assert_ne!(values(1), values(2));
        for said in values(7) {
            let value: f64 = said.payload.parse().unwrap();
            let range = if said.below == "temperature" {
                15.0..=32.0
            } else {
                20.0..=80.0
            };
            assert!(range.contains(&value), "{said:?}");
        }
    }

    #[test]
    fn a_room_that_is_heated_gets_warmer() {
        let mut room = Device::new(Kind::Hvac, true, 1, 0);
        let first = room.temperature.value();
        let state = room.command("relay/1/set", "on").unwrap();
        assert_eq!(state, said("relay/1", "{\"state\":\"ON\"}".to_owned()));
        (0..60).for_each(|_| drop(room.measure(5.0)));
        assert!(room.temperature.value() > first + 2.0);
        let measured = room.measure(5.0).remove(0);
        let json: serde_json::Value = serde_json::from_str(&measured.payload).unwrap();
        assert!(json["temperature"].is_number() && json["humidity"].is_number());
    }

    #[test]
    fn commands_that_mean_nothing_are_told() {
        let mut relays = Device::new(Kind::Relay, false, 1, 0);
        assert!(relays.measure(5.0).is_empty());
        assert_eq!(
            relays.command("relay/2/set", "TOGGLE").unwrap().payload,
            "ON"
        );
        assert_eq!(relays.relays()[1].payload, "ON");
        assert!(
            relays
                .command("relay/3/set", "ON")
                .unwrap_err()
                .contains("relays 1 to 2")
        );
        assert!(
            relays
                .command("relay/1/set", "warm")
                .unwrap_err()
                .contains("none of ON")
        );
    }
}
