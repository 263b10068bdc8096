//! A connection with all its layers, as one stream of MQTT's bytes.

use std::fmt;
use std::net::SocketAddr;

use crate::socket::{Socket, one_of_streams};
use crate::tls::TlsStream;
use crate::websocket::WebSocket;

/// A socket, in clear or under TLS.
#[derive(Debug)]
pub enum Layer {
    /// In clear.
    Clear(Socket),
    /// Under TLS.
    Tls(Box<TlsStream<Socket>>),
}

one_of_streams!(Layer: Clear, Tls);

/// A connection to a server.
#[derive(Debug)]
pub enum Stream {
    /// MQTT lies in the socket's or TLS's bytes.
    Direct(Layer),
    /// MQTT lies in WebSocket frames.
    WebSocket(Box<WebSocket<Layer>>),
}

one_of_streams!(Stream: Direct, WebSocket);

impl Stream {
    /// The layer below MQTT or WebSocket.
    fn layer(&self) -> &Layer {
        match self {
            Self::Direct(layer) => layer,
            Self::WebSocket(websocket) => websocket.get_ref(),
        }
    }

    /// What TLS has agreed on, if the connection has it.
    pub fn tls(&self) -> Option<&TlsStream<Socket>> {
        match self.layer() {
            Layer::Clear(_) => None,
            Layer::Tls(tls) => Some(tls),
        }
    }

    /// The address at the other end; none of a Unix socket. Behind a proxy it is the proxy's.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        let socket = match self.layer() {
            Layer::Clear(socket) => socket,
            Layer::Tls(tls) => tls.get_ref(),
        };
        match socket {
            Socket::Tcp(socket) => socket.peer_addr().ok(),
            #[cfg(unix)]
            Socket::Unix(_) => None,
        }
    }
}

impl fmt::Display for Stream {
    /// What the layers are: `WebSocket over TLS over TCP`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::WebSocket(_) = self {
            f.write_str("WebSocket over ")?;
        }
        let socket = match self.layer() {
            Layer::Clear(socket) => socket,
            Layer::Tls(tls) => {
                f.write_str("TLS over ")?;
                tls.get_ref()
            }
        };
        f.write_str(match socket {
            Socket::Tcp(_) => "TCP",
            #[cfg(unix)]
            Socket::Unix(_) => "a Unix socket",
        })
    }
}
