//! TLS for both roles: from files to a configuration, from a stream to a secured stream.
//!
//! [`ClientOptions`] and [`ServerOptions`] are what a user says; `load` reads the files into a
//! [`ClientConfig`] or [`ServerConfig`], which are cheap to clone. These turn any byte stream into a
//! [`TlsStream`]: TCP, a Unix socket, or what a proxy has opened. What goes wrong is a [`FileError`]
//! before there is a connection, and a [`TlsError`] afterwards; both are sentences for the user.

mod chain;
mod ciphers;
mod client;
mod encrypted;
mod files;
mod keylog;
mod names;
mod reasons;
mod server;
mod stream;
#[cfg(test)]
mod tests;
mod verify;

pub use ciphers::Ciphers;
pub use client::{ClientConfig, ClientOptions};
pub use encrypted::Passphrase;
pub use files::FileError;
pub use names::PeerNames;
pub use reasons::{Answer, TlsError};
pub use server::{ServerConfig, ServerOptions};
pub use stream::TlsStream;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The lowest version of TLS that a side agrees to. Older ones than 1.2 do not exist here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum MinVersion {
    /// TLS 1.2 and 1.3.
    #[default]
    V1_2,
    /// TLS 1.3 only.
    V1_3,
}

impl MinVersion {
    /// Reads Mosquitto's name of a version: `tlsv1.2`, `tlsv1.3`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "tlsv1.2" => Some(Self::V1_2),
            "tlsv1.3" => Some(Self::V1_3),
            _ => None,
        }
    }

    fn versions(self) -> &'static [&'static rustls::SupportedProtocolVersion] {
        static BOTH: [&rustls::SupportedProtocolVersion; 2] =
            [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Self::V1_2 => &BOTH,
            Self::V1_3 => &BOTH[..1],
        }
    }
}

/// All that computes: ring, with the cipher suites that were asked for.
fn provider(ciphers: Option<&Ciphers>) -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    if let Some(ciphers) = ciphers {
        provider
            .cipher_suites
            .retain(|suite| ciphers.allows(suite.suite()));
        provider
            .cipher_suites
            .sort_by_key(|suite| ciphers.rank(suite.suite()));
    }
    Arc::new(provider)
}
