//! `--replay`: what mqtt-sub has recorded, published again.

use std::io::Write;
use std::time::Instant;

use crate::*;

fn recording(lines: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    file.write_all(lines.as_bytes())
        .expect("it can be written to");
    file
}

#[test]
fn every_message_keeps_its_topic_bytes_qos_retain_flag_and_properties() {
    let file = recording(
        "{\"at\":0,\"topic\":\"a\",\"payload\":\"γ\"}\n\
         {\"at\":0,\"topic\":\"b\",\"qos\":1,\"retain\":true,\"payload-base64\":\"AP8=\"}\n\
         {\"at\":0,\"topic\":\"c\",\"properties\":{\"content-type\":\"t\",\"subscription-identifier\":[7]}}\n\n",
    );
    let broker = FakeBroker::new();
    let program = start(&broker, &format!("-V 5 --replay {}", file.path().display()));
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x30\x06\0\x01a\0\xce\xb3");
    connection.expect(b"\x33\x08\0\x01b\0\x01\0\0\xff");
    // Without the subscription identifier, which only a broker may send.
    connection.expect(b"\x30\x08\0\x01c\x04\x03\0\x01t");
    connection.send(&[0x40, 2, 0, 1]);
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn pauses_are_kept_and_can_be_shortened() {
    // The script of the broker has a limit of 30 seconds: pauses that are not shortened exceed it.
    for (seconds, speed, least) in [(1, "2", 450), (3600, "36000", 90), (3600, "max", 0)] {
        let file = recording(&format!(
            "{{\"at\":100,\"topic\":\"a\"}}\n{{\"at\":{},\"topic\":\"b\"}}\n",
            100 + seconds
        ));
        let broker = FakeBroker::new();
        let path = file.path().display();
        let program = start(&broker, &format!("--replay {path} --speed {speed}"));
        let mut connection = broker.connected(ACCEPTED);
        connection.expect(&publish(0x30, "a", None, b""));
        let start = Instant::now();
        connection.expect(&publish(0x30, "b", None, b""));
        let pause = start.elapsed().as_millis();
        assert!(pause >= least, "{speed}: {pause} ms");
        connection.expect_disconnect();
        expect_success(&program.finish());
    }
}

#[test]
fn a_recording_may_come_through_a_pipe() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "--replay -");
    program.write("{\"topic\":\"a\",\"payload\":\"1\"}\n");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x30, "a", None, b"1"));
    program.write("{\"topic\":\"a\",\"payload\":\"2\"}");
    program.end_input();
    connection.expect(&publish(0x30, "a", None, b"2"));
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn a_line_that_is_no_record_is_named_and_the_others_are_sent() {
    let file = recording("{\"topic\":\"a\"}\n{\"topic\":\"a/#\"}\nx\n{\"topic\":\"b\"}\n");
    let broker = FakeBroker::new();
    let program = start(&broker, &format!("--replay {}", file.path().display()));
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x30, "a", None, b""));
    connection.expect(&publish(0x30, "b", None, b""));
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 1);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "got {}", ended.stderr);
    assert!(lines[0].starts_with("Error: Line 2 was not sent: \"topic\": "));
    assert!(lines[1].starts_with("Error: Line 3 was not sent: this is no JSON: "));
}

#[test]
fn properties_that_version_3_cannot_send_are_worth_a_note() {
    let file = recording("{\"topic\":\"a\",\"properties\":{\"content-type\":\"t\"}}\n");
    let broker = FakeBroker::new();
    let program = start(&broker, &format!("--replay {}", file.path().display()));
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x30, "a", None, b""));
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 0);
    assert_eq!(
        ended.stderr,
        "Note: The recording has properties, which only version 5 can send: -V 5.\n"
    );
}

#[test]
fn a_recording_goes_on_over_the_next_connection() {
    let file = recording(
        "{\"topic\":\"a\",\"qos\":1,\"payload\":\"1\"}\n{\"topic\":\"b\",\"qos\":1,\"payload\":\"2\"}\n",
    );
    let broker = FakeBroker::new();
    let path = file.path().display();
    let program = start(&broker, &format!("--replay {path} --reconnect-delay 10ms"));
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x32, "a", Some(1), b"1"));
    connection.expect(&publish(0x32, "b", Some(2), b"2"));
    connection.send(&[0x40, 2, 0, 1]);
    connection.close();
    program.expect_stderr("Trying to connect again every 10ms.");
    let mut connection = broker.connected(ACCEPTED);
    let packet = connection.packet();
    connection.send(&[0x40, 2, packet[5], packet[6]]);
    assert_eq!(packet, publish(0x32, "b", Some(3), b"2"));
    connection.expect_disconnect();
    assert_eq!(program.finish().code, 0);
}
