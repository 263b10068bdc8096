//! What can still be read of a store whose parts do not all fit together.
//!
//! `redb` opens a file after a crash only if every page of it has the right checksum. Here it reads
//! one as if nothing had happened: each entry has a checksum of its own, and what has the right one
//! was written so.

use super::disk::Disk;
use super::tree::{STATE, failed, guarded, opening_failed};
use super::walk::walk;
use super::{Found, Measure, Restored, StoreError};
use redb::{BackendError, Builder, ConcurrencyMode, ReadableDatabase, StorageBackend};
use std::io;
use std::ops::Bound;
use std::sync::Arc;

/// Where `redb` notes in which state a file is.
const STATE_BYTE: u64 = 9;

/// In that byte: which of the last two commits is the newest.
const NEWEST: u8 = 1;

/// In that byte: that the file was not closed.
const WAS_OPEN: u8 = 2;

/// Hands out what can be read of a damaged store; nothing of it is changed.
///
/// # Errors
/// Nothing can be read.
pub fn read(disk: &Arc<dyn Disk>, take: &mut dyn FnMut(Restored)) -> Result<Found, StoreError> {
    // The last commit, and if that cannot be read at all, the one before.
    let last = read_commit(disk, 0, take);
    match last {
        Ok(found) if found.messages > 0 || found.damaged == 0 => Ok(found),
        _ => read_commit(disk, NEWEST, take),
    }
}

fn read_commit(
    disk: &Arc<dyn Disk>,
    flip: u8,
    take: &mut dyn FnMut(Restored),
) -> Result<Found, StoreError> {
    guarded(|| {
        let backend = AsClosed {
            disk: disk.clone(),
            flip,
        };
        let mut builder = Builder::new();
        // A reader of this kind needs to know of no page but those it comes across.
        builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
        let opened = builder.open_read_only_with_backend(backend);
        let database = opened.map_err(opening_failed)?;
        let transaction = database.begin_read().map_err(failed)?;
        let state = transaction.open_table(STATE).map_err(failed)?;
        let (found, _) = walk(state, Measure::ALL, take);
        Ok(found)
    })
}

/// A disk whose file looks as if it had been closed.
#[derive(Debug)]
struct AsClosed {
    disk: Arc<dyn Disk>,
    flip: u8,
}

impl StorageBackend for AsClosed {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)?;
        let at = STATE_BYTE.checked_sub(offset);
        let at = at.and_then(|at| usize::try_from(at).ok());
        if let Some(byte) = at.and_then(|at| out.get_mut(at)) {
            *byte = (*byte & !WAS_OPEN) ^ self.flip;
        }
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    // Nobody else has the file: that was seen to when it was opened.

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}
