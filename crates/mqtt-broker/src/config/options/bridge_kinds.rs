//! Values that only options of bridges take.

use crate::config::number::integer;
use crate::config::value::{Kind, Wrong};
use mqtt_proto::{Filter, QoS};
use std::time::Duration;

/// A number that is brought into its bounds if it lies outside, as in Mosquitto.
pub struct Clamped {
    /// The smallest.
    pub min: u32,
    /// The largest.
    pub max: u32,
}

impl Kind for Clamped {
    type Value = u32;

    fn apply(&self, slot: &mut u32, text: &str, _again: bool) -> Result<(), Wrong> {
        let value = integer(text)?.clamp(i64::from(self.min), i64::from(self.max));
        *slot = u32::try_from(value).map_err(|_| Wrong::Value)?;
        Ok(())
    }

    fn takes(&self) -> String {
        format!("a number from {} to {}", self.min, self.max)
    }

    fn show(&self, value: &u32) -> String {
        value.to_string()
    }
}

/// Where another broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// The kind of `address`: one or more of `HOST[:PORT]`.
pub struct Addresses;

impl Kind for Addresses {
    type Value = Vec<Address>;

    fn apply(&self, slot: &mut Vec<Address>, text: &str, again: bool) -> Result<(), Wrong> {
        if again {
            return Err(Wrong::Again);
        }
        let words = text
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'));
        *slot = words.map(address).collect::<Result<_, _>>()?;
        if slot.is_empty() {
            return Err(Wrong::Empty);
        }
        Ok(())
    }

    fn takes(&self) -> String {
        "one or more of HOST or HOST:PORT, with blanks between".into()
    }

    fn show(&self, value: &Vec<Address>) -> String {
        let shown: Vec<_> = value
            .iter()
            .map(|address| format!("{}:{}", address.host, address.port))
            .collect();
        shown.join(" ")
    }

    fn whole_line(&self) -> bool {
        true
    }
}

/// The last colon begins the port, as an IPv6 address has colons of its own.
fn address(word: &str) -> Result<Address, Wrong> {
    let (host, port) = word.rsplit_once(':').unwrap_or((word, "1883"));
    let port = u16::try_from(integer(port)?).ok().filter(|port| *port > 0);
    Ok(Address {
        host: host.into(),
        port: port.ok_or_else(|| Wrong::Because("takes ports from 1 to 65535".into()))?,
    })
}

/// Which way a topic is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From here to the other broker.
    Out,
    /// From the other broker to here.
    In,
    /// Both ways.
    Both,
}

/// A `topic` line of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeTopic {
    /// Which topics, without the prefixes; `None` stands for the prefixes alone.
    pub filter: Option<Box<Filter>>,
    /// Which way.
    pub direction: Direction,
    /// The QoS of the subscriptions.
    pub qos: QoS,
    /// What stands before the topic here.
    pub local_prefix: String,
    /// What stands before the topic there.
    pub remote_prefix: String,
}

/// The kind of `topic`: `PATTERN [out|in|both] [QOS] [LOCAL] [REMOTE]`, once for each topic.
pub struct Topics;

impl Kind for Topics {
    type Value = Vec<BridgeTopic>;

    fn apply(&self, slot: &mut Vec<BridgeTopic>, text: &str, _again: bool) -> Result<(), Wrong> {
        slot.push(topic(text)?);
        Ok(())
    }

    fn takes(&self) -> String {
        "PATTERN, then perhaps out, in or both, a QoS, a prefix here and a prefix there".into()
    }

    fn show(&self, _value: &Vec<BridgeTopic>) -> String {
        String::new()
    }

    fn whole_line(&self) -> bool {
        true
    }
}

