//! Notices that the configuration was saved, for systems that have no signal to say so.

#![cfg_attr(unix, allow(dead_code))]

use mqtt_broker::config::{Look, Sources};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often the files are looked at.
const PACE: Duration = Duration::from_secs(1);

/// A configuration's files and what they looked like.
pub struct Watch {
    path: PathBuf,
    sources: Sources,
    seen: Option<Look>,
    pace: Duration,
}

impl Watch {
    /// Watches the configuration in `path`, and the files it names, as they are now.
    pub fn new(path: &Path) -> Watch {
        let sources = Sources::of(path);
        Watch {
            path: path.into(),
            seen: sources.look(),
            sources,
            pace: PACE,
        }
    }

    /// Waits until a file has been saved: the configuration is there, something is other than before, and
    /// has not changed between two looks, so that nothing is read half written.
    pub async fn changed(&mut self) {
        let mut before = self.seen.clone();
        loop {
            tokio::time::sleep(self.pace).await;
            let now = self.sources.look();
            if now.is_some() && now != self.seen && now == before {
                // It may name other files now. What is saved from here on is a change again.
                self.sources = Sources::of(&self.path);
                self.seen = self.sources.look();
                return;
            }
            before = now;
        }
    }
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

            let users = folder.path().join("users");
            std::fs::write(&path, format!("password_file {}", users.display())).expect("a file");
            let saved = tokio::time::timeout(Duration::from_secs(60), watch.changed());
            assert!(saved.await.is_ok(), "it names a file now");
            std::fs::write(&users, "anna:hash").expect("it can be written");
            let saved = tokio::time::timeout(Duration::from_secs(60), watch.changed());
            assert!(saved.await.is_ok(), "that file was saved");
        });
    }
}
