//! The broker's log: what can be said, which of it is wanted, and where it goes.
//!
//! Lines are gathered and written out once per turn of the event loop, by [`Log::flush`]: at
//! full speed a debug log would otherwise cost one system call a packet. Lines for the
//! destination `topic` are handed back, because only the engine can publish.

pub mod levels;
pub mod lines;
pub mod stamp;
#[cfg(unix)]
mod syslog;

pub use levels::{Level, Levels};
pub use lines::{Ending, Line};

use crate::config::{Config, LogDestinations};
use colored::Colorize;
use stamp::{CLOCK, Form, Stamp};
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::SystemTime;

/// The name of the program in its lines and messages: its own, or Mosquitto's if it was called by that.
pub fn program() -> &'static str {
    static NAME: LazyLock<&str> = LazyLock::new(|| {
        let first = std::env::args_os().next();
        let stem = first
            .as_deref()
            .and_then(|path| Path::new(path).file_stem());
        // On Windows a `.cmd` file says by which name it calls the program: there links are for few.
        let named = std::env::var_os("MQTT_CALLED_AS").is_some_and(|name| name == "mosquitto");
        let is_model = named || stem.is_some_and(|stem| stem == "mosquitto");
        if is_model { "mosquitto" } else { "mqtt-broker" }
    });
    *NAME
}

/// Whether the system has a daemon that keeps logs.
pub const HAS_SYSLOG: bool = cfg!(unix);

/// Its version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Gathered lines are written out early when they reach this many bytes.
const BATCH: usize = 64 * 1024;

/// A log line on its way to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// `$SYS/broker/log/` and the letter of the level.
    pub topic: String,
    /// The line with its time.
    pub payload: String,
}

/// Where the lines go.
pub struct Log {
    levels: Levels,
    /// Lines in Mosquitto's form, for files, pipes and topics.
    plain: Batch,
    /// Lines for people, for terminals.
    terminal: Batch,
    outputs: Vec<Output>,
    #[cfg(unix)]
    syslog: Option<syslog::Syslog>,
    to_topic: bool,
    messages: Vec<LogMessage>,
}

/// The lines of one form that wait for the next flush.
struct Batch {
    stamp: Stamp,
    coloured: bool,
    wanted: bool,
    bytes: Vec<u8>,
}

struct Output {
    sink: Box<dyn Write + Send>,
    is_terminal: bool,
    /// Set for files, so that they can be opened again after a rotation.
    path: Option<PathBuf>,
}

impl Log {
    /// The log that a configuration asks for.
    ///
    /// A file or a daemon that cannot be reached does not stop the broker: the log then goes to
    /// standard error, beginning with the reason.
    pub fn open(config: &Config) -> Self {
        let LogDestinations {
            stdout,
            stderr,
            topic,
            file,
            syslog: _,
        } = &config.log_dest;
        let mut outputs = Vec::new();
        if *stdout {
            outputs.push(Output::stream(io::stdout()));
        }
        if *stderr {
            outputs.push(Output::stream(io::stderr()));
        }
        let mut failure = None;
        if let Some(path) = file {
            match append_to(path) {
                Ok(file) => outputs.push(Output {
                    sink: Box::new(file),
                    is_terminal: false,
                    path: Some(path.clone()),
                }),
                Err(error) => failure = Some((path.display().to_string(), error)),
            }
        }
        if failure.is_some() && !stderr {
            outputs.push(Output::stream(io::stderr()));
        }
        let mut log = Self::new(config, outputs, *topic);
        if let Some((path, error)) = failure {
            log.line(Line::LogFileError { path: &path });
            let what = format!("{path}: {error}. The log goes to standard error instead.");
            log.line(Line::Advice { what: &what });
        }
        #[cfg(unix)]
        if config.log_dest.syslog {
            log.open_syslog(config);
        }
        log
    }

    #[cfg(unix)]
    fn open_syslog(&mut self, config: &Config) {
        match syslog::Syslog::open(config.log_facility) {
            Ok(syslog) => self.syslog = Some(syslog),
            Err(error) => {
                let place = syslog::PLACES[0];
                let what = format!("log_dest syslog: no daemon takes lines at {place} ({error}).");
                if self.outputs.is_empty() {
                    let stderr = Output::stream(io::stderr());
                    *self = Self::new(config, vec![stderr], self.to_topic);
                }
                self.line(Line::Failure { what: &what });
            }
        }
    }

