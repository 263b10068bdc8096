//! Certificates, keys and revocation lists from their files, with what is wrong with them in words.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::encrypted::{self, Passphrase};
use super::{chain, names};

/// A file that TLS needs cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// What the file should hold: `certificate`, `key`, `CA certificates`.
    what: &'static str,
    path: PathBuf,
    problem: String,
    is_denied: bool,
}

impl FileError {
    pub(super) fn new(what: &'static str, path: &Path, problem: impl Into<String>) -> Self {
        Self {
            what,
            path: path.to_owned(),
            problem: problem.into(),
            is_denied: false,
        }
    }

    fn unreadable(what: &'static str, path: &Path, error: &io::Error) -> Self {
        let text = error.to_string();
        let words = text.split(" (os error").next().unwrap_or(&text);
        Self {
            is_denied: error.kind() == io::ErrorKind::PermissionDenied,
            ..Self::new(what, path, format!("it cannot be read: {words}"))
        }
    }

    /// Whether the user that the program runs as may not read the file.
    pub fn is_denied(&self) -> bool {
        self.is_denied
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.as_os_str().is_empty() {
            return write!(f, "{}: {}", self.what, self.problem);
        }
        write!(
            f,
            "the {} file '{}' cannot be used: {}",
            self.what,
            self.path.display(),
            self.problem
        )
    }
}

impl std::error::Error for FileError {}

/// The bytes of a file that should be PEM.
fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes =
        std::fs::read(path).map_err(|error| FileError::unreadable(what, path, &error))?;
    if bytes.starts_with(&[0x30, 0x82]) {
        let problem = "it is in binary form (DER). Turn it into text: `openssl x509 -inform DER -in FILE -out FILE.pem`";
        return Err(FileError::new(what, path, problem));
    }
    // A certificate that was pasted into an editor on Windows.
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// All sections of a PEM file.
fn sections(
    what: &'static str,
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<(SectionKind, Vec<u8>)>, FileError> {
    <(SectionKind, Vec<u8>)>::pem_slice_iter(bytes)
        .map(|section| {
            section.map_err(|error| FileError::new(what, path, format!("it is damaged ({error})")))
        })
        .collect()
}

/// What a file holds instead of what was looked for.
fn other(found: &[(SectionKind, Vec<u8>)], wanted: &str) -> String {
    let holds = found.first().map(|section| match section.0 {
        SectionKind::Certificate => "a certificate",
        SectionKind::PublicKey => "a public key",
        SectionKind::RsaPrivateKey | SectionKind::PrivateKey | SectionKind::EcPrivateKey => {
            "a private key"
        }
        SectionKind::Crl => "a revocation list",
        SectionKind::Csr => "a request for a certificate, which an authority has yet to sign",
        _ => "something else",
    });
    match holds {
        Some(holds) => format!("there is no {wanted} in it, but {holds}"),
        None => format!(
            "there is no {wanted} in it (it should have a line that begins with -----BEGIN)"
        ),
    }
}

/// The certificates of a file, in its order.
pub(super) fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let found = sections(what, path, &read(what, path)?)?;
    let chain: Vec<CertificateDer<'static>> = found
        .iter()
        .filter(|section| section.0 == SectionKind::Certificate)
        .map(|section| section.1.clone().into())
        .collect();
    if chain.is_empty() {
        return Err(FileError::new(what, path, other(&found, "certificate")));
    }
    if let Some(at) = chain.iter().position(|one| names::parse(one).is_none()) {
        return Err(FileError::new(
            what,
            path,
            format!("certificate {} in it is damaged", at + 1),
        ));
    }
    Ok(chain)
}

