//! The HTTP door: the API, figures for Prometheus, health, files, and who may have them.

use crate::program::{Folder, Started, free_port};
use mqtt_passwd::{Algorithm, Book, Hash};
use mqtt_proto::{QoS, Version};
use mqtt_testkit::peer::RawPeer;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A broker with a door for MQTT and one for HTTP.
struct Fixture {
    _folder: Folder,
    broker: Started,
    mqtt: u16,
    http: u16,
}

/// An answer: its status, its head and its body.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Fixture {
    /// `conf` follows the two listeners; `files` lie in the folder.
    fn start(conf: &str, files: &[(&str, &str)]) -> Fixture {
        let folder = Folder::new();
        for (name, content) in files {
            let path = folder.path(name);
            let parent = path.parent().expect("a folder");
            std::fs::create_dir_all(parent).expect("a folder can be made");
            std::fs::write(path, content).expect("a file can be written");
        }
        let (mqtt, http) = (free_port(), free_port());
        let text = format!(
            "listener {mqtt} 127.0.0.1\nlistener {http} 127.0.0.1\nprotocol http_api\n{conf}"
        );
        std::fs::write(folder.path("test.conf"), text).expect("a file can be written");
        let broker = folder.start(&["-c", "test.conf", "-v"]);
        broker.wait_for(&format!("Opening http api listen socket on port {http}."));
        broker.wait_for(concat!(env!("CARGO_PKG_VERSION"), " running"));
        Fixture {
            _folder: folder,
            broker,
            mqtt,
            http,
        }
    }

    fn open(&self) -> TcpStream {
        let address: SocketAddr = (Ipv4Addr::LOCALHOST, self.http).into();
        let stream = TcpStream::connect(address).expect("the door is open");
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).expect("a limit");
        stream
    }

    /// Sends a request line and some lines of a head.
    fn ask(&self, request: &str, lines: &[&str]) -> Answer {
        let mut stream = self.open();
        let mut text = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        for line in lines {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        stream.write_all(text.as_bytes()).expect("it is read");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        Answer {
            status: head[9..12].parse().expect("a status"),
            head: head.to_lowercase(),
            body: body.into(),
        }
    }

    #[track_caller]
    fn check(&self, request: &str, lines: &[&str], status: u16, body: &str) {
        let answer = self.ask(request, lines);
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (status, body),
            "{request}"
        );
    }
}

/// `user:password` and `user:invalid`.
const RIGHT: &str = "Authorization: Basic dXNlcjpwYXNzd29yZA==";
const WRONG: &str = "Authorization: Basic dXNlcjppbnZhbGlk";

fn users() -> String {
    let mut book = Book::default();
    let hash = Hash::new(Algorithm::Sha512Pbkdf2, 1000, b"password").expect("a hash");
    book.set("user", &hash);
    book.text()
}

#[test]
fn the_api_answers_as_mosquittos() {
    let fixture = Fixture::start("allow_anonymous true\n", &[]);
    fixture.check("POST /api/badrequest", &[], 405, "Invalid HTTP Method\n");
    fixture.check("GET /api/missing", &[], 404, "Not found.\n");
    fixture.check("GET /", &[], 404, "Not found.\n");
    fixture.check("GET /api/v1/version", &[], 200, env!("CARGO_PKG_VERSION"));
    fixture.check("GET /healthz", &[], 200, "ok\n");
    let listeners = fixture.ask("GET /api/v1/listeners", &[]);
    assert!(
        listeners.head.contains("access-control-allow-origin: *"),
        "{}",
        listeners.head
    );
    let shown: serde_json::Value = serde_json::from_str(&listeners.body).expect("JSON");
    let entry = |port: u16, protocol: &str| {
        serde_json::json!({
            "port": port, "protocol": protocol, "tls": false, "mtls": false, "allow_anonymous": true,
        })
    };
    let expected = serde_json::json!({
        "listeners": [entry(fixture.mqtt, "mqtt"), entry(fixture.http, "httpapi")],
    });
    assert_eq!(shown, expected);
}

