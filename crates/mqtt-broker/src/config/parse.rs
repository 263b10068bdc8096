//! From lines to settings: finds each name in the tables, reads its value, keeps the sections.
//!
//! Mistakes are collected, not thrown: whoever has three of them wants to see three.

use super::define::{Answer, Known, Row};
use super::fault::Fault;
use super::number::integer;
use super::options::{self, Bridge, Config, Found, Listener, Security};
use super::text;
use super::value::{Bool, Kind, Wrong};
use super::variables::{self, NotFilled};
use crate::log::{Level, Line};
use options::sections::{Opens, Structure};
use std::collections::HashSet;

/// A listener while its section may still grow.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) listener: Listener,
    pub(super) security: Security,
    seen: HashSet<&'static str>,
}

/// A bridge while its section may still grow.
#[derive(Default)]
pub(super) struct BridgeDraft {
    pub(super) bridge: Bridge,
    /// Where it begins.
    place: Place,
    seen: HashSet<&'static str>,
}

/// What has been read so far.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) config: Config,
    pub(super) security: Security,
    pub(super) drafts: Vec<Draft>,
    pub(super) bridges: Vec<BridgeDraft>,
    pub(super) faults: Vec<Fault>,
    pub(super) notes: Vec<(Level, String)>,
    /// Set by `listener`, `port` and `bind_address`, but not by a default listener that only
    /// holds options: as in Mosquitto, that one does not open the broker to the network.
    pub(super) listens: bool,
    pub(super) default_listener: Option<usize>,
    pub(super) per_listener: bool,
    /// The folders of `include_dir`.
    pub(super) included: Vec<String>,
    security_given: bool,
    seen: HashSet<&'static str>,
    section: Section,
    place: Place,
}

/// Which section the next line belongs to. An included file begins and ends outside of any.
#[derive(Clone, Copy, Default)]
struct Section {
    listener: Option<usize>,
    bridge: Option<usize>,
    /// Such a section was refused; what belongs to it needs no second answer.
    plugin: bool,
}

/// The line being read, for messages.
#[derive(Clone, Default)]
struct Place {
    file: String,
    line: usize,
    text: String,
    included: bool,
}

impl Reader {
    /// Reads a file's bytes; `file` is its name for messages.
    pub(super) fn read(&mut self, file: &str, bytes: &[u8], included: bool) {
        let section = std::mem::take(&mut self.section);
        let place = std::mem::take(&mut self.place);
        for (index, line) in text::lines(bytes).into_iter().enumerate() {
            self.place = Place {
                file: file.into(),
                line: index + 1,
                text: String::new(),
                included,
            };
            match line {
                Ok(text) => self.read_line(text.trim()),
                Err(text::NotText(why)) => self.fault(why, None),
            }
        }
        self.section = section;
        self.place = place;
    }

    /// Records a mistake at the current place.
    pub(super) fn fault(&mut self, what: impl Into<String>, advice: Option<String>) {
        let Place {
            file, line, text, ..
        } = self.place.clone();
        self.faults.push(Fault {
            file,
            line,
            text,
            what: what.into(),
            advice,
        });
    }

    /// Records a line for the log, to be written when there is one.
    pub(super) fn note(&mut self, line: Line<'_>) {
        self.notes.push((line.level(), line.to_string()));
    }

    fn caution(&mut self, what: &str) {
        let Place { file, line, .. } = &self.place;
        let what = format!("{file}:{line}: {what}");
        self.note(Line::Caution { what: &what });
    }

    fn read_line(&mut self, line: &str) {
        if line.is_empty() || line.starts_with('#') {
            return;
        }
        self.place.text = line.into();
        let (name, value) = line
            .split_once(char::is_whitespace)
            .map_or((line, ""), |(name, value)| (name, value.trim()));
        let value = match variables::filled(value, |name| std::env::var(name).ok()) {
            Ok(value) => value,
            Err(why) => return self.refuse_variable(&why),
        };
        let value = value.trim();
        let Some((found, name)) = options::find(name) else {
            return self.unknown(name, value);
        };
        if let Some(advice) = found.facts().deprecated {
            self.note(Line::Deprecated {
                option: name,
                advice,
            });
        }
        match found {
            Found::Structure(row) => self.open(row, name, value),
            Found::Global(row) => {
                let again = self.seen.contains(row.facts.name);
                let Self { config, .. } = self;
                let outcome = apply(row, config, value, again);
                if self.settle(row, name, value, outcome) {
                    self.seen.insert(row.facts.name);
                }
            }
            Found::Security(row) => self.read_security(row, name, value),
            Found::Listener(row) => self.read_listener(row, name, value),
            Found::Bridge(row) => self.read_bridge(row, name, value),
            Found::Known(row) => self.answer(row, name),
        }
    }

