//! What the flags of mqtt-sub mean.

use std::path::PathBuf;
use std::time::Duration;

use mqtt_common::flags::{Said, UsageError};
use mqtt_common::options::{Common, subscription, topics};
use mqtt_common::show::Show;
use mqtt_common::value;
use mqtt_proto::{Filter, SubscriptionOptions};

use crate::selection::{Dice, Selection};

/// Everything that mqtt-sub was asked for.
#[derive(Debug)]
pub struct Options {
    /// What all clients share.
    pub common: Common,
    /// What to hear, and how.
    pub filters: Vec<(Box<Filter>, SubscriptionOptions)>,
    /// What to stop hearing.
    pub unsubscribe: Vec<Box<Filter>>,
    /// Which of the messages that come are wanted.
    pub selection: Selection,
    /// How to show them.
    pub show: Show,
    /// One line of the screen for each topic.
    pub watch: bool,
    /// How many come in a second, instead of the messages.
    pub rate: bool,
    /// Where to record them; `-` is stdout.
    pub record: Option<PathBuf>,
    /// What to do with retained messages on the broker.
    pub retained: Retained,
    /// After how many messages to stop.
    pub count: Option<u64>,
    /// After which time to stop.
    pub timeout: Option<Duration>,
    /// Stop when the broker has answered all that was asked.
    pub exit_after_subscribe: bool,
    /// What was said in vain; whole sentences for the user.
    pub notes: Vec<String>,
}

/// What becomes of retained messages on the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retained {
    /// They stay.
    Keep,
    /// They are removed.
    Remove,
    /// They stay, and are counted as if they were removed.
    CountOnly,
}

impl Options {
    /// Judges what was said.
    ///
    /// # Errors
    /// A value means nothing, or there is nothing to hear.
    pub fn new(said: &Said) -> Result<Options, UsageError> {
        let mut common = Common::new(said)?;
        let count = said.meaning("count", value::count)?;
        if common.session.version.is_v5() {
            common
                .limit_receive(count.unwrap_or(u64::MAX))
                .map_err(|e| UsageError::new(e.to_string()))?;
        }
        let how = subscription(said, common.session.version)?;
        let subscribe = topics(said, |text| value::filter("subscription", text))?;
        let unsubscribe = filters(said, "unsubscribe", "unsubscribe")?;
        if subscribe.is_empty() && unsubscribe.is_empty() {
            return Err(UsageError::new("There is nothing to hear")
                .hint("Add a topic: -t topic/# hears everything below topic."));
        }
        let many = subscribe.len() > 1 || subscribe.iter().any(|(f, _)| f.has_wildcard());
        Ok(Options {
            filters: subscribe
                .into_iter()
                .map(|(filter, qos)| (filter, SubscriptionOptions { qos, ..how }))
                .collect(),
            unsubscribe,
            selection: selection(said)?,
            show: Show::new(said, many)?,
            watch: said.has("watch") && !said.has("message-rate"),
            rate: said.has("message-rate"),
            record: said.path("record").map(PathBuf::from),
            retained: retained(said)?,
            count,
            timeout: said.meaning("timeout", timeout)?,
            exit_after_subscribe: said.has("exit-after-subscribe"),
            notes: in_vain(said, &common),
            common,
        })
    }
}

fn selection(said: &Said) -> Result<Selection, UsageError> {
    let (no_retained, retained_only) = (said.has("no-retained"), said.has("retained-only"));
    if no_retained && retained_only {
        return Err(
            UsageError::new("-R and --retained-only together leave nothing to hear")
                .hint("-R shows no retained messages, --retained-only shows no others."),
        );
    }
    Ok(Selection {
        no_retained,
        retained_only,
        filter_out: filters(said, "filter-out", "filter-out")?,
        dice: said.meaning("random-filter", percent)?.map(Dice::new),
    })
}

/// A probability, from 0 to 1.
fn percent(flag: &str, text: &str) -> Result<f64, UsageError> {
    let number = text.strip_suffix('%').unwrap_or(text).parse::<f64>().ok();
    number
        .filter(|percent| (0.1..=100.0).contains(percent))
        .map(|percent| percent / 100.0)
        .ok_or_else(|| {
            UsageError::new(format!(
                "{flag} '{text}' is not between 0.1 and 100 percent"
            ))
            .hint(format!("{flag} 50 shows every second message on average."))
        })
}

fn retained(said: &Said) -> Result<Retained, UsageError> {
    match (said.has("remove-retained"), said.has("dry-run")) {
        (false, false) => Ok(Retained::Keep),
        (true, false) => Ok(Retained::Remove),
        (true, true) => Ok(Retained::CountOnly),
        (false, true) => Err(UsageError::new(
            "--dry-run is there, and nothing that it could hold back",
        )
        .hint("It belongs to --remove-retained.")),
    }
}

/// Flags that Mosquitto takes in every version and that only mean something in version 5.
fn in_vain(said: &Said, common: &Common) -> Vec<String> {
    let flags = ["retain-as-published", "retain-handling"];
    let given = flags.iter().filter(|flag| said.has(flag));
    match common.session.version.is_v5() {
        true => Vec::new(),
        false => given
            .map(|flag| format!("{} does nothing below MQTT 5: add -V 5.", said.typed(flag)))
            .collect(),
    }
}

fn filters(said: &Said, flag: &str, what: &str) -> Result<Vec<Box<Filter>>, UsageError> {
    said.meanings(flag, |_, text| value::filter(what, text))
}

fn timeout(flag: &str, text: &str) -> Result<Duration, UsageError> {
    let time = value::duration(flag, text)?;
    if time.is_zero() {
        return Err(
            UsageError::new(format!("{flag} '{text}' is no time at all"))
                .hint(format!("Type for example: {flag} 10")),
        );
    }
    Ok(time)
}
