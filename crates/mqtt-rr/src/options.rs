//! What the flags of mqtt-rr mean.

use std::time::Duration;

use mqtt_common::flags::{Said, UsageError};
use mqtt_common::options::{self, Common};
use mqtt_common::payload::{Payload, only_one};
use mqtt_common::show::Show;
use mqtt_common::value;
use mqtt_proto::{Filter, Property, QoS, SubscriptionOptions, Topic};

/// Everything that mqtt-rr was asked for.
#[derive(Debug)]
pub struct Options {
    /// What all clients share; the properties of PUBLISH say where the answer is expected.
    pub common: Common,
    /// Where to ask.
    pub topic: Box<Topic>,
    /// Where the answers come.
    pub response: Box<Filter>,
    /// How to subscribe there; the QoS is that of the requests, too.
    pub subscription: SubscriptionOptions,
    /// The request.
    pub payload: Payload,
    /// How many requests to send.
    pub repeat: u64,
    /// How long to wait between two of them.
    pub delay: Duration,
    /// How to show the answers.
    pub show: Show,
    /// Whether an answer that is a retained message is none.
    pub no_retained: bool,
    /// Whether to say how long each answer took.
    pub latency: bool,
    /// How long to wait for all of it.
    pub timeout: Option<Duration>,
}

impl Options {
    /// Judges what was said.
    ///
    /// # Errors
    /// A value means nothing, or one of topic, message and response topic is missing.
    pub fn new(said: &Said) -> Result<Options, UsageError> {
        let mut common = Common::new(said)?;
        let repeat = said.meaning("repeat", value::count)?.unwrap_or(1);
        if common.session.version.is_v5() {
            common.limit_receive(repeat).map_err(too_long)?;
        }
        let topics = options::topics(said, |text| value::topic("request", text))?;
        let (topic, _) = topics
            .into_iter()
            .next_back()
            .ok_or_else(|| missing("the topic of the request").hint("Add it: -t lamp/get"))?;
        let response = response_topic(said)?;
        let payload = Payload::new(said, only_one(said, &Payload::FLAGS)?)?;
        let properties = &mut common.properties.publish;
        if properties.view().response_topic().is_some() {
            return Err(UsageError::new(
                "The response topic is there twice: in -e and in -D publish response-topic",
            )
            .hint("Leave out the second one: -e says it to the broker, too."));
        }
        properties
            .push(Property::ResponseTopic(&response))
            .map_err(too_long)?;
        let qos = said.meaning("qos", value::qos)?.unwrap_or(QoS::AtMostOnce);
        let subscription = SubscriptionOptions {
            qos,
            ..options::subscription(said, common.session.version)?
        };
        Ok(Options {
            common,
            topic,
            response: value::filter("response", response.as_str())?,
            subscription,
            payload,
            repeat,
            delay: said
                .meaning("repeat-delay", value::duration)?
                .unwrap_or_default(),
            show: Show::new(said, false)?,
            no_retained: said.has("no-retained"),
            latency: said.has("latency"),
            timeout: said
                .meaning("timeout", value::duration)?
                .filter(|time| !time.is_zero()),
        })
    }
}

/// The topic of `-e`, to which the other side publishes: it is one, and no filter.
fn response_topic(said: &Said) -> Result<Box<Topic>, UsageError> {
    let text = said.text("response-topic")?.ok_or_else(|| {
        missing("the response topic").hint("Add a topic on which the answer comes: -e lamp/state")
    })?;
    value::topic("response", text)
}

fn missing(what: &str) -> UsageError {
    UsageError::new(format!(
        "All of topic, message, and response topic must be supplied; {what} is missing"
    ))
}

fn too_long(error: impl std::fmt::Display) -> UsageError {
    UsageError::new(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_common::flags::table::Program;
    use mqtt_common::flags::{Parsed, parse};
    use mqtt_proto::Version;

    fn options(line: &str) -> Result<Options, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.split_whitespace())
            .map(Into::into);
        match parse(Program::Rr, argv)? {
            Parsed::Said(said) => Options::new(&said),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        let error = options(line).unwrap_err().to_string();
        assert!(error.contains(expected), "'{expected}' in '{error}'");
    }

    #[test]
    fn version_5_carries_the_response_topic() {
        let five = options("-t ask -e answer -m x").unwrap();
        assert_eq!(five.common.session.version, Version::V5);
        let properties = five.common.properties.publish.view();
        assert_eq!(
            properties.response_topic().map(Topic::as_str),
            Some("answer")
        );
        let maximum = five.common.session.properties.view().receive_maximum();
        assert_eq!(maximum, Some(1));
    }

    #[test]
    fn all_of_the_three_are_needed() {
        check_error("-e a -m x", "the topic of the request is missing");
        check_error("-t a -m x", "the response topic is missing");
        check_error("-t a -e b", "the message is missing");
        check_error("-t a -e b/# -m x", "Invalid response topic 'b/#'");
        check_error("-t a/# -e b -m x", "Invalid request topic 'a/#'");
        check_error(
            "-t a -e b -m x -D publish response-topic c",
            "is there twice",
        );
        check_error("-t a -e b -l", "Unknown option '-l'");
    }

    #[test]
    fn the_last_topic_wins_and_no_time_is_no_limit() {
        let options = options("-t a -t b -e c -n -W 0 -q 1").unwrap();
        assert_eq!((options.topic.as_str(), options.timeout), ("b", None));
        assert_eq!(options.subscription.qos, QoS::AtLeastOnce);
    }
}
