//! A message as tests write it down: to publish, to expect, or to leave as a will.

use mqtt_proto::{PropertiesBuf, Property, Publish, QoS};
use std::fmt;

/// A PUBLISH, or what becomes one.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Where to; empty where a topic alias stands for it.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// 0, 1 or 2.
    pub qos: u8,
    /// The retain flag.
    pub retain: bool,
    /// Whether it may have been sent before.
    pub dup: bool,
    /// The packet identifier; 0 at QoS 0.
    pub id: u16,
    /// All properties, in order.
    pub properties: PropertiesBuf,
}

/// A message of QoS 0 without anything else.
pub fn message(topic: &str, payload: impl AsRef<[u8]>) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: payload.as_ref().to_vec(),
        qos: 0,
        retain: false,
        dup: false,
        id: 0,
        properties: PropertiesBuf::new(),
    }
}

impl Message {
    /// With this QoS.
    #[must_use]
    pub fn qos(self, qos: u8) -> Message {
        Message { qos, ..self }
    }

    /// With this packet identifier.
    #[must_use]
    pub fn id(self, id: u16) -> Message {
        Message { id, ..self }
    }

    /// With the retain flag.
    #[must_use]
    pub fn retained(self) -> Message {
        Message {
            retain: true,
            ..self
        }
    }

    /// With the DUP flag.
    #[must_use]
    pub fn again(self) -> Message {
        Message { dup: true, ..self }
    }

    /// With one more property.
    ///
    /// # Panics
    /// If the property is too long for the wire.
    #[must_use]
    pub fn with(mut self, property: Property<'_>) -> Message {
        self.properties.push(property).expect("it fits the wire");
        self
    }

    /// The payload as text.
    ///
    /// # Panics
    /// If it is not text.
    pub fn text(&self) -> String {
        String::from_utf8(self.payload.clone()).expect("the payload is text")
    }

    /// Its subscription identifiers, in order.
    pub fn identifiers(&self) -> Vec<u32> {
        let of_one = |property| match property {
            Property::SubscriptionIdentifier(id) => Some(id.get()),
            _ => None,
        };
        self.properties.view().iter().filter_map(of_one).collect()
    }

    pub(super) fn of(publish: &Publish<'_>) -> Message {
        Message {
            topic: publish.topic.map_or("", |topic| topic.as_str()).to_owned(),
            payload: publish.payload.to_vec(),
            qos: publish.qos as u8,
            retain: publish.retain,
            dup: publish.dup,
            id: publish.packet_id.map_or(0, mqtt_proto::PacketId::get),
            properties: publish.properties.into(),
        }
    }

    pub(super) fn quality(&self) -> QoS {
        QoS::new(self.qos).expect("a QoS is 0, 1 or 2")
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dup, retain) = (u8::from(self.dup), u8::from(self.retain));
        write!(
            f,
            "(d{dup}, q{}, r{retain}, m{}, '{}', ",
            self.qos, self.id, self.topic
        )?;
        match std::str::from_utf8(&self.payload) {
            Ok(text) if text.len() <= 80 => write!(f, "{text:?}")?,
            _ => write!(f, "{} bytes", self.payload.len())?,
        }
        if !self.properties.view().is_empty() {
            write!(f, ", {:?}", self.properties.view())?;
        }
        f.write_str(")")
    }
}
