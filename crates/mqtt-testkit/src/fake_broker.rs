//! A broker that follows a script: it compares what a client sends byte for byte, and sends raw bytes.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// No step of a script takes longer than this, on a busy machine either.
const LIMIT: Duration = Duration::from_secs(60);

/// A listening socket on loopback, on a free port.
#[derive(Debug)]
pub struct FakeBroker {
    listener: TcpListener,
}

impl FakeBroker {
    /// Listens.
    ///
    /// # Panics
    /// If loopback cannot be listened on.
    #[allow(clippy::new_without_default)]
    pub fn new() -> FakeBroker {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        FakeBroker { listener }
    }

    /// Its port.
    ///
    /// # Panics
    /// If the system does not tell.
    pub fn port(&self) -> u16 {
        self.listener
            .local_addr()
            .expect("a bound socket has an address")
            .port()
    }

    /// The next client's connection.
    ///
    /// # Panics
    /// If none comes in time.
    pub fn accept(&self) -> FakeConnection {
        self.listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        let start = std::time::Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream
                        .set_nonblocking(false)
                        .expect("a socket can be made blocking");
                    stream
                        .set_read_timeout(Some(LIMIT))
                        .expect("the limit is not zero");
                    stream.set_nodelay(true).expect("TCP has this option");
                    return FakeConnection { stream };
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && start.elapsed() < LIMIT => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("no client has connected: {error}"),
            }
        }
    }

    /// Like [`accept`](Self::accept), and has the client connected: its CONNECT, then this CONNACK.
    ///
    /// # Panics
    /// As there, and if the first packet is not CONNECT.
    pub fn connected(&self, connack: &[u8]) -> FakeConnection {
        let mut connection = self.accept();
        let connect = connection.packet();
        assert_eq!(connect[0], 0x10, "expected CONNECT, got {}", show(&connect));
        connection.send(connack);
        connection
    }
}

/// One client's connection.
#[derive(Debug)]
pub struct FakeConnection {
    stream: TcpStream,
}

impl FakeConnection {
    /// Sends bytes as they are.
    ///
    /// # Panics
    /// If the client does not take them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the client reads");
    }

    /// Reads as many bytes as expected, and compares.
    ///
    /// # Panics
    /// If others come, or fewer.
    #[track_caller]
    pub fn expect(&mut self, expected: &[u8]) {
        let mut got = vec![0; expected.len()];
        let mut filled = 0;
        while filled < got.len() {
            match self.stream.read(&mut got[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) => {
                    panic!(
                        "expected {}, got {} and then {error}",
                        show(expected),
                        show(&got[..filled])
                    )
                }
            }
        }
        assert_eq!(
            show(&got[..filled]),
            show(expected),
            "left: what came, right: what was expected"
        );
    }

    /// The next packet, whole.
    ///
    /// # Panics
    /// If the connection ends or stands still inside of it.
    #[track_caller]
    pub fn packet(&mut self) -> Vec<u8> {
        let mut packet = vec![self.byte()];
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            packet.push(byte);
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let start = packet.len();
        packet.resize(start + length, 0);
        self.stream
            .read_exact(&mut packet[start..])
            .expect("a packet is sent whole");
        packet
    }

    #[track_caller]
    fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.stream.read_exact(&mut byte).expect("another packet");
        byte[0]
    }

    /// Waits until the client has closed its side, having sent nothing more.
    ///
    /// # Panics
    /// If it sends something, or stays.
    #[track_caller]
    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        let ended = self.stream.read_to_end(&mut rest);
        assert_eq!(show(&rest), "", "more came (left)");
        ended.expect("the client closes its side");
    }

    /// Waits for DISCONNECT without a reason, and for the end.
    ///
    /// # Panics
    /// If something else comes.
    #[track_caller]
    pub fn expect_disconnect(mut self) {
        self.expect(&[0xe0, 0]);
        self.expect_end();
    }

    /// Ends the connection as a broker does that stops: without a word.
    ///
    /// # Panics
    /// If the client was faster.
    pub fn close(self) {
        self.stream
            .shutdown(Shutdown::Both)
            .expect("the connection is open");
    }
}

/// Bytes as a reader of a failed test wants to see them.
fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
