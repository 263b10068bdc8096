//! From what the source has to packets: every message to each of its topics, as long as there is room.

use std::ops::ControlFlow;

use mqtt_common::client::Link;
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::payload::Format;
use mqtt_proto::client::PublishError;
use mqtt_proto::{Properties, PropertiesBuf, Publish, QoS, Topic, Version};
use tokio::time::Instant;

use crate::input::Lines;
use crate::options::{From, Options};
use crate::replay::{Found, Replay};
use crate::report::Counted;
use crate::source::{Repeated, Source};
use crate::window::Window;

/// What all messages have in common, and how far they have come.
pub struct Outgoing {
    topics: Vec<(Box<Topic>, QoS)>,
    /// For messages that bring their topic.
    qos: QoS,
    retain: bool,
    properties: PropertiesBuf,
    version: Version,
    /// What the number of a message counts.
    pub counted: Counted,
    /// The number of the last message taken from the source.
    count: u64,
    /// How many messages at QoS 1 and 2 have ended.
    pub confirmed: u64,
    /// How many messages may be on their way.
    pub window: Window,
    /// Whether the user knows that version 3 leaves the properties of a recording out.
    told: bool,
}

/// Whether a message has been dealt with, or why there will be no more.
type Step = ControlFlow<Exit>;

impl Outgoing {
    /// What the options ask for.
    pub fn new(options: &Options) -> Outgoing {
        let counted = match options.from {
            From::One { .. } => Counted::Messages,
            From::Lines { .. } | From::Replay { .. } => Counted::Lines,
        };
        let mut outgoing = Outgoing {
            topics: options.topics.clone(),
            qos: options.qos,
            retain: options.retain,
            properties: options.common.properties.publish.clone(),
            version: options.common.session.version,
            counted,
            count: 0,
            confirmed: 0,
            window: Window::new(false),
            told: false,
        };
        let widens = options.may_widen && outgoing.highest_qos() == QoS::AtLeastOnce;
        outgoing.window = Window::new(widens);
        outgoing
    }

    /// The highest QoS that may be asked for.
    pub fn highest_qos(&self) -> QoS {
        let topics = self.topics.iter().map(|(_, qos)| *qos);
        topics.max().unwrap_or(self.qos)
    }

    /// The number of the last message taken from the source.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Publishes what the source has and the connection takes.
    pub fn publish(
        &mut self,
        source: &mut Source,
        link: &mut Link<'_>,
        console: &Console,
        failed: &mut Option<Exit>,
    ) -> Step {
        let mut way = Way {
            link,
            console,
            failed,
        };
        match source {
            Source::Repeated(repeated) => self.repeated(repeated, &mut way),
            Source::Lines {
                lines,
                format,
                separator,
                ..
            } => self.lines(lines, *format, separator.as_deref(), &mut way),
            Source::Replay(replay) => self.replay(replay, &mut way),
        }
    }

    /// One message after the other: the next one when the last is delivered and the pause is over.
    fn repeated(&mut self, repeated: &mut Repeated, way: &mut Way<'_, '_>) -> Step {
        while repeated.left > 0
            && way.link.has_room()
            && way.link.is_idle()
            && repeated.next.is_none()
        {
            self.count += 1;
            self.send_to_all(&repeated.payload, way)?;
            repeated.left -= 1;
            let waits = self.highest_qos() == QoS::AtMostOnce && !repeated.delay.is_zero();
            if waits && repeated.left > 0 {
                repeated.next = Some(Instant::now() + repeated.delay);
            }
        }
        ControlFlow::Continue(())
    }

    fn lines(
        &mut self,
        lines: &mut Lines,
        format: Format,
        separator: Option<&str>,
        way: &mut Way<'_, '_>,
    ) -> Step {
        while way.link.has_room()
            && let Some(line) = lines.next()
        {
            self.count += 1;
            if format == Format::Text && separator.is_none() {
                self.send_to_all(line, way)?;
                continue;
            }
            match parts(line, format, separator) {
                Ok((Some(topic), payload)) => self.send_to(topic, self.qos, &payload, way)?,
                Ok((None, payload)) => self.send_to_all(&payload, way)?,
                Err(why) => way.leave_out(&self.counted.name(self.count), &why),
            }
        }
        ControlFlow::Continue(())
    }

