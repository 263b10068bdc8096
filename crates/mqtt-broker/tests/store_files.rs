//! The store's file in the hands of the program: who has it open, and what is said if it is of no use.

use mqtt_broker::store::disk::FileDisk;
use mqtt_broker::store::migrate::Forms;
use mqtt_broker::store::tree::TreeStore;
use mqtt_testkit::broker::free_port;
use mqtt_testkit::program::Program;
use mqtt_testkit::tools::tool;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use tempfile::TempDir;

/// A broker's folder with a configuration and, once it has run, a store.
struct Home {
    folder: TempDir,
    port: u16,
}

impl Home {
    fn new() -> Home {
        Home::with("")
    }

    /// One with more lines in its configuration.
    fn with(more: &str) -> Home {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let text =
            format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\n{more}");
        std::fs::write(folder.path().join("test.conf"), text).expect("it can be written");
        Home { folder, port }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("mosquitto.db")
    }

    fn start(&self) -> Program {
        let mut command = Command::new(tool("mqtt-broker"));
        command
            .args(["-c", "test.conf"])
            .current_dir(self.folder.path());
        Program::of(command)
    }

    /// Has a broker run for a moment.
    fn run(&self) {
        self.start().expect_stderr(" running\n");
    }
}

fn open(path: &Path) -> FileDisk {
    FileDisk::open(path, true).expect("nobody has it open")
}

#[test]
fn a_broker_started_while_the_last_one_is_still_ending_waits_for_that() {
    let home = Home::new();
    let last = open(&home.path());
    let program = home.start();
    program.expect_stderr("another broker has the store open; waiting for it to end");
    drop(last);
    program.expect_stderr(" running\n");
}

#[test]
fn a_store_that_another_broker_keeps_is_refused() {
    let home = Home::new();
    let other = open(&home.path());
    let ended = home.start().finish();
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("cannot be used: another broker has it open"),
        "{ended:?}"
    );
    drop(other);
    home.run();
}

#[test]
fn a_store_of_a_newer_form_is_refused_and_left_as_it_is() {
    const NEWER: Forms = Forms(&[|entry, put| put(entry)]);
    let home = Home::new();
    home.run();
    let migrate = || {
        let opened = TreeStore::open_of(Arc::new(open(&home.path())), true, NEWER);
        opened.expect("it opens").migrated_from()
    };
    assert_eq!(migrate(), Some(1));
    let ended = home.start().finish();
    assert_eq!(ended.code, 1, "{ended:?}");
    let expected = "is of form 2, and this broker knows forms up to 1. Start the newer broker";
    assert!(ended.stderr.contains(expected), "{ended:?}");
    assert_eq!(migrate(), None);
}

#[test]
fn a_store_whose_version_is_damaged_loses_nothing_else() {
    // Started by root, it must be able to put the file aside in root's folder.
    let home = Home::with("user root\n");
    let client = |tool_name: &str, more: &[&str]| {
        let port = home.port.to_string();
        let mut command = Command::new(tool(tool_name));
        command.args(["-p", &port, "-t", "kept", "-q", "1"]);
        command.args(more).current_dir(home.folder.path());
        let ended = Program::of(command).finish();
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stdout
    };
    {
        let program = home.start();
        program.expect_stderr(" running\n");
        client("mqtt-pub", &["-r", "-m", "all of this"]);
    }
    {
        // The first entry: four bytes for the form, four of a checksum.
        let state = redb::TableDefinition::<&[u8], &[u8]>::new("state");
        let database = redb::Database::open(home.path()).expect("it opens");
        let transaction = database.begin_write().expect("it can be written");
        {
            let mut state = transaction.open_table(state).expect("it is there");
            let put = state.insert(&[0][..], &[0, 0, 0, 1, 9, 9, 9, 9][..]);
            assert!(put.expect("it can be written").is_some());
        }
        transaction.commit().expect("it can be written");
    }
    {
        let program = home.start();
        program.expect_stderr("1 parts of");
        program.expect_stderr("mosquitto.db.damaged-1");
        program.expect_stderr(" running\n");
        let heard = client("mqtt-sub", &["-C", "1", "-W", "20"]);
        assert_eq!(heard.trim_end(), "all of this");
    }
    // The new one is whole.
    let ended = home.start();
    ended.expect_stderr(" running\n");
    drop(ended);
    assert!(!home.folder.path().join("mosquitto.db.damaged-2").exists());
}

#[test]
fn a_file_that_is_no_store_is_put_aside() {
    let home = Home::new();
    std::fs::write(home.path(), vec![b'x'; 20_000]).expect("it can be written");
    let program = home.start();
    program.expect_stderr("mosquitto.db.damaged-1, and nothing was restored");
    program.expect_stderr(" running\n");
    drop(program);
    let aside = home.folder.path().join("mosquitto.db.damaged-1");
    assert_eq!(std::fs::read(aside).expect("it is there").len(), 20_000);
    home.run();
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let home = Home::with("persistence_location no/such/folder/\n");
    let ended = home.start().finish();
    assert_eq!(ended.code, 1, "{ended:?}");
    for part in ["no/such/folder", "Check persistence_location"] {
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
}
