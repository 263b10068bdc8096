//! The levels of log lines, and the mask that says which of them are wanted.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// How grave, or how chatty, one log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Level {
    /// Something failed.
    Error = 1 << 0,
    /// Something is not as the operator may think.
    Warning = 1 << 1,
    /// Something an operator wants to see.
    Notice = 1 << 2,
    /// A notice about one client's coming or going; `connection_messages false` silences these alone.
    Connection = 1 << 3,
    /// What the broker does by itself, and what it answers to broken packets.
    Information = 1 << 4,
    /// Every packet.
    Debug = 1 << 5,
    /// One line a subscription.
    Subscribe = 1 << 6,
    /// One line an unsubscription.
    Unsubscribe = 1 << 7,
    /// The WebSocket layer.
    Websockets = 1 << 8,
    /// The broker's inner workings.
    Internal = 1 << 9,
}

impl Level {
    /// The last part of the topic that carries lines of this level below `$SYS/broker/log/`.
    ///
    /// `None` for levels that never travel by topic: a debug line about sending a log line
    /// would breed the next.
    pub fn topic_suffix(self) -> Option<&'static str> {
        Some(match self {
            Self::Error => "E",
            Self::Warning => "W",
            Self::Notice | Self::Connection => "N",
            Self::Information => "I",
            Self::Subscribe => "M/subscribe",
            Self::Unsubscribe => "M/unsubscribe",
            Self::Websockets => "WS",
            Self::Debug | Self::Internal => return None,
        })
    }
}

/// A set of [`Level`]s: what `log_type` asks for.
///
/// It is two bytes and is tested before a line is formatted, so a line nobody wants costs one
/// comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Levels(u16);

impl Levels {
    /// Nothing at all.
    pub const NONE: Self = Self(0);
    /// Everything, as `-v` asks for.
    pub const ALL: Self = Self((1 << 10) - 1);
    /// What is logged when nobody says otherwise, on every system alike.
    pub const DEFAULT: Self = Self(
        Level::Error as u16
            | Level::Warning as u16
            | Level::Notice as u16
            | Level::Connection as u16
            | Level::Information as u16,
    );

    /// Whether lines of `level` are wanted.
    #[inline]
    pub fn contains(self, level: Level) -> bool {
        self.0 & level as u16 != 0
    }

    /// The same set without `level`.
    #[must_use]
    pub fn without(self, level: Level) -> Self {
        Self(self.0 & !(level as u16))
    }

    /// What a word after `log_type` stands for; `None` if there is no such word.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, levels)| *levels)
    }
}

/// The words that `log_type` knows.
pub const NAMES: &[(&str, Levels)] = &[
    ("none", Levels::NONE),
    ("error", Levels(Level::Error as u16)),
    ("warning", Levels(Level::Warning as u16)),
    (
        "notice",
        Levels(Level::Notice as u16 | Level::Connection as u16),
    ),
    ("information", Levels(Level::Information as u16)),
    ("debug", Levels(Level::Debug as u16)),
    ("subscribe", Levels(Level::Subscribe as u16)),
    ("unsubscribe", Levels(Level::Unsubscribe as u16)),
    ("websockets", Levels(Level::Websockets as u16)),
    ("internal", Levels(Level::Internal as u16)),
    ("all", Levels::ALL),
];

impl From<Level> for Levels {
    fn from(level: Level) -> Self {
        Self(level as u16)
    }
}

impl BitOr for Levels {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Levels {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl Default for Levels {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Debug for Levels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let single = NAMES
            .iter()
            .filter(|(_, levels)| *levels != Self::ALL && *levels != Self::NONE);
        f.write_str("Levels(")?;
        for (index, (name, _)) in single
            .filter(|(_, levels)| self.0 & levels.0 != 0)
            .enumerate()
        {
            f.write_str(if index == 0 { "" } else { " " })?;
            f.write_str(name)?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_holds_every_named_level() {
        for (name, levels) in NAMES {
            assert_eq!(Levels::ALL | *levels, Levels::ALL, "{name}");
        }
        let united = NAMES
            .iter()
            .filter(|(name, _)| *name != "all")
            .fold(Levels::NONE, |sum, (_, levels)| sum | *levels);
        assert_eq!(united, Levels::ALL);
    }

    #[test]
    fn silencing_connection_messages_leaves_other_notices() {
        let levels = Levels::DEFAULT.without(Level::Connection);
        assert!(!levels.contains(Level::Connection));
        assert!(levels.contains(Level::Notice));
    }

    #[test]
    fn debug_lines_never_travel_by_topic() {
        assert_eq!(Level::Debug.topic_suffix(), None);
        assert_eq!(Level::Connection.topic_suffix(), Some("N"));
    }

    #[test]
    fn a_set_prints_its_names() {
        let levels = Levels::from(Level::Error) | Level::Debug.into();
        assert_eq!(format!("{levels:?}"), "Levels(error debug)");
    }
}
