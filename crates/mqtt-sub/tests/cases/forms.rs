//! Forms: `-F`, `--format`, `--pretty`, `--time`.

use crate::*;

/// What a line shows of one message with payload `Hi` on `t`.
#[track_caller]
fn shown(line: &[&str]) -> Ended {
    let broker = FakeBroker::new();
    let port = broker.port().to_string();
    let common = ["-h", "127.0.0.1", "-p", &port, "-t", "t", "-C", "1"];
    let program = start_with(common.iter().chain(line).copied());
    let mut connection = subscribed(&broker);
    connection.send(&publish(0x31, "t", None, b"Hi"));
    connection.expect_disconnect();
    program.finish()
}

#[track_caller]
fn check(line: &[&str], expected: &str) {
    expect_output(&shown(line), expected);
}

#[test]
fn a_format_says_what_stands_where() {
    check(&["-F", "%t: %p (%l) q%q r%r m%m"], "t: Hi (2) q0 r1 m0\n");
    check(&["-N", "-F", "%.2:x|%5t\\n\\t%%@@"], "48:69|    t\n\t%@");
    check(&["-v", "-F", "%x"], "4869\n");
}

#[test]
fn a_format_can_show_the_time() {
    let year = shown(&["-F", "@Y"]).stdout;
    assert!(
        year.trim().parse::<u32>().is_ok_and(|year| year >= 2026),
        "got {year}"
    );
    let iso = shown(&["-F", "%I"]).stdout;
    assert_eq!(iso.trim().len(), "2026-11-22T16:33:21+0000".len(), "{iso}");
    let unix = shown(&["-F", "%U"]).stdout;
    let (seconds, nanos) = unix.trim().split_once('.').unwrap();
    assert!(seconds.parse::<u64>().is_ok() && nanos.len() == 9, "{unix}");
}

#[test]
fn json_comes_in_one_line_or_in_several() {
    let compact = shown(&["-F", "%j"]).stdout;
    assert!(
        compact.starts_with("{\"tst\":\"")
            && compact.ends_with(
                "\",\"topic\":\"t\",\"qos\":0,\"retain\":true,\"payloadlen\":2,\"payload\":\"Hi\"}\n"
            ),
        "got {compact}"
    );
    let named = shown(&["--format", "json"]).stdout;
    assert!(named.ends_with("\"payload\":\"Hi\"}\n"), "got {named}");
    let pretty = shown(&["-F", "%j", "--pretty"]).stdout;
    assert!(
        pretty.starts_with("{\n\t\"tst\":\t\"")
            && pretty.ends_with("\n\t\"payload\":\t\"Hi\"\n}\n"),
        "got {pretty}"
    );
}

#[test]
fn a_payload_that_should_be_json_and_is_none_is_reported() {
    let ended = shown(&["-F", "%J"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "\n"));
    assert!(
        ended
            .stderr
            .starts_with("Error: Message payload is not valid JSON on topic t: "),
        "got {}",
        ended.stderr
    );
}

#[test]
fn payloads_can_be_digits() {
    check(&["--format", "hex"], "4869\n");
    check(&["--format", "base64", "-v"], "t SGk=\n");
    check(&["--format", "text"], "Hi\n");
    // The last of the two counts.
    check(&["-F", "%t", "--format", "hex"], "4869\n");
    check(&["--format", "hex", "-F", "%t"], "t\n");
}

#[test]
fn the_time_can_stand_in_front() {
    let line = shown(&["--time", "-v"]).stdout;
    let (time, rest) = line.split_once(' ').unwrap();
    assert_eq!(rest, "t Hi\n");
    assert_eq!(
        time.len(),
        "2026-11-22T16:33:21.879795+0000".len(),
        "{line}"
    );
}

#[test]
fn properties_have_their_letters() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -C 1 -V 5 -F %C|%E|%F|%P|%R|%S|%D");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.packet();
    connection.send(&[0x90, 4, 0, 1, 0, 0]);
    let properties =
        b"\x03\0\x04text\x02\0\0\0\x09\x01\x01\x26\0\x01k\0\x01v\x08\0\x01r\x0b\x07\x09\0\x02cd";
    let head = [
        0x30,
        4 + properties.len() as u8,
        0,
        1,
        b't',
        properties.len() as u8,
    ];
    connection.send(&[&head[..], properties].concat());
    connection.expect_disconnect();
    expect_output(&program.finish(), "text|9|1|k:v|r|7|cd\n");
}
