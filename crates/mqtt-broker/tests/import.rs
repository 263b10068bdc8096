//! Sessions and retained messages brought over from Mosquitto's own database.

#![cfg_attr(
    not(unix),
    allow(dead_code, unused_imports, reason = "Mosquitto is ended by a signal")
)]

use mqtt_proto::{Connect, Packet, PropertiesBuf, Property, QoS, Version};
use mqtt_testkit::broker::free_port;
use mqtt_testkit::peer::RawPeer;
use mqtt_testkit::program::{Ended, Program};
use mqtt_testkit::strangers::stranger;
use mqtt_testkit::tools::tool;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

/// What one database version 6 of Mosquitto begins with.
const HEADER: &[u8] = b"\x00\xB5\x00mosquitto db\0\0\0\0\0\0\0\x06";

fn import(folder: &Path, file: &str) -> Ended {
    let text = "persistence true\npersistence_file ours.db\n";
    std::fs::write(folder.join("import.conf"), text).expect("it can be written");
    let mut command = Command::new(tool("mqtt-broker"));
    command
        .args(["-c", "import.conf", "--import", file])
        .current_dir(folder);
    Program::of(command).finish()
}

#[test]
fn what_is_no_database_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let cases: [(&[u8], &str); 4] = [
        (b"hello", "is not a database of Mosquitto"),
        (b"\x00\xB5\x00mosquitto db\0\0\0\0\0\0\0\x04", "version 4"),
        (
            &[HEADER, &[0, 0, 0, 6, 0, 0, 1, 0, 1]].concat(),
            "ends in the middle",
        ),
        (&HEADER[..17], "ends in the middle"),
    ];
    for (bytes, expected) in cases {
        std::fs::write(folder.path().join("file"), bytes).expect("it can be written");
        let ended = import(folder.path(), "file");
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
    }
    let ended = import(folder.path(), "missing");
    assert!(ended.stderr.contains("missing cannot be read"), "{ended:?}");
}

#[test]
fn chunks_that_make_no_sense_are_left_out() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let chunk = [0, 0, 0, 9, 0, 0, 0, 2, 1, 2];
    std::fs::write(folder.path().join("file"), [HEADER, &chunk].concat()).expect("written");
    let ended = import(folder.path(), "file");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("1 parts made no sense"), "{ended:?}");
}

fn durable(version: Version, id: &str) -> (Connect<'_>, PropertiesBuf) {
    let mut properties = PropertiesBuf::new();
    if version.is_v5() {
        properties
            .push(Property::SessionExpiryInterval(1000))
            .expect("it fits the wire");
    }
    let connect = Connect {
        clean_start: false,
        ..RawPeer::hello(version, id)
    };
    (connect, properties)
}

/// Starts a broker in a folder and waits until it runs.
fn start(program: &Path, folder: &Path, file: &str) -> Program {
    let mut command = Command::new(program);
    command.args(["-v", "-c", file]).current_dir(folder);
    let program = Program::of(command);
    program.expect_stderr(" running\n");
    program
}

/// A database as Mosquitto 1.6 wrote it, from one of Mosquitto 2: what is known of a client has
/// neither listener nor user name, and no bytes that fill up its head.
#[cfg(unix)]
fn as_version_5(file: &[u8]) -> Vec<u8> {
    const CLIENT: u32 = 6;
    let number = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("four bytes"));
    let (header, mut rest) = file.split_at(HEADER.len());
    assert_eq!(header, HEADER);
    let mut old = header.to_vec();
    old[HEADER.len() - 1] = 5;
    while let Some((head, behind)) = rest.split_at_checked(8) {
        let (kind, length) = (number(&head[..4]), number(&head[4..]));
        let (chunk, next) = behind.split_at(length as usize);
        let chunk = match kind {
            CLIENT => {
                let id_length = usize::from(u16::from_be_bytes([chunk[14], chunk[15]]));
                [&chunk[..16], &chunk[24..24 + id_length]].concat()
            }
            _ => chunk.to_vec(),
        };
        old.extend(kind.to_be_bytes());
        old.extend(
            u32::try_from(chunk.len())
                .expect("it is short")
                .to_be_bytes(),
        );
        old.extend(chunk);
        rest = next;
    }
    old
}

/// Debian's Mosquitto writes a database, and ours takes its place.
#[test]
#[cfg(unix)]
fn a_client_finds_its_session_where_mosquitto_had_it() {
    check_import(<[u8]>::to_vec);
}

#[test]
#[cfg(unix)]
fn a_client_finds_its_session_where_an_older_mosquitto_had_it() {
    check_import(as_version_5);
}

#[cfg(unix)]
fn check_import(aged: fn(&[u8]) -> Vec<u8>) {
    let Some(mosquitto) = stranger("mosquitto", "mosquitto") else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let port = free_port();
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let text = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\n",
        folder.path().display()
    );
    std::fs::write(folder.path().join("old.conf"), &text).expect("it can be written");
    let old = start(&mosquitto, folder.path(), "old.conf");
    for version in [Version::V4, Version::V5] {
        let id = format!("reader{}", version as u8);
        let (connect, properties) = durable(version, &id);
        let connect = Connect {
            properties: properties.view(),
            ..connect
        };
        let (mut reader, _) = RawPeer::connect_with(address, &connect);
        reader.subscribe("a/#", QoS::ExactlyOnce);
        reader.disconnect();
    }
    let mut publisher = RawPeer::connect(address, Version::V4, "p");
    publisher.publish("a/1", b"first", QoS::AtLeastOnce, true);
    publisher.publish("a/2", b"second", QoS::AtLeastOnce, false);
    publisher.disconnect();
    old.signal(rustix::process::Signal::TERM);
    assert_eq!(old.finish().code, 0);
    let file = folder.path().join("mosquitto.db");
    let written = std::fs::read(&file).expect("it was saved");
    std::fs::write(&file, aged(&written)).expect("it can be written");

    std::fs::write(
        folder.path().join("new.conf"),
        text.replace("user root\n", ""),
    )
    .expect("it can be written");
    let mut command = Command::new(tool("mqtt-broker"));
    command
        .args(["-c", "new.conf", "--import", "mosquitto.db"])
        .current_dir(folder.path());
    let ended = Program::of(command).finish();
    let said = "Imported 2 sessions, 2 subscriptions, 1 retained and 4 waiting messages";
    assert!(ended.stdout.contains(said), "{ended:?}");
    let _new = start(&tool("mqtt-broker"), folder.path(), "new.conf");
    for version in [Version::V4, Version::V5] {
        let id = format!("reader{}", version as u8);
        let (connect, properties) = durable(version, &id);
        let connect = Connect {
            properties: properties.view(),
            ..connect
        };
        let (mut reader, is_present) = RawPeer::connect_with(address, &connect);
        assert!(is_present, "{id}");
        for expected in [b"first".as_slice(), b"second"] {
            reader.receive(|packet| match packet {
                Packet::Publish(publish) => assert_eq!(publish.payload, expected, "{id}"),
                other => panic!("{id} got {other:?}"),
            });
        }
    }
    let mut late = RawPeer::connect(address, Version::V4, "late");
    late.subscribe("a/#", QoS::AtMostOnce);
    late.receive(|packet| match packet {
        Packet::Publish(publish) => assert!(publish.retain && publish.payload == b"first"),
        other => panic!("late got {other:?}"),
    });
}
