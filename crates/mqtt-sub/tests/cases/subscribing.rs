//! What is asked of the broker, and what its answers mean.

use crate::*;

#[track_caller]
fn check_packets(line: &str, expected: &[u8]) {
    let broker = FakeBroker::new();
    let _program = start(&broker, line);
    broker.connected(ACCEPTED).expect(expected);
}

#[track_caller]
fn check_packets_5(line: &str, expected: &[u8]) {
    let broker = FakeBroker::new();
    let _program = start(&broker, &format!("-V 5 {line}"));
    broker.connected(ACCEPTED_5).expect(expected);
}

#[test]
fn the_hand_outs_fifth_step_prints_its_lines() {
    let broker = FakeBroker::new();
    let host = format!("127.0.0.1:{}", broker.port());
    let program = start_with([host.as_str(), "-t", "topic/#", "-d"]);
    let mut connection = broker.accept();
    connection.expect(b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0");
    connection.send(ACCEPTED);
    connection.expect(b"\x82\x0c\0\x01\0\x07topic/#\0");
    connection.send(SUBACK);
    connection.send(&publish(0x31, "topic/pub", None, b"message from AMXXXX"));
    program.expect_stdout("message from AMXXXX\n");
    program.expect_stderr("was taken as the host");
    program.expect_stdout(
        "Client null sending CONNECT\n\
         Client (null) received CONNACK (0)\n\
         Client null sending SUBSCRIBE (Mid: 1, Topic: topic/#, QoS: 0, Options: 0x00)\n\
         Client null received SUBACK\n\
         Subscribed (mid: 1): 0\n\
         Client null received PUBLISH (d0, q0, r1, m0, 'topic/pub', ... (19 bytes))\n\
         message from AMXXXX\n",
    );
}

#[test]
fn all_filters_go_in_one_packet_in_order() {
    check_packets(
        "-t a -t b/# -q 2",
        b"\x82\x0c\0\x01\0\x01a\x02\0\x03b/#\x02",
    );
    check_packets("--topic α/+ --qos 1", b"\x82\x09\0\x01\0\x04\xce\xb1/+\x01");
    check_packets("-t $SYS/#", b"\x82\x0b\0\x01\0\x06$SYS/#\0");
}

#[test]
fn version_5_can_ask_for_no_retained_messages_and_below_it_cannot() {
    check_packets_5("-t a -R", b"\x82\x07\0\x01\0\0\x01a\x20");
    check_packets("-t a -R", b"\x82\x06\0\x01\0\x01a\0");
}

#[test]
fn a_count_limits_what_version_5_may_send_at_once() {
    for (line, maximum) in [("-C 1", 1), ("-C 19", 19), ("-C 100", 20), ("", 20)] {
        let broker = FakeBroker::new();
        let _program = start(&broker, &format!("-V 5 -t a {line}"));
        let expected = [
            b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\x03\x21\0",
            &[maximum][..],
            b"\0\0",
        ]
        .concat();
        broker.accept().expect(&expected);
    }
}

#[test]
fn unsubscribing_follows_subscribing_each_in_its_packet() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -U x/y --unsubscribe z -c -i u1 -d");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(b"\x82\x06\0\x01\0\x01t\0\xa2\x07\0\x02\0\x03x/y\xa2\x05\0\x03\0\x01z");
    connection.send(&[0x90, 3, 0, 1, 0, 0xb0, 2, 0, 2, 0xb0, 2, 0, 3]);
    program.expect_stdout(
        "Client u1 sending UNSUBSCRIBE (Mid: 2, Topic: x/y)\nClient u1 sending UNSUBSCRIBE (Mid: 3, Topic: z)\n\
         Client u1 received SUBACK\nSubscribed (mid: 1): 0\nClient u1 received UNSUBACK\nClient u1 received UNSUBACK\n",
    );
}

#[test]
fn only_unsubscribing_is_possible() {
    check_packets("-U t -c -i u", b"\xa2\x05\0\x01\0\x01t");
}

#[test]
fn when_all_is_denied_the_run_ends_with_the_reason() {
    for (line, connack, suback, code) in [
        ("", ACCEPTED, &[0x90, 4, 0, 1, 0x80, 0x80][..], 128),
        ("-V 5", ACCEPTED_5, &[0x90, 5, 0, 1, 0, 0x87, 0x8f], 135),
    ] {
        let broker = FakeBroker::new();
        let program = start(&broker, &format!("-t a -t b -d {line}"));
        let mut connection = broker.connected(connack);
        connection.packet();
        connection.send(suback);
        connection.expect_disconnect();
        let ended = program.finish();
        assert_eq!(ended.code, code);
        assert!(
            ended
                .stderr
                .starts_with("All subscription requests were denied.\n"),
            "got {}",
            ended.stderr
        );
        assert!(
            ended.stdout.contains("Subscribed (mid: 1): 1"),
            "got {}",
            ended.stdout
        );
    }
}

