//! The file of `acl_file`, from its bytes to an [`Acl`].
//!
//! Like the configuration's, its mistakes are collected and name what to type.

use super::{Access, Acl, Rule};
use crate::config::fault::Fault;
use crate::config::text;
use crate::config::value::{nearest, one_of};
use mqtt_proto::Filter;
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What a line may begin with.
const WORDS: [&str; 3] = ["topic", "pattern", "user"];

/// The words for rights.
const ACCESSES: [(&str, Access); 4] = [
    ("read", Access::Read),
    ("write", Access::Write),
    ("readwrite", Access::ReadWrite),
    ("deny", Access::Deny),
];

/// Reads a file: the list, and what its owner should look at.
///
/// # Errors
/// All its mistakes, or that it cannot be read.
pub fn load(path: &Path) -> Result<(Acl, Vec<String>), Vec<Fault>> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => parse(&name, &bytes),
        Err(error) => Err(vec![unreadable(path, &error)]),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Fault {
    let shown = path.display();
    let (what, advice) = match error.kind() {
        io::ErrorKind::NotFound => {
            let folder = std::env::current_dir().unwrap_or_default();
            let place = if path.is_relative() {
                format!(" in {}", folder.display())
            } else {
                String::new()
            };
            let advice = "Correct the line acl_file, or write the file. One line lets everybody \
                          without a user name do everything: topic readwrite #";
            (
                format!("there is no ACL file '{shown}'{place}."),
                Some(advice.into()),
            )
        }
        _ => (
            format!("the ACL file '{shown}' cannot be read: {error}."),
            None,
        ),
    };
    Fault {
        file: String::new(),
        line: 0,
        text: String::new(),
        what,
        advice,
    }
}

