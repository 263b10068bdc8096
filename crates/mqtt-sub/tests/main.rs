//! mqtt-sub as its users and brokers see it: arguments, packets byte for byte, output, exit code.

mod cases {
    mod connection;
    mod forms;
    mod messages;
    mod recording;
    mod retained;
    mod screen;
    mod subscribing;
    mod usage;
}

use mqtt_testkit::fake_broker::{FakeBroker, FakeConnection};
use mqtt_testkit::program::{Ended, Program};

/// CONNACK of 3.1 and 3.1.1: accepted, without a session.
const ACCEPTED: &[u8] = &[0x20, 2, 0, 0];
/// CONNACK of version 5: accepted, without a session, without properties.
const ACCEPTED_5: &[u8] = &[0x20, 3, 0, 0, 0];
/// SUBSCRIBE of 3.1.1 to `t` at QoS 0, with identifier 1, and its SUBACK.
const SUBSCRIBE: &[u8] = b"\x82\x06\0\x01\0\x01t\0";
const SUBACK: &[u8] = &[0x90, 3, 0, 1, 0];

/// Starts mqtt-sub against a broker, with a line as one would type it; no quoting.
fn start(broker: &FakeBroker, line: &str) -> Program {
    let port = broker.port().to_string();
    start_with(
        ["-h", "127.0.0.1", "-p", &port]
            .into_iter()
            .chain(line.split_whitespace()),
    )
}

fn start_with<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Program {
    Program::start(env!("CARGO_BIN_EXE_mqtt-sub"), arguments)
}

/// A connection that has come as far as the SUBACK of `t`.
fn subscribed(broker: &FakeBroker) -> FakeConnection {
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(SUBSCRIBE);
    connection.send(SUBACK);
    connection
}

#[track_caller]
fn expect_output(ended: &Ended, expected: &str) {
    assert_eq!(ended.stdout, expected, "stderr: {}", ended.stderr);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

/// PUBLISH of 3.1.1 with a short body.
fn publish(first: u8, topic: &str, id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let id = id.map_or(Vec::new(), |id| id.to_be_bytes().to_vec());
    let length = 2 + topic.len() + id.len() + payload.len();
    assert!(length < 128, "a longer packet needs a longer length");
    let head = [first, length as u8, 0, topic.len() as u8];
    [&head, topic.as_bytes(), &id, payload].concat()
}
