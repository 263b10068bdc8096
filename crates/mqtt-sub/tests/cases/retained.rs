//! Retained messages: only those, none of those, and removing them.

use crate::*;

fn retained(topic: &str, payload: &str) -> Vec<u8> {
    publish(0x31, topic, None, payload.as_bytes())
}

/// The PUBLISH that removes a retained message of a topic with one letter.
fn removal(topic: &str, id: u8) -> Vec<u8> {
    [&[0x33, 5, 0, 1], topic.as_bytes(), &[0, id]].concat()
}

#[test]
fn only_retained_ones_are_shown_and_the_first_other_one_ends_the_run() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t --retained-only -v");
    let mut connection = subscribed(&broker);
    connection.send(
        &[
            retained("t", "old"),
            retained("u", ""),
            publish(0x30, "t", None, b"new"),
        ]
        .concat(),
    );
    connection.expect_disconnect();
    expect_output(&program.finish(), "t old\nu (null)\n");
}

#[test]
fn removing_waits_until_the_broker_has_confirmed_it() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t --remove-retained --retained-only -T skip");
    let mut connection = subscribed(&broker);
    connection.send(
        &[
            retained("a", "1"),
            retained("skip", "2"),
            retained("b", "3"),
        ]
        .concat(),
    );
    // Identifier 1 was the SUBSCRIBE's, and is free again.
    let (first, second) = (connection.packet(), connection.packet());
    let id = |packet: &[u8]| packet[packet.len() - 1];
    let (one, two) = (id(&first), id(&second));
    assert_eq!((first, second), (removal("a", one), removal("b", two)));
    connection.send(&publish(0x30, "t", None, b"live"));
    connection.send(&[0x40, 2, 0, one]);
    connection.send(&[0x40, 2, 0, two]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (0, "1\n3\n", "Note: Removed 2 retained messages.\n")
    );
}

#[test]
fn a_removal_that_the_broker_refuses_fails_the_run() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -t t --remove-retained -C 1");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.packet();
    connection.send(&[0x90, 4, 0, 1, 0, 0]);
    connection.send(b"\x31\x05\0\x01t\0x");
    let packet = connection.packet();
    assert_eq!(packet[..5], [0x33, 6, 0, 1, b't']);
    connection.send(&[0x40, 4, packet[5], packet[6], 0x87, 0]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stdout.as_str()), (135, "x\n"));
    assert_eq!(
        ended.stderr,
        "Note: Removed 0 retained messages.\nError: The broker does not let 1 retained message be removed: Not authorized.\n"
    );
}

#[test]
fn a_dry_run_removes_nothing() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t --remove-retained --dry-run -C 1");
    let mut connection = subscribed(&broker);
    connection.send(&retained("t", "x"));
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(
        (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
        (0, "x\n", "Note: This would remove 1 retained message.\n")
    );
}
