//! The packets that are sent most, decoded in one look; all others, and whatever is wrong, are for the
//! general way.

use crate::packet::{Ack, Packet, PacketType, Publish};
use crate::{PacketId, Properties, QoS, Topic, Version};

/// The packet at the front of `bytes` and its length, if it is one of those and whole.
#[inline]
pub(super) fn decode(bytes: &[u8], version: Version) -> Option<(Packet<'_>, usize)> {
    if let Some((kind, packet_id)) = short_ack(bytes) {
        let ack = Ack::success(packet_id);
        let packet = match kind {
            PacketType::PubAck => Packet::PubAck(ack),
            PacketType::PubRec => Packet::PubRec(ack),
            PacketType::PubRel => Packet::PubRel(ack),
            PacketType::PubComp => Packet::PubComp(ack),
            _ => return None,
        };
        return Some((packet, SHORT_ACK));
    }
    let (publish, length) = plain_publish(bytes, version)?;
    Some((Packet::Publish(publish), length))
}

/// How many bytes an acknowledgement of success has, in every version.
pub const SHORT_ACK: usize = 4;

/// The acknowledgement of success at the front of `bytes`, in the form of [`SHORT_ACK`] bytes that
/// nearly all have: its type, and what it acknowledges.
///
/// `None` says nothing: any packet may lie there, also an acknowledgement in its long form. For who
/// takes apart millions of them and needs no [`Packet`] for it; [`decode`](crate::decode()) takes all.
#[inline]
pub fn short_ack(bytes: &[u8]) -> Option<(PacketType, PacketId)> {
    let &[first, 2, high, low, ..] = bytes else {
        return None;
    };
    let kind = match first {
        0x40 => PacketType::PubAck,
        0x50 => PacketType::PubRec,
        0x62 => PacketType::PubRel,
        0x70 => PacketType::PubComp,
        _ => return None,
    };
    Some((kind, PacketId::new(u16::from_be_bytes([high, low]))?))
}

/// The PUBLISH at the front of `bytes` and its length, if it is as nearly all are: whole, below 16 KiB,
/// with a topic of printable ASCII and without properties.
///
/// `None` says nothing: whatever is else about it, and whatever is wrong with it, is for the general
/// way, which is [`decode`](crate::decode()).
#[inline]
pub fn plain_publish(bytes: &[u8], version: Version) -> Option<(Publish<'_>, usize)> {
    let (&first, rest) = bytes.split_first()?;
    let qos = match first & 0xF6 {
        0x30 if first & 0x08 == 0 => QoS::AtMostOnce,
        0x32 => QoS::AtLeastOnce,
        0x34 => QoS::ExactlyOnce,
        _ => return None,
    };
    let (remaining, head) = match *rest {
        [low @ ..0x80, ..] => (usize::from(low), 2),
        [low, high @ 1..0x80, ..] => (usize::from(low & 0x7F) | usize::from(high) << 7, 3),
        _ => return None,
    };
    let length = head + remaining;
    let (size, body) = bytes.get(head..length)?.split_first_chunk::<2>()?;
    let (topic, body) = body.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
    let (packet_id, body) = if qos == QoS::AtMostOnce {
        (None, body)
    } else {
        let (id, body) = body.split_first_chunk::<2>()?;
        (Some(PacketId::new(u16::from_be_bytes(*id))?), body)
    };
    let payload = match version {
        Version::V5 => body.strip_prefix(&[0])?,
        Version::V3 | Version::V4 => body,
    };
    let publish = Publish {
        dup: first & 0x08 != 0,
        qos,
        retain: first & 0x01 != 0,
        topic: Some(Topic::of_plain_bytes(topic)?),
        packet_id,
        properties: Properties::EMPTY,
        payload,
    };
    Some((publish, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{decode, decode_any};

    /// Every packet of up to six bytes behind its length, made of the bytes that matter.
    #[test]
    fn the_short_ways_take_a_packet_for_what_it_is_in_the_general_way() {
        let firsts = (0x30..=0x3F).chain([0x40, 0x50, 0x62, 0x70, 0x60, 0x41, 0x00]);
        let bytes = [
            0, 1, 2, 5, b'a', b'+', b'#', b'/', 0x7F, 0x80, 0xC3, 0xA9, 0x1F,
        ];
        for first in firsts {
            for version in [Version::V3, Version::V4, Version::V5] {
                for seed in 0..40_000_u32 {
                    let mut rest = seed.wrapping_mul(2_654_435_761) ^ u32::from(first);
                    let mut next = |below: usize| {
                        rest = rest.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (rest >> 8) as usize % below
                    };
                    let size = next(9);
                    let mut packet = vec![first, size as u8];
                    // Mostly a topic that fits, or there would hardly be a packet that is right.
                    packet.extend([0, next(size.max(1)) as u8]);
                    packet.extend((2..size + next(3)).map(|_| bytes[next(bytes.len())]));
                    let limit = if next(8) == 0 { 5 } else { u32::MAX };
                    let short = decode(&packet, version, limit);
                    let general = decode_any(&packet, version, limit);
                    assert_eq!(short, general, "{packet:x?} in {version:?}");
                }
            }
        }
    }

    #[test]
    fn the_short_way_takes_the_packets_that_are_sent_most() {
        for size in [0, 5, 200, 16_000] {
            let publish = Publish {
                dup: false,
                qos: QoS::AtLeastOnce,
                retain: false,
                topic: Topic::parse("lab/room 1/temperature").ok(),
                packet_id: PacketId::new(7),
                properties: Properties::EMPTY,
                payload: &vec![b'x'; size],
            };
            let mut bytes = Vec::new();
            publish.encode(Version::V5, &mut bytes).unwrap();
            let length = bytes.len();
            bytes.push(0);
            assert_eq!(plain_publish(&bytes, Version::V5), Some((publish, length)));
        }
    }
}
