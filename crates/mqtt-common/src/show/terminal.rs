//! What a person at a terminal sees: time, topic and message, told apart by colour; no byte that
//! could garble the terminal.

use std::io::Write;

use colored::Colorize;
use mqtt_proto::Publish;

use super::clock::Clock;

/// Bytes in one line of a dump.
const LINE: usize = 16;
/// A dump ends after this many bytes; all of them are in the message, and in a pipe.
const MAX_DUMP: usize = 1024;

/// Appends a message with its time and topic.
pub(super) fn message(message: &Publish<'_>, clock: &Clock, out: &mut Vec<u8>) {
    let topic = plain(message.topic.map_or("", |topic| topic.as_str()));
    let time = clock.show("%H:%M:%S").dimmed();
    // Writing to a vector does not fail, here and below.
    let _ = write!(out, "{time} {} ", topic.cyan());
    if message.retain {
        let _ = write!(out, "{} ", "(retained)".dimmed());
    }
    if message.payload.is_empty() {
        let _ = write!(out, "{}", "(empty)".dimmed());
    } else {
        payload(message.payload, true, out);
    }
    out.push(b'\n');
}

/// Appends a payload: text as it is, anything else as a dump.
pub(super) fn payload(payload: &[u8], newline: bool, out: &mut Vec<u8>) {
    match std::str::from_utf8(payload) {
        Ok(text) if !text.contains(is_harmful) => out.extend_from_slice(payload),
        _ => dump(payload, newline, out),
    }
}

/// Whether a character does something to a terminal instead of being shown.
pub(super) fn is_harmful(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// One line of text without anything that moves the cursor.
pub(super) fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Bytes in hexadecimal, and beside them what is text in them.
fn dump(payload: &[u8], newline: bool, out: &mut Vec<u8>) {
    let _ = write!(out, "({} bytes)", payload.len());
    if !newline {
        out.push(b'\n');
    }
    let shown = &payload[..payload.len().min(MAX_DUMP)];
    for (index, line) in shown.chunks(LINE).enumerate() {
        let digits: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let text: String = line
            .iter()
            .map(|byte| match byte {
                0x20..0x7f => char::from(*byte),
                _ => '.',
            })
            .collect();
        let _ = write!(
            out,
            "\n  {:06x}  {:<47}  {}",
            index * LINE,
            digits.join(" "),
            text.dimmed()
        );
    }
    if payload.len() > MAX_DUMP {
        let _ = write!(out, "\n  ... and {} more bytes", payload.len() - MAX_DUMP);
    }
}
