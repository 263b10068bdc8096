//! The ways in: Unix sockets, WebSocket, proxies, and doors under siege.

use crate::program::{Folder, Started, free_port};
use mqtt_net::{ConnectOptions, Stream, Target, WebSocketOptions, connect};
use mqtt_proto::Version;
use mqtt_testkit::peer::RawPeer;
use mqtt_testkit::program::Program;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// CONNECT of MQTT 3.1.1 for the client `w`, and what it gets.
const HELLO: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01w";
const WELCOME: &[u8] = b"\x20\x02\x00\x00";

const RUNNING: &str = concat!(env!("CARGO_PKG_VERSION"), " running");

/// A broker with a configuration in which `{port}` stands for a free port.
fn start(conf: &str) -> (Folder, Started, u16) {
    let port = free_port();
    let folder = Folder::with("test.conf", conf.replace("{port}", &port.to_string()));
    let broker = folder.start(&["-v", "-c", "test.conf"]);
    broker.wait_for(RUNNING);
    (folder, broker, port)
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Runs what needs a runtime.
fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

/// Begins a session on any kind of stream.
async fn say_hello(stream: &mut Stream) {
    stream.write_all(HELLO).await.expect("it is open");
    stream.flush().await.expect("it is open");
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.expect("a CONNACK");
    assert_eq!(answer, WELCOME);
}

/// Subscribes to everything and sends `length` bytes to itself.
async fn echo(stream: &mut Stream, length: usize) {
    let subscribe = b"\x82\x06\x00\x01\x00\x01#\x00";
    stream.write_all(subscribe).await.expect("it is open");
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await.expect("a SUBACK");
    let mut publish = vec![0x30];
    let mut rest = length + 3;
    while rest > 0 {
        let more = if rest > 127 { 0x80 } else { 0 };
        publish.push(u8::try_from(rest % 128).expect("seven bits") | more);
        rest /= 128;
    }
    publish.extend(b"\x00\x01t");
    publish.extend((0..length).map(|at| u8::try_from(at % 251).expect("below 251")));
    let mut back = vec![0; publish.len()];
    let (mut read, mut write) = tokio::io::split(stream);
    let (sent, received) = tokio::join!(
        async {
            write.write_all(&publish).await?;
            write.flush().await
        },
        read.read_exact(&mut back)
    );
    sent.expect("it is open");
    received.expect("the message comes back");
    assert!(back == publish, "the message comes back as it was");
}

#[test]
fn a_unix_socket_serves_clients_and_goes_with_the_broker() {
    let conf = "listener 0 broker.sock\nallow_anonymous true\nlistener {port} 127.0.0.1\n";
    let (folder, broker, _) = start(conf);
    let path = folder.path("broker.sock");
    wait(async {
        let way = ConnectOptions::new(Target::Unix(path.clone()));
        let mut stream = connect(&way).await.expect("the socket is there");
        assert_eq!(stream.to_string(), "a Unix socket");
        say_hello(&mut stream).await;
        echo(&mut stream, 300_000).await;
    });
    let lines = broker.wait_for("New client connected from");
    let expected = "New connection from broker.sock:0 on port 0.";
    assert!(
        lines.iter().any(|line| line.ends_with(expected)),
        "{lines:?}"
    );
    let (code, _) = broker.end(Signal::TERM);
    assert_eq!(code, Some(0));
    assert!(!path.exists());
}

#[test]
fn mqtt_travels_in_web_socket_frames() {
    let conf = "listener {port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n";
    let (_folder, broker, port) = start(conf);
    wait(async {
        let mut way = ConnectOptions::tcp("127.0.0.1", port);
        way.websocket = Some(WebSocketOptions {
            path: "/any/path".into(),
            headers: Vec::new(),
        });
        let mut stream = connect(&way).await.expect("a WebSocket");
        assert_eq!(stream.to_string(), "WebSocket over TCP");
        say_hello(&mut stream).await;
        for length in [0, 100, 70_000, 1_000_000] {
            echo(&mut stream, length).await;
        }
        let mut plain = connect(&ConnectOptions::tcp("127.0.0.1", port))
            .await
            .expect("the port is open");
        plain
            .write_all(b"GET / HTTP/1.1\r\n\r\n")
            .await
            .expect("it is open");
        let mut answer = String::new();
        plain.read_to_string(&mut answer).await.expect("text");
        assert!(
            answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"),
            "{answer}"
        );
    });
    broker.wait_for("disconnected: this port is for MQTT over WebSocket, not for web pages.");
}

#[test]
fn mqtt_or_tls_without_web_socket_is_turned_away_at_its_first_byte() {
    let conf = "listener {port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n";
    let (_folder, broker, port) = start(conf);
    for hello in [HELLO, b"\x16\x03\x01"] {
        let mut socket = TcpStream::connect(at(port)).expect("the port is open");
        socket.write_all(hello).expect("it is open");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).expect("it is closed");
        assert!(answer.is_empty());
        broker.wait_for(
            "this port is for MQTT over WebSocket, and the client speaks something else.",
        );
    }
}

