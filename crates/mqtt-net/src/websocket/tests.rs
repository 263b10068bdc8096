//! Both roles against each other, and against peers that do not know the rules.

use super::*;
use crate::options::WebSocketOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

async fn pair(size: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (near, far) = duplex(size);
    let options = WebSocketOptions::default();
    let rules = ServerRules::default();
    let (client, server) = tokio::join!(
        request(near, "localhost:8080", &options),
        accept(far, &rules)
    );
    (client.unwrap(), server.unwrap())
}

#[tokio::test]
async fn bytes_go_both_ways_through_a_narrow_pipe() {
    let (mut client, mut server) = pair(3).await;
    let sent: Vec<u8> = (0..5000_u32).map(|n| n as u8).collect();
    let expected = sent.clone();
    let echo = tokio::spawn(async move {
        let mut bytes = vec![0; 5000];
        server.read_exact(&mut bytes).await.unwrap();
        server.write_all(&bytes).await.unwrap();
        server.flush().await.unwrap();
        // The client ends it, and that is a good end.
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
    });
    client.write_all(&sent).await.unwrap();
    client.flush().await.unwrap();
    let mut got = vec![0; 5000];
    client.read_exact(&mut got).await.unwrap();
    assert_eq!(got, expected);
    client.shutdown().await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    echo.await.unwrap();
}

#[tokio::test]
async fn a_batch_of_slices_is_one_frame_and_nothing_is_kept_of_it() {
    let (near, mut far) = duplex(1 << 20);
    let mut server = WebSocket::new(near, Role::Server, Vec::new());
    let slices = [&b"ab"[..], b"", b"cde"].map(IoSlice::new);
    let count = std::future::poll_fn(|cx| Pin::new(&mut server).poll_write_vectored(cx, &slices))
        .await
        .unwrap();
    assert_eq!(count, 5);
    server.flush().await.unwrap();
    let mut frame = [0; 7];
    far.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x82\x05abcde");
    assert_eq!(server.out.capacity(), 0, "an idle one holds no buffer");
}

#[tokio::test]
async fn a_large_write_is_taken_in_frames_of_bounded_size() {
    let (near, _far) = duplex(16);
    let mut server = WebSocket::new(near, Role::Server, Vec::new());
    let large = vec![0; 3 * LARGEST_FRAME];
    let first = server.write(&large).await.unwrap();
    assert_eq!(first, LARGEST_FRAME);
    // The peer does not read: no more is taken than one frame.
    let more = tokio::time::timeout(std::time::Duration::ZERO, server.write(&large)).await;
    assert!(more.is_err());
    assert!(server.out.len() <= LARGEST_FRAME + 14);
}

#[tokio::test]
async fn what_came_with_the_request_is_read_first() {
    let (near, _far) = duplex(64);
    let early = b"\x82\x85\0\0\0\0first".to_vec();
    let mut server = WebSocket::new(near, Role::Server, early);
    let mut got = [0; 2];
    server.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"fi");
    let mut rest = [0; 3];
    server.read_exact(&mut rest).await.unwrap();
    assert_eq!(&rest, b"rst");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_pings_and_does_not_read_costs_little() {
    let (near, mut far) = duplex(64);
    let mut server = WebSocket::new(near, Role::Server, Vec::new());
    let reader = tokio::spawn(async move {
        let mut buffer = [0; 1024];
        let limit = std::time::Duration::from_millis(200);
        let read = tokio::time::timeout(limit, server.read(&mut buffer)).await;
        assert!(read.is_err(), "{read:?}");
        server.out.len()
    });
    let ping = [b"\x89\xfd\0\0\0\0".to_vec(), vec![7; 125]].concat();
    let pings = async {
        for _ in 0..1000 {
            if far.write_all(&ping).await.is_err() {
                break;
            }
        }
    };
    // It stops to read, and so this does not end.
    let blocked = tokio::time::timeout(std::time::Duration::from_secs(5), pings).await;
    let kept = reader.await.unwrap();
    assert!(kept < 2 * MOST_ANSWERS, "{kept} bytes of answers");
    drop(blocked);
}

#[tokio::test]
async fn a_text_frame_is_an_error_after_what_came_before_it() {
    let (near, mut far) = duplex(1024);
    let mut server = WebSocket::new(near, Role::Server, Vec::new());
    far.write_all(b"\x82\x82\0\0\0\0ok\x81\x81\0\0\0\0x")
        .await
        .unwrap();
    let mut got = [0; 10];
    assert_eq!(server.read(&mut got).await.unwrap(), 2);
    let error = server.read(&mut got).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(
        error.to_string(),
        "WebSocket: a text frame, and MQTT is binary"
    );
    let mut close = [0; 4];
    far.read_exact(&mut close).await.unwrap();
    assert_eq!(&close, b"\x88\x02\x03\xeb");
}

/// What a server says to a request.
async fn answer(request: &str, rules: &ServerRules) -> (String, Option<Refused>) {
    let (near, mut far) = duplex(64 * 1024);
    far.write_all(request.as_bytes()).await.unwrap();
    let accepted = accept(near, rules).await;
    let (refused, open) = match accepted {
        Ok(open) => (None, Some(open)),
        Err(refused) => (Some(refused), None),
    };
    drop(open);
    let mut text = String::new();
    far.read_to_string(&mut text).await.unwrap();
    (text, refused)
}

const GOOD: &str = "GET /anything HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: 1JaITHdgDZVd/4OE2AzTTA==\r\n\
    Sec-WebSocket-Protocol: chat, mqtt\r\nSec-WebSocket-Version: 13\r\n\
    Origin: https://example.org\r\n\r\n";

