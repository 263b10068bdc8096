//! SIGHUP: the configuration and its files are read again while clients stay.

use crate::program::{Folder, Started, free_port};
use mqtt_proto::{QoS, Version};
use mqtt_testkit::peer::RawPeer;
use rustix::process::Signal;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// A broker with a configuration in which `{port}` stands for its port.
struct Fixture {
    folder: Folder,
    broker: Started,
    port: u16,
}

impl Fixture {
    fn start(conf: &str, files: &[(&str, &str)], flags: &[&str]) -> Fixture {
        let port = free_port();
        let folder = Folder::new();
        for (name, content) in files {
            std::fs::write(folder.path(name), content).expect("a file can be written");
        }
        let text = conf.replace("{port}", &port.to_string());
        std::fs::write(folder.path("test.conf"), text).expect("a file can be written");
        let broker = folder.start(&[&["-c", "test.conf"], flags].concat());
        broker.wait_for(concat!(env!("CARGO_PKG_VERSION"), " running"));
        Fixture {
            folder,
            broker,
            port,
        }
    }

    fn write(&self, name: &str, content: &str) {
        let text = content.replace("{port}", &self.port.to_string());
        std::fs::write(self.folder.path(name), text).expect("a file can be written");
    }

    /// Reloads, and gives the lines up to the one with `last`.
    fn reload(&self, last: &str) -> Vec<String> {
        self.broker.signal(Signal::HUP);
        let mut lines = self.broker.wait_for("Reloading config.");
        lines.drain(..lines.len() - 1);
        if !last.is_empty() {
            lines.extend(self.broker.wait_for(last));
        }
        lines
    }

    /// Waits until nobody listens at an address any more.
    fn wait_until_closed(&self, address: SocketAddr) {
        let limit = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < limit, "{address} is still open");
            std::thread::yield_now();
        }
    }

    fn client(&self, version: Version, id: &str) -> RawPeer {
        RawPeer::connect(self.address(), version, id)
    }

    fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }
}

const CONF: &str = "listener {port} 127.0.0.1\nallow_anonymous true\nacl_file test.acl\n";

#[test]
fn the_acl_file_is_read_again_and_clients_stay() {
    let broker = Fixture::start(CONF, &[("test.acl", "topic read #\n")], &[]);
    let mut client = broker.client(Version::V4, "lamp");
    client.subscribe("t", QoS::AtMostOnce);
    client.publish("t", b"1", QoS::AtMostOnce, false);
    client.expect_nothing();
    broker
        .broker
        .wait_for("Client lamp may not write to 't': nothing in test.acl allows it.");
    broker.write("test.acl", "topic readwrite #\n");
    broker.reload("");
    client.publish("t", b"2", QoS::AtMostOnce, false);
    client.receive(|packet| match packet {
        mqtt_proto::Packet::Publish(publish) => assert_eq!(publish.payload, b"2"),
        other => panic!("expected PUBLISH, got {other:?}"),
    });
}

#[test]
fn a_mistake_changes_nothing_and_is_named() {
    let broker = Fixture::start(CONF, &[("test.acl", "topic read #\n")], &[]);
    for (conf, acl, expected) in [
        (
            CONF,
            "topic raed #\n",
            "Error: test.acl:1: 'raed' is not read, write, readwrite or deny.",
        ),
        (
            "listener {port} 127.0.0.1\nallow_anonymus true\n",
            "topic read #\n",
            "Error: test.conf:2: there is no option 'allow_anonymus'.",
        ),
    ] {
        broker.write("test.conf", conf);
        broker.write("test.acl", acl);
        let lines = broker.reload("Error: the configuration was not changed.");
        assert!(
            lines.iter().any(|line| line.ends_with(expected)),
            "{lines:?}"
        );
    }
    std::fs::remove_file(broker.folder.path("test.acl")).expect("it is there");
    broker.write("test.conf", CONF);
    let lines = broker.reload("Error: the configuration was not changed.");
    assert!(
        lines
            .iter()
            .any(|line| line.contains("there is no ACL file 'test.acl' in ")),
        "{lines:?}"
    );
    // Still anonymous, still nothing to write.
    let mut client = broker.client(Version::V5, "lamp");
    client.subscribe("t", QoS::AtMostOnce);
    client.publish("t", b"1", QoS::AtMostOnce, false);
    client.expect_nothing();
}

