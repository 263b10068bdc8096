//! Topic names and topic filters: checked once, then only compared (MQTT 5, 4.7).

use crate::wire::{MAX_STRING, utf8_string};
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use thiserror::Error;

/// More slashes than this are refused, as by Mosquitto: deep trees serve nobody and cost memory
/// per level.
pub const MAX_SLASHES: usize = 200;

/// Why a string is not a topic name or not a topic filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TopicError {
    /// `[MQTT-4.7.3-1]`
    #[error("it is empty [MQTT-4.7.3-1]")]
    Empty,
    /// `[MQTT-4.7.3-3]`
    #[error("it is longer than 65,535 bytes [MQTT-4.7.3-3]")]
    TooLong,
    /// A limit of ours.
    #[error("it has more than 200 slashes")]
    TooManyLevels,
    /// `[MQTT-4.7.3-2]` and the characters that [`utf8_string`] refuses.
    #[error("it contains a control character or a non-character [MQTT-4.7.3-2]")]
    BadCharacter,
    /// `[MQTT-4.7.0-1]`
    #[error("a topic to publish to may not contain '+' or '#' [MQTT-4.7.0-1]")]
    WildcardInTopic,
    /// `[MQTT-4.7.1-2]`
    #[error("'+' must stand alone between two '/' [MQTT-4.7.1-2]")]
    MisplacedPlus,
    /// `[MQTT-4.7.1-1]`
    #[error("'#' must be the last level, alone [MQTT-4.7.1-1]")]
    MisplacedHash,
    /// `[MQTT-4.8.2-1]`, `[MQTT-4.8.2-2]`
    #[error(
        "a shared subscription is $share/NAME/FILTER with a NAME free of '+' and '#' [MQTT-4.8.2-1]"
    )]
    BadShare,
}

macro_rules! checked_str {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(str);

        #[allow(unsafe_code)]
        impl $name {
            /// Takes `text` for checked.
            const fn trust(text: &str) -> &$name {
                // SAFETY: a transparent wrapper around str has str's layout.
                unsafe { &*(std::ptr::from_ref::<str>(text) as *const $name) }
            }
        }

        impl $name {
            /// The text.
            pub const fn as_str(&self) -> &str {
                &self.0
            }

            /// The parts between the slashes; at least one.
            pub fn levels(&self) -> std::str::Split<'_, char> {
                self.0.split('/')
            }
        }

        #[allow(unsafe_code)]
        impl From<&$name> for Arc<$name> {
            fn from(borrowed: &$name) -> Arc<$name> {
                let text: Arc<str> = Arc::from(&borrowed.0);
                // SAFETY: a transparent wrapper around str has str's layout.
                unsafe { Arc::from_raw(Arc::into_raw(text) as *const $name) }
            }
        }

        #[allow(unsafe_code)]
        impl From<&$name> for Box<$name> {
            fn from(borrowed: &$name) -> Box<$name> {
                let text: Box<str> = Box::from(&borrowed.0);
                // SAFETY: a transparent wrapper around str has str's layout.
                unsafe { Box::from_raw(Box::into_raw(text) as *mut $name) }
            }
        }

        impl Clone for Box<$name> {
            fn clone(&self) -> Self {
                Box::from(&**self)
            }
        }

        impl ToOwned for $name {
            type Owned = Box<$name>;
            fn to_owned(&self) -> Box<$name> {
                Box::from(self)
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

checked_str! {
    /// A topic name: what a message is published to (MQTT 5, 4.7.3).
    ///
    /// Never empty, without wildcards, at most 65,535 bytes and 200 slashes.
    Topic
}

checked_str! {
    /// A topic filter: what is subscribed to (MQTT 5, 4.7.1), with `$share/NAME/` if it is shared.
    Filter
}

fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > MAX_STRING {
        return Err(TopicError::TooLong);
    }
    utf8_string(text.as_bytes()).map_err(|_| TopicError::BadCharacter)?;
    Ok(())
}

fn check_levels(text: &str) -> Result<(), TopicError> {
    // Nearly every name is too short to have that many.
    if text.len() <= MAX_SLASHES {
        return Ok(());
    }
    let slashes = text.bytes().filter(|&b| b == b'/').count();
    if slashes <= MAX_SLASHES {
        Ok(())
    } else {
        Err(TopicError::TooManyLevels)
    }
}

/// Whether all bytes are printable characters of ASCII and none is a wildcard.
///
/// Looks at eight of them at a time, at the last eight perhaps twice.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<8>() else {
        let is_plain = |b: &u8| (b' '..0x7F).contains(b) && ![b'+', b'#'].contains(b);
        return bytes.iter().all(is_plain);
    };
    let (chunks, _) = bytes.as_chunks::<8>();
    let mut found = odd_bytes(u64::from_ne_bytes(*last));
    for chunk in chunks {
        found |= odd_bytes(u64::from_ne_bytes(*chunk));
    }
    found == 0
}

