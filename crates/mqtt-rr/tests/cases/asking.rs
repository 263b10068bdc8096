//! Requests and answers: packets, correlation, forms of output.

use crate::*;

#[test]
fn a_request_follows_the_subscription_and_the_answer_ends_the_run() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x -i rr -d");
    let mut connection = broker.accept();
    // Version 5, and one message at a time.
    connection.expect(b"\x10\x12\0\x04MQTT\x05\x02\0\x3c\x03\x21\0\x01\0\x02rr");
    connection.send(ACCEPTED_5);
    connection.expect(SUBSCRIBE);
    connection.send(SUBACK);
    connection.expect(REQUEST);
    connection.send(b"\x30\x06\0\x01a\0ok");
    connection.expect_disconnect();
    expect_output(
        &program.finish(),
        "Client rr sending CONNECT\nClient rr received CONNACK (0)\n\
         Client rr sending SUBSCRIBE (Mid: 1, Topic: a, QoS: 0, Options: 0x00)\nClient rr received SUBACK\n\
         Client rr sending PUBLISH (d0, q0, r0, m2, 'q', ... (1 bytes))\n\
         Client rr received PUBLISH (d0, q0, r0, m0, 'a', ... (2 bytes))\nok\n\
         Client rr sending DISCONNECT\n",
    );
}

#[test]
fn version_3_1_1_asks_without_properties() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 311 -t q -e a -m x -q 1");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(b"\x82\x06\0\x01\0\x01a\x01");
    connection.send(&[0x90, 3, 0, 1, 1]);
    connection.expect(b"\x32\x06\0\x01q\0\x02x");
    connection.send(&[0x40, 2, 0, 2]);
    connection.send(b"\x32\x07\0\x01a\0\x09ok");
    connection.expect(&[0x40, 2, 0, 9]);
    connection.expect_disconnect();
    expect_output(&program.finish(), "ok\n");
}

#[test]
fn qos_2_is_answered_at_qos_2() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x -q 2 -N");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x82\x07\0\x01\0\0\x01a\x02");
    connection.send(&[0x90, 4, 0, 1, 0, 2]);
    connection.expect(b"\x34\x0b\0\x01q\0\x02\x04\x08\0\x01ax");
    connection.send(&[0x50, 2, 0, 2]);
    connection.expect(&[0x62, 2, 0, 2]);
    connection.send(&[0x70, 2, 0, 2]);
    connection.send(b"\x34\x08\0\x01a\0\x09\0ok");
    connection.expect(&[0x50, 2, 0, 9]);
    connection.send(&[0x62, 2, 0, 9]);
    connection.expect(&[0x70, 2, 0, 9]);
    connection.expect_disconnect();
    expect_output(&program.finish(), "ok");
}

/// An answer, with the flags that show it in this form.
#[track_caller]
fn check_output(flags: &str, answer: &[u8], expected: &str) {
    let broker = FakeBroker::new();
    let program = start(&broker, &format!("-t q -e a -m x {flags}"));
    let mut connection = asked(&broker);
    connection.send(answer);
    connection.expect_disconnect();
    expect_output(&program.finish(), expected);
}

#[test]
fn answers_are_shown_in_every_form_of_mqtt_sub() {
    let answer = b"\x30\x08\0\x01a\0\x7b\x7d\x20\x20";
    check_output("-v", answer, "a {}  \n");
    check_output("-F %t|%l|%x", answer, "a|4|7b7d2020\n");
    check_output("-N", answer, "{}  ");
    check_output("-F %t -N", answer, "a");
}

#[test]
fn requests_come_from_files_input_pairs_and_digits() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let text = std::fs::read(file).unwrap();
    for (flags, input, payload) in [
        ("-n".to_owned(), "", &b""[..]),
        ("-s".to_owned(), "all\nof it\n", b"all\nof it\n"),
        (format!("-f {file}"), "", &text),
        ("--json a=1".to_owned(), "", br#"{"a":1}"#),
        ("-m hex:00ff".to_owned(), "", &[0, 255]),
        ("-m 00ff --format hex".to_owned(), "", &[0, 255]),
    ] {
        let broker = FakeBroker::new();
        let mut program = start(&broker, &format!("-t q -e a {flags}"));
        program.write(input);
        program.end_input();
        let mut connection = broker.connected(ACCEPTED_5);
        connection.expect(SUBSCRIBE);
        connection.send(SUBACK);
        let request = connection.packet();
        assert!(request.ends_with(payload), "{flags}: {request:?}");
        connection.send(b"\x30\x04\0\x01a\0");
        connection.expect_disconnect();
        assert_eq!(program.finish().code, 0, "{flags}");
    }
}

