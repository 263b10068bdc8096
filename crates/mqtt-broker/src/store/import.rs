//! Mosquitto's own database, versions 5 and 6, read and turned into changes for our store.
//!
//! The file is a header and a row of chunks, each with its kind and length. A chunk is a C
//! structure with its padding, then strings and bytes without an end mark. Numbers of 64 bits and
//! stamps are little end first, as the computers wrote them that Mosquitto runs on; all others
//! are big end first.

use super::tree::MOSQUITTO;
use crate::journal::{
    Batch, Before, Journal, Key, RetainedRecord, SessionRecord, SubscriptionRecord, Value,
};
use crate::message::{Delivery, Identifiers, Message, Number, forwarded};
use crate::payload::Payload;
use crate::time::Time;
use mqtt_proto::flow::State;
use mqtt_proto::{
    Filter, PacketId, Properties, PropertiesBuf, QoS, SubscriptionOptions, Topic, VarInt,
};
use std::collections::HashMap;
use std::sync::Arc;
use thiserror::Error;

/// Why a file cannot be brought over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImportError {
    /// It begins with something else.
    #[error("it is not a database of Mosquitto")]
    Stranger,
    /// It is of another version.
    #[error(
        "it is of version {0}, and only 5 and 6 can be read. Start Mosquitto 2 with it once and stop it, which writes version 6"
    )]
    Version(u32),
    /// It is not whole.
    #[error("it ends in the middle of a chunk, {0} bytes after its beginning")]
    Cut(usize),
}

/// What was in a file.
#[derive(Debug)]
pub struct Imported {
    /// All of it, for an empty store.
    pub batch: Batch,
    /// Sessions.
    pub sessions: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Messages queued or in flight.
    pub deliveries: usize,
    /// Chunks that make no sense and were left out.
    pub skipped: usize,
}

/// Where a message came from: client identifier, user name, listener's port.
type Source = (Arc<str>, Option<Arc<str>>, u16);

struct Import {
    journal: Journal,
    messages: HashMap<u64, (Arc<Message>, Option<Source>)>,
    sessions: HashMap<String, u64>,
    next_serial: u64,
    next_place: u64,
    now: u64,
    imported: Imported,
}

/// Reads a database of Mosquitto's; `now` is in milliseconds since 1970.
///
/// # Errors
/// It is none, or it is not whole.
pub fn read(file: &[u8], now: u64) -> Result<Imported, ImportError> {
    let rest = file.strip_prefix(&MOSQUITTO).ok_or(ImportError::Stranger)?;
    let mut from = Chunk(rest);
    // A checksum that is never set.
    from.u32().ok_or(ImportError::Cut(0))?;
    let version = from.u32().ok_or(ImportError::Cut(0))?;
    if version != 5 && version != 6 {
        return Err(ImportError::Version(version));
    }
    let mut import = Import {
        journal: Journal::new(1, []),
        messages: HashMap::new(),
        sessions: HashMap::new(),
        next_serial: 1,
        next_place: 1,
        now,
        imported: Imported {
            batch: Batch::default(),
            sessions: 0,
            subscriptions: 0,
            retained: 0,
            deliveries: 0,
            skipped: 0,
        },
    };
    while !from.0.is_empty() {
        let at = file.len() - from.0.len();
        let cut = || ImportError::Cut(at);
        let kind = from.u32().ok_or_else(cut)?;
        let length = from.u32().ok_or_else(cut)? as usize;
        let chunk = from.bytes(length).ok_or_else(cut)?;
        if import.take(kind, Chunk(chunk), version).is_none() {
            import.imported.skipped += 1;
        }
    }
    let mut imported = import.imported;
    imported.batch = import.journal.take().unwrap_or_default();
    Ok(imported)
}

impl Import {
    /// Takes one chunk; `None` if it makes no sense.
    fn take(&mut self, kind: u32, chunk: Chunk<'_>, version: u32) -> Option<()> {
        match kind {
            1 => Some(()), // How many messages there have been, which says nothing here.
            2 => self.message(chunk),
            3 => self.delivery(chunk),
            4 => self.retained(chunk),
            5 => self.subscription(chunk),
            6 => self.session(chunk, version),
            _ => None,
        }
    }

    fn message(&mut self, mut from: Chunk<'_>) -> Option<()> {
        let number = from.long()?;
        let expires_at = from.long()?;
        let payload_length = from.u32()? as usize;
        let _packet_id = from.u16()?;
        let id_length = from.u16()?;
        let name_length = from.u16()?;
        let topic_length = from.u16()?;
        let port = from.u16()?;
        let qos = QoS::new(from.u8()?)?;
        let retain = from.u8()? != 0;
        let client_id = from.text(id_length)?;
        let username = from.text(name_length)?;
        let topic = Topic::parse(from.text(topic_length)?).ok()?;
        let payload = from.bytes(payload_length)?;
        let message = Message {
            topic: topic.into(),
            payload: Payload::copy_of(payload),
            properties: forwarded(from.properties()?.view(), &mut PropertiesBuf::new()).into(),
            qos,
            retain,
            expires_at: (expires_at > 0).then(|| Time(expires_at.saturating_mul(1000))),
            number: Number::default(),
        };
        let source = (!client_id.is_empty()).then(|| {
            let username = (!username.is_empty()).then(|| username.into());
            (client_id.into(), username, port)
        });
        self.messages.insert(number, (message.into(), source));
        Some(())
    }

