//! The broker from its first line to its last.

use crate::program::{Folder, free_port};
use mqtt_proto::{Ack, Packet, QoS, Version};
use mqtt_testkit::peer::RawPeer;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};

/// The line after which clients can connect.
const RUNNING: &str = concat!(
    "mqtt-broker version ",
    env!("CARGO_PKG_VERSION"),
    " running"
);

#[cfg(unix)]
mod signals {
    use super::*;
    use rustix::process::Signal;

    /// The text of a line after its time.
    fn text(line: &str) -> &str {
        line.split_once(": ").map_or(line, |(_, text)| text)
    }

    #[test]
    fn a_broker_without_a_file_serves_this_computer_and_ends_well() {
        for signal in [Signal::TERM, Signal::INT] {
            let port = free_port().to_string();
            let broker = Folder::new().start(&["-p", &port]);
            let lines = broker.wait_for(RUNNING);
            let texts: Vec<_> = lines.iter().map(|line| text(line)).collect();
            let version = env!("CARGO_PKG_VERSION");
            let start = texts
                .iter()
                .position(|line| *line == format!("mqtt-broker version {version} starting"))
                .expect("a first line");
            assert_eq!(texts[start + 1], "Using default config.");
            assert_eq!(
                texts[start + 2..],
                [
                    "Bridge support NOT available.",
                    "Persistence support available.",
                    "TLS support available.",
                    "TLS-PSK support NOT available.",
                    "Websockets support available.",
                    "Starting in local only mode. Connections will only be possible from clients \
                     running on this machine.",
                    "Create a configuration file which defines a listener to allow remote access.",
                    "For more details see \
                     https://mosquitto.org/documentation/authentication-methods/",
                    &format!("Opening ipv4 listen socket on port {port}."),
                    &format!("Opening ipv6 listen socket on port {port}."),
                    &format!("mqtt-broker version {version} running"),
                ]
            );
            for line in &lines {
                let (time, _) = line.split_once(": ").expect("a time");
                assert!(time.bytes().all(|byte| byte.is_ascii_digit()), "{line}");
            }
            TcpStream::connect(format!("127.0.0.1:{port}")).expect("an open port");
            let (code, lines) = broker.end(signal);
            assert_eq!(code, Some(0));
            let last = lines.last().expect("a last line");
            assert_eq!(
                text(last),
                format!("mqtt-broker version {version} terminating")
            );
        }
    }

    #[test]
    fn a_quiet_broker_says_nothing() {
        let port = free_port();
        let folder = Folder::with(
            "test.conf",
            format!("listener {port} 127.0.0.1\nlog_type all\npid_file broker.pid\n"),
        );
        let broker = folder.start(&["-q", "-v", "-c", "test.conf"]);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        assert!(folder.path("broker.pid").exists());
        let (code, lines) = broker.end(Signal::TERM);
        assert_eq!((code, lines), (Some(0), Vec::new()));
        assert!(!folder.path("broker.pid").exists());
    }

    #[test]
    fn the_log_goes_to_the_file_that_is_named() {
        let port = free_port();
        let conf = format!(
            "listener {port} 127.0.0.1\nlog_dest file my log.txt\nlog_dest stdout\n\
             log_timestamp false\n"
        );
        let folder = Folder::with("test.conf", conf);
        let broker = folder.start(&["-c", "test.conf"]);
        broker.wait_for(RUNNING);
        broker.end(Signal::TERM);
        let log = std::fs::read_to_string(folder.path("my log.txt")).expect("a log");
        assert!(log.contains("\nConfig loaded from test.conf.\n"), "{log}");
        assert!(log.ends_with(" terminating\n"), "{log}");
    }

    #[test]
    fn what_a_client_sent_before_it_came_again_is_taken() {
        let port = free_port();
        let broker = Folder::new().start(&["-p", &port.to_string()]);
        broker.wait_for(RUNNING);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        for text in ["on", "off", "on"] {
            let mut client = RawPeer::connect(address, Version::V4, "lamp");
            // All three connections have something for the broker when it looks again.
            broker.signal(Signal::STOP);
            let mut other = RawPeer::open(address, Version::V4);
            other.send(&Packet::Connect(RawPeer::hello(Version::V4, "other")));
            client.publish("state", text.as_bytes(), QoS::AtMostOnce, true);
            drop(client);
            let mut again = RawPeer::open(address, Version::V4);
            again.send(&Packet::Connect(RawPeer::hello(Version::V4, "lamp")));
            broker.signal(Signal::CONT);
            again.expect_bytes(b"\x20\x02\x00\x00");
            again.subscribe("state", QoS::AtMostOnce);
            again.receive(|packet| match packet {
                Packet::Publish(publish) => assert_eq!(publish.payload, text.as_bytes()),
                other => panic!("expected what it had sent, got {other:?}"),
            });
        }
    }

