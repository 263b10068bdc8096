//! Properties, topic aliases and limits of version 5.

use crate::*;

/// CONNACK of version 5 that allows topic aliases up to 10.
const ALIASES: &[u8] = &[0x20, 6, 0, 0, 3, 0x22, 0, 10];

#[test]
fn every_property_of_a_message_can_be_given() {
    let broker = FakeBroker::new();
    let line = "-t t -m x \
        -D publish payload-format-indicator 1 -D publish message-expiry-interval 59 \
        -D publish content-type a/b -D publish response-topic r \
        -D publish correlation-data cd -D publish user-property k v -D publish user-property k w";
    let program = start(&broker, line);
    let mut connection = broker.connected(ACCEPTED_5);
    let properties = b"\x01\x01\x02\0\0\0\x3b\x03\0\x03a/b\x08\0\x01r\x09\0\x02cd\
        \x26\0\x01k\0\x01v\x26\0\x01k\0\x01w";
    let mut expected = vec![0x30, properties.len() as u8 + 5, 0, 1, b't'];
    expected.push(properties.len() as u8);
    expected.extend_from_slice(properties);
    expected.push(b'x');
    connection.expect(&expected);
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn properties_of_connect_disconnect_and_will_travel_with_them() {
    let broker = FakeBroker::new();
    let line = "-t t -n --will-topic w -D connect user-property a b \
        -D will will-delay-interval 7 -D disconnect user-property c d";
    let program = start(&broker, line);
    let mut connection = broker.accept();
    connection.expect(
        b"\x10\x22\0\x04MQTT\x05\x06\0\x3c\x0a\x26\0\x01a\0\x01b\x21\0\x14\0\0\x05\x18\0\0\0\x07\0\x01w\0\0",
    );
    connection.send(ACCEPTED_5);
    connection.expect(b"\x30\x04\0\x01t\0");
    connection.expect(b"\xe0\x09\0\x07\x26\0\x01c\0\x01d");
    connection.expect_end();
    expect_success(&program.finish());
}

#[test]
fn a_topic_alias_stands_for_the_topic_from_the_second_message_on() {
    let broker = FakeBroker::new();
    let line = "-t t -m x -i a -d --repeat 3 -D publish topic-alias 4";
    let program = start(&broker, line);
    let mut connection = broker.connected(ALIASES);
    connection.expect(b"\x30\x08\0\x01t\x03\x23\0\x04x");
    connection.expect(b"\x30\x07\0\0\x03\x23\0\x04x");
    connection.expect(b"\x30\x07\0\0\x03\x23\0\x04x");
    connection.expect_disconnect();
    let ended = program.finish();
    expect_success(&ended);
    assert!(
        ended
            .stdout
            .contains("(d0, q0, r0, m2, '(null)', ... (1 bytes))"),
        "got {}",
        ended.stdout
    );
}

#[test]
fn lines_name_their_topic_beside_the_alias_since_they_may_need_another_connection() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -l -D publish topic-alias 4");
    program.write("1\n2\n");
    program.end_input();
    let mut connection = broker.connected(ALIASES);
    connection.expect(b"\x30\x08\0\x01t\x03\x23\0\x041");
    connection.expect(b"\x30\x08\0\x01t\x03\x23\0\x042");
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn a_topic_alias_that_the_broker_does_not_take_is_an_error() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x -D publish topic-alias 11");
    broker.connected(ALIASES).expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 1);
    assert_eq!(
        ended.stderr,
        "Error: Publish 1 cannot be published: the topic alias is 11, and the broker takes 1 to 10.\n"
    );
}

#[test]
fn a_receive_maximum_of_the_broker_counts_more_than_our_window() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-V 5 -t t -q 1 -l -i r -d");
    program.write("a\nb\n");
    program.end_input();
    let mut connection = broker.connected(&[0x20, 6, 0, 0, 3, 0x21, 0, 1]);
    for (id, line) in [(1, b"a"), (2, b"b")] {
        connection.expect(&[0x32, 7, 0, 1, b't', 0, id, 0, line[0]]);
        connection.send(&[0x40, 2, 0, id]);
    }
    connection.expect_disconnect();
    let ended = program.finish();
    expect_success(&ended);
    let steps: Vec<&str> = ended.stdout.lines().skip(2).collect();
    let expected = ["PUBLISH", "PUBACK", "PUBLISH", "PUBACK", "DISCONNECT"];
    assert_eq!(steps.len(), expected.len(), "got {}", ended.stdout);
    for (step, packet) in steps.iter().zip(expected) {
        assert!(step.contains(packet), "got {}", ended.stdout);
    }
}

#[test]
fn all_lines_that_the_broker_refuses_are_named() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-V 5 -t t -q 1 -l");
    program.write("a\nb\n");
    program.end_input();
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x32\x07\0\x01t\0\x01\0a\x32\x07\0\x01t\0\x02\0b");
    connection.send(&[0x40, 3, 0, 1, 0x87]);
    connection.send(b"\x40\x09\0\x02\x97\x05\x1f\0\x02no");
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 135);
    assert_eq!(
        ended.stderr,
        "Warning: Line 1 failed: Not authorized.\nWarning: Line 2 failed: Quota exceeded (no).\n"
    );
}
