//! The text of `--help`: by what one wants to do, with examples.

use std::fmt::Write;

use super::table::{Chapter, FLAGS, Flag, Program};

/// Explanations begin in this column.
const COLUMN: usize = 32;
/// And end before this one.
const WIDTH: usize = 100;

/// The help of a program under the name it was called by.
pub fn text(program: Program, name: &str) -> String {
    let mut text = String::new();
    text.push_str(intro(program));
    let _ = write!(text, "\n\nUsage: {name} {}\n\nExamples:\n", usage(program));
    for (arguments, what) in examples(program) {
        let _ = writeln!(text, "  {name} {arguments}\n      {what}");
    }
    for chapter in Chapter::ALL {
        let flags: Vec<_> = FLAGS
            .iter()
            .filter(|f| f.is_of(program) && f.chapter == chapter)
            .collect();
        if !flags.is_empty() {
            let _ = write!(text, "\n{}:\n", chapter.heading());
            flags.iter().for_each(|flag| explain(&mut text, flag));
        }
    }
    text.push_str(codes(program));
    text
}

fn intro(program: Program) -> &'static str {
    match program {
        Program::Pub => "Publishes messages to an MQTT broker, and ends when the broker has them.",
        Program::Sub => {
            "Subscribes to topics of an MQTT broker and prints every message. Ctrl-C ends it."
        }
        Program::Rr => {
            "Publishes a request to an MQTT broker, waits for the answer, and prints it."
        }
    }
}

fn usage(program: Program) -> &'static str {
    match program {
        Program::Pub => "[-h HOST] -t TOPIC {-m TEXT | -f FILE | -l | -s | -n} [options]",
        Program::Sub => "[-h HOST] -t FILTER [-t FILTER ...] [options]",
        Program::Rr => {
            "[-h HOST] -t TOPIC -e RESPONSE-TOPIC {-m TEXT | -f FILE | -s | -n} [options]"
        }
    }
}

fn examples(program: Program) -> &'static [(&'static str, &'static str)] {
    match program {
        Program::Pub => &[
            (
                "-h localhost -t topic/pub -m \"hello\" -d",
                "one message, with every packet shown",
            ),
            (
                "-h 192.168.1.23 -t room/1/temp -m 21.5 -q 1 -r",
                "certain to arrive, and kept for later subscribers",
            ),
            (
                "-h 192.168.1.23 -t chat/maria -l",
                "a chat: every line you type is a message",
            ),
            (
                "-h localhost -t room/1/temp -n -r",
                "removes the kept message",
            ),
        ],
        Program::Sub => &[
            (
                "-h localhost -t topic/# -d",
                "everything below topic, with every packet shown",
            ),
            (
                "-h 192.168.1.23 -t room/+/temp -v",
                "one level of any name, topics shown",
            ),
            (
                "-h localhost -t door -C 1 -W 10",
                "waits 10 seconds for one message",
            ),
            (
                "-h localhost -t door -q 1 -c -i house",
                "messages are kept while this client is away",
            ),
        ],
        Program::Rr => &[
            (
                "-h localhost -t lamp/1/get -e lamp/1/state -m now",
                "asks, and prints the first answer",
            ),
            (
                "-h 192.168.1.23 -t echo -e answers/maria -m hello -W 5 --latency",
                "waits 5 seconds at most, and shows how long it took",
            ),
        ],
    }
}

fn codes(program: Program) -> &'static str {
    match program {
        Program::Pub => {
            "\nExit codes: 0 done; 1 usage, file or connection attempt; 1-5 and 128-159 refused by the \
             broker;\n7 connection lost; 255 stopped before the broker answered.\n"
        }
        Program::Sub | Program::Rr => {
            "\nExit codes: 0 done or Ctrl-C; 1 usage or connection attempt; 1-5 and 128-159 refused by \
             the broker;\n27 the time of -W is over; 255 stopped before the broker answered.\n"
        }
    }
}

fn explain(text: &mut String, flag: &Flag) {
    let short = flag
        .short
        .map_or("    ".to_owned(), |short| format!("-{short}, "));
    let value = flag
        .value
        .map_or(String::new(), |value| format!(" {value}"));
    let head = format!("  {short}--{}{value}", flag.long);
    let _ = write!(text, "{head:<COLUMN$}");
    if head.len() >= COLUMN {
        let _ = write!(text, "\n{:COLUMN$}", "");
    }
    let mut column = COLUMN;
    for (index, word) in flag.help.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > WIDTH {
            let _ = write!(text, "\n{:COLUMN$}", "");
            column = COLUMN;
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
}
