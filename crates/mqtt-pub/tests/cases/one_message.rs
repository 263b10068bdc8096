//! One message: every flag, every QoS, every version, and what goes wrong.

use crate::*;

/// Runs a line whose CONNECT is not of interest, up to the end at QoS 0.
#[track_caller]
fn check_publish(line: &str, input: &str, expected: &[u8]) {
    let broker = FakeBroker::new();
    let mut program = start(&broker, line);
    program.write(input);
    program.end_input();
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(expected);
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[track_caller]
fn check_connect(line: &str, expected: &[u8]) {
    let broker = FakeBroker::new();
    let program = start(&broker, &format!("{line} -t t -n"));
    let mut connection = broker.accept();
    connection.expect(expected);
    drop(connection);
    assert_ne!(program.finish().code, 0, "the broker vanished");
}

#[test]
fn the_hand_outs_third_step_prints_its_four_lines() {
    let broker = FakeBroker::new();
    let port = broker.port().to_string();
    let program = start_with([
        "-h",
        "127.0.0.1",
        "-p",
        &port,
        "-t",
        "topic/pub",
        "-m",
        "message from AMXXXX",
        "-r",
        "-i",
        "client",
        "-d",
    ]);
    let mut connection = broker.accept();
    connection.expect(b"\x10\x12\0\x04MQTT\x04\x02\0\x3c\0\x06client");
    connection.send(ACCEPTED);
    connection.expect(&publish(0x31, "topic/pub", None, b"message from AMXXXX"));
    connection.expect_disconnect();
    let ended = program.finish();
    expect_success(&ended);
    assert_eq!(
        ended.stdout,
        "Client client sending CONNECT\n\
         Client client received CONNACK (0)\n\
         Client client sending PUBLISH (d0, q0, r1, m1, 'topic/pub', ... (19 bytes))\n\
         Client client sending DISCONNECT\n"
    );
}

#[test]
fn messages_come_from_arguments_files_and_input() {
    check_publish("-t t -m -5", "", &publish(0x30, "t", None, b"-5"));
    check_publish(
        "--topic τ/ό --message Γειά",
        "",
        &publish(0x30, "τ/ό", None, "Γειά".as_bytes()),
    );
    check_publish("-t t -n -r", "", &publish(0x31, "t", None, b""));
    check_publish(
        "-t t --null-message --retain",
        "",
        &publish(0x31, "t", None, b""),
    );
    check_publish(
        "-t t -s",
        "a\nb\r\n",
        &publish(0x30, "t", None, b"a\nb\r\n"),
    );
    check_publish("-t t --stdin-file", "x", &publish(0x30, "t", None, b"x"));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"\0\xff\n").unwrap();
    check_publish(
        &format!("-t t -f {}", file.path().display()),
        "",
        &publish(0x30, "t", None, b"\0\xff\n"),
    );
    std::fs::write(file.path(), b"").unwrap();
    check_publish(
        &format!("-t t --file {}", file.path().display()),
        "",
        &publish(0x30, "t", None, b""),
    );
}

#[test]
fn connect_says_what_the_flags_say() {
    check_connect("", b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0");
    check_connect("-i me -c", b"\x10\x0e\0\x04MQTT\x04\0\0\x3c\0\x02me");
    check_connect(
        "--id me --disable-clean-session --keepalive 90s",
        b"\x10\x0e\0\x04MQTT\x04\0\0\x5a\0\x02me",
    );
    check_connect(
        "-k 5 -u αβ -P secret",
        b"\x10\x1a\0\x04MQTT\x04\xc2\0\x05\0\0\0\x04\xce\xb1\xce\xb2\0\x06secret",
    );
    check_connect(
        "--username u",
        b"\x10\x0f\0\x04MQTT\x04\x82\0\x3c\0\0\0\x01u",
    );
    check_connect("-i me -V 31", b"\x10\x10\0\x06MQIsdp\x03\x02\0\x3c\0\x02me");
    check_connect("-V mqttv311", b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0");
    check_connect(
        "-V 5",
        b"\x10\x10\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\x14\0\0",
    );
    check_connect(
        "-x 16",
        b"\x10\x15\0\x04MQTT\x05\x02\0\x3c\x08\x11\0\0\0\x10\x21\0\x14\0\0",
    );
    check_connect(
        "-i me -c -V 5",
        b"\x10\x17\0\x04MQTT\x05\0\0\x3c\x08\x11\xff\xff\xff\xff\x21\0\x14\0\x02me",
    );
    check_connect(
        "--will-topic w --will-payload bye --will-qos 1 --will-retain",
        b"\x10\x14\0\x04MQTT\x04\x2e\0\x3c\0\0\0\x01w\0\x03bye",
    );
    check_connect(
        "--will-topic w",
        b"\x10\x11\0\x04MQTT\x04\x06\0\x3c\0\0\0\x01w\0\0",
    );
}

#[test]
fn a_prefix_is_followed_by_the_process_number() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-I pre- -t t -n");
    let connect = broker.accept().packet();
    let id = String::from_utf8(connect[14..].to_vec()).unwrap();
    assert!(
        id.starts_with("pre-") && id[4..].parse::<u32>().is_ok(),
        "got {id}"
    );
    drop(program);
}

#[test]
fn version_3_1_makes_up_a_name() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V mqttv31 -t t -n");
    let connect = broker.accept().packet();
    let id = String::from_utf8(connect[16..].to_vec()).unwrap();
    assert!(id.starts_with("mqtt-") && id.len() == 23, "got {id}");
    drop(program);
}

