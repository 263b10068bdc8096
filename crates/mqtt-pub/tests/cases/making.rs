//! What a message is made of and where it goes: several topics, JSON, digits, topics in lines.

use crate::*;

/// Runs a line at QoS 0 with its input, and expects these messages and a good end.
#[track_caller]
fn check(arguments: &[&str], input: &[u8], expected: &[(&str, &[u8])]) {
    let ended = publish_all(arguments, input, expected);
    expect_success(&ended);
}

#[track_caller]
fn publish_all(arguments: &[&str], input: &[u8], expected: &[(&str, &[u8])]) -> Ended {
    let broker = FakeBroker::new();
    let port = broker.port().to_string();
    let target = ["-h", "127.0.0.1", "-p", &port];
    let mut program = start_with(target.iter().chain(arguments).copied());
    program.write(input);
    program.end_input();
    let mut connection = broker.connected(ACCEPTED);
    for (topic, payload) in expected {
        connection.expect(&publish(0x30, topic, None, payload));
    }
    connection.expect_disconnect();
    program.finish()
}

#[test]
fn a_message_goes_to_every_topic() {
    check(
        &["-t", "a", "-t", "b/μ", "-m", "x"],
        b"",
        &[("a", b"x"), ("b/μ", b"x")],
    );
    check(
        &["-t", "a", "-t", "b", "-l"],
        b"1\n2\n",
        &[("a", b"1"), ("b", b"1"), ("a", b"2"), ("b", b"2")],
    );
    check(
        &["-t", "a", "-t", "b", "-n", "--repeat", "2"],
        b"",
        &[("a", b""), ("b", b""), ("a", b""), ("b", b"")],
    );
}

#[test]
fn each_topic_may_have_its_qos() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t a -q 0 -t b -q 1 -m x");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x30, "a", None, b"x"));
    connection.expect(&publish(0x32, "b", Some(1), b"x"));
    connection.send(&[0x40, 2, 0, 1]);
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn json_is_made_of_pairs_and_options_may_follow_them() {
    check(
        &["--json", "temp=21.5", "on=true", "room=A1", "-t", "t"],
        b"",
        &[("t", br#"{"temp":21.5,"on":true,"room":"A1"}"#)],
    );
    check(
        &["-t", "t", "--json", "id='007'", "δ=Γειά \"σου\""],
        b"",
        &[(
            "t",
            "{\"id\":\"007\",\"δ\":\"Γειά \\\"σου\\\"\"}".as_bytes(),
        )],
    );
}

#[test]
fn digits_stand_for_bytes_where_they_can_be_meant() {
    check(&["-t", "t", "-m", "hex:00ff"], b"", &[("t", &[0, 255])]);
    check(&["-t", "t", "-m", "base64:AP8="], b"", &[("t", &[0, 255])]);
    check(&["-t", "t", "-m", "hex:00f"], b"", &[("t", b"hex:00f")]);
    check(
        &["-t", "t", "-m", "hex:00ff", "--format", "text"],
        b"",
        &[("t", b"hex:00ff")],
    );
    check(
        &["-t", "t", "-s", "--format", "base64"],
        b"AP8=\n",
        &[("t", &[0, 255])],
    );
    check(
        &["-t", "t", "-l", "--format", "hex"],
        b"00 ff\r\n41\n",
        &[("t", &[0, 255]), ("t", b"A")],
    );
}

#[test]
fn lines_may_bring_their_topics() {
    check(&["-l", "--topic-separator", ":", "-r"], b"", &[]);
    check(
        &["-l", "--topic-separator", " => "],
        b"a/b => 1 => 2\nc => \n",
        &[("a/b", b"1 => 2"), ("c", b"")],
    );
}

#[test]
fn a_line_that_cannot_be_meant_is_named_and_the_others_are_sent() {
    let ended = publish_all(
        &["-l", "--topic-separator", ":"],
        b"a:1\nnothing\na/#:2\nb:3\n",
        &[("a", b"1"), ("b", b"3")],
    );
    assert_eq!(ended.code, 1);
    assert_eq!(
        ended.stderr,
        "Error: Line 2 was not sent: there is no ':' in it.\n\
         Error: Line 3 was not sent: 'a/#' is no topic to publish to: \
         a topic to publish to may not contain '+' or '#' [MQTT-4.7.0-1].\n"
    );
}

#[test]
fn a_line_too_large_for_the_broker_is_named_and_the_others_are_sent() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-V 5 -t t -l");
    program.write("small\nlarger than all that this broker takes\nlast\n");
    program.end_input();
    // Maximum packet size: 20 bytes.
    let mut connection = broker.connected(&[0x20, 8, 0, 0, 5, 0x27, 0, 0, 0, 20]);
    connection.expect(b"\x30\x09\0\x01t\0small");
    connection.expect(b"\x30\x08\0\x01t\0last");
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 9);
    assert_eq!(
        ended.stderr,
        "Error: Line 2 cannot be published: the message takes 44 bytes, and the broker takes 20 at most.\n"
    );
}

#[test]
fn mistakes_in_what_a_message_is_made_of_say_what_to_type() {
    for (line, expected) in [
        ("-t t --json temp", "--json: 'temp' is no NAME=VALUE"),
        ("-t t --json a=1 a=2", "--json: 'a' is there twice"),
        (
            "-t t -m 0 --format hex",
            "The message of -m: these are not pairs",
        ),
        ("-t t -m 0 --format octal", "There is no format 'octal'"),
        (
            "-t t -m x --topic-separator :",
            "--topic-separator goes with -l",
        ),
        (
            "-l -t t --topic-separator :",
            "each line names the topics itself",
        ),
        ("-t t -m x --speed 2", "--speed goes with --replay FILE"),
        ("--replay x --speed 0", "--speed needs a number above 0"),
        (
            "--replay x -t t",
            "The file of --replay names the topics itself",
        ),
        ("--replay /no/such", "Unable to read the file '/no/such'"),
        (
            "-t t -m x --reconnect-delay soon",
            "--reconnect-delay needs a time",
        ),
        ("-t t -m x -M none", "-M needs a number of at least 1"),
    ] {
        let ended = start_with(line.split_whitespace()).finish();
        assert_eq!(ended.code, 1, "{line}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
    }
}
