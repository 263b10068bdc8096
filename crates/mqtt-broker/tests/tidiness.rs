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

/// Whether a line asks for which operating system it is compiled.
fn asks_for_the_system(line: &str) -> bool {
    line.contains("cfg")
        && ["windows", "unix", "target_os"]
            .iter()
            .any(|system| line.contains(system))
}

/// The table in docs/ARCHITECTURE.md, and the modules that it names.
#[test]
fn only_the_modules_that_are_named_ask_for_the_system() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(crates.join("../docs/ARCHITECTURE.md")).expect("it is there");
    let (_, table) = page
        .split_once("## What depends on the operating system")
        .expect("the heading");
    let (table, _) = table.split_once("\n## ").expect("another heading");
    let named: Vec<&str> = table
        .split('`')
        .filter(|word| word.starts_with("mqtt-") && word.ends_with(".rs"))
        .collect();
    assert!(named.len() > 20, "{named:?}");

    let mut found = Vec::new();
    for entry in fs::read_dir(&crates).expect("the folder is there") {
        let source = entry.expect("it can be read").path().join("src");
        if source.is_dir() {
            rust_files(&source, &mut found);
        }
    }
    let mut asking = Vec::new();
    for path in found {
        let text = fs::read_to_string(&path).expect("it is text");
        // In a source, its own tests are at the end.
        let program = text.split("#[cfg(test)]").next().unwrap_or_default();
        if program.lines().any(asks_for_the_system) {
            let name = path.strip_prefix(&crates).expect("it is below");
            asking.push(name.to_string_lossy().replace('\\', "/"));
        }
    }
    asking.sort_unstable();
    let mut named: Vec<String> = named.into_iter().map(Into::into).collect();
    named.sort_unstable();
    assert_eq!(asking, named);
}
