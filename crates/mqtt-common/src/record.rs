//! Recorded messages: one JSON object a line, exact to the byte, readable by people and by `jq`.
//!
//! ```json
//! {"at":1.204311,"time":"2026-11-22T16:33:21.879795Z","topic":"room/temp","qos":1,"retain":false,"payload":"21.5"}
//! ```
//!
//! `at` is the time since the recording began, in seconds; what replays a file keeps the differences.
//! `time` is for the reader only. Bytes that are not UTF-8 text stand in base64 under another name,
//! `payload-base64`, and so does `correlation-data-base64`. `properties` is there if the message has
//! any; `user-property` is a list of pairs, `subscription-identifier` a list of numbers. A line needs
//! a `topic` and nothing else, so that files can be written by hand.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use mqtt_proto::{PropertiesBuf, Property, Publish, QoS, Topic, VarInt};

use crate::json::{self, Value};

/// One recorded message.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When it came, counted from the beginning of the recording; in microseconds.
    pub at: Duration,
    /// Where it was published.
    pub topic: Box<Topic>,
    /// The QoS it came with.
    pub qos: QoS,
    /// Whether it was a retained one.
    pub retain: bool,
    /// Its bytes.
    pub payload: Vec<u8>,
    /// Those of its PUBLISH but for the topic alias, which means nothing outside of its connection.
    pub properties: PropertiesBuf,
}

