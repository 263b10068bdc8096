//! A message as the broker keeps it, and one delivery of it to one session.

use crate::payload::Payload;
use crate::time::Time;
use bytes::Bytes;
use mqtt_proto::{Filter, Properties, PropertiesBuf, Property, QoS, Topic, VarInt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A message that must outlive the bytes it came in: retained, queued, in flight, or a will.
#[derive(Debug)]
pub struct Message {
    /// Where it was published to; messages to the same topic may share its name.
    pub topic: Arc<Topic>,
    /// What was published.
    pub payload: Payload,
    /// What is forwarded untouched: all properties but topic alias, expiry and subscription
    /// identifiers, which belong to one hop.
    pub properties: PropertiesBuf,
    /// As published.
    pub qos: QoS,
    /// As published.
    pub retain: bool,
    /// When its message expiry interval ends.
    pub expires_at: Option<Time>,
    /// Under which number it is stored.
    pub number: Number,
}

/// The number of a stored message; 0 while it is not stored. Only the engine looks at it and
/// changes it.
#[derive(Debug, Default)]
pub struct Number {
    stored: AtomicU64,
    noted: AtomicU64,
}

impl Number {
    /// A message that is stored.
    pub fn new(number: u64) -> Number {
        Number {
            stored: AtomicU64::new(number),
            noted: AtomicU64::new(0),
        }
    }

    /// The number, or 0.
    pub fn get(&self) -> u64 {
        self.stored.load(Ordering::Relaxed)
    }

    /// It is stored, or (0) it is no longer.
    pub fn set(&self, number: u64) {
        self.stored.store(number, Ordering::Relaxed);
    }

    /// Which change of the journal was the first that referred to it: this one, if none was
    /// before.
    pub fn first_noted(&self, change: u64) -> u64 {
        let first = self.noted.load(Ordering::Relaxed);
        if first > 0 {
            return first;
        }
        self.noted.store(change, Ordering::Relaxed);
        change
    }
}

impl Message {
    /// Whether its time is over.
    pub fn is_expired(&self, now: Time) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// What it counts for in byte limits: topic, properties and payload.
    pub fn size(&self) -> usize {
        self.topic.len() + self.properties.view().as_bytes().len() + self.payload.len()
    }
}

/// A message on its way through the engine: borrowed from the packet it came in, or from a
/// [`Message`] that is sent again.
#[derive(Clone, Copy, Debug)]
pub struct Publication<'a> {
    /// Where to.
    pub topic: &'a Topic,
    /// What.
    pub payload: &'a [u8],
    /// The buffer that `payload` lies in, where it may be kept instead of copied.
    pub owner: Option<&'a Bytes>,
    /// See [`Message::properties`].
    pub properties: Properties<'a>,
    /// As published.
    pub qos: QoS,
    /// As published.
    pub retain: bool,
    /// When it expires.
    pub expires_at: Option<Time>,
}

impl<'a> Publication<'a> {
    /// A view of a kept message.
    pub fn of(message: &'a Message) -> Publication<'a> {
        Publication {
            topic: &message.topic,
            payload: &message.payload,
            owner: message.payload.owner(),
            properties: message.properties.view(),
            qos: message.qos,
            retain: message.retain,
            expires_at: message.expires_at,
        }
    }

    /// Makes it last.
    pub fn to_message(self) -> Message {
        self.to_message_on(self.topic.into())
    }

    /// Makes it last in the place of another message, which has its topic already.
    pub fn replace(self, message: &mut Message) {
        match self.owner {
            Some(owner) => message.payload = owner.slice_ref(self.payload).into(),
            None => message.payload.set(self.payload),
        }
        message.properties.replace(self.properties);
        message.qos = self.qos;
        message.retain = self.retain;
        message.expires_at = self.expires_at;
        message.number = Number::default();
    }

    /// A message of QoS 1 with nothing special about it.
    #[cfg(test)]
    pub(crate) fn plain(topic: &'a str, payload: &'a [u8]) -> Publication<'a> {
        Publication {
            topic: Topic::parse(topic).expect("it is a topic"),
            payload,
            owner: None,
            properties: Properties::EMPTY,
            qos: QoS::AtLeastOnce,
            retain: false,
            expires_at: None,
        }
    }