/// Reads the bytes of a file; `name` is its name for messages.
///
/// # Errors
/// All its mistakes.
pub fn parse(name: &str, bytes: &[u8]) -> Result<(Acl, Vec<String>), Vec<Fault>> {
    let mut reader = Reader {
        file: name.into(),
        ..Reader::default()
    };
    for (index, line) in text::lines(bytes).into_iter().enumerate() {
        reader.line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        reader.text.clear();
        match line {
            Ok(text) => reader.read_line(text.trim()),
            Err(text::NotText(why)) => reader.fault(why.into(), None),
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    file: String,
    /// The line being read: its number and its text.
    line: u32,
    text: String,
    faults: Vec<Fault>,
    cautions: Vec<String>,
    /// Whose block this is; before the first `user` line it is nobody's.
    user: Option<Box<str>>,
    anonymous: Vec<Rule>,
    users: HashMap<Box<str>, Vec<Rule>>,
    patterns: Vec<Rule>,
}

impl Reader {
    fn read_line(&mut self, line: &str) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        self.text = line.into();
        let (word, rest) = first_word(line);
        match word {
            "user" if rest.is_empty() => {
                self.fault("no name stands after 'user'.".into(), None);
            }
            "user" => self.user = Some(rest.into()),
            "topic" => {
                if let Some(rule) = self.rule(word, rest) {
                    self.add_topic(rule);
                }
            }
            "pattern" => {
                if let Some(rule) = self.rule(word, rest) {
                    self.add_pattern(rule);
                }
            }
            _ => {
                let advice = match nearest(word, WORDS.into_iter()) {
                    Some(near) => format!("Type: {near} {rest}"),
                    None => format!("To let everybody read and write it, type: topic {line}"),
                };
                let words = one_of(WORDS.into_iter());
                self.fault(
                    format!("a line begins with {words}; '{word}' is none of them."),
                    Some(advice),
                );
            }
        }
    }

    /// What stands after `topic` or `pattern`.
    fn rule(&mut self, word: &str, value: &str) -> Option<Rule> {
        let (first, rest) = first_word(value);
        let (access, topic) = match (access(first), rest) {
            (_, "") if first.is_empty() => {
                let advice = format!("Type: {word} readwrite the/topic");
                self.fault(format!("no topic stands after '{word}'."), Some(advice));
                return None;
            }
            (known, "") => {
                if known.is_some() {
                    self.caution(&format!(
                        "'{first}' is the topic here, as nothing stands after it"
                    ));
                }
                (Access::ReadWrite, first)
            }
            (Some(access), topic) => (access, topic),
            (None, _) => {
                let known = ACCESSES.iter().map(|(name, _)| *name);
                let advice = match nearest(first, known.clone()) {
                    Some(near) => format!("Type: {word} {near} {rest}"),
                    None => {
                        format!("If the topic has a blank in it, type: {word} readwrite {value}")
                    }
                };
                let what = format!("'{first}' is not {}.", one_of(known));
                self.fault(what, Some(advice));
                return None;
            }
        };
        match Filter::parse(topic) {
            Ok(filter) if filter.share().is_none() => Some(Rule {
                filter: filter.into(),
                access,
                line: self.line,
            }),
            Ok(filter) => {
                let plain = filter.share().map_or("", |(_, plain)| plain);
                self.fault(
                    "rights are on topics, however they are subscribed to.".into(),
                    Some(format!("Leave $share/NAME/ out: {word} {plain}")),
                );
                None
            }
            Err(error) => {
                self.fault(format!("'{topic}' is not a topic filter: {error}."), None);
                None
            }
        }
    }

    fn add_topic(&mut self, rule: Rule) {
        if has_placeholder(&rule.filter) {
            let advice = "'%c' and '%u' stand for client id and user name on a line that begins \
                          with 'pattern', and for themselves on this one";
            self.caution(advice);
        }
        match &self.user {
            None => self.anonymous.push(rule),
            Some(name) => self.users.entry(name.clone()).or_default().push(rule),
        }
    }

    fn add_pattern(&mut self, rule: Rule) {
        if !has_placeholder(&rule.filter) {
            let what = format!(
                "the pattern '{}' has no level '%c' or '%u', so it is the same for everybody",
                rule.filter
            );
            self.caution(&what);
        }
        self.patterns.push(rule);
    }

    fn fault(&mut self, what: String, advice: Option<String>) {
        self.faults.push(Fault {
            file: self.file.clone(),
            line: self.line as usize,
            text: self.text.clone(),
            what,
            advice,
        });
    }

    fn caution(&mut self, what: &str) {
        self.cautions
            .push(format!("{}:{}: {what}", self.file, self.line));
    }

    fn finish(self) -> Result<(Acl, Vec<String>), Vec<Fault>> {
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let users = self.users.into_iter();
        let acl = Acl {
            file: self.file.into(),
            anonymous: ordered(self.anonymous).into(),
            users: users
                .map(|(name, rules)| (name, Arc::from(ordered(rules))))
                .collect(),
            patterns: ordered(self.patterns).into(),
        };
        Ok((acl, self.cautions))
    }
}

/// Rules that deny come first, wherever they stand in the file.
fn ordered(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.sort_by_key(|rule| rule.access != Access::Deny);
    rules
}

fn access(word: &str) -> Option<Access> {
    let found = ACCESSES.iter().find(|(name, _)| *name == word);
    found.map(|(_, access)| *access)
}

fn has_placeholder(filter: &Filter) -> bool {
    filter.levels().any(|level| level == "%c" || level == "%u")
}

/// The first word, and what follows it without the blanks between.
fn first_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_fault(text: &str, line: usize, parts: &[&str]) {
        let faults = parse("test.acl", text.as_bytes()).expect_err(text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert_eq!(faults[0].line, line, "{text}");
        let shown = faults[0].to_string();
        assert!(shown.starts_with("Error: test.acl:"), "{shown}");
        for part in parts {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }

    #[test]
    fn mistakes_name_the_line_and_what_to_type() {
        check_fault("user\n", 1, &["no name"]);
        check_fault("\ntopic\n", 2, &["no topic", "topic readwrite the/topic"]);
        check_fault("topic raed a/#\n", 1, &["'raed'", "Type: topic read a/#"]);
        check_fault("topic my topic\n", 1, &["type: topic readwrite my topic"]);
        check_fault("Topic read a\n", 1, &["Type: topic read a"]);
        check_fault("allow a\n", 1, &["'allow'", "topic, pattern or user"]);
        check_fault("topic read a#\n", 1, &["'a#' is not a topic filter", "'#'"]);
        check_fault("pattern read $share/g/a\n", 1, &["pattern a"]);
        check_fault("topic a\n\0\n", 2, &[]);
    }

    #[test]
    fn every_mistake_is_reported() {
        let faults = parse("x", b"topic\nuser\ntopic a+\ntopic ok\n").expect_err("mistakes");
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 2, 3]);
    }

    #[test]
    fn what_every_editor_writes_is_read_the_same() {
        let text = "# comment\r\n\r\ntopic\tread  a b/#\r\nuser Ελένη Π\r\n  topic x\r\n";
        let read = |bytes: &[u8]| parse("x", bytes).expect("rules");
        let expected = read(text.as_bytes());
        assert!(expected.0.users.contains_key("Ελένη Π"), "{expected:?}");
        assert_eq!(expected.0.anonymous[0].filter.as_str(), "a b/#");
        assert_eq!(read(text.replace('\r', "").as_bytes()), expected);
        assert_eq!(read(format!("\u{feff}{text}").as_bytes()), expected);
        let utf16: Vec<u8> = format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(read(&utf16), expected);
    }

    #[test]
    fn placeholders_in_the_wrong_place_are_pointed_out() {
        for (text, part) in [
            ("topic read a/%c", "'pattern'"),
            ("pattern read a/b", "same for everybody"),
            ("pattern read a/x%c", "same for everybody"),
            ("topic read", "'read' is the topic"),
        ] {
            let (_, cautions) = parse("x", text.as_bytes()).expect(text);
            assert_eq!(cautions.len(), 1, "{text}: {cautions:?}");
            assert!(cautions[0].starts_with("x:1: "), "{cautions:?}");
            assert!(cautions[0].contains(part), "{cautions:?}");
        }
    }

    #[test]
    fn a_missing_file_is_named_with_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let faults = load(&folder.path().join("no.acl")).expect_err("no file");
        let text = faults[0].to_string();
        assert!(text.contains("there is no ACL file '"), "{text}");
        assert!(text.contains("topic readwrite #"), "{text}");
        let faults = load(folder.path()).expect_err("a folder");
        assert!(faults[0].what.contains("cannot be read"), "{faults:?}");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
            let _ = parse("x", &bytes);
        }
    }
}
