//! A message in the form of `-F`.

use std::io::Write;

use mqtt_proto::Publish;

use super::clock::Clock;
use super::format::{Field, Format, Part, What};
use super::json;

/// Appends a message; what cannot be shown goes to `faults` as sentences without their full stop.
pub(super) fn message(
    format: &Format,
    message: &Publish<'_>,
    pretty: bool,
    clock: &Clock,
    out: &mut Vec<u8>,
    faults: &mut Vec<String>,
) {
    for part in &format.parts {
        match part {
            Part::Text(text) => out.extend_from_slice(text),
            Part::Time(format) => out.extend_from_slice(clock.show(format).as_bytes()),
            Part::Nanoseconds => {
                out.extend_from_slice(format!("{:09}", clock.nanoseconds()).as_bytes());
            }
            Part::Field(field) => {
                if let Err(fault) = field.append(message, pretty, clock, out) {
                    faults.push(fault);
                }
            }
        }
    }
}

/// Appends the digits of some bytes.
pub(super) fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.extend([byte >> 4, byte & 15].map(|nibble| digit(nibble, false)));
    }
}

fn digit(nibble: u8, upper: bool) -> u8 {
    match (nibble, upper) {
        (0..10, _) => b'0' + nibble,
        (_, true) => b'A' + nibble - 10,
        (_, false) => b'a' + nibble - 10,
    }
}

impl Field {
    fn append(
        &self,
        message: &Publish<'_>,
        pretty: bool,
        clock: &Clock,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let properties = message.properties;
        match self.what {
            What::Topic => self.text(message.topic.map_or("", |topic| topic.as_str()), out),
            What::Payload => self.payload(message.payload, out),
            What::Hex => self.digits(message.payload, false, out),
            What::UpperHex => self.digits(message.payload, true, out),
            What::Length => self.number(Some(message.payload.len()), out),
            What::MessageId => {
                let id = message.packet_id.map_or(0, mqtt_proto::PacketId::get);
                self.number(Some(id), out);
            }
            What::QoS => out.push(b'0' + message.qos as u8),
            What::Retain => out.push(b'0' + u8::from(message.retain)),
            What::Float => return self.float(message, 4, out),
            What::Double => return self.float(message, 8, out),
            What::Json | What::JsonPayload => {
                let parsed = self.what == What::JsonPayload;
                let object = json::object(message, parsed, clock).map_err(|error| {
                    let topic = message.topic.map_or("", |topic| topic.as_str());
                    format!("Message payload is not valid JSON on topic {topic}: {error}")
                })?;
                if pretty {
                    object.write_pretty(0, out);
                } else {
                    object.write(out);
                }
            }
            What::Iso8601 => self.text(&clock.iso(), out),
            What::UnixTime => out.extend_from_slice(clock.unix().as_bytes()),
            What::ContentType => match properties.content_type() {
                Some(text) => self.text(text, out),
                None => self.blank(out),
            },
            // Nothing is put in place of these three: so it has always been.
            What::ResponseTopic => {
                if let Some(topic) = properties.response_topic() {
                    self.text(topic.as_str(), out);
                }
            }
            What::CorrelationData => {
                out.extend_from_slice(properties.correlation_data().unwrap_or_default());
            }
            What::UserProperties => user_properties(message, out),
            What::TopicAlias => self.number(properties.topic_alias(), out),
            What::Expiry => self.number(properties.message_expiry_interval(), out),
            What::PayloadFormat => {
                self.number(properties.payload_format_indicator().map(u8::from), out);
            }
            What::SubscriptionId => {
                let id = properties.subscription_identifier();
                self.number(id.map(mqtt_proto::VarInt::get), out);
            }
        }
        Ok(())
    }

    /// Text of at most `precision` bytes, filled up with blanks to `width` bytes.
    fn text(&self, text: &str, out: &mut Vec<u8>) {
        let end = text.floor_char_boundary(self.precision.unwrap_or(text.len()));
        let text = &text.as_bytes()[..end];
        let fill = self.width.saturating_sub(text.len());
        if !self.left {
            out.resize(out.len() + fill, b' ');
        }
        out.extend_from_slice(text);
        if self.left {
            out.resize(out.len() + fill, b' ');
        }
    }

    /// A number, or blanks where there is none.
    fn number(&self, number: Option<impl std::fmt::Display>, out: &mut Vec<u8>) {
        match number {
            Some(number) => self.pad_number(&number.to_string(), out),
            None => self.blank(out),
        }
    }

