//! The habits of this crate's files: each says what it is for, none is long, the engine does no I/O.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of more lines than this has more than one idea.
const MOST_LINES: usize = 600;

/// What the engine is made of: it takes time and bytes as arguments and returns effects.
const ENGINE: [&str; 13] = [
    "connection_state.rs",
    "engine",
    "engine.rs",
    "journal.rs",
    "message.rs",
    "outbox.rs",
    "peer.rs",
    "retained.rs",
    "session.rs",
    "sys.rs",
    "time.rs",
    "topics.rs",
    "trie.rs",
];

/// Words of the outside world, and of a clock that runs by itself.
const OUTSIDE: [&str; 7] = [
    "tokio",
    "std::net",
    "std::fs",
    "std::io::Read",
    "std::thread",
    "Instant::now",
    "SystemTime",
];

fn rust_files(place: &Path, found: &mut Vec<PathBuf>) {
    if place.is_file() {
        found.push(place.to_owned());
        return;
    }
    for entry in fs::read_dir(place).expect("the folder is there") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "rs") {
            rust_files(&path, found);
        }
    }
}

fn files_of(places: &[&str]) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for place in places {
        rust_files(&root.join(place), &mut found);
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("it is text");
        (path.display().to_string(), text)
    };
    found.into_iter().map(read).collect()
}

#[test]
fn every_file_begins_with_a_sentence_about_itself() {
    for (path, text) in files_of(&["src", "tests"]) {
        assert!(
            text.starts_with("//! "),
            "{path} does not say what it is for"
        );
    }
}

#[test]
fn no_file_is_long() {
    for (path, text) in files_of(&["src", "tests"]) {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{path} has {lines} lines");
    }
}

#[test]
fn the_engine_does_no_io_and_has_no_clock() {
    let places = ENGINE.map(|name| format!("src/{name}"));
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let files = files_of(&places);
    assert!(
        files.len() > ENGINE.len(),
        "only {} files found",
        files.len()
    );
    for (path, text) in files {
        for word in OUTSIDE {
            assert!(!text.contains(word), "{path} says {word}");
        }
    }
}
