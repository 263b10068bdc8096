//! What a connection goes to, and through what: everything that is said before it is made.

use std::path::PathBuf;
use std::time::Duration;

use crate::tls::ClientConfig;

/// The whole way to a server.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// Where the server is.
    pub target: Target,
    /// The address or name of this computer that the connection comes from (`-A`).
    pub local: Option<String>,
    /// A SOCKS5 proxy that makes the connection for us.
    pub proxy: Option<Proxy>,
    /// TLS, if the server speaks it.
    pub tls: Option<ClientConfig>,
    /// Whether MQTT travels in WebSocket frames, and how the server is asked for that.
    pub websocket: Option<WebSocketOptions>,
    /// The whole attempt, from name lookup to the last handshake, ends after this time.
    pub timeout: Duration,
    /// The head start of one address before the next one is tried beside it.
    pub stagger: Duration,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A TCP port of a computer.
    Tcp {
        /// Its name or address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// The servers that the SRV records of a domain name (`-S`).
    Service {
        /// The domain.
        domain: String,
        /// Asks for `_secure-mqtt._tcp` instead of `_mqtt._tcp`.
        secure: bool,
    },
}

/// A SOCKS5 proxy. It also looks up the server's name, as in `socks5h://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// The proxy's name or address.
    pub host: String,
    /// Its port; 1080 by custom.
    pub port: u16,
    /// User name and password, if it wants to know who asks.
    pub login: Option<(String, String)>,
}

/// How a server is asked for a WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketOptions {
    /// The path in the request, with its slash.
    pub path: String,
    /// Further header lines, as names and values.
    pub headers: Vec<(String, String)>,
}

impl Default for WebSocketOptions {
    /// The path that all brokers know, and no further headers.
    fn default() -> Self {
        Self {
            path: "/mqtt".into(),
            headers: Vec::new(),
        }
    }
}

impl ConnectOptions {
    /// The plain way to `target`.
    pub fn new(target: Target) -> Self {
        // A refused connect takes two seconds on Windows, and `localhost` is often ::1 first: without
        // the stagger every lab command against an IPv4-only broker would hang that long.
        Self {
            target,
            local: None,
            proxy: None,
            tls: None,
            websocket: None,
            timeout: Duration::from_secs(10),
            stagger: Duration::from_millis(200),
        }
    }

    /// The plain way to a TCP port of `host`.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        Self::new(Target::Tcp { host, port })
    }
}
