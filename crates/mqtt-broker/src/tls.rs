//! TLS of listeners: from their options to what accepts connections, at the start and on a reload.

use crate::config::Listener;
use mqtt_net::tls::{Ciphers, MinVersion, ServerConfig, ServerOptions};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The passphrases of encrypted keys. They are asked for at the start, where there may be somebody to
/// answer, and kept for reloads, where there is nobody.
#[derive(Default)]
pub(crate) struct Keyring {
    known: Mutex<HashMap<PathBuf, String>>,
    /// What was opened last, by its options. A broker that began as root may not be able to read its
    /// keys again, and must not lose its reloads by that.
    opened: Mutex<Vec<(ServerOptions, ServerConfig)>>,
    /// The broker runs: nobody is asked any more.
    is_closed: bool,
}

/// What a listener's options come to.
pub(crate) struct Opened {
    /// `None` for a listener in clear.
    pub(crate) config: Option<ServerConfig>,
    /// What the operator should know: options that do less here than they say.
    pub(crate) cautions: Vec<String>,
}

impl Keyring {
    /// From now on only passphrases that are known already are used.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Reads a listener's files. `keylog` is the file of `--tls-keylog`.
    ///
    /// # Errors
    /// A file or an option that cannot be used, as a sentence without its full stop.
    pub(crate) fn open(
        &self,
        listener: &Listener,
        keylog: Option<&Path>,
    ) -> Result<Opened, String> {
        let (Some(cert), Some(key)) = (&listener.certfile, &listener.keyfile) else {
            return Ok(Opened {
                config: None,
                cautions: Vec::new(),
            });
        };
        let mut cautions = Vec::new();
        let options = ServerOptions {
            cert: cert.clone(),
            key: key.clone(),
            ca_file: listener.cafile.clone(),
            ca_dir: listener.capath.clone(),
            crl_file: listener.crlfile.clone(),
            require_certificate: listener.require_certificate,
            ignore_client_dates: listener.disable_client_cert_date_checks,
            min_version: version(listener, &mut cautions)?,
            ciphers: ciphers(listener, &mut cautions)?,
            keylog: keylog.map(Into::into),
        };
        let config = match options.load(&|path| self.passphrase(path)) {
            Ok(config) => {
                self.remember(options, &config);
                config
            }
            Err(error) => {
                // What was typed wrongly once must not be remembered.
                self.forget(key);
                let old = self.opened(&options).filter(|_| error.is_denied());
                let old = old.ok_or_else(|| error.to_string())?;
                cautions.push(format!(
                    "{error}. Its TLS stays as it is until the broker is started again."
                ));
                old
            }
        };
        Ok(Opened {
            config: Some(config),
            cautions,
        })
    }

    fn remember(&self, options: ServerOptions, config: &ServerConfig) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|(known, _)| *known != options);
        opened.push((options, config.clone()));
    }

    /// What the same options came to before.
    fn opened(&self, options: &ServerOptions) -> Option<ServerConfig> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let found = opened.iter().find(|(known, _)| known == options);
        found.map(|(_, config)| config.clone())
    }

    fn passphrase(&self, key: &Path) -> Result<String, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(passphrase) = known.get(key) {
            return Ok(passphrase.clone());
        }
        if self.is_closed {
            return Err("its passphrase is only asked for when the broker starts".into());
        }
        let prompt = format!("Passphrase for {}: ", key.display());
        let passphrase = rpassword::prompt_password(prompt)
            .map_err(|error| format!("there is no terminal to ask for its passphrase ({error})"))?;
        known.insert(key.into(), passphrase.clone());
        Ok(passphrase)
    }

    fn forget(&self, key: &Path) {
        if !self.is_closed {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.remove(key);
        }
    }
}

fn version(listener: &Listener, cautions: &mut Vec<String>) -> Result<MinVersion, String> {
    match listener.tls_version.as_deref() {
        None => Ok(MinVersion::default()),
        Some("tlsv1.1") => {
            cautions.push(
                "tls_version tlsv1.1: versions before 1.2 are not safe any more, and not there. Clients need TLS 1.2 or 1.3.".into(),
            );
            Ok(MinVersion::V1_2)
        }
        Some(text) => MinVersion::parse(text)
            .ok_or_else(|| format!("tls_version takes tlsv1.2 or tlsv1.3, not '{text}'")),
    }
}