    fn session(&mut self, mut from: Chunk<'_>, version: u32) -> Option<()> {
        let ends_at = from.long()?;
        let expiry = from.u32()?;
        let last_id = from.u16()?;
        let id_length = from.u16()?;
        let (port, name_length) = match version {
            5 => (0, 0),
            _ => (from.u16()?, from.u16()?),
        };
        if version > 5 {
            from.bytes(4)?; // Padding.
        }
        let client_id = from.text(id_length)?;
        let username = from.text(name_length)?;
        if expiry == 0 {
            return Some(());
        }
        // The file says when the session ends; ours, since when its client is away.
        let gone_at = match ends_at {
            0 => self.now,
            ends_at => ends_at
                .saturating_sub(u64::from(expiry))
                .saturating_mul(1000)
                .min(self.now),
        };
        let serial = self.serial(client_id);
        let record = SessionRecord {
            client_id: client_id.into(),
            username: (!username.is_empty()).then(|| username.into()),
            port,
            expiry,
            gone_at: Some(gone_at),
            next_id: match PacketId::new(last_id) {
                Some(last) => last.next(),
                None => PacketId::new(1)?,
            },
            will: None,
        };
        let value = Value::Session(Box::new(record));
        self.journal
            .put(Key::Session(serial), value, Before::Nothing);
        self.imported.sessions += 1;
        Some(())
    }

    fn serial(&mut self, client_id: &str) -> u64 {
        if let Some(&serial) = self.sessions.get(client_id) {
            return serial;
        }
        let serial = self.next_serial;
        self.next_serial += 1;
        self.sessions.insert(client_id.to_owned(), serial);
        serial
    }

    fn delivery(&mut self, mut from: Chunk<'_>) -> Option<()> {
        let number = from.long()?;
        let id = from.u16()?;
        let id_length = from.u16()?;
        let qos = QoS::new(from.u8()?)?;
        let state = from.u8()?;
        let retain = from.u8()? >> 4 != 0;
        let is_outgoing = from.u8()? == 1;
        let client_id = from.text(id_length)?;
        let identifier = from.properties()?.view().subscription_identifier();
        let serial = self.serial(client_id);
        if qos == QoS::AtMostOnce {
            return Some(());
        }
        let (message, _) = self.messages.get(&number)?;
        let id = PacketId::new(id);
        if !is_outgoing {
            let value = Value::Incoming(message.clone());
            let key = Key::Incoming(serial, id?);
            self.journal.put(key, value, Before::Nothing);
            self.imported.deliveries += 1;
            return Some(());
        }
        let delivery = Delivery::new(message.clone(), qos, retain)
            .through(Identifiers::from(identifier), None)
            .at(self.next_place);
        let in_flight = match state {
            2 | 3 => Some(State::AwaitPubAck),
            4 | 5 => Some(State::AwaitPubRec),
            6 | 9 => Some(State::AwaitPubComp),
            11 => None,
            _ => return None,
        };
        let (key, value) = match (in_flight, id) {
            (Some(State::AwaitPubComp), id) => (
                Key::InFlight(serial, id?),
                Value::InFlight(State::AwaitPubComp, None),
            ),
            (Some(state), Some(id)) => (
                Key::InFlight(serial, id),
                Value::InFlight(state, Some(delivery)),
            ),
            (_, _) => {
                self.next_place += 1;
                (Key::Queued(serial, delivery.place), Value::Queued(delivery))
            }
        };
        self.journal.put(key, value, Before::Nothing);
        self.imported.deliveries += 1;
        Some(())
    }

    fn retained(&mut self, mut from: Chunk<'_>) -> Option<()> {
        let (message, source) = self.messages.get(&from.long()?)?;
        if message.topic.starts_with("$SYS/") {
            return Some(());
        }
        self.imported.retained += 1;
        let record = RetainedRecord {
            serial: self.imported.retained as u64,
            source: source.clone(),
        };
        let key = Key::Retained((&*message.topic).into());
        let value = Value::Retained(message.clone(), record);
        self.journal.put(key, value, Before::Nothing);
        Some(())
    }

    fn subscription(&mut self, mut from: Chunk<'_>) -> Option<()> {
        let identifier = from.u32()?;
        let id_length = from.u16()?;
        let filter_length = from.u16()?;
        let qos = from.u8()?;
        let options = from.u8()?;
        from.bytes(2)?; // Padding.
        let client_id = from.text(id_length)?;
        let filter = Filter::parse(from.text(filter_length)?).ok()?;
        let record = SubscriptionRecord {
            options: SubscriptionOptions::from_byte(qos | options & 0x3C)?,
            identifier: VarInt::new(identifier).filter(|_| identifier > 0),
            scan: None,
        };
        let serial = self.serial(client_id);
        self.journal.put(
            Key::Subscription(serial, filter.into()),
            Value::Subscription(record),
            Before::Nothing,
        );
        self.imported.subscriptions += 1;
        Some(())
    }
}

/// What is left of a chunk.
struct Chunk<'a>(&'a [u8]);

impl<'a> Chunk<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number that was written as it lay in memory.
    fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self, length: u16) -> Option<&'a str> {
        std::str::from_utf8(self.bytes(usize::from(length))?).ok()
    }

    /// Properties as in a PUBLISH, behind their length; nothing at all where there are none.
    fn properties(&mut self) -> Option<PropertiesBuf> {
        if self.0.is_empty() {
            return Some(PropertiesBuf::new());
        }
        let mut length = 0usize;
        for at in 0..4 {
            let byte = self.u8()?;
            length |= usize::from(byte & 0x7F) << (7 * at);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let raw = self.bytes(length)?;
        Some(Properties::of_publish(raw).ok()?.into())
    }
}
