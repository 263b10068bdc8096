//! What to do when the connection is lost: whether to connect again, how soon, and for how long.

use std::time::Duration;

use crate::flags::{Said, UsageError};
use crate::value;

/// The pause before a new attempt, unless told otherwise.
const DELAY: Duration = Duration::from_secs(1);

/// How to get over a lost connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconnect {
    /// Whether to try at all.
    pub allowed: bool,
    /// The pause before each attempt.
    pub delay: Duration,
    /// How long the broker may be away before it is the end; `None` leaves it to the program.
    pub timeout: Option<Duration>,
}

impl Default for Reconnect {
    fn default() -> Reconnect {
        Reconnect {
            allowed: true,
            delay: DELAY,
            timeout: None,
        }
    }
}

impl Reconnect {
    /// Judges what was said.
    ///
    /// # Errors
    /// A time is none.
    pub fn new(said: &Said) -> Result<Reconnect, UsageError> {
        Ok(Reconnect {
            allowed: !said.has("no-reconnect"),
            delay: said
                .meaning("reconnect-delay", value::duration)?
                .unwrap_or(DELAY),
            timeout: said.meaning("reconnect-timeout", value::duration)?,
        })
    }

    /// The sentence that announces it.
    pub fn announcement(&self) -> String {
        if self.delay == DELAY {
            "Trying to connect again every second.".to_owned()
        } else {
            let pause = humantime::format_duration(self.delay);
            format!("Trying to connect again every {pause}.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::Program;
    use crate::flags::{Parsed, parse};

    fn reconnect(line: &str) -> Result<Reconnect, UsageError> {
        let words = line.split_whitespace();
        let argv = std::iter::once("x").chain(words).map(Into::into);
        match parse(Program::Sub, argv)? {
            Parsed::Said(said) => Reconnect::new(&said),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[test]
    fn a_lost_connection_is_followed_by_another_every_second_unless_told_otherwise() {
        let default = reconnect("").unwrap();
        assert_eq!(default, Reconnect::default());
        assert_eq!(
            default.announcement(),
            "Trying to connect again every second."
        );
        assert!(!reconnect("--no-reconnect").unwrap().allowed);
        let slow = reconnect("--reconnect-delay 90s --reconnect-timeout 1h").unwrap();
        assert_eq!(slow.timeout, Some(Duration::from_secs(3600)));
        assert_eq!(slow.announcement(), "Trying to connect again every 1m 30s.");
        assert!(reconnect("--reconnect-delay soon").is_err());
    }
}
