//! Where messages come from: one message repeated, the lines of standard input, or a recording.

use std::io;
use std::time::Duration;

use mqtt_common::client::sleep_until;
use mqtt_common::payload::Format;
use tokio::time::Instant;

use crate::input::{Input, Lines};
use crate::options::From;
use crate::replay::Replay;

/// What is published.
pub enum Source {
    /// One message, some times over.
    Repeated(Repeated),
    /// The lines of standard input.
    Lines {
        /// Where they are read.
        input: Input,
        /// What has been read.
        lines: Lines,
        /// How each is written.
        format: Format,
        /// What stands between the topic and the message of a line, if it has both.
        separator: Option<String>,
    },
    /// What mqtt-sub has recorded.
    Replay(Replay),
}

/// One message, the next time it is sent, and how often that will be.
pub struct Repeated {
    pub payload: Vec<u8>,
    pub left: u64,
    pub delay: Duration,
    /// The end of the pause, if there is one.
    pub next: Option<Instant>,
}

impl Source {
    /// Reads what is to be read at once. `visible` allows a progress bar.
    ///
    /// # Errors
    /// A sentence that says what is wrong with a file or with standard input.
    pub fn new(from: From, visible: bool) -> Result<Source, String> {
        Ok(match from {
            From::One {
                payload,
                repeat,
                delay,
            } => Source::Repeated(Repeated {
                payload: payload.load()?,
                left: repeat,
                delay,
                next: None,
            }),
            From::Lines { format, separator } => Source::Lines {
                input: Input::stdin(),
                lines: Lines::default(),
                format,
                separator,
            },
            From::Replay { path, speed } => Source::Replay(Replay::open(&path, speed, visible)?),
        })
    }

    /// Whether it is a stream, whose messages are worth waiting for a broker that is away: whoever
    /// typed a single one can type it again.
    pub fn is_stream(&self) -> bool {
        !matches!(self, Source::Repeated(_))
    }

    /// Waits until there may be something to publish. May be dropped at its await.
    pub async fn ready(&mut self) -> io::Result<()> {
        match self {
            Source::Repeated(repeated) => {
                sleep_until(repeated.next).await;
                repeated.next = None;
                Ok(())
            }
            Source::Lines { input, lines, .. } => refill(input, lines).await,
            Source::Replay(replay) => replay.ready().await,
        }
    }

    /// Whether all of it has been published.
    pub fn is_done(&self) -> bool {
        match self {
            Source::Repeated(repeated) => repeated.left == 0,
            Source::Lines { lines, .. } => lines.is_done(),
            Source::Replay(replay) => replay.is_done(),
        }
    }

    /// Whether something has been read that has not been published.
    pub fn is_ahead(&self) -> bool {
        match self {
            Source::Repeated(_) => false,
            Source::Lines { input, lines, .. } => lines.begun() > 0 || input.is_ahead(),
            Source::Replay(replay) => !replay.is_done(),
        }
    }

    /// The last message has been delivered: the pause before the next one begins.
    pub fn delivered(&mut self) {
        if let Source::Repeated(repeated) = self
            && repeated.left > 0
        {
            repeated.next = Some(Instant::now() + repeated.delay);
        }
    }
}

/// Reads the next block if there is no whole line left.
pub async fn refill(input: &mut Input, lines: &mut Lines) -> io::Result<()> {
    if !lines.is_hungry() {
        return std::future::pending().await;
    }
    match input.next().await? {
        Some(block) => lines.push(block),
        None => lines.end(),
    }
    Ok(())
}
