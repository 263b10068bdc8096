//! Arguments as they were pasted: long dashes from word processors, quotes that cmd.exe passes on.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::table::{FLAGS, Flag, Program};

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

/// Reads long dashes as `-` where a flag can stand, and warns of quotes that cmd.exe has not removed.
///
/// The second part is one sentence for each thing worth telling.
pub fn repair(program: Program, arguments: Vec<OsString>) -> (Vec<OsString>, Vec<String>) {
    let mut repaired = Vec::with_capacity(arguments.len());
    let mut notes = Vec::new();
    let mut value_follows = false;
    for argument in arguments {
        if cfg!(windows) {
            notes.extend(quote_note(&argument));
        }
        let fixed = if value_follows {
            None
        } else {
            argument
                .to_str()
                .and_then(|text| plain_dashes(program, text))
        };
        if let Some(fixed) = &fixed {
            notes.push(format!(
                "'{}' was read as '{fixed}': its dash is not the one of the keyboard",
                argument.to_string_lossy()
            ));
        }
        let argument = fixed.map_or(argument, OsString::from);
        value_follows = !value_follows && takes_next(program, &argument);
        repaired.push(argument);
    }
    (repaired, notes)
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

fn takes_next(program: Program, argument: &OsStr) -> bool {
    argument
        .to_str()
        .and_then(|text| find(program, text))
        .is_some_and(|flag| flag.value.is_some())
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
        let (repaired, said) = repair(Program::Pub, line.iter().map(OsString::from).collect());
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
