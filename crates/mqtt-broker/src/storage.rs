//! The broker's store: opened and read at the start. `feeding` is what becomes of it then, `patience`
//! how long that waits, and `importing` takes over what Mosquitto has left.

mod feeding;
mod importing;
mod patience;

pub(crate) use feeding::{Storage, close, tend};
pub use importing::import;

use crate::config::Config;
use crate::config::options::SyncPolicy;
use crate::engine::Engine;
use crate::engine::restore::Counts;
use crate::journal::{Batch, Before, Journal, Key, Value};
use crate::log::{Line, Log};
use crate::store::disk::{Disk, FileDisk};
use crate::store::migrate::FORMS;
use crate::store::tree::TreeStore;
use crate::store::writer::{Outcome, Writer};
use crate::store::{Found, Measure, Restored, Store, StoreError, salvage};
use crate::time::Time;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;

/// How long a broker that still has the store open is given to end.
const OTHER_ENDS: Duration = Duration::from_secs(2);

/// A store that was opened and not yet read.
pub(crate) struct Opened {
    /// `None` only while it is replaced.
    store: Option<TreeStore>,
    path: PathBuf,
    syncs: bool,
    interval: Option<Duration>,
}

/// Where the configuration wants the store to be.
pub(crate) fn path_of(config: &Config) -> PathBuf {
    let folder = std::env::var_os("MOSQUITTO_PERSISTENCE_LOCATION").map(PathBuf::from);
    let folder = folder.or_else(|| config.persistence_location.clone());
    folder.unwrap_or_default().join(&config.persistence_file)
}

/// Opens the store of a configuration, if it wants one.
///
/// A damaged one is put aside, and an empty one takes its place.
///
/// # Errors
/// A sentence that says why not, and what to do.
pub(crate) fn open(config: &Config, log: &mut Log) -> Result<Option<Opened>, String> {
    if !config.persistence {
        return Ok(None);
    }
    let path = path_of(config);
    let (syncs, interval) = match config.persistence_sync {
        SyncPolicy::Always => (true, None),
        SyncPolicy::Interval(time) => (true, Some(time)),
        SyncPolicy::Never => (false, None),
    };
    let opened = match wait_for_file(&path, syncs, interval.is_none(), log) {
        Err(StoreError::Damaged(what)) => begin_again(&path, &what, syncs, interval, log),
        opened => opened,
    };
    let store = opened.map_err(|error| cannot(&path, &error))?;
    if let Some(from) = store.migrated_from() {
        let what = format!(
            "The store {} was of form {from}, and is now of form {}.",
            path.display(),
            FORMS.newest()
        );
        log.line(Line::Advice { what: &what });
    }
    Ok(Some(Opened {
        store: Some(store),
        path,
        syncs,
        interval,
    }))
}

/// Puts a file aside that cannot be opened as a store; what can still be read of it begins another.
fn begin_again(
    path: &Path,
    what: &str,
    syncs: bool,
    interval: Option<Duration>,
    log: &mut Log,
) -> Result<TreeStore, StoreError> {
    let aside = put_aside(path)?;
    let disk: Arc<dyn Disk> = Arc::new(FileDisk::open(&aside, false)?);
    let mut left_out = None;
    // Where parts do not fit together, `redb` panics; that is met, and nothing for the log.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let batch = salvage(|take| left_out = salvage::read(&disk, take).ok().map(|f| f.damaged));
    std::panic::set_hook(hook);
    let count = batch.entries.len();
    let restored = match left_out {
        Some(damaged) if count > 0 => {
            format!("{count} entries of it could be read; {damaged} could not, or not all")
        }
        _ => "nothing was restored".to_owned(),
    };
    let what = format!(
        "{} cannot be read as it is ({what}). It was moved to {}, and {restored}.",
        path.display(),
        aside.display()
    );
    log.line(Line::Failure { what: &what });
    let mut store = open_file(path, syncs, interval.is_none())?;
    if count > 0 {
        store.commit(&batch)?;
    }
    Ok(store)
}

/// Opens the store at a path. If another broker has it, that one may be on its way to its end: one
/// that was killed and started again at once would meet itself.
fn wait_for_file(
    path: &Path,
    syncs: bool,
    syncs_each: bool,
    log: &mut Log,
) -> Result<TreeStore, StoreError> {
    let end = Instant::now() + OTHER_ENDS;
    let mut has_told = false;
    loop {
        match open_file(path, syncs, syncs_each) {
            Err(StoreError::InUse) if Instant::now() < end => {}
            opened => return opened,
        }
        if !std::mem::replace(&mut has_told, true) {
            log.line(Line::Caution {
                what: "another broker has the store open; waiting for it to end.",
            });
            log.flush();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Opens the store at a path, or makes one.
///
/// # Errors
/// See [`TreeStore::open`].
pub(crate) fn open_file(
    path: &Path,
    syncs: bool,
    syncs_each: bool,
) -> Result<TreeStore, StoreError> {
    let disk = FileDisk::open(path, syncs).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock => StoreError::InUse,
        _ => StoreError::Io(error),
    })?;
    TreeStore::open(Arc::new(disk), syncs_each).map_err(|error| match error {
        StoreError::Mosquitto(_) => StoreError::Mosquitto(path.display().to_string()),
        error => error,
    })
}

/// Why a store at a path cannot be used.
fn cannot(path: &Path, error: &StoreError) -> String {
    let name = path.display();
    match error {
        StoreError::Io(error) => format!(
            "the store {name} cannot be opened: {}. Check persistence_location and who may write there.",
            crate::listener::text_of(error)
        ),
        error => format!("the store {name} cannot be used: {error}."),
    }
}

/// Why a damaged store cannot be put aside, and another begun.
fn cannot_replace(path: &Path, error: &StoreError) -> String {
    let name = path.display();
    let why = match error {
        StoreError::Io(error) => crate::listener::text_of(error),
        error => error.to_string(),
    };
    format!(
        "parts of the store {name} cannot be read, and it cannot be put aside: {why}. Let the user that the broker runs as write in its folder"
    )
}

/// Gives a damaged file another name; returns it.
fn put_aside(path: &Path) -> std::io::Result<PathBuf> {
    let aside = free_name(path);
    std::fs::rename(path, &aside)?;
    Ok(aside)
}

/// A name for a damaged file that no other has.
fn free_name(path: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".damaged-{number}"));
        let name = PathBuf::from(name);
        if !name.exists() {
            return name;
        }
        number += 1;
    }
}

