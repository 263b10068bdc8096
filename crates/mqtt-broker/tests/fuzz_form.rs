//! The stored form, broken in small ways: what is read back was written so, and nothing panics.

use mqtt_broker::journal::{
    Key, RetainedRecord, ScanRecord, SessionRecord, SubscriptionRecord, Value, WillRecord,
};
use mqtt_broker::message::{Delivery, Identifiers, Message, Number};
use mqtt_broker::store::form::{self, StoredDelivery};
use mqtt_broker::time::Time;
use mqtt_proto::flow::State;
use mqtt_proto::{
    Filter, PacketId, PropertiesBuf, Property, QoS, SubscriptionOptions, Topic, VarInt,
};
use mqtt_testkit::fuzz::{Random, Target, check};
use mqtt_testkit::sample::Choices;
use std::sync::Arc;

fn topic(choices: &mut Choices<'_>) -> Box<Topic> {
    Topic::parse(&choices.topic())
        .expect("it is a topic")
        .into()
}

fn filter(choices: &mut Choices<'_>) -> Box<Filter> {
    Filter::parse(&choices.filter())
        .expect("it is a filter")
        .into()
}

fn number(choices: &mut Choices<'_>) -> u64 {
    u64::from(choices.u32()) << choices.below(33)
}

fn packet_id(choices: &mut Choices<'_>) -> PacketId {
    PacketId::new(choices.u16().max(1)).expect("it is not 0")
}

fn identifier(choices: &mut Choices<'_>) -> VarInt {
    VarInt::new(choices.u32() % 0x0FFF_FFFF + 1).expect("it fits")
}

