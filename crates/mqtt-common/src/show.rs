//! How a message is shown: byte for byte what scripts expect in a pipe, for eyes on a terminal.

mod clock;
mod format;
mod json;
mod render;
mod terminal;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use mqtt_proto::Publish;

pub use format::Format;

use crate::console::Console;
use crate::flags::table::Program;
use crate::flags::{Said, UsageError};
use crate::screen::Screen;
use clock::Clock;

/// How to show messages.
#[derive(Debug, Clone)]
pub struct Show {
    form: Form,
    /// The topic in front of each message.
    verbose: bool,
    /// A new line behind each message.
    newline: bool,
    /// JSON on several lines.
    pretty: bool,
    /// The time in front of each message.
    time: bool,
    /// Nobody has asked for a form, so that a terminal may have the one that is easiest to read.
    free: bool,
}

#[derive(Debug, Clone)]
enum Form {
    /// The bytes as they are.
    Raw,
    /// `-F`
    Custom(Format),
    /// `--format`
    Hex,
    Base64,
}

impl Default for Show {
    fn default() -> Show {
        Show {
            form: Form::Raw,
            verbose: false,
            newline: true,
            pretty: false,
            time: false,
            free: false,
        }
    }
}

impl Show {
    /// Judges what was said about showing. `many` tells whether messages of several topics can come.
    ///
    /// # Errors
    /// The format cannot be understood.
    pub fn new(said: &Said, many: bool) -> Result<Show, UsageError> {
        let custom = said.meaning("output-format", |_, text| Format::parse(text))?;
        // Of a program that sends as well, it says how its own message is written.
        let named = match said.program {
            Program::Sub => said.meaning("format", form)?,
            _ => None,
        };
        // Both say how to show a payload: the one that came last counts.
        let form = match (custom, named) {
            (Some(custom), Some(_)) if said.position("output-format") > said.position("format") => {
                Form::Custom(custom)
            }
            (_, Some(named)) => named,
            (Some(custom), None) => Form::Custom(custom),
            (None, None) => Form::Raw,
        };
        // With -d the topic has a line of its own, and hand-outs show both.
        let asked = ["output-format", "format", "verbose", "no-newline", "debug"];
        Ok(Show {
            form,
            verbose: said.has("verbose"),
            newline: !said.has("no-newline"),
            pretty: said.has("pretty"),
            time: said.has("time"),
            free: many && !asked.iter().any(|flag| said.has(flag)),
        })
    }

    /// Shows a message.
    pub fn message(&self, message: &Publish<'_>, screen: &mut Screen, console: &Console) {
        let terminal = screen.is_terminal();
        let mut faults = Vec::new();
        let out = screen.buffer();
        if terminal && self.free {
            terminal::message(message, &Clock::default(), out);
        } else {
            self.append(message, terminal, &Clock::default(), out, &mut faults);
        }
        for fault in faults {
            console.error(&format!("Error: {fault}."));
        }
    }

    /// A message as one line of a terminal, without its end.
    pub fn one_line(&self, message: &Publish<'_>, console: &Console) -> String {
        let (mut out, mut faults) = (Vec::new(), Vec::new());
        if matches!(self.form, Form::Raw) {
            terminal::line(message, &Clock::default(), &mut out);
        } else {
            self.append(message, true, &Clock::default(), &mut out, &mut faults);
        }
        for fault in faults {
            console.error(&format!("Error: {fault}."));
        }
        let text = String::from_utf8_lossy(&out);
        text.lines().next().unwrap_or_default().replace('\r', " ")
    }

    /// Appends a message in the form that was asked for, and what is wrong with it to `faults`.
    fn append(
        &self,
        message: &Publish<'_>,
        terminal: bool,
        clock: &Clock,
        out: &mut Vec<u8>,
        faults: &mut Vec<String>,
    ) {
        if let Form::Custom(format) = &self.form {
            self.time(terminal, clock, out);
            render::message(format, message, self.pretty, clock, out, faults);
            self.end(out);
            return;
        }
        // An empty message shows nothing, or with its topic the word for it, which stands in place
        // of a line and so needs the line's end.
        let empty = message.payload.is_empty();
        if empty && !(self.verbose && self.newline) {
            return;
        }
        self.time(terminal, clock, out);
        if self.verbose {
            let topic = message.topic.map_or("", |topic| topic.as_str());
            out.extend_from_slice(topic.as_bytes());
            out.push(b' ');
        }
        match &self.form {
            _ if empty => out.extend_from_slice(b"(null)"),
            Form::Hex => render::hex(message.payload, out),
            Form::Base64 => out.extend_from_slice(BASE64.encode(message.payload).as_bytes()),
            _ if terminal => terminal::payload(message.payload, self.newline, out),
            _ => out.extend_from_slice(message.payload),
        }
        self.end(out);
    }

    fn time(&self, terminal: bool, clock: &Clock, out: &mut Vec<u8>) {
        if self.time {
            let time = if terminal {
                clock.short()
            } else {
                clock.iso_with_microseconds()
            };
            out.extend_from_slice(time.as_bytes());
            out.push(b' ');
        }
    }

    fn end(&self, out: &mut Vec<u8>) {
        if self.newline {
            out.push(b'\n');
        }
    }
}

fn form(flag: &str, text: &str) -> Result<Form, UsageError> {
    Ok(match text {
        "text" => Form::Raw,
        "hex" => Form::Hex,
        "base64" => Form::Base64,
        "json" => Form::Custom(Format::parse("%j")?),
        _ => {
            return Err(UsageError::new(format!("{flag} '{text}' is no form"))
                .hint(format!("Type {flag} text, hex, base64 or json.")));
        }
    })
}

#[cfg(test)]
mod tests;
