//! Manual pages from the table of flags: `docs/mqtt-*.md`, and the text that `man` shows.

use super::about::{self, Row};
use super::commands::{Command, commands};
use super::table::{Chapter, Flag, Program};
use crate::options::properties_of;

/// A piece of a page, whatever it will look like.
enum Piece {
    Heading(String),
    Subheading(String),
    Paragraph(String),
    Example(String, String),
    /// Things in bold with their explanations.
    List(Vec<(String, String)>),
}

/// A page as Markdown, for `docs/`.
pub fn markdown(program: Program) -> String {
    let name = program.name();
    let mut page = format!(
        "<!-- Written by `cargo test -p mqtt-common` from the program's own table of flags. -->\n\
         # {name}\n\n{}\n\n```\n{name} {}\n```\n",
        about::intro(program),
        about::usage(program)
    );
    for piece in pieces(program) {
        let text = match piece {
            Piece::Heading(text) => format!("\n## {text}\n"),
            Piece::Subheading(text) => format!("\n### {text}\n"),
            Piece::Paragraph(text) => format!("\n{}\n", in_markdown(&text)),
            Piece::Example(line, what) => format!("\n{}:\n```\n{line}\n```\n", capital(&what)),
            Piece::List(rows) => {
                let line = |(head, text): &(String, String)| {
                    format!("* `{head}`: {}\n", in_markdown(text))
                };
                format!("\n{}", rows.iter().map(line).collect::<String>())
            }
        };
        page.push_str(&text);
    }
    page
}

/// A page in the language of `man`.
pub fn man(program: Program) -> String {
    let name = program.name();
    let mut page = format!(
        ".TH {} 1 \"\" \"{name} {}\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n.B {}\n{}\n.SH DESCRIPTION\n{}\n",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION"),
        roff(name),
        roff(program.purpose()),
        roff(name),
        roff(about::usage(program)),
        roff(about::intro(program))
    );
    for piece in pieces(program) {
        let text = match piece {
            Piece::Heading(text) => format!(".SH {}\n", roff(&text.to_uppercase())),
            Piece::Subheading(text) => format!(".SS {}\n", roff(&text)),
            Piece::Paragraph(text) => format!(".PP\n{}\n", roff(&text)),
            Piece::Example(line, what) => {
                let (what, line) = (roff(&capital(&what)), roff(&line));
                format!(".PP\n{what}:\n.PP\n.nf\n    {line}\n.fi\n")
            }
            Piece::List(rows) => {
                let entry = |(head, text): &(String, String)| {
                    format!(".TP\n\\fB{}\\fR\n{}\n", roff(head), roff(text))
                };
                rows.iter().map(entry).collect()
            }
        };
        page.push_str(&text);
    }
    page
}

fn pieces(program: Program) -> Vec<Piece> {
    let mut pieces = vec![Piece::Heading("Examples".to_owned())];
    for (arguments, what) in about::examples(program) {
        let line = format!("{} {arguments}", program.name());
        pieces.push(Piece::Example(line, (*what).to_owned()));
    }
    if !commands(program).is_empty() {
        pieces.push(Piece::Heading("Commands".to_owned()));
        let row = |command: &Command| {
            let operand = command.operand.map_or(String::new(), |it| format!(" {it}"));
            (
                format!("{}{operand}", command.name),
                format!("{}.", command.help),
            )
        };
        pieces.push(Piece::List(commands(program).iter().map(row).collect()));
    }
    pieces.push(Piece::Heading("Options".to_owned()));
    for chapter in Chapter::ALL {
        let flags: Vec<_> = chapter.flags(program).map(entry).collect();
        if !flags.is_empty() {
            pieces.push(Piece::Subheading(chapter.heading().to_owned()));
            pieces.push(Piece::List(flags));
        }
    }
    if matches!(program, Program::Sub | Program::Rr) {
        pieces.push(Piece::Heading("The forms of -F".to_owned()));
        pieces.push(list(about::FORMATS));
    }
    pieces.push(Piece::Heading("Properties".to_owned()));
    pieces.push(Piece::Paragraph(
        "What -D can set, packet by packet (MQTT 5):".to_owned(),
    ));
    pieces.push(Piece::List(properties(program)));
    pieces.push(Piece::Heading("Options files".to_owned()));
    pieces.extend(about::options_files(program).map(Piece::Paragraph));
    pieces.push(Piece::Heading("Passwords".to_owned()));
    pieces.push(Piece::Paragraph(about::PASSWORDS.to_owned()));
    pieces.push(Piece::Heading("Quotes".to_owned()));
    pieces.push(Piece::Paragraph(about::QUOTING.to_owned()));
    pieces.push(Piece::Heading("Environment".to_owned()));
    pieces.push(list(about::ENVIRONMENT));
    pieces.push(Piece::Heading("Exit codes".to_owned()));
    pieces.push(list(about::exit_codes(program)));
    pieces
}