#[test]
fn figures_are_of_this_moment() {
    let fixture = Fixture::start("allow_anonymous true\nsys_interval 0\n", &[]);
    let address = (Ipv4Addr::LOCALHOST, fixture.mqtt).into();
    let mut client = RawPeer::connect(address, Version::V4, "client");
    client.publish("t", b"12345", QoS::AtLeastOnce, true);
    let tree = fixture.ask("GET /api/v1/systree", &[]).body;
    let tree: serde_json::Value = serde_json::from_str(&tree).expect("JSON");
    assert_eq!(tree["$SYS/broker/clients/connected"], 1);
    assert_eq!(tree["$SYS/broker/publish/bytes/received"], 5);
    assert_eq!(tree["$SYS/broker/retained messages/count"], 1);
    let metrics = fixture.ask("GET /metrics", &[]);
    assert!(
        metrics.head.contains("text/plain; version=0.0.4"),
        "{}",
        metrics.head
    );
    for line in [
        "# TYPE mqtt_broker_publish_bytes_received_total counter\n",
        "\nmqtt_broker_publish_bytes_received_total 5\n",
        "# TYPE mqtt_broker_clients_connected gauge\nmqtt_broker_clients_connected 1\n",
    ] {
        assert!(metrics.body.contains(line), "{line}: {}", metrics.body);
    }
    client.disconnect();
}

#[test]
fn names_are_asked_for_where_mqtt_would_ask() {
    let fixture = Fixture::start("password_file users\n", &[("users", &users())]);
    for (lines, status) in [(&[][..], 401), (&[WRONG], 401), (&[RIGHT], 200)] {
        for path in ["/api/v1/version", "/api/v1/systree", "/metrics"] {
            let answer = fixture.ask(&format!("GET {path}"), lines);
            assert_eq!(answer.status, status, "{path} {lines:?}");
            if status == 401 {
                assert_eq!(answer.body, "Not authorised\n");
                assert!(
                    answer.head.contains("www-authenticate: basic realm="),
                    "{}",
                    answer.head
                );
            }
        }
    }
    fixture.check("GET /healthz", &[], 200, "ok\n");
    fixture
        .broker
        .wait_for("Login over HTTP from 127.0.0.1 failed: wrong name or password.");
}

#[test]
fn guessing_over_http_is_held_back_too() {
    let fixture = Fixture::start("password_file users\n", &[("users", &users())]);
    for _ in 0..17 {
        assert_eq!(fixture.ask("GET /metrics", &[WRONG]).status, 401);
    }
    fixture
        .broker
        .wait_for("the answer is held back for 250 ms.");
    assert_eq!(fixture.ask("GET /metrics", &[RIGHT]).status, 200);
}

#[test]
fn rights_are_on_paths() {
    let acl = "topic read /api/v1/version\npattern read /%c/x\n";
    let fixture = Fixture::start("allow_anonymous true\nacl_file acl\n", &[("acl", acl)]);
    assert_eq!(fixture.ask("GET /api/v1/version", &[]).status, 200);
    assert_eq!(fixture.ask("GET /api/v1/systree", &[]).status, 401);
    assert_eq!(fixture.ask("GET /http-api/x", &[]).status, 404);
}

#[test]
fn files_are_served_from_their_folder_alone() {
    let files = [
        ("www/index.html", "<html></html>"),
        ("www/a b/s.css", "p {}"),
        ("secret", "secret"),
    ];
    let fixture = Fixture::start("allow_anonymous true\nhttp_dir www\n", &files);
    fixture.check("GET /", &[], 200, "<html></html>");
    let css = fixture.ask("GET /a%20b/s.css", &[]);
    assert_eq!((css.status, css.body.as_str()), (200, "p {}"));
    assert!(css.head.contains("content-type: text/css"), "{}", css.head);
    for path in [
        "/missing",
        "/../secret",
        "/%2e%2e/secret",
        "/a%20b",
        "/a%20b/",
    ] {
        fixture.check(&format!("GET {path}"), &[], 404, "Not found.\n");
    }
    fixture.check("GET ../secret", &[], 404, "Not found.\n");
    fixture.check("PUT /index.html", &[], 405, "Invalid HTTP Method\n");
}

#[test]
fn what_is_no_request_is_cut_off_and_delays_nobody() {
    let fixture = Fixture::start("allow_anonymous true\n", &[]);
    // A head that does not end, one that is too long, and something else altogether.
    let mut slow = fixture.open();
    slow.write_all(b"GET / HTTP/1.1\r\nX: ")
        .expect("it is read");
    let mut long = fixture.open();
    let _ = long.write_all(&[b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'x'; 100_000]].concat());
    let mut answer = Vec::new();
    let _ = long.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
    let mut mqtt = fixture.open();
    mqtt.write_all(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test")
        .expect("it is read");
    let mut answer = Vec::new();
    let _ = mqtt.read_to_end(&mut answer);
    assert_ne!(answer.first(), Some(&0x20), "that would be a CONNACK");
    fixture.check("GET /healthz", &[], 200, "ok\n");
    drop(slow);
}
