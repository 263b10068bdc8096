//! Messages that a session keeps: encoded once, so that sending them again is a copy.

use crate::client::{Limits, MAX_PACKET_SIZE, PublishError};
use crate::{Filter, Packet, PacketId, Publish, QoS, Version, decode};

/// Holds the place of an identifier that is not known yet.
pub(super) const ANY_ID: PacketId = PacketId::new(1).expect("one is not zero");

/// What holds a packet identifier until the server has answered.
#[derive(Clone, Debug)]
pub(super) enum InFlight {
    /// A PUBLISH at QoS 1 or 2.
    Message(Stored),
    /// A SUBSCRIBE: the place of its filters in the session's list, and how many they were.
    Subscribe { index: usize, filters: usize },
    /// An UNSUBSCRIBE of these filters.
    Unsubscribe(Vec<Box<Filter>>),
}

/// A PUBLISH at QoS 1 or 2 in its wire form.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub tag: u64,
    pub qos: QoS,
    pub retain: bool,
    alias: Option<u16>,
    packet: Box<[u8]>,
    id_at: usize,
}

impl Stored {
    pub fn new(tag: u64, publish: &Publish<'_>, version: Version) -> Result<Stored, PublishError> {
        let publish = Publish {
            packet_id: Some(ANY_ID),
            dup: false,
            ..*publish
        };
        let mut packet = Vec::with_capacity(publish.payload.len() + 64);
        publish.encode_head(version, &mut packet)?;
        let properties = if version.is_v5() {
            publish.properties.wire_len()
        } else {
            0
        };
        let id_at = packet.len() - properties - 2;
        packet.extend_from_slice(publish.payload);
        Ok(Stored {
            tag,
            qos: publish.qos,
            retain: publish.retain,
            alias: alias(&publish, version),
            packet: packet.into(),
            id_at,
        })
    }

    /// Appends the packet under this identifier, and returns where in `out` the identifier stands.
    pub fn encode(&self, id: PacketId, dup: bool, out: &mut Vec<u8>) -> usize {
        let start = out.len();
        out.extend_from_slice(&self.packet);
        out[start] |= u8::from(dup) << 3;
        let id_at = start + self.id_at;
        out[id_at..id_at + 2].copy_from_slice(&id.get().to_be_bytes());
        id_at
    }

    /// Whether a server with these limits takes it.
    pub fn check(&self, limits: &Limits) -> Result<(), PublishError> {
        limits.check_alias(self.alias)?;
        limits.check(self.qos, self.retain, self.packet.len())
    }
}

/// The topic alias that this message has on the wire.
pub(super) fn alias(publish: &Publish<'_>, version: Version) -> Option<u16> {
    publish.properties.topic_alias().filter(|_| version.is_v5())
}

impl Limits {
    pub fn check(&self, qos: QoS, retain: bool, size: usize) -> Result<(), PublishError> {
        if qos > self.max_qos {
            return Err(PublishError::QoSNotSupported(self.max_qos)); // [MQTT-3.2.2-11]
        }
        if retain && !self.retain {
            return Err(PublishError::RetainNotSupported); // [MQTT-3.2.2-14]
        }
        if size > self.max_packet_size as usize {
            return Err(PublishError::TooLarge {
                size,
                limit: self.max_packet_size,
            }); // [MQTT-3.2.2-15]
        }
        Ok(())
    }

    pub fn check_alias(&self, alias: Option<u16>) -> Result<(), PublishError> {
        let limit = self.topic_alias_maximum;
        match alias {
            Some(alias) if alias > limit => Err(PublishError::TopicAlias { alias, limit }), // [MQTT-3.3.2-9]
            _ => Ok(()),
        }
    }
}

/// A message of the server's in a form that outlives its packet.
#[derive(Debug)]
pub struct Released {
    pub(super) packet: Box<[u8]>,
    pub(super) version: Version,
}

impl Released {
    /// The message.
    pub fn publish(&self) -> Publish<'_> {
        match decode(&self.packet, self.version, MAX_PACKET_SIZE) {
            Ok(Some((Packet::Publish(publish), _))) => publish,
            _ => unreachable!("it was encoded from a PUBLISH"),
        }
    }
}
