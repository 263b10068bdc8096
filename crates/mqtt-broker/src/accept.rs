//! Letting connections in: one loop a door, and what happens when the system has no more sockets.

use crate::arrival;
use crate::broker::{Core, Shared};
use crate::listener::{Door, DoorSocket};
use crate::log::Line;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

#[cfg(not(unix))]
pub(crate) use other::{Newcomer, TcpDoor};
#[cfg(unix)]
pub(crate) use unix::{Newcomer, TcpDoor};

/// How soon a door that got no socket tries again. Clients wait in the system's queue meanwhile.
const RETRY: Duration = Duration::from_millis(200);

/// So many connections are let in before those that are in have their turn.
const ROW: usize = 16;

/// Lets connections in through a door until the task is aborted, which closes the door.
///
/// # Errors
/// The runtime cannot watch the socket.
pub(crate) fn start(shared: &Arc<Shared>, door: Door) -> io::Result<JoinHandle<()>> {
    let shared = shared.clone();
    let listener = door.listener;
    match door.socket {
        DoorSocket::Tcp(socket) => {
            let socket = TcpDoor::new(socket)?;
            Ok(tokio::spawn(accept_tcp(shared, socket, listener)))
        }
        #[cfg(unix)]
        DoorSocket::Unix(mut door) => {
            let socket = unix::Doorway::unix(door.take_listener()?)?;
            Ok(tokio::spawn(async move {
                let address: Box<str> = format!("{}:0", door.path.display()).into();
                let mut row = 0;
                loop {
                    let accepted = socket
                        .accept()
                        .await
                        .map(|newcomer| (newcomer, address.clone()));
                    take(&shared, accepted, listener, &mut row).await;
                }
            }))
        }
        #[cfg(not(unix))]
        DoorSocket::Unix(door) => match door {},
    }
}

async fn accept_tcp(shared: Arc<Shared>, door: TcpDoor, listener: usize) {
    let mut row = 0;
    loop {
        let accepted = door.accept().await;
        let accepted = accepted.map(|(newcomer, address)| (newcomer, address_text(address)));
        take(&shared, accepted, listener, &mut row).await;
    }
}

/// An address and port as in the log: `127.0.0.1:45496`, `::1:45496`. Each connection needs it, so
/// that of IPv4 is not left to `format!`, which takes ten times as long.
fn address_text(address: SocketAddr) -> Box<str> {
    let SocketAddr::V4(address) = address else {
        return format!("{}:{}", address.ip(), address.port()).into();
    };
    let (mut text, mut length) = ([0; "255.255.255.255:65535".len()], 0);
    let mut add = |part: &str| {
        text[length..][..part.len()].copy_from_slice(part.as_bytes());
        length += part.len();
    };
    let mut number = itoa::Buffer::new();
    for (at, byte) in address.ip().octets().into_iter().enumerate() {
        add(if at == 0 { "" } else { "." });
        add(number.format(byte));
    }
    add(":");
    add(number.format(address.port()));
    // Digits, dots and a colon are always text.
    std::str::from_utf8(&text[..length])
        .unwrap_or_default()
        .into()
}

/// Takes in who was accepted.
async fn take(
    shared: &Arc<Shared>,
    accepted: io::Result<(Newcomer, Box<str>)>,
    listener: usize,
    row: &mut usize,
) {
    match accepted {
        Ok((newcomer, address)) => {
            arrival::open(shared, newcomer, address, listener).await;
        }
        Err(error) => pause_after(shared, &error).await,
    }
    *row += 1;
    if row.is_multiple_of(ROW) {
        tokio::task::yield_now().await;
    }
}

/// A failed accept: one client that was too quick to leave, or no more sockets for anybody.
async fn pause_after(shared: &Shared, error: &io::Error) {
    let is_one_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    );
    if !is_one_client {
        // All doors fail at the same time; the log hears of it once a second.
        if shared.with(Core::may_complain) {
            shared.log(Line::OutOfSockets);
        }
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(not(unix))]
mod other {
    //! Each connection is watched by the runtime, and has a task.

    use crate::broker::Shared;
    use crate::connection::{self, Layers};
    use crate::connection_state::ConnectionKey;
    use mqtt_net::Socket;
    use std::io;
    use std::net::SocketAddr;
    use std::sync::Arc;

    pub(crate) struct TcpDoor(tokio::net::TcpListener);

    impl TcpDoor {
        pub(crate) fn new(listener: std::net::TcpListener) -> io::Result<TcpDoor> {
            tokio::net::TcpListener::from_std(listener).map(TcpDoor)
        }

