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
pub(crate) mod text;
pub mod value;

pub use fault::{Fault, Faults};
pub use options::{
    AcceptedVersions, Config, Listener, LogDestinations, Protocol, Security, SocketDomain,
};

use crate::auth::{Acl, acl_file};
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
    let acls = load_acls(&mut reader);
    if !reader.faults.is_empty() {
        return Err(Faults(reader.faults));
    }
    let Reader {
        mut config,
        security,
        drafts,
        listens,
        default_listener,
        per_listener,
        notes,
        ..
    } = reader;
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
                resolve(draft.listener, said, &acls, false)
            })
            .collect()
    } else {
        // Options before any listener reached the default one; they hold for the loopback too.
        let model = default_listener
            .and_then(|index| drafts.into_iter().nth(index))
            .unwrap_or_default();
        local_listeners(&model, &security, per_listener, &acls, ports)
    };
    Ok(Loaded { config, notes })
}

/// The access control lists that are named, by file.
type Acls = HashMap<PathBuf, Arc<Acl>>;

/// Reads every file of `acl_file` once; its mistakes are mistakes of the configuration.
fn load_acls(reader: &mut Reader) -> Acls {
    let mut acls = Acls::new();
    let drafts = reader.drafts.iter().map(|draft| &draft.security);
    let said = std::iter::once(&reader.security).chain(drafts);
    let named: Vec<PathBuf> = said.filter_map(|said| said.acl_file.clone()).collect();
    for path in named {
        if acls.contains_key(&path) {
            continue;
        }
        let acl = match acl_file::load(&path) {
            Ok((acl, cautions)) => {
                for what in &cautions {
                    reader.note(Line::Caution { what });
                }
                acl
            }
            Err(faults) => {
                reader.faults.extend(faults);
                // Named twice, its mistakes are still told once.
                Acl::default()
            }
        };
        acls.insert(path, Arc::new(acl));
    }
    acls
}

/// The doors of local only mode: both loopback addresses on each port.
fn local_listeners(
    model: &Draft,
    security: &Security,
    per_listener: bool,
    acls: &Acls,
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
            let mut listener = resolve(model.listener.clone(), said, acls, true);
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
    acls: &Acls,
    anonymous_by_default: bool,
) -> Listener {
    listener.allow_anonymous = listener
        .listener_allow_anonymous
        .or(said.allow_anonymous)
        .unwrap_or(anonymous_by_default);
    listener.allow_zero_length_clientid = said.allow_zero_length_clientid;
    listener.acl = said.acl_file.as_ref().map(|path| acls[path].clone());
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
