//! What the flags of mqtt-sub mean.

use std::time::Duration;

use mqtt_common::flags::{Said, UsageError};
use mqtt_common::options::Common;
use mqtt_common::value;
use mqtt_proto::{Filter, RetainHandling, SubscriptionOptions};

use crate::output::Format;

/// Everything that mqtt-sub was asked for.
#[derive(Debug)]
pub struct Options {
    /// What all clients share.
    pub common: Common,
    /// What to hear, and how.
    pub filters: Vec<(Box<Filter>, SubscriptionOptions)>,
    /// What to stop hearing.
    pub unsubscribe: Vec<Box<Filter>>,
    /// How and what to show.
    pub format: Format,
    /// After how many messages to stop.
    pub count: Option<u64>,
    /// After which time to stop.
    pub timeout: Option<Duration>,
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
        let no_retained = said.has("no-retained");
        let how = SubscriptionOptions {
            qos: said.meaning("qos", value::qos)?.unwrap_or_default(),
            // Version 5 can spare the broker the trouble; below, they are only not shown.
            retain_handling: if no_retained {
                RetainHandling::DoNotSend
            } else {
                RetainHandling::Send
            },
            ..SubscriptionOptions::default()
        };
        let subscribe = filters(said, "topic", "subscription")?;
        let unsubscribe = filters(said, "unsubscribe", "unsubscribe")?;
        if subscribe.is_empty() && unsubscribe.is_empty() {
            return Err(UsageError::new("There is nothing to hear")
                .hint("Add a topic: -t topic/# hears everything below topic."));
        }
        Ok(Options {
            common,
            filters: subscribe.into_iter().map(|filter| (filter, how)).collect(),
            unsubscribe,
            format: Format {
                verbose: said.has("verbose"),
                newline: !said.has("no-newline"),
                no_retained,
                filter_out: filters(said, "filter-out", "filter-out")?,
            },
            count,
            timeout: said.meaning("timeout", timeout)?,
        })
    }
}

fn filters(said: &Said, flag: &str, what: &str) -> Result<Vec<Box<Filter>>, UsageError> {
    said.texts(flag)?
        .into_iter()
        .map(|text| value::filter(what, text))
        .collect()
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
