//! The command line: every flag of every client once, and what a user has said with them.
//!
//! [`table`] is the list. [`arguments`] repairs what word processors do to dashes. [`Said`] is the
//! outcome: texts by flag, the last one winning, not yet judged; [`crate::options`] and the programs
//! turn it into meaning.

pub mod arguments;
pub mod help;
pub mod table;

use std::ffi::{OsStr, OsString};
use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use table::{FLAGS, Flag, Program};

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

/// What came of a command line.
#[derive(Debug)]
pub enum Parsed {
    /// Flags to act on.
    Said(Said),
    /// A text that was asked for, for stdout: help or version.
    Text(String),
}

/// What was said, by flag.
#[derive(Debug)]
pub struct Said {
    /// Who was called, and under which name.
    pub program: Program,
    /// The name the program was called by.
    pub name: String,
    /// What was read differently than typed; whole sentences for the user.
    pub notes: Vec<String>,
    matches: ArgMatches,
}

/// The identifier of the lone positional argument.
const POSITIONAL: &str = "positional";

/// Reads a command line, the program's name first.
///
/// # Errors
/// A flag is unknown, lacks its value, or there is an argument too many.
pub fn parse(
    program: Program,
    argv: impl IntoIterator<Item = OsString>,
) -> Result<Parsed, UsageError> {
    let mut argv = argv.into_iter();
    let name = arguments::called_as(argv.next().as_deref(), program);
    let (arguments, mut notes) = arguments::repair(program, argv.collect());
    let matches = match command(program).try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) => return Err(explain(program, &error)),
    };
    let mut said = Said {
        program,
        name,
        notes: Vec::new(),
        matches,
    };
    if said.has("help") {
        return Ok(Parsed::Text(help::text(program, &said.name)));
    }
    if said.has("version") {
        return Ok(Parsed::Text(format!(
            "{} {}\n",
            said.name,
            env!("CARGO_PKG_VERSION")
        )));
    }
    if let Some(host) = said.text(POSITIONAL)? {
        if said.has("host") {
            return Err(UsageError::new(format!(
                "'{host}' stands alone, and -h has already named a host"
            ))
            .hint("Text with spaces needs double quotes: -m \"two words\""));
        }
        notes.push(format!(
            "'{host}' was taken as the host, as if you had typed: -h {host}"
        ));
    }
    said.notes = notes;
    Ok(Parsed::Said(said))
}

fn command(program: Program) -> Command {
    let flags = FLAGS
        .iter()
        .filter(|flag| flag.is_of(program))
        .map(argument);
    let positional = Arg::new(POSITIONAL)
        .index(1)
        .value_parser(value_parser!(OsString));
    Command::new(program.name())
        .no_binary_name(true)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(flags)
        .arg(positional)
}

fn argument(flag: &Flag) -> Arg {
    let arg = Arg::new(flag.long).long(flag.long);
    let arg = if let Some(short) = flag.short {
        arg.short(short)
    } else {
        arg
    };
    match flag.value {
        // The next argument is the value, whatever it looks like: `-m -5`.
        Some(_) => arg
            .action(ArgAction::Append)
            .num_args(1)
            .allow_hyphen_values(true)
            .value_parser(value_parser!(OsString)),
        None => arg.action(ArgAction::Count),
    }
}

/// Says a mistake in our own words.
fn explain(program: Program, error: &clap::Error) -> UsageError {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.first().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let argument = context(ContextKind::InvalidArg);
    // The crate names an argument as `--topic <topic>` or, if it takes no value, `--quiet...`.
    let word = argument
        .split_whitespace()
        .next()
        .map(|word| word.trim_end_matches('.'));
    let long = word.and_then(|word| word.strip_prefix("--"));
    let flag = FLAGS
        .iter()
        .find(|flag| flag.is_of(program) && Some(flag.long) == long);
    match (error.kind(), flag) {
        (ErrorKind::InvalidValue, Some(flag)) => UsageError::new(format!(
            "{} is the last argument, and its value is missing",
            flag.typed()
        ))
        .hint(format!(
            "Type: {} {}",
            flag.typed(),
            flag.value.unwrap_or_default()
        )),
        (ErrorKind::TooManyValues, Some(flag)) => {
            UsageError::new(format!("{} takes no value", flag.typed()))
        }
        (ErrorKind::UnknownArgument, _) if !argument.starts_with('-') => {
            UsageError::new(format!("'{argument}' is one argument too many"))
                .hint("Text with spaces needs double quotes: -m \"two words\"")
        }
        (ErrorKind::UnknownArgument, _) => {
            unknown(program, &argument, &context(ContextKind::SuggestedArg))
        }
        // Nothing else can happen with these arguments; the crate's own words are better than none.
        _ => UsageError::new(
            error
                .to_string()
                .trim_end()
                .trim_start_matches("error: ")
                .to_owned(),
        ),
    }
}

