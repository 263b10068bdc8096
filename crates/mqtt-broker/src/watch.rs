//! Notices that a file was saved, for systems that have no signal to say so.

#![cfg_attr(unix, allow(dead_code))]

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the file is looked at.
const PACE: Duration = Duration::from_secs(1);

/// A file and what it looked like.
pub struct Watch {
    path: PathBuf,
    seen: Option<Look>,
    pace: Duration,
}

/// What changes when a file is saved.
type Look = (Option<SystemTime>, u64);

impl Watch {
    /// Watches `path` as it is now.
    pub fn new(path: &Path) -> Watch {
        Watch {
            path: path.into(),
            seen: look(path),
            pace: PACE,
        }
    }

    /// Waits until the file has been saved: it is there, is another than before, and has not changed
    /// between two looks, so that it is not read half written.
    pub async fn changed(&mut self) {
        let mut before = self.seen;
        loop {
            tokio::time::sleep(self.pace).await;
            let now = look(&self.path);
            if now.is_some() && now != self.seen && now == before {
                self.seen = now;
                return;
            }
            before = now;
        }
    }
}

fn look(path: &Path) -> Option<Look> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok(), file.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
    }

    #[test]
    fn a_file_that_was_saved_is_noticed_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("test.conf");
        std::fs::write(&path, "one").expect("it can be written");
        let mut watch = Watch::new(&path);
        watch.pace = Duration::from_millis(1);
        runtime().block_on(async {
            let again = tokio::time::timeout(Duration::from_millis(20), watch.changed());
            assert!(again.await.is_err(), "nothing was saved");
            std::fs::remove_file(&path).expect("it is there");
            let gone = tokio::time::timeout(Duration::from_millis(20), watch.changed());
            assert!(
                gone.await.is_err(),
                "an editor may take it away for a moment"
            );
            std::fs::write(&path, "another").expect("it can be written");
            let saved = tokio::time::timeout(Duration::from_secs(60), watch.changed());
            assert!(saved.await.is_ok(), "it was saved");
            let again = tokio::time::timeout(Duration::from_millis(20), watch.changed());
            assert!(again.await.is_err(), "it was saved once");
        });
    }
}
