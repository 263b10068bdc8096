//! The store as a tree in one file, on `redb`: a batch is a transaction, a commit is one sync.

use super::disk::{Adapter, Disk};
use super::form::{self, Kind};
use super::migrate::{FORMS, Forms};
use super::sweep::{Messages, forget};
use super::walk::{delivery, walk};
use super::{Found, Left, Measure, Portion, Restored, Store, StoreError};
use crate::journal::{Batch, Key};
use redb::{
    Builder, Database, DatabaseError, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable,
    Table, TableDefinition,
};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) const STATE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("state");

/// Bytes of the file that are kept in memory. What is stored is hardly ever read again.
const CACHE: usize = 16 * 1024 * 1024;

/// What a database of Mosquitto begins with.
pub(super) const MOSQUITTO: [u8; 15] = *b"\x00\xB5\x00mosquitto db";

/// A store in a file.
pub struct TreeStore {
    disk: Arc<dyn Disk>,
    /// `None` after an error, which may have left it between two states.
    database: Option<Database>,
    /// Whether every commit is brought to safety, or only a [`sync`](Store::sync).
    syncs_each: bool,
    /// Keys that [`restore`](Store::restore) could make nothing of.
    broken: Vec<Vec<u8>>,
    /// Whether it cannot be read which form it has. It is taken for the newest one then: what can be
    /// read as that, and has the right checksum, was written so.
    is_version_broken: bool,
    /// The form that it had when it was opened, if that was an older one.
    migrated_from: Option<u32>,
}

impl TreeStore {
    /// Opens what is on a disk, or begins anew on an empty one.
    ///
    /// # Errors
    /// It is no store, or it cannot be read.
    pub fn open(disk: Arc<dyn Disk>, syncs_each: bool) -> Result<TreeStore, StoreError> {
        TreeStore::open_of(disk, syncs_each, FORMS)
    }

    /// As [`TreeStore::open`], where other forms are known than those of this broker.
    ///
    /// # Errors
    /// As [`TreeStore::open`].
    pub fn open_of(
        disk: Arc<dyn Disk>,
        syncs_each: bool,
        forms: Forms,
    ) -> Result<TreeStore, StoreError> {
        let mut first = [0; MOSQUITTO.len()];
        if disk.len()? >= first.len() as u64 {
            disk.read(0, &mut first)?;
            if first == MOSQUITTO {
                return Err(StoreError::Mosquitto(String::new()));
            }
        }
        guarded(|| {
            let mut store = TreeStore {
                disk,
                database: None,
                syncs_each,
                broken: Vec::new(),
                is_version_broken: false,
                migrated_from: None,
            };
            store.reopen()?;
            store.check_version(forms)?;
            Ok(store)
        })
    }

    /// The form that it had when it was opened, if that was an older one.
    pub fn migrated_from(&self) -> Option<u32> {
        self.migrated_from
    }

    /// The file as it is now, opened again if an error has closed it.
    fn reopen(&mut self) -> Result<&Database, StoreError> {
        if self.database.is_none() {
            let adapter = Adapter {
                disk: self.disk.clone(),
            };
            let opened = Builder::new()
                .set_cache_size(CACHE)
                .create_with_backend(adapter);
            self.database = Some(opened.map_err(opening_failed)?);
        }
        Ok(self
            .database
            .as_ref()
            .expect("it was opened, or was open before"))
    }

    /// Sees to it that the store is of the newest form.
    fn check_version(&mut self, forms: Forms) -> Result<(), StoreError> {
        let known = forms.newest();
        let key = form::start_of(Kind::Version as u8);
        let transaction = self.reopen()?.begin_write().map_err(failed)?;
        let found = {
            let mut state = transaction.open_table(STATE).map_err(failed)?;
            let found = state.get(&key[..]).map_err(failed)?;
            let found = found.map(|value| form::parse_version(value.value()));
            if found.is_none() {
                let version = form::version_bytes(known);
                state.insert(&key[..], &version[..]).map_err(failed)?;
            }
            found
        };
        match found {
            None => transaction.commit().map_err(failed),
            Some(Some(found)) if found == known => transaction.abort().map_err(failed),
            Some(Some(found)) if found > known => Err(StoreError::TooNew { found, known }),
            Some(Some(found @ 1..)) => {
                forms.migrate(&transaction, found)?;
                transaction.commit().map_err(failed)?;
                self.migrated_from = Some(found);
                Ok(())
            }
            Some(Some(0) | None) => {
                self.is_version_broken = true;
                transaction.abort().map_err(failed)
            }
        }
    }

