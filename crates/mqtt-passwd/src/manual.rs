//! The manual page, as `docs/mqtt-passwd.md` and as the text that `man` shows, and the scripts with
//! which shells complete the options.

use crate::flags::{self, EXAMPLES, EXIT_CODES, HASHES, NOTES, Row, USAGE};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ValueHint};
use clap_complete::Shell;

/// The shells that `--completion` knows.
pub const SHELLS: [(&str, Shell); 4] = [
    ("bash", Shell::Bash),
    ("zsh", Shell::Zsh),
    ("fish", Shell::Fish),
    ("powershell", Shell::PowerShell),
];

/// What the program is for, in a line.
pub const PURPOSE: &str = "Writes the password file of an MQTT broker.";

/// The page for `docs/`.
#[cfg(test)]
fn markdown() -> String {
    let mut page = format!(
        "<!-- Written by `cargo test -p mqtt-passwd` from the program's own options. -->\n# mqtt-passwd\n\n{PURPOSE}\n\n```\n{}\n```\n",
        usage().join("\n")
    );
    for note in NOTES {
        page.push_str(&format!("\n{note}\n"));
    }
    page.push_str("\n## Examples\n");
    for (line, what) in EXAMPLES {
        page.push_str(&format!("\n{what}:\n```\n{line}\n```\n"));
    }
    for (heading, rows) in lists() {
        page.push_str(&format!("\n## {heading}\n\n"));
        for (head, text) in rows {
            page.push_str(&format!("* `{head}`: {text}\n"));
        }
    }
    page
}

/// The page in the language of `man`.
pub fn man() -> String {
    let mut page = format!(
        ".TH MQTT\\-PASSWD 1 \"\" \"mqtt\\-passwd {}\"\n.SH NAME\nmqtt\\-passwd \\- {}\n.SH SYNOPSIS\n.nf\n{}\n.fi\n.SH DESCRIPTION\n",
        env!("CARGO_PKG_VERSION"),
        roff(PURPOSE),
        roff(&usage().join("\n")),
    );
    for note in NOTES {
        page.push_str(&format!(".PP\n{}\n", roff(note)));
    }
    page.push_str(".SH EXAMPLES\n");
    for (line, what) in EXAMPLES {
        let (line, what) = (roff(line), roff(what));
        page.push_str(&format!(".PP\n{what}:\n.PP\n.nf\n    {line}\n.fi\n"));
    }
    for (heading, rows) in lists() {
        page.push_str(&format!(".SH {}\n", roff(&heading.to_uppercase())));
        for (head, text) in rows {
            page.push_str(&format!(".TP\n\\fB{}\\fR\n{}\n", roff(&head), roff(&text)));
        }
    }
    page
}

/// The script for a shell, for the program under the name it was called by; `None`: there is no
/// script for such a shell.
pub fn completion(name: &str, shell: &str) -> Option<String> {
    let (_, shell) = SHELLS.iter().find(|(known, _)| *known == shell)?;
    let hashes = HASHES.iter().map(|(name, _)| *name);
    let mut command = flags::command()
        .name(name.to_owned())
        .no_binary_name(false)
        .mut_arg("hash", |arg| {
            arg.value_parser(PossibleValuesParser::new(hashes))
        })
        .mut_arg("words", |arg| arg.value_hint(ValueHint::FilePath));
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut command, name, &mut script);
    Some(String::from_utf8_lossy(&script).into_owned())
}

/// Each form of the command line.
fn usage() -> Vec<&'static str> {
    USAGE.lines().map(str::trim).collect()
}

fn lists() -> Vec<(&'static str, Vec<(String, String)>)> {
    let owned = |rows: &[Row]| {
        let rows = rows.iter();
        rows.map(|(head, text)| ((*head).to_owned(), (*text).to_owned()))
            .collect()
    };
    let command = flags::command();
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    vec![
        ("Options", shown.map(entry).collect()),
        ("Hashes", owned(HASHES)),
        ("Exit codes", owned(EXIT_CODES)),
    ]
}

/// An option with its value, and what it does.
fn entry(arg: &Arg) -> (String, String) {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<String> = short.into_iter().chain(long).collect();
    let takes_value = arg.get_action().takes_values();
    let value = arg.get_value_names().filter(|_| takes_value);
    let value = value.map_or(String::new(), |names| format!(" {}", names[0]));
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    (format!("{}{value}", names.join(", ")), format!("{help}."))
}

/// Text in which nothing is an instruction to `man`.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    text.replace("\n.", "\n\\&.").replace("\n'", "\n\\&'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_says_what_the_program_knows() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/mqtt-passwd.md");
        let written = std::fs::read_to_string(file).unwrap_or_default();
        let page = markdown();
        if written.replace("\r\n", "\n") != page {
            std::fs::write(file, page).expect("the page can be written");
            panic!("docs/mqtt-passwd.md was out of date and has been written anew: look at it");
        }
    }

    #[test]
    fn every_option_is_in_the_page_and_in_the_scripts() {
        let page = man();
        for option in ["\\-b", "\\-H HASH", "\\-I N", "\\-\\-help", "argon2id"] {
            assert!(page.contains(option), "{option}: {page}");
        }
        for (shell, _) in SHELLS {
            let script = completion("mosquitto_passwd", shell).expect(shell);
            assert!(script.contains("mosquitto_passwd"), "{script}");
            assert!(script.contains("argon2id"), "{shell}: {script}");
        }
        assert_eq!(completion("mqtt-passwd", "csh"), None);
    }
}
