//! A recording published again: every message with its own topic, and the pauses between them.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use mqtt_common::client::sleep_until;
use mqtt_common::record::{Record, RecordError};
use mqtt_proto::{PropertiesBuf, Property};
use tokio::time::Instant;

use crate::input::{Input, Lines};
use crate::source::refill;

/// A recording on its way.
pub struct Replay {
    input: Input,
    lines: Lines,
    speed: f64,
    /// The number of the line read last.
    number: u64,
    /// The next message, with its line.
    next: Option<(u64, Record)>,
    /// When the first message left, and its own time.
    start: Option<(Instant, Duration)>,
    bar: ProgressBar,
}

/// What [`Replay::next`] finds.
pub enum Found {
    /// Nothing, until [`Replay::ready`] says otherwise.
    Nothing,
    /// A message of this line, whose time has come.
    Due(u64, Record),
    /// A line that is none.
    Broken(u64, RecordError),
}

impl Replay {
    /// Opens a recording, or with the name `-` standard input.
    ///
    /// # Errors
    /// A sentence that says why the file cannot be read.
    pub fn open(path: &Path, speed: f64, visible: bool) -> Result<Replay, String> {
        let name = path.display();
        let (input, length) = if path == Path::new("-") {
            (Input::stdin(), None)
        } else {
            let open = || {
                let file = File::open(path)?;
                let about = file.metadata()?;
                if about.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                Ok((file, about.len()))
            };
            let (file, length) = open()
                .map_err(|error: io::Error| format!("Unable to read the file '{name}': {error}"))?;
            (Input::new(file), Some(length))
        };
        let bar = match length.filter(|_| visible && io::stderr().is_terminal()) {
            Some(length) => progress(length),
            None => ProgressBar::hidden(),
        };
        Ok(Replay {
            input,
            lines: Lines::default(),
            speed,
            number: 0,
            next: None,
            start: None,
            bar,
        })
    }

    /// Waits until the time of the next message has come, or more has been read.
    pub async fn ready(&mut self) -> io::Result<()> {
        match self.due() {
            Some(moment) => {
                sleep_until(Some(moment)).await;
                Ok(())
            }
            None => refill(&mut self.input, &mut self.lines).await,
        }
    }

    /// When the message that has been read is to leave.
    fn due(&self) -> Option<Instant> {
        let (_, record) = self.next.as_ref()?;
        let Some((start, first)) = self.start else {
            return Some(Instant::now());
        };
        let pause = record.at.saturating_sub(first).as_secs_f64() / self.speed;
        // A pause of centuries is a mistake in the file; waiting for ever is what it asks for.
        let pause = Duration::try_from_secs_f64(pause).unwrap_or(Duration::MAX);
        start.checked_add(pause).or(start.checked_add(LONGEST))
    }

    /// The next message if its time has come, or what is wrong with its line.
    pub fn next(&mut self) -> Found {
        while self.next.is_none() {
            let Some(line) = self.lines.next() else {
                return Found::Nothing;
            };
            self.number += 1;
            self.bar.inc(line.len() as u64 + 1);
            // An empty line at the end is what editors leave behind.
            if line.trim_ascii().is_empty() {
                continue;
            }
            match Record::read(line) {
                Ok(record) => self.next = Some((self.number, sendable(record))),
                Err(error) => return Found::Broken(self.number, error),
            }
        }
        if self.due().is_none_or(|moment| moment > Instant::now()) {
            return Found::Nothing;
        }
        let Some((number, record)) = self.next.take() else {
            return Found::Nothing;
        };
        self.start.get_or_insert((Instant::now(), record.at));
        Found::Due(number, record)
    }

    /// Whether all of it has been published.
    pub fn is_done(&self) -> bool {
        self.next.is_none() && self.lines.is_done()
    }
}

/// Longer than anybody waits, and short enough to be added to a moment.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Without what only a broker may say: which subscription a message belongs to [MQTT-3.3.4-6].
fn sendable(mut record: Record) -> Record {
    let mut properties = PropertiesBuf::new();
    for property in record.properties.view() {
        if !matches!(property, Property::SubscriptionIdentifier(_)) {
            properties
                .push(property)
                .expect("it has been encoded before");
        }
    }
    record.properties = properties;
    record
}

fn progress(length: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{wide_bar} {percent:>3}%  {elapsed} of about {duration}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_style(style)
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
