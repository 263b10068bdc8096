//! The stored form: bytes for every key and value, apart from the types that the engine works with.
//!
//! A key begins with its kind, then the session's number, big end first, so that what belongs
//! together lies together and in order. A value ends with a checksum over its key and itself:
//! what can be read back was written so.

use crate::journal::{
    Key, RetainedRecord, ScanRecord, SessionRecord, SubscriptionRecord, Value, WillRecord,
};
use crate::message::{Identifiers, Message, Number};
use crate::payload::Payload;
use crate::time::Time;
use mqtt_proto::flow::State;
use mqtt_proto::{Filter, PacketId, Properties, QoS, SubscriptionOptions, Topic, VarInt};
use std::sync::Arc;

/// What the first byte of a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The version of the form; the first entry of all.
    Version = 0,
    /// A session.
    Session = 1,
    /// A subscription.
    Subscription = 2,
    /// A message in a queue.
    Queued = 3,
    /// A message on its way to a client.
    InFlight = 4,
    /// A message of QoS 2 that was not released.
    Incoming = 5,
    /// What is retained of a topic.
    Retained = 6,
    /// A message, which others refer to by its number.
    Message = 7,
}

/// A delivery whose message is known by its number only.
#[derive(Debug)]
pub struct StoredDelivery {
    /// The number of its message.
    pub message: u64,
    /// What the message counts for in byte limits.
    pub size: u32,
    /// What it is sent with.
    pub qos: QoS,
    /// The flag it is sent with.
    pub retain: bool,
    /// Those of the subscriptions it is for.
    pub identifiers: Identifiers,
    /// The shared subscription it came through.
    pub share: Option<Arc<Filter>>,
}

/// The first key of a kind; the first of the next kind ends its range.
pub fn start_of(kind: u8) -> [u8; 1] {
    [kind]
}

/// The key of a message.
pub fn message_key(number: u64) -> [u8; 9] {
    numbered(Kind::Message, number)
}

/// The number in the key of a message.
pub fn message_number(key: &[u8]) -> Option<u64> {
    let (kind, number) = key.split_first()?;
    let number = number.try_into().map(u64::from_be_bytes).ok()?;
    (*kind == Kind::Message as u8).then_some(number)
}

/// A kind and a number: the key of a message, or what all keys of a session begin with.
pub fn numbered(kind: Kind, number: u64) -> [u8; 9] {
    let mut key = [0; 9];
    key[0] = kind as u8;
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The bytes of a key.
pub fn key_bytes(key: &Key) -> Vec<u8> {
    let of_session = |kind, serial: u64, rest: &[u8]| [&numbered(kind, serial), rest].concat();
    match key {
        Key::Session(serial) => numbered(Kind::Session, *serial).to_vec(),
        Key::Subscription(serial, filter) => {
            of_session(Kind::Subscription, *serial, filter.as_bytes())
        }
        Key::Queued(serial, place) => of_session(Kind::Queued, *serial, &place.to_be_bytes()),
        Key::InFlight(serial, id) => of_session(Kind::InFlight, *serial, &id.get().to_be_bytes()),
        Key::Incoming(serial, id) => of_session(Kind::Incoming, *serial, &id.get().to_be_bytes()),
        Key::Retained(topic) => [&[Kind::Retained as u8], topic.as_bytes()].concat(),
    }
}

/// Reads a key of the engine's; `None` for any other.
pub fn parse_key(bytes: &[u8]) -> Option<Key> {
    let (&kind, rest) = bytes.split_first()?;
    if kind == Kind::Retained as u8 {
        let topic = Topic::parse(std::str::from_utf8(rest).ok()?).ok()?;
        return Some(Key::Retained(topic.into()));
    }
    let (serial, rest) = rest.split_first_chunk::<8>()?;
    let serial = u64::from_be_bytes(*serial);
    let id = || PacketId::new(u16::from_be_bytes(rest.try_into().ok()?));
    match kind {
        1 if rest.is_empty() => Some(Key::Session(serial)),
        2 => {
            let filter = Filter::parse(std::str::from_utf8(rest).ok()?).ok()?;
            Some(Key::Subscription(serial, filter.into()))
        }
        3 => Some(Key::Queued(
            serial,
            u64::from_be_bytes(rest.try_into().ok()?),
        )),
        4 => Some(Key::InFlight(serial, id()?)),
        5 => Some(Key::Incoming(serial, id()?)),
        _ => None,
    }
}

/// The bytes of a value; `message` is the number of the message that it refers to.
pub fn value_bytes(key: &[u8], value: &Value, message: u64) -> Vec<u8> {
    let mut out = Writer::default();
    match value {
        Value::Session(session) => write_session(&mut out, session),
        Value::Subscription(subscription) => write_subscription(&mut out, subscription),
        Value::Queued(delivery) => write_delivery(&mut out, delivery, message),
        Value::InFlight(state, delivery) => {
            out.u8(match state {
                State::AwaitPubAck => 1,
                State::AwaitPubRec => 2,
                State::AwaitPubComp => 3,
            });
            if let Some(delivery) = delivery {
                write_delivery(&mut out, delivery, message);
            }
        }
        Value::Incoming(_) => out.u64(message),
        Value::Retained(_, record) => {
            out.u64(message);
            out.u64(record.serial);
            out.bool(record.source.is_some());
            if let Some((client_id, username, port)) = &record.source {
                out.text(client_id);
                out.option(username.as_deref(), Writer::text);
                out.u16(*port);
            }
        }
    }
    out.sealed(key)
}

/// The bytes of a message.
pub fn message_bytes(key: &[u8], message: &Message) -> Vec<u8> {
    let mut out = Writer::default();
    write_message(&mut out, message);
    out.sealed(key)
}

/// What is stored of a content under a key: itself and a checksum.
pub fn sealed(key: &[u8], content: Vec<u8>) -> Vec<u8> {
    Writer(content).sealed(key)
}

/// The content of what is stored under a key, if its checksum is right.
pub fn unsealed<'a>(key: &[u8], value: &'a [u8]) -> Option<&'a [u8]> {
    Reader::unsealed(key, value).map(|reader| reader.0)
}