#[test]
fn subscriptions_say_what_to_do_about_retained_messages() {
    for (flags, byte) in [
        ("--retain-handling new", 0x10),
        ("--retain-handling never", 0x20),
        ("--retain-as-published", 0x08),
        ("-R", 0x20),
    ] {
        let broker = FakeBroker::new();
        let program = start(&broker, &format!("-t q -e a -m x {flags}"));
        let mut connection = broker.connected(ACCEPTED_5);
        connection.expect(&[0x82, 7, 0, 1, 0, 0, 1, b'a', byte]);
        connection.send(SUBACK);
        connection.expect(REQUEST);
        if flags == "-R" {
            connection.send(b"\x31\x07\0\x01a\0old");
        }
        connection.send(b"\x30\x07\0\x01a\0new");
        connection.expect_disconnect();
        expect_output(&program.finish(), "new\n");
    }
}

#[test]
fn an_answer_to_somebody_elses_request_is_none() {
    let broker = FakeBroker::new();
    let line = "-t q -e a -m x -D publish correlation-data me";
    let program = start(&broker, line);
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(SUBSCRIBE);
    connection.send(SUBACK);
    connection.expect(b"\x30\x0e\0\x01q\x09\x09\0\x02me\x08\0\x01ax");
    connection.send(b"\x30\x0a\0\x01a\x05\x09\0\x02it1");
    connection.send(b"\x30\x0a\0\x01a\x05\x09\0\x02me2");
    connection.expect_disconnect();
    expect_output(&program.finish(), "2\n");
}

#[test]
fn several_requests_are_on_their_way_at_once_and_find_their_answers() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x --repeat 3");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(SUBSCRIBE);
    connection.send(SUBACK);
    // All three come before any answer, each with correlation data of its own.
    let requests: Vec<Vec<u8>> = (0..3).map(|_| connection.packet()).collect();
    for (number, request) in requests.iter().enumerate().rev() {
        // The data of 16 bytes stand before the payload of one.
        let data = &request[request.len() - 17..request.len() - 1];
        let mut answer = vec![0x30, 24, 0, 1, b'a', 19, 0x09, 0, 16];
        answer.extend_from_slice(data);
        answer.push(b'1' + number as u8);
        connection.send(&answer);
        // Again: it has been answered, and does not count.
        connection.send(&answer);
    }
    connection.expect_disconnect();
    expect_output(&program.finish(), "3\n2\n1\n");
}

#[test]
fn the_number_of_open_requests_has_a_limit() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-V 311 -t q -e a -m x --repeat 3 -M 2 -i r -d");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(b"\x82\x06\0\x01\0\x01a\0");
    connection.send(&[0x90, 3, 0, 1, 0]);
    for _ in 0..2 {
        connection.expect(b"\x30\x04\0\x01qx");
    }
    connection.send(b"\x30\x04\0\x01a1");
    connection.expect(b"\x30\x04\0\x01qx");
    connection.send(b"\x30\x04\0\x01a2\x30\x04\0\x01a3");
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 0);
    let third = ended.stdout.find("m4, 'q'").expect("a third request");
    let first_answer = ended.stdout.find("\n1\n").expect("a first answer");
    assert!(first_answer < third, "got {}", ended.stdout);
}

#[test]
fn latency_is_the_time_between_request_and_answer() {
    let broker = FakeBroker::new();
    let program = start(
        &broker,
        "-t q -e a -m x --latency --repeat 2 --repeat-delay 50ms",
    );
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(SUBSCRIBE);
    connection.send(SUBACK);
    for _ in 0..2 {
        connection.packet();
        connection.send(b"\x30\x05\0\x01a\0y");
    }
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "got {}", ended.stdout);
    for line in [lines[1], lines[3]] {
        let time = line.strip_prefix("Latency: ").expect("a time");
        let digits = time.trim_end_matches(|c: char| c.is_alphabetic());
        assert!(digits.parse::<f64>().is_ok_and(|t| t > 0.0), "got {line}");
    }
}

#[test]
fn an_alias_of_the_broker_stands_for_the_response_topic() {
    let broker = FakeBroker::new();
    let line = "-t q -e a -m x --repeat 2 -v -D connect topic-alias-maximum 3";
    let program = start(&broker, line);
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(SUBSCRIBE);
    connection.send(SUBACK);
    connection.packet();
    connection.packet();
    connection.send(b"\x30\x08\0\x01a\x03\x23\0\x011");
    connection.send(b"\x30\x07\0\0\x03\x23\0\x012");
    connection.expect_disconnect();
    expect_output(&program.finish(), "a 1\na 2\n");
}
