//! The broker's store while it runs: opened at the start, fed with the engine's batches, asked again
//! when it refuses.

use crate::broker::{Core, Shared};
use crate::config::Config;
use crate::config::options::SyncPolicy;
use crate::engine::Engine;
use crate::engine::restore::Counts;
use crate::journal::{Batch, Before, Journal, Key, Urgency, Value};
use crate::log::{Line, Log};
use crate::store::disk::FileDisk;
use crate::store::tree::TreeStore;
use crate::store::writer::{Outcome, Task, Writer};
use crate::store::{Found, Restored, Store, StoreError, import};
use crate::time::Time;
use std::collections::HashSet;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;

/// How long a promise waits for a message that is on its way to a client: if it is acknowledged in
/// that time, it need not be stored at all.
const SOON: Duration = Duration::from_millis(2);

/// How long changes wait that nobody waits for.
const IDLE: Duration = Duration::from_secs(1);

/// How long a store that has refused is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// A store that was opened and not yet read.
pub(crate) struct Opened {
    /// `None` only while it is replaced.
    store: Option<TreeStore>,
    path: PathBuf,
    syncs: bool,
    interval: Option<Duration>,
}

/// What feeds the store.
pub(crate) struct Storage {
    path: PathBuf,
    writer: Writer,
    /// Wakes the task that tends it.
    wake: Arc<Notify>,
    is_awake: bool,
    /// Whether a batch is being stored.
    is_busy: bool,
    /// A batch that was refused, and when it is tried again.
    refused: Option<(Batch, Instant)>,
    /// How urgent the task knows it to be, since when there has been something, and since when
    /// something might be waited for.
    urgency: Urgency,
    since: Instant,
    soon_since: Instant,
    /// The change that was the last one at `soon_since`.
    soon_mark: u64,
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
    let opened = match open_file(&path, syncs, interval.is_none()) {
        Err(StoreError::Damaged(what)) => {
            let aside = put_aside(&path).map_err(|error| cannot(&path, &error.into()))?;
            let what = format!(
                "{} cannot be read ({what}). It was moved to {}, and nothing was restored.",
                path.display(),
                aside.display()
            );
            log.line(Line::Failure { what: &what });
            open_file(&path, syncs, interval.is_none())
        }
        opened => opened,
    };
    let store = opened.map_err(|error| cannot(&path, &error))?;
    Ok(Some(Opened {
        store: Some(store),
        path,
        syncs,
        interval,
    }))
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
    let found = store.restore(0, &mut |_| things += 1);
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

/// All that can be read of a damaged store, for a new one.
fn salvage(store: &mut TreeStore) -> Batch {
    let mut journal = Journal::new(1, []);
    let mut sessions = HashSet::new();
    // What cannot be read was counted before.
    let _ = store.restore(usize::MAX, &mut |thing| {
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
                Key::Retained(message.topic.clone()),
                Value::Retained(message, record),
            ),
            // All of a queue was asked for.
            Restored::Behind(..) => return,
        };
        if session.is_none_or(|serial| sessions.contains(&serial)) {
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
            self.replace(damaged, log).map_err(std::io::Error::other)?;
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
        let head = engine.settings().queue_head;
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
        let batch = store.as_mut().map(salvage).unwrap_or_default();
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
        let storage = Storage {
            path: self.path,
            writer,
            wake: Arc::new(Notify::new()),
            is_awake: false,
            is_busy: false,
            refused: None,
            urgency: Urgency::None,
            since: Instant::now(),
            soon_since: Instant::now(),
            soon_mark: 0,
        };
        Ok((storage, outcomes))
    }
}

impl Storage {
    /// Something has happened in the engine: wakes the task that tends the store, if it has to
    /// look.
    pub(crate) fn look(&mut self, engine: &Engine) {
        let urgency = match engine.has_wanted() {
            true => Urgency::Now,
            false => engine.batch_urgency(),
        };
        if urgency > self.urgency && !self.is_busy && !self.is_awake {
            self.is_awake = true;
            self.wake.notify_one();
        }
    }

