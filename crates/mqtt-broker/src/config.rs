//! The configuration: mosquitto.conf, from its bytes to a typed [`Config`].
//!
//! Every option stands once, as a row of a table in [`options`]; the typed structs, the parser
//! and the manual come from there. A new option is a new row.

pub mod define;
pub mod fault;
mod files;
pub mod manual;
pub mod number;
pub mod options;
mod parse;
mod sources;
pub(crate) mod text;
mod tls;
pub mod value;
mod variables;

pub use fault::{Fault, Faults};
pub use options::{
    AcceptedVersions, Bridge, Config, Listener, LogDestinations, Protocol, Security, SocketDomain,
};
pub use sources::{Look, Sources};

use crate::auth::{Acl, Passwords, acl_file, password_file};
use crate::log::{Level, Line};
use parse::{Draft, Reader};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// A configuration, and what its reader wants to see in the log.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file says.
    pub config: Config,
    /// Lines for the log: advice on old options, warnings about those without effect.
    pub notes: Vec<(Level, String)>,
}

impl Loaded {
    /// Reads a file. `ports` take the place of 1883 if it defines no listener.
    pub fn from_file(path: &Path, ports: &[u16]) -> Result<Self, Faults> {
        let bytes = files::read_named(path).map_err(|fault| Faults(vec![fault]))?;
        let mut reader = Reader::default();
        reader.config.path = Some(path.into());
        reader.read(&path.display().to_string(), &bytes, false);
        finish(reader, ports)
    }

    /// Reads the text of a file; `name` stands for the file in messages.
    pub fn from_text(name: &str, text: &str, ports: &[u16]) -> Result<Self, Faults> {
        let mut reader = Reader::default();
        reader.read(name, text.as_bytes(), false);
        finish(reader, ports)
    }
}

impl FromStr for Config {
    type Err = Faults;

    /// Reads the text of a file. For a port chosen by the system, set [`Listener::port`] to 0
    /// afterwards.
    fn from_str(text: &str) -> Result<Self, Faults> {
        Loaded::from_text("mosquitto.conf", text, &[]).map(|loaded| loaded.config)
    }
}

/// Puts together what was read: from what the file says to what it means.
fn finish(mut reader: Reader, ports: &[u16]) -> Result<Loaded, Faults> {
    reader.check_bridges();
    check_folders(&mut reader);
    let files = load_files(&mut reader);
    if !reader.faults.is_empty() {
        return Err(Faults(reader.faults));
    }
    let Reader {
        mut config,
        security,
        drafts,
        bridges,
        listens,
        default_listener,
        per_listener,
        notes,
        ..
    } = reader;
    config.bridges = bridges.into_iter().map(|draft| draft.bridge).collect();
    config.local_only = !listens;
    config.listeners = if listens {
        drafts
            .into_iter()
            .map(|draft| {
                let said = if per_listener {
                    &draft.security
                } else {
                    &security
                };
                resolve(draft.listener, said, &files, false)
            })
            .collect()
    } else {
        // Options before any listener reached the default one; they hold for the loopback too.
        let model = default_listener
            .and_then(|index| drafts.into_iter().nth(index))
            .unwrap_or_default();
        local_listeners(&model, &security, per_listener, &files, ports)
    };
    let faults = tls::check(&config);
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    Ok(Loaded { config, notes })
}

/// A folder that is not there would only be noticed by the first browser.
fn check_folders(reader: &mut Reader) {
    let folders = reader
        .drafts
        .iter()
        .filter_map(|draft| draft.listener.http_dir.as_ref());
    let missing: Vec<Fault> = folders
        .filter(|folder| !folder.is_dir())
        .map(|folder| Fault {
            file: String::new(),
            line: 0,
            text: String::new(),
            what: format!(
                "http_dir names '{}', and there is no such folder.",
                folder.display()
            ),
            advice: None,
        })
        .collect();
    reader.faults.extend(missing);
}

/// The files that decide who may do what, by name.
#[derive(Default)]
struct AccessFiles {
    acls: HashMap<PathBuf, Arc<Acl>>,
    passwords: HashMap<PathBuf, Arc<Passwords>>,
}

/// Reads every file of `acl_file` and `password_file` once; their mistakes are mistakes of the
/// configuration.
fn load_files(reader: &mut Reader) -> AccessFiles {
    let drafts = reader.drafts.iter().map(|draft| &draft.security);
    let said: Vec<Security> = std::iter::once(&reader.security)
        .chain(drafts)
        .cloned()
        .collect();
    let mut files = AccessFiles::default();
    for path in said.iter().filter_map(|said| said.acl_file.as_ref()) {
        if !files.acls.contains_key(path) {
            let acl = taken(reader, acl_file::load(path));
            files.acls.insert(path.clone(), acl);
        }
    }
    for path in said.iter().filter_map(|said| said.password_file.as_ref()) {
        if !files.passwords.contains_key(path) {
            let passwords = taken(reader, password_file::load(path));
            files.passwords.insert(path.clone(), passwords);
        }
    }
    files
}

/// What a file holds; its mistakes and cautions go to the reader.
///
/// A file with mistakes counts as read and empty, so that one that is named twice tells them once.
fn taken<T: Default>(reader: &mut Reader, loaded: Result<(T, Vec<String>), Vec<Fault>>) -> Arc<T> {
    match loaded {
        Ok((content, cautions)) => {
            for what in &cautions {
                reader.note(Line::Caution { what });
            }
            Arc::new(content)
        }
        Err(faults) => {
            reader.faults.extend(faults);
            Arc::default()
        }
    }
}

/// The doors of local only mode: both loopback addresses on each port.
fn local_listeners(
    model: &Draft,
    security: &Security,
    per_listener: bool,
    files: &AccessFiles,
    ports: &[u16],
) -> Vec<Listener> {
    let said = if per_listener {
        &model.security
    } else {
        security
    };
    let ports = if ports.is_empty() { &[1883] } else { ports };
    let mut listeners = Vec::new();
    for port in ports {
        for (host, domain) in [
            ("127.0.0.1", SocketDomain::Ipv4),
            ("::1", SocketDomain::Ipv6),
        ] {
            if model
                .listener
                .socket_domain
                .is_some_and(|wanted| wanted != domain)
            {
                continue;
            }
            let mut listener = resolve(model.listener.clone(), said, files, true);
            listener.port = *port;
            listener.host = Some(host.into());
            listeners.push(listener);
        }
    }
    listeners
}

/// What holds at a listener, from what is said about it and about the whole broker.
fn resolve(
    mut listener: Listener,
    said: &Security,
    files: &AccessFiles,
    anonymous_by_default: bool,
) -> Listener {
    listener.allow_anonymous = listener
        .listener_allow_anonymous
        .or(said.allow_anonymous)
        .unwrap_or(anonymous_by_default);
    listener.allow_zero_length_clientid = said.allow_zero_length_clientid;
    let acl = said.acl_file.as_ref();
    listener.acl = acl.map(|path| files.acls[path].clone());
    let passwords = said.password_file.as_ref();
    listener.passwords = passwords.map(|path| files.passwords[path].clone());
    if let Some(prefix) = listener
        .listener_auto_id_prefix
        .as_ref()
        .or(said.auto_id_prefix.as_ref())
    {
        listener.auto_id_prefix.clone_from(prefix);
    }
    listener
}

#[cfg(test)]
mod tests;
