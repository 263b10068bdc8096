//! `--record`: every message with all that belongs to it.

use std::time::Duration;

use crate::*;
use mqtt_common::record::Record;

/// Records two messages of version 5, one of them with properties and bytes that are no text.
fn recorded(broker: &FakeBroker, file: &str) -> Ended {
    let program = start(broker, &format!("-t t -C 2 -V 5 --record {file}"));
    let mut connection = broker.connected(ACCEPTED_5);
    connection.packet();
    connection.send(&[0x90, 4, 0, 1, 0, 0]);
    connection.send(b"\x30\x06\0\x01t\0hi");
    connection.send(b"\x33\x0f\0\x01u\0\x09\x07\x26\0\x01k\0\x01v\0\xff");
    connection.expect(&[0x40, 2, 0, 9]);
    connection.expect_disconnect();
    program.finish()
}

#[track_caller]
fn check_records(text: &str) {
    let records: Vec<_> = text
        .lines()
        .map(|line| Record::read(line.as_bytes()).expect("each line is a record"))
        .collect();
    assert_eq!(records.len(), 2, "{text}");
    assert_eq!(records[0].payload, b"hi");
    assert_eq!(records[1].payload, [0, 0xff]);
    assert_eq!((records[1].qos as u8, records[1].retain), (1, true));
    assert_eq!(
        records[1].properties.view().user_property(),
        Some(("k", "v"))
    );
    assert!(records[0].at <= records[1].at && records[1].at < Duration::from_secs(60));
}

#[test]
fn messages_are_shown_and_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.jsonl");
    let ended = recorded(&FakeBroker::new(), path.to_str().unwrap());
    expect_output(&ended, "hi\n\0\u{fffd}\n");
    check_records(&std::fs::read_to_string(path).unwrap());
}

#[test]
fn records_can_go_to_stdout() {
    let ended = recorded(&FakeBroker::new(), "-");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    check_records(&ended.stdout);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_run_before_the_message_is_acknowledged() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t --record /dev/full");
    let mut connection = subscribed(&broker);
    connection.send(&publish(0x30, "t", None, b"x"));
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .stderr
            .starts_with("Error: Cannot write to /dev/full: "),
        "got {}",
        ended.stderr
    );
}