fn list(rows: &[Row]) -> Piece {
    let owned = |(head, text): &Row| ((*head).to_owned(), (*text).to_owned());
    Piece::List(rows.iter().map(owned).collect())
}

fn entry(flag: &Flag) -> (String, String) {
    let short = flag
        .short
        .map_or(String::new(), |short| format!("-{short}, "));
    let value = flag
        .value
        .map_or(String::new(), |value| format!(" {value}"));
    (
        format!("{short}--{}{value}", flag.long),
        format!("{}.", flag.help),
    )
}

/// The properties that `-D` can set, by packet.
fn properties(program: Program) -> Vec<(String, String)> {
    let is_sent = |name: &str| match program {
        Program::Pub => !name.ends_with("subscribe"),
        // Also removing a retained message is publishing.
        Program::Sub | Program::Rr | Program::Bench => true,
    };
    let row = |(packet, names): (&str, Vec<&str>)| (packet.to_owned(), names.join(", "));
    properties_of()
        .filter(|(packet, _)| is_sent(packet))
        .map(row)
        .collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// Words that look like flags, places or variables as code.
fn in_markdown(text: &str) -> String {
    let mut last = "";
    let words = text.split(' ').map(|word| {
        // A lone hyphen is a value if a flag stands in front of it.
        let is_value = word == "-" && last.starts_with('-');
        last = word;
        if !is_value && !is_code(word) {
            return word.to_owned();
        }
        let end = word.trim_end_matches([',', ';', ':', '.', '?', ')']);
        let start = end.trim_start_matches('(');
        let (before, after) = (&end[..end.len() - start.len()], &word[end.len()..]);
        format!("{before}`{start}`{after}")
    });
    words.collect::<Vec<_>>().join(" ").replace("` `", " ")
}

fn is_code(word: &str) -> bool {
    let bare = word.trim_matches(['(', ')', ',', ';', ':', '.', '?']);
    let is_flag = bare.starts_with('-') && bare.len() > 1;
    let signs = ['$', '%', '\\', '#', '*', '_', '<', '|', '+', '\''];
    is_flag || bare.contains(signs) && !is_word(bare)
}

/// Such as "broker's".
fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_alphabetic() || c == '\'') && !text.starts_with('\'')
}

/// Text as `man` takes it: backslashes, hyphens and dots at the start of a line have a meaning there.
fn roff(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-");
    match escaped.strip_prefix(['.', '\'']) {
        Some(_) => format!("\\&{escaped}"),
        None => escaped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_pages_in_docs_say_what_the_table_says() {
        let mut rewritten = Vec::new();
        for program in Program::ALL {
            let file = format!("docs/{}.md", program.name());
            let path = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../..")
                .join(&file);
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            let page = markdown(program);
            if committed.replace("\r\n", "\n") != page {
                std::fs::write(&path, page).unwrap();
                rewritten.push(file);
            }
        }
        assert!(
            rewritten.is_empty(),
            "out of date, and rewritten now: {rewritten:?}. Commit them."
        );
    }

    #[test]
    fn code_in_markdown_is_marked_as_such() {
        assert_eq!(in_markdown("as -k 5, or (-v)."), "as `-k` 5, or (`-v`).");
        assert_eq!(
            in_markdown("the broker's $HOME/x - a"),
            "the broker's `$HOME/x` - a"
        );
        assert_eq!(in_markdown("'+' and \\n"), "`'+'` and `\\n`");
        assert_eq!(in_markdown("x - y; -P - asks"), "x - y; `-P -` asks");
    }

    #[test]
    fn no_line_of_a_man_page_is_a_request_by_mistake() {
        assert_eq!(roff(".x -y \\n"), "\\&.x \\-y \\en");
        for program in Program::ALL {
            let page = man(program);
            let known = [".TH", ".SH", ".SS", ".PP", ".TP", ".nf", ".fi", ".B"];
            for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
                let request = line.split(' ').next().unwrap();
                assert!(known.contains(&request), "{program:?}: {line}");
            }
            for flag in super::super::table::FLAGS
                .iter()
                .filter(|flag| flag.is_of(program))
            {
                let name = format!("\\-\\-{}", roff(flag.long));
                assert!(page.contains(&name), "{program:?}: {name}");
            }
        }
    }
}
