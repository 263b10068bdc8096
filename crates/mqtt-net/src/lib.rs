//! How MQTT bytes travel: connecting sockets, reading and writing packets.
//!
//! [`connect`] turns a host name and a port into a connected socket, trying every address the name
//! has. [`Connection`] then moves bytes between that socket and two buffers: whole packets are taken
//! from [`Connection::input`] in place, packets to send are appended to [`Connection::output`], and
//! [`Connection::turn`] waits until something has moved. What the bytes mean is `mqtt-proto`'s business.

mod connect;
mod connection;
pub mod tls;

pub use connect::{Attempt, ConnectError, ConnectOptions, connect};
pub use connection::{Connection, Turn};
