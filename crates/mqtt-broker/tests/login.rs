//! Logins through the built program: password files, reloads, privileges, the service manager.

use crate::program::{Folder, Started, free_port};
use mqtt_passwd::{Algorithm, Book, Hash};
use mqtt_proto::{Connect, Packet, Properties, QoS, ReasonCode, Version};
use mqtt_testkit::peer::RawPeer;
use std::net::{Ipv4Addr, SocketAddr};

/// The text of a file with these users.
fn users(algorithm: Algorithm, users: &[(&str, &str)]) -> String {
    let mut book = Book::default();
    for (user, password) in users {
        let hash = Hash::new(algorithm, 1000, password.as_bytes()).expect("a hash");
        book.set(user, &hash);
    }
    book.text()
}

fn start(folder: &Folder, conf: &str) -> (Started, SocketAddr) {
    let port = free_port();
    let text = format!("listener {port} 127.0.0.1\n{conf}");
    std::fs::write(folder.path("test.conf"), text).expect("a file can be written");
    let broker = folder.start(&["-c", "test.conf", "-v"]);
    broker.wait_for(concat!(env!("CARGO_PKG_VERSION"), " running"));
    (broker, (Ipv4Addr::LOCALHOST, port).into())
}

/// Connects with a name and a password, and sends SUBSCRIBE and PUBLISH in the same breath.
fn hasty(address: SocketAddr, user: &str, password: &str) -> RawPeer {
    let mut peer = RawPeer::open(address, Version::V5);
    let connect = Packet::Connect(Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 0,
        client_id: "hasty",
        will: None,
        username: Some(user),
        password: Some(password.as_bytes()),
        properties: Properties::EMPTY,
    });
    let mut bytes = Vec::new();
    connect.encode(Version::V5, &mut bytes).expect("a packet");
    Packet::PingReq
        .encode(Version::V5, &mut bytes)
        .expect("a packet");
    peer.send_bytes(&bytes);
    peer
}

fn connack(peer: &mut RawPeer) -> ReasonCode {
    peer.receive(|packet| match packet {
        Packet::ConnAck(connack) => connack.reason,
        other => panic!("expected CONNACK, got {other:?}"),
    })
}

#[test]
fn passwords_of_all_kinds_let_in_and_what_came_early_is_answered() {
    for (_, algorithm) in Algorithm::NAMES {
        let folder = Folder::with("users", users(algorithm, &[("alice", "one")]));
        let (_broker, address) = start(&folder, "password_file users\n");
        let mut peer = hasty(address, "alice", "one");
        assert_eq!(connack(&mut peer), ReasonCode::Success, "{algorithm:?}");
        peer.receive(|packet| assert_eq!(packet, Packet::PingResp));
        for (user, password) in [("alice", "two"), ("bob", "one"), ("alice", "")] {
            let mut peer = hasty(address, user, password);
            assert_eq!(
                connack(&mut peer),
                ReasonCode::NotAuthorized,
                "{algorithm:?}"
            );
            peer.expect_closed();
        }
    }
}

#[test]
fn a_slow_hash_delays_nobody() {
    // Seconds of work for a login; as many logins at once as the broker looks at.
    let hash = Hash::new(Algorithm::Sha512Pbkdf2, 1, b"x").expect("a hash");
    let text = hash.to_string().replacen("$7$1$", "$7$3000000$", 1);
    let folder = Folder::with("users", format!("alice:{text}\n"));
    let (_broker, address) = start(&folder, "password_file users\nallow_anonymous true\n");
    let mut client = RawPeer::connect(address, Version::V4, "client");
    let waiting: Vec<_> = (0..3).map(|_| hasty(address, "alice", "x")).collect();
    client.subscribe("t", QoS::AtMostOnce);
    for _ in 0..100 {
        let sent = std::time::Instant::now();
        client.publish("t", b"x", QoS::AtMostOnce, false);
        client.receive(|packet| assert!(matches!(packet, Packet::Publish(_))));
        assert!(sent.elapsed().as_secs() < 2, "a message waits for a login");
    }
    drop(waiting);
}

