//! The client's side: what the user says about TLS, and connecting.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::encrypted::Passphrase;
use super::files::{self, FileError};
use super::keylog::FileKeyLog;
use super::reasons::{Seen, TlsError};
use super::stream::{Tap, TlsStream};
use super::verify::{ServerJudge, Trust};
use super::{Ciphers, MinVersion, provider};

/// What a client wants of TLS.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// A file of authorities to trust.
    pub ca_file: Option<PathBuf>,
    /// A folder of such files.
    pub ca_dir: Option<PathBuf>,
    /// Whether to trust the authorities that the system trusts.
    pub use_os_certs: bool,
    /// The client's certificate, followed by those between it and its authority.
    pub cert: Option<PathBuf>,
    /// The key of the certificate.
    pub key: Option<PathBuf>,
    /// Whether to check nothing about the server.
    pub insecure: bool,
    /// The lowest version.
    pub min_version: MinVersion,
    /// The protocol to ask for.
    pub alpn: Option<String>,
    /// Where to append the secrets of each connection, for Wireshark.
    pub keylog: Option<PathBuf>,
    /// The cipher suites to offer; all if there are none.
    pub ciphers: Option<Ciphers>,
}

/// A client's TLS, ready to connect. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    config: Arc<rustls::ClientConfig>,
    identity: Option<Arc<CertifiedKey>>,
    trust: Arc<Trust>,
    insecure: bool,
}

impl ClientOptions {
    /// Reads all files; `ask` is asked for the passphrase if the key is encrypted.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn load(&self, ask: &Passphrase<'_>) -> Result<ClientConfig, FileError> {
        let provider = provider(self.ciphers.as_ref());
        let named = files::authorities(self.ca_file.as_deref(), self.ca_dir.as_deref())?;
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some(files::identity(&provider, cert, key, &named, ask)?),
            _ => None,
        };
        let mut roots = files::roots(&named);
        if self.use_os_certs {
            trust_the_system(&mut roots);
        }
        let algorithms = provider.signature_verification_algorithms;
        let trust = Trust {
            roots,
            named,
            algorithms,
            ignore_dates: false,
            revocations: Vec::new(),
        };
        let trust = Arc::new(trust);
        let judge = ServerJudge {
            trust: trust.clone(),
            insecure: self.insecure,
            nameless: false,
        };
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.min_version.versions())
            .map_err(|error| FileError::new("cipher list", "".as_ref(), error.to_string()))?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(judge))
            .with_no_client_auth();
        config.alpn_protocols = self
            .alpn
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        if let Some(path) = &self.keylog {
            config.key_log = Arc::new(FileKeyLog::open(path)?);
        }
        Ok(ClientConfig {
            config: Arc::new(config),
            identity,
            trust,
            insecure: self.insecure,
        })
    }
}

/// Adds what the system trusts. What cannot be read there is no more trusted than what is not there.
fn trust_the_system(roots: &mut RootCertStore) {
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
}

impl ClientConfig {
    /// Secures a connected stream. `host` is the name or address that was connected to; without one,
    /// as on a Unix socket, the server's certificate may be for any name.
    ///
    /// # Errors
    /// Why there is no secured stream. A server that checks our certificate may say so only later: then
    /// reading fails, with a [`TlsError`] in the error.
    pub async fn connect<S>(&self, stream: S, host: Option<&str>) -> Result<TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let text = host.unwrap_or("localhost");
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or(text);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| TlsError::InvalidName(text.to_owned()))?;
        let lacked = Arc::new(AtomicBool::new(false));
        let mut config = rustls::ClientConfig::clone(&self.config);
        config.client_auth_cert_resolver = Arc::new(Identity {
            certified: self.identity.clone(),
            lacked: lacked.clone(),
        });
        if host.is_none() {
            let judge = ServerJudge {
                trust: self.trust.clone(),
                insecure: self.insecure,
                nameless: true,
            };
            config.dangerous().set_certificate_verifier(Arc::new(judge));
        }
        let connector = TlsConnector::from(Arc::new(config));
        match connector
            .connect(name, Tap::new(stream))
            .into_fallible()
            .await
        {
            Ok(stream) => Ok(TlsStream::new(stream.into(), Some(lacked))),
            Err((error, tap)) => {
                let seen = Seen {
                    head: tap.head(),
                    wants_certificate: lacked.load(Ordering::Relaxed),
                };
                Err(TlsError::of(&error, seen))
            }
        }
    }
}

/// The client's certificate, or the knowledge that one was asked for in vain.
#[derive(Debug)]
struct Identity {
    certified: Option<Arc<CertifiedKey>>,
    lacked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.lacked
            .store(self.certified.is_none(), Ordering::Relaxed);
        self.certified.clone()
    }

    fn has_certs(&self) -> bool {
        // Said also without one: only then does the library tell that the server has asked.
        true
    }
}
