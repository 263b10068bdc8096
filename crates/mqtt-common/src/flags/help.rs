//! The text of `--help`: by what one wants to do, with examples.

use std::fmt::Write;

use super::about;
use super::commands::commands;
use super::table::{Chapter, Flag, Program};

/// Explanations begin in this column.
const COLUMN: usize = 32;
/// And end before this one.
const WIDTH: usize = 100;

/// The help of a program under the name it was called by.
pub fn text(program: Program, name: &str) -> String {
    let mut text = String::new();
    text.push_str(about::intro(program));
    let usage = about::usage(program);
    let _ = write!(text, "\n\nUsage: {name} {usage}\n\nExamples:\n");
    for (arguments, what) in about::examples(program) {
        let _ = writeln!(text, "  {name} {arguments}\n      {what}");
    }
    if !commands(program).is_empty() {
        text.push_str("\nCommands:\n");
        for command in commands(program) {
            let operand = command.operand.map_or(String::new(), |it| format!(" {it}"));
            let head = format!("  {}{operand}", command.name);
            wrapped(&mut text, &head, 16, command.help);
        }
    }
    for chapter in Chapter::ALL {
        let flags: Vec<_> = chapter.flags(program).collect();
        if !flags.is_empty() {
            let _ = write!(text, "\n{}:\n", chapter.heading());
            flags.iter().for_each(|flag| explain(&mut text, flag));
        }
    }
    text.push_str("\nExit codes:\n");
    for (code, when) in about::exit_codes(program) {
        wrapped(&mut text, &format!("  {code}"), 16, when);
    }
    let _ = write!(
        text,
        "\nOptions can also stand in a file: ~/.config/{} or the one after -o, one option a line.\n",
        program.name()
    );
    text
}

fn explain(text: &mut String, flag: &Flag) {
    let short = flag
        .short
        .map_or("    ".to_owned(), |short| format!("-{short}, "));
    let value = flag
        .value
        .map_or(String::new(), |value| format!(" {value}"));
    let head = format!("  {short}--{}{value}", flag.long);
    wrapped(text, &head, COLUMN, flag.help);
}

/// Writes `head`, and from `start` on the words of `body`, in lines that end before the limit.
fn wrapped(text: &mut String, head: &str, start: usize, body: &str) {
    let _ = write!(text, "{head:<start$}");
    if head.len() >= start {
        let _ = write!(text, "\n{:start$}", "");
    }
    let mut column = start;
    for (index, word) in body.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            let _ = write!(text, "\n{:start$}", "");
            column = start;
        } else if index > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::FLAGS;

    #[test]
    fn every_flag_is_explained_once_and_no_line_is_too_long() {
        for program in Program::ALL {
            let text = text(program, program.name());
            for flag in FLAGS.iter().filter(|flag| flag.is_of(program)) {
                let entry = format!("--{}", flag.long);
                let lines = text.lines().filter(|line| {
                    (line.starts_with("  -") || line.starts_with("      --"))
                        && line.split_whitespace().take(2).any(|word| word == entry)
                });
                assert_eq!(lines.count(), 1, "{program:?} {entry}");
            }
            for line in text.lines() {
                assert!(line.chars().count() <= WIDTH, "{line}");
            }
        }
    }

    #[test]
    fn every_example_is_understood() {
        for program in Program::ALL {
            for (arguments, _) in about::examples(program) {
                let line = format!("{} {arguments}", program.name());
                let words = line.split(' ').map(|word| word.trim_matches('"').into());
                assert!(crate::flags::parse(program, words).is_ok(), "{line}");
            }
        }
    }
}
