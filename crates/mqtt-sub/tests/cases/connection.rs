//! Connections: refused, lost, regained, timed out, pinged, and left.

use crate::*;

#[test]
fn a_lost_connection_is_regained_and_subscribed_again() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -C 2");
    let mut connection = subscribed(&broker);
    connection.send(&publish(0x30, "t", None, b"a"));
    program.expect_stdout("a\n");
    connection.close();
    program.expect_stderr(
        "Error: The connection was lost: the broker closed it.\nNote: Trying to connect again every second.\n",
    );
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(b"\x82\x06\0\x02\0\x01t\0");
    connection.send(&[0x90, 3, 0, 2, 0]);
    connection.send(&publish(0x30, "t", None, b"b"));
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "a\nb\n"));
    assert!(
        ended.stderr.ends_with("Note: Connected again.\n"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn a_session_that_was_kept_needs_no_second_subscription() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -C 1 -q 2 -c -i kept");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(b"\x82\x06\0\x01\0\x01t\x02");
    connection.send(&[0x90, 3, 0, 1, 2]);
    connection.send(&publish(0x34, "t", Some(5), b"x"));
    connection.expect(&[0x50, 2, 0, 5]);
    connection.close();
    // The message at QoS 2 came over the first connection, and is released over the second.
    let mut connection = broker.connected(&[0x20, 2, 1, 0]);
    connection.send(&[0x62, 2, 0, 5]);
    connection.expect(&[0x70, 2, 0, 5]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "x\n"));
}

#[test]
fn a_refused_connection_ends_with_its_code() {
    for (version, connack, code, words) in [
        (
            "311",
            &[0x20, 2, 0, 5][..],
            5,
            "Connection error: Connection Refused: not authorised\n",
        ),
        (
            "31",
            &[0x20, 2, 0, 4],
            4,
            "Connection error: Connection Refused: bad user name or password\n",
        ),
        (
            "5",
            &[0x20, 3, 0, 0x86, 0],
            134,
            "Connection error: Bad User Name or Password\n",
        ),
    ] {
        let broker = FakeBroker::new();
        let program = start(&broker, &format!("-t t -V {version} -u me -P wrong"));
        broker.connected(connack).expect_end();
        let ended = program.finish();
        assert_eq!(ended.code, code);
        assert!(ended.stderr.starts_with(words), "got {}", ended.stderr);
    }
}

#[test]
fn a_broker_that_closes_without_an_answer_is_not_tried_for_ever() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t");
    let mut connection = broker.accept();
    connection.packet();
    connection.close();
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert!(
        ended
            .stderr
            .contains("closed it without an answer to CONNECT"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn being_pushed_out_three_times_is_enough() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -V 5 -i twin");
    for _ in 0..3 {
        let mut connection = broker.connected(ACCEPTED_5);
        connection.packet();
        connection.send(&[0xe0, 1, 0x8e]);
    }
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    let words = "Another client has connected with the identifier 'twin'";
    assert_eq!(
        ended.stderr.matches(words).count(),
        3,
        "got {}",
        ended.stderr
    );
}

#[test]
fn the_time_limit_ends_with_27() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -W 0.2");
    let connection = subscribed(&broker);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (27, "Timed out\n"));
}

#[test]
fn the_time_limit_before_connack_ends_with_255_and_takes_the_will_back() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -W 200ms --will-topic gone");
    let mut connection = broker.accept();
    connection.packet();
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (255, "Timed out\n"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_before_connack_takes_the_will_back() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -d --will-topic gone");
    let mut connection = broker.accept();
    connection.packet();
    program.expect_stdout("sending CONNECT\n");
    program.interrupt();
    connection.expect_disconnect();
    assert_eq!(program.finish().code, 255);
}

#[cfg(unix)]
#[test]
fn notes_come_behind_the_lines_that_they_are_about() {
    let broker = FakeBroker::new();
    let mut shell = std::process::Command::new("sh");
    let line = format!(
        "exec '{}' -h 127.0.0.1 -p {} -t t -d -i s 2>&1",
        env!("CARGO_BIN_EXE_mqtt-sub"),
        broker.port()
    );
    let program = Program::of({
        shell.args(["-c", &line]);
        shell
    });
    subscribed(&broker).close();
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(b"\x82\x06\0\x02\0\x01t\0");
    program.expect_stdout(
        "Client s sending CONNECT\nClient s received CONNACK (0)\n\
         Client s sending SUBSCRIBE (Mid: 2, Topic: t, QoS: 0, Options: 0x00)\nNote: Connected again.\n",
    );
}

#[test]
fn a_silent_connection_is_pinged() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -i kk -d -V 5");
    let mut connection = broker.connected(b"\x20\x06\0\0\x03\x13\0\x01");
    connection.packet();
    connection.send(&[0x90, 4, 0, 1, 0, 0]);
    connection.expect(&[0xc0, 0]);
    connection.send(&[0xd0, 0]);
    program.expect_stdout("Client kk sending PINGREQ\nClient kk received PINGRESP\n");
}

#[test]
fn a_broker_that_answers_no_ping_is_given_up() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -V 5");
    let mut connection = broker.connected(b"\x20\x06\0\0\x03\x13\0\x01");
    connection.packet();
    connection.expect(&[0xc0, 0]);
    program.expect_stderr("the broker did not answer PINGREQ in time");
    // And a new connection is tried.
    broker.connected(ACCEPTED_5).packet();
}

#[test]
fn rubbish_in_the_middle_ends_the_run() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t");
    let mut connection = subscribed(&broker);
    connection.send(&[0x36, 2, 0, 0]);
    connection.expect_end();
    let ended = program.finish();
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.starts_with("Error: Protocol error: "),
        "got {}",
        ended.stderr
    );
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_in_good_order() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -d -i s --will-topic w");
    let connection = subscribed(&broker);
    program.expect_stdout("Subscribed (mid: 1): 0\n");
    program.interrupt();
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(
        ended.stdout.ends_with("Client s sending DISCONNECT\n"),
        "got {}",
        ended.stdout
    );
}

#[cfg(unix)]
#[test]
fn an_interrupt_while_the_broker_is_away_ends_the_run() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t");
    let connection = subscribed(&broker);
    drop(broker);
    connection.close();
    program.expect_stderr("Trying to connect again");
    program.interrupt();
    assert_eq!(program.finish().code, 0);
}

#[test]
fn reconnecting_can_be_forbidden_slowed_down_and_limited() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t --no-reconnect");
    subscribed(&broker).close();
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert_eq!(
        ended.stderr,
        "Error: The connection was lost: the broker closed it.\n"
    );

    let line = "-t t --reconnect-delay 20ms --reconnect-timeout 300ms";
    let program = start(&broker, line);
    subscribed(&broker).close();
    program.expect_stderr("Note: Trying to connect again every 20ms.\n");
    drop(broker);
    assert_eq!(program.finish().code, 7);
}
