//! Certificates for tests and for the test server: authorities, servers, clients, good ones and bad.

use std::io;
use std::path::{Path, PathBuf};

use pkcs8::PrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

/// What opens `client-encrypted.key` and `server-encrypted.key`.
pub const PASSPHRASE: &str = "open sesame";

/// The day on which the expired certificates ended, as our programs write it.
pub const EXPIRED_ON: &str = "2020-01-02 00:00 UTC";

/// The names and addresses of every good server here.
const SERVER: &[&str] = &["localhost", "127.0.0.1", "::1"];

/// A folder of certificates. For a name `x` there are `x.crt` and `x.key`:
///
/// | name | what it is |
/// |---|---|
/// | `ca`, `other-ca`, `public-ca` | three authorities (certificates only) |
/// | `server`, `server-ed25519` | good for localhost, by `ca` |
/// | `server-public` | the same by `public-ca` |
/// | `server-expired`, `server-future` | before and after their time |
/// | `server-other-name` | for `broker.example.org` |
/// | `server-plain` | without alternative names, its common name is localhost |
/// | `server-chain` | by an authority in between, which is in the file, too |
/// | `server-alone` | its own authority |
/// | `server-rsa` | with an RSA key |
/// | `server-old` | of version 1 by `old-ca`, as Mosquitto's instructions make them |
/// | `client`, `client-expired`, `client-revoked` | for clients, by `ca` |
/// | `client-other` | by `other-ca` |
///
/// Besides: `ca.crl` with the revoked client, `empty.crl`, and the encrypted keys
/// `client-encrypted.key` and `server-encrypted.key`; those of OpenSSL's older ways are
/// `server-old-3des.key` and `server-old-encrypted.key`.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
    /// Removes the folder at the end, if it is a temporary one.
    _temporary: Option<tempfile::TempDir>,
}

impl Certificates {
    /// Makes them in a temporary folder, which goes with this value.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn new() -> Certificates {
        let temporary = tempfile::tempdir().expect("a temporary folder can be made");
        write(temporary.path()).expect("certificates can be made");
        Certificates {
            folder: temporary.path().to_owned(),
            _temporary: Some(temporary),
        }
    }

    /// The certificates that another run has made in a folder.
    pub fn at(folder: &Path) -> Certificates {
        Certificates {
            folder: folder.to_owned(),
            _temporary: None,
        }
    }

    /// The path of a file.
    ///
    /// # Panics
    /// If there is no such file.
    #[track_caller]
    pub fn path(&self, file: &str) -> PathBuf {
        let path = self.folder.join(file);
        assert!(path.exists(), "there is no {file} among the certificates");
        path
    }

    /// The path of a file, as text.
    ///
    /// # Panics
    /// As [`path`](Self::path).
    #[track_caller]
    pub fn text(&self, file: &str) -> String {
        self.path(file)
            .into_os_string()
            .into_string()
            .expect("the folder's name is Unicode")
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

/// What rcgen cannot make, made with OpenSSL for a hundred years: a certificate of version 1, its key
/// under older encryptions, and an RSA key.
const OLD: &[(&str, &str)] = &[
    ("old-ca.crt", include_str!("certificates/old-ca.crt")),
    (
        "server-old.crt",
        include_str!("certificates/server-old.crt"),
    ),
    (
        "server-old.key",
        include_str!("certificates/server-old.key"),
    ),
    (
        "server-old-3des.key",
        include_str!("certificates/server-old-3des.key"),
    ),
    (
        "server-old-encrypted.key",
        include_str!("certificates/server-old-encrypted.key"),
    ),
];

type Authority = Issuer<'static, KeyPair>;

/// Makes all of them in a folder; files that are there are replaced.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let ca = authority(folder, "ca", "Test CA", None)?;
    let other = authority(folder, "other-ca", "Other CA", None)?;
    let public = authority(folder, "public-ca", "Public CA", None)?;
    let middle = authority(folder, "middle-ca", "Middle CA", Some(&ca))?;
    write_servers(folder, &ca, &public, &middle)?;
    write_clients(folder, &ca, &other)?;
    for (file, text) in OLD {
        std::fs::write(folder.join(file), text)?;
    }
    write_lists(folder, &ca)
}

