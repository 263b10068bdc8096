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
    head(message, clock, out);
    payload(message.payload, true, out);
    out.push(b'\n');
}

/// Appends the same in one line, as much of the message as fits there, without the line's end.
pub(super) fn line(message: &Publish<'_>, clock: &Clock, out: &mut Vec<u8>) {
    head(message, clock, out);
    match std::str::from_utf8(message.payload) {
        Ok(text) if !text.contains(is_harmful) => {
            let words = text.replace(char::is_control, " ");
            out.extend_from_slice(words.as_bytes());
        }
        _ => {
            let shown = &message.payload[..message.payload.len().min(LINE)];
            let more = if shown.len() < message.payload.len() {
                " ..."
            } else {
                ""
            };
            let (size, (digits, text)) = (message.payload.len(), columns(shown));
            let _ = write!(out, "({size} bytes) {digits}{more}  {}", text.dimmed());
        }
    }
}

/// Time, topic, and what there is to know about a message that its payload does not say.
fn head(message: &Publish<'_>, clock: &Clock, out: &mut Vec<u8>) {
    let topic = plain(message.topic.map_or("", |topic| topic.as_str()));
    let time = clock.show("%H:%M:%S").dimmed();
    // Writing to a vector does not fail, here and everywhere in this file.
    let _ = write!(out, "{time} {} ", topic.cyan());
    if message.retain {
        let _ = write!(out, "{} ", "(retained)".dimmed());
    }
    if message.payload.is_empty() {
        let _ = write!(out, "{}", "(empty)".dimmed());
    }
}

/// Appends a payload: text as it is, anything else as a dump.
pub(super) fn payload(payload: &[u8], newline: bool, out: &mut Vec<u8>) {
    match std::str::from_utf8(payload) {
        Ok(text) if !text.contains(is_harmful) => out.extend_from_slice(payload),
        _ => dump(payload, newline, out),
    }
}

/// Whether a character does something to a terminal instead of being shown.
fn is_harmful(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

/// One line of text without anything that moves the cursor.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Bytes as digits, and what is text in them.
fn columns(bytes: &[u8]) -> (String, String) {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = bytes.iter().map(|byte| match byte {
        0x20..0x7f => char::from(*byte),
        _ => '.',
    });
    (digits.join(" "), text.collect())
}

/// Bytes in hexadecimal, and beside them what is text in them.
fn dump(payload: &[u8], newline: bool, out: &mut Vec<u8>) {
    let _ = write!(out, "({} bytes)", payload.len());
    if !newline {
        out.push(b'\n');
    }
    let shown = &payload[..payload.len().min(MAX_DUMP)];
    for (index, line) in shown.chunks(LINE).enumerate() {
        let (digits, text) = columns(line);
        let (offset, text) = (index * LINE, text.dimmed());
        let _ = write!(out, "\n  {offset:06x}  {digits:<47}  {text}");
    }
    if payload.len() > MAX_DUMP {
        let _ = write!(out, "\n  ... and {} more bytes", payload.len() - MAX_DUMP);
    }
}