/// Not 0 if one of eight bytes is a control character, a wildcard or not ASCII.
#[inline]
const fn odd_bytes(eight: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = 0x80 * ONES;
    /// Sets high bits if one of the bytes is below `limit`; perhaps also if one is above 0x7F.
    const fn below(bytes: u64, limit: u64) -> u64 {
        bytes.wrapping_sub(limit * ONES) & !bytes
    }
    let wildcards = below(eight ^ (ONES * b'+' as u64), 1) | below(eight ^ (ONES * b'#' as u64), 1);
    let controls = below(eight, b' ' as u64) | below(eight ^ (ONES * 0x7F), 1);
    (eight | wildcards | controls) & HIGH
}

impl Topic {
    /// Checks a topic name.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<&Topic, TopicError> {
        check_text(text)?;
        Topic::of_wire_string(text)
    }

    /// Checks what [`utf8_string`] has not looked at yet.
    pub(crate) fn of_wire_string(text: &str) -> Result<&Topic, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        // Looking at all bytes, many at a time, is faster than stopping at the first.
        if text
            .bytes()
            .fold(false, |found, b| found | (b == b'+') | (b == b'#'))
        {
            return Err(TopicError::WildcardInTopic); // [MQTT-4.7.0-1]
        }
        check_levels(text)?;
        Ok(Topic::trust(text))
    }

    /// Takes a name of printable ASCII in one look at its bytes; `None` for any other, which may
    /// be a topic name all the same.
    #[inline]
    #[allow(unsafe_code)]
    pub(crate) fn of_plain_bytes(bytes: &[u8]) -> Option<&Topic> {
        if bytes.is_empty() || bytes.len() > MAX_SLASHES {
            return None;
        }
        if !is_plain(bytes) {
            return None;
        }
        // SAFETY: all of it is ASCII.
        Some(Topic::trust(unsafe {
            std::str::from_utf8_unchecked(bytes)
        }))
    }

    /// Whether it begins with `$`, so that wildcards at the front do not match it.
    pub fn is_dollar(&self) -> bool {
        self.0.starts_with('$')
    }
}

impl Filter {
    /// Checks a topic filter, shared or not.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &str) -> Result<&Filter, TopicError> {
        check_text(text)?;
        Filter::of_wire_string(text)
    }

    /// Checks what [`utf8_string`] has not looked at yet.
    pub(crate) fn of_wire_string(text: &str) -> Result<&Filter, TopicError> {
        let plain = match split_share(text) {
            None => text,
            Some(Some((group, filter))) if !group.contains(['+', '#']) => filter, // [MQTT-4.8.2-2]
            Some(_) => return Err(TopicError::BadShare),
        };
        if plain.is_empty() {
            return Err(TopicError::Empty);
        }
        check_levels(text)?;
        let mut levels = plain.split('/').peekable();
        while let Some(level) = levels.next() {
            match level {
                "+" => {}
                "#" if levels.peek().is_none() => {}
                _ if level.contains('#') => return Err(TopicError::MisplacedHash), // [MQTT-4.7.1-1]
                _ if level.contains('+') => return Err(TopicError::MisplacedPlus), // [MQTT-4.7.1-2]
                _ => {}
            }
        }
        Ok(Filter::trust(text))
    }

    /// For a shared subscription its share name and the filter behind it (MQTT 5, 4.8.2).
    pub fn share(&self) -> Option<(&str, &Filter)> {
        let (group, filter) = split_share(&self.0)??;
        Some((group, Filter::trust(filter)))
    }

    /// Whether any level is a wildcard.
    pub fn has_wildcard(&self) -> bool {
        self.0.contains(['+', '#'])
    }

    /// Whether a message on `topic` is for this filter (without its share name).
    ///
    /// This definition is the oracle for every faster matcher: level by level, `+` is any one
    /// level, `#` the rest and the level before it, and a first wildcard never matches a `$`
    /// topic [MQTT-4.7.2-1].
    pub fn matches(&self, topic: &Topic) -> bool {
        let mut topic_levels = topic.levels();
        for (depth, wanted) in self.levels().enumerate() {
            let found = topic_levels.next();
            match wanted {
                "#" => return depth > 0 || !topic.is_dollar(),
                "+" if found.is_some() && (depth > 0 || !topic.is_dollar()) => {}
                _ if found == Some(wanted) => {}
                _ => return false,
            }
        }
        topic_levels.next().is_none()
    }
}

