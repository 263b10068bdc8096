//! Messages: how they are shown, acknowledged, filtered and counted.

use crate::*;

/// Runs a line against messages, the last of which ends it.
#[track_caller]
fn check(line: &str, messages: &[Vec<u8>], expected: &str) {
    let broker = FakeBroker::new();
    let program = start(&broker, &format!("-t t {line}"));
    let mut connection = subscribed(&broker);
    connection.send(&messages.concat());
    connection.expect_disconnect();
    expect_output(&program.finish(), expected);
}

fn plain(payload: &str) -> Vec<u8> {
    publish(0x30, "t", None, payload.as_bytes())
}

#[test]
fn messages_are_lines() {
    check(
        "-C 3",
        &[plain("a"), plain("Γειά"), plain("c d")],
        "a\nΓειά\nc d\n",
    );
}

#[test]
fn an_empty_message_shows_nothing_but_counts() {
    check("-C 2", &[plain(""), plain("b")], "b\n");
}

#[test]
fn verbose_shows_topics() {
    let greek = publish(0x30, "αίθουσα/1", None, b"21.5");
    check(
        "-v -C 3",
        &[plain("a"), plain(""), greek.clone()],
        "t a\nt (null)\nαίθουσα/1 21.5\n",
    );
    check("--verbose -C 1", &[greek], "αίθουσα/1 21.5\n");
}

#[test]
fn new_lines_can_be_left_out() {
    check("-N -C 3", &[plain("a"), plain(""), plain("b")], "ab");
    check("-N -v -C 2", &[plain("a"), plain("")], "t a");
}

#[test]
fn retained_messages_can_be_left_out_and_do_not_count() {
    check(
        "-R -C 1",
        &[publish(0x31, "t", None, b"old"), plain("new")],
        "new\n",
    );
    check("-C 1", &[publish(0x31, "t", None, b"old")], "old\n");
}

#[test]
fn topics_can_be_filtered_out_and_do_not_count() {
    let messages = [
        publish(0x30, "a/b", None, b"1"),
        publish(0x30, "c", None, b"2"),
        publish(0x30, "a", None, b"3"),
    ];
    check("-T a/+ -C 2", &messages, "2\n3\n");
    check("-T a/# --filter-out x -C 1", &messages, "2\n");
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -C 1");
    let mut connection = subscribed(&broker);
    connection.send(&publish(0x30, "t", None, b"\0\xff\n"));
    connection.expect_disconnect();
    // The kit reads text, and shows what is none in its place.
    expect_output(&program.finish(), "\0\u{fffd}\n\n");
}

#[test]
fn a_message_is_shown_at_once_although_stdout_is_a_pipe() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t");
    let mut connection = subscribed(&broker);
    for word in ["one", "two"] {
        connection.send(&plain(word));
        program.expect_stdout(&format!("{word}\n"));
    }
}

#[test]
fn qos_1_is_acknowledged_after_it_is_shown() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -i s1 -d");
    let mut connection = subscribed(&broker);
    connection.send(&publish(0x32, "t", Some(7), b"x"));
    connection.expect(&[0x40, 2, 0, 7]);
    program.expect_stdout(
        "Client s1 received PUBLISH (d0, q1, r0, m7, 't', ... (1 bytes))\nClient s1 sending PUBACK (m7, rc0)\nx\n",
    );
}

#[test]
fn qos_2_is_shown_once_and_after_its_pubcomp() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -i s1 -d -C 1");
    let mut connection = subscribed(&broker);
    connection.send(&publish(0x34, "t", Some(7), b"x"));
    connection.expect(&[0x50, 2, 0, 7]);
    connection.send(&publish(0x3c, "t", Some(7), b"x"));
    connection.expect(&[0x50, 2, 0, 7]);
    connection.send(&[0x62, 2, 0, 7]);
    connection.expect(&[0x70, 2, 0, 7]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert!(
        ended.stdout.ends_with(
            "Client s1 received PUBREL (Mid: 7)\nClient s1 sending PUBCOMP (m7)\nx\nClient s1 sending DISCONNECT\n"
        ),
        "got {}",
        ended.stdout
    );
    assert_eq!(ended.stdout.matches("\nx\n").count(), 1);
}

#[test]
fn what_comes_after_the_last_counted_message_is_not_acknowledged() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -C 1");
    let mut connection = subscribed(&broker);
    connection.send(
        &[
            publish(0x32, "t", Some(1), b"a"),
            publish(0x32, "t", Some(2), b"b"),
        ]
        .concat(),
    );
    connection.expect(&[0x40, 2, 0, 1]);
    connection.expect_disconnect();
    expect_output(&program.finish(), "a\n");
}

#[test]
fn a_packet_may_come_in_pieces() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -C 1");
    let mut connection = subscribed(&broker);
    for byte in plain("piecewise") {
        connection.send(&[byte]);
    }
    connection.expect_disconnect();
    expect_output(&program.finish(), "piecewise\n");
}

#[test]
fn a_closed_pipe_ends_the_run_in_good_order() {
    let broker = FakeBroker::new();
    let port = broker.port().to_string();
    let line = ["-h", "127.0.0.1", "-p", &port, "-t", "t"];
    let program = Program::start_with_closed_stdout(env!("CARGO_BIN_EXE_mqtt-sub"), line);
    let mut connection = subscribed(&broker);
    connection.send(&plain("x"));
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn chance_can_leave_messages_out_and_never_does_at_100_percent() {
    let messages: Vec<_> = (0..200).map(|_| plain("x")).collect();
    check("--random-filter 100 -C 200", &messages, &"x\n".repeat(200));
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t --random-filter 0.1 -C 200");
    let mut connection = subscribed(&broker);
    connection.send(&messages.concat());
    connection.expect_disconnect();
    let shown = program.finish().stdout.lines().count();
    // 200 of 200 at one in a thousand would be a wonder.
    assert!(shown < 200, "all were shown");
}
