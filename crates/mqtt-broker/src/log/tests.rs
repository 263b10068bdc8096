//! What arrives where, with memory in place of files and terminals.

use super::*;
use std::sync::{Arc, Mutex};

/// A destination that can be read.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn text(&self) -> String {
        let bytes = self.0.lock().expect("no panic while writing").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A destination that has gone away.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn output(sink: impl Write + Send + 'static, is_terminal: bool) -> Output {
    Output {
        sink: Box::new(sink),
        is_terminal,
        path: None,
    }
}

fn config(text: &str) -> Config {
    text.parse().expect("a configuration")
}

#[test]
fn a_pipe_gets_lines_in_the_form_of_mosquitto() {
    let memory = Memory::default();
    let mut log = Log::new(&config(""), vec![output(memory.clone(), false)], false);
    log.line(Line::DefaultConfig);
    assert_eq!(memory.text(), "", "lines wait for the flush");
    log.flush();
    let text = memory.text();
    let (time, rest) = text.split_once(": ").expect("a time");
    assert!(time.parse::<u64>().expect("seconds") > 1_600_000_000);
    assert_eq!(rest, "Using default config.\n");
}

#[test]
fn a_terminal_gets_the_time_of_day_unless_the_file_says_otherwise() {
    for (text, length) in [
        ("", "12:34:56: ".len()),
        ("log_timestamp false", 0),
        ("log_timestamp_format %Y", "2026: ".len()),
    ] {
        let memory = Memory::default();
        let mut log = Log::new(&config(text), vec![output(memory.clone(), true)], false);
        log.terminal.coloured = false;
        log.line(Line::DefaultConfig);
        log.flush();
        let expected = length + "Using default config.\n".len();
        assert_eq!(memory.text().len(), expected, "{text}: {}", memory.text());
    }
}

#[test]
fn unwanted_levels_are_not_written() {
    let memory = Memory::default();
    let mut log = Log::new(
        &config("log_type error"),
        vec![output(memory.clone(), false)],
        true,
    );
    log.line(Line::DefaultConfig);
    log.write(Level::Debug, "noise");
    log.flush();
    assert_eq!(memory.text(), "");
    assert_eq!(log.take_messages(), []);
}

#[test]
fn lines_for_topics_are_handed_back_once() {
    let mut log = Log::new(
        &config("log_dest topic\nlog_timestamp false\nlog_type all"),
        vec![],
        true,
    );
    log.line(Line::DefaultConfig);
    log.write(Level::Debug, "never by topic");
    let messages = log.take_messages();
    assert_eq!(
        messages,
        [LogMessage {
            topic: "$SYS/broker/log/I".into(),
            payload: "Using default config.".into()
        }]
    );
    assert_eq!(log.take_messages(), []);
}

#[test]
fn a_closed_pipe_is_survived() {
    let memory = Memory::default();
    let mut log = Log::new(
        &config("log_timestamp false"),
        vec![output(Broken, false), output(memory.clone(), false)],
        false,
    );
    for _ in 0..10_000 {
        log.line(Line::DefaultConfig);
    }
    log.flush();
    assert_eq!(memory.text().lines().count(), 10_000);
}

#[test]
fn names_from_strangers_cannot_forge_lines() {
    assert_eq!(one_line("\tκαλημέρα"), "\tκαλημέρα");
    assert_eq!(one_line("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
}

#[test]
fn a_moved_file_is_opened_again_under_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broker.log");
    let text = format!("log_dest file {}\nlog_timestamp false", path.display());
    let mut log = Log::open(&config(&text));
    log.write(Level::Notice, "one");
    log.flush();
    std::fs::rename(&path, folder.path().join("old.log")).expect("moved");
    log.reopen().expect("opened again");
    log.write(Level::Notice, "two");
    log.flush();
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), "two\n");
}

#[test]
fn a_log_that_cannot_be_opened_falls_back_to_standard_error() {
    let log = Log::open(&config("log_dest file /nonexistent/folder/broker.log"));
    assert_eq!(log.outputs.len(), 1);
    assert!(log.outputs[0].path.is_none());
}