fn topic(text: &str) -> Result<BridgeTopic, Wrong> {
    let (pattern, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted
            .split_once('"')
            .ok_or_else(|| Wrong::Because("misses the second quote after the pattern".into()))?,
        None => text.split_once(char::is_whitespace).unwrap_or((text, "")),
    };
    let mut words = rest
        .split_whitespace()
        .take_while(|word| !word.starts_with('#'));
    let direction = match words.next().map(str::to_lowercase).as_deref() {
        None | Some("out") => Direction::Out,
        Some("in") => Direction::In,
        Some("both") => Direction::Both,
        Some(other) => {
            return Err(Wrong::Because(format!(
                "takes out, in or both behind the pattern, and '{other}' is none of them"
            )));
        }
    };
    let qos = match words.next() {
        None => QoS::AtMostOnce,
        Some(word) => u8::try_from(integer(word)?)
            .ok()
            .and_then(QoS::new)
            .ok_or_else(|| Wrong::Because(format!("takes a QoS of 0, 1 or 2, and not '{word}'")))?,
    };
    let mut prefix = || match words.next() {
        None | Some("\"\"") => String::new(),
        Some(word) => word.into(),
    };
    let (local_prefix, remote_prefix) = (prefix(), prefix());
    let filter = match pattern {
        "" if local_prefix.is_empty() && remote_prefix.is_empty() => return Err(Wrong::Empty),
        "" => None,
        _ => {
            let filter = Filter::parse(pattern);
            let why =
                |error| Wrong::Because(format!("has no topic filter in '{pattern}': {error}"));
            Some(filter.map_err(why)?.into())
        }
    };
    for prefix in [&local_prefix, &remote_prefix] {
        if prefix.contains(['+', '#']) {
            return Err(Wrong::Because(format!(
                "takes prefixes without wildcards, and '{prefix}' has one"
            )));
        }
    }
    Ok(BridgeTopic {
        filter,
        direction,
        qos,
        local_prefix,
        remote_prefix,
    })
}

/// How long a bridge waits before it connects again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The first time, or each time without a cap.
    pub base: Duration,
    /// The longest time, which is approached by doubling; without it all are the same.
    pub cap: Option<Duration>,
    /// After so long a connection the waiting begins anew at the base.
    pub stable: Option<Duration>,
}

impl Restart {
    /// Five to thirty seconds.
    pub const DEFAULT: Restart = Restart {
        base: Duration::from_secs(5),
        cap: Some(Duration::from_secs(30)),
        stable: None,
    };
}

/// The kind of `restart_timeout`: `BASE [CAP [STABLE]]` in seconds.
pub struct Restarts;

impl Kind for Restarts {
    type Value = Restart;

    fn apply(&self, slot: &mut Restart, text: &str, _again: bool) -> Result<(), Wrong> {
        let mut numbers = Vec::new();
        for word in text
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'))
        {
            numbers.push(u64::try_from(integer(word)?).map_err(|_| Wrong::Value)?);
        }
        let seconds = |at: usize| numbers.get(at).copied();
        let base = seconds(0).ok_or(Wrong::Empty)?.clamp(1, 3600);
        let cap = seconds(1).map(|cap| cap.min(7200));
        if cap.is_some_and(|cap| cap < base) {
            return Err(Wrong::Because(
                "takes a longest time that is not shorter than the first".into(),
            ));
        }
        *slot = Restart {
            base: Duration::from_secs(base),
            cap: cap.map(Duration::from_secs),
            stable: seconds(2).map(Duration::from_secs),
        };
        Ok(())
    }

    fn takes(&self) -> String {
        "seconds, then perhaps the longest time and how long a connection has to stand to begin anew".into()
    }

    fn show(&self, value: &Restart) -> String {
        let times = [Some(value.base), value.cap, value.stable];
        let shown: Vec<_> = times
            .iter()
            .map_while(|time| time.map(|time| time.as_secs().to_string()))
            .collect();
        shown.join(" ")
    }

    fn whole_line(&self) -> bool {
        true
    }
}

/// The kind of `bridge_tcp_keepalive`: seconds until the first probe, between probes, and how many.
pub struct TcpKeepalive;

