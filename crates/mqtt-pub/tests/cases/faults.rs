//! Brokers that vanish, freeze or come back, and wires that are cut in the middle of `-l`.

use std::collections::BTreeSet;

use mqtt_proto::{Packet, QoS, Version};
use mqtt_testkit::broker::{BrokerProcess, OPEN};
use mqtt_testkit::peer::RawPeer;
use mqtt_testkit::relay::Relay;

use crate::*;

/// How many lines a run has.
const LINES: u32 = 2000;
/// After how many bytes connections are cut: in the middle of packets, and once in CONNECT.
const CUTS: [usize; 7] = [3000, 777, 9, 5000, 40, 1, 12_345];

fn start_at(port: u16, line: &str) -> Program {
    let port = port.to_string();
    let target = ["-h", "127.0.0.1", "-p", &port];
    start_with(target.into_iter().chain(line.split_whitespace()))
}

fn numbered(lines: std::ops::RangeInclusive<u32>) -> String {
    lines.map(|number| format!("{number}\n")).collect()
}

fn listener(broker: &BrokerProcess) -> RawPeer {
    let mut peer = RawPeer::connect(broker.address(), Version::V4, "listener");
    peer.subscribe("t", QoS::AtMostOnce);
    peer
}

/// The number in the next message.
#[track_caller]
fn heard(peer: &mut RawPeer) -> u32 {
    peer.receive(|packet| match packet {
        Packet::Publish(message) => {
            let text = std::str::from_utf8(message.payload).expect("numbers are text");
            text.parse().expect("every line is a number")
        }
        other => panic!("expected a message, got {other:?}"),
    })
}

/// A run over a wire that is cut again and again, and what came out at the broker's other side.
fn over_a_bad_wire(broker: &BrokerProcess, flags: &str) -> (Vec<u32>, Ended) {
    let mut peer = listener(broker);
    let relay = Relay::new(broker.address(), &CUTS);
    let line = format!("-t t -l --reconnect-delay 10ms {flags}");
    let mut program = start_at(relay.port(), &line);
    program.write(numbered(1..=LINES));
    program.end_input();
    let mut seen = Vec::new();
    while seen.last() != Some(&LINES) {
        seen.push(heard(&mut peer));
    }
    let ended = program.finish();
    assert!(relay.is_through(), "not all connections were cut");
    peer.expect_nothing();
    (seen, ended)
}

#[track_caller]
fn check_kept_sessions(broker: &BrokerProcess) {
    let all: Vec<u32> = (1..=LINES).collect();
    for qos in 1..=2 {
        let (mut seen, ended) = over_a_bad_wire(broker, &format!("-q {qos} -c -i keeper{qos}"));
        assert_eq!(ended.code, 0, "QoS {qos}: {}", ended.stderr);
        if qos == 1 {
            // At least once: what came before is not counted again.
            let mut known = BTreeSet::new();
            seen.retain(|number| known.insert(*number));
        }
        assert_eq!(seen, all, "QoS {qos}");
    }
}

#[test]
fn no_line_is_lost_and_at_qos_2_none_is_doubled_where_our_broker_keeps_the_session() {
    check_kept_sessions(&BrokerProcess::open());
}

#[test]
fn no_line_is_lost_and_at_qos_2_none_is_doubled_where_mosquitto_keeps_the_session() {
    if let Some(broker) = BrokerProcess::mosquitto(OPEN) {
        check_kept_sessions(&broker);
    }
}

#[test]
fn without_a_session_every_line_arrives_or_is_named() {
    let broker = BrokerProcess::open();
    let all: BTreeSet<u32> = (1..=LINES).collect();
    let (seen, ended) = over_a_bad_wire(&broker, "-q 1");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), all);

    let (seen, ended) = over_a_bad_wire(&broker, "-q 2");
    let rising = seen.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(rising, "doubled or out of order: {seen:?}");
    let named: BTreeSet<u32> = ended
        .stderr
        .lines()
        .filter_map(|line| line.strip_prefix("Error: Line ")?.split(' ').next())
        .map(|number| number.parse().expect("a line has a number"))
        .collect();
    let known: BTreeSet<u32> = seen.into_iter().chain(named.iter().copied()).collect();
    assert_eq!(known, all);
    assert_eq!(ended.code, if named.is_empty() { 0 } else { 7 });
}

#[test]
fn lines_wait_for_the_broker_that_takes_the_place_of_a_killed_one() {
    for qos in 1..=2 {
        let first = BrokerProcess::open();
        let relay = Relay::new(first.address(), &[]);
        let mut peer = listener(&first);
        let line = format!("-t t -l -q {qos} --reconnect-delay 10ms -i p -d");
        let mut program = start_at(relay.port(), &line);
        program.write(numbered(1..=50));
        (1..=50).for_each(|number| assert_eq!(heard(&mut peer), number));
        let last = if qos == 1 { "PUBACK" } else { "PUBCOMP" };
        program.expect_stdout(&format!("Client p received {last} (Mid: 50, RC:0)"));
        relay.lead_to(None);
        drop(first);
        program.expect_stderr("Trying to connect again every 10ms.");
        program.write(numbered(51..=100));
        program.end_input();
        let second = BrokerProcess::open();
        let mut peer = listener(&second);
        relay.lead_to(Some(second.address()));
        (51..=100).for_each(|number| assert_eq!(heard(&mut peer), number));
        let ended = program.finish();
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stderr.ends_with("Note: Connected again.\n"));
    }
}

