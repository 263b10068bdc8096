//! The PROXY protocol: what a load balancer says about the client it brings, before the client speaks.
//!
//! Version 1 is a line of text, version 2 a binary header with extras. Both are read to their last
//! byte and not further, and are short: nobody can make a server keep much by half of one.

mod v1;
mod v2;

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Which version a listener expects. It cannot be told from the first bytes by whom one trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// A binary header.
    V2,
}

/// For whom a proxy comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Brought {
    /// A client.
    Client(ProxiedClient),
    /// A client that the proxy says nothing about.
    Unknown,
    /// Nobody: the proxy looks whether the server lives.
    Nobody,
}

/// What a proxy says about a client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxiedClient {
    /// The client's address, or the path of its Unix socket.
    pub address: String,
    /// Its port; 0 for a Unix socket.
    pub port: u16,
    /// What the proxy says about TLS between the client and itself, if there was any.
    pub tls: Option<ProxiedTls>,
}

/// What a proxy says about TLS between a client and itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxiedTls {
    /// Whether the client has shown a certificate, and the proxy has found it good.
    pub has_certificate: bool,
    /// The version, such as `TLSv1.3`.
    pub version: Option<String>,
    /// The cipher suite.
    pub cipher: Option<String>,
    /// The common name of the client's certificate.
    pub common_name: Option<String>,
}

/// A header that is none.
#[derive(Debug, Error)]
pub enum ProxyHeaderError {
    /// It makes no sense.
    #[error("corrupt PROXY header")]
    Corrupt,
    /// It makes no sense from this client's address on.
    #[error("corrupt PROXY header")]
    CorruptOf(ProxiedClient),
    /// It is longer than any header that is needed.
    #[error("PROXY header too long")]
    TooLong,
    /// The connection broke before it was there.
    #[error("{}", crate::error::describe(.0))]
    Io(#[from] io::Error),
}

/// Reads the header at the beginning of a connection.
///
/// # Errors
/// It is not there, or not one.
pub async fn read_proxy_header<S: AsyncRead + Unpin>(
    stream: &mut S,
    version: ProxyVersion,
) -> Result<Brought, ProxyHeaderError> {
    match version {
        ProxyVersion::V1 => {
            let mut line = Vec::with_capacity(v1::LONGEST);
            while !line.ends_with(b"\r\n") {
                if line.len() == v1::LONGEST {
                    return Err(ProxyHeaderError::Corrupt);
                }
                line.push(stream.read_u8().await?);
            }
            v1::parse(&line)
        }
        ProxyVersion::V2 => {
            let mut head = [0; v2::HEAD];
            stream.read_exact(&mut head).await?;
            let head = v2::Head::parse(&head)?;
            let mut body = vec![0; head.length];
            stream.read_exact(&mut body).await?;
            v2::parse(&head, &body)
        }
    }
}

/// Reads the header at the beginning of `bytes`, all of which is there already.
///
/// # Errors
/// It is not there, or not one.
pub fn parse_proxy_header(
    version: ProxyVersion,
    bytes: &[u8],
) -> Result<Brought, ProxyHeaderError> {
    match version {
        ProxyVersion::V1 => v1::parse(bytes),
        ProxyVersion::V2 => {
            let eof = || ProxyHeaderError::Io(io::ErrorKind::UnexpectedEof.into());
            let (head, rest) = bytes.split_first_chunk().ok_or_else(eof)?;
            let head = v2::Head::parse(head)?;
            v2::parse(&head, rest.get(..head.length).ok_or_else(eof)?)
        }
    }
}

#[cfg(test)]
mod tests;
