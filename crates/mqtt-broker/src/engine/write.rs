//! One PUBLISH into one outbox: properties of this hop, topic alias, size limit.

use super::Engine;
use crate::connection_state::{Connection, ConnectionKey};
use crate::log::{Level, Line};
use crate::message::{Message, Publication};
use crate::outbox::SHARE_FROM;
use crate::session::SessionKey;
use crate::time::Time;
use bytes::Bytes;
use mqtt_proto::{PacketId, PropertiesBuf, Property, Publish, QoS, VarInt, Version};
use std::ops::Range;

/// What of a PUBLISH depends on the receiver.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) dup: bool,
    pub(super) packet_id: Option<PacketId>,
    pub(super) identifiers: &'a [VarInt],
}

impl Engine {
    #[inline]
    pub(super) fn write_message(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session: SessionKey,
        message: &Message,
        head: Head<'_>,
    ) -> bool {
        let connection = &mut self.connections[key.0 as usize];
        let is_plain = head.identifiers.is_empty()
            && message.expires_at.is_none()
            && message.payload.len() < SHARE_FROM
            && connection.alias_maximum == 0
            && connection.max_packet_size == u32::MAX
            && !self.has_mounts
            && !self.settings.log.contains(Level::Debug);
        if !is_plain {
            let shared = (message.payload.len() >= SHARE_FROM).then(|| message.payload.to_shared());
            let publication = Publication::of(message);
            return self.write_publish(now, key, session, &publication, shared, head);
        }
        // It goes as it came, whoever gets it.
        let packet = Publish {
            dup: head.dup,
            qos: head.qos,
            retain: head.retain,
            topic: Some(&message.topic),
            packet_id: head.packet_id,
            properties: message.properties.view(),
            payload: &message.payload,
        };
        let version = connection.version;
        let encoded = connection
            .outbox
            .append(&mut self.spare, |out| packet.encode(version, out));
        debug_assert!(encoded.is_ok(), "its parts came off the wire");
        self.mark_dirty(key);
        self.counters.note_publish_sent(message.payload.len());
        true
    }

    /// Puts one PUBLISH into an outbox; `false` if it is larger than the client takes, or lies
    /// outside of its mount point.
    pub(super) fn write_publish(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session: SessionKey,
        publication: &Publication<'_>,
        shared: Option<Bytes>,
        head: Head<'_>,
    ) -> bool {
        let Some(topic) = self.unmounted(session, publication.topic) else {
            return false;
        };
        let connection = &mut self.connections[key.0 as usize];
        let version = connection.version;
        let alias = topic_alias(connection, publication);
        let is_plain =
            alias.is_none() && head.identifiers.is_empty() && publication.expires_at.is_none();
        let properties = if is_plain {
            publication.properties
        } else {
            let properties = &mut self.properties;
            fill_properties(
                now,
                version,
                publication,
                alias,
                head.identifiers,
                properties,
            );
            properties.view()
        };
        let is_known = alias.is_some_and(|(_, is_known)| is_known);
        let packet = Publish {
            dup: head.dup,
            qos: head.qos,
            retain: head.retain,
            topic: (!is_known).then_some(topic),
            packet_id: head.packet_id,
            properties,
            payload: publication.payload,
        };
        if connection.max_packet_size < u32::MAX
            && let size = packet_size(&packet, version)
            && size > connection.max_packet_size as usize
        {
            if let (Some((_, false)), Some(aliases)) = (alias, &mut connection.aliases) {
                // The client will not get to know it.
                aliases.outgoing.remove(publication.topic);
            }
            self.note_too_large(session, size);
            return false;
        }
        // Its parts came off the wire, and the whole is below the largest packet size.
        let encoded = match shared {
            None => connection
                .outbox
                .append(&mut self.spare, |out| packet.encode(version, out)),
            Some(payload) => {
                let encoded = connection
                    .outbox
                    .append(&mut self.spare, |out| packet.encode_head(version, out));
                connection.outbox.append_shared(payload);
                encoded
            }
        };
        debug_assert!(encoded.is_ok());
        self.mark_dirty(key);
        self.counters.note_publish_sent(publication.payload.len());
        self.trace(session, |client| Line::SendingPublish {
            client,
            dup: head.dup,
            qos: head.qos as u8,
            retain: head.retain,
            mid: head.packet_id.map_or(0, PacketId::get),
            topic,
            len: publication.payload.len(),
        });
        true
    }
}

/// Encodes a QoS 0 packet that depends on nothing but version and retain flag.
pub(super) fn encode_form(
    publication: &Publication<'_>,
    version: Version,
    retain: bool,
    scratch: &mut Vec<u8>,
) -> Range<usize> {
    let packet = Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain,
        topic: Some(publication.topic),
        packet_id: None,
        properties: publication.properties,
        payload: publication.payload,
    };
    let start = scratch.len();
    let encoded = packet.encode(version, scratch);
    debug_assert!(encoded.is_ok(), "its parts came off the wire");
    start..scratch.len()
}

/// Puts the properties of one PUBLISH together.
fn fill_properties(
    now: Time,
    version: Version,
    publication: &Publication<'_>,
    alias: Option<(u16, bool)>,
    identifiers: &[VarInt],
    properties: &mut PropertiesBuf,
) {
    properties.clear();
    if !version.is_v5() {
        return;
    }
    properties.append(publication.properties);
    if let Some(end) = publication.expires_at {
        // Whole seconds that are left; what is begun counts [MQTT-3.3.2-6].
        let left = end.since(now).as_millis().div_ceil(1000);
        let left = u32::try_from(left).unwrap_or(u32::MAX);
        let _ = properties.push(Property::MessageExpiryInterval(left));
    }
    if let Some((alias, _)) = alias {
        let _ = properties.push(Property::TopicAlias(alias));
    }
    for &id in identifiers {
        let _ = properties.push(Property::SubscriptionIdentifier(id));
    }
}

/// The alias of a topic on this connection, and whether the client knows it already.
fn topic_alias(connection: &mut Connection, publication: &Publication<'_>) -> Option<(u16, bool)> {
    let maximum = connection.alias_maximum;
    if maximum == 0 {
        return None;
    }
    let aliases = &mut connection.aliases.get_or_insert_default().outgoing;
    if let Some(&alias) = aliases.get(publication.topic) {
        return Some((alias, true));
    }
    let next = u16::try_from(aliases.len())
        .ok()?
        .checked_add(1)
        .filter(|&next| next <= maximum)?;
    aliases.insert(publication.topic.into(), next);
    Some((next, false))
}

fn packet_size(packet: &Publish<'_>, version: Version) -> usize {
    let properties = if version.is_v5() {
        packet.properties.wire_len()
    } else {
        0
    };
    let id = if packet.packet_id.is_some() { 2 } else { 0 };
    let remaining =
        2 + packet.topic.map_or(0, |topic| topic.len()) + id + properties + packet.payload.len();
    let length = u32::try_from(remaining).ok().and_then(VarInt::new);
    1 + length.map_or(4, VarInt::encoded_len) + remaining
}