#[cfg(unix)]
#[test]
fn a_reload_reads_the_passwords_again_or_says_why_not() {
    let folder = Folder::with("users", users(Algorithm::Sha512, &[("alice", "one")]));
    let (broker, address) = start(&folder, "password_file users\n");
    let mut alice = hasty(address, "alice", "one");
    assert_eq!(connack(&mut alice), ReasonCode::Success);
    let broken = "alice:one\n";
    std::fs::write(folder.path("users"), broken).expect("a file can be written");
    broker.signal(rustix::process::Signal::HUP);
    broker.wait_for("If passwords stand there in clear, hash them: mqtt-passwd -U users");
    broker.wait_for("The broker goes on as before.");
    let text = users(Algorithm::Sha512, &[("bob", "two")]);
    std::fs::write(folder.path("users"), text).expect("a file can be written");
    broker.signal(rustix::process::Signal::HUP);
    broker.wait_for("Client hasty");
    let mut bob = hasty(address, "bob", "two");
    assert_eq!(connack(&mut bob), ReasonCode::Success);
}

#[cfg(target_os = "linux")]
#[test]
fn the_service_manager_hears_when_ports_are_open_and_that_the_broker_lives() {
    use std::os::unix::net::UnixDatagram;
    let folder = Folder::with("test.conf", format!("listener {} 127.0.0.1\n", free_port()));
    let socket = UnixDatagram::bind(folder.path("notify")).expect("a socket");
    let limit = std::time::Duration::from_secs(30);
    socket.set_read_timeout(Some(limit)).expect("a limit");
    let mut command = folder.command(&["-c", "test.conf"]);
    command
        .env("NOTIFY_SOCKET", folder.path("notify"))
        .env("WATCHDOG_USEC", "20000")
        .stderr(std::process::Stdio::null());
    let mut child = mqtt_testkit::program::spawn(&mut command).expect("the program starts");
    let hear = || {
        let mut heard = [0; 40];
        let count = socket.recv(&mut heard).expect("a message in time");
        String::from_utf8_lossy(&heard[..count]).into_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert_eq!(hear(), "WATCHDOG=1");
    assert_eq!(hear(), "WATCHDOG=1");
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("it runs");
    while hear() != "STOPPING=1" {}
    assert!(child.wait().expect("it ends").success());
}

/// Whom a started broker is, by the files that the kernel shows.
#[cfg(target_os = "linux")]
#[test]
fn root_gives_up_its_rights_when_everything_is_open() {
    if !rustix::process::geteuid().is_root() {
        // Only root has something to give up.
        return;
    }
    let folder = Folder::new();
    let log = folder.path("broker.log");
    let conf = format!(
        "listener {} 127.0.0.1\nuser nobody\nlog_dest file {}\nlog_dest stderr\npersistence true\npersistence_location {}\n",
        free_port(),
        log.display(),
        folder.path("").display()
    );
    std::fs::write(folder.path("test.conf"), conf).expect("a file can be written");
    let mut command = folder.command(&["-c", "test.conf"]);
    command
        .env_remove("PUID")
        .stderr(std::process::Stdio::piped());
    let mut child = mqtt_testkit::program::spawn(&mut command).expect("the program starts");
    let stderr = std::io::BufReader::new(child.stderr.take().expect("a pipe"));
    let mut lines = std::io::BufRead::lines(stderr).map(|line| line.expect("text"));
    assert!(lines.any(|line| line.contains(" as user: nobody.")));
    assert!(lines.any(|line| line.ends_with(" running")));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    for (key, root) in [("Uid:", "0"), ("Gid:", "0"), ("Groups:", "0")] {
        let line = status
            .lines()
            .find(|line| line.starts_with(key))
            .expect(key);
        let numbers: Vec<_> = line.split_whitespace().skip(1).collect();
        assert!(!numbers.contains(&root), "{line}");
    }
    use std::os::unix::fs::MetadataExt;
    for file in ["broker.log", "mosquitto.db"] {
        let found = std::fs::metadata(folder.path(file)).expect(file);
        assert_ne!(found.uid(), 0, "{file}");
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
}