    fn new(config: &Config, outputs: Vec<Output>, to_topic: bool) -> Self {
        let asked = config.log_timestamp_format.clone().map(Form::Local);
        let form = |default: Form| match (config.log_timestamp, &asked) {
            (false, _) => Form::None,
            (true, Some(form)) => form.clone(),
            (true, None) => default,
        };
        let has_terminal = outputs.iter().any(|output| output.is_terminal);
        Self {
            levels: config.levels(),
            plain: Batch {
                stamp: Stamp::new(form(Form::Epoch)),
                coloured: false,
                wanted: to_topic || outputs.iter().any(|output| !output.is_terminal),
                bytes: Vec::new(),
            },
            terminal: Batch {
                stamp: Stamp::new(form(Form::Local(CLOCK.into()))),
                coloured: has_terminal && colour_is_welcome(),
                wanted: has_terminal,
                bytes: Vec::new(),
            },
            outputs,
            #[cfg(unix)]
            syslog: None,
            to_topic,
            messages: Vec::new(),
        }
    }

    /// The levels that are wanted. Whoever makes lines asks here before formatting one.
    pub fn levels(&self) -> Levels {
        self.levels
    }

    /// Adds a line, if its level is wanted.
    pub fn line(&mut self, line: Line<'_>) {
        if self.levels.contains(line.level()) {
            self.write(line.level(), &line.to_string());
        }
    }

    /// Adds a line that is text already, if its level is wanted.
    pub fn write(&mut self, level: Level, text: &str) {
        if !self.levels.contains(level) {
            return;
        }
        let text = one_line(text);
        let now = SystemTime::now();
        self.terminal.add(level, &text, now);
        self.plain.add(level, &text, now);
        #[cfg(unix)]
        if let Some(syslog) = &mut self.syslog {
            let line = format!("{}{text}", self.plain.stamp.at(now));
            syslog.add(level, &line, now);
        }
        if let (true, Some(suffix)) = (self.to_topic, level.topic_suffix()) {
            self.messages.push(LogMessage {
                topic: format!("$SYS/broker/log/{suffix}"),
                payload: format!("{}{text}", self.plain.stamp.at(now)),
            });
        }
        if self.plain.bytes.len().max(self.terminal.bytes.len()) >= BATCH {
            self.flush();
        }
    }

    /// Takes the lines that are to be published, in their order.
    pub fn take_messages(&mut self) -> Vec<LogMessage> {
        std::mem::take(&mut self.messages)
    }

    /// Writes out what has gathered.
    ///
    /// A destination that fails loses its lines: a closed pipe must not stop the broker, and
    /// there is nobody left to tell.
    pub fn flush(&mut self) {
        for output in &mut self.outputs {
            let batch = if output.is_terminal {
                &self.terminal
            } else {
                &self.plain
            };
            if !batch.bytes.is_empty() {
                let _ = output.sink.write_all(&batch.bytes);
                let _ = output.sink.flush();
            }
        }
        #[cfg(unix)]
        if let Some(syslog) = &mut self.syslog {
            syslog.flush();
        }
        self.plain.bytes.clear();
        self.terminal.bytes.clear();
    }

    /// Goes on as another configuration says, with the files opened again.
    pub fn reload(&mut self, config: &Config) {
        self.flush();
        let messages = self.take_messages();
        *self = Self::open(config);
        self.messages.splice(0..0, messages);
    }

    /// Opens the log file again under its name, after something has moved it away.
    pub fn reopen(&mut self) -> io::Result<()> {
        self.flush();
        for output in &mut self.outputs {
            if let Some(path) = &output.path {
                output.sink = Box::new(append_to(path)?);
            }
        }
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Batch {
    fn add(&mut self, level: Level, text: &str, now: SystemTime) {
        if !self.wanted {
            return;
        }
        let time = self.stamp.at(now);
        // Writing to a `Vec` cannot fail.
        let _ = if self.coloured {
            writeln!(self.bytes, "{}{}", time.dimmed(), painted(level, text))
        } else {
            writeln!(self.bytes, "{time}{text}")
        };
    }
}

impl Output {
    fn stream(stream: impl Write + IsTerminal + Send + 'static) -> Self {
        Self {
            is_terminal: stream.is_terminal(),
            sink: Box::new(stream),
            path: None,
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn painted(level: Level, text: &str) -> colored::ColoredString {
    match level {
        Level::Error => text.red().bold(),
        Level::Warning => text.yellow(),
        Level::Connection | Level::Notice => text.normal(),
        Level::Information => text.cyan(),
        _ => text.dimmed(),
    }
}

/// Whether colours may be used on a terminal, and switches them on where a system needs that.
fn colour_is_welcome() -> bool {
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return false;
    }
    #[cfg(windows)]
    if enable_ansi_support::enable_ansi_support().is_err() {
        return false;
    }
    // `colored` looks at standard output alone, and the log is mostly on standard error.
    colored::control::set_override(true);
    true
}

/// The text without line ends and other control characters.
///
/// Client ids and topics come from strangers: they must not forge lines or steer a terminal.
/// Tabs stay, because some lines begin with one.
fn one_line(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\t';
    if !text.contains(harmful) {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if harmful(c) {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe.into()
}

#[cfg(test)]
mod tests;
