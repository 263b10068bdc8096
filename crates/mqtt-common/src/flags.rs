//! The command line: every flag of every client once, and what a user has said with them.
//!
//! [`table`] is the list. [`arguments`] repairs what word processors do to dashes. [`files`] puts what
//! options files say in front. [`Said`] is the outcome: flags and values in order, not yet judged;
//! [`crate::options`] and the programs turn it into meaning. [`help`], [`manual`] and the scripts for
//! shells come from the same table, with what [`about`] adds.

pub mod about;
pub mod arguments;
pub mod commands;
mod completion;
mod error;
pub mod files;
pub mod help;
pub mod manual;
mod said;
pub mod table;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

pub use error::UsageError;
pub use said::{Given, Said};

use table::{FLAGS, Flag, Program};

/// What came of a command line.
#[derive(Debug)]
pub enum Parsed {
    /// Flags to act on.
    Said(Said),
    /// A text that was asked for, for stdout: help or version.
    Text(String),
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
    let (mut arguments, mut notes) = arguments::repair(program, argv.collect())?;
    let called = commands::take(program, &mut arguments)?;
    let mut said = Said {
        program,
        name,
        called,
        notes: Vec::new(),
        given: read(program, &mut command(program), &arguments)?,
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
    if said.has("man") {
        return Ok(Parsed::Text(manual::man(program)));
    }
    if let Some(shell) = said.text("completion")? {
        return completion::script(program, &said.name, shell).map(Parsed::Text);
    }
    if said.called.is_none() && !commands::commands(program).is_empty() {
        return Err(commands::missing(program));
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

/// Splits repaired arguments into flags and values, in order.
fn read(
    program: Program,
    command: &mut Command,
    arguments: &[OsString],
) -> Result<Vec<Given>, UsageError> {
    let matches = command
        .try_get_matches_from_mut(arguments)
        .map_err(|error| explain(program, &error))?;
    let mut given: Vec<(usize, Given)> = Vec::new();
    let flags = FLAGS.iter().filter(|flag| flag.is_of(program));
    for flag in flags {
        given.extend(occurrences(
            program,
            &matches,
            flag.long,
            flag.value.is_some(),
        ));
    }
    given.extend(occurrences(program, &matches, POSITIONAL, true));
    given.sort_by_key(|(place, _)| *place);
    Ok(given.into_iter().map(|(_, given)| given).collect())
}

/// A flag each time it was given, with its place on the command line. Of flags without a value only
/// the last time is known, and counts.
fn occurrences(
    program: Program,
    matches: &ArgMatches,
    long: &'static str,
    has_value: bool,
) -> Vec<(usize, Given)> {
    if matches.value_source(long) != Some(ValueSource::CommandLine) {
        return Vec::new();
    }
    let mut places = matches.indices_of(long).into_iter().flatten();
    let given = |values| Given {
        long,
        program,
        values,
        origin: None,
    };
    if !has_value {
        return places
            .next_back()
            .map(|place| (place, given(Vec::new())))
            .into_iter()
            .collect();
    }
    let groups = matches
        .get_occurrences::<OsString>(long)
        .into_iter()
        .flatten();
    groups
        .map(|group| {
            let values: Vec<OsString> = group.cloned().collect();
            let place = places.nth(values.len().saturating_sub(1));
            (place.unwrap_or(usize::MAX), given(values))
        })
        .collect()
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
            .num_args(flag.values())
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
    fn a_property_takes_three_arguments_or_four_if_it_is_a_pair() {
        let line = [
            "-D",
            "publish",
            "content-type",
            "-t",
            "-t",
            "a",
            "--property",
            "connect",
            "user-property",
            "k",
            "-D",
            "-d",
        ];
        let said = said(Program::Pub, &line);
        let words: Vec<_> = said
            .all("property")
            .map(|given| given.texts().unwrap())
            .collect();
        assert_eq!(
            words,
            [
                ["publish", "content-type", "-t", ""],
                ["connect", "user-property", "k", "-D"]
            ]
        );
        assert_eq!(said.texts("topic").unwrap(), ["a"]);
        assert!(said.has("debug"));
        check_error(
            Program::Pub,
            &["-D", "publish", "topic-alias"],
            "-D needs 3 more arguments, and got 2",
        );
        check_error(
            Program::Pub,
            &["-D", "publish", "user-property", "a"],
            "-D needs 4 more arguments, and got 3",
        );
    }

    #[test]
    fn json_takes_all_pairs_that_follow() {
        let line = [
            "--json", "a=1", "b=-2", "c=", "-t", "x", "--json", "d=4", "-r",
        ];
        let said = said(Program::Pub, &line);
        assert_eq!(said.texts("json").unwrap(), ["a=1", "b=-2", "c=", "d=4"]);
        assert!(said.has("retain"));
    }

    #[test]
    fn flags_are_known_in_order() {
        let said = said(
            Program::Sub,
            &["-t", "a", "-q", "0", "-v", "-t", "b", "-q", "2"],
        );
        let order: Vec<_> = said
            .in_order()
            .map(|given| (given.long, given.text().unwrap()))
            .collect();
        assert_eq!(
            order,
            [
                ("topic", "a"),
                ("qos", "0"),
                ("verbose", ""),
                ("topic", "b"),
                ("qos", "2")
            ]
        );
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