/// The bytes of the version's entry.
pub fn version_bytes(version: u32) -> Vec<u8> {
    let mut out = Writer::default();
    out.u32(version);
    out.sealed(&start_of(Kind::Version as u8))
}

/// Reads the version's entry.
pub fn parse_version(value: &[u8]) -> Option<u32> {
    let mut from = Reader::unsealed(&start_of(Kind::Version as u8), value)?;
    let version = from.u32()?;
    from.ended(version)
}

fn write_session(out: &mut Writer, session: &SessionRecord) {
    out.text(&session.client_id);
    out.option(session.username.as_deref(), Writer::text);
    out.u16(session.port);
    out.u32(session.expiry);
    out.option(session.gone_at, Writer::u64);
    out.u16(session.next_id.get());
    out.bool(session.will.is_some());
    if let Some(will) = &session.will {
        write_message(out, &will.message);
        out.option(will.expiry, Writer::u32);
        out.u32(will.delay);
    }
}

/// Reads a session.
pub fn parse_session(key: &[u8], value: &[u8]) -> Option<SessionRecord> {
    let mut from = Reader::unsealed(key, value)?;
    let session = SessionRecord {
        client_id: from.text()?.into(),
        username: from.option(Reader::text)?.map(Arc::from),
        port: from.u16()?,
        expiry: from.u32()?,
        gone_at: from.option(Reader::u64)?,
        next_id: PacketId::new(from.u16()?)?,
        will: match from.bool()? {
            false => None,
            true => Some(WillRecord {
                message: parse_message_from(&mut from, 0, None)?.into(),
                expiry: from.option(Reader::u32)?,
                delay: from.u32()?,
            }),
        },
    };
    from.ended(session)
}

fn write_subscription(out: &mut Writer, subscription: &SubscriptionRecord) {
    out.u8(subscription.options.to_byte());
    out.option(subscription.identifier.map(VarInt::get), Writer::u32);
    out.bool(subscription.scan.is_some());
    if let Some(scan) = &subscription.scan {
        out.option(scan.after.as_deref().map(Topic::as_str), Writer::text);
        out.u64(scan.until);
    }
}

/// Reads a subscription.
pub fn parse_subscription(key: &[u8], value: &[u8]) -> Option<SubscriptionRecord> {
    let mut from = Reader::unsealed(key, value)?;
    let options = SubscriptionOptions::from_byte(from.u8()?)?;
    let identifier = match from.option(Reader::u32)? {
        Some(number) => Some(VarInt::new(number)?),
        None => None,
    };
    let scan = match from.bool()? {
        false => None,
        true => Some(ScanRecord {
            after: match from.option(Reader::text)? {
                Some(topic) => Some(Topic::parse(topic).ok()?.into()),
                None => None,
            },
            until: from.u64()?,
        }),
    };
    from.ended(SubscriptionRecord {
        options,
        identifier,
        scan,
    })
}

fn write_delivery(out: &mut Writer, delivery: &crate::message::Delivery, message: u64) {
    out.u64(message);
    out.u32(u32::try_from(delivery.message.size()).unwrap_or(u32::MAX));
    out.u8(delivery.qos as u8);
    out.bool(delivery.retain);
    let identifiers = delivery.identifiers();
    out.u32(u32::try_from(identifiers.len()).unwrap_or(u32::MAX));
    for id in identifiers {
        out.u32(id.get());
    }
    out.option(delivery.share().map(|filter| filter.as_str()), Writer::text);
}