#[test]
fn anonymous_clients_are_refused_from_a_reload_on() {
    let conf = "listener {port} 127.0.0.1\nallow_anonymous true\n";
    let broker = Fixture::start(conf, &[], &[]);
    broker.write("test.conf", &conf.replace("true", "false"));
    broker.reload("");
    let mut peer = RawPeer::open(broker.address(), Version::V5);
    let hello = RawPeer::hello(Version::V5, "out");
    peer.send(&mqtt_proto::Packet::Connect(hello));
    peer.receive(|packet| match packet {
        mqtt_proto::Packet::ConnAck(connack) => {
            assert_eq!(connack.reason, mqtt_proto::ReasonCode::NotAuthorized);
        }
        other => panic!("expected CONNACK, got {other:?}"),
    });
}

#[test]
fn listeners_come_and_go_and_their_clients_stay() {
    let conf = "listener {port} 127.0.0.1\nallow_anonymous true\n";
    let broker = Fixture::start(conf, &[], &["-v"]);
    let mut old = broker.client(Version::V4, "old");
    let port = free_port();
    let other = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let moved = conf.replace("{port}", &port.to_string());
    broker.write("test.conf", &moved);
    broker.reload("");
    RawPeer::connect(other, Version::V4, "new");
    old.expect_nothing();
    // The old door closes after the new one has opened.
    broker.wait_until_closed(broker.address());
    // It comes back under its old number, and the other one goes.
    broker.write("test.conf", conf);
    broker.reload("");
    broker.client(Version::V4, "again");
    broker.wait_until_closed(other);
    old.expect_nothing();
}

#[test]
fn an_address_can_change_while_the_port_stays() {
    let conf = "listener {port} 127.0.0.1\nallow_anonymous true\n";
    let broker = Fixture::start(conf, &[], &["-v"]);
    broker.write(
        "test.conf",
        "listener {port} 127.0.0.2\nallow_anonymous true\n",
    );
    broker.reload("");
    let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), broker.port));
    RawPeer::connect(other, Version::V5, "new");
    broker.wait_until_closed(broker.address());
}

#[test]
fn a_door_that_cannot_be_opened_leaves_all_as_it_was() {
    let conf = "listener {port} 127.0.0.1\nallow_anonymous true\n";
    let broker = Fixture::start(conf, &[], &["-v"]);
    let blocked = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = blocked.local_addr().expect("an address").port();
    broker.write(
        "test.conf",
        &format!(
            "listener {taken} 127.0.0.1\nlistener {{port}} 127.0.0.9\nallow_anonymous false\n"
        ),
    );
    let lines = broker.reload("Error: the configuration was not changed.");
    let why = format!("Error: port {taken} of 127.0.0.1 cannot be opened: Address already in use.");
    assert!(lines.iter().any(|line| line.ends_with(&why)), "{lines:?}");
    drop(blocked);
    broker.client(Version::V4, "still-in");
}

#[test]
fn a_log_file_that_was_moved_away_is_begun_anew() {
    for broken in [false, true] {
        let conf = "listener {port} 127.0.0.1\nlog_dest file broker.log\nlog_dest stderr\n";
        let broker = Fixture::start(conf, &[], &[]);
        let (now, old) = (
            broker.folder.path("broker.log"),
            broker.folder.path("broker.log.1"),
        );
        std::fs::rename(&now, &old).expect("the log was written");
        if broken {
            broker.write("test.conf", "nonsense\n");
        }
        broker.reload("");
        broker.broker.end(Signal::TERM);
        let read = |path| std::fs::read_to_string(path).expect("a log");
        assert!(read(&old).ends_with(" running\n"), "{}", read(&old));
        let log = read(&now);
        let first = log.lines().next().expect("a line");
        assert!(first.ends_with(": Reloading config."), "{log}");
    }
}

#[test]
fn the_flags_for_the_log_outlast_a_reload() {
    let conf = "listener {port} 127.0.0.1\nallow_anonymous true\nlog_type error\n";
    let broker = Fixture::start(conf, &[], &["-v"]);
    broker.reload("");
    broker.client(Version::V4, "lamp");
    broker.broker.wait_for("Sending CONNACK to lamp (0, 0)");
}

#[test]
fn signals_that_mean_something_to_mosquitto_alone_leave_the_broker_running() {
    let broker = Fixture::start(CONF, &[("test.acl", "topic readwrite #\n")], &[]);
    broker.broker.signal(Signal::USR1);
    broker.broker.signal(Signal::USR2);
    // It still reloads, and so it still runs.
    broker.reload("");
    broker.client(Version::V4, "lamp");
}