    /// Gives the store what is due; says when to look again.
    fn feed(&mut self, engine: &mut Engine) -> Option<Instant> {
        self.is_awake = false;
        if self.is_busy {
            return None;
        }
        let now = Instant::now();
        if let Some((batch, again)) = self.refused.take() {
            if again > now {
                self.refused = Some((batch, again));
                return Some(again);
            }
            self.commit(batch);
            return None;
        }
        let urgency = engine.batch_urgency();
        if self.urgency == Urgency::None {
            self.since = now;
        }
        let (noted, settled) = engine.progress();
        // What was there at the last look may have come to nothing.
        if self.urgency < Urgency::Soon || settled >= self.soon_mark {
            (self.soon_since, self.soon_mark) = (now, noted);
        }
        self.urgency = urgency;
        let due = match urgency {
            _ if engine.has_wanted() => now,
            Urgency::None => return None,
            Urgency::Idle => self.since + IDLE,
            Urgency::Soon => (self.soon_since + SOON).min(self.since + IDLE),
            Urgency::Now => now,
        };
        if due > now {
            return Some(due);
        }
        self.urgency = Urgency::None;
        if let Some(batch) = engine.poll_batch() {
            self.commit(batch);
        }
        while let Some(wanted) = engine.poll_wanted() {
            self.writer.send(Task::Load(wanted));
        }
        None
    }

    fn commit(&mut self, batch: Batch) {
        self.is_busy = true;
        self.writer.send(Task::Commit(batch));
    }
}

impl Core {
    /// The store has done something.
    fn handle_outcome(&mut self, outcome: Outcome) {
        let now = self.now();
        let Some(storage) = &mut self.storage else {
            return;
        };
        match outcome {
            Outcome::Stored(batch, orphans) => {
                storage.is_busy = false;
                self.engine.handle_orphans(orphans);
                self.engine.handle_stored(batch);
            }
            Outcome::Refused(batch, error) => {
                storage.is_busy = false;
                storage.refused = Some((batch, Instant::now() + RETRY));
                self.engine.handle_refused(now, &error.to_string());
            }
            Outcome::Loaded(wanted, Ok(_)) if storage.refused.is_some() => {
                // It was read behind a batch that is not stored, and may lack what was in that.
                let why = "a batch before was refused";
                self.engine.handle_unreadable(now, wanted, why);
            }
            Outcome::Loaded(wanted, Ok(deliveries)) => {
                self.engine.handle_loaded(now, wanted, deliveries);
            }
            Outcome::Loaded(wanted, Err(error)) => {
                let why = error.to_string();
                self.engine.handle_unreadable(now, wanted, &why);
            }
            Outcome::Unsafe(error) => self.engine.handle_refused(now, &error.to_string()),
        }
        self.settle(None);
    }

    fn log_saving(&mut self) {
        if let Some(storage) = &self.storage {
            let path = storage.path.display().to_string();
            self.log_line(Line::Saving { path: &path });
        }
    }

    /// Gives the store what it does not have yet; `false` if it has all.
    fn commit_rest(&mut self) -> bool {
        let Some(storage) = &mut self.storage else {
            return false;
        };
        if storage.is_busy {
            return true;
        }
        let refused = storage.refused.take().map(|(batch, _)| batch);
        match refused.or_else(|| self.engine.poll_batch()) {
            Some(batch) => storage.commit(batch),
            None => return false,
        }
        true
    }

    fn feed_storage(&mut self) -> Option<Instant> {
        let storage = self.storage.as_mut()?;
        storage.feed(&mut self.engine)
    }
}

/// Tends the store as long as the broker runs.
pub(crate) async fn tend(
    shared: Arc<Shared>,
    outcomes: Option<UnboundedReceiver<Outcome>>,
    ending: Arc<Notify>,
) -> Option<UnboundedReceiver<Outcome>> {
    let mut outcomes = outcomes?;
    let wake = shared.with(|core| core.storage.as_ref().map(|s| s.wake.clone()))?;
    loop {
        let due = shared.with(Core::feed_storage);
        let timer = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            outcome = outcomes.recv() => match outcome {
                Some(outcome) => shared.with(|core| core.handle_outcome(outcome)),
                None => return None,
            },
            () = ending.notified() => return Some(outcomes),
            () = wake.notified() => {}
            () = timer => {}
        }
    }
}

/// Stores what is left when the broker ends: all clients have been let go.
pub(crate) async fn close(shared: &Shared, outcomes: &mut UnboundedReceiver<Outcome>) {
    shared.with(Core::log_saving);
    while shared.with(Core::commit_rest) {
        match outcomes.recv().await {
            Some(Outcome::Refused(_, error)) => {
                let what = format!("the last changes could not be stored: {error}.");
                shared.log(Line::Failure { what: &what });
                break;
            }
            Some(outcome) => shared.with(|core| core.handle_outcome(outcome)),
            None => break,
        }
    }
    // Ends the thread, and closes the file.
    drop(shared.with(|core| core.storage.take()));
}