    fn replay(&mut self, replay: &mut Replay, way: &mut Way<'_, '_>) -> Step {
        while way.link.has_room() {
            match replay.next() {
                Found::Nothing => break,
                Found::Due(number, record) => {
                    self.count = number;
                    if !self.version.is_v5() && !record.properties.view().is_empty() && !self.told {
                        self.told = true;
                        way.console.note(
                            "The recording has properties, which only version 5 can send: -V 5.",
                        );
                    }
                    self.send(&record.publish(), way)?;
                }
                Found::Broken(number, error) => {
                    self.count = number;
                    way.leave_out(&self.counted.name(number), &error.to_string());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn send_to_all(&mut self, payload: &[u8], way: &mut Way<'_, '_>) -> Step {
        for index in 0..self.topics.len() {
            let topics = std::mem::take(&mut self.topics);
            let (topic, qos) = &topics[index];
            let step = self.send_to(topic, *qos, payload, way);
            self.topics = topics;
            step?;
        }
        ControlFlow::Continue(())
    }

    fn send_to(&mut self, topic: &Topic, qos: QoS, payload: &[u8], way: &mut Way<'_, '_>) -> Step {
        let properties = std::mem::take(&mut self.properties);
        let publish = Publish {
            dup: false,
            qos,
            retain: self.retain,
            topic: self.is_named(properties.view()).then_some(topic),
            packet_id: None,
            properties: properties.view(),
            payload,
        };
        let step = self.send(&publish, way);
        self.properties = properties;
        step
    }

    /// Whether a message has its topic in it, and not only the alias that an earlier one has given it.
    ///
    /// Streams always name it: their messages may travel over another connection than the one before,
    /// where the alias stands for nothing.
    fn is_named(&self, properties: Properties<'_>) -> bool {
        let alias = self.version.is_v5() && properties.topic_alias().is_some();
        !alias || self.count == 1 || self.counted == Counted::Lines || self.topics.len() > 1
    }

    fn send(&mut self, publish: &Publish<'_>, way: &mut Way<'_, '_>) -> Step {
        if let Some(size) = self.window.next(publish.payload.len()) {
            way.link.set_max_in_flight(size);
        }
        let Err(error) = way.link.publish(self.count, publish) else {
            return ControlFlow::Continue(());
        };
        let name = self.counted.name(self.count);
        let too_large = matches!(
            error,
            PublishError::TooLarge { .. } | PublishError::Encode(_)
        );
        let exit = if too_large {
            Exit::TOO_LARGE
        } else {
            Exit::USAGE
        };
        let sentence = format!("Error: {name} cannot be published: {error}.");
        way.console.error(&sentence);
        // A message that is too large says nothing about the next one; any other error does.
        if too_large && self.counted == Counted::Lines {
            way.failed.get_or_insert(exit);
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(exit)
        }
    }
}

/// Where messages and words about them go.
struct Way<'a, 'b> {
    link: &'a mut Link<'b>,
    console: &'a Console,
    failed: &'a mut Option<Exit>,
}

impl Way<'_, '_> {
    /// A line cannot be meant as a message. The others still can.
    fn leave_out(&mut self, name: &str, why: &str) {
        self.console
            .error(&format!("Error: {name} was not sent: {why}."));
        self.failed.get_or_insert(Exit::USAGE);
    }
}

/// The topic of a line, if it has one, and the message.
fn parts<'a>(
    line: &'a [u8],
    format: Format,
    separator: Option<&str>,
) -> Result<(Option<&'a Topic>, Vec<u8>), String> {
    let (topic, payload) = match separator {
        None => (None, line),
        Some(separator) => {
            let (topic, payload) = cut(line, separator.as_bytes())
                .ok_or_else(|| format!("there is no '{separator}' in it"))?;
            let topic = std::str::from_utf8(topic).map_err(|_| "its topic is not UTF-8 text")?;
            let parsed = Topic::parse(topic)
                .map_err(|error| format!("'{topic}' is no topic to publish to: {error}"))?;
            (Some(parsed), payload)
        }
    };
    let payload = format
        .decode(payload.to_vec())
        .map_err(|error| error.to_string())?;
    Ok((topic, payload))
}

/// Splits at the first `separator`.
fn cut<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line
        .windows(separator.len())
        .position(|window| window == separator)?;
    Some((&line[..at], &line[at + separator.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, format: Format, separator: Option<&str>, topic: &str, payload: &[u8]) {
        let (found, bytes) = parts(line.as_bytes(), format, separator).unwrap();
        assert_eq!(found.map_or("", Topic::as_str), topic, "{line}");
        assert_eq!(bytes, payload, "{line}");
    }

    #[test]
    fn a_line_is_cut_at_the_first_separator() {
        check("a/b:c:d", Format::Text, Some(":"), "a/b", b"c:d");
        check("a => b", Format::Text, Some(" => "), "a", b"b");
        check("a:", Format::Text, Some(":"), "a", b"");
        check("a:00ff", Format::Hex, Some(":"), "a", &[0, 255]);
        check("00 ff", Format::Hex, None, "", &[0, 255]);
    }

    #[test]
    fn a_line_that_cannot_be_meant_says_why() {
        let why = |line: &[u8]| parts(line, Format::Hex, Some(":")).unwrap_err();
        assert_eq!(why(b"abc"), "there is no ':' in it");
        assert!(why(b"a/#:00").starts_with("'a/#' is no topic to publish to"));
        assert!(why(b"\xff:00").starts_with("its topic is not UTF-8"));
        assert!(why(b"a:0").contains("hexadecimal"));
    }
}
