//! The secrets of connections in a file, for Wireshark to read along. For tests only.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustls::KeyLog;

use super::files::FileError;

/// Appends lines in the form that NSS began and all tools read.
#[derive(Debug)]
pub(super) struct FileKeyLog(Mutex<File>);

impl FileKeyLog {
    /// Opens a file to append to; a new one is for its owner's eyes only.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path);
        file.map(|file| Self(Mutex::new(file))).map_err(|error| {
            FileError::new("key log", path, format!("it cannot be opened: {error}"))
        })
    }
}

impl KeyLog for FileKeyLog {
    fn log(&self, label: &str, random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| {
            bytes
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect::<String>()
        };
        let line = format!("{label} {} {}\n", hex(random), hex(secret));
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not cost a connection.
        let _ = file.write_all(line.as_bytes());
    }
}
