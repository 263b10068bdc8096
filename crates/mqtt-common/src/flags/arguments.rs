//! Arguments as they were pasted: long dashes from word processors, quotes that cmd.exe passes on.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::UsageError;
use super::table::{FLAGS, Flag, JSON, PROPERTY, PROPERTY_VALUES, Program, USER_PROPERTY};
use crate::system;

/// What word processors and slides make of `-` and `--`: hyphen, non-breaking hyphen, figure dash,
/// en dash, em dash, horizontal bar, minus.
const DASHES: [char; 7] = [
    '\u{2010}', '\u{2011}', '\u{2012}', '–', '—', '\u{2015}', '−',
];

/// The name the program was called by; links may give it another.
pub fn called_as(first: Option<&OsStr>, program: Program) -> String {
    first
        .and_then(|path| Path::new(path).file_stem())
        .and_then(OsStr::to_str)
        .filter(|name| !name.is_empty())
        .unwrap_or(program.name())
        .to_owned()
}

/// Reads long dashes as `-` where a flag can stand, warns of quotes that cmd.exe has not removed, and
/// gives flags with several values a fixed number of them.
///
/// The second part is one sentence for each thing worth telling.
///
/// # Errors
/// `-D` lacks a part of its property.
pub fn repair(
    program: Program,
    arguments: Vec<OsString>,
) -> Result<(Vec<OsString>, Vec<String>), UsageError> {
    let mut repaired = Vec::with_capacity(arguments.len());
    let mut notes = Vec::new();
    let mut arguments = arguments.into_iter().peekable();
    while let Some(argument) = arguments.next() {
        if system::IS_WINDOWS {
            notes.extend(quote_note(&argument));
        }
        let fixed = argument
            .to_str()
            .and_then(|text| plain_dashes(program, text));
        if let Some(fixed) = &fixed {
            notes.push(format!(
                "'{}' was read as '{fixed}': its dash is not the one of the keyboard",
                argument.to_string_lossy()
            ));
        }
        let argument = fixed.map_or(argument, OsString::from);
        let flag = argument.to_str().and_then(|text| find(program, text));
        repaired.push(argument);
        let Some(flag) = flag.filter(|flag| flag.value.is_some()) else {
            continue;
        };
        let from = repaired.len();
        match flag.long {
            PROPERTY => repaired.extend(property(flag, &mut arguments)?),
            JSON => repaired.extend(pairs(flag, &mut arguments)),
            _ => repaired.extend(arguments.next()),
        }
        // In a pair of `--json` single quotes have a meaning of their own.
        if system::IS_WINDOWS && flag.long != JSON {
            notes.extend(
                repaired[from..]
                    .iter()
                    .filter_map(|value| quote_note(value)),
            );
        }
    }
    Ok((repaired, notes))
}

/// The arguments of `-D`, filled up with an empty one if the property is no pair.
fn property(
    flag: &Flag,
    arguments: &mut impl Iterator<Item = OsString>,
) -> Result<Vec<OsString>, UsageError> {
    let mut words: Vec<OsString> = arguments.take(PROPERTY_VALUES - 1).collect();
    let is_pair = words.get(1).is_some_and(|name| name == USER_PROPERTY);
    if is_pair {
        words.extend(arguments.next());
    }
    let needed = PROPERTY_VALUES - usize::from(!is_pair);
    if words.len() < needed {
        return Err(UsageError::new(format!(
            "{} needs {needed} more arguments, and got {}",
            flag.typed(),
            words.len()
        ))
        .hint("Type for example: -D publish content-type text/plain")
        .hint("Or, for a pair: -D publish user-property room 12"));
    }
    words.resize(PROPERTY_VALUES, OsString::new());
    Ok(words)
}

/// The first pair of `--json`, and the flag again in front of each further one.
fn pairs(
    flag: &Flag,
    arguments: &mut std::iter::Peekable<impl Iterator<Item = OsString>>,
) -> Vec<OsString> {
    let mut words: Vec<OsString> = arguments.next().into_iter().collect();
    let is_pair = |argument: &OsString| {
        let text = argument.to_string_lossy();
        !text.starts_with('-') && text.contains('=')
    };
    while let Some(next) = arguments.next_if(is_pair) {
        words.extend([OsString::from(format!("--{}", flag.long)), next]);
    }
    words
}

fn find(program: Program, typed: &str) -> Option<&'static Flag> {
    FLAGS
        .iter()
        .filter(|flag| flag.is_of(program))
        .find(|flag| match typed.strip_prefix("--") {
            Some(long) => long == flag.long,
            None => flag.short.is_some() && typed.strip_prefix('-').and_then(single) == flag.short,
        })
}

fn single(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// The argument with keyboard dashes, if it has others and looks like a flag.
fn plain_dashes(program: Program, text: &str) -> Option<String> {
    let name = text
        .trim_start_matches(['-'])
        .trim_start_matches(DASHES)
        .trim_start_matches(['-']);
    let dashes = &text[..text.len() - name.len()];
    if !dashes.contains(DASHES) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    // One long dash often stands for two short ones: the flag's length tells.
    let long = format!("--{name}");
    let is_long = find(program, long.split('=').next().unwrap_or(&long)).is_some();
    Some(
        if is_long || (single(name).is_none() && dashes.chars().count() > 1) {
            long
        } else {
            format!("-{name}")
        },
    )
}

/// In cmd.exe only `"` quotes; `'` is a letter like any other and ends up in topics and messages.
fn quote_note(argument: &OsStr) -> Option<String> {
    let text = argument.to_str()?;
    (text.starts_with('\'') || text.ends_with('\'')).then(|| {
        format!(
            "the ' in {text} is part of the text; cmd.exe only knows double quotes: \"like this\""
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &[&str], expected: &[&str], notes: usize) {
        let (repaired, said) =
            repair(Program::Pub, line.iter().map(OsString::from).collect()).unwrap();
        assert_eq!(repaired, expected, "{line:?}");
        assert_eq!(said.len(), notes, "{said:?}");
    }

    #[test]
    fn long_dashes_become_short_ones_in_front_of_flags() {
        check(&["–d"], &["-d"], 1);
        check(&["—d", "−r"], &["-d", "-r"], 2);
        check(&["–h", "localhost"], &["-h", "localhost"], 1);
        check(&["—help"], &["--help"], 1);
        check(&["––help"], &["--help"], 1);
        check(&["-–help"], &["--help"], 1);
        check(&["–topic=a"], &["--topic=a"], 1);
    }

    #[test]
    fn values_and_other_texts_keep_their_dashes() {
        check(&["-m", "–d"], &["-m", "–d"], 0);
        check(&["-m", "-m", "–d"], &["-m", "-m", "-d"], 1);
        check(&["--message", "– a"], &["--message", "– a"], 0);
        check(&["–", "–5", "– text"], &["–", "–5", "– text"], 0);
    }

    #[test]
    fn single_quotes_are_noted() {
        assert!(quote_note(OsStr::new("'hello")).is_some());
        assert!(quote_note(OsStr::new("world'")).is_some());
        assert!(quote_note(OsStr::new("don't")).is_none());
    }

    #[test]
    fn a_program_knows_its_name() {
        assert_eq!(
            called_as(Some(OsStr::new("/usr/bin/mosquitto_pub")), Program::Pub),
            "mosquitto_pub"
        );
        assert_eq!(
            called_as(Some(OsStr::new("mqtt-pub.exe")), Program::Pub),
            "mqtt-pub"
        );
        assert_eq!(called_as(None, Program::Sub), "mqtt-sub");
    }
}
