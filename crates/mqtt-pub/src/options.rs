//! What the flags of mqtt-pub mean.

use std::path::PathBuf;
use std::time::Duration;

use mqtt_common::flags::{Given, Said, UsageError};
use mqtt_common::options::{self, Common};
use mqtt_common::payload::{Format, Payload, only_one};
use mqtt_common::value;
use mqtt_proto::{QoS, Topic};

/// Everything that mqtt-pub was asked for.
#[derive(Debug)]
pub struct Options {
    /// What all clients share.
    pub common: Common,
    /// Where to publish, and how hard to try; empty where the messages say it themselves.
    pub topics: Vec<(Box<Topic>, QoS)>,
    /// How hard to try where messages bring their topic.
    pub qos: QoS,
    /// Whether the broker is to keep the messages.
    pub retain: bool,
    /// Where the messages come from.
    pub from: From,
    /// Whether the number of messages in flight was left to us.
    pub may_widen: bool,
}

/// Where messages come from.
#[derive(Debug, PartialEq)]
pub enum From {
    /// One message, some times over.
    One {
        /// What it is made of.
        payload: Payload,
        /// How often to send it.
        repeat: u64,
        /// How long to wait in between.
        delay: Duration,
    },
    /// Each line of standard input.
    Lines {
        /// How each is written.
        format: Format,
        /// What stands between the topic and the message of a line, if it has its topic in it.
        separator: Option<String>,
    },
    /// A file that mqtt-sub has recorded.
    Replay {
        /// Its name.
        path: PathBuf,
        /// How many times as fast; infinite for no pauses at all.
        speed: f64,
    },
}

/// The flags that say where messages come from, besides those of one message.
const STREAMS: [&str; 2] = ["stdin-line", "replay"];

impl Options {
    /// Judges what was said.
    ///
    /// # Errors
    /// A value means nothing, or the topic or the message is missing.
    pub fn new(said: &Said) -> Result<Options, UsageError> {
        let mut common = Common::new(said)?;
        if common.session.version.is_v5() {
            common
                .limit_receive(u64::MAX)
                .map_err(|error| UsageError::new(error.to_string()))?;
        }
        let topics = topics(said)?;
        let flags = [&Payload::FLAGS[..], &STREAMS].concat();
        let given = flags.iter().any(|flag| said.has(flag));
        let names_topics = said.has("replay") || said.has("topic-separator");
        if topics.is_empty() && !names_topics {
            let what = "Both topic and message must be supplied; the topic is missing";
            let both = UsageError::new(what).hint("Add a topic: -t topic/pub");
            return Err(both);
        }
        let from = match (said.has("topic-separator"), given) {
            // The separator alone can only be meant for lines, but says nothing of where they are.
            (true, false) => return Err(only_for("topic-separator", "-l")),
            _ => from(said, only_one(said, &flags)?)?,
        };
        let topics = match from {
            From::Lines {
                separator: Some(_), ..
            }
            | From::Replay { .. } => own_topics(said)?,
            _ => topics,
        };
        Ok(Options {
            common,
            topics,
            qos: said.meaning("qos", value::qos)?.unwrap_or_default(),
            retain: said.has("retain"),
            from,
            may_widen: !said.has("max-inflight"),
        })
    }
}

/// The topics of `-t` and `-L`. Those of an options file are a default: they only count if none was
/// typed.
fn topics(said: &Said) -> Result<Vec<(Box<Topic>, QoS)>, UsageError> {
    let mut topics = options::topics(said, |text| value::topic("publish", text))?;
    let typed = said.all("topic").any(Given::is_typed);
    if typed {
        let defaults = said.all("topic").filter(|given| !given.is_typed()).count();
        topics.drain(..defaults);
    }
    Ok(topics)
}

/// The messages bring their topics: there are none for all of them.
fn own_topics(said: &Said) -> Result<Vec<(Box<Topic>, QoS)>, UsageError> {
    if said.all("topic").any(Given::is_typed) {
        let source = if said.has("replay") {
            "The file of --replay"
        } else {
            "With --topic-separator each line"
        };
        return Err(
            UsageError::new(format!("{source} names the topics itself")).hint("Leave out -t.")
        );
    }
    Ok(Vec::new())
}

fn from(said: &Said, flag: &str) -> Result<From, UsageError> {
    if flag != "stdin-line" && said.has("topic-separator") {
        return Err(only_for("topic-separator", "-l"));
    }
    if flag != "replay" && said.has("speed") {
        return Err(only_for("speed", "--replay FILE"));
    }
    Ok(match flag {
        "stdin-line" => From::Lines {
            format: Format::new(said)?.unwrap_or_default(),
            separator: said.meaning("topic-separator", separator)?,
        },
        "replay" => From::Replay {
            path: said.path(flag).unwrap_or_default().into(),
            speed: said.meaning("speed", speed)?.unwrap_or(1.0),
        },
        flag => From::One {
            payload: Payload::new(said, flag)?,
            repeat: said.meaning("repeat", value::count)?.unwrap_or(1),
            delay: said
                .meaning("repeat-delay", value::duration)?
                .unwrap_or_default(),
        },
    })
}

fn only_for(flag: &str, other: &str) -> UsageError {
    UsageError::new(format!("--{flag} goes with {other}"))
        .hint(format!("Add {other}, or leave it out."))
}

