//! Private keys under a passphrase, in the form that OpenSSL writes by default (PKCS #8).

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls::pki_types::PrivateKeyDer;

use super::files::FileError;

/// Asks for the passphrase of the key in a file; an error says why nobody could be asked.
pub type Passphrase<'a> = dyn Fn(&Path) -> Result<String, String> + 'a;

/// The body of the `ENCRYPTED PRIVATE KEY` in a file; the library passes over such sections.
pub(super) fn find(file: &[u8]) -> Option<Vec<u8>> {
    const LABEL: &str = "ENCRYPTED PRIVATE KEY-----";
    let text = str::from_utf8(file).ok()?;
    let (_, body) = text.split_once(&format!("-----BEGIN {LABEL}"))?;
    let (body, _) = body.split_once(&format!("-----END {LABEL}"))?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// Whether a key is encrypted in OpenSSL's older form, whose headers stand before the body.
pub(super) fn is_old_form(file: &[u8]) -> bool {
    str::from_utf8(file).is_ok_and(|text| text.contains("Proc-Type: 4,ENCRYPTED"))
}

/// Decrypts the body of an `ENCRYPTED PRIVATE KEY`.
///
/// # Errors
/// Nobody could be asked, the passphrase is wrong, or the way of encryption is not known.
pub(super) fn decrypt(
    path: &Path,
    der: &[u8],
    ask: &Passphrase<'_>,
) -> Result<PrivateKeyDer<'static>, FileError> {
    let fail = |problem: String| FileError::new("key", path, problem);
    let sealed = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| {
        fail("its encryption is not known here. Write it anew with `openssl pkcs8 -topk8 -in KEY -out NEWKEY`".into())
    })?;
    let passphrase = ask(path).map_err(|why| fail(format!("it is encrypted, and {why}")))?;
    let open = sealed
        .decrypt(passphrase)
        .map_err(|_| fail("the passphrase is wrong".into()))?;
    Ok(PrivateKeyDer::Pkcs8(open.as_bytes().to_vec().into()))
}
