//! One run after the other: two that read the same file and write it would lose a user.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another run is waited for. One needs milliseconds, unless it hashes a whole file.
const PATIENCE: Duration = Duration::from_secs(10);

/// The right to change a password file, until it is dropped.
pub struct Lock {
    /// The system lets go when this is closed, even if the program is killed.
    _held: Option<File>,
}

impl Lock {
    /// Waits until no other run changes files in the same folder.
    ///
    /// # Errors
    /// Another run takes too long ([`io::ErrorKind::TimedOut`]).
    pub fn take(file: &Path) -> io::Result<Lock> {
        Self::take_within(file, PATIENCE)
    }

    fn take_within(file: &Path, limit: Duration) -> io::Result<Lock> {
        // Where nothing can be opened there is nothing to be changed either, which is said later.
        let Ok(shared) = open_shared(file) else {
            return Ok(Lock { _held: None });
        };
        let until = Instant::now() + limit;
        loop {
            match shared.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "another program has been changing files in its folder for long. Try again later",
                    ));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(10)),
                // Some file systems cannot lock; then it is as it was with Mosquitto's tool.
                Err(TryLockError::Error(_)) => return Ok(Lock { _held: None }),
            }
        }
        Ok(Lock {
            _held: Some(shared),
        })
    }
}

/// The folder of the file: the file itself is replaced by another one while it is changed.
#[cfg(unix)]
fn open_shared(file: &Path) -> io::Result<File> {
    // A link is followed, as it is when the file is written.
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let folder = file.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))
}

/// Folders cannot be locked on Windows, and a locked file cannot be read by the broker; so it is a
/// file of our own, one for all password files.
#[cfg(not(unix))]
fn open_shared(_file: &Path) -> io::Result<File> {
    File::create(std::env::temp_dir().join("mqtt-passwd.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_waits_for_the_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("users");
        let first = Lock::take(&file).expect("nobody else is there");
        let error = Lock::take_within(&file, Duration::ZERO).err();
        let kind = error.map(|error| error.kind());
        assert_eq!(kind, Some(io::ErrorKind::TimedOut));
        drop(first);
        Lock::take(&file).expect("it is free again");
    }
}