#[test]
fn qos_1_waits_for_its_puback() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x -q 1 -i c1 -d");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x32, "t", Some(1), b"x"));
    connection.send(&[0x40, 2, 0, 1]);
    connection.expect_disconnect();
    let ended = program.finish();
    expect_success(&ended);
    assert!(
        ended.stdout.ends_with(
            "Client c1 sending PUBLISH (d0, q1, r0, m1, 't', ... (1 bytes))\n\
         Client c1 received PUBACK (Mid: 1, RC:0)\nClient c1 sending DISCONNECT\n"
        ),
        "got {}",
        ended.stdout
    );
}

#[test]
fn qos_2_takes_all_its_steps() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x --qos 2 -i c2 --debug");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x34, "t", Some(1), b"x"));
    connection.send(&[0x50, 2, 0, 1]);
    connection.expect(&[0x62, 2, 0, 1]);
    connection.send(&[0x70, 2, 0, 1]);
    connection.expect_disconnect();
    let ended = program.finish();
    expect_success(&ended);
    assert!(
        ended.stdout.ends_with(
            "Client c2 received PUBREC (Mid: 1)\nClient c2 sending PUBREL (m1)\n\
         Client c2 received PUBCOMP (Mid: 1, RC:0)\nClient c2 sending DISCONNECT\n"
        ),
        "got {}",
        ended.stdout
    );
}

#[test]
fn a_client_without_a_name_takes_the_assigned_one() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -t t -m x -d");
    let mut connection = broker.connected(b"\x20\x0a\0\0\x07\x12\0\x04auto");
    connection.expect(b"\x30\x05\0\x01t\0x");
    connection.expect_disconnect();
    let ended = program.finish();
    expect_success(&ended);
    assert_eq!(
        ended.stdout,
        "Client null sending CONNECT\nClient auto received CONNACK (0)\n\
         Client auto sending PUBLISH (d0, q0, r0, m1, 't', ... (1 bytes))\nClient auto sending DISCONNECT\n"
    );
}

#[test]
fn repeating_waits_for_each_to_be_delivered() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x -q 1 --repeat 3 --repeat-delay 0.05");
    let mut connection = broker.connected(ACCEPTED);
    for id in 1..=3 {
        connection.expect(&publish(0x32, "t", Some(id), b"x"));
        connection.send(&[0x40, 2, 0, id as u8]);
    }
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn repeating_at_qos_0_counts_the_lines() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -n --repeat 2 -i r -d");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&[publish(0x30, "t", None, b""), publish(0x30, "t", None, b"")].concat());
    connection.expect_disconnect();
    let ended = program.finish();
    assert!(
        ended.stdout.contains("m1, 't'") && ended.stdout.contains("m2, 't'"),
        "got {}",
        ended.stdout
    );
}

#[test]
fn a_refused_connection_ends_with_its_code_and_a_hint() {
    for (code, words) in [
        (1, "unacceptable protocol version"),
        (2, "identifier rejected"),
        (3, "broker unavailable"),
        (4, "bad user name or password"),
        (5, "not authorised"),
    ] {
        let broker = FakeBroker::new();
        let program = start(&broker, "-t t -n");
        let mut connection = broker.connected(&[0x20, 2, 0, code]);
        connection.expect_end();
        let ended = program.finish();
        assert_eq!(ended.code, i32::from(code));
        let expected = format!("Connection error: Connection Refused: {words}\n  ");
        assert!(ended.stderr.starts_with(&expected), "got {}", ended.stderr);
    }
}

