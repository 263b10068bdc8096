//! mqtt-pub as its users and brokers see it: arguments and input, packets byte for byte, words, exit code.

mod cases {
    mod command_line;
    mod faults;
    mod lines;
    mod making;
    mod one_message;
    mod replay;
    mod usage;
    mod version_5;
}

use mqtt_testkit::fake_broker::FakeBroker;
use mqtt_testkit::program::{Ended, Program};

/// CONNACK of 3.1 and 3.1.1: accepted, without a session.
const ACCEPTED: &[u8] = &[0x20, 2, 0, 0];
/// CONNACK of version 5: accepted, without a session, without properties.
const ACCEPTED_5: &[u8] = &[0x20, 3, 0, 0, 0];

/// Starts mqtt-pub against a broker, with a line as one would type it; no quoting.
fn start(broker: &FakeBroker, line: &str) -> Program {
    let port = broker.port().to_string();
    start_with(
        ["-h", "127.0.0.1", "-p", &port]
            .into_iter()
            .chain(line.split_whitespace()),
    )
}

fn start_with<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Program {
    Program::start(env!("CARGO_BIN_EXE_mqtt-pub"), arguments)
}

#[track_caller]
fn expect_success(ended: &Ended) {
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (0, ""),
        "stdout: {}",
        ended.stdout
    );
}

/// PUBLISH of 3.1.1 on a topic, with its first byte and, above QoS 0, its identifier.
fn publish(first: u8, topic: &str, id: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut body = u16::try_from(topic.len())
        .expect("a short topic")
        .to_be_bytes()
        .to_vec();
    body.extend_from_slice(topic.as_bytes());
    body.extend(id.into_iter().flat_map(u16::to_be_bytes));
    body.extend_from_slice(payload);
    let mut packet = vec![first];
    let mut rest = body.len();
    while rest > 127 {
        packet.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    packet.push(rest as u8);
    packet.extend(body);
    packet
}