fn unknown(program: Program, argument: &str, suggestion: &str) -> UsageError {
    let error = UsageError::new(format!("Unknown option '{argument}'"));
    let elsewhere = FLAGS
        .iter()
        .find(|flag| flag.typed() == argument || argument.strip_prefix("--") == Some(flag.long));
    match elsewhere {
        Some(flag) => error.hint(format!(
            "{} has it: {}.",
            flag.programs
                .iter()
                .find(|p| **p != program)
                .map_or("Another client", |p| p.name()),
            flag.help
        )),
        None if !suggestion.is_empty() => error.hint(format!("Did you mean {suggestion}?")),
        None => error,
    }
}

impl Said {
    /// Whether the flag was given.
    pub fn has(&self, long: &str) -> bool {
        self.matches.value_source(long) == Some(ValueSource::CommandLine)
    }

    /// Where on the command line the flag was given last; later ones win over others that say the
    /// opposite.
    pub fn position(&self, long: &str) -> Option<usize> {
        if !self.has(long) {
            return None;
        }
        self.matches
            .indices_of(long)
            .and_then(|mut places| places.next_back())
    }

    fn values(&self, long: &str) -> impl Iterator<Item = &OsString> {
        self.matches
            .try_get_many::<OsString>(long)
            .ok()
            .flatten()
            .into_iter()
            .flatten()
    }

    /// The last value of a flag.
    ///
    /// # Errors
    /// It is not Unicode text.
    pub fn text(&self, long: &str) -> Result<Option<&str>, UsageError> {
        self.values(long)
            .last()
            .map(|value| unicode(long, value))
            .transpose()
    }

    /// All values of a flag that may be repeated, in order.
    ///
    /// # Errors
    /// One of them is not Unicode text.
    pub fn texts(&self, long: &str) -> Result<Vec<&str>, UsageError> {
        self.values(long)
            .map(|value| unicode(long, value))
            .collect()
    }

    /// The last value of a flag that takes any bytes, such as a payload.
    ///
    /// # Errors
    /// The system's form of it has no bytes (a lone surrogate on Windows).
    pub fn bytes(&self, long: &str) -> Result<Option<Vec<u8>>, UsageError> {
        self.values(long)
            .last()
            .map(|value| raw_bytes(long, value))
            .transpose()
    }

    /// The last value of a flag that names a file.
    pub fn path(&self, long: &str) -> Option<&OsStr> {
        self.values(long).last().map(OsString::as_os_str)
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
        self.text(long)?
            .map(|text| parse(&typed(long), text))
            .transpose()
    }

    /// The host named without a flag.
    ///
    /// # Errors
    /// It is not Unicode text.
    pub fn positional(&self) -> Result<Option<&str>, UsageError> {
        self.text(POSITIONAL)
    }
}

/// A flag as people type it: the short form if there is one.
pub fn typed(long: &str) -> String {
    FLAGS
        .iter()
        .find(|flag| flag.long == long)
        .map_or_else(|| long.to_owned(), Flag::typed)
}

fn unicode<'a>(long: &str, value: &'a OsStr) -> Result<&'a str, UsageError> {
    value.to_str().ok_or_else(|| not_text(long, value))
}

fn not_text(long: &str, value: &OsStr) -> UsageError {
    UsageError::new(format!(
        "The value of {} is not Unicode text: '{}'",
        typed(long),
        value.to_string_lossy()
    ))
    .hint("Check the encoding of your terminal or script; it should be UTF-8.")
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)]
fn raw_bytes(_long: &str, value: &OsStr) -> Result<Vec<u8>, UsageError> {
    use std::os::unix::ffi::OsStrExt;
    Ok(value.as_bytes().to_vec())
}

