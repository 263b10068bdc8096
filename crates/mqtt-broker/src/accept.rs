//! Letting connections in: one loop a door, and what happens when the system has no more sockets.

use crate::arrival;
use crate::broker::{Core, Shared};
use crate::listener::{Door, DoorSocket};
use crate::log::Line;
use mqtt_net::Socket;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

/// How soon a door that got no socket tries again. Clients wait in the system's queue meanwhile.
const RETRY: Duration = Duration::from_millis(200);

/// Whether a socket has what its listener was told about Nagle's algorithm (see `listener/tcp.rs`).
const INHERITS_NODELAY: bool = cfg!(target_os = "linux");

/// Lets connections in through a door until the task is aborted, which closes the door.
///
/// # Errors
/// The runtime cannot watch the socket.
pub(crate) fn start(shared: &Arc<Shared>, door: Door) -> io::Result<JoinHandle<()>> {
    let shared = shared.clone();
    let listener = door.listener;
    match door.socket {
        DoorSocket::Tcp(socket) => {
            let socket = tokio::net::TcpListener::from_std(socket)?;
            Ok(tokio::spawn(accept_tcp(shared, socket, listener)))
        }
        #[cfg(unix)]
        DoorSocket::Unix(mut door) => {
            let socket = door.take_listener()?;
            Ok(tokio::spawn(async move {
                let address = format!("{}:0", door.path.display());
                accept_unix(shared, socket, &address, listener).await;
            }))
        }
        #[cfg(not(unix))]
        DoorSocket::Unix(door) => match door {},
    }
}

async fn accept_tcp(shared: Arc<Shared>, door: tokio::net::TcpListener, listener: usize) {
    loop {
        match door.accept().await {
            Ok((socket, address)) => {
                if !INHERITS_NODELAY {
                    let _ = socket.set_nodelay(true);
                }
                let address = format!("{}:{}", address.ip(), address.port());
                let gate = shared.gate(listener);
                arrival::open(&shared, Socket::Tcp(socket), address, gate).await;
            }
            Err(error) => pause_after(&shared, &error).await,
        }
    }
}

#[cfg(unix)]
async fn accept_unix(
    shared: Arc<Shared>,
    door: tokio::net::UnixListener,
    address: &str,
    listener: usize,
) {
    loop {
        match door.accept().await {
            Ok((socket, _)) => {
                let gate = shared.gate(listener);
                arrival::open(&shared, Socket::Unix(socket), address.into(), gate).await;
            }
            Err(error) => pause_after(&shared, &error).await,
        }
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