    fn refuse_variable(&mut self, why: &NotFilled) {
        let what = match why {
            NotFilled::Unset(name) => {
                format!("the environment has no variable '{name}', or it is not text.")
            }
            NotFilled::Unfinished => "a variable is written ${NAME}.".into(),
        };
        let advice = "Set it before the broker starts; or, if it is meant as it stands, type $${";
        self.fault(what, Some(advice.into()));
    }

    fn unknown(&mut self, name: &str, value: &str) {
        let advice = if let Some((before, after)) = name.split_once(['=', ':']) {
            let rest = format!("{after} {value}");
            let line = format!("{before} {}", rest.trim().trim_matches(['=', ':']).trim());
            Some(format!("Put a blank between name and value: {line}"))
        } else {
            options::suggestion(name).map(|known| format!("Did you mean '{known}'?"))
        };
        self.fault(format!("there is no option '{name}'."), advice);
    }

    fn answer(&mut self, row: &'static Known, name: &'static str) {
        match row.answer {
            Answer::Accept => {}
            Answer::Gone => self.note(Line::NoLongerAvailable { option: name }),
            Answer::Warn(instead) => {
                self.caution(&format!("'{name}' is not supported yet: {instead}"));
            }
            Answer::Stop(instead) => {
                self.section.plugin |= row.facts.name == "plugin";
                self.fault(format!("'{name}' is not supported: {instead}"), None);
            }
            Answer::Inside(opener) => {
                let inside = match opener {
                    "connection" => self.section.bridge.is_some(),
                    _ => self.section.plugin,
                };
                if !inside {
                    self.belongs_below(name, opener);
                }
            }
        }
    }

    fn read_security(&mut self, row: &'static Row<Security>, name: &'static str, value: &str) {
        self.security_given = true;
        let (target, seen) = if !self.per_listener {
            (&mut self.security, &mut self.seen)
        } else if let Some(index) = self.section.listener {
            let draft = &mut self.drafts[index];
            (&mut draft.security, &mut draft.seen)
        } else {
            return self.needs_listener(name);
        };
        let again = seen.contains(row.facts.name);
        let outcome = apply(row, target, value, again);
        if outcome.is_ok() {
            seen.insert(row.facts.name);
        }
        self.settle(row, name, value, outcome);
    }

    fn read_listener(&mut self, row: &'static Row<Listener>, name: &'static str, value: &str) {
        let index = match self.section.listener {
            Some(index) => index,
            None if row.facts.own_listener => return self.needs_listener(name),
            None => self.default_listener(name),
        };
        let draft = &mut self.drafts[index];
        let again = draft.seen.contains(row.facts.name);
        let outcome = apply(row, &mut draft.listener, value, again);
        if outcome.is_ok() {
            draft.seen.insert(row.facts.name);
        }
        self.settle(row, name, value, outcome);
    }

    fn read_bridge(&mut self, row: &'static Row<Bridge>, name: &'static str, value: &str) {
        let Some(index) = self.section.bridge else {
            return self.belongs_below(name, "connection");
        };
        let draft = &mut self.bridges[index];
        let again = draft.seen.contains(row.facts.name);
        let outcome = apply(row, &mut draft.bridge, value, again);
        if outcome.is_ok() {
            draft.seen.insert(row.facts.name);
        }
        self.settle(row, name, value, outcome);
    }

    fn open_bridge(&mut self, name: &str) {
        if name.is_empty() {
            let advice = "Type: connection NAME".into();
            self.fault("'connection' needs a name.", Some(advice));
        } else if self.bridges.iter().any(|draft| draft.bridge.name == name) {
            self.fault(format!("there are two bridges called '{name}'."), None);
        }
        self.bridges.push(BridgeDraft {
            bridge: Bridge {
                name: name.into(),
                ..Bridge::default()
            },
            place: self.place.clone(),
            seen: HashSet::new(),
        });
        self.section.bridge = Some(self.bridges.len() - 1);
    }

