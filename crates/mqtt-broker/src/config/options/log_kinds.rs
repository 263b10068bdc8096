//! Values of the options that begin with `log_`.

use crate::config::value::{Kind, Wrong, nearest, one_of, unquoted};
use crate::log::{Levels, levels, stamp};
use std::path::PathBuf;

/// Where the log goes: the value of `log_dest`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDestinations {
    /// Standard output.
    pub stdout: bool,
    /// Standard error.
    pub stderr: bool,
    /// Messages on `$SYS/broker/log/`.
    pub topic: bool,
    /// The daemon that keeps the system's log; not on Windows.
    pub syslog: bool,
    /// A file, to which lines are added.
    pub file: Option<PathBuf>,
}

impl LogDestinations {
    const NONE: Self = Self {
        stdout: false,
        stderr: false,
        topic: false,
        syslog: false,
        file: None,
    };

    /// Whether nothing is logged anywhere.
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

impl Default for LogDestinations {
    fn default() -> Self {
        Self {
            stderr: true,
            ..Self::NONE
        }
    }
}

/// The kind of `log_dest`.
pub struct Destinations;

impl Kind for Destinations {
    type Value = LogDestinations;

    fn apply(&self, slot: &mut LogDestinations, text: &str, again: bool) -> Result<(), Wrong> {
        let (word, rest) = text
            .split_once([' ', '\t'])
            .map_or((text, ""), |(word, rest)| (word, rest.trim()));
        let mut chosen = if again {
            slot.clone()
        } else {
            LogDestinations::NONE
        };
        match word {
            "none" => chosen = LogDestinations::NONE,
            "stdout" => chosen.stdout = true,
            "stderr" => chosen.stderr = true,
            "topic" => chosen.topic = true,
            "syslog" if !crate::log::HAS_SYSLOG => {
                return Err(Wrong::Skipped(
                    "Windows has no syslog; `log_dest file PATH` keeps the log",
                ));
            }
            "syslog" => chosen.syslog = true,
            "file" if chosen.file.is_some() => return Err(Wrong::Again),
            "file" if rest.is_empty() => {
                return Err(Wrong::Because("needs a path after `file`".into()));
            }
            "file" => chosen.file = Some(unquoted(rest).into()),
            "dlt" | "android" => {
                return Err(Wrong::Skipped(
                    "the log does not go there yet; `log_dest file PATH` keeps it",
                ));
            }
            _ => return Err(Wrong::Value),
        }
        *slot = chosen;
        Ok(())
    }

    fn takes(&self) -> String {
        "none, stdout, stderr, topic, syslog or file PATH".into()
    }

    fn show(&self, value: &LogDestinations) -> String {
        let LogDestinations {
            stdout,
            stderr,
            topic,
            syslog,
            ..
        } = value;
        let words = [
            (stdout, "stdout"),
            (stderr, "stderr"),
            (topic, "topic"),
            (syslog, "syslog"),
        ];
        let words: Vec<_> = words.iter().filter(|(on, _)| **on).collect();
        words.first().map_or("none", |(_, word)| word).into()
    }

    fn whole_line(&self) -> bool {
        true
    }

    fn suggest(&self, text: &str) -> Option<String> {
        let word = text.split_whitespace().next()?;
        nearest(
            word,
            ["none", "stdout", "stderr", "topic", "syslog", "file"].into_iter(),
        )
        .map(Into::into)
    }
}

/// The kind of `log_timestamp_format`.
pub struct TimeFormat;

impl Kind for TimeFormat {
    type Value = Option<String>;

    fn apply(&self, slot: &mut Option<String>, text: &str, again: bool) -> Result<(), Wrong> {
        if again {
            return Err(Wrong::Again);
        }
        stamp::check(text).map_err(|why| Wrong::Because(format!("cannot be written: {why}")))?;
        *slot = Some(text.into());
        Ok(())
    }

    fn takes(&self) -> String {
        "text with the letters of strftime, to the end of the line".into()
    }

    fn show(&self, value: &Option<String>) -> String {
        value.clone().unwrap_or_default()
    }

    fn whole_line(&self) -> bool {
        true
    }

    fn once(&self) -> bool {
        true
    }
}

/// The kind of `log_type`.
pub struct Types;

impl Kind for Types {
    type Value = Levels;

    fn apply(&self, slot: &mut Levels, text: &str, again: bool) -> Result<(), Wrong> {
        let named = Levels::from_name(text).ok_or(Wrong::Value)?;
        *slot = if again && named != Levels::NONE {
            *slot | named
        } else {
            named
        };
        Ok(())
    }

    fn takes(&self) -> String {
        one_of(levels::NAMES.iter().map(|(name, _)| *name))
    }

    fn show(&self, value: &Levels) -> String {
        // A set of several needs several lines, which one value cannot show.
        let found = levels::NAMES.iter().find(|(_, known)| known == value);
        found.map_or_else(String::new, |(name, _)| (*name).into())
    }

    fn suggest(&self, text: &str) -> Option<String> {
        nearest(text, levels::NAMES.iter().map(|(name, _)| *name)).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destinations(lines: &[&str]) -> Result<LogDestinations, Wrong> {
        let mut value = LogDestinations::default();
        for (index, line) in lines.iter().enumerate() {
            Destinations.apply(&mut value, line, index > 0)?;
        }
        Ok(value)
    }

    #[test]
    fn the_first_log_dest_replaces_the_default_and_more_add_to_it() {
        let value = destinations(&["stdout", "file /tmp/my log"]).expect("two destinations");
        assert!(value.stdout && !value.stderr);
        assert_eq!(value.file, Some("/tmp/my log".into()));
        assert!(
            destinations(&["stdout", "none"])
                .expect("none is a word")
                .is_none()
        );
    }

    #[test]
    fn one_log_file_is_enough() {
        assert_eq!(destinations(&["file a", "file b"]), Err(Wrong::Again));
        assert!(destinations(&["file"]).is_err());
    }

    #[test]
    fn log_types_add_up() {
        let mut value = Levels::DEFAULT;
        for (text, again) in [("error", false), ("debug", true)] {
            Types.apply(&mut value, text, again).expect(text);
        }
        assert_eq!(format!("{value:?}"), "Levels(error debug)");
        Types.apply(&mut value, "none", true).expect("none");
        assert_eq!(value, Levels::NONE);
    }
}
