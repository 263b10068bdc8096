//! Packets to bytes, appended to a buffer; what a version does not have is left out.

use crate::decode::SHORT_ACK;
use crate::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, PacketType, Publish, SubAck, Subscribe,
    UnsubAck, Unsubscribe,
};
use crate::wire::{VarInt, put_binary};
use crate::{EncodeError, PacketId, Properties, QoS, ReasonCode, Version};

impl Packet<'_> {
    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// A field or the whole is too long for the wire, or AUTH is asked for below version 5;
    /// `out` is then as it was.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if let Some(bytes) = self.short_ack() {
            out.extend_from_slice(&bytes);
            return Ok(());
        }
        self.encode_any(version, out)
    }

    /// An acknowledgement of success in the form that every version has (MQTT 5, 3.4.2.1).
    #[inline]
    fn short_ack(&self) -> Option<[u8; 4]> {
        let (kind, ack) = match self {
            Packet::PubAck(ack) => (PacketType::PubAck, ack),
            Packet::PubRec(ack) => (PacketType::PubRec, ack),
            Packet::PubRel(ack) => (PacketType::PubRel, ack),
            Packet::PubComp(ack) => (PacketType::PubComp, ack),
            _ => return None,
        };
        let is_plain = ack.reason == ReasonCode::Success && ack.properties.is_empty();
        is_plain.then(|| short_ack_bytes(kind, ack.packet_id))
    }

    fn encode_any(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        match self {
            Packet::Connect(packet) => packet.encode(out),
            Packet::ConnAck(packet) => packet.encode(version, out),
            Packet::Publish(packet) => packet.encode(version, out),
            Packet::PubAck(packet) => packet.encode(PacketType::PubAck, version, out),
            Packet::PubRec(packet) => packet.encode(PacketType::PubRec, version, out),
            Packet::PubRel(packet) => packet.encode(PacketType::PubRel, version, out),
            Packet::PubComp(packet) => packet.encode(PacketType::PubComp, version, out),
            Packet::Subscribe(packet) => packet.encode(version, out),
            Packet::SubAck(packet) => packet.encode(version, out),
            Packet::Unsubscribe(packet) => packet.encode(version, out),
            Packet::UnsubAck(packet) => packet.encode(version, out),
            Packet::PingReq => {
                out.extend_from_slice(&[0xC0, 0]);
                Ok(())
            }
            Packet::PingResp => {
                out.extend_from_slice(&[0xD0, 0]);
                Ok(())
            }
            Packet::Disconnect(packet) => packet.encode(version, out),
            Packet::Auth(packet) => packet.encode(version, out),
        }
    }
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP with success, as the few bytes that every version has for it; what
/// [`short_ack`](crate::short_ack) reads.
#[inline]
pub fn short_ack_bytes(kind: PacketType, packet_id: PacketId) -> [u8; SHORT_ACK] {
    let [high, low] = packet_id.get().to_be_bytes();
    [first_byte_of_ack(kind), 2, high, low]
}

/// The first byte of an acknowledgement: PUBREL has a flag for ever [MQTT-3.6.1-1].
#[inline]
fn first_byte_of_ack(kind: PacketType) -> u8 {
    (kind as u8) << 4 | if kind == PacketType::PubRel { 0x02 } else { 0 }
}

/// Appends the first byte, the remaining length and what `body` writes.
///
/// The length is written last, into one byte kept free for it: nearly every packet but PUBLISH
/// is shorter than 128 bytes, and the others are moved.
fn framed(
    out: &mut Vec<u8>,
    first: u8,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(&[first, 0]);
    let written = body(out).and_then(|()| {
        let length = out.len() - start - 2;
        u32::try_from(length)
            .ok()
            .and_then(VarInt::new)
            .ok_or(EncodeError::PacketTooLong)
    });
    match written {
        Ok(length) if length.encoded_len() == 1 => {
            out[start + 1] = length.get() as u8;
            Ok(())
        }
        Ok(length) => {
            let mut prefix = Vec::with_capacity(4);
            length.encode(&mut prefix);
            out.splice(start + 1..start + 2, prefix);
            Ok(())
        }
        Err(error) => {
            out.truncate(start);
            Err(error)
        }
    }
}

#[inline]
fn put_properties(
    out: &mut Vec<u8>,
    version: Version,
    properties: Properties<'_>,
) -> Result<(), EncodeError> {
    if version.is_v5() {
        properties.encode(out)
    } else {
        Ok(())
    }
}

#[inline]
fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

impl Connect<'_> {
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let version = self.version;
        framed(out, 0x10, |out| {
            put_binary(out, version.protocol_name().as_bytes(), "the protocol name")?;
            out.push(version as u8);
            out.push(self.flags());
            put_u16(out, self.keep_alive);
            put_properties(out, version, self.properties)?;
            put_binary(out, self.client_id.as_bytes(), "the client identifier")?;
            if let Some(will) = &self.will {
                put_properties(out, version, will.properties)?;
                put_binary(out, will.topic.as_bytes(), "the will's topic")?;
                put_binary(out, will.payload, "the will's payload")?;
            }
            if let Some(username) = self.username {
                put_binary(out, username.as_bytes(), "the user name")?;
            }
            if let Some(password) = self.password {
                put_binary(out, password, "the password")?;
            }
            Ok(())
        })
    }

    fn flags(&self) -> u8 {
        let will = self.will.map_or(0, |will| {
            0x04 | (will.qos as u8) << 3 | u8::from(will.retain) << 5
        });
        u8::from(self.clean_start) << 1
            | will
            | u8::from(self.password.is_some()) << 6
            | u8::from(self.username.is_some()) << 7
    }
}

