//! Mosquitto's database brought into the store of a configuration.

use super::{cannot, open_file, path_of};
use crate::config::Config;
use crate::store::{Measure, Store, import};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Brings a database of Mosquitto into the store of a configuration; returns what to say.
///
/// Where both have the same name, Mosquitto's file gets another one.
///
/// # Errors
/// A sentence that says why not, and what to do.
pub fn import(config: &Config, from: &Path) -> Result<String, String> {
    let name = from.display();
    if !config.persistence {
        return Err(format!(
            "nothing would be kept of {name}: persistence is off.\n  Put `persistence true` into the configuration file, and name it with -c."
        ));
    }
    let file = std::fs::read(from).map_err(|error| {
        format!(
            "{name} cannot be read: {}.",
            crate::listener::text_of(&error)
        )
    })?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(0);
    let imported =
        import::read(&file, now).map_err(|error| format!("{name} cannot be imported: {error}."))?;
    let path = path_of(config);
    let mut said = String::new();
    if is_same(from, &path) {
        let aside = PathBuf::from(format!("{name}.mosquitto"));
        if aside.exists() {
            return Err(format!(
                "{name} is in the way of the store, and {} exists. Move one of them away.",
                aside.display()
            ));
        }
        std::fs::rename(from, &aside).map_err(|error| cannot(&path, &error.into()))?;
        said = format!("Mosquitto's file is now {}.\n", aside.display());
    }
    let mut store = open_file(&path, true, true).map_err(|error| cannot(&path, &error))?;
    let mut things = 0;
    let found = store.restore(Measure::of(0, 0), &mut |_| things += 1);
    found.map_err(|error| cannot(&path, &error))?;
    if things > 0 {
        return Err(format!(
            "the store {} is not empty. Move it away, and import again.",
            path.display()
        ));
    }
    let committed = store.commit(&imported.batch);
    committed.map_err(|error| cannot(&path, &error))?;
    said.push_str(&format!(
        "Imported {} sessions, {} subscriptions, {} retained and {} waiting messages into {}.",
        imported.sessions,
        imported.subscriptions,
        imported.retained,
        imported.deliveries,
        path.display()
    ));
    if imported.skipped > 0 {
        said.push_str(&format!(
            "\nWarning: {} parts made no sense and were left out.",
            imported.skipped
        ));
    }
    Ok(said)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