    /// Makes it last; `topic` is its topic, where somebody has it already.
    pub fn to_message_on(self, topic: Arc<Topic>) -> Message {
        Message {
            topic,
            payload: match self.owner {
                Some(owner) => owner.slice_ref(self.payload).into(),
                None => Payload::copy_of(self.payload),
            },
            properties: self.properties.into(),
            qos: self.qos,
            retain: self.retain,
            expires_at: self.expires_at,
            number: Number::default(),
        }
    }
}

/// The properties of a PUBLISH that go on to its receivers (MQTT 5, 3.3.2.3).
///
/// Nothing is copied unless the packet carries a property of this hop.
pub fn forwarded<'a>(properties: Properties<'a>, scratch: &'a mut PropertiesBuf) -> Properties<'a> {
    let is_of_hop = |property: &Property<'_>| {
        matches!(
            property,
            Property::TopicAlias(_)
                | Property::MessageExpiryInterval(_)
                | Property::SubscriptionIdentifier(_)
                | Property::WillDelayInterval(_)
        )
    };
    if properties.is_empty() || !properties.iter().any(|property| is_of_hop(&property)) {
        return properties;
    }
    scratch.clear();
    for property in properties.iter().filter(|property| !is_of_hop(property)) {
        // What came off the wire fits the wire again.
        let _ = scratch.push(property);
    }
    scratch.view()
}

/// The subscription identifiers that one delivery carries (MQTT 5, 3.3.4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Identifiers {
    /// None of the subscriptions has one.
    #[default]
    None,
    /// One subscription, one identifier.
    One(VarInt),
    /// Overlapping subscriptions that are served with one message.
    Many(Box<[VarInt]>),
}

impl Identifiers {
    /// The identifiers in order.
    pub fn as_slice(&self) -> &[VarInt] {
        match self {
            Identifiers::None => &[],
            Identifiers::One(id) => std::slice::from_ref(id),
            Identifiers::Many(ids) => ids,
        }
    }

    /// Whether there are none.
    pub fn is_none(&self) -> bool {
        *self == Identifiers::None
    }

    /// Adds one.
    pub fn push(&mut self, id: VarInt) {
        *self = match std::mem::take(self) {
            Identifiers::None => Identifiers::One(id),
            Identifiers::One(first) => Identifiers::Many(Box::new([first, id])),
            Identifiers::Many(ids) => ids
                .iter()
                .copied()
                .chain([id])
                .collect::<Vec<_>>()
                .into_boxed_slice()
                .into(),
        };
    }
}

impl From<Box<[VarInt]>> for Identifiers {
    fn from(ids: Box<[VarInt]>) -> Identifiers {
        Identifiers::Many(ids)
    }
}

impl From<Option<VarInt>> for Identifiers {
    fn from(id: Option<VarInt>) -> Identifiers {
        id.map_or(Identifiers::None, Identifiers::One)
    }
}

/// One message for one session: queued, or in flight.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What.
    pub message: Arc<Message>,
    /// The lower of the message's and the subscription's.
    pub qos: QoS,
    /// The flag it is sent with.
    pub retain: bool,
    /// Its place in the stored queue of the session, or, once it is sent, the journal's ticket for it; 0
    /// if it has none.
    pub place: u64,
    /// What few have: queues are long, so it takes no room in the others.
    origin: Option<Box<Origin>>,
}

/// What a delivery has of the subscriptions that it came through.
#[derive(Clone, Debug)]
struct Origin {
    identifiers: Identifiers,
    share: Option<Arc<Filter>>,
}

impl Delivery {
    /// A delivery that is not stored.
    pub fn new(message: Arc<Message>, qos: QoS, retain: bool) -> Delivery {
        Delivery {
            message,
            qos,
            retain,
            place: 0,
            origin: None,
        }
    }

    /// The same through subscriptions with these identifiers, one of which may be shared.
    #[inline]
    pub fn through(self, identifiers: Identifiers, share: Option<Arc<Filter>>) -> Delivery {
        let has_origin = !identifiers.is_none() || share.is_some();
        Delivery {
            origin: has_origin.then(|| Box::new(Origin { identifiers, share })),
            ..self
        }
    }

    /// The same at a place of a stored queue.
    pub fn at(self, place: u64) -> Delivery {
        Delivery { place, ..self }
    }

    /// The subscription identifiers that it carries.
    pub fn identifiers(&self) -> &[VarInt] {
        let origin = self.origin.as_ref();
        origin.map_or(&[], |origin| origin.identifiers.as_slice())
    }

    /// The shared subscription that it came through: another member can take it over.
    pub fn share(&self) -> Option<&Arc<Filter>> {
        self.origin.as_ref()?.share.as_ref()
    }
}