impl Kind for TcpKeepalive {
    type Value = Option<[u32; 3]>;

    fn apply(&self, slot: &mut Self::Value, text: &str, _again: bool) -> Result<(), Wrong> {
        let mut numbers = [0; 3];
        let mut words = text.split_whitespace();
        for number in &mut numbers {
            let value = integer(words.next().ok_or(Wrong::Value)?)?;
            *number = u32::try_from(value)
                .ok()
                .filter(|value| *value > 0)
                .ok_or(Wrong::Value)?;
        }
        *slot = Some(numbers);
        Ok(())
    }

    fn takes(&self) -> String {
        "three numbers above 0: seconds until the first probe, seconds between probes, probes"
            .into()
    }

    fn show(&self, value: &Self::Value) -> String {
        value.map_or_else(String::new, |[idle, interval, count]| {
            format!("{idle} {interval} {count}")
        })
    }

    fn whole_line(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_defaults_from_the_right() {
        let check = |text: &str, filter: &str, direction, qos, local: &str, remote: &str| {
            let found = topic(text).expect(text);
            assert_eq!(
                found.filter.as_deref().map_or("", |f| f.as_str()),
                filter,
                "{text}"
            );
            assert_eq!((found.direction, found.qos), (direction, qos), "{text}");
            let prefixes = (found.local_prefix.as_str(), found.remote_prefix.as_str());
            assert_eq!(prefixes, (local, remote), "{text}");
        };
        check("a/#", "a/#", Direction::Out, QoS::AtMostOnce, "", "");
        check("# BOTH 1", "#", Direction::Both, QoS::AtLeastOnce, "", "");
        check(
            "a in 2 here/ there/ # x",
            "a",
            Direction::In,
            QoS::ExactlyOnce,
            "here/",
            "there/",
        );
        check(
            "\"a b/+\" out 0 \"\" r/",
            "a b/+",
            Direction::Out,
            QoS::AtMostOnce,
            "",
            "r/",
        );
        check(
            "\"\" in 0 l r",
            "",
            Direction::In,
            QoS::AtMostOnce,
            "l",
            "r",
        );
        for (text, part) in [
            ("a#", "topic filter"),
            ("a up", "out, in or both"),
            ("a out 3", "QoS"),
            ("\"a out", "quote"),
            ("a out 0 +/", "wildcards"),
        ] {
            match topic(text) {
                Err(Wrong::Because(why)) => assert!(why.contains(part), "{text}: {why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!(topic("\"\" in"), Err(Wrong::Empty));
    }

    #[test]
    fn addresses_have_ports() {
        let mut found = Vec::new();
        Addresses
            .apply(&mut found, "one two:1884 ::1:1885 # x", false)
            .expect("three");
        assert_eq!(Addresses.show(&found), "one:1883 two:1884 ::1:1885");
        assert!(Addresses.apply(&mut found, "one:0", false).is_err());
        assert!(Addresses.apply(&mut found, "one:x", false).is_err());
        assert_eq!(Addresses.apply(&mut found, "one", true), Err(Wrong::Again));
    }

    #[test]
    fn times_of_restarts_have_bounds() {
        let read = |text: &str| {
            let mut value = Restart::DEFAULT;
            Restarts
                .apply(&mut value, text, false)
                .map(|()| Restarts.show(&value))
        };
        for (text, expected) in [
            ("10", "10"),
            ("0", "1"),
            ("5 9999", "5 7200"),
            ("5 30 60", "5 30 60"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        assert!(read("10 5").is_err());
        assert!(read("x").is_err());
        let mut value = None;
        TcpKeepalive
            .apply(&mut value, "1 2 3", false)
            .expect("three");
        assert_eq!(value, Some([1, 2, 3]));
        assert!(TcpKeepalive.apply(&mut value, "1 2", false).is_err());
        assert!(TcpKeepalive.apply(&mut value, "1 0 2", false).is_err());
    }
}
