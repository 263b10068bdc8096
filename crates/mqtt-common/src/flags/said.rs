//! What a user has said: flags and their values in the order of the command line, not yet judged.

use std::ffi::{OsStr, OsString};
use std::rc::Rc;

use crate::system;

use super::commands::Called;
use super::table::{FLAGS, Flag, Program};
use super::{POSITIONAL, UsageError};

/// What was said, in order; options of a file come before those of the command line.
#[derive(Debug)]
pub struct Said {
    /// Who was called.
    pub program: Program,
    /// The name the program was called by.
    pub name: String,
    /// The command in front of the flags, where the program has commands.
    pub called: Option<Called>,
    /// What was read differently than typed; whole sentences for the user, without their full stops.
    pub notes: Vec<String>,
    pub(super) given: Vec<Given>,
}

/// A flag with its values, once given.
#[derive(Debug, Clone)]
pub struct Given {
    /// The flag's long name.
    pub long: &'static str,
    /// Whose flag it is: the same long name may have different short ones.
    pub(super) program: Program,
    pub(super) values: Vec<OsString>,
    pub(super) origin: Option<Origin>,
}

/// The line of an options file that a flag comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) file: Rc<str>,
    pub(super) line: usize,
}

impl Given {
    /// Whether it stands on the command line itself, and not in an options file.
    pub fn is_typed(&self) -> bool {
        self.origin.is_none()
    }

    /// Its only value; empty text if it takes none.
    ///
    /// # Errors
    /// It is not Unicode text.
    pub fn text(&self) -> Result<&str, UsageError> {
        match self.values.first() {
            Some(value) => self.unicode(value),
            None => Ok(""),
        }
    }

    /// All its values; only `-D` has more than one.
    ///
    /// # Errors
    /// One of them is not Unicode text.
    pub fn texts(&self) -> Result<Vec<&str>, UsageError> {
        self.values
            .iter()
            .map(|value| self.unicode(value))
            .collect()
    }

    /// Its value turned into meaning by one of the functions of [`crate::value`].
    ///
    /// # Errors
    /// The value is not text, or means nothing; the sentence names the options file it stands in.
    pub fn meaning<T>(
        &self,
        parse: impl FnOnce(&str, &str) -> Result<T, UsageError>,
    ) -> Result<T, UsageError> {
        let text = self.text()?;
        parse(&typed(self.program, self.long), text).map_err(|error| self.locate(error))
    }

    /// Adds the place to a mistake if it is not the command line.
    pub fn locate(&self, error: UsageError) -> UsageError {
        match &self.origin {
            Some(Origin { file, line }) => error.at(&format!("{file}:{line}")),
            None => error,
        }
    }

    fn unicode<'a>(&self, value: &'a OsStr) -> Result<&'a str, UsageError> {
        value
            .to_str()
            .ok_or_else(|| self.locate(not_text(self.program, self.long, value)))
    }

    /// Whether its value is exactly this text.
    pub fn is(&self, text: &str) -> bool {
        self.values.first().is_some_and(|value| value == text)
    }

    /// Its value as the name of a file.
    pub fn path(&self) -> Option<&OsStr> {
        self.values.first().map(OsString::as_os_str)
    }

    /// Its value as any bytes.
    ///
    /// # Errors
    /// The system's form of it has no bytes (a lone surrogate on Windows).
    pub fn bytes(&self) -> Result<Vec<u8>, UsageError> {
        match self.values.first() {
            Some(value) => {
                raw_bytes(self.program, self.long, value).map_err(|error| self.locate(error))
            }
            None => Ok(Vec::new()),
        }
    }
}

impl Said {
    /// A flag as people type it to this program: the short form if there is one.
    pub fn typed(&self, long: &str) -> String {
        typed(self.program, long)
    }

    /// Whether the flag was given.
    pub fn has(&self, long: &str) -> bool {
        self.last(long).is_some()
    }

    /// Everything that was given, in order.
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = &Given> + ExactSizeIterator {
        self.given.iter()
    }

    /// All that was given of one flag, in order.
    pub fn all<'a, 'b>(
        &'a self,
        long: &'b str,
    ) -> impl DoubleEndedIterator<Item = &'a Given> + use<'a, 'b> {
        self.given.iter().filter(move |given| given.long == long)
    }

    /// What was given last of a flag: it wins.
    pub fn last(&self, long: &str) -> Option<&Given> {
        self.given.iter().rfind(|given| given.long == long)
    }

    /// Where the flag was given last; later ones win over others that say the opposite.
    pub fn position(&self, long: &str) -> Option<usize> {
        self.given.iter().rposition(|given| given.long == long)
    }

    /// The last value of a flag.
    ///
    /// # Errors
    /// It is not Unicode text.
    pub fn text(&self, long: &str) -> Result<Option<&str>, UsageError> {
        self.last(long).map(Given::text).transpose()
    }

    /// All values of a flag that may be repeated, in order.
    ///
    /// # Errors
    /// One of them is not Unicode text.
    pub fn texts(&self, long: &str) -> Result<Vec<&str>, UsageError> {
        self.all(long).map(Given::text).collect()
    }

    /// The last value of a flag that takes any bytes, such as a payload.
    ///
    /// # Errors
    /// The system's form of it has no bytes (a lone surrogate on Windows).
    pub fn bytes(&self, long: &str) -> Result<Option<Vec<u8>>, UsageError> {
        self.last(long).map(Given::bytes).transpose()
    }

    /// The last value of a flag that names a file.
    pub fn path(&self, long: &str) -> Option<&OsStr> {
        self.last(long)?.path()
    }

    /// The last value turned into meaning by one of the functions of [`crate::value`].
    ///
    /// # Errors
    /// The value is not text, or means nothing.
    pub fn meaning<T>(
        &self,
        long: &str,
        parse: impl FnOnce(&str, &str) -> Result<T, UsageError>,
    ) -> Result<Option<T>, UsageError> {
        self.last(long)
            .map(|given| given.meaning(parse))
            .transpose()
    }

    /// All values of a flag that may be repeated, each turned into meaning.
    ///
    /// # Errors
    /// A value is not text, or means nothing.
    pub fn meanings<T>(
        &self,
        long: &str,
        mut parse: impl FnMut(&str, &str) -> Result<T, UsageError>,
    ) -> Result<Vec<T>, UsageError> {
        self.all(long)
            .map(|given| given.meaning(&mut parse))
            .collect()
    }

    /// The host named without a flag.
    ///
    /// # Errors
    /// It is not Unicode text.
    pub fn positional(&self) -> Result<Option<&str>, UsageError> {
        self.text(POSITIONAL)
    }
}

fn typed(program: Program, long: &str) -> String {
    FLAGS
        .iter()
        .find(|flag| flag.long == long && flag.is_of(program))
        .map_or_else(|| long.to_owned(), Flag::typed)
}

fn not_text(program: Program, long: &str, value: &OsStr) -> UsageError {
    UsageError::new(format!(
        "The value of {} is not Unicode text: '{}'",
        typed(program, long),
        value.to_string_lossy()
    ))
    .hint("Check the encoding of your terminal or script; it should be UTF-8.")
}

fn raw_bytes(program: Program, long: &str, value: &OsStr) -> Result<Vec<u8>, UsageError> {
    system::bytes_of(value).ok_or_else(|| not_text(program, long, value))
}