fn ciphers(listener: &Listener, cautions: &mut Vec<String>) -> Result<Option<Ciphers>, String> {
    let (tls12, tls13) = (&listener.ciphers, &listener.ciphers_tls13);
    if tls12.is_none() && tls13.is_none() {
        return Ok(None);
    }
    let ciphers = Ciphers::parse(tls12.as_deref(), tls13.as_deref())
        .map_err(|list| format!("no cipher of the list '{list}' is known here"))?;
    if !ciphers.unknown.is_empty() {
        let unknown = ciphers.unknown.join(", ");
        cautions.push(format!("these ciphers are not known here: {unknown}."));
    }
    Ok(Some(ciphers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_testkit::certificates::{Certificates, PASSPHRASE};

    fn listener(files: &Certificates, key: &str) -> Listener {
        Listener {
            certfile: Some(files.path("server.crt")),
            keyfile: Some(files.path(key)),
            ..Listener::default()
        }
    }

    #[test]
    fn a_passphrase_that_is_known_serves_reloads() {
        let files = Certificates::new();
        let encrypted = listener(&files, "server-encrypted.key");
        let mut keys = Keyring::default();
        keys.close();
        let error = keys.open(&encrypted, None).err().expect("nobody is asked");
        assert!(
            error.contains("only asked for when the broker starts"),
            "{error}"
        );
        let key = files.path("server-encrypted.key");
        keys.known = Mutex::new(HashMap::from([(key, PASSPHRASE.to_owned())]));
        assert!(
            keys.open(&encrypted, None)
                .expect("it is known")
                .config
                .is_some()
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_may_not_be_read_again_keeps_its_tls() {
        use std::os::unix::fs::PermissionsExt;
        let files = Certificates::new();
        let mut keys = Keyring::default();
        let listener = listener(&files, "server.key");
        keys.open(&listener, None).expect("it can be read");
        keys.close();
        let key = files.path("server.key");
        let nobody = std::fs::Permissions::from_mode(0o000);
        std::fs::set_permissions(&key, nobody).expect("it is ours");
        let is_readable = std::fs::read(&key).is_ok();
        let again = keys.open(&listener, None).expect("the old one is kept");
        assert!(again.config.is_some());
        // Root reads everything, and gets no warning.
        assert_eq!(again.cautions.is_empty(), is_readable);
        let mut other = listener;
        other.certfile = Some(files.path("server-rsa.crt"));
        assert!(
            keys.open(&other, None).is_err(),
            "other options are not these"
        );
    }

    #[test]
    fn options_that_do_less_than_they_say_are_told_of() {
        let files = Certificates::new();
        let mut listener = listener(&files, "server.key");
        listener.tls_version = Some("tlsv1.1".into());
        listener.ciphers = Some("AES256-SHA:HIGH".into());
        let secured = Keyring::default().open(&listener, None).expect("it works");
        assert_eq!(secured.cautions.len(), 2, "{:?}", secured.cautions);
        assert!(secured.cautions[1].contains("AES256-SHA"));
    }

    #[test]
    fn options_that_mean_nothing_are_errors() {
        let files = Certificates::new();
        let error = |change: fn(&mut Listener)| {
            let mut listener = listener(&files, "server.key");
            change(&mut listener);
            Keyring::default()
                .open(&listener, None)
                .err()
                .expect("it is wrong")
        };
        assert!(
            error(|one| one.tls_version = Some("invalid".into())).contains("tlsv1.2 or tlsv1.3")
        );
        assert!(error(|one| one.ciphers = Some("invalid".into())).contains("'invalid'"));
        assert!(error(|one| one.ciphers_tls13 = Some("invalid".into())).contains("'invalid'"));
        assert!(error(|one| one.crlfile = Some("invalid".into())).contains("'invalid'"));
        assert!(error(|one| one.require_certificate = true).contains("cafile or capath"));
    }
}