    /// Deletes what [`restore`](Store::restore) could make nothing of.
    ///
    /// # Errors
    /// As [`commit`](Store::commit).
    pub fn forget_broken(&mut self) -> Result<(), StoreError> {
        let broken = std::mem::take(&mut self.broken);
        if broken.is_empty() {
            return Ok(());
        }
        let transaction = self.reopen()?.begin_write().map_err(failed)?;
        {
            let mut state = transaction.open_table(STATE).map_err(failed)?;
            for key in broken {
                state.remove(&key[..]).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)
    }

    fn try_restore(
        &mut self,
        head: Measure,
        take: &mut dyn FnMut(Restored),
    ) -> Result<Found, StoreError> {
        let transaction = self.reopen()?.begin_read().map_err(failed)?;
        let state = transaction.open_table(STATE).map_err(failed)?;
        let (mut found, broken) = walk(state, head, take);
        found.damaged += usize::from(self.is_version_broken);
        self.broken = broken;
        Ok(found)
    }

    fn try_commit(&mut self, batch: &Batch) -> Result<Left, StoreError> {
        let syncs_each = self.syncs_each;
        let mut transaction = self.reopen()?.begin_write().map_err(failed)?;
        if !syncs_each {
            transaction
                .set_durability(Durability::None)
                .map_err(failed)?;
        }
        let mut left = Left::default();
        {
            let mut state = transaction.open_table(STATE).map_err(failed)?;
            for (number, message) in &batch.messages {
                let key = form::message_key(*number);
                let value = form::message_bytes(&key, message);
                state.insert(&key[..], &value[..]).map_err(failed)?;
            }
            for entry in &batch.entries {
                let Some(value) = &entry.value else {
                    continue;
                };
                let key = form::key_bytes(&entry.key);
                let value = form::value_bytes(&key, value, entry.message);
                state.insert(&key[..], &value[..]).map_err(failed)?;
            }
            delete(&mut state, batch)?;
            for entry in &batch.entries {
                if let (Key::Session(serial), None) = (&entry.key, &entry.value) {
                    end_session(&mut state, *serial, &mut left)?;
                }
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(left)
    }
}

/// Deletes what a batch deletes: key by key, but messages and the places of a queue together.
fn delete(
    state: &mut Table<'_, &'static [u8], &'static [u8]>,
    batch: &Batch,
) -> Result<(), StoreError> {
    for entry in batch.entries.iter().filter(|entry| entry.value.is_none()) {
        let key = form::key_bytes(&entry.key);
        state.remove(&key[..]).map_err(failed)?;
    }
    for places in &batch.unqueued {
        let key = |place| form::key_bytes(&Key::Queued(places.session, place));
        let (first, last) = (key(places.first), key(places.last));
        if first == last {
            state.remove(&first[..]).map_err(failed)?;
            continue;
        }
        state
            .retain_in(&first[..]..=&last[..], |_, _| false)
            .map_err(failed)?;
    }
    let mut forgotten = batch.forgotten.clone();
    forgotten.sort_unstable();
    forget(state, &forgotten)
}

/// Removes all that a session had, but for what others can take over of its queue.
fn end_session(
    state: &mut Table<'_, &'static [u8], &'static [u8]>,
    serial: u64,
    left: &mut Left,
) -> Result<(), StoreError> {
    for kind in [
        Kind::Subscription,
        Kind::Queued,
        Kind::InFlight,
        Kind::Incoming,
    ] {
        let (from, to) = (
            form::numbered(kind, serial),
            form::numbered(kind, serial + 1),
        );
        let mut has_legacy = false;
        state
            .retain_in(&from[..]..&to[..], |key, value| {
                let Some(stored) = (kind == Kind::Queued)
                    .then(|| form::parse_queued(key, value))
                    .flatten()
                else {
                    return false;
                };
                if stored.share.is_none() {
                    left.orphans.push(stored.message);
                }
                has_legacy |= stored.share.is_some();
                stored.share.is_some()
            })
            .map_err(failed)?;
        if has_legacy {
            left.legacies.push(serial);
        }
    }
    Ok(())
}

impl Store for TreeStore {
    fn restore(
        &mut self,
        head: Measure,
        take: &mut dyn FnMut(Restored),
    ) -> Result<Found, StoreError> {
        guarded(|| self.try_restore(head, take))
    }

    fn commit(&mut self, batch: &Batch) -> Result<Left, StoreError> {
        let committed = guarded(|| self.try_commit(batch));
        if committed.is_err() {
            // It refuses to go on after an error. Opened anew, it is what was committed last.
            self.database = None;
        }
        committed
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let synced = self
            .reopen()
            .and_then(|database| database.begin_write().map_err(failed))
            .and_then(|transaction| transaction.commit().map_err(failed));
        if synced.is_err() {
            self.database = None;
        }
        synced
    }

    fn load(
        &mut self,
        session: u64,
        behind: u64,
        mut part: Measure,
    ) -> Result<Portion, StoreError> {
        let transaction = self.reopen()?.begin_read().map_err(failed)?;
        let state = transaction.open_table(STATE).map_err(failed)?;
        let from = form::key_bytes(&Key::Queued(session, behind.saturating_add(1)));
        let to = form::numbered(Kind::Queued, session + 1);
        let mut deliveries = Vec::new();
        let mut messages = Messages::of(&state);
        for entry in state.range(&from[..]..&to[..]).map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            let (Some(Key::Queued(_, place)), Some(stored)) = (
                form::parse_key(key.value()),
                form::parse_queued(key.value(), value.value()),
            ) else {
                continue;
            };
            if !part.take(stored.size as usize) {
                break;
            }
            if let Some(message) = messages.read(stored.message) {
                deliveries.push(delivery(stored, message.into(), place));
            }
        }
        Ok(Portion {
            session,
            deliveries,
        })
    }
}

pub(super) type State = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Does something with a file that may be damaged: where its parts do not fit together, `redb`
/// panics.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let unfit = || Err(StoreError::Damaged("its parts do not fit together".into()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| unfit())
}

pub(super) fn opening_failed(error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse,
        error => failed(error),
    }
}

/// What `redb` says, in our terms: what the system refused, or what it could not read.
pub(super) fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
            ) =>
        {
            StoreError::Io(error)
        }
        error => StoreError::Damaged(error.to_string()),
    }
}
