//! The doors: sockets that listen, and the loop that lets connections in.

use crate::broker::Shared;
use crate::config::{Config, Listener, SocketDomain};
use crate::connection;
use crate::log::{Line, Log};
use crate::peer::Peer;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;

/// Connections that the system keeps for us while we are busy.
const BACKLOG: i32 = 1024;

/// A door that could not be opened.
#[derive(Debug, Error)]
#[error("{source}")]
pub struct StartError {
    /// The port that was asked for.
    pub port: u16,
    /// The address that was asked for; all of them if `None`.
    pub host: Option<String>,
    /// Why not.
    pub source: io::Error,
}

/// A socket that listens, and the number of the listener in the configuration that it is for.
pub(crate) struct Door {
    pub(crate) socket: std::net::TcpListener,
    pub(crate) listener: usize,
}

/// Opens every door of a configuration; with port 0 the system chooses.
///
/// # Errors
/// The first that could not be opened. In local-only mode one that could is enough.
pub(crate) fn open(config: &mut Config, log: &mut Log) -> Result<Vec<Door>, StartError> {
    let mut doors = Vec::new();
    let mut failure = None;
    for (number, listener) in config.listeners.iter_mut().enumerate() {
        match open_listener(listener, number, log) {
            Ok(opened) => doors.extend(opened),
            Err(error) => {
                log.line(Line::Failure {
                    what: &text_of(&error.source),
                });
                let is_fatal =
                    !config.local_only || error.source.kind() == io::ErrorKind::AddrInUse;
                failure.get_or_insert(error);
                if is_fatal {
                    break;
                }
            }
        }
    }
    match failure {
        Some(error)
            if doors.is_empty()
                || !config.local_only
                || error.source.kind() == io::ErrorKind::AddrInUse =>
        {
            Err(error)
        }
        _ => Ok(doors),
    }
}

fn open_listener(
    listener: &mut Listener,
    number: usize,
    log: &mut Log,
) -> Result<Vec<Door>, StartError> {
    let host = listener.host.clone();
    let fail = |port: u16, source: io::Error| StartError {
        port,
        host: host.clone(),
        source,
    };
    let addresses = addresses(listener).map_err(|error| fail(listener.port, error))?;
    let is_any = listener.host.is_none();
    let mut doors = Vec::new();
    for address in addresses {
        let address = SocketAddr::new(address, listener.port);
        let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
        log.line(Line::Listening {
            family,
            port: address.port(),
        });
        match bind(address) {
            Ok(socket) => {
                if listener.port == 0 {
                    listener.port = socket.local_addr().map_err(|error| fail(0, error))?.port();
                }
                doors.push(Door {
                    socket,
                    listener: number,
                });
            }
            // A computer without IPv6 still listens on all that it has.
            Err(error)
                if is_any
                    && address.is_ipv6()
                    && !doors.is_empty()
                    && is_missing_family(&error) => {}
            Err(error) => return Err(fail(address.port(), error)),
        }
    }
    Ok(doors)
}

/// The addresses that a listener means.
fn addresses(listener: &Listener) -> io::Result<Vec<IpAddr>> {
    let wanted = |address: &IpAddr| match listener.socket_domain {
        None => true,
        Some(SocketDomain::Ipv4) => address.is_ipv4(),
        Some(SocketDomain::Ipv6) => address.is_ipv6(),
    };
    let mut found: Vec<IpAddr> = match &listener.host {
        None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        Some(host) => (host.as_str(), listener.port)
            .to_socket_addrs()?
            .map(|address| address.ip())
            .collect(),
    };
    found.retain(wanted);
    found.dedup();
    if found.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            "the name has no address of this socket_domain",
        ));
    }
    Ok(found)
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, so that the log shows IPv4 addresses as such.
        socket.set_only_v6(true)?;
    }
    // On Windows this option would let a second broker take over half of the clients.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn is_missing_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.kind() == io::ErrorKind::Unsupported
        || error
            .raw_os_error()
            .is_some_and(|code| code == 97 || code == 10047)
}

/// The system's words without the number that Rust puts behind them.
pub(crate) fn text_of(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

/// Lets connections in until the broker stops.
pub(crate) async fn accept(shared: Arc<Shared>, listener: TcpListener, number: usize) {
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                let peer = Peer::new(format!("{}:{}", address.ip(), address.port()));
                connection::open(&shared, socket, peer, number).await;
            }
            Err(error) => pause_after(&shared, &error).await,
        }
    }
}

/// A failed accept: one client that was too quick to leave, or no more sockets for anybody.
async fn pause_after(shared: &Shared, error: &io::Error) {
    const RETRY: Duration = Duration::from_secs(1);
    let is_one_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    );
    if !is_one_client {
        shared.log(Line::OutOfSockets);
        tokio::time::sleep(RETRY).await;
    }
}