    /// Looks at each bridge as a whole, once everything is read.
    pub(super) fn check_bridges(&mut self) {
        for draft in std::mem::take(&mut self.bridges) {
            self.place = draft.place.clone();
            let name = &draft.bridge.name;
            match draft.bridge.flaw() {
                Some(flaw) => self.fault(format!("the bridge '{name}' {flaw}."), None),
                None => self.caution(&format!(
                    "the bridge '{name}' is not started: bridges are read and checked, and do not work yet. For one direction this does the work: mqtt-sub -h OTHER -t 'a/#' | mqtt-pub -t b -l"
                )),
            }
            self.bridges.push(draft);
        }
    }

    fn belongs_below(&mut self, name: &str, opener: &str) {
        self.fault(
            format!("'{name}' belongs below a line that begins with `{opener}`."),
            None,
        );
    }

    fn needs_listener(&mut self, name: &str) {
        self.fault(
            format!("'{name}' belongs to a listener, and none is defined above."),
            Some("Put a line before it: listener 1883".into()),
        );
    }

    /// The listener of options that stand before any `listener`, and makes it the current one.
    fn default_listener(&mut self, option: &'static str) -> usize {
        let index = self.default_listener.unwrap_or_else(|| {
            self.note(Line::DefaultListener { option });
            self.note(Line::DefaultListenerAdvice { option });
            self.drafts.push(Draft::default());
            self.drafts.len() - 1
        });
        self.default_listener = Some(index);
        self.section.listener = Some(index);
        index
    }

    /// Says what is to be said about the outcome of one value; `true` if it was taken.
    fn settle<T>(
        &mut self,
        row: &Row<T>,
        name: &str,
        value: &str,
        outcome: Result<(), Wrong>,
    ) -> bool {
        let (word, rest) = first_word(value);
        match outcome {
            Ok(()) => {
                if (row.whole_line)() {
                    if (row.takes)().starts_with("a path") {
                        self.note_quotes(name, value);
                    }
                    if (row.once)() && value.contains(" #") {
                        self.caution(&format!(
                            "what follows the # is part of the value of '{name}': {value}"
                        ));
                    }
                } else if !rest.is_empty() && !rest.starts_with('#') {
                    self.caution(&format!("'{rest}' after '{name} {word}' is ignored"));
                }
                return true;
            }
            Err(Wrong::Skipped(why)) => {
                self.caution(&format!("'{name} {value}' is not supported yet: {why}"));
            }
            Err(wrong) => {
                let shown = if (row.whole_line)() { value } else { word };
                let suggestion =
                    (row.suggest)(shown).map(|text| format!("Type: {} {text}", row.facts.name));
                self.refuse(wrong, name, shown, &(row.takes)(), suggestion);
            }
        }
        false
    }

    /// Says that quotes around a path were taken away: people on Windows are used to need them.
    fn note_quotes(&mut self, name: &str, value: &str) {
        let path = super::value::unquoted(value);
        if path != value {
            let Place { file, line, .. } = &self.place;
            let what =
                format!("{file}:{line}: read as '{name} {path}'. A path needs no quotes here");
            self.note(Line::Advice { what: &what });
        }
    }

    fn refuse(
        &mut self,
        wrong: Wrong,
        name: &str,
        shown: &str,
        takes: &str,
        advice: Option<String>,
    ) {
        let what = match wrong {
            Wrong::Empty => format!("'{name}' needs a value: {takes}."),
            Wrong::Value if shown.is_empty() => format!("'{name}' needs a value: {takes}."),
            Wrong::Value => format!("'{name}' takes {takes}; '{shown}' is not that."),
            Wrong::Again => format!("'{name}' was given before. One line is enough."),
            Wrong::Because(why) if why.starts_with("is ") => {
                format!("the value '{shown}' of '{name}' {why}. It takes {takes}.")
            }
            Wrong::Because(why) => format!("'{name}' {why}."),
            Wrong::Skipped(why) => format!("'{name}' is not supported: {why}."),
        };
        self.fault(what, advice);
    }