#[test]
fn version_5_refusals_have_their_own_codes() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -t t -n");
    let mut connection = broker.connected(b"\x20\x09\0\x87\x06\x1f\0\x03why");
    connection.expect_end();
    let ended = program.finish();
    assert_eq!(ended.code, 135);
    assert!(
        ended
            .stderr
            .starts_with("Connection error: Not authorized (why)\n"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn a_broker_without_version_5_is_recognised() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -t t -n");
    broker.connected(&[0x20, 2, 0, 1]).expect_end();
    let ended = program.finish();
    assert_eq!(ended.code, 132);
    assert!(
        ended.stderr.contains("Unsupported Protocol Version") && ended.stderr.contains("-V 311"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn a_refused_message_is_a_failure_with_the_brokers_reason() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -t t -m x -q 1");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x32\x07\0\x01t\0\x01\0x");
    connection.send(&[0x40, 3, 0, 1, 0x87]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (135, "Warning: Publish 1 failed: Not authorized.\n")
    );
}

#[test]
fn what_the_broker_does_not_take_is_said_before_it_is_sent() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -t t -m x -q 2");
    let connection = broker.connected(&[0x20, 5, 0, 0, 2, 0x24, 1]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("the broker offers at most QoS 1"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn a_lost_connection_is_reported_with_the_message() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x -q 1");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x32, "t", Some(1), b"x"));
    connection.close();
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert_eq!(
        ended.stderr,
        "Error: The connection was lost: the broker closed it.\nError: The message was not confirmed by the broker.\n"
    );
}

#[test]
fn a_broker_that_says_good_bye_is_quoted() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -t t -m x -q 1");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x32\x07\0\x01t\0\x01\0x");
    connection.send(&[0xe0, 1, 0x8b]);
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert!(
        ended
            .stderr
            .contains("The broker ended the connection: Server shutting down."),
        "got {}",
        ended.stderr
    );
}

#[test]
fn what_is_no_broker_is_recognised() {
    for (version, answer) in [
        ("311", &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]),
        ("5", b"220 mail ready\r\n"),
    ] {
        let broker = FakeBroker::new();
        let program = start(&broker, &format!("-V {version} -t t -n"));
        let _connection = broker.connected(answer);
        let ended = program.finish();
        assert_eq!(ended.code, 2, "got {}", ended.stderr);
        assert!(
            ended.stderr.contains("the answer is not MQTT"),
            "got {}",
            ended.stderr
        );
    }
}

#[test]
fn a_violation_ends_the_run_and_version_5_is_told() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 5 -t t -m x -q 1");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x32\x07\0\x01t\0\x01\0x");
    connection.send(ACCEPTED_5);
    connection.expect(&[0xe0, 1, 0x82]);
    connection.expect_end();
    let ended = program.finish();
    assert_eq!(ended.code, 2);
    assert!(
        ended
            .stderr
            .contains("Error: Protocol error: a second CONNACK came"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn an_unknown_acknowledgement_is_told_and_changes_nothing() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x -q 1 -i u -d");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x32, "t", Some(1), b"x"));
    connection.send(&[0x40, 2, 0, 9, 0x40, 2, 0, 1]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            0,
            "Warning: The broker confirms packet 9, which is not on its way.\n"
        )
    );
    let warning = "Warning: Received PUBACK from u for an unknown packet identifier 9.\n";
    assert!(ended.stdout.contains(warning), "got {}", ended.stdout);
}

#[test]
fn a_will_is_never_published_by_leaving() {
    // DISCONNECT must be the last packet, and the connection must end in order and not by a reset:
    // `expect_disconnect` reads to the end without an error.
    for qos in 0..=2 {
        let broker = FakeBroker::new();
        let program = start(&broker, &format!("-t t -m x -q {qos} --will-topic w"));
        let mut connection = broker.connected(ACCEPTED);
        connection.packet();
        match qos {
            1 => connection.send(&[0x40, 2, 0, 1]),
            2 => {
                connection.send(&[0x50, 2, 0, 1]);
                connection.expect(&[0x62, 2, 0, 1]);
                connection.send(&[0x70, 2, 0, 1]);
            }
            _ => {}
        }
        connection.expect_disconnect();
        expect_success(&program.finish());
    }
}

#[test]
fn a_closed_stdout_does_not_keep_a_message_from_arriving() {
    let broker = FakeBroker::new();
    let port = broker.port().to_string();
    let line = ["-h", "127.0.0.1", "-p", &port, "-t", "t", "-m", "x", "-d"];
    let program = Program::start_with_closed_stdout(env!("CARGO_BIN_EXE_mqtt-pub"), line);
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x30, "t", None, b"x"));
    connection.expect_disconnect();
    assert_eq!(program.finish().code, 0);
}

#[cfg(unix)]
#[test]
fn an_interrupt_before_connack_ends_with_255_and_after_it_in_good_order() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -m x -q 1 -d");
    let mut connection = broker.accept();
    connection.packet();
    program.interrupt();
    assert_eq!(program.finish().code, 255);

    let program = start(&broker, "-t t -m x --repeat 2 --repeat-delay 1h");
    let mut connection = broker.connected(ACCEPTED);
    connection.packet();
    program.interrupt();
    connection.expect_disconnect();
    assert_eq!(program.finish().code, 0);
}
