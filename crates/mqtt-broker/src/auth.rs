//! Who may do what: passwords, access control lists, and what one of these means for one client.

pub mod acl_file;
pub mod password_file;
mod reach;

pub use password_file::Passwords;

use mqtt_proto::{Filter, Topic};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// What a client wants to do with a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Get messages.
    Read,
    /// Publish messages.
    Write,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
    ReadWrite,
    Deny,
}

/// One line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    /// In a pattern `%c` and `%u` still stand in it.
    filter: Box<Filter>,
    access: Access,
    /// From 1.
    line: u32,
}

impl Rule {
    /// Whether it has anything to say about `action`.
    fn decides(&self, action: Action) -> bool {
        match self.access {
            Access::ReadWrite | Access::Deny => true,
            Access::Read => action == Action::Read,
            Access::Write => action == Action::Write,
        }
    }

    fn verdict(&self) -> Verdict {
        Verdict {
            allowed: self.access != Access::Deny,
            line: Some(self.line),
        }
    }
}

/// Whether something is allowed, and which line of the file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it is.
    pub allowed: bool,
    /// The line, from 1; `None` if no line allows it.
    pub line: Option<u32>,
}

impl Verdict {
    /// What is not allowed is denied.
    const NOTHING_SAID: Verdict = Verdict {
        allowed: false,
        line: None,
    };
}

/// An access control list: the rules of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// The file, as it was named.
    file: Arc<str>,
    /// Rules for clients without a user name, those that deny in front; so in all lists.
    anonymous: Arc<[Rule]>,
    /// Rules for users, by name.
    users: HashMap<Box<str>, Arc<[Rule]>>,
    /// Rules for everybody, with places for client identifier and user name.
    patterns: Box<[Rule]>,
}

impl Acl {
    /// What the list means for one client.
    pub fn rights(&self, client_id: &str, username: Option<&str>) -> Rights {
        let own = match username {
            None => Some(self.anonymous.clone()),
            Some(name) => self.users.get(name).cloned(),
        };
        // A name with a wildcard in it must not open other people's topics.
        let is_dangerous = |name: &str| name.contains(['+', '#']);
        let patterns = if is_dangerous(client_id) || username.is_some_and(is_dangerous) {
            Box::default()
        } else {
            let filled = self.patterns.iter().filter_map(|rule| {
                let filter = fill(&rule.filter, client_id, username)?;
                Some(Rule {
                    filter,
                    ..rule.clone()
                })
            });
            filled.collect()
        };
        Rights {
            file: self.file.clone(),
            own,
            patterns,
        }
    }
}

/// The filter of a pattern for one client; `None`: nothing can match it.
///
/// `%c` and `%u` stand for a whole level, so a name with a slash in it matches none.
fn fill(pattern: &Filter, client_id: &str, username: Option<&str>) -> Option<Box<Filter>> {
    let mut text = String::with_capacity(pattern.len() + client_id.len());
    for (depth, level) in pattern.levels().enumerate() {
        if depth > 0 {
            text.push('/');
        }
        let name = match level {
            "%c" => client_id,
            "%u" => username?,
            _ => {
                text.push_str(level);
                continue;
            }
        };
        if name.is_empty() || name.contains('/') {
            return None;
        }
        text.push_str(name);
    }
    Filter::parse(&text).ok().map(Box::from)
}

/// What one client may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    file: Arc<str>,
    own: Option<Arc<[Rule]>>,
    patterns: Box<[Rule]>,
}

impl Rights {
    /// All rules, in the order in which they are asked: the first that matches decides.
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        let own = self.own.iter().flat_map(|rules| rules.iter());
        own.chain(&self.patterns)
    }

    /// Whether the client may do this with a topic. Allocates nothing.
    pub fn may(&self, topic: &Topic, action: Action) -> Verdict {
        self.rules()
            .find(|rule| rule.decides(action) && rule.filter.matches(topic))
            .map_or(Verdict::NOTHING_SAID, Rule::verdict)
    }

    /// Whether any message could ever reach the client through a subscription to `filter`.
    ///
    /// In doubt it could: that several rules together deny all that another allows is not seen.
    pub fn may_subscribe(&self, filter: &Filter) -> Verdict {
        let filter = filter.share().map_or(filter, |(_, plain)| plain);
        let mut denied: Vec<&Rule> = Vec::new();
        for rule in self.rules().filter(|rule| rule.decides(Action::Read)) {
            if rule.access == Access::Deny {
                if reach::covers(&rule.filter, filter) {
                    return rule.verdict();
                }
                denied.push(rule);
            } else if let Some(common) = reach::intersection(&rule.filter, filter)
                && !denied.iter().any(|no| reach::covers(&no.filter, &common))
            {
                return rule.verdict();
            }
        }
        Verdict::NOTHING_SAID
    }

    /// The reason of a verdict against the client, for the log.
    pub fn reason(&self, verdict: Verdict) -> Reason<'_> {
        Reason {
            file: &self.file,
            line: verdict.line,
        }
    }
}

/// Why something is denied: `denied by users.acl:3`, or `nothing in users.acl allows it`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    file: &'a str,
    line: Option<u32>,
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "denied by {}:{line}", self.file),
            None => write!(f, "nothing in {} allows it", self.file),
        }
    }
}

#[cfg(test)]
mod tests;