/// Reads a delivery in a queue.
pub fn parse_queued(key: &[u8], value: &[u8]) -> Option<StoredDelivery> {
    let mut from = Reader::unsealed(key, value)?;
    let delivery = parse_delivery_from(&mut from)?;
    from.ended(delivery)
}

/// Reads how far a message has come on its way to a client, and what it is until PUBREC.
pub fn parse_in_flight(key: &[u8], value: &[u8]) -> Option<(State, Option<StoredDelivery>)> {
    let mut from = Reader::unsealed(key, value)?;
    let state = match from.u8()? {
        1 => State::AwaitPubAck,
        2 => State::AwaitPubRec,
        3 => return from.ended((State::AwaitPubComp, None)),
        _ => return None,
    };
    let delivery = parse_delivery_from(&mut from)?;
    from.ended((state, Some(delivery)))
}

fn parse_delivery_from(from: &mut Reader<'_>) -> Option<StoredDelivery> {
    Some(StoredDelivery {
        message: from.u64()?,
        size: from.u32()?,
        qos: QoS::new(from.u8()?)?,
        retain: from.bool()?,
        identifiers: {
            let mut identifiers = Identifiers::None;
            for _ in 0..from.u32()? {
                identifiers.push(VarInt::new(from.u32()?)?);
            }
            identifiers
        },
        share: match from.option(Reader::text)? {
            Some(filter) => Some(Filter::parse(filter).ok()?.into()),
            None => None,
        },
    })
}

/// Reads the number of a message that was not released.
pub fn parse_incoming(key: &[u8], value: &[u8]) -> Option<u64> {
    let mut from = Reader::unsealed(key, value)?;
    let message = from.u64()?;
    from.ended(message)
}

/// Reads what is known of a retained message, and the number of that.
pub fn parse_retained(key: &[u8], value: &[u8]) -> Option<(u64, RetainedRecord)> {
    let mut from = Reader::unsealed(key, value)?;
    let message = from.u64()?;
    let serial = from.u64()?;
    let source = match from.bool()? {
        false => None,
        true => Some((
            from.text()?.into(),
            from.option(Reader::text)?.map(Arc::from),
            from.u16()?,
        )),
    };
    from.ended((message, RetainedRecord { serial, source }))
}

fn write_message(out: &mut Writer, message: &Message) {
    out.text(&message.topic);
    out.bytes(&message.payload);
    out.bytes(message.properties.view().as_bytes());
    out.u8(message.qos as u8);
    out.bool(message.retain);
    out.option(message.expires_at.map(|time| time.0), Writer::u64);
}

/// Reads a message, which is stored under `number`.
///
/// If its topic is `known`, it shares that name.
pub fn parse_message(
    key: &[u8],
    value: &[u8],
    number: u64,
    known: Option<&Arc<Topic>>,
) -> Option<Message> {
    let mut from = Reader::unsealed(key, value)?;
    let message = parse_message_from(&mut from, number, known)?;
    from.ended(message)
}

fn parse_message_from(
    from: &mut Reader<'_>,
    number: u64,
    known: Option<&Arc<Topic>>,
) -> Option<Message> {
    let topic = from.bytes()?;
    let known = known.filter(|known| known.as_bytes() == topic);
    Some(Message {
        topic: match known {
            Some(known) => known.clone(),
            None => Topic::parse(std::str::from_utf8(topic).ok()?).ok()?.into(),
        },
        payload: Payload::copy_of(from.bytes()?),
        properties: Properties::of_publish(from.bytes()?).ok()?.into(),
        qos: QoS::new(from.u8()?)?,
        retain: from.bool()?,
        expires_at: from.option(Reader::u64)?.map(Time),
        number: Number::new(number),
    })
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    fn bytes(&mut self, value: &[u8]) {
        // Nothing that came in one packet reaches 4 GiB.
        self.u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.0.extend_from_slice(value);
    }

    fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    fn option<T>(&mut self, value: Option<T>, write: fn(&mut Writer, T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn sealed(mut self, key: &[u8]) -> Vec<u8> {
        let sum = checksum(key, &self.0);
        self.u32(sum);
        self.0
    }
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(key);
    sum.update(value);
    sum.finalize()
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The content of a value, if its checksum is right.
    fn unsealed(key: &[u8], value: &'a [u8]) -> Option<Reader<'a>> {
        let (content, sum) = value.split_last_chunk::<4>()?;
        (u32::from_be_bytes(*sum) == checksum(key, content)).then_some(Reader(content))
    }

    /// What was read, if nothing is left.
    fn ended<T>(&self, read: T) -> Option<T> {
        self.0.is_empty().then_some(read)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u32()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    fn option<T>(&mut self, read: fn(&mut Reader<'a>) -> Option<T>) -> Option<Option<T>> {
        match self.bool()? {
            false => Some(None),
            true => read(self).map(Some),
        }
    }
}
