//! mqtt-rr as its users and brokers see it: arguments, packets byte for byte, output, exit code.

mod cases {
    mod asking;
    mod brokers;
    mod ends;
    mod usage;
}

use mqtt_testkit::fake_broker::{FakeBroker, FakeConnection};
use mqtt_testkit::program::{Ended, Program};

/// CONNACK of 3.1.1: accepted, without a session.
const ACCEPTED: &[u8] = &[0x20, 2, 0, 0];
/// CONNACK of version 5: accepted, without a session, without properties.
const ACCEPTED_5: &[u8] = &[0x20, 3, 0, 0, 0];
/// SUBSCRIBE of version 5 to `a` at QoS 0 with identifier 1, and its SUBACK.
const SUBSCRIBE: &[u8] = b"\x82\x07\0\x01\0\0\x01a\0";
const SUBACK: &[u8] = &[0x90, 4, 0, 1, 0, 0];
/// The request `x` on topic `q` with response topic `a`, at QoS 0.
const REQUEST: &[u8] = b"\x30\x09\0\x01q\x04\x08\0\x01ax";

/// Starts mqtt-rr against a broker, with a line as one would type it; no quoting.
fn start(broker: &FakeBroker, line: &str) -> Program {
    let port = broker.port().to_string();
    start_with(
        ["-h", "127.0.0.1", "-p", &port]
            .into_iter()
            .chain(line.split_whitespace()),
    )
}

fn start_with<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Program {
    Program::start(env!("CARGO_BIN_EXE_mqtt-rr"), arguments)
}

/// A connection that has come as far as the request `x`.
#[track_caller]
fn asked(broker: &FakeBroker) -> FakeConnection {
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(SUBSCRIBE);
    connection.send(SUBACK);
    connection.expect(REQUEST);
    connection
}

#[track_caller]
fn expect_output(ended: &Ended, stdout: &str) {
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (0, stdout, "")
    );
}
