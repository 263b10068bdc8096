//! What proxies, browsers and peers send, whole and broken; `scripts/fuzz.sh` runs this for longer.

use mqtt_net::websocket::{Role, ServerRules, WebSocket, accept};
use mqtt_net::{Brought, ProxyHeaderError, ProxyVersion, parse_proxy_header, read_proxy_header};
use mqtt_testkit::fuzz::{Target, check};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A peer that has sent `bytes`, comes in pieces of `piece`, and takes whatever it is sent.
struct Sent<'a> {
    bytes: &'a [u8],
    piece: usize,
}

impl AsyncRead for Sent<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = self.piece.min(self.bytes.len()).min(buffer.remaining());
        let (now, later) = self.bytes.split_at(count);
        buffer.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Sent<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs what never has to wait.
fn now<T>(work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for a peer that has sent everything"),
    }
}

const PROXY: Target = Target {
    name: "PROXY header",
    make: |choices, input| {
        if choices.flag() {
            input.extend(b"PROXY TCP4 192.0.2.5 127.0.0.1 6275 1883\r\n");
            return;
        }
        input.extend(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x22");
        input.extend([192, 0, 2, 5, 127, 0, 0, 1, 0x18, 0x83, 7, 0x5b]);
        input.extend(b"\x20\x00\x13\x05\0\0\0\0\x21\x00\x03TLS\x22\x00\x05alice");
    },
    words: &[
        b"PROXY ", b"TCP6 ", b"UNKNOWN", b"\r\n", b"\x31", b"::1", b"65535",
    ],
    run: |input| {
        for version in [ProxyVersion::V1, ProxyVersion::V2] {
            let parsed = parse_proxy_header(version, input);
            if let Ok(Brought::Client(client)) = &parsed {
                assert!(!client.address.contains(char::is_control), "{client:?}");
            }
            // Read from a stream, a header is the same, and ends where it ends.
            let piece = 1 + input.len() % 7;
            let mut stream = Sent {
                bytes: input,
                piece,
            };
            let read = now(read_proxy_header(&mut stream, version));
            match (parsed, read) {
                (Ok(one), Ok(other)) => assert_eq!(one, other),
                (Ok(one), Err(error)) => panic!("{one:?}, but {error:?}"),
                // Version 1 may have more behind its line.
                (Err(_), Ok(_)) => assert_eq!(version, ProxyVersion::V1),
                (Err(_), Err(ProxyHeaderError::Io(_))) | (Err(_), Err(_)) => {}
            }
        }
    },
};

const REQUEST: Target = Target {
    name: "WebSocket request",
    make: |_, input| {
        input.extend(
            b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Key: 1JaITHdgDZVd/4OE2AzTTA==\r\nSec-WebSocket-Protocol: mqtt\r\n\
              Sec-WebSocket-Version: 13\r\nOrigin: https://example.org\r\n\r\n",
        );
    },
    words: &[b"\r\n\r\n", b"GET ", b"mqttv3.1", b"13", b": ", b"Upgrade"],
    run: |input| {
        let rules = ServerRules {
            origins: vec!["https://example.org".into()],
            longest_head: 600,
        };
        for piece in [1, input.len().max(1)] {
            let stream = Sent {
                bytes: input,
                piece,
            };
            // What is not a request is refused, and that is all there is to it.
            drop(now(accept(stream, &rules)));
        }
    },
};

const FRAMES: Target = Target {
    name: "WebSocket frames",
    make: |choices, input| {
        for _ in 0..choices.below(5) {
            let kind: &[u8] = choices.one_of(&[
                b"\x82\x83\x01\x02\x03\x04abc".as_slice(),
                b"\x02\x81\x01\x02\x03\x04a",
                b"\x80\x81\x01\x02\x03\x04a",
                b"\x89\x82\x01\x02\x03\x04pi",
                b"\x8a\x80\x01\x02\x03\x04",
                b"\x88\x82\x00\x00\x00\x00\x03\xe8",
                b"\x82\x05clear",
            ]);
            input.extend_from_slice(kind);
        }
    },
    words: &[b"\x82\xfe", b"\x82\xff", b"\x81", b"\x88", b"\x7e\x00\x7e"],
    run: |input| {
        for role in [Role::Server, Role::Client] {
            let whole = carried(role, input, input.len().max(1));
            let cut = carried(role, input, 1 + input.len() % 5);
            assert_eq!(whole, cut, "as {role:?}");
            assert!(whole.0.len() <= input.len());
        }
    },
};

/// What the frames carry, and how that ended.
fn carried(role: Role, input: &[u8], piece: usize) -> (Vec<u8>, Option<String>) {
    let stream = Sent {
        bytes: input,
        piece,
    };
    let mut websocket = WebSocket::new(stream, role, Vec::new());
    let mut bytes = Vec::new();
    let ended = now(tokio::io::AsyncReadExt::read_to_end(
        &mut websocket,
        &mut bytes,
    ));
    (bytes, ended.err().map(|error| error.to_string()))
}

#[test]
fn fuzz_proxy_header() {
    check(&PROXY, 20_000);
}

#[test]
fn fuzz_websocket_request() {
    check(&REQUEST, 5_000);
}

#[test]
fn fuzz_websocket_frames() {
    check(&FRAMES, 20_000);
}
