//! Why no connection came about: the step that failed, where, and the cause.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

/// One address that was tried, and why it did not work.
#[derive(Debug)]
pub struct Attempt {
    /// The address tried.
    pub address: SocketAddr,
    /// What the system said.
    pub cause: io::Error,
}

/// Why no connection came about.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The name has no address, or nobody could be asked for it.
    #[error("the name '{host}' was not found ({cause})")]
    Lookup {
        /// The name looked up.
        host: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// Every address failed.
    #[error("{}", listed(attempts))]
    Failed {
        /// The host asked for.
        host: String,
        /// All addresses tried, in the order in which they failed.
        attempts: Vec<Attempt>,
    },
    /// The Unix socket could not be connected to.
    #[error("{}: {}", path.display(), describe(cause))]
    Unix {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The address that the connection should come from is not one of this computer.
    #[error("'{local}' cannot be the address that the connection comes from: {cause}")]
    Local {
        /// What was asked for.
        local: String,
        /// What is wrong with it.
        cause: io::Error,
    },
    /// No SRV record tells where the servers of a domain are.
    #[error("{name}: {cause}")]
    Service {
        /// The name asked for, such as `_mqtt._tcp.example.org`.
        name: String,
        /// What the name servers said.
        cause: io::Error,
    },
    /// The proxy was reached, and did not make the connection.
    #[error("the proxy {proxy}: {cause}")]
    Proxy {
        /// The proxy's host and port.
        proxy: String,
        /// What it said.
        cause: ProxyError,
    },
    /// The server was reached, and there is no TLS with it.
    #[error("{server}: {cause}")]
    Tls {
        /// The server's host and port, or the path of its socket.
        server: String,
        /// Why not.
        cause: crate::tls::TlsError,
    },
    /// The server was reached, and gave no WebSocket.
    #[error("{server}: {cause}")]
    WebSocket {
        /// The server's host and port, or the path of its socket.
        server: String,
        /// What it said instead.
        cause: crate::websocket::HandshakeError,
    },
    /// A handshake was begun and not finished in time.
    #[error("{server}: no answer to {step}")]
    Silent {
        /// The host and port, or path, that keeps silent.
        server: String,
        /// What it was asked for, such as `the TLS greeting`.
        step: &'static str,
    },
}

/// What a SOCKS5 proxy said instead of making the connection.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// It does not know the user name and password, or wants one.
    #[error("{0}")]
    Login(&'static str),
    /// It could not reach the server, or would not.
    #[error("it cannot reach {server}: {cause}")]
    Server {
        /// The server's host and port.
        server: String,
        /// Why not, in the proxy's terms.
        cause: &'static str,
    },
    /// Its answer is not SOCKS5.
    #[error("what answers there is not a SOCKS5 proxy")]
    NotSocks,
    /// User name or password are longer than SOCKS5 can say.
    #[error("user name and password may have 1 to 255 bytes each")]
    LoginLength,
    /// The connection to it broke.
    #[error("{}", describe(.0))]
    Io(#[from] io::Error),
}

impl ConnectError {
    /// The addresses tried; empty when it did not come to that.
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            Self::Failed { attempts, .. } => attempts,
            _ => &[],
        }
    }

    /// Whether every address tried failed with this kind of error.
    pub fn all(&self, kind: io::ErrorKind) -> bool {
        !self.attempts().is_empty() && self.attempts().iter().all(|a| a.cause.kind() == kind)
    }
}

fn listed(attempts: &[Attempt]) -> String {
    let each = attempts
        .iter()
        .map(|attempt| format!("{}: {}", attempt.address, describe(&attempt.cause)));
    each.collect::<Vec<_>>().join("; ")
}

/// The cause in words that are the same on every system where that is possible.
pub(crate) fn describe(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::TimedOut => "no answer".into(),
        io::ErrorKind::HostUnreachable => "no way to this host".into(),
        io::ErrorKind::NetworkUnreachable => "no way to this network".into(),
        io::ErrorKind::NotFound => "it does not exist".into(),
        io::ErrorKind::PermissionDenied => "no right to use it".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
            "it closed the connection".into()
        }
        _ => cause.to_string(),
    }
}
