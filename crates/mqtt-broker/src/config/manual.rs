//! The two pages that come from the tables: the manual and the commented example.

use super::define::{Answer, Facts, Row};
use super::options::{self, Found};
use std::fmt::Write;

/// The headings, in the order of the manual.
const GROUPS: &[&str] = &[
    "Listeners",
    "Security",
    "Sessions",
    "Limits and queues",
    "Logging",
    "Files",
    "TLS of listeners",
    "Bridges",
    "Plugins",
];

/// What stands in a row, in words.
struct Entry {
    facts: &'static Facts,
    takes: Option<String>,
    default: Option<String>,
    answer: Option<Answer>,
}

impl Entry {
    fn of(found: &Found) -> Self {
        let entry = |facts, takes: Option<String>, default: Option<String>, answer| Self {
            facts,
            takes,
            default: default.filter(|text| !text.is_empty()),
            answer,
        };
        fn typed<T>(row: &Row<T>) -> (Option<String>, Option<String>) {
            (Some((row.takes)()), Some((row.default)()))
        }
        let facts = found.facts();
        match found {
            Found::Structure(row) => entry(facts, Some(row.takes.into()), None, None),
            Found::Known(row) => entry(facts, None, None, Some(row.answer)),
            Found::Global(row) => {
                let (takes, default) = typed(row);
                entry(facts, takes, default, None)
            }
            Found::Security(row) => {
                let (takes, default) = typed(row);
                entry(facts, takes, default, None)
            }
            Found::Bridge(row) => {
                let (takes, default) = typed(row);
                entry(facts, takes, default, None)
            }
            Found::Listener(row) => {
                let (takes, default) = typed(row);
                entry(facts, takes, default, None)
            }
        }
    }

    fn doc(&self) -> String {
        let lines: Vec<_> = self.facts.doc.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }
}

fn entries(group: &str) -> Vec<Entry> {
    options::all()
        .filter(|found| found.facts().group == group)
        .map(|found| Entry::of(&found))
        .collect()
}

/// `docs/mosquitto.conf.md`.
pub fn markdown() -> String {
    let mut page = String::from(MARKDOWN_HEAD);
    for group in GROUPS {
        let (here, missing): (Vec<_>, Vec<_>) = entries(group)
            .into_iter()
            .partition(|entry| entry.answer.is_none());
        let _ = write!(page, "\n## {group}\n");
        for entry in &here {
            markdown_entry(&mut page, entry);
        }
        if missing.is_empty() {
            continue;
        }
        page.push_str(
            "\nKnown, without effect:\n\n| option | meaning in Mosquitto | here |\n|---|---|---|\n",
        );
        for entry in &missing {
            let names: Vec<_> = entry
                .facts
                .names()
                .map(|name| format!("`{name}`"))
                .collect();
            let here = match entry.answer {
                Some(Answer::Accept) => "accepted".into(),
                Some(Answer::Gone) => "warning; gone in Mosquitto too".into(),
                Some(Answer::Warn(text)) => format!("warning: {text}"),
                Some(Answer::Stop(text)) => format!("**error**: {text}"),
                Some(Answer::Inside(opener)) => format!("see `{opener}`"),
                None => String::new(),
            };
            let names = names.join(", ");
            let row = format!("{} | {}", entry.doc(), here).replace("||", "|");
            let _ = writeln!(page, "| {names} | {row} |");
        }
    }
    page
}

fn markdown_entry(page: &mut String, entry: &Entry) {
    let Entry { facts, .. } = entry;
    let _ = write!(page, "\n### `{}`\n\n{}\n\n", facts.name, entry.doc());
    if let Some(takes) = &entry.takes {
        let _ = writeln!(page, "- Takes: {takes}");
    }
    if let Some(default) = &entry.default {
        let _ = writeln!(page, "- Default: `{default}`");
    }
    if !facts.aliases.is_empty() {
        let _ = writeln!(page, "- Also written: `{}`", facts.aliases.join("`, `"));
    }
    if facts.reload {
        page.push_str("- Takes effect on a reload\n");
    }
    if let Some(advice) = facts.deprecated {
        let _ = writeln!(page, "{}", format!("- Deprecated. {advice}").trim_end());
    }
}

