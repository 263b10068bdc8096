//! A thermostat: it hears the temperature of its room and switches the heating.
//!
//! This is how an application uses the broker, with `rumqttc` as its client library. Start a
//! broker (`mqtt-broker -v`) and then, from anywhere in the workspace:
//!
//! ```text
//! cargo run -p mqtt-testkit --example rust-app -- localhost 1883
//! ```
//!
//! It publishes three temperatures itself, decides what to do about each, and ends.

use anyhow::{Context, anyhow, bail};
use rumqttc::{Client, ConnectionError, Event, LastWill, MqttOptions, Outgoing, Packet, QoS};
use std::time::Duration;

const TEMPERATURE: &str = "room/1/temperature";
const HEATING: &str = "room/1/heating";
const STATE: &str = "room/1/thermostat";
/// The room is warm enough from here on, in degrees Celsius.
const COMFORTABLE: f64 = 20.0;
const READINGS: [f64; 3] = [18.5, 19.5, 20.5];
/// All that is published at QoS 1: each reading, what follows from it, and the two states.
const PUBLISHED: usize = 2 * READINGS.len() + 2;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let host = arguments.next().unwrap_or_else(|| "localhost".to_owned());
    let port = match arguments.next() {
        Some(text) => text
            .parse()
            .with_context(|| format!("'{text}' is not a port; type for example 1883"))?,
        None => 1883,
    };

    // The broker publishes the will if this program vanishes, and retains it for late-comers.
    let id = format!("thermostat-{}", std::process::id());
    let mut options = MqttOptions::new(id, &host, port);
    options.set_keep_alive(Duration::from_secs(30));
    options.set_last_will(LastWill::new(STATE, "offline", QoS::AtLeastOnce, true));

    let (client, mut connection) = Client::new(options, 10);
    let (mut decided, mut acknowledged) = (0, 0);
    // The loop drives the connection: the client's requests travel while it turns.
    for event in connection.iter() {
        match event.map_err(|error| explained(error, &host, port))? {
            Event::Incoming(Packet::ConnAck(_)) => {
                client.publish(STATE, QoS::AtLeastOnce, true, "online")?;
                client.subscribe(TEMPERATURE, QoS::AtLeastOnce)?;
            }
            // Only now will the broker send us what is published.
            Event::Incoming(Packet::SubAck(_)) => {
                for reading in READINGS {
                    client.publish(TEMPERATURE, QoS::AtLeastOnce, false, reading.to_string())?;
                }
            }
            Event::Incoming(Packet::Publish(message)) => {
                decide(&client, &message.payload)?;
                decided += 1;
                if decided == READINGS.len() {
                    client.publish(STATE, QoS::AtLeastOnce, true, "done")?;
                }
            }
            Event::Incoming(Packet::PubAck(_)) => {
                acknowledged += 1;
                if acknowledged == PUBLISHED {
                    // The broker has everything. This tells it to forget the will.
                    client.disconnect()?;
                }
            }
            Event::Outgoing(Outgoing::Disconnect) => return Ok(()),
            _ => {}
        }
    }
    bail!("the connection ended before the work was done")
}

/// Switches the heating on or off. A message that is no temperature changes nothing: anyone may
/// publish anything.
fn decide(client: &Client, payload: &[u8]) -> anyhow::Result<()> {
    let text = String::from_utf8_lossy(payload);
    let Ok(temperature) = text.parse::<f64>() else {
        eprintln!("'{text}' is not a temperature");
        return Ok(());
    };
    let heating = if temperature < COMFORTABLE {
        "on"
    } else {
        "off"
    };
    println!("{temperature} °C: heating {heating}");
    client.publish(HEATING, QoS::AtLeastOnce, true, heating)?;
    Ok(())
}

/// What went wrong, and what to do about it.
fn explained(error: ConnectionError, host: &str, port: u16) -> anyhow::Error {
    match error {
        ConnectionError::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            anyhow!("no broker listens at {host}, port {port}; start one with: mqtt-broker -v")
        }
        ConnectionError::ConnectionRefused(code) => anyhow!("the broker refused us: {code:?}"),
        error => anyhow::Error::new(error).context(format!("talking to {host}, port {port}")),
    }
}