        pub(crate) async fn accept(&self) -> io::Result<(Newcomer, SocketAddr)> {
            let (socket, address) = self.0.accept().await?;
            let _ = socket.set_nodelay(true);
            Ok((Newcomer(socket), address))
        }
    }

    /// A connection that was just accepted.
    pub(crate) struct Newcomer(tokio::net::TcpStream);

    impl Newcomer {
        /// Has a connection served that speaks MQTT from its first byte on.
        pub(crate) fn serve(self, shared: &Arc<Shared>, key: ConnectionKey) {
            connection::spawn(shared, self.0, key, Layers::None);
        }

        /// The socket as the runtime watches it.
        ///
        /// # Errors
        /// None here.
        pub(crate) fn into_socket(self) -> io::Result<Socket> {
            Ok(Socket::Tcp(self.0))
        }
    }
}

#[cfg(unix)]
mod unix {
    //! A plain connection joins the crowd; only where something lies in between it is watched by the runtime.

    use crate::broker::Shared;
    use crate::connection_state::ConnectionKey;
    use crate::crowd;
    use mio::net::{TcpListener, UnixListener};
    use mqtt_net::Socket;
    use std::io;
    use std::net::SocketAddr;
    use std::os::fd::AsRawFd;
    use std::sync::Arc;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// Whether a socket has what its listener was told about Nagle's algorithm (see `listener/tcp.rs`).
    const INHERITS_NODELAY: bool = cfg!(target_os = "linux");

    /// Whether a TCP connection has something to be read when it comes in (see `listener/first_bytes.rs`).
    const COMES_WITH_BYTES: bool = cfg!(target_os = "linux");

    /// A socket that listens.
    pub(crate) struct Doorway<L: AsRawFd>(AsyncFd<L>);

    pub(crate) type TcpDoor = Doorway<TcpListener>;

    impl Doorway<TcpListener> {
        pub(crate) fn new(listener: std::net::TcpListener) -> io::Result<Self> {
            let listener = TcpListener::from_std(listener);
            crowd::watched(listener).map(Doorway)
        }

        pub(crate) async fn accept(&self) -> io::Result<(Newcomer, SocketAddr)> {
            let (socket, address) = self
                .0
                .async_io(Interest::READABLE, TcpListener::accept)
                .await?;
            if !INHERITS_NODELAY {
                let _ = socket.set_nodelay(true);
            }
            Ok((Newcomer::Tcp(socket.into()), address))
        }
    }

    impl Doorway<UnixListener> {
        pub(crate) fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
            let listener = UnixListener::from_std(listener);
            crowd::watched(listener).map(Doorway)
        }

        pub(crate) async fn accept(&self) -> io::Result<Newcomer> {
            let (socket, _) = self
                .0
                .async_io(Interest::READABLE, UnixListener::accept)
                .await?;
            Ok(Newcomer::Unix(socket.into()))
        }
    }

    /// A connection that was just accepted.
    pub(crate) enum Newcomer {
        Tcp(std::net::TcpStream),
        Unix(std::os::unix::net::UnixStream),
    }

    impl Newcomer {
        /// Has a connection served that speaks MQTT from its first byte on.
        pub(crate) fn serve(self, shared: &Arc<Shared>, key: ConnectionKey) {
            let (socket, has_bytes) = match self {
                Newcomer::Tcp(socket) => (socket.into(), COMES_WITH_BYTES),
                Newcomer::Unix(socket) => (socket.into(), false),
            };
            crowd::join(shared, socket, has_bytes, key);
        }

        /// The socket as the runtime watches it.
        ///
        /// # Errors
        /// The runtime cannot watch it.
        pub(crate) fn into_socket(self) -> io::Result<Socket> {
            match self {
                Newcomer::Tcp(socket) => tokio::net::TcpStream::from_std(socket).map(Socket::Tcp),
                Newcomer::Unix(socket) => {
                    tokio::net::UnixStream::from_std(socket).map(Socket::Unix)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::address_text;
    use std::net::SocketAddr;

    #[test]
    fn an_address_stands_in_the_log_without_brackets() {
        for (address, expected) in [
            ("127.0.0.1:45496", "127.0.0.1:45496"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("255.255.255.255:65535", "255.255.255.255:65535"),
            ("10.20.100.9:80", "10.20.100.9:80"),
            ("[::1]:45496", "::1:45496"),
            ("[2001:db8::17]:1883", "2001:db8::17:1883"),
        ] {
            let address: SocketAddr = address.parse().expect(address);
            assert_eq!(&*address_text(address), expected);
        }
    }
}
