//! The kinds of values that options take: how each is read, described and shown.

use std::path::PathBuf;

/// Why a value was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// There is no value.
    Empty,
    /// It is not what [`Kind::takes`] describes.
    Value,
    /// The option was given before and may be given once.
    Again,
    /// Anything else, as the end of a sentence that begins with the option's name.
    Because(String),
    /// Mosquitto knows the value and this broker does not; going on without it does no harm.
    Skipped(&'static str),
}

/// One kind of value.
pub trait Kind {
    /// What it becomes.
    type Value;

    /// Reads `text` into `slot`. `again` says that the slot was filled by an earlier line.
    fn apply(&self, slot: &mut Self::Value, text: &str, again: bool) -> Result<(), Wrong>;

    /// Completes the sentence "this option takes …".
    fn takes(&self) -> String;

    /// The value as it would be written in a file; empty if absence cannot be written.
    fn show(&self, value: &Self::Value) -> String;

    /// Whether the value is the rest of the line rather than its first word.
    fn whole_line(&self) -> bool {
        false
    }

    /// Whether giving it twice is an error. Mosquitto refuses to repeat most texts.
    fn once(&self) -> bool {
        false
    }

    /// What was probably meant by a text that cannot be read.
    fn suggest(&self, _text: &str) -> Option<String> {
        None
    }
}

/// `true` or `false`, also `1` or `0`, in exactly this spelling.
pub struct Bool;

impl Kind for Bool {
    type Value = bool;

    fn apply(&self, slot: &mut bool, text: &str, _again: bool) -> Result<(), Wrong> {
        *slot = match text {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(Wrong::Value),
        };
        Ok(())
    }

    fn takes(&self) -> String {
        "true or false".into()
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }

    fn suggest(&self, text: &str) -> Option<String> {
        match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "enabled" | "enable" | "y" | "t" | "ναι" => {
                Some("true".into())
            }
            "false" | "no" | "off" | "disabled" | "disable" | "n" | "f" | "όχι" => {
                Some("false".into())
            }
            _ => None,
        }
    }
}

/// A kind whose absence means something of its own.
pub struct Maybe<K>(pub K);

impl<K: Kind> Kind for Maybe<K>
where
    K::Value: Default,
{
    type Value = Option<K::Value>;

    fn apply(&self, slot: &mut Self::Value, text: &str, again: bool) -> Result<(), Wrong> {
        let mut value = K::Value::default();
        self.0.apply(&mut value, text, again)?;
        *slot = Some(value);
        Ok(())
    }

    fn takes(&self) -> String {
        self.0.takes()
    }

    fn show(&self, value: &Self::Value) -> String {
        value
            .as_ref()
            .map_or_else(String::new, |value| self.0.show(value))
    }

    fn whole_line(&self) -> bool {
        self.0.whole_line()
    }

    fn once(&self) -> bool {
        self.0.once()
    }

    fn suggest(&self, text: &str) -> Option<String> {
        self.0.suggest(text)
    }
}

/// The rest of the line.
pub struct Text {
    /// The most bytes it may have.
    pub max: usize,
}

impl Kind for Text {
    type Value = String;

    fn apply(&self, slot: &mut String, text: &str, again: bool) -> Result<(), Wrong> {
        if again {
            return Err(Wrong::Again);
        }
        if text.is_empty() {
            return Err(Wrong::Empty);
        }
        if text.len() > self.max {
            return Err(Wrong::Because(format!(
                "may have {} bytes at most, and this has {}",
                self.max,
                text.len()
            )));
        }
        *slot = text.into();
        Ok(())
    }

    fn takes(&self) -> String {
        match self.max {
            65535 => "text, to the end of the line".into(),
            max => format!("text of {max} bytes at most, to the end of the line"),
        }
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }

    fn whole_line(&self) -> bool {
        true
    }

    fn once(&self) -> bool {
        true
    }
}

/// The name of a file or folder, to the end of the line.
pub struct Path;

impl Kind for Path {
    type Value = PathBuf;

    fn apply(&self, slot: &mut PathBuf, text: &str, again: bool) -> Result<(), Wrong> {
        if again {
            return Err(Wrong::Again);
        }
        let text = unquoted(text);
        if text.is_empty() {
            return Err(Wrong::Empty);
        }
        *slot = text.into();
        Ok(())
    }

    fn takes(&self) -> String {
        "a path, to the end of the line".into()
    }

    fn show(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }

    fn whole_line(&self) -> bool {
        true
    }

    fn once(&self) -> bool {
        true
    }
}

/// A path without the pair of quotes that people on Windows put around it.
///
/// Quotes cannot be part of a file name there, and nobody means them elsewhere.
pub fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

/// One of a few words.
pub struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy + PartialEq> Kind for Choice<T> {
    type Value = T;

    fn apply(&self, slot: &mut T, text: &str, _again: bool) -> Result<(), Wrong> {
        let found = self.0.iter().find(|(word, _)| *word == text);
        *slot = found.ok_or(Wrong::Value)?.1;
        Ok(())
    }

    fn takes(&self) -> String {
        one_of(self.0.iter().map(|(word, _)| *word))
    }

    fn show(&self, value: &T) -> String {
        let found = self.0.iter().find(|(_, known)| known == value);
        found.map_or_else(String::new, |(word, _)| (*word).into())
    }

    fn suggest(&self, text: &str) -> Option<String> {
        nearest(text, self.0.iter().map(|(word, _)| *word)).map(Into::into)
    }
}

/// `a, b or c`.
pub fn one_of(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<_> = words.collect();
    match words.split_last() {
        Some((last, [])) => (*last).into(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The word that `text` is most probably a slip of the finger for.
pub fn nearest<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_lowercase();
    let length = text.chars().count();
    // A third of the letters may be wrong; more than that is another word.
    let most = |word: &str| (word.len().max(3) / 3).max(1);
    words
        // The rest is slow, and words of another length are at least that far away.
        .filter(|word| word.chars().count().abs_diff(length) <= most(word))
        .map(|word| (strsim::osa_distance(&text, word), word))
        .filter(|(distance, word)| *distance <= most(word))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_two_words_and_two_digits() {
        for (text, expected) in [
            ("true", Ok(true)),
            ("1", Ok(true)),
            ("false", Ok(false)),
            ("0", Ok(false)),
            ("True", Err(Wrong::Value)),
            ("yes", Err(Wrong::Value)),
        ] {
            let mut value = false;
            let result = Bool.apply(&mut value, text, false).map(|()| value);
            assert_eq!(result, expected, "{text}");
        }
        assert_eq!(Bool.suggest("Yes").as_deref(), Some("true"));
        assert_eq!(Bool.suggest("OFF").as_deref(), Some("false"));
    }

    #[test]
    fn a_pair_of_quotes_around_a_path_is_dropped() {
        let mut path = PathBuf::new();
        Path.apply(&mut path, r#""C:\Program Files\x""#, false)
            .expect("a path");
        assert_eq!(path, PathBuf::from(r"C:\Program Files\x"));
    }

    #[test]
    fn the_nearest_word_is_near() {
        let words = ["allow_anonymous", "listener", "ipv4"];
        for (text, expected) in [
            ("allow_anonymus", Some("allow_anonymous")),
            ("Listener", Some("listener")),
            ("listner", Some("listener")),
            ("something", None),
        ] {
            assert_eq!(nearest(text, words.into_iter()), expected, "{text}");
        }
    }
}
