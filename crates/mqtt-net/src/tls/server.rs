//! The server's side: a listener's files, and accepting.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::sign::SingleCertAndKey;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::encrypted::Passphrase;
use super::files::{self, FileError};
use super::keylog::FileKeyLog;
use super::reasons::{Seen, TlsError};
use super::stream::{Tap, TlsStream};
use super::verify::{ClientJudge, Trust};
use super::{Ciphers, MinVersion, provider};

/// How long a client that was refused may take to read why.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a listener wants of TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerOptions {
    /// The server's certificate, followed by those between it and its authority.
    pub cert: PathBuf,
    /// The key of the certificate.
    pub key: PathBuf,
    /// A file of authorities for the certificates of clients.
    pub ca_file: Option<PathBuf>,
    /// A folder of such files.
    pub ca_dir: Option<PathBuf>,
    /// Certificates of clients that are not good any more.
    pub crl_file: Option<PathBuf>,
    /// Whether clients must show a certificate. If not, they are not asked for one.
    pub require_certificate: bool,
    /// Whether the dates of clients' certificates are overlooked.
    pub ignore_client_dates: bool,
    /// The lowest version.
    pub min_version: MinVersion,
    /// The cipher suites to agree to; all if there are none.
    pub ciphers: Option<Ciphers>,
    /// Where to append the secrets of each connection, for Wireshark.
    pub keylog: Option<PathBuf>,
}

/// A listener's TLS, ready to accept. Cheap to clone; connections keep the one they began with, so it
/// can be replaced while they live.
#[derive(Debug, Clone)]
pub struct ServerConfig(Arc<rustls::ServerConfig>);

impl ServerOptions {
    /// Reads all files; `ask` is asked for the passphrase if the key is encrypted.
    ///
    /// # Errors
    /// A file cannot be used.
    pub fn load(&self, ask: &Passphrase<'_>) -> Result<ServerConfig, FileError> {
        let provider = provider(self.ciphers.as_ref());
        // They are read in any case, so that a wrong file is known at the start.
        let named = files::authorities(self.ca_file.as_deref(), self.ca_dir.as_deref())?;
        let identity = files::identity(&provider, &self.cert, &self.key, &named, ask)?;
        let revocations = match &self.crl_file {
            Some(path) => files::revocations(path)?,
            None => Vec::new(),
        };
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(self.min_version.versions())
            .map_err(|error| FileError::new("cipher list", "".as_ref(), error.to_string()))?;
        let mut config = if self.require_certificate {
            builder.with_client_cert_verifier(self.judge(provider, named, revocations)?)
        } else {
            builder.with_no_client_auth()
        }
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
        // Clients that come back are known by one ticket each, not two.
        config.send_tls13_tickets = 1;
        // The server's order counts, as in Mosquitto.
        config.ignore_client_order = true;
        if let Some(path) = &self.keylog {
            config.key_log = Arc::new(FileKeyLog::open(path)?);
        }
        Ok(ServerConfig(Arc::new(config)))
    }

    fn judge(
        &self,
        provider: Arc<rustls::crypto::CryptoProvider>,
        named: Vec<rustls::pki_types::CertificateDer<'static>>,
        revocations: Vec<rustls::pki_types::CertificateRevocationListDer<'static>>,
    ) -> Result<Arc<dyn ClientCertVerifier>, FileError> {
        let roots = files::roots(&named);
        let path = self
            .ca_file
            .as_deref()
            .or(self.ca_dir.as_deref())
            .unwrap_or("".as_ref());
        let fail = |problem: String| FileError::new("CA certificate", path, problem);
        if named.is_empty() {
            return Err(fail("clients must show certificates, but there is no cafile or capath to check them with".into()));
        }
        let algorithms = provider.signature_verification_algorithms;
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), provider)
            .with_crls(revocations.clone())
            // As Mosquitto: the lists are those of the authority that signs clients' certificates.
            .only_check_end_entity_revocation()
            .enforce_revocation_expiration()
            .build()
            .map_err(|error| fail(error.to_string()))?;
        let trust = Trust {
            roots,
            named,
            algorithms,
            ignore_dates: self.ignore_client_dates,
            revocations,
        };
        Ok(Arc::new(ClientJudge { inner, trust }))
    }
}

impl ServerConfig {
    /// Secures an accepted stream.
    ///
    /// # Errors
    /// Why there is no secured stream, and the stream: [`farewell`](Self::farewell) lets the client
    /// read the reason.
    pub async fn accept<S>(&self, stream: S) -> Result<TlsStream<S>, (TlsError, S)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(self.0.clone());
        match acceptor.accept(Tap::new(stream)).into_fallible().await {
            Ok(stream) => Ok(TlsStream::new(stream.into(), None)),
            Err((error, tap)) => {
                let seen = Seen {
                    head: tap.head(),
                    wants_certificate: false,
                };
                Err((TlsError::of(&error, seen), tap.into_inner()))
            }
        }
    }

    /// Closes a stream that was refused, so that the alert arrives: closing with unread bytes would make
    /// the system take it back.
    pub async fn farewell<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
        let drain = async {
            let mut rubbish = [0; 1024];
            if stream.shutdown().await.is_ok() {
                while stream.read(&mut rubbish).await.is_ok_and(|count| count > 0) {}
            }
        };
        // Whoever goes on sending is cut off.
        let _ = tokio::time::timeout(FAREWELL, drain).await;
    }
}
