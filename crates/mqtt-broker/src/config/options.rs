//! Every option once: the tables, and how a name is found in them.

pub mod bridge;
pub mod bridge_kinds;
pub mod global;
pub mod kinds;
pub mod listener;
pub mod log_kinds;
pub mod sections;
pub mod security;

pub use bridge::Bridge;
pub use global::Config;
pub use kinds::{AcceptedVersions, DEFAULT_INFLIGHT, Protocol, SocketDomain, SyncPolicy};
pub use listener::Listener;
pub use log_kinds::LogDestinations;
pub use security::Security;

use super::define::{Facts, Known, Row};
use super::value::nearest;
use sections::Structure;

/// A row of one of the tables.
pub enum Found {
    /// Opens a section or changes how the rest is read.
    Structure(&'static Structure),
    /// A field of [`Config`].
    Global(&'static Row<Config>),
    /// A field of [`Security`].
    Security(&'static Row<Security>),
    /// A field of [`Bridge`].
    Bridge(&'static Row<Bridge>),
    /// A field of [`Listener`].
    Listener(&'static Row<Listener>),
    /// Known by name only.
    Known(&'static Known),
}

impl Found {
    /// What the row says about itself.
    pub fn facts(&self) -> &'static Facts {
        match self {
            Self::Structure(row) => &row.facts,
            Self::Global(row) => &row.facts,
            Self::Security(row) => &row.facts,
            Self::Listener(row) => &row.facts,
            Self::Bridge(row) => &row.facts,
            Self::Known(row) => &row.facts,
        }
    }
}

/// All rows, in the order of the manual.
pub fn all() -> impl Iterator<Item = Found> {
    let structures = sections::STRUCTURES.iter().map(Found::Structure);
    let security = security::SECURITY.iter().map(Found::Security);
    let listener = listener::LISTENER.iter().map(Found::Listener);
    let global = global::GLOBAL.iter().map(Found::Global);
    let bridge = bridge::BRIDGE.iter().map(Found::Bridge);
    let known = [
        security::SECURITY_KNOWN,
        listener::LISTENER_KNOWN,
        global::GLOBAL_KNOWN,
        bridge::BRIDGE_KNOWN,
    ];
    structures
        .chain(security)
        .chain(listener)
        .chain(global)
        .chain(bridge)
        .chain(known.into_iter().flatten().map(Found::Known))
}

/// The row that answers to `name`, and the one of its names that matched.
///
/// A name that ends in `*` stands for all names with that beginning.
pub fn find(name: &str) -> Option<(Found, &'static str)> {
    all().find_map(|row| {
        let matched = row.facts().names().find(|known| {
            known.strip_suffix('*').map_or_else(
                || *known == name,
                |start| name.len() > start.len() && name.starts_with(start),
            )
        })?;
        Some((row, matched))
    })
}

/// The option that `name` is probably a slip of the finger for.
pub fn suggestion(name: &str) -> Option<&'static str> {
    nearest(name, all().flat_map(|row| row.facts().names()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_is_defined_twice() {
        let mut seen = HashSet::new();
        for row in all() {
            for name in row.facts().names() {
                assert!(seen.insert(name), "{name} is defined twice");
            }
        }
        assert!(seen.len() > 130, "only {} names", seen.len());
    }

    #[test]
    fn every_option_is_documented() {
        for row in all() {
            let facts = row.facts();
            assert!(!facts.doc.concat().trim().is_empty(), "{}", facts.name);
        }
    }

    #[test]
    fn a_family_of_names_is_found_by_its_beginning() {
        for (name, expected) in [
            ("plugin_opt_config_file", Some("plugin_opt_*")),
            ("auth_opt_x", Some("auth_opt_*")),
            ("plugin_opt_", None),
            ("listener", Some("listener")),
            ("maximum_qos", Some("maximum_qos")),
            ("nothing", None),
        ] {
            assert_eq!(find(name).map(|(_, matched)| matched), expected, "{name}");
        }
    }
}