    #[test]
    fn a_broker_in_the_background_outlives_its_command() {
        let port = free_port();
        let conf = format!("listener {port} 127.0.0.1\npid_file broker.pid\n");
        let folder = Folder::with("test.conf", conf);
        let ended = folder.run(&["-d", "-c", "test.conf"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        TcpStream::connect(("127.0.0.1", port)).expect("an open port");
        let text = std::fs::read_to_string(folder.path("broker.pid")).expect("a pid file");
        let process = rustix::process::Pid::from_raw(text.parse().expect("a number"));

        // A second one fails where people see it.
        let second = folder.run(&["-d", "-c", "test.conf"]);
        assert_eq!(second.code, Some(1), "{second:?}");
        assert!(
            second.stderr.contains("Address already in use"),
            "{second:?}"
        );

        let process = process.expect("not zero");
        rustix::process::kill_process(process, Signal::TERM).expect("it runs");
        while TcpStream::connect(("127.0.0.1", port)).is_ok() {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_port_in_use_ends_with_1_and_names_its_owner() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = holder.local_addr().expect("an address").port();
    let ended = Folder::new().run(&["-p", &port.to_string()]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("Port {port} is in use by ")),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains("Or take another port: mqtt-broker -p "),
        "{ended:?}"
    );
    if cfg!(target_os = "linux") {
        let process = format!("(process {})", std::process::id());
        assert!(ended.stderr.contains(&process), "{ended:?}");
    }

    let folder = Folder::with("test.conf", format!("listener {port} 127.0.0.1\n"));
    let ended = folder.run(&["-c", "test.conf"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("in test.conf"), "{ended:?}");
}

/// What the sockets take is far less: the broker has to wait for room, and to go on when there is.
#[test]
fn more_than_a_socket_holds_arrives_whole_when_it_is_read_at_last() {
    let port = free_port();
    let folder = Folder::with(
        "test.conf",
        format!("listener {port} 127.0.0.1\nallow_anonymous true\n"),
    );
    let broker = folder.start(&["-v", "-c", "test.conf"]);
    broker.wait_for(RUNNING);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut reader = RawPeer::connect(address, Version::V4, "reader");
    reader.subscribe("large", QoS::AtLeastOnce);
    // The largest that are taken without a word in the configuration; together 30 MB.
    let payloads: Vec<Vec<u8>> = (1..=16)
        .map(|n| vec![n; 1_900_000 + usize::from(n)])
        .collect();
    let mut writer = RawPeer::connect(address, Version::V4, "writer");
    for payload in &payloads {
        writer.publish("large", payload, QoS::AtLeastOnce, false);
    }
    // The broker has taken all of it, and could send some of it only.
    writer.expect_nothing();
    for payload in &payloads {
        let id = reader.receive(|packet| match packet {
            Packet::Publish(publish) => {
                assert!(
                    publish.payload == payload,
                    "{} bytes",
                    publish.payload.len()
                );
                publish.packet_id
            }
            other => panic!("expected a message, got {other:?}"),
        });
        reader.send(&Packet::PubAck(Ack::success(id.expect("it is of QoS 1"))));
    }
    reader.expect_nothing();
}

#[test]
fn ports_of_the_command_line_give_way_to_the_file() {
    let (in_file, typed) = (free_port(), free_port().to_string());
    let folder = Folder::with("test.conf", format!("listener {in_file} 127.0.0.1\n"));
    let broker = folder.start(&["-v", "-c", "test.conf", "-p", &typed]);
    let lines = broker.wait_for(RUNNING);
    let opened: Vec<_> = lines
        .iter()
        .filter(|line| line.contains("Opening"))
        .collect();
    assert_eq!(opened.len(), 1, "{lines:?}");
    assert!(
        opened[0].ends_with(&format!("port {in_file}.")),
        "{lines:?}"
    );
}

#[test]
fn a_verbose_broker_says_how_others_get_in() {
    let port = free_port().to_string();
    let broker = Folder::new().start(&["-v", "-p", &port]);
    broker.wait_for(&format!("type: mqtt-broker -v --lan -p {port}"));
    drop(broker);

    let broker = Folder::new().start(&["-v", "--lan", "-p", &port]);
    let lines = broker.wait_for(RUNNING);
    assert!(
        !lines.iter().any(|line| line.contains("local only")),
        "{lines:?}"
    );
}

#[test]
fn several_ports_are_opened() {
    let (first, second) = (free_port().to_string(), free_port().to_string());
    let broker = Folder::new().start(&["-p", &first, "-p", &second]);
    let lines = broker.wait_for(RUNNING);
    for port in [first, second] {
        assert!(
            lines
                .iter()
                .any(|line| line.ends_with(&format!("port {port}."))),
            "{lines:?}"
        );
    }
}

/// The system may keep connections from the broker until their first byte is there, but not for ever.
#[test]
fn whoever_says_nothing_or_little_comes_in_all_the_same() {
    let port = free_port();
    let broker = Folder::new().start(&["-v", "-p", &port.to_string()]);
    broker.wait_for(RUNNING);
    let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
    let came = |client: &TcpStream| {
        let address = client.local_addr().expect("an address");
        broker.wait_for(&format!("New connection from {address} on port {port}."));
        address
    };
    let hello = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01w";

    let mut silent = connect();
    came(&silent);
    let mut slow = connect();
    slow.write_all(&hello[..1]).expect("it is open");
    came(&slow);
    let leaving = connect();
    leaving.shutdown(Shutdown::Write).expect("it is open");
    let address = came(&leaving);
    broker.wait_for(&format!(
        "Client 127.0.0.1 [{address}] disconnected: connection closed by client."
    ));

    slow.write_all(&hello[1..]).expect("it is open");
    silent.write_all(hello).expect("it is open");
    for mut client in [slow, silent] {
        let mut answer = [0; 4];
        client.read_exact(&mut answer).expect("a CONNACK");
        assert_eq!(&answer, b"\x20\x02\x00\x00");
    }
}