#[test]
fn lines_that_no_broker_takes_any_more_are_named() {
    let broker = FakeBroker::new();
    let line = "-t t -l -q 1 --reconnect-delay 10ms --reconnect-timeout 200ms";
    let mut program = start(&broker, line);
    program.write("a\nb\nc\n");
    program.end_input();
    let mut connection = broker.connected(ACCEPTED);
    for (id, payload) in [(1, b"a"), (2, b"b"), (3, b"c")] {
        connection.expect(&publish(0x32, "t", Some(id), payload));
    }
    connection.send(&[0x40, 2, 0, 2]);
    connection.close();
    drop(broker);
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert!(
        ended
            .stderr
            .ends_with("Error: Lines 1, 3 were not confirmed by the broker.\n"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn no_reconnect_ends_with_the_first_lost_connection() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -l -q 1 --no-reconnect");
    program.write("a\n");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x32, "t", Some(1), b"a"));
    connection.close();
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert_eq!(
        ended.stderr,
        "Error: The connection was lost: the broker closed it.\nError: Line 1 was not confirmed by the broker.\n"
    );
}

#[test]
fn a_frozen_broker_is_given_up_and_the_next_connection_gets_the_lines() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -l -q 1 -k 5 --reconnect-delay 10ms");
    program.write("a\nb\n");
    program.end_input();
    let mut frozen = broker.connected(ACCEPTED);
    frozen.expect(&publish(0x32, "t", Some(1), b"a"));
    frozen.expect(&publish(0x32, "t", Some(2), b"b"));
    frozen.expect(&[0xc0, 0]);
    // No answer: half a keep alive later the connection counts as dead.
    let mut connection = broker.connected(ACCEPTED);
    for (id, payload) in [(3, b"a"), (4, b"b")] {
        connection.expect(&publish(0x32, "t", Some(id), payload));
        connection.send(&[0x40, 2, 0, id as u8]);
    }
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 0);
    assert!(
        ended.stderr.starts_with(
            "Error: The connection was lost: the broker did not answer PINGREQ in time.\n"
        ),
        "got {}",
        ended.stderr
    );
}

#[test]
fn a_broker_that_answers_but_never_confirms_is_told_of() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x -q 1");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x32, "t", Some(1), b"x"));
    connection.send(&[0x40, 2, 0, 7]);
    program.expect_stderr(
        "Warning: The broker confirms packet 7, which is not on its way.\n\
         Note: The broker has confirmed nothing for 10 seconds. Still waiting; Ctrl-C ends it.\n",
    );
    connection.send(&[0x40, 2, 0, 1]);
    connection.expect_disconnect();
    assert_eq!(program.finish().code, 0);
}

#[test]
fn nonsense_after_the_connection_was_accepted_is_told_and_ends_the_run() {
    for (nonsense, code, words) in [
        (&[0xf0, 0][..], 2, "Error: Protocol error: "),
        (&[0x40, 2, 0, 0], 2, "Error: Protocol error: "),
        (
            &[0x30, 0xff, 0xff, 0xff, 0xff, 1],
            2,
            "Error: Protocol error: ",
        ),
        (&[0x50, 2, 0, 1], 2, "a PUBREC came for a message at QoS 1"),
        (&[0x82, 2, 0, 1], 2, "Error: Protocol error: "),
    ] {
        let broker = FakeBroker::new();
        let program = start(&broker, "-t t -m x -q 1");
        let mut connection = broker.connected(ACCEPTED);
        connection.expect(&publish(0x32, "t", Some(1), b"x"));
        connection.send(nonsense);
        let ended = program.finish();
        assert_eq!(ended.code, code, "{nonsense:x?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(words),
            "{nonsense:x?}: {}",
            ended.stderr
        );
        assert!(
            ended
                .stderr
                .ends_with("Error: The message was not confirmed by the broker.\n"),
            "{nonsense:x?}: {}",
            ended.stderr
        );
    }
}

#[test]
fn a_packet_larger_than_we_have_allowed_is_refused_before_it_has_come() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x -q 1 -D connect maximum-packet-size 50");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x32\x07\0\x01t\0\x01\0x");
    // A PUBLISH of 100 bytes, of which only the beginning comes.
    connection.send(&[0x30, 98, 0, 1, b't']);
    connection.expect(&[0xe0, 1, 0x95]);
    connection.expect_end();
    let ended = program.finish();
    assert_eq!(ended.code, 25, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("Error: Protocol error: "),
        "got {}",
        ended.stderr
    );
}