    fn pad_number(&self, text: &str, out: &mut Vec<u8>) {
        let fill = self.width.saturating_sub(text.len());
        let is_number = text.ends_with(|c: char| c.is_ascii_digit());
        match (self.left, self.zero && is_number, text.strip_prefix('-')) {
            (true, ..) => {
                out.extend_from_slice(text.as_bytes());
                out.resize(out.len() + fill, b' ');
            }
            (false, true, Some(digits)) => {
                out.push(b'-');
                out.resize(out.len() + fill, b'0');
                out.extend_from_slice(digits.as_bytes());
            }
            (false, zero, _) => {
                out.resize(out.len() + fill, if zero { b'0' } else { b' ' });
                out.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// What stands in place of something that is missing.
    fn blank(&self, out: &mut Vec<u8>) {
        out.resize(out.len() + self.width, self.fill());
    }

    fn fill(&self) -> u8 {
        if self.zero { b'0' } else { b' ' }
    }

    /// The payload's first `width` bytes, or filled up to as many.
    fn payload(&self, payload: &[u8], out: &mut Vec<u8>) {
        let payload = self.cut(payload);
        let fill = self.width.saturating_sub(payload.len());
        if !self.left {
            out.resize(out.len() + fill, self.fill());
        }
        out.extend_from_slice(payload);
        if self.left {
            out.resize(out.len() + fill, b' ');
        }
    }

    /// At most `width` bytes, without half a character at the end if it is text.
    fn cut<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        if self.width == 0 || payload.len() <= self.width {
            return payload;
        }
        match std::str::from_utf8(payload) {
            Ok(text) => &payload[..text.floor_char_boundary(self.width)],
            Err(_) => &payload[..self.width],
        }
    }

    /// The payload's bytes as digits, with a separator behind every `precision` digits.
    ///
    /// The width counts bytes when it cuts and digits when it fills up, and what fills up is counted
    /// among the digits that are separated: scripts have got used to it.
    fn digits(&self, payload: &[u8], upper: bool, out: &mut Vec<u8>) {
        let shown = match self.width {
            0 => payload,
            width => &payload[..payload.len().min(width)],
        };
        let group = self.precision.unwrap_or(0);
        let fill = self.width.saturating_sub(shown.len() * 2);
        let mut position = 0;
        let mut push = |byte: u8, last: bool| {
            out.push(byte);
            if group > 0 && position % group == group - 1 && !last {
                out.push(self.separator);
            }
            position += 1;
        };
        if !self.left {
            (0..fill).for_each(|_| push(self.fill(), false));
        }
        for (index, byte) in shown.iter().enumerate() {
            push(digit(byte >> 4, upper), false);
            push(digit(byte & 15, upper), index + 1 == shown.len());
        }
        if self.left {
            out.resize(out.len() + fill, b' ');
        }
    }

    /// A payload that is a number in the computer's own form.
    fn float(&self, message: &Publish<'_>, size: usize, out: &mut Vec<u8>) -> Result<(), String> {
        let payload = message.payload;
        let number = match (size, payload.try_into(), payload.try_into()) {
            (4, Ok(bytes), _) => f64::from(f32::from_ne_bytes(bytes)),
            (8, _, Ok(bytes)) => f64::from_ne_bytes(bytes),
            _ => {
                let letter = if size == 4 { 'f' } else { 'd' };
                let topic = message.topic.map_or("", |topic| topic.as_str());
                return Err(format!(
                    "%{letter} shows a number of {size} bytes, and the message on topic {topic} has {}",
                    payload.len()
                ));
            }
        };
        let precision = self.precision.unwrap_or(6);
        let text = if number.is_finite() {
            format!("{number:.precision$}")
        } else {
            // C's spelling: nan, -nan, inf, -inf.
            let sign = if number.is_sign_negative() { "-" } else { "" };
            let name = if number.is_nan() { "nan" } else { "inf" };
            format!("{sign}{name}")
        };
        self.pad_number(&text, out);
        Ok(())
    }
}

fn user_properties(message: &Publish<'_>, out: &mut Vec<u8>) {
    let mut separator = "";
    for property in message.properties {
        if let mqtt_proto::Property::UserProperty((name, value)) = property {
            // Writing to a vector does not fail.
            let _ = write!(out, "{separator}{name}:{value}");
            separator = " ";
        }
    }
}