/// A line is no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not even JSON.
    #[error("this is no JSON: {0}")]
    Json(#[from] json::JsonError),
    /// JSON, but no object.
    #[error("a record is an object: {{\"topic\":\"a/b\",\"payload\":\"text\"}}")]
    NoObject,
    /// A field is missing.
    #[error("\"{0}\" is missing")]
    Missing(&'static str),
    /// A field's value cannot be meant.
    #[error("\"{field}\" should be {expected}")]
    Value {
        /// Which field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The topic cannot be published to.
    #[error("\"topic\": {0}")]
    Topic(#[from] mqtt_proto::TopicError),
    /// A payload is there twice, as text and in base64.
    #[error("\"{0}\" and \"{0}-base64\" are both there, and one of them is enough")]
    Twice(&'static str),
    /// There is no property of this name in a message.
    #[error("there is no property \"{0}\"")]
    Property(String),
}

/// Appends the line for a message that came `at` after the beginning, which was `time` on the clock.
///
/// A message without a topic (a topic alias that was never resolved) cannot be recorded; nothing is
/// appended.
pub fn write(at: Duration, time: Timestamp, message: &Publish<'_>, out: &mut Vec<u8>) {
    let Some(topic) = message.topic else { return };
    let head = format!(
        "{{\"at\":{}.{:06},\"time\":\"{time:.6}\",\"topic\":",
        at.as_secs(),
        at.subsec_micros()
    );
    out.extend_from_slice(head.as_bytes());
    json::text(topic.as_bytes(), out);
    let middle = format!(
        ",\"qos\":{},\"retain\":{}",
        message.qos as u8, message.retain
    );
    out.extend_from_slice(middle.as_bytes());
    let mut first = true;
    properties(message, out, &mut first);
    if !first {
        out.push(b'}');
    }
    out.push(b',');
    bytes("payload", message.payload, out);
    out.extend_from_slice(b"}\n");
}

/// `"name":"text"`, or in base64 under the other name.
fn bytes(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    if std::str::from_utf8(value).is_ok() {
        out.extend_from_slice(b"\":");
        json::text(value, out);
    } else {
        out.extend_from_slice(b"-base64\":\"");
        out.extend_from_slice(BASE64.encode(value).as_bytes());
        out.push(b'"');
    }
}

fn properties(message: &Publish<'_>, out: &mut Vec<u8>, first: &mut bool) {
    let (mut users, mut identifiers) = (Vec::new(), Vec::new());
    let mut next = |out: &mut Vec<u8>| {
        let start: &[u8] = if *first { b",\"properties\":{" } else { b"," };
        out.extend_from_slice(start);
        *first = false;
    };
    for property in message.properties {
        let value = match property {
            Property::UserProperty(pair) => {
                users.push(pair);
                continue;
            }
            Property::SubscriptionIdentifier(id) => {
                identifiers.push(Value::Whole(id.get().into()));
                continue;
            }
            Property::PayloadFormatIndicator(text) => Value::Whole(text.into()),
            Property::MessageExpiryInterval(seconds) => Value::Whole(seconds.into()),
            Property::ContentType(text) => Value::Text(text.to_owned()),
            Property::ResponseTopic(topic) => Value::Text(topic.as_str().to_owned()),
            Property::CorrelationData(data) => {
                next(out);
                bytes(property.id().name(), data, out);
                continue;
            }
            _ => continue,
        };
        next(out);
        field(property.id().name(), &value, out);
    }
    if !identifiers.is_empty() {
        next(out);
        field("subscription-identifier", &Value::Array(identifiers), out);
    }
    if !users.is_empty() {
        let pairs = users.into_iter().map(|(name, value)| {
            Value::Array(vec![Value::Text(name.into()), Value::Text(value.into())])
        });
        next(out);
        field("user-property", &Value::Array(pairs.collect()), out);
    }
}

fn field(name: &str, value: &Value, out: &mut Vec<u8>) {
    json::text(name.as_bytes(), out);
    out.push(b':');
    value.write(out);
}

impl Record {
    /// Reads one line.
    ///
    /// # Errors
    /// It is no record; the message says what is wrong with which field.
    pub fn read(line: &[u8]) -> Result<Record, RecordError> {
        let value = Value::parse(line)?;
        if !matches!(value, Value::Object(_)) {
            return Err(RecordError::NoObject);
        }
        let topic = match value.field("topic") {
            Some(Value::Text(text)) => Topic::parse(text)?.into(),
            Some(_) => return Err(wrong("topic", "a string")),
            None => return Err(RecordError::Missing("topic")),
        };
        let qos = match value.field("qos") {
            None => Some(QoS::AtMostOnce),
            Some(Value::Whole(number)) => u8::try_from(*number).ok().and_then(QoS::new),
            Some(_) => None,
        };
        let retain = match value.field("retain") {
            None => Some(false),
            Some(Value::Bool(retain)) => Some(*retain),
            Some(_) => None,
        };
        Ok(Record {
            at: moment(value.field("at"))?,
            topic,
            qos: qos.ok_or(wrong("qos", "0, 1 or 2"))?,
            retain: retain.ok_or(wrong("retain", "true or false"))?,
            payload: any_bytes(&value, "payload", "payload-base64")?.unwrap_or_default(),
            properties: match value.field("properties") {
                None | Some(Value::Null) => PropertiesBuf::new(),
                Some(object @ Value::Object(fields)) => read_properties(object, fields)?,
                Some(_) => return Err(wrong("properties", "an object")),
            },
        })
    }

    /// The message again, for sending: a packet identifier and the duplicate flag are the session's
    /// business.
    pub fn publish(&self) -> Publish<'_> {
        Publish {
            dup: false,
            qos: self.qos,
            retain: self.retain,
            topic: Some(&self.topic),
            packet_id: None,
            properties: self.properties.view(),
            payload: &self.payload,
        }
    }
}

const fn wrong(field: &'static str, expected: &'static str) -> RecordError {
    RecordError::Value { field, expected }
}

fn moment(value: Option<&Value>) -> Result<Duration, RecordError> {
    const SECONDS: RecordError = wrong("at", "a number of seconds from 0 on");
    let micros = match value {
        None => return Ok(Duration::ZERO),
        Some(Value::Whole(seconds)) => u64::try_from(*seconds)
            .ok()
            .and_then(|s| s.checked_mul(1_000_000)),
        Some(Value::Real(seconds)) => Duration::try_from_secs_f64(*seconds)
            .ok()
            // To the nearest microsecond, which is what was written.
            .and_then(|time| time.checked_add(Duration::from_nanos(500)))
            .and_then(|time| u64::try_from(time.as_micros()).ok()),
        Some(_) => None,
    };
    micros.map(Duration::from_micros).ok_or(SECONDS)
}

/// Bytes that stand as text under one name or in base64 under the other.
fn any_bytes(
    object: &Value,
    name: &'static str,
    encoded: &'static str,
) -> Result<Option<Vec<u8>>, RecordError> {
    match (object.field(name), object.field(encoded)) {
        (Some(_), Some(_)) => Err(RecordError::Twice(name)),
        (Some(Value::Text(text)), None) => Ok(Some(text.as_bytes().to_vec())),
        (None, Some(Value::Text(text))) => match BASE64.decode(text) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err(wrong(encoded, "base64")),
        },
        (None, None) => Ok(None),
        (Some(_), None) => Err(wrong(name, "a string")),
        (None, Some(_)) => Err(wrong(encoded, "base64")),
    }
}

fn read_properties(
    object: &Value,
    fields: &[(String, Value)],
) -> Result<PropertiesBuf, RecordError> {
    let mut properties = PropertiesBuf::new();
    for (name, value) in fields {
        read_property(object, name, value, &mut properties)?;
    }
    Ok(properties)
}

fn read_property(
    object: &Value,
    name: &str,
    value: &Value,
    into: &mut PropertiesBuf,
) -> Result<(), RecordError> {
    match name {
        "payload-format-indicator" => match value {
            Value::Whole(number @ (0 | 1)) => {
                push(into, Property::PayloadFormatIndicator(*number == 1))
            }
            _ => Err(wrong("payload-format-indicator", "0 or 1")),
        },
        "message-expiry-interval" => {
            const SECONDS: &str = "a number of seconds below 4294967296";
            let seconds = whole(value).ok_or(wrong("message-expiry-interval", SECONDS))?;
            push(into, Property::MessageExpiryInterval(seconds))
        }
        "content-type" => push(into, Property::ContentType(string("content-type", value)?)),
        "response-topic" => {
            let text = string("response-topic", value)?;
            let topic = Topic::parse(text).map_err(|_| wrong("response-topic", "a topic"))?;
            push(into, Property::ResponseTopic(topic))
        }
        "correlation-data" | "correlation-data-base64" => {
            let data = any_bytes(object, "correlation-data", "correlation-data-base64")?;
            push(into, Property::CorrelationData(&data.unwrap_or_default()))
        }
        "subscription-identifier" => list(value).iter().try_for_each(|value| {
            let id = whole(value).filter(|n| *n > 0).and_then(VarInt::new);
            let id = id.ok_or(wrong(
                "subscription-identifier",
                "a list of numbers from 1 on",
            ))?;
            push(into, Property::SubscriptionIdentifier(id))
        }),
        "user-property" => list(value)
            .iter()
            .try_for_each(|pair| push(into, Property::UserProperty(user_property(pair)?))),
        other => Err(RecordError::Property(other.to_owned())),
    }
}

fn push(into: &mut PropertiesBuf, property: Property<'_>) -> Result<(), RecordError> {
    into.push(property)
        .map_err(|_| wrong(property.id().name(), "at most 65535 bytes long"))
}

fn user_property(pair: &Value) -> Result<(&str, &str), RecordError> {
    const FIELD: &str = "user-property";
    match list(pair) {
        [name, value] => Ok((string(FIELD, name)?, string(FIELD, value)?)),
        _ => Err(wrong(FIELD, "a list of pairs: [[\"name\",\"value\"]]")),
    }
}

fn whole(value: &Value) -> Option<u32> {
    match value {
        Value::Whole(number) => u32::try_from(*number).ok(),
        _ => None,
    }
}

/// What MQTT takes for a string, which is a little less than Unicode.
fn string<'a>(field: &'static str, value: &'a Value) -> Result<&'a str, RecordError> {
    match value {
        Value::Text(text) if mqtt_proto::utf8_string(text.as_bytes()).is_ok() => Ok(text),
        _ => Err(wrong(field, "a string without control characters")),
    }
}

/// The elements of a list; a lone value is a list of one.
fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        other => std::slice::from_ref(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(at: Duration, message: &Publish<'_>) -> String {
        let mut out = Vec::new();
        let time = "2026-11-22T16:33:21.879795Z".parse().unwrap();
        write(at, time, message, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn text_property() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[ -~α-ω]{0,12}").unwrap()
    }

    prop_compose! {
        fn any_properties()(
            format in any::<Option<bool>>(),
            expiry in any::<Option<u32>>(),
            content in proptest::option::of(text_property()),
            data in any::<Option<Vec<u8>>>(),
            ids in proptest::collection::vec(1u32..268_435_455, 0..3),
            users in proptest::collection::vec((text_property(), text_property()), 0..4),
        ) -> PropertiesBuf {
            let mut all = PropertiesBuf::new();
            let response = Topic::parse("re/ply \"1\"").unwrap();
            let mut push = |property| all.push(property).unwrap();
            if let Some(value) = format { push(Property::PayloadFormatIndicator(value)); }
            if let Some(value) = expiry { push(Property::MessageExpiryInterval(value)); }
            if let Some(value) = &content { push(Property::ContentType(value)); }
            if content.is_some() { push(Property::ResponseTopic(response)); }
            if let Some(value) = &data { push(Property::CorrelationData(value)); }
            for id in ids { push(Property::SubscriptionIdentifier(VarInt::new(id).unwrap())); }
            for (name, value) in &users { push(Property::UserProperty((name, value))); }
            all
        }
    }

    prop_compose! {
        fn any_record()(
            micros in 0u64..4_000_000_000_000,
            topic in r#"[a-zA-Zα-ω0-9/$ "\\]{1,30}"#,
            qos in 0u8..3,
            retain in any::<bool>(),
            payload in prop_oneof![any::<Vec<u8>>(), any::<String>().prop_map(String::into_bytes)],
            properties in any_properties(),
        ) -> Record {
            Record {
                at: Duration::from_micros(micros),
                topic: Topic::parse(&topic).unwrap().into(),
                qos: QoS::new(qos).unwrap(),
                retain,
                payload,
                properties,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_exactly(record in any_record()) {
            let line = line(record.at, &record.publish());
            prop_assert_eq!(line.matches('\n').count(), 1, "one line: {}", line);
            prop_assert_eq!(Record::read(line.as_bytes()), Ok(record));
        }

        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>(), text in any::<String>()) {
            let _ = Record::read(&bytes);
            let _ = Record::read(format!("{{\"topic\":{text}}}").as_bytes());
        }
    }

    #[test]
    fn a_line_is_readable() {
        let record = Record::read(br#"{"topic":"room/temp","payload":"21.5"}"#).unwrap();
        assert_eq!(
            line(Duration::from_micros(1_204_311), &record.publish()),
            "{\"at\":1.204311,\"time\":\"2026-11-22T16:33:21.879795Z\",\"topic\":\"room/temp\",\"qos\":0,\"retain\":false,\"payload\":\"21.5\"}\n"
        );
        let mut properties = PropertiesBuf::new();
        properties.push(Property::ContentType("a\"b")).unwrap();
        properties.push(Property::UserProperty(("k", "v"))).unwrap();
        let binary = Record {
            payload: vec![0, 255],
            properties,
            ..record
        };
        let text = line(Duration::ZERO, &binary.publish());
        assert!(
            text.ends_with("\"properties\":{\"content-type\":\"a\\\"b\",\"user-property\":[[\"k\",\"v\"]]},\"payload-base64\":\"AP8=\"}\n"),
            "got {text}"
        );
    }

    #[test]
    fn a_topic_alone_is_a_record() {
        let record = Record::read(b"{\"topic\":\"t\",\"at\":2,\"note\":\"mine\"}\r").unwrap();
        assert_eq!(record.at, Duration::from_secs(2));
        assert!(record.payload.is_empty() && !record.retain && record.qos == QoS::AtMostOnce);
    }

    #[test]
    fn mistakes_name_the_field() {
        for (line, expected) in [
            ("{", "this is no JSON: it ends too early"),
            ("[1]", "a record is an object"),
            ("{}", "\"topic\" is missing"),
            (r#"{"topic":1}"#, "\"topic\" should be a string"),
            (r##"{"topic":"a/#"}"##, "\"topic\": "),
            (r#"{"topic":"t","qos":3}"#, "\"qos\" should be 0, 1 or 2"),
            (
                r#"{"topic":"t","retain":1}"#,
                "\"retain\" should be true or false",
            ),
            (
                r#"{"topic":"t","at":-1}"#,
                "\"at\" should be a number of seconds",
            ),
            (
                r#"{"topic":"t","at":1e300}"#,
                "\"at\" should be a number of seconds",
            ),
            (
                r#"{"topic":"t","payload":5}"#,
                "\"payload\" should be a string",
            ),
            (
                r#"{"topic":"t","payload-base64":"*"}"#,
                "\"payload-base64\" should be base64",
            ),
            (
                r#"{"topic":"t","payload":"","payload-base64":""}"#,
                "are both there",
            ),
            (
                r#"{"topic":"t","properties":[]}"#,
                "\"properties\" should be an object",
            ),
            (
                r#"{"topic":"t","properties":{"content-typ":"x"}}"#,
                "there is no property \"content-typ\"",
            ),
            (
                r#"{"topic":"t","properties":{"user-property":{"a":"b"}}}"#,
                "should be a list of pairs",
            ),
        ] {
            let error = Record::read(line.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: got {error}");
        }
    }
}
