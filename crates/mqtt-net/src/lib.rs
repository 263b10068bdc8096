//! How MQTT bytes travel: connecting sockets, reading and writing packets.
//!
//! [`connect`] goes the way that [`ConnectOptions`] describe: to every address that a name has, or to
//! a Unix socket, through a SOCKS5 proxy, under TLS, into WebSocket frames; what comes out is a
//! [`Stream`], or a [`ConnectError`] that says where the way ended. [`Connection`] then moves bytes between that socket and two buffers: whole packets are taken
//! from [`Connection::input`] in place, packets to send are appended to [`Connection::output`], and
//! [`Connection::turn`] waits until something has moved. What the bytes mean is `mqtt-proto`'s business.

mod connect;
mod connection;
mod dial;
mod error;
mod options;
mod proxy_protocol;
mod socket;
mod socks;
mod srv;
mod stream;
pub mod tls;
pub mod websocket;

pub use connect::connect;
pub use connection::{Connection, Turn};
pub use error::{Attempt, ConnectError, ProxyError};
pub use options::{ConnectOptions, Proxy, Target, WebSocketOptions};
pub use proxy_protocol::{
    Brought, ProxiedClient, ProxiedTls, ProxyHeaderError, ProxyVersion, parse_proxy_header,
    read_proxy_header,
};
pub use socket::Socket;
pub use stream::{Layer, Stream};