fn write_servers(
    folder: &Path,
    ca: &Authority,
    public: &Authority,
    middle: &Authority,
) -> io::Result<()> {
    let server = |name| leaf(name, SERVER, ExtendedKeyUsagePurpose::ServerAuth);
    let key = new_key()?;
    keep(folder, "server", &server("localhost")?, ca, &key)?;
    std::fs::write(folder.join("server-encrypted.key"), encrypt(&key)?)?;
    let edwards = KeyPair::generate_for(&rcgen::PKCS_ED25519).map_err(io::Error::other)?;
    keep(
        folder,
        "server-ed25519",
        &server("localhost")?,
        ca,
        &edwards,
    )?;
    let rsa = KeyPair::from_pem(include_str!("certificates/rsa.key")).map_err(io::Error::other)?;
    keep(folder, "server-rsa", &server("localhost")?, ca, &rsa)?;
    keep(
        folder,
        "server-public",
        &server("localhost")?,
        public,
        &new_key()?,
    )?;
    let mut expired = server("localhost")?;
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2020, 1, 2);
    keep(folder, "server-expired", &expired, ca, &new_key()?)?;
    let mut future = server("localhost")?;
    future.not_before = date_time_ymd(2200, 1, 1);
    future.not_after = date_time_ymd(2300, 1, 1);
    keep(folder, "server-future", &future, ca, &new_key()?)?;
    let names = &["broker.example.org", "*.lab.example.org"];
    let elsewhere = leaf(
        "broker.example.org",
        names,
        ExtendedKeyUsagePurpose::ServerAuth,
    )?;
    keep(folder, "server-other-name", &elsewhere, ca, &new_key()?)?;
    keep(
        folder,
        "server-plain",
        &leaf("localhost", &[], ExtendedKeyUsagePurpose::ServerAuth)?,
        ca,
        &new_key()?,
    )?;
    keep(
        folder,
        "server-chain",
        &server("localhost")?,
        middle,
        &new_key()?,
    )?;
    let (chain, between) = (
        folder.join("server-chain.crt"),
        folder.join("middle-ca.crt"),
    );
    let both = std::fs::read_to_string(&chain)? + &std::fs::read_to_string(between)?;
    std::fs::write(chain, both)?;
    let alone = new_key()?;
    let certificate = server("localhost")?
        .self_signed(&alone)
        .map_err(io::Error::other)?;
    std::fs::write(folder.join("server-alone.crt"), certificate.pem())?;
    std::fs::write(folder.join("server-alone.key"), alone.serialize_pem())
}

fn write_clients(folder: &Path, ca: &Authority, other: &Authority) -> io::Result<()> {
    let client = |name| leaf(name, &[], ExtendedKeyUsagePurpose::ClientAuth);
    let key = new_key()?;
    keep(folder, "client", &client("test client")?, ca, &key)?;
    std::fs::write(folder.join("client-encrypted.key"), encrypt(&key)?)?;
    let mut expired = client("expired client")?;
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2020, 1, 2);
    keep(folder, "client-expired", &expired, ca, &new_key()?)?;
    let mut revoked = client("revoked client")?;
    revoked.serial_number = Some(SerialNumber::from_slice(&REVOKED));
    keep(folder, "client-revoked", &revoked, ca, &new_key()?)?;
    keep(
        folder,
        "client-other",
        &client("other client")?,
        other,
        &new_key()?,
    )
}

/// The serial number of the revoked client.
const REVOKED: [u8; 3] = [0x52, 0x45, 0x56];

fn write_lists(folder: &Path, ca: &Authority) -> io::Result<()> {
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from_slice(&REVOKED),
        revocation_time: date_time_ymd(2024, 6, 1),
        reason_code: None,
        invalidity_date: None,
    };
    for (file, revoked_certs) in [("ca.crl", vec![revoked]), ("empty.crl", Vec::new())] {
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 6, 2),
            next_update: date_time_ymd(2200, 1, 1),
            crl_number: SerialNumber::from_slice(&[1]),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(ca).map_err(io::Error::other)?;
        std::fs::write(folder.join(file), list.pem().map_err(io::Error::other)?)?;
    }
    Ok(())
}

fn new_key() -> io::Result<KeyPair> {
    KeyPair::generate().map_err(io::Error::other)
}

/// An authority, whose certificate is kept; its key is not.
fn authority(
    folder: &Path,
    file: &str,
    name: &str,
    by: Option<&Authority>,
) -> io::Result<Authority> {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2200, 1, 1);
    let key = new_key()?;
    let certificate = match by {
        Some(by) => params.signed_by(&key, by),
        None => params.self_signed(&key),
    };
    std::fs::write(
        folder.join(format!("{file}.crt")),
        certificate.map_err(io::Error::other)?.pem(),
    )?;
    Ok(Issuer::new(params, key))
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "GR");
    subject.push(DnType::OrganizationName, "Lab");
    subject.push(DnType::CommonName, name);
    subject
}

fn leaf(
    name: &str,
    alternatives: &[&str],
    purpose: ExtendedKeyUsagePurpose,
) -> io::Result<CertificateParams> {
    let alternatives: Vec<String> = alternatives.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(alternatives).map_err(io::Error::other)?;
    params.distinguished_name = subject(name);
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2200, 1, 1);
    params.is_ca = IsCa::ExplicitNoCa;
    params.extended_key_usages = vec![purpose];
    Ok(params)
}

/// Writes a certificate and its key.
fn keep(
    folder: &Path,
    file: &str,
    params: &CertificateParams,
    by: &Authority,
    key: &KeyPair,
) -> io::Result<()> {
    let certificate = params.signed_by(key, by).map_err(io::Error::other)?;
    std::fs::write(folder.join(format!("{file}.crt")), certificate.pem())?;
    std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem())
}

/// A key under [`PASSPHRASE`], as OpenSSL would write it.
fn encrypt(key: &KeyPair) -> io::Result<String> {
    let der = key.serialize_der();
    let open = PrivateKeyInfoRef::try_from(der.as_slice()).map_err(io::Error::other)?;
    // Few rounds: it guards nothing.
    let scheme = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(
        1000,
        b"a grain of salt!",
        *b"sixteen bytes iv",
    )
    .map_err(io::Error::other)?;
    let sealed = open
        .encrypt_with_params(scheme, PASSPHRASE)
        .map_err(io::Error::other)?;
    let pem = sealed
        .to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF)
        .map_err(io::Error::other)?;
    Ok(pem.to_string())
}