#[tokio::test]
async fn a_good_request_is_answered_with_mosquittos_words() {
    let answered = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: Ako91O0lxiq8gN0+b9YCijMx8lk=\r\n\
        Sec-WebSocket-Protocol: mqtt\r\n\r\n";
    let rules = ServerRules::default();
    assert_eq!(answer(GOOD, &rules).await.0, answered);
    let old = GOOD.replace("chat, mqtt", "mqttv3.1");
    let expected = answered.replace(": mqtt\r", ": mqttv3.1\r");
    assert_eq!(answer(&old, &rules).await.0, expected);
}

#[tokio::test]
async fn a_request_for_something_else_is_refused_with_the_reason() {
    for (from, to, status) in [
        ("GET", "POST", "405"),
        ("Upgrade: websocket", "Upgrade: h2c", "426"),
        ("keep-alive, Upgrade", "keep-alive", "426"),
        ("Version: 13", "Version: 8", "426"),
        ("HTTP/1.1", "HTTP/1.0", "400"),
        ("Sec-WebSocket-Key", "Sec-WebSocket-Kay", "400"),
        ("4OE2AzTTA==", "", "400"),
        ("chat, mqtt", "chat", "400"),
        ("Host: h", "Host h", "400"),
    ] {
        let request = GOOD.replace(from, to);
        let (text, refused) = answer(&request, &ServerRules::default()).await;
        assert!(
            text.starts_with(&format!("HTTP/1.1 {status} ")),
            "{to}: {text}"
        );
        let reason = refused.unwrap().to_string();
        assert!(text.ends_with(&format!("\r\n\r\n{reason}\n")), "{text}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_are_told_nothing() {
    let rules = |origin: &str| ServerRules {
        origins: vec!["https://example.com".into(), origin.into()],
        ..ServerRules::default()
    };
    let (_, refused) = answer(GOOD, &rules("https://example.org")).await;
    assert!(refused.is_none());
    for origin in [
        "https://example.or",
        "https://example.org.evil",
        "example.org",
    ] {
        let (text, refused) = answer(GOOD, &rules(origin)).await;
        assert!(matches!(refused, Some(Refused::Origin(_))), "{origin}");
        assert_eq!(text, "");
    }
    // Programs send none.
    let none = GOOD.replace("Origin: https://example.org\r\n", "");
    assert!(answer(&none, &rules("x")).await.1.is_none());
}

#[tokio::test]
async fn a_request_without_end_is_given_up_at_the_limit() {
    let rules = ServerRules {
        longest_head: 300,
        ..ServerRules::default()
    };
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(1000));
    let (text, refused) = answer(&endless, &rules).await;
    assert!(text.starts_with("HTTP/1.1 431 "), "{text}");
    assert!(refused.is_some());
    assert!(answer(GOOD, &rules).await.1.is_none());
}

/// What a client says to an answer.
async fn client_error(reply: &str) -> String {
    let (near, mut far) = duplex(64 * 1024);
    let reply = reply.to_owned();
    let server = tokio::spawn(async move {
        let mut request = [0; 1024];
        let _ = far.read(&mut request).await;
        far.write_all(reply.as_bytes()).await.unwrap();
    });
    let error = request(near, "h", &WebSocketOptions::default())
        .await
        .unwrap_err();
    server.await.unwrap();
    error.to_string()
}

#[tokio::test]
async fn a_client_says_what_answered_instead() {
    let upgraded =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    for (reply, expected) in [
        ("\x20\x02\0\x05", "does not speak HTTP"),
        ("", "does not speak HTTP"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "answers 404 Not Found to the request for a WebSocket at /mqtt",
        ),
        (
            &format!("{upgraded}\r\n"),
            "Sec-WebSocket-Accept is not ours",
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "does not say that it upgrades",
        ),
    ] {
        let error = client_error(reply).await;
        assert!(error.contains(expected), "{reply:?}: {error}");
    }
}

#[tokio::test]
async fn a_client_sends_the_path_and_the_headers_that_were_asked_for() {
    let (near, mut far) = duplex(64 * 1024);
    let options = WebSocketOptions {
        path: "/broker?x=1".into(),
        headers: vec![
            ("Authorization".into(), "Bearer x".into()),
            ("host".into(), "other".into()),
        ],
    };
    let asking = tokio::spawn(async move { request(near, "h:8080", &options).await.is_err() });
    let mut text = vec![0; 4096];
    let count = far.read(&mut text).await.unwrap();
    let text = String::from_utf8_lossy(&text[..count]).into_owned();
    assert!(text.starts_with("GET /broker?x=1 HTTP/1.1\r\n"), "{text}");
    assert!(text.contains("\r\nAuthorization: Bearer x\r\n"), "{text}");
    assert!(
        text.contains("\r\nhost: other\r\n") && !text.contains("h:8080"),
        "{text}"
    );
    drop(far);
    assert!(asking.await.unwrap());
}

#[tokio::test]
async fn what_cannot_stand_in_a_request_is_said_before_it_is_sent() {
    let bad = |path: &str, name: &str, value: &str| WebSocketOptions {
        path: path.into(),
        headers: vec![(name.into(), value.into())],
    };
    for (options, expected) in [
        (bad("mqtt", "X", "y"), "'mqtt' is no path"),
        (bad("/a b", "X", "y"), "'/a b' is no path"),
        (bad("/", "X Y", "y"), "'X Y' is no name of a header"),
        (bad("/", "X", "y\r\nZ: z"), "no control characters"),
        (bad("/", "upgrade", "y"), "belongs to WebSocket itself"),
    ] {
        let (near, _far) = duplex(1024);
        let error = request(near, "h", &options).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
