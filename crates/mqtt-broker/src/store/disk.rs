//! What a store needs of a disk: a file that can be read, written, cut, and brought to safety.

use redb::StorageBackend;
use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file, or a test's idea of one.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Its length in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// As the system says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads as many bytes as `into` has.
    ///
    /// # Errors
    /// As the system says, and if there are not so many.
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()>;

    /// Cuts it, or fills it up with zeros.
    ///
    /// # Errors
    /// As the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Writes. Until the next [`sync`](Self::sync) it may be lost, whole or in part, and in any
    /// order with other writes.
    ///
    /// # Errors
    /// As the system says.
    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// What was written outlives a loss of power.
    ///
    /// # Errors
    /// As the system says; what was written since the last success may be lost.
    fn sync(&self) -> io::Result<()>;
}

/// A file of this computer, for this process alone.
#[derive(Debug)]
pub struct FileDisk {
    file: File,
    /// Whether [`Disk::sync`] does anything: `persistence_sync never` leaves that to the system.
    syncs: bool,
}

impl FileDisk {
    /// Opens a file, or makes one that only this user may read.
    ///
    /// # Errors
    /// As the system says; [`io::ErrorKind::WouldBlock`]: another process has it.
    pub fn open(path: &Path, syncs: bool) -> io::Result<FileDisk> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        system::keep_private(&mut options);
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
            // Some network file systems have no locks; the broker's port guards it there.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(FileDisk { file, syncs })
    }
}

impl Disk for FileDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        system::read(&self.file, at, into)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        system::write(&self.file, at, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        if self.syncs {
            self.file.sync_data()?;
        }
        Ok(())
    }
}

#[cfg(unix)]
mod system {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::unix::fs::{FileExt, OpenOptionsExt};

    pub(super) fn keep_private(options: &mut OpenOptions) {
        options.mode(0o600);
    }

    pub(super) fn read(file: &File, at: u64, into: &mut [u8]) -> io::Result<()> {
        file.read_exact_at(into, at)
    }

    pub(super) fn write(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }
}

#[cfg(windows)]
mod system {
    use std::fs::{File, OpenOptions};
    use std::io;
    use std::os::windows::fs::FileExt;

    /// A new file has the rights of its folder.
    pub(super) fn keep_private(_options: &mut OpenOptions) {}

    pub(super) fn read(file: &File, mut at: u64, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            match file.seek_read(into, at)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    into = &mut into[count..];
                    at += count as u64;
                }
            }
        }
        Ok(())
    }

    pub(super) fn write(file: &File, mut at: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match file.seek_write(bytes, at)? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => {
                    bytes = &bytes[count..];
                    at += count as u64;
                }
            }
        }
        Ok(())
    }
}

/// A disk as `redb` wants to have it.
#[derive(Debug)]
pub(super) struct Adapter {
    pub(super) disk: Arc<dyn Disk>,
}

impl StorageBackend for Adapter {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)
    }
}