/// `examples/mosquitto.conf`: every option with effect, commented out, at its default.
pub fn example() -> String {
    let mut page = String::from(EXAMPLE_HEAD);
    for group in GROUPS {
        let here: Vec<_> = entries(group)
            .into_iter()
            .filter(|entry| entry.answer.is_none())
            .collect();
        if here.is_empty() {
            continue;
        }
        let _ = write!(page, "\n# {} {group}\n", "=".repeat(20));
        for entry in here {
            page.push('\n');
            let takes = entry.takes.as_deref().unwrap_or_default();
            let doc = format!("{} Takes {takes}.", entry.doc());
            for line in wrapped(&doc, 90) {
                let _ = writeln!(page, "# {line}");
            }
            let default = entry.default.as_deref().unwrap_or_default();
            let _ = writeln!(
                page,
                "{}",
                format!("#{} {default}", entry.facts.name).trim_end()
            );
        }
    }
    page
}

/// Breaks a paragraph into lines of at most `width` characters where words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a last line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.into());
        }
    }
    lines
}

const MARKDOWN_HEAD: &str = "\
# mosquitto.conf

<!-- Made from the tables in crates/mqtt-broker/src/config/options by `cargo test`. Do not edit. -->

`mqtt-broker -c FILE` reads the configuration file of Mosquitto. Two lines open a broker to the
network; `mqtt-broker --lan` means the same without a file:

```
listener 1883
allow_anonymous true
```

## The file

- One option a line: the name, blanks or tabs, the value. Empty lines and lines that begin with
  `#` are skipped.
- Numbers may be written as in C: `16`, `0x10`, `020`. After a number or a word, `# …` is a
  comment. Where the value is text to the end of the line, `#` is part of it.
- The file may be UTF-8 with or without a byte order mark, or UTF-16, with any line ends.
- Options of listeners belong to the `listener` above them.
- `mqtt-broker -c FILE --test-config` lists every mistake and ends with 0 if there is none,
  else with 3.
- Most numbers and words may be repeated, and the last line holds. Texts may not.

Without a `listener`, the broker is in local only mode: it listens on 127.0.0.1 and ::1, port
1883 or those of `-p`, and lets clients in without a user name.

An option that Mosquitto has and this broker does not is answered by what it does. If it only
tunes, a warning is logged. If it guards access or opens another kind of door, the broker does
not start.

## Reading it again

On the signal SIGHUP (`kill -HUP`, then the number of the process) the broker reads the file and
the files it names again, opens its log file anew, and goes on without losing a client. The
options that say so below take effect at once, the others at the next start. Listeners that were
added open, and those that were taken away close; the clients that came by them stay. With a mistake
in any of the files, or a port that cannot be opened, nothing changes, and the log says what is
wrong. Windows has no such signal: there the broker looks at all these files once a second, and
reads them again when one was saved.
";

const EXAMPLE_HEAD: &str = "\
# A configuration file for mqtt-broker, with every option at its default.
# Take the # away from a line to change it. Start with: mqtt-broker -c mosquitto.conf
#
# For a broker that everybody in the network can use, these two lines are enough:
#
# listener 1883
# allow_anonymous true
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Compares a page with the committed one; rewrites that and fails if they differ.
    fn check(path: &str, page: &str) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(path);
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        if committed.replace("\r\n", "\n") != page {
            std::fs::write(&file, page).expect("the page can be written");
            panic!("{path} was out of date. It is rewritten now: commit it.");
        }
    }

    #[test]
    fn the_manual_says_what_the_tables_say() {
        check("docs/mosquitto.conf.md", &markdown());
    }

    #[test]
    fn the_example_shows_every_option() {
        check("examples/mosquitto.conf", &example());
    }

    #[test]
    fn every_default_can_be_written_in_a_file() {
        // Options of listeners and of bridges need one above them.
        let sections = "listener 1883\nconnection b\naddress localhost\ntopic # out\n";
        let text = format!("{sections}{}", example());
        let lines: Vec<_> = text
            .lines()
            .map(|line| line.strip_prefix('#').unwrap_or(line))
            .filter(|line| line.contains(' ') && !line.starts_with([' ', '=']))
            .collect();
        assert!(lines.len() > 20, "{lines:?}");
        let config: crate::config::Config = lines.join("\n").parse().expect("defaults");
        let defaults = crate::config::Config::default();
        assert_eq!(config.max_queued_messages, defaults.max_queued_messages);
        assert_eq!(config.levels(), defaults.levels());
    }

    #[test]
    fn every_option_stands_under_a_heading() {
        for found in options::all() {
            let facts = found.facts();
            assert!(GROUPS.contains(&facts.group), "{}", facts.name);
        }
    }
}