fn qos(choices: &mut Choices<'_>) -> QoS {
    choices.one_of(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn maybe<T>(choices: &mut Choices<'_>, make: fn(&mut Choices<'_>) -> T) -> Option<T> {
    choices.flag().then(|| make(choices))
}

fn name(choices: &mut Choices<'_>) -> Arc<str> {
    choices.text(8).into()
}

fn message(choices: &mut Choices<'_>) -> Arc<Message> {
    let mut properties = PropertiesBuf::new();
    for _ in 0..choices.below(3) {
        let (name, value) = (choices.text(3), choices.text(9));
        let pair = Property::UserProperty((&name, &value));
        properties.push(pair).expect("it is short");
    }
    Arc::new(Message {
        topic: (&*topic(choices)).into(),
        payload: choices.blob().into(),
        properties,
        qos: qos(choices),
        retain: choices.flag(),
        expires_at: maybe(choices, number).map(Time),
        number: Number::default(),
    })
}

fn delivery(choices: &mut Choices<'_>) -> Delivery {
    let delivery = Delivery::new(message(choices), qos(choices), choices.flag());
    let mut identifiers = Identifiers::None;
    for _ in 0..choices.below(4) {
        identifiers.push(identifier(choices));
    }
    delivery.through(identifiers, maybe(choices, filter).map(Arc::from))
}

fn session(choices: &mut Choices<'_>) -> SessionRecord {
    SessionRecord {
        client_id: name(choices),
        username: maybe(choices, name),
        port: choices.u16(),
        expiry: choices.u32(),
        gone_at: maybe(choices, number),
        next_id: packet_id(choices),
        will: maybe(choices, |choices| WillRecord {
            message: message(choices),
            expiry: choices.flag().then(|| choices.u32()),
            delay: choices.u32(),
        }),
    }
}

fn subscription(choices: &mut Choices<'_>) -> SubscriptionRecord {
    SubscriptionRecord {
        options: SubscriptionOptions {
            qos: qos(choices),
            no_local: choices.flag(),
            retain_as_published: choices.flag(),
            ..SubscriptionOptions::default()
        },
        identifier: maybe(choices, identifier),
        scan: maybe(choices, |choices| ScanRecord {
            after: maybe(choices, topic),
            until: number(choices),
        }),
    }
}

/// Anything that can be stored under a key of the engine's.
fn entry(choices: &mut Choices<'_>) -> (Key, Value) {
    let serial = number(choices);
    match choices.below(6) {
        0 => (
            Key::Session(serial),
            Value::Session(session(choices).into()),
        ),
        1 => (
            Key::Subscription(serial, filter(choices)),
            Value::Subscription(subscription(choices)),
        ),
        2 => (
            Key::Queued(serial, number(choices)),
            Value::Queued(delivery(choices)),
        ),
        3 => {
            let state =
                choices.one_of(&[State::AwaitPubAck, State::AwaitPubRec, State::AwaitPubComp]);
            let has_message = state != State::AwaitPubComp;
            (
                Key::InFlight(serial, packet_id(choices)),
                Value::InFlight(state, has_message.then(|| delivery(choices))),
            )
        }
        4 => (
            Key::Incoming(serial, packet_id(choices)),
            Value::Incoming(message(choices)),
        ),
        _ => (
            Key::Retained(topic(choices)),
            Value::Retained(
                message(choices),
                RetainedRecord {
                    serial,
                    source: maybe(choices, |choices| {
                        (name(choices), maybe(choices, name), choices.u16())
                    }),
                },
            ),
        ),
    }
}

/// A value with this message and size in the place of its own, which the form does not have.
fn whole(stored: StoredDelivery) -> Option<(u64, Delivery)> {
    let payload = usize::try_from(stored.size).ok()?.checked_sub(1)?;
    let message = Message {
        topic: Topic::parse("t").expect("it is a topic").into(),
        payload: vec![0; (payload < 100_000).then_some(payload)?].into(),
        properties: PropertiesBuf::new(),
        qos: QoS::AtMostOnce,
        retain: false,
        expires_at: None,
        number: Number::default(),
    };
    let delivery = Delivery::new(Arc::new(message), stored.qos, stored.retain);
    let delivery = delivery.through(stored.identifiers, stored.share);
    Some((stored.message, delivery))
}

/// Reads an entry and writes what was read; `None` if it makes no sense, or is too large.
fn again(key: &[u8], value: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    const MESSAGE: u8 = 7;
    if key.first() == Some(&MESSAGE) {
        let number = u64::from_be_bytes(key[1..].try_into().ok()?);
        let message = form::parse_message(key, value, number, None)?;
        let key = form::message_key(number).to_vec();
        let value = form::message_bytes(&key, &message);
        return Some((key, value));
    }
    if key == form::start_of(0) {
        let version = form::parse_version(value)?;
        return Some((key.to_vec(), form::version_bytes(version)));
    }
    let parsed = form::parse_key(key)?;
    let (number, content) = match &parsed {
        Key::Session(_) => (0, Value::Session(form::parse_session(key, value)?.into())),
        Key::Subscription(..) => {
            let record = form::parse_subscription(key, value)?;
            (0, Value::Subscription(record))
        }
        Key::Queued(..) => {
            let (number, delivery) = whole(form::parse_queued(key, value)?)?;
            (number, Value::Queued(delivery))
        }
        Key::InFlight(..) => match form::parse_in_flight(key, value)? {
            (state, Some(stored)) => {
                let (number, delivery) = whole(stored)?;
                (number, Value::InFlight(state, Some(delivery)))
            }
            (state, None) => (0, Value::InFlight(state, None)),
        },
        Key::Incoming(..) => {
            let number = form::parse_incoming(key, value)?;
            (number, Value::Incoming(message(&mut Choices::new(&[]))))
        }
        Key::Retained(_) => {
            let (number, record) = form::parse_retained(key, value)?;
            let message = message(&mut Choices::new(&[]));
            (number, Value::Retained(message, record))
        }
    };
    let key = form::key_bytes(&parsed);
    let value = form::value_bytes(&key, &content, number);
    Some((key, value))
}

/// The length of the key, the key, the content.
const FORM: Target = Target {
    name: "stored form",
    make: |choices, input| {
        let (key, value) = match choices.below(8) {
            0 => {
                let key = form::message_key(number(choices)).to_vec();
                let value = form::message_bytes(&key, &message(choices));
                (key, value)
            }
            1 => (vec![0], form::version_bytes(choices.u32())),
            _ => {
                let (key, value) = entry(choices);
                let key = form::key_bytes(&key);
                let value = form::value_bytes(&key, &value, number(choices));
                (key, value)
            }
        };
        let content = form::unsealed(&key, &value).expect("it was sealed");
        input.push(u8::try_from(key.len()).unwrap_or(u8::MAX));
        input.extend_from_slice(&key);
        input.extend_from_slice(content);
    },
    words: &[
        b"\0\0\0\0\0\0\0\x01",
        b"\xFF\xFF\xFF\xFF",
        b"\0\0\0\x01a",
        b"$share/g/",
        b"\x01",
        b"\x02",
    ],
    run: |input| {
        let Some((&length, rest)) = input.split_first() else {
            return;
        };
        let (key, content) = rest.split_at(usize::from(length).min(rest.len()));
        // Bytes that nobody has sealed.
        assert_eq!(again(key, content), None);
        let value = form::sealed(key, content.to_vec());
        assert_eq!(form::unsealed(key, &value), Some(content));
        if let Some(written) = again(key, &value) {
            assert_eq!(written, (key.to_vec(), value.clone()));
        }
        // One byte is not what it was.
        let sum = input
            .iter()
            .fold(0_usize, |sum, &byte| sum * 31 % 65_521 + usize::from(byte));
        let mut changed = value.clone();
        let at = sum % changed.len();
        changed[at] ^= u8::try_from(sum % 255).expect("it is a byte") + 1;
        assert_eq!(form::unsealed(key, &changed), None);
        if !key.is_empty() {
            let mut other = key.to_vec();
            other[sum % key.len()] ^= 1;
            assert_eq!(form::unsealed(&other, &value), None);
        }
    },
};

#[test]
fn fuzz_form() {
    check(&FORM, 20_000);
}

#[test]
fn what_is_written_is_read_back() {
    let mut read = 0;
    for seed in 0..5_000 {
        let mut entropy = [0; 256];
        Random::new(seed).fill(&mut entropy);
        let (key, value) = entry(&mut Choices::new(&entropy));
        let number = if value.message().is_some() { 77 } else { 0 };
        let key_bytes = form::key_bytes(&key);
        let bytes = form::value_bytes(&key_bytes, &value, number);
        let parsed = form::parse_key(&key_bytes).expect("the key was written so");
        assert_eq!(parsed, key);
        match again(&key_bytes, &bytes) {
            Some(written) => assert_eq!(written, (key_bytes, bytes), "seed {seed}"),
            None => panic!("seed {seed}: {key:?} {value:?}"),
        }
        if let Some(message) = value.message() {
            let key = form::message_key(number);
            let bytes = form::message_bytes(&key, message);
            // Whether its topic is known or not, and also if another one is.
            let other = Topic::parse("another").expect("it is a topic").into();
            let known = match seed % 3 {
                0 => None,
                1 => Some(&message.topic),
                _ => Some(&other),
            };
            let found = form::parse_message(&key, &bytes, number, known);
            let found = found.expect("it was written so");
            let words = |message: &Message| {
                format!(
                    "{:?}",
                    (
                        &message.topic,
                        &message.payload,
                        &message.properties,
                        message.qos,
                        message.retain,
                        message.expires_at
                    )
                )
            };
            assert_eq!(words(&found), words(message));
            read += 1;
        }
    }
    assert!(read > 1_000, "only {read} messages");
}
