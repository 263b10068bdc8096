//! What the TLS flags mean: whether there is TLS, whom to trust, and who we are.

use std::path::{Path, PathBuf};

use mqtt_net::tls::{Ciphers, ClientConfig, ClientOptions, MinVersion};

use crate::ask;
use crate::flags::{Said, UsageError};

/// Flags of what only OpenSSL can do, and what to do instead.
const OPENSSL_ONLY: &[(&str, &str)] = &[
    (
        "psk",
        "Use certificates: --cafile FILE, and --cert FILE --key FILE where the broker asks for them.",
    ),
    (
        "psk-identity",
        "Use certificates: --cafile FILE, and --cert FILE --key FILE where the broker asks for them.",
    ),
    (
        "tls-engine",
        "Put the key into a file and name it with --key FILE.",
    ),
    (
        "tls-engine-kpass-sha1",
        "Put the key into a file and name it with --key FILE.",
    ),
];

/// Judges the TLS flags and reads their files; `None` for a connection in clear. `secure` says that a
/// URL or the port asks for TLS.
///
/// # Errors
/// A flag means nothing or cannot be had, or a file cannot be used.
pub fn tls(said: &Said, secure: bool) -> Result<Option<ClientConfig>, UsageError> {
    refuse_openssl(said)?;
    if said.has("no-tls") {
        return Ok(None);
    }
    match options(said, secure)? {
        Some(options) => {
            let ask = |path: &Path| {
                let prompt = format!("Passphrase for {}: ", path.display());
                ask::secret(&prompt).map_err(|error| first(&error, char::to_ascii_lowercase))
            };
            let config = options.load(&ask).map_err(|error| {
                UsageError::new(first(&error.to_string(), char::to_ascii_uppercase))
            })?;
            Ok(Some(config))
        }
        None => Ok(None),
    }
}

fn refuse_openssl(said: &Said) -> Result<(), UsageError> {
    if let Some((flag, instead)) = OPENSSL_ONLY.iter().find(|row| said.has(row.0)) {
        let what = match *flag {
            "psk" | "psk-identity" => "there is no TLS with pre-shared keys here",
            _ => "there are no OpenSSL engines here",
        };
        let error = UsageError::new(format!("{}: {what}", said.typed(flag)));
        return Err(error.hint(*instead));
    }
    match said.last("keyform") {
        Some(form) if !form.is("pem") => Err(form.locate(
            UsageError::new("--keyform: keys are read from PEM files only")
                .hint("Leave it out, and name the file with --key FILE."),
        )),
        _ => Ok(()),
    }
}

/// What is asked of TLS, before any file is read.
fn options(said: &Said, secure: bool) -> Result<Option<ClientOptions>, UsageError> {
    let path = |flag: &str| {
        said.last(flag)
            .and_then(|given| given.path())
            .map(PathBuf::from)
    };
    let (ca_file, ca_dir) = (path("cafile"), path("capath"));
    let (cert, key) = (path("cert"), path("key"));
    match (&cert, &key) {
        (Some(_), None) => {
            return Err(UsageError::new("--cert is there, but not the key for it")
                .hint("Add --key FILE. If the key is in the same file, name it twice."));
        }
        (None, Some(_)) => {
            return Err(UsageError::new("--key is there, but no certificate")
                .hint("Add --cert FILE. If it is in the same file, name it twice."));
        }
        _ => {}
    }
    let has_authorities = ca_file.is_some() || ca_dir.is_some();
    // A port that is known for TLS asks for it, but whoever names authorities means those alone.
    let use_os_certs = said.has("tls-use-os-certs") || secure && !has_authorities;
    if !has_authorities && !use_os_certs {
        return match &cert {
            Some(_) => Err(UsageError::new(
                "--cert is there, but nothing says that there should be TLS",
            )
            .hint("Add --cafile FILE with the broker's authority, or --tls-use-os-certs.")),
            // Mosquitto's clients pass over the other flags without TLS, too.
            None => Ok(None),
        };
    }
    let list = said.last("ciphers");
    let ciphers = match list {
        Some(given) => {
            let text = given.text()?;
            let ciphers = Ciphers::parse(Some(text), None).map_err(|_| {
                given.locate(
                    UsageError::new(format!("--ciphers: no cipher in '{text}' is known here")).hint(
                        "Names are OpenSSL's, such as ECDHE-RSA-AES256-GCM-SHA384; or leave it out.",
                    ),
                )
            })?;
            Some(ciphers)
        }
        None => None,
    };
    Ok(Some(ClientOptions {
        ca_file,
        ca_dir,
        use_os_certs,
        cert,
        key,
        insecure: said.has("insecure"),
        min_version: said.meaning("tls-version", version)?.unwrap_or_default(),
        alpn: said.meaning("tls-alpn", alpn)?,
        keylog: path("tls-keylog"),
        ciphers,
    }))
}