fn separator(flag: &str, text: &str) -> Result<String, UsageError> {
    if text.is_empty() {
        return Err(
            UsageError::new(format!("{flag} needs a text, and got none"))
                .hint(format!("Type for example: {flag} ':'")),
        );
    }
    Ok(text.to_owned())
}

fn speed(flag: &str, text: &str) -> Result<f64, UsageError> {
    match text {
        "max" => Some(f64::INFINITY),
        number => number
            .parse()
            .ok()
            .filter(|speed: &f64| speed.is_finite() && *speed > 0.0),
    }
    .ok_or_else(|| {
        UsageError::new(format!("{flag} needs a number above 0, and got '{text}'")).hint(format!(
            "Type for example {flag} 2 for twice as fast, {flag} 0.5, or {flag} max for no pauses"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_common::flags::table::Program;
    use mqtt_common::flags::{Parsed, parse};

    fn options(line: &[&str]) -> Result<Options, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.iter().copied())
            .map(Into::into);
        match parse(Program::Pub, argv)? {
            Parsed::Said(said) => Options::new(&said),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[track_caller]
    fn check_error(line: &[&str], expected: &str) {
        let error = options(line).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{line:?}: expected '{expected}' in '{error}'"
        );
    }

    fn once(payload: Payload) -> From {
        From::One {
            payload,
            repeat: 1,
            delay: Duration::ZERO,
        }
    }

    #[test]
    fn each_kind_of_message_has_its_flag() {
        let lines = From::Lines {
            format: Format::Text,
            separator: None,
        };
        for (flags, expected) in [
            (&["-m", "-5"][..], once(Payload::Message(b"-5".to_vec()))),
            (
                &["-m", "Γειά"],
                once(Payload::Message("Γειά".as_bytes().to_vec())),
            ),
            (&["-f", "x"], once(Payload::File("x".into(), Format::Text))),
            (&["-l"], lines),
            (&["-s"], once(Payload::Stdin(Format::Text))),
            (&["-n"], once(Payload::Message(Vec::new()))),
            (
                &["--json", "a=1"],
                once(Payload::Message(b"{\"a\":1}".to_vec())),
            ),
        ] {
            let line = [&["-t", "a"], flags].concat();
            assert_eq!(options(&line).unwrap().from, expected, "{line:?}");
        }
    }

    #[test]
    fn the_last_of_one_kind_wins_and_two_kinds_are_an_error() {
        let twice = options(&["-t", "a", "-m", "1", "-m", "2"]).unwrap();
        assert_eq!(twice.from, once(Payload::Message(b"2".to_vec())));
        check_error(
            &["-t", "a", "-m", "1", "-l"],
            "Only one type of message can be sent at once, not -m and -l",
        );
    }

    #[test]
    fn several_topics_have_a_qos_each() {
        let options = options(&["-t", "a", "-q", "0", "-t", "b", "-q", "2", "-n"]).unwrap();
        let topics: Vec<_> = options
            .topics
            .iter()
            .map(|(t, q)| (t.as_str(), *q))
            .collect();
        assert_eq!(topics, [("a", QoS::AtMostOnce), ("b", QoS::ExactlyOnce)]);
    }

    #[test]
    fn topic_and_message_are_needed() {
        check_error(&["-m", "x"], "the topic is missing");
        check_error(&["-t", "x"], "the message is missing");
        check_error(&["-t", "a/+", "-m", "x"], "Invalid publish topic 'a/+'");
        check_error(&["-t", "", "-m", "x"], "Invalid publish topic ''");
    }

    #[test]
    fn lines_and_records_may_bring_their_topics() {
        let lines = options(&["-l", "--topic-separator", ":", "-q", "1"]).unwrap();
        assert_eq!((lines.topics.len(), lines.qos), (0, QoS::AtLeastOnce));
        let replay = options(&["--replay", "f.jsonl", "--speed", "max"]).unwrap();
        assert_eq!(
            replay.from,
            From::Replay {
                path: "f.jsonl".into(),
                speed: f64::INFINITY
            }
        );
        check_error(&["-l", "--topic-separator", ":", "-t", "a"], "Leave out -t");
        check_error(&["--replay", "f", "-t", "a"], "Leave out -t");
        check_error(&["-t", "a", "-n", "--topic-separator", ":"], "goes with -l");
        check_error(&["--topic-separator", ":"], "goes with -l");
        check_error(&["-l", "--topic-separator", ""], "needs a text");
        check_error(
            &["-t", "a", "-n", "--speed", "2"],
            "goes with --replay FILE",
        );
        for speed in ["0", "-1", "fast", "NaN"] {
            check_error(
                &["--replay", "f", "--speed", speed],
                "needs a number above 0",
            );
        }
    }

    #[test]
    fn repeating_takes_a_number_and_a_time() {
        let line = "-t a -n --repeat 3 --repeat-delay 0.5 -r -q 2";
        let line: Vec<&str> = line.split(' ').collect();
        let options = options(&line).unwrap();
        let expected = From::One {
            payload: Payload::Message(Vec::new()),
            repeat: 3,
            delay: Duration::from_millis(500),
        };
        assert_eq!(options.from, expected);
        assert_eq!(
            (options.retain, options.topics[0].1),
            (true, QoS::ExactlyOnce)
        );
        check_error(
            &["-t", "a", "-n", "--repeat", "0"],
            "--repeat needs a number of at least 1",
        );
        check_error(
            &["-t", "a", "-n", "--repeat-delay", "-1"],
            "--repeat-delay needs a time",
        );
    }
}
