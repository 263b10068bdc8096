//! Who is at the other end of a connection, as far as the way that it came by can tell.

/// The other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The remote address and port as in the log: `127.0.0.1:45496`, `::1:45496`; for a Unix
    /// socket its path and port 0.
    pub address: Box<str>,
    /// Whether the address is the client's. A connection from a proxy has the proxy's address
    /// until its first bytes have told for whom it comes; it is not spoken of before.
    pub is_known: bool,
    /// What TLS has shown, here or at the proxy; `None` in clear.
    pub secured: Option<Box<Secured>>,
}

/// What a TLS handshake has agreed on and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secured {
    /// Whether it was a proxy that spoke TLS with the client, and told of it.
    pub by_proxy: bool,
    /// The version as in the log: `TLSv1.3`; empty if a proxy did not tell.
    pub version: String,
    /// The cipher suite as in the log; empty if a proxy did not tell.
    pub cipher: String,
    /// The common name of the client's certificate, for `use_identity_as_username`.
    pub identity: Option<String>,
    /// The whole subject of the client's certificate, for `use_subject_as_username`.
    pub subject: Option<String>,
}

impl Peer {
    /// A client at `address`, with its port, that came in clear.
    pub fn new(address: impl Into<Box<str>>) -> Peer {
        Peer {
            address: address.into(),
            is_known: true,
            secured: None,
        }
    }

    /// A proxy at `address` that has yet to say for whom it comes.
    pub fn proxy(address: impl Into<Box<str>>) -> Peer {
        Peer {
            is_known: false,
            ..Peer::new(address)
        }
    }

    /// The address without its port.
    pub fn host(&self) -> &str {
        self.address
            .rsplit_once(':')
            .map_or(&*self.address, |(host, _)| host)
    }
}
