//! How a message is shown: byte for byte what scripts expect in a pipe.

use mqtt_proto::{Filter, Publish};

/// How and what to show.
#[derive(Debug, Default)]
pub struct Format {
    /// The topic in front of each message.
    pub verbose: bool,
    /// A new line after each message.
    pub newline: bool,
    /// Retained messages are not shown.
    pub no_retained: bool,
    /// Messages on these topics are not shown.
    pub filter_out: Vec<Box<Filter>>,
}

impl Format {
    /// Appends the message to `out`; false if it is not to be shown, and does not count.
    pub fn show(&self, message: &Publish<'_>, out: &mut Vec<u8>) -> bool {
        let Some(topic) = message.topic else {
            return false;
        };
        if (message.retain && self.no_retained)
            || self.filter_out.iter().any(|filter| filter.matches(topic))
        {
            return false;
        }
        // An empty message shows nothing, or with its topic the word for it, which stands in place of
        // a line and so needs the line's end.
        match (message.payload.is_empty(), self.verbose) {
            (true, true) if self.newline => {
                out.extend_from_slice(topic.as_bytes());
                out.extend_from_slice(b" (null)\n");
            }
            (true, _) => {}
            (false, verbose) => {
                if verbose {
                    out.extend_from_slice(topic.as_bytes());
                    out.push(b' ');
                }
                out.extend_from_slice(message.payload);
                if self.newline {
                    out.push(b'\n');
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_proto::{Properties, QoS, Topic};

    #[track_caller]
    fn check(format: &Format, topic: &str, payload: &[u8], retain: bool, expected: Option<&[u8]>) {
        let message = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain,
            topic: Some(Topic::parse(topic).unwrap()),
            packet_id: None,
            properties: Properties::EMPTY,
            payload,
        };
        let mut out = Vec::new();
        let shown = format.show(&message, &mut out);
        assert_eq!(shown.then_some(&out[..]), expected);
    }

    #[test]
    fn a_message_is_its_bytes_and_a_new_line() {
        let format = Format {
            newline: true,
            ..Format::default()
        };
        check(&format, "t", b"a\0\xff", false, Some(b"a\0\xff\n"));
        check(&format, "t", b"", false, Some(b""));
    }

    #[test]
    fn verbose_shows_the_topic_and_a_word_for_nothing() {
        let format = Format {
            newline: true,
            verbose: true,
            ..Format::default()
        };
        check(&format, "t/ü", b"a", false, Some("t/ü a\n".as_bytes()));
        check(&format, "t", b"", false, Some(b"t (null)\n"));
    }

    #[test]
    fn without_new_lines_nothing_is_added() {
        let format = Format {
            verbose: true,
            ..Format::default()
        };
        check(&format, "t", b"a", false, Some(b"t a"));
        check(&format, "t", b"", false, Some(b""));
    }

    #[test]
    fn retained_and_filtered_messages_do_not_count() {
        let filter_out = vec![Filter::parse("a/+").unwrap().into()];
        let format = Format {
            newline: true,
            no_retained: true,
            filter_out,
            ..Format::default()
        };
        check(&format, "t", b"x", true, None);
        check(&format, "a/b", b"x", false, None);
        check(&format, "a/b/c", b"x", false, Some(b"x\n"));
    }
}