/// The first private key of a file; `ask` is asked if it is encrypted.
fn key(path: &Path, ask: &Passphrase<'_>) -> Result<PrivateKeyDer<'static>, FileError> {
    let bytes = read("key", path)?;
    if let Some(sealed) = encrypted::find(&bytes) {
        return encrypted::decrypt(path, &sealed, ask);
    }
    if encrypted::is_old_form(&bytes) {
        let problem = "it is encrypted in a form that OpenSSL has given up. Write it anew with `openssl pkcs8 -topk8 -in KEY -out NEWKEY`";
        return Err(FileError::new("key", path, problem));
    }
    let found = sections("key", path, &bytes)?;
    let key = found.iter().find_map(|(kind, der)| match kind {
        SectionKind::PrivateKey => Some(PrivateKeyDer::Pkcs8(der.clone().into())),
        SectionKind::RsaPrivateKey => Some(PrivateKeyDer::Pkcs1(der.clone().into())),
        SectionKind::EcPrivateKey => Some(PrivateKeyDer::Sec1(der.clone().into())),
        _ => None,
    });
    key.ok_or_else(|| FileError::new("key", path, other(&found, "private key")))
}

/// A certificate with its chain and key, ready to sign, once it is sure that they belong together.
/// If there is no chain in its file, `authorities` may complete it, as OpenSSL does: the other side
/// may know only the last of them.
///
/// # Errors
/// A file cannot be used, or the key is another one's.
pub(super) fn identity(
    provider: &CryptoProvider,
    certificate: &Path,
    key_file: &Path,
    authorities: &[CertificateDer<'static>],
    ask: &Passphrase<'_>,
) -> Result<Arc<CertifiedKey>, FileError> {
    let mut chain = certificates("certificate", certificate)?;
    let key = key(key_file, ask)?;
    let signer = provider.key_provider.load_private_key(key).map_err(|_| {
        let problem =
            "its kind is not known here: RSA from 2048 bits, ECDSA (P-256, P-384) and Ed25519 are";
        FileError::new("key", key_file, problem)
    })?;
    // The library compares them, too, but refuses certificates of version 1 on the way, which
    // many hand-outs still tell people to make.
    let own = names::parse(&chain[0]).map(|parsed| parsed.public_key().raw.to_vec());
    let signs_for = signer.public_key().map(|key| key.as_ref().to_vec());
    if signs_for.is_some() && own != signs_for {
        let problem = format!(
            "it does not belong to the certificate in '{}'",
            certificate.display()
        );
        return Err(FileError::new("key", key_file, problem));
    }
    if chain.len() == 1 {
        chain.extend(chain::issuers(&chain[0], authorities));
    }
    Ok(Arc::new(CertifiedKey::new(chain, signer)))
}

/// The authorities of a file and of all files of a folder.
///
/// # Errors
/// The file or the folder has none.
pub(super) fn authorities(
    file: Option<&Path>,
    folder: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, FileError> {
    let mut found = match file {
        Some(file) => certificates("CA certificate", file)?,
        None => Vec::new(),
    };
    if let Some(folder) = folder {
        let before = found.len();
        let entries = std::fs::read_dir(folder)
            .map_err(|error| FileError::unreadable("CA certificate", folder, &error))?;
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .collect();
        paths.sort();
        // OpenSSL looks a name up in a folder by its hash; here all of it is read.
        for path in paths.iter().filter(|path| path.is_file()) {
            found.extend(certificates("CA certificate", path).unwrap_or_default());
        }
        if found.len() == before {
            let problem = "no file in this folder holds a certificate";
            return Err(FileError::new("CA certificate", folder, problem));
        }
    }
    Ok(found)
}

/// Makes authorities of certificates; those that the library cannot read are left out.
pub(super) fn roots(certificates: &[CertificateDer<'static>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates.iter().cloned());
    roots
}

/// The revocation lists of a file.
pub(super) fn revocations(
    path: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, FileError> {
    let found = sections("revocation list", path, &read("revocation list", path)?)?;
    let lists: Vec<_> = found
        .iter()
        .filter(|section| section.0 == SectionKind::Crl)
        .map(|section| CertificateRevocationListDer::from(section.1.clone()))
        .collect();
    if lists.is_empty() {
        return Err(FileError::new(
            "revocation list",
            path,
            other(&found, "revocation list"),
        ));
    }
    Ok(lists)
}