impl ConnAck<'_> {
    fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        framed(out, 0x20, |out| {
            // MQTT 3.1 has no session present flag: the byte is reserved.
            out.push(u8::from(self.session_present && version != Version::V3));
            out.push(if version.is_v5() {
                self.reason.value()
            } else {
                self.reason.to_v3_return_code()
            });
            put_properties(out, version, self.properties)
        })
    }
}

impl Publish<'_> {
    /// Appends the packet to `out`.
    ///
    /// # Errors
    /// As [`Packet::encode`]; also if the QoS is above 0 and the packet identifier is missing.
    #[inline]
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let start = out.len();
        let written = self.encode_head(version, out);
        match written {
            Ok(()) => {
                out.extend_from_slice(self.payload);
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    /// Appends all but the payload, which must follow: a large one can be sent from where it lies.
    ///
    /// # Errors
    /// As [`Publish::encode`], but what has been appended until then stays.
    #[inline(always)] // What a caller knows of the packet need not be asked.
    pub fn encode_head(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let topic = self.topic.map_or("", |topic| topic.as_str());
        let id = match (self.qos, self.packet_id) {
            (QoS::AtMostOnce, _) => None,
            (_, Some(id)) => Some(id),
            (_, None) => {
                return Err(EncodeError::Incomplete(
                    "a PUBLISH above QoS 0 needs a packet identifier",
                ));
            }
        };
        let properties = if version.is_v5() {
            self.properties.wire_len()
        } else {
            0
        };
        let length =
            2 + topic.len() + if id.is_some() { 2 } else { 0 } + properties + self.payload.len();
        let first = 0x30 | u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain);
        let name =
            u16::try_from(topic.len()).map_err(|_| EncodeError::FieldTooLong("the topic"))?;
        let [high, low] = name.to_be_bytes();
        // Written as a whole where the length takes one byte or two, which is nearly always.
        match length {
            0..0x80 => out.extend_from_slice(&[first, length as u8, high, low]),
            0x80..0x4000 => {
                out.extend_from_slice(&[
                    first,
                    length as u8 | 0x80,
                    (length >> 7) as u8,
                    high,
                    low,
                ]);
            }
            _ => {
                let length = u32::try_from(length).ok().and_then(VarInt::new);
                out.push(first);
                length.ok_or(EncodeError::PacketTooLong)?.encode(out);
                put_u16(out, name);
            }
        }
        out.extend_from_slice(topic.as_bytes());
        if let Some(id) = id {
            put_u16(out, id.get());
        }
        put_properties(out, version, self.properties)
    }
}

impl Ack<'_> {
    fn encode(
        &self,
        kind: PacketType,
        version: Version,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if !version.is_v5() {
            // Neither reason nor properties.
            out.extend_from_slice(&short_ack_bytes(kind, self.packet_id));
            return Ok(());
        }
        framed(out, first_byte_of_ack(kind), |out| {
            put_u16(out, self.packet_id.get());
            out.push(self.reason.value());
            if !self.properties.is_empty() {
                self.properties.encode(out)?;
            }
            Ok(())
        })
    }
}

impl Subscribe<'_> {
    fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        framed(out, 0x82, |out| {
            put_u16(out, self.packet_id.get());
            put_properties(out, version, self.properties)?;
            for subscription in &self.subscriptions {
                put_binary(out, subscription.filter.as_bytes(), "the topic filter")?;
                out.push(match version {
                    Version::V5 => subscription.options.to_byte(),
                    Version::V3 | Version::V4 => subscription.options.qos as u8,
                });
            }
            Ok(())
        })
    }
}

impl SubAck<'_> {
    fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        framed(out, 0x90, |out| {
            put_u16(out, self.packet_id.get());
            put_properties(out, version, self.properties)?;
            out.extend(self.reasons.iter().map(|reason| match version {
                // The older versions know one refusal [MQTT-3.9.3-2].
                Version::V3 | Version::V4 if reason.is_error() => 0x80,
                _ => reason.value(),
            }));
            Ok(())
        })
    }
}

impl Unsubscribe<'_> {
    fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        framed(out, 0xA2, |out| {
            put_u16(out, self.packet_id.get());
            put_properties(out, version, self.properties)?;
            self.filters
                .iter()
                .try_for_each(|filter| put_binary(out, filter.as_bytes(), "the topic filter"))
        })
    }
}

impl UnsubAck<'_> {
    fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        framed(out, 0xB0, |out| {
            put_u16(out, self.packet_id.get());
            if version.is_v5() {
                self.properties.encode(out)?;
                out.extend(self.reasons.iter().map(|reason| reason.value()));
            }
            Ok(())
        })
    }
}

impl Disconnect<'_> {
    fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        framed(out, 0xE0, |out| {
            if version.is_v5()
                && !(self.reason == ReasonCode::Success && self.properties.is_empty())
            {
                out.push(self.reason.value());
                if !self.properties.is_empty() {
                    self.properties.encode(out)?;
                }
            }
            Ok(())
        })
    }
}

impl Auth<'_> {
    fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if !version.is_v5() {
            return Err(EncodeError::Incomplete("AUTH exists in version 5 only"));
        }
        framed(out, 0xF0, |out| {
            if !(self.reason == ReasonCode::Success && self.properties.is_empty()) {
                out.push(self.reason.value());
                self.properties.encode(out)?;
            }
            Ok(())
        })
    }
}