fn version(flag: &str, text: &str) -> Result<MinVersion, UsageError> {
    MinVersion::parse(text).ok_or_else(|| {
        let error = UsageError::new(format!("{flag}: '{text}' is no version of TLS known here"));
        match text {
            "tlsv1" | "tlsv1.0" | "tlsv1.1" => {
                error.hint("Versions before 1.2 are not safe any more. Type tlsv1.2 or tlsv1.3.")
            }
            _ => error.hint("Type tlsv1.2 or tlsv1.3."),
        }
    })
}

/// The name of a protocol: 1 to 255 bytes (RFC 7301, 3.1).
fn alpn(flag: &str, text: &str) -> Result<String, UsageError> {
    match text.len() {
        1..=255 => Ok(text.to_owned()),
        _ => Err(UsageError::new(format!(
            "{flag}: a protocol's name has 1 to 255 bytes"
        ))),
    }
}

/// A sentence with its first letter changed.
fn first(sentence: &str, change: fn(&char) -> char) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(|letter| change(&letter));
    first.into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::Program;
    use crate::flags::{Parsed, parse};

    fn said(line: &str) -> Said {
        let argv = std::iter::once("x").chain(line.split_whitespace());
        match parse(Program::Sub, argv.map(Into::into)).unwrap() {
            Parsed::Said(said) => said,
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    fn of(line: &str, secure: bool) -> Option<ClientOptions> {
        options(&said(line), secure).unwrap()
    }

    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        let error = tls(&said(line), false).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{line}: expected '{expected}' in '{error}'"
        );
    }

    #[test]
    fn authorities_or_a_port_for_it_turn_tls_on() {
        assert!(of("", false).is_none());
        assert!(of("--insecure --tls-version tlsv1.3 --ciphers HIGH", false).is_none());
        let options = of("--cafile a --capath b", false).unwrap();
        assert_eq!(options.ca_file.as_deref(), Some(Path::new("a")));
        assert_eq!(options.ca_dir.as_deref(), Some(Path::new("b")));
        assert!(!options.use_os_certs && !options.insecure);
        assert!(of("--tls-use-os-certs", false).unwrap().use_os_certs);
        assert!(of("", true).unwrap().use_os_certs);
        assert!(!of("--cafile a", true).unwrap().use_os_certs);
        assert!(
            of("--cafile a --tls-use-os-certs", true)
                .unwrap()
                .use_os_certs
        );
        assert!(
            tls(&said("--cafile nowhere --no-tls"), true)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn every_flag_has_its_place_and_the_last_one_wins() {
        let line = "--cafile x --cafile a --cert c --key k --insecure --tls-version tlsv1.3 \
                    --tls-alpn mqtt --tls-keylog l --ciphers HIGH --keyform pem";
        let options = of(line, false).unwrap();
        assert_eq!(options.ca_file.as_deref(), Some(Path::new("a")));
        assert_eq!(options.cert.as_deref(), Some(Path::new("c")));
        assert_eq!(options.key.as_deref(), Some(Path::new("k")));
        assert_eq!(options.keylog.as_deref(), Some(Path::new("l")));
        assert_eq!(options.min_version, MinVersion::V1_3);
        assert_eq!(options.alpn.as_deref(), Some("mqtt"));
        assert!(options.insecure && options.ciphers.is_some());
    }

    #[test]
    fn what_cannot_be_had_is_an_error_with_a_way_out() {
        check_error("--psk 00ff", "Use certificates");
        check_error("--psk-identity me", "no TLS with pre-shared keys");
        check_error("--tls-engine x", "no OpenSSL engines");
        check_error("--tls-engine-kpass-sha1 x", "no OpenSSL engines");
        check_error("--keyform engine", "PEM files only");
        check_error("--cafile a --cert c", "Add --key FILE");
        check_error("--cafile a --key k", "Add --cert FILE");
        check_error("--cert c --key k", "nothing says that there should be TLS");
        check_error("--cafile a --tls-version tlsv1.1", "not safe any more");
        check_error("--cafile a --tls-version 2", "Type tlsv1.2 or tlsv1.3");
        check_error("--cafile a --ciphers nonsense", "no cipher in 'nonsense'");
        check_error(
            "--cafile nowhere",
            "The CA certificate file 'nowhere' cannot be used",
        );
    }
}