#[test]
fn a_page_of_another_origin_is_turned_away() {
    let conf = "listener {port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n\
                websockets_origin https://example.org\n";
    let (_folder, broker, port) = start(conf);
    let mut socket = TcpStream::connect(at(port)).expect("the port is open");
    socket
        .write_all(
            b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: 1JaITHdgDZVd/4OE2AzTTA==\r\nSec-WebSocket-Protocol: mqtt\r\n\
              Sec-WebSocket-Version: 13\r\nOrigin: https://example.com\r\n\r\n",
        )
        .expect("it is open");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("it is closed");
    assert!(answer.is_empty());
    broker.wait_for("its page comes from 'https://example.com', which no websockets_origin allows");
    broker.wait_for("disconnected: non-matching http origin.");
}

#[test]
fn a_proxy_tells_whom_it_brings() {
    let conf = "listener {port} 127.0.0.1\nenable_proxy_protocol 1\nallow_anonymous true\n";
    let (_folder, broker, port) = start(conf);
    // A header in two pieces, and a client right behind it.
    let mut socket = TcpStream::connect(at(port)).expect("the port is open");
    socket
        .write_all(b"PROXY TCP4 192.0.2.5 ")
        .expect("it is open");
    socket
        .write_all(&[b"127.0.0.1 6275 1883\r\n", HELLO].concat())
        .expect("it is open");
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).expect("a CONNACK");
    assert_eq!(answer, WELCOME);
    let lines = broker.wait_for("New client connected from 192.0.2.5:6275 as w ");
    let first = lines
        .iter()
        .find(|line| line.contains("New connection"))
        .expect("it is announced");
    assert!(first.ends_with(&format!(
        "New connection from 192.0.2.5:6275 on port {port}."
    )));
    // Whoever comes without a proxy is turned away.
    let mut stranger = TcpStream::connect(at(port)).expect("the port is open");
    stranger
        .write_all(&[HELLO, &[b'x'; 200]].concat())
        .expect("it is open");
    let mut rest = Vec::new();
    // It may also be reset, with bytes of ours unread.
    let _ = stranger.read_to_end(&mut rest);
    assert!(rest.is_empty());
    broker.wait_for("Connection rejected, corrupt PROXY header.");
}

/// This process may have as many sockets as the system grants.
fn take_all_sockets() {
    let limit = getrlimit(Resource::Nofile);
    let all = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, all).expect("up to the maximum it may always be raised");
}

#[test]
fn a_thousand_handshakes_that_never_end_keep_nobody_out() {
    take_all_sockets();
    let web = free_port();
    let conf = format!(
        "listener {{port}} 127.0.0.1\nlistener {web} 127.0.0.1\nprotocol websockets\n\
         allow_anonymous true\nlog_type none\n"
    );
    let port = free_port();
    let folder = Folder::with("test.conf", conf.replace("{port}", &port.to_string()));
    let _broker = folder.start(&["-c", "test.conf"]);
    let limit = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(at(web)).is_err() {
        assert!(Instant::now() < limit, "the broker starts");
        std::thread::yield_now();
    }
    let silent: Vec<TcpStream> = (0..1000)
        .map(|number| {
            let (place, beginning) = match number % 2 {
                0 => (port, &HELLO[..5]),
                _ => (web, &b"GET /mqtt HTTP/1.1\r\n"[..]),
            };
            let mut socket = TcpStream::connect(at(place)).expect("the port is open");
            socket.write_all(beginning).expect("it is open");
            socket
        })
        .collect();
    RawPeer::connect(at(port), Version::V5, "late").disconnect();
    wait(async {
        let mut way = ConnectOptions::tcp("127.0.0.1", web);
        way.websocket = Some(WebSocketOptions::default());
        let mut stream = connect(&way).await.expect("a WebSocket");
        say_hello(&mut stream).await;
    });
    drop(silent);
}

#[test]
fn without_sockets_the_broker_keeps_its_clients_and_recovers() {
    let port = free_port();
    let conf = format!("listener {port} 127.0.0.1\nallow_anonymous true\n");
    let folder = Folder::with("test.conf", conf);
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 40 && exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_mqtt-broker"))
        .args(["-c", "test.conf"])
        .current_dir(folder.path(""))
        .env("PUID", "0");
    let broker = Program::of(command);
    broker.expect_stderr(RUNNING);
    let mut client = RawPeer::connect(at(port), Version::V4, "old");
    let begun = Instant::now();
    let crowd: Vec<TcpStream> = (0..80)
        .map(|_| TcpStream::connect(at(port)).expect("the system keeps it for the broker"))
        .collect();
    let complaint = "Unable to accept new connection, system socket count has been exceeded.";
    broker.expect_stderr(complaint);
    client.expect_nothing();
    drop(crowd);
    RawPeer::connect(at(port), Version::V4, "new").disconnect();
    client.expect_nothing();
    let seconds = begun.elapsed().as_secs();
    broker.signal(Signal::TERM);
    let ended = broker.finish();
    let complaints = ended.stderr.matches(complaint).count();
    assert!(
        complaints as u64 <= seconds + 2,
        "{complaints} complaints in {seconds} seconds"
    );
}
