//! `--record`: messages go to a file as they come, one JSON line each.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use mqtt_common::record;
use mqtt_proto::Publish;

/// More than this is written at once, whatever else comes.
const BLOCK: usize = 64 * 1024;

/// A recording that goes on.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
    started: Instant,
}

impl Recorder {
    /// Opens the file. What is in it already stays: the recording goes on behind it.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path) -> io::Result<Recorder> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let mut buffer = Vec::new();
        // A recorder that was killed may have left half a line; its rest is not ours.
        if is_unfinished(&mut file) {
            buffer.push(b'\n');
        }
        Ok(Recorder {
            path: path.to_owned(),
            file,
            buffer,
            started: Instant::now(),
        })
    }

    /// Records a message.
    ///
    /// # Errors
    /// That of the file; see [`flush`](Self::flush).
    pub fn message(&mut self, message: &Publish<'_>) -> Result<(), String> {
        let now = jiff::Timestamp::now();
        record::write(self.started.elapsed(), now, message, &mut self.buffer);
        if self.buffer.len() < BLOCK {
            return Ok(());
        }
        self.flush()
    }

    /// Writes what has gathered.
    ///
    /// # Errors
    /// What went wrong with the file, in a sentence without its full stop.
    pub fn flush(&mut self) -> Result<(), String> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| format!("Cannot write to {}: {error}", self.path.display()))
    }
}

/// Whether the last byte is not the end of a line; a pipe or a device has no last byte.
fn is_unfinished(file: &mut File) -> bool {
    let mut last = [b'\n'];
    if !file.metadata().is_ok_and(|data| data.is_file()) {
        return false;
    }
    let read = file
        .seek(SeekFrom::End(-1))
        .and_then(|_| file.read_exact(&mut last));
    read.is_ok() && last != [b'\n']
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_common::record::Record;

    #[test]
    fn a_recording_goes_on_behind_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.jsonl");
        std::fs::write(&path, "{\"topic\":\"cut sho").unwrap();
        let record = Record::read(b"{\"topic\":\"t\",\"payload-base64\":\"AP8=\"}").unwrap();
        for _ in 0..2 {
            let mut recorder = Recorder::open(&path).unwrap();
            recorder.message(&record.publish()).unwrap();
            recorder.flush().unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, "{\"topic\":\"cut sho"));
        for line in &lines[1..] {
            assert_eq!(Record::read(line.as_bytes()).unwrap().payload, [0, 255]);
        }
        assert!(text.ends_with('\n'));
    }
}
