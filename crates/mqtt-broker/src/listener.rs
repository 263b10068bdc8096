//! The doors: sockets that listen, one listener of the configuration after the other.

mod first_bytes;
mod share;
mod tcp;
mod unix;

use crate::config::{Config, Listener};
use crate::log::{Line, Log};
use std::io;
use thiserror::Error;

pub(crate) use unix::{HAS_UNIX_SOCKETS, UnixDoor};

/// Connections that the system keeps for us while we are busy.
const BACKLOG: i32 = 1024;

/// A door that could not be opened.
#[derive(Debug, Error)]
#[error("{source}")]
pub struct StartError {
    /// The port that was asked for; 0 for a Unix socket.
    pub port: u16,
    /// The address or path that was asked for; all addresses if `None`.
    pub host: Option<String>,
    /// Why not.
    pub source: io::Error,
}

impl StartError {
    /// Not a door, but the store behind them could not be opened.
    pub(crate) fn of_store(what: String) -> StartError {
        StartError {
            port: 0,
            host: None,
            source: io::Error::other(what),
        }
    }
}

/// A socket that listens, and the number of the listener in the configuration that it is for.
pub(crate) struct Door {
    pub(crate) socket: DoorSocket,
    pub(crate) listener: usize,
}

/// What kind of socket a door is.
pub(crate) enum DoorSocket {
    Tcp(std::net::TcpListener),
    Unix(UnixDoor),
}

/// Opens every door of a configuration; with port 0 and no path the system chooses.
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

/// Opens the doors of one listener: for a name or all addresses there may be several.
///
/// # Errors
/// One that could not be opened; then none is.
pub(crate) fn open_listener(
    listener: &mut Listener,
    number: usize,
    log: &mut Log,
) -> Result<Vec<Door>, StartError> {
    let sockets = match &listener.unix {
        Some(path) => {
            let place = path.display().to_string();
            log.line(Line::ListeningUnix { path: &place });
            let door = UnixDoor::open(path).map_err(|source| StartError {
                port: 0,
                host: Some(place),
                source,
            })?;
            vec![DoorSocket::Unix(door)]
        }
        None => tcp::open(listener, log)?
            .into_iter()
            .map(DoorSocket::Tcp)
            .collect(),
    };
    let door = |socket| Door {
        socket,
        listener: number,
    };
    Ok(sockets.into_iter().map(door).collect())
}

/// The system's words without the number that Rust puts behind them.
pub(crate) fn text_of(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
