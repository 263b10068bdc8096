//! A message as a JSON object, with the names that Mosquitto gives its parts.

use mqtt_proto::{Properties, Property, Publish};

use super::clock::Clock;
use crate::json::{JsonError, Value};

/// The object for `%j`, or for `%J` with a payload that is JSON itself.
///
/// # Errors
/// `parsed` is asked for, and the payload is no JSON.
pub(super) fn object(
    message: &Publish<'_>,
    parsed: bool,
    clock: &Clock,
) -> Result<Value, JsonError> {
    let topic = message.topic.map_or("", |topic| topic.as_str());
    let length = i128::try_from(message.payload.len()).unwrap_or(i128::MAX);
    let mut fields = vec![
        field("tst", Value::Text(clock.iso_with_microseconds())),
        field("topic", Value::Text(topic.to_owned())),
        field("qos", Value::Whole((message.qos as u8).into())),
        field("retain", Value::Bool(message.retain)),
        field("payloadlen", Value::Whole(length)),
    ];
    if let Some(id) = message.packet_id {
        fields.push(field("mid", Value::Whole(id.get().into())));
    }
    if !message.properties.is_empty() {
        fields.push(field("properties", properties(message.properties)));
    }
    let payload = match (message.payload, parsed) {
        ([], _) => Value::Null,
        (payload, true) => Value::parse(payload)?,
        (payload, false) => Value::Bytes(payload.to_vec()),
    };
    fields.push(field("payload", payload));
    Ok(Value::Object(fields))
}

fn field(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

fn properties(properties: Properties<'_>) -> Value {
    let mut fields: Vec<(String, Value)> = Vec::new();
    for property in properties {
        let value = match property {
            Property::PayloadFormatIndicator(text) => Value::Whole(text.into()),
            Property::MessageExpiryInterval(seconds) => Value::Whole(seconds.into()),
            Property::ContentType(text) => Value::Text(text.to_owned()),
            Property::ResponseTopic(topic) => Value::Text(topic.as_str().to_owned()),
            Property::CorrelationData(data) => Value::Bytes(data.to_vec()),
            Property::SubscriptionIdentifier(id) => Value::Whole(id.get().into()),
            Property::TopicAlias(alias) => Value::Whole(alias.into()),
            Property::UserProperty((name, value)) => {
                let pair = Value::Object(vec![field(name, Value::Text(value.to_owned()))]);
                // All of them in one list, which stands where the first one stood.
                let list = fields
                    .iter_mut()
                    .find(|(name, _)| name == "user-properties");
                match list {
                    Some((_, Value::Array(pairs))) => pairs.push(pair),
                    _ => fields.push(field("user-properties", Value::Array(vec![pair]))),
                }
                continue;
            }
            _ => continue,
        };
        fields.push(field(property.id().name(), value));
    }
    Value::Object(fields)
}