/// All that can be read of a damaged store, for a new one.
fn salvage(read: impl FnOnce(&mut dyn FnMut(Restored))) -> Batch {
    let mut journal = Journal::new(1, []);
    let mut sessions = HashSet::new();
    read(&mut |thing| {
        let (session, key, value) = match thing {
            Restored::Session(serial, record) => {
                sessions.insert(serial);
                let value = Value::Session(Box::new(record));
                (Some(serial), Key::Session(serial), value)
            }
            Restored::Subscription(serial, filter, record) => (
                Some(serial),
                Key::Subscription(serial, filter),
                Value::Subscription(record),
            ),
            Restored::Queued(serial, delivery) => (
                Some(serial),
                Key::Queued(serial, delivery.place),
                Value::Queued(delivery),
            ),
            Restored::InFlight(serial, id, state, delivery) => (
                Some(serial),
                Key::InFlight(serial, id),
                Value::InFlight(state, delivery),
            ),
            Restored::Incoming(serial, id, message) => (
                Some(serial),
                Key::Incoming(serial, id),
                Value::Incoming(message),
            ),
            Restored::Retained(message, record) => (
                None,
                Key::Retained((&*message.topic).into()),
                Value::Retained(message, record),
            ),
            // All of a queue was asked for.
            Restored::Behind(..) => return,
        };
        // What a session has left that is no more goes to others of its share group.
        let is_legacy = matches!(&value, Value::Queued(delivery) if delivery.share().is_some());
        if is_legacy || session.is_none_or(|serial| sessions.contains(&serial)) {
            if let Some(message) = value.message() {
                message.number.set(0);
            }
            journal.put(key, value, Before::Nothing);
        }
    });
    journal.take().unwrap_or_default()
}

impl Opened {
    /// Brings the engine to the state that was stored.
    ///
    /// # Errors
    /// A damaged store cannot be replaced.
    pub(crate) fn restore(
        &mut self,
        engine: &mut Engine,
        now: Time,
        log: &mut Log,
    ) -> std::io::Result<()> {
        let (mut counts, damaged) = self.read_into(engine, now);
        if damaged > 0 {
            self.replace(damaged, log)
                .map_err(|error| std::io::Error::other(cannot_replace(&self.path, &error)))?;
            *engine = Engine::new(engine.settings().clone(), now);
            (counts, _) = self.read_into(engine, now);
        }
        for (count, what) in [
            (counts.messages, "base messages"),
            (counts.retained, "retained messages"),
            (counts.sessions, "clients"),
            (counts.subscriptions, "subscriptions"),
            (counts.deliveries, "client messages"),
        ] {
            log.line(Line::Restored { count, what });
        }
        if let Some(Err(error)) = self.store.as_mut().map(TreeStore::forget_broken) {
            log.line(Line::Failure {
                what: &cannot(&self.path, &error),
            });
        }
        Ok(())
    }

    /// Reads the store into an engine; how much, and how much could not be read.
    fn read_into(&mut self, engine: &mut Engine, now: Time) -> (Counts, usize) {
        let head = engine.queue_head();
        let mut restoring = engine.restore(now);
        let restored = self
            .store
            .as_mut()
            .map(|store| store.restore(head, &mut |thing| restoring.take(thing)));
        let found = match restored {
            Some(Ok(found)) => found,
            _ => Found {
                damaged: 1,
                ..Found::default()
            },
        };
        let damaged = found.damaged;
        (restoring.finish(found), damaged)
    }

    /// Puts a damaged store aside; what can be read of it begins another one.
    fn replace(&mut self, damaged: usize, log: &mut Log) -> Result<(), StoreError> {
        let mut store = self.store.take();
        // What cannot be read was counted before.
        let batch = salvage(|take| {
            let _ = store
                .as_mut()
                .map(|store| store.restore(Measure::ALL, take));
        });
        drop(store);
        let aside = put_aside(&self.path)?;
        let what = format!(
            "{damaged} parts of {} could not be read and were left out. The file as it was is now {}.",
            self.path.display(),
            aside.display()
        );
        log.line(Line::Failure { what: &what });
        let mut store = open_file(&self.path, self.syncs, self.interval.is_none())?;
        store.commit(&batch)?;
        self.store = Some(store);
        Ok(())
    }

    /// From here on it is fed.
    pub(crate) fn start(self) -> std::io::Result<(Storage, UnboundedReceiver<Outcome>)> {
        let store = self.store.ok_or(std::io::ErrorKind::NotFound)?;
        let (writer, outcomes) = Writer::start(Box::new(store), self.interval)?;
        Ok((Storage::new(self.path, writer), outcomes))
    }
}