#[test]
fn when_some_is_denied_the_rest_is_heard() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t a -t b -C 1 -d");
    let mut connection = broker.connected(ACCEPTED);
    connection.packet();
    connection.send(&[0x90, 4, 0, 1, 0x80, 1]);
    connection.send(&publish(0x30, "b", None, b"x"));
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 0);
    assert!(
        ended.stdout.contains("Subscribed (mid: 1): 128, 1\n"),
        "got {}",
        ended.stdout
    );
    assert_eq!(ended.stderr, "Note: 1 of 2 subscriptions were denied.\n");
}

#[test]
fn quiet_leaves_out_how_the_subscription_was_answered() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -d --quiet -C 1 -i q");
    let mut connection = subscribed(&broker);
    connection.send(&publish(0x30, "t", None, b"x"));
    connection.expect_disconnect();
    let ended = program.finish();
    assert!(
        ended
            .stdout
            .contains("Client q received SUBACK\nClient q received PUBLISH"),
        "got {}",
        ended.stdout
    );
}

#[test]
fn each_topic_may_have_its_own_qos() {
    check_packets(
        "-t a -q 0 -t b -q 2 -t c",
        b"\x82\x0e\0\x01\0\x01a\0\0\x01b\x02\0\x01c\x02",
    );
}

#[test]
fn version_5_has_options_for_each_subscription() {
    for (line, options) in [
        ("--no-local", 0x04),
        ("--retain-as-published", 0x08),
        ("--retain-handling always", 0),
        ("--retain-handling new", 0x10),
        ("--retain-handling never", 0x20),
        ("-q 2 --no-local --retain-as-published -R", 0x2e),
    ] {
        let expected = [b"\x82\x07\0\x01\0\0\x01a", &[options][..]].concat();
        check_packets_5(&format!("-t a {line}"), &expected);
    }
}

#[test]
fn below_version_5_options_are_left_out_with_a_note() {
    let broker = FakeBroker::new();
    let program = start(
        &broker,
        "-t t --retain-as-published --retain-handling never -E",
    );
    subscribed(&broker).expect_disconnect();
    let ended = program.finish();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            0,
            "Note: --retain-as-published does nothing below MQTT 5: add -V 5.\n\
             Note: --retain-handling does nothing below MQTT 5: add -V 5.\n"
        )
    );
}

#[test]
fn the_run_can_end_when_all_requests_are_answered() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -E");
    subscribed(&broker).expect_disconnect();
    expect_output(&program.finish(), "");

    let program = start(&broker, "-t t -U x -U y -E -c -i e");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(b"\x82\x06\0\x01\0\x01t\0\xa2\x05\0\x02\0\x01x\xa2\x05\0\x03\0\x01y");
    connection.send(&[0xb0, 2, 0, 2, 0x90, 3, 0, 1, 0, 0xb0, 2, 0, 3]);
    connection.expect_disconnect();
    expect_output(&program.finish(), "");

    let program = start(&broker, "-U x -E -c -i e");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(b"\xa2\x05\0\x01\0\x01x");
    connection.send(&[0xb0, 2, 0, 1]);
    connection.expect_disconnect();
    expect_output(&program.finish(), "");
}

#[test]
fn a_refusal_to_unsubscribe_is_told() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -U x -E");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\xa2\x06\0\x01\0\0\x01x");
    connection.send(&[0xb0, 4, 0, 1, 0, 0x87]);
    connection.expect_disconnect();
    assert_eq!(
        program.finish().stderr,
        "Note: The broker did not unsubscribe: Not authorized.\n"
    );
}

#[test]
fn requests_can_have_properties_which_select_version_5() {
    let broker = FakeBroker::new();
    let _program = start(
        &broker,
        "-t a -U b -D subscribe subscription-identifier 7 -D subscribe user-property k v -D unsubscribe user-property x y",
    );
    broker.connected(ACCEPTED_5).expect(
        b"\x82\x10\0\x01\x09\x0b\x07\x26\0\x01k\0\x01v\0\x01a\0\xa2\x0d\0\x02\x07\x26\0\x01x\0\x01y\0\x01b",
    );
}

#[test]
fn connect_and_disconnect_can_have_properties() {
    let broker = FakeBroker::new();
    let program = start(
        &broker,
        "-t t -C 1 -D connect receive-maximum 5 -D connect user-property k v -D disconnect session-expiry-interval 0",
    );
    let mut connection = broker.accept();
    connection.expect(b"\x10\x17\0\x04MQTT\x05\x02\0\x3c\x0a\x21\0\x05\x26\0\x01k\0\x01v\0\0");
    connection.send(ACCEPTED_5);
    connection.packet();
    connection.send(b"\x90\x04\0\x01\0\0\x30\x05\0\x01t\0x");
    connection.expect(b"\xe0\x07\0\x05\x11\0\0\0\0");
    connection.expect_end();
    expect_output(&program.finish(), "x\n");
}

#[test]
fn topic_aliases_of_the_broker_are_understood_where_they_are_allowed() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -v -C 2 -D connect topic-alias-maximum 9");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.packet();
    connection.send(&[0x90, 4, 0, 1, 0, 0]);
    connection.send(b"\x30\x0a\0\x03a/b\x03\x23\0\x01x");
    connection.send(b"\x30\x07\0\0\x03\x23\0\x01y");
    connection.expect_disconnect();
    expect_output(&program.finish(), "a/b x\na/b y\n");
}
