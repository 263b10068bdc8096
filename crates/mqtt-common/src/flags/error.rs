//! A mistake on the command line: what is wrong, where, and what to type instead.

use std::fmt;

/// The command line cannot be understood: what is wrong, and what to type instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageError {
    what: String,
    hints: Vec<String>,
}

impl UsageError {
    /// A sentence without its full stop.
    pub fn new(what: impl Into<String>) -> UsageError {
        UsageError {
            what: what.into(),
            hints: Vec::new(),
        }
    }

    /// Puts the place of the mistake in front, such as a file and a line.
    #[must_use]
    pub fn at(mut self, place: &str) -> UsageError {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// Adds a suggestion: a whole sentence.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> UsageError {
        self.hints.push(text.into());
        self
    }

    /// What is wrong.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do about it, one suggestion a line; may be empty.
    pub fn hints(&self) -> String {
        self.hints.join("\n")
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        self.hints.iter().try_for_each(|hint| write!(f, "\n{hint}"))
    }
}

impl std::error::Error for UsageError {}