#[cfg(not(unix))]
fn raw_bytes(long: &str, value: &OsStr) -> Result<Vec<u8>, UsageError> {
    unicode(long, value).map(|text| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(program: Program, line: &[&str]) -> Said {
        match parse_line(program, line) {
            Ok(Parsed::Said(said)) => said,
            other => panic!("{line:?} gave {other:?}"),
        }
    }

    fn parse_line(program: Program, line: &[&str]) -> Result<Parsed, UsageError> {
        parse(
            program,
            std::iter::once("mqtt-x")
                .chain(line.iter().copied())
                .map(OsString::from),
        )
    }

    #[track_caller]
    fn check_error(program: Program, line: &[&str], expected: &str) {
        let error = parse_line(program, line).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{line:?}: expected '{expected}' in '{error}'"
        );
    }

    #[test]
    fn the_next_argument_is_the_value_whatever_it_looks_like() {
        for value in ["-5", "--", "--help", "-h", "", "–h", "a=b"] {
            let said = said(Program::Pub, &["-m", value, "-t", "x"]);
            assert_eq!(said.text("message").unwrap(), Some(value));
            assert_eq!(said.text("topic").unwrap(), Some("x"));
        }
    }

    #[test]
    fn later_ones_win_and_lists_keep_all() {
        let said = said(
            Program::Sub,
            &[
                "-q",
                "1",
                "-q",
                "2",
                "-t",
                "a",
                "--topic",
                "b",
                "--topic=c",
                "-d",
                "-d",
            ],
        );
        assert_eq!(said.text("qos").unwrap(), Some("2"));
        assert_eq!(said.texts("topic").unwrap(), ["a", "b", "c"]);
        assert!(said.has("debug"));
        assert!(!said.has("verbose"));
    }

    #[test]
    fn positions_tell_who_came_last() {
        let said = said(Program::Sub, &["-x", "5", "-V", "311"]);
        assert!(said.position("protocol-version") > said.position("session-expiry"));
        assert_eq!(said.position("debug"), None);
    }

    #[test]
    fn a_lone_word_is_the_host_with_a_note() {
        let said = said(Program::Sub, &["localhost", "-t", "topic/#", "-d"]);
        assert_eq!(said.positional().unwrap(), Some("localhost"));
        assert_eq!(
            said.notes,
            ["'localhost' was taken as the host, as if you had typed: -h localhost"]
        );
        check_error(Program::Sub, &["a", "b"], "'b' is one argument too many");
        check_error(Program::Sub, &["-h", "a", "b"], "'b' stands alone");
    }

    #[test]
    fn mistakes_say_what_to_type() {
        check_error(
            Program::Pub,
            &["-t"],
            "-t is the last argument, and its value is missing\nType: -t TOPIC",
        );
        check_error(Program::Pub, &["--quiet=yes"], "--quiet takes no value");
        check_error(
            Program::Pub,
            &["--topci", "x"],
            "Unknown option '--topci'\nDid you mean --topic?",
        );
        check_error(
            Program::Pub,
            &["-C", "1"],
            "Unknown option '-C'\nmqtt-sub has it",
        );
        check_error(Program::Sub, &["--retain"], "mqtt-pub has it");
        check_error(Program::Sub, &["-Z"], "Unknown option '-Z'");
    }

    #[test]
    fn help_and_version_are_texts() {
        for (line, part) in [
            (["--help"], "mqtt-x -h localhost"),
            (["--version"], "mqtt-x 0."),
        ] {
            match parse_line(Program::Pub, &line) {
                Ok(Parsed::Text(text)) => assert!(text.contains(part), "{line:?} gave {text}"),
                other => panic!("{line:?} gave {other:?}"),
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_payload_may_be_any_bytes_and_a_topic_may_not() {
        use std::os::unix::ffi::OsStringExt;
        let odd = || OsString::from_vec(vec![b'a', 0xff]);
        let line = ["x".into(), "-m".into(), odd(), "-t".into(), odd()];
        let Ok(Parsed::Said(said)) = parse(Program::Pub, line) else {
            panic!("not parsed")
        };
        assert_eq!(said.bytes("message").unwrap(), Some(vec![b'a', 0xff]));
        assert!(
            said.text("topic")
                .unwrap_err()
                .to_string()
                .contains("The value of -t is not Unicode text")
        );
    }
}