/// `None`: not shared. `Some(None)`: begins like a shared filter but is none.
fn split_share(text: &str) -> Option<Option<(&str, &str)>> {
    let rest = text.strip_prefix("$share")?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(
            rest.split_once('/')
                .filter(|(group, filter)| !group.is_empty() && !filter.is_empty()),
        ),
        None if rest.is_empty() => Some(None),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(filter: &str, topic: &str, expected: bool) {
        let (f, t) = (Filter::parse(filter).unwrap(), Topic::parse(topic).unwrap());
        assert_eq!(f.matches(t), expected, "{filter} on {topic}");
    }

    #[test]
    fn matching_is_as_in_the_standards_own_examples() {
        for topic in [
            "sport/tennis/player1",
            "sport/tennis/player1/ranking",
            "sport/tennis/player1/score/wimbledon",
        ] {
            check("sport/tennis/player1/#", topic, true);
        }
        check("sport/#", "sport", true);
        check("#", "a/b", true);
        check("sport/tennis/+", "sport/tennis/player1", true);
        check("sport/tennis/+", "sport/tennis/player1/ranking", false);
        check("sport/+", "sport", false);
        check("sport/+", "sport/", true);
        for filter in ["+/+", "/+"] {
            check(filter, "/finance", true);
        }
        check("+", "/finance", false);
        check("#", "$SYS/x", false);
        check("+/monitor/Clients", "$SYS/monitor/Clients", false);
        check("$SYS/#", "$SYS/x", true);
        check("$SYS/monitor/+", "$SYS/monitor/Clients", true);
        check("a/+/#", "a/b", true);
        check("a/+/#", "a", false);
        check("a//b", "a//b", true);
        check("a/+/b", "a//b", true);
        check("ACCOUNTS", "accounts", false);
        check("αίθουσα/+", "αίθουσα/ένα", true);
    }

    #[test]
    fn a_name_is_plain_if_each_of_its_bytes_is() {
        for length in 1..=24 {
            for at in 0..length {
                for byte in 0..=255 {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let expected = (b' '..0x7F).contains(&byte) && ![b'+', b'#'].contains(&byte);
                    assert_eq!(is_plain(&bytes), expected, "{byte:#x} at {at} of {length}");
                }
            }
        }
        let all: Vec<u8> = (b' '..0x7F).filter(|b| ![b'+', b'#'].contains(b)).collect();
        assert!(is_plain(&all));
    }

    #[test]
    fn topics_and_filters_are_checked() {
        assert_eq!(Topic::parse(""), Err(TopicError::Empty));
        assert_eq!(Topic::parse("a/+"), Err(TopicError::WildcardInTopic));
        assert_eq!(Topic::parse("a#"), Err(TopicError::WildcardInTopic));
        assert_eq!(Topic::parse("a\0"), Err(TopicError::BadCharacter));
        assert_eq!(Topic::parse(&"x".repeat(65_536)), Err(TopicError::TooLong));
        assert!(Topic::parse(&"x".repeat(65_535)).is_ok());
        assert_eq!(
            Topic::parse(&"/".repeat(201)),
            Err(TopicError::TooManyLevels)
        );
        assert!(Topic::parse(&"/".repeat(200)).is_ok());
        for (text, error) in [
            ("sport+", TopicError::MisplacedPlus),
            ("sport/+tennis", TopicError::MisplacedPlus),
            ("sport/tennis#", TopicError::MisplacedHash),
            ("sport/tennis/#/ranking", TopicError::MisplacedHash),
            ("", TopicError::Empty),
            ("$share", TopicError::BadShare),
            ("$share/", TopicError::BadShare),
            ("$share/g", TopicError::BadShare),
            ("$share/g/", TopicError::BadShare),
            ("$share//a", TopicError::BadShare),
            ("$share/+/a", TopicError::BadShare),
            ("$share/g/a#", TopicError::MisplacedHash),
        ] {
            assert_eq!(Filter::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_shared_filter_shows_its_group() {
        let (group, filter) = Filter::parse("$share/consumer1/sport/tennis/+")
            .unwrap()
            .share()
            .unwrap();
        assert_eq!((group, filter.as_str()), ("consumer1", "sport/tennis/+"));
        assert_eq!(
            Filter::parse("$share/g//")
                .unwrap()
                .share()
                .unwrap()
                .1
                .as_str(),
            "/"
        );
        assert!(Filter::parse("$shared/a/b").unwrap().share().is_none());
    }
}
