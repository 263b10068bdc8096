//! What the flags of mqtt-pub mean.

use std::path::PathBuf;
use std::time::Duration;

use mqtt_common::flags::{Said, UsageError, typed};
use mqtt_common::options::Common;
use mqtt_common::value;
use mqtt_proto::{QoS, Topic};

/// Everything that mqtt-pub was asked for.
#[derive(Debug)]
pub struct Options {
    /// What all clients share.
    pub common: Common,
    /// Where to publish.
    pub topic: Box<Topic>,
    /// How hard to try.
    pub qos: QoS,
    /// Whether the broker is to keep the message.
    pub retain: bool,
    /// Where the message comes from.
    pub payload: Payload,
    /// How often to send it.
    pub repeat: u64,
    /// How long to wait in between.
    pub delay: Duration,
}

/// Where messages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The command line.
    Message(Vec<u8>),
    /// A file.
    File(PathBuf),
    /// All of standard input.
    Stdin,
    /// Each line of standard input.
    Lines,
}

/// The flags that give a message; one of them is needed.
const PAYLOADS: [&str; 5] = [
    "message",
    "file",
    "stdin-line",
    "stdin-file",
    "null-message",
];

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
        let Some(topic) = said.text("topic")? else {
            return Err(UsageError::new(
                "Both topic and message must be supplied; the topic is missing",
            )
            .hint("Add a topic: -t topic/pub"));
        };
        Ok(Options {
            common,
            topic: value::topic("publish", topic)?,
            qos: said.meaning("qos", value::qos)?.unwrap_or_default(),
            retain: said.has("retain"),
            payload: payload(said)?,
            repeat: said.meaning("repeat", value::count)?.unwrap_or(1),
            delay: said
                .meaning("repeat-delay", value::duration)?
                .unwrap_or_default(),
        })
    }
}

fn payload(said: &Said) -> Result<Payload, UsageError> {
    let given: Vec<&str> = PAYLOADS.into_iter().filter(|flag| said.has(flag)).collect();
    match given[..] {
        ["message"] => Ok(Payload::Message(said.bytes("message")?.unwrap_or_default())),
        ["file"] => Ok(Payload::File(said.path("file").unwrap_or_default().into())),
        ["stdin-line"] => Ok(Payload::Lines),
        ["stdin-file"] => Ok(Payload::Stdin),
        ["null-message"] => Ok(Payload::Message(Vec::new())),
        [] => Err(UsageError::new("Both topic and message must be supplied; the message is missing").hint(
            "Add the message: -m \"text\", -f FILE, -l (each line of input), -s (all input) or -n (empty)",
        )),
        [first, second, ..] => {
            Err(UsageError::new(format!("Only one type of message can be sent at once, not {} and {}", typed(first), typed(second)))
                .hint("Leave one of them out."))
        }
        [_] => unreachable!("every flag of the list has its arm"),
    }
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

    #[test]
    fn each_kind_of_message_has_its_flag() {
        for (flags, expected) in [
            (&["-m", "-5"][..], Payload::Message(b"-5".to_vec())),
            (
                &["-m", "Γειά"],
                Payload::Message("Γειά".as_bytes().to_vec()),
            ),
            (&["-f", "x"], Payload::File("x".into())),
            (&["-l"], Payload::Lines),
            (&["-s"], Payload::Stdin),
            (&["-n"], Payload::Message(Vec::new())),
        ] {
            let line = [&["-t", "a"], flags].concat();
            assert_eq!(options(&line).unwrap().payload, expected, "{line:?}");
        }
    }

    #[test]
    fn the_last_of_one_kind_wins_and_two_kinds_are_an_error() {
        let twice = options(&["-t", "a", "-m", "1", "-m", "2", "-t", "b"]).unwrap();
        assert_eq!(
            (twice.payload, twice.topic.as_str()),
            (Payload::Message(b"2".to_vec()), "b")
        );
        check_error(
            &["-t", "a", "-m", "1", "-l"],
            "Only one type of message can be sent at once, not -m and -l",
        );
    }

    #[test]
    fn topic_and_message_are_needed() {
        check_error(&["-m", "x"], "the topic is missing");
        check_error(&["-t", "x"], "the message is missing");
        check_error(&["-t", "a/+", "-m", "x"], "Invalid publish topic 'a/+'");
        check_error(&["-t", "", "-m", "x"], "Invalid publish topic ''");
    }

    #[test]
    fn repeating_takes_a_number_and_a_time() {
        let line = [
            "-t",
            "a",
            "-n",
            "--repeat",
            "3",
            "--repeat-delay",
            "0.5",
            "-r",
            "-q",
            "2",
        ];
        let options = options(&line).unwrap();
        assert_eq!(
            (options.repeat, options.delay),
            (3, Duration::from_millis(500))
        );
        assert_eq!((options.retain, options.qos), (true, QoS::ExactlyOnce));
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