    fn open(&mut self, row: &Structure, name: &'static str, value: &str) {
        match row.opens {
            Opens::Listener => self.open_listener(value),
            Opens::Bridge => self.open_bridge(first_word(value).0),
            Opens::DefaultPort => {
                self.listens = true;
                let index = self.default_listener(name);
                match port(first_word(value).0) {
                    Ok(port) => self.drafts[index].listener.port = port,
                    Err(wrong) => {
                        self.refuse(wrong, name, first_word(value).0, row.takes, None);
                    }
                }
            }
            Opens::DefaultAddress => {
                self.listens = true;
                let index = self.default_listener(name);
                let slot = &mut self.drafts[index].listener.host;
                let wrong = match slot {
                    _ if value.is_empty() => Wrong::Empty,
                    Some(_) => Wrong::Again,
                    None => {
                        *slot = Some(value.into());
                        return;
                    }
                };
                self.refuse(wrong, name, value, row.takes, None);
            }
            Opens::Folder => self.include(value),
            Opens::PerListener => {
                let mut wanted = false;
                let (word, _) = first_word(value);
                if let Err(wrong) = Bool.apply(&mut wanted, word, false) {
                    let advice = Bool
                        .suggest(word)
                        .map(|word| format!("Type: {name} {word}"));
                    self.refuse(wrong, name, word, row.takes, advice);
                } else if wanted && !self.per_listener && self.security_given {
                    self.fault(
                        "'per_listener_settings' must stand before every option it concerns.",
                        Some("Make it the first line of the file.".into()),
                    );
                }
                // Once it is on, it stays on.
                self.per_listener |= wanted;
            }
        }
    }

    fn open_listener(&mut self, value: &str) {
        self.listens = true;
        let (number, rest) = first_word(value);
        let address = first_word(rest).0;
        let mut address =
            (!address.is_empty() && !address.starts_with('#')).then(|| address.into());
        let mut draft = Draft::default();
        match port(number) {
            Ok(port) => draft.listener.port = port,
            // Port 0 is Mosquitto's way to say "Unix socket".
            Err(_) if matches!(integer(number), Ok(0)) => {
                address = None;
                draft.listener.port = 0;
                draft.listener.unix = self.socket_path(rest);
            }
            Err(wrong) => {
                let takes = "a port from 1 to 65535, then perhaps an address";
                let swapped = port(address.as_deref().unwrap_or(""));
                let advice = match (swapped, number.rsplit_once(':')) {
                    (Ok(port), _) => {
                        Some(format!("The port comes first: listener {port} {number}"))
                    }
                    (_, Some((host, text))) if port(text).is_ok() => {
                        Some(format!("The port comes first: listener {text} {host}"))
                    }
                    _ => Some("Type: listener 1883".into()),
                };
                self.refuse(wrong, "listener", number, takes, advice);
            }
        }
        draft.listener.host = address;
        self.drafts.push(draft);
        self.section.listener = Some(self.drafts.len() - 1);
    }

    /// The path of a Unix socket.
    fn socket_path(&mut self, rest: &str) -> Option<std::path::PathBuf> {
        let path = super::value::unquoted(rest);
        let (what, advice) = if path.is_empty() {
            (
                "port 0 stands for a Unix socket, and its path is missing.",
                "Type: listener 0 /run/mqtt-broker.sock",
            )
        } else if !crate::listener::HAS_UNIX_SOCKETS {
            (
                "this system has no Unix sockets.",
                "A port on this computer alone does the same: listener 1883 127.0.0.1",
            )
        } else {
            return Some(path.into());
        };
        self.fault(what, Some(advice.into()));
        None
    }

    fn include(&mut self, folder: &str) {
        let folder = super::value::unquoted(folder);
        if self.place.included {
            return self.fault(
                "'include_dir' may stand in the main file only.",
                Some("Move the line there.".into()),
            );
        }
        if folder.is_empty() {
            return self.fault("'include_dir' needs a value: a folder.", None);
        }
        self.included.push(folder.into());
        let files = match super::files::conf_files(folder) {
            Ok(files) => files,
            Err(error) => {
                return self.fault(
                    format!("the folder '{folder}' cannot be read: {error}."),
                    None,
                );
            }
        };
        for file in files {
            self.note(Line::LoadingConfigFile { path: &file });
            match std::fs::read(&file) {
                Ok(bytes) => self.read(&file, &bytes, true),
                Err(error) => self.fault(format!("'{file}' cannot be read: {error}."), None),
            }
        }
    }
}

fn apply<T>(row: &Row<T>, target: &mut T, value: &str, again: bool) -> Result<(), Wrong> {
    let text = if (row.whole_line)() {
        value
    } else {
        first_word(value).0
    };
    if text.is_empty() {
        return Err(Wrong::Empty);
    }
    (row.apply)(target, text, again)
}

/// The first word, and what follows it without the blanks between.
fn first_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace)
        .map_or((text, ""), |(word, rest)| (word, rest.trim()))
}

fn port(text: &str) -> Result<u16, Wrong> {
    u16::try_from(integer(text)?)
        .ok()
        .filter(|port| *port > 0)
        .ok_or(Wrong::Value)
}
