//! The fixed header: where a packet ends, and whether its first byte is one.

use crate::wire::VarInt;
use crate::{DecodeError, PacketType, QoS, ReasonCode, Version};

/// How long the first packet in `bytes` is, from its first byte to its last.
///
/// `Ok(None)` means that its length cannot be told yet.
///
/// # Errors
/// A first byte that no packet has, a length of more than four bytes, or one above
/// `max_packet_size` bytes ([`ReasonCode::PacketTooLarge`]).
pub fn frame_length(
    bytes: &[u8],
    version: Version,
    max_packet_size: u32,
) -> Result<Option<usize>, DecodeError> {
    Ok(frame(bytes, version, max_packet_size)?.map(|frame| frame.length))
}

/// The limits of a packet: how many bytes its fixed header takes, and how many the whole.
pub(crate) struct Frame {
    pub(crate) head: usize,
    pub(crate) length: usize,
}

#[inline]
pub(crate) fn frame(
    bytes: &[u8],
    version: Version,
    max_packet_size: u32,
) -> Result<Option<Frame>, DecodeError> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    check_first_byte(first, version)?;
    let remaining = if version.is_v5() {
        VarInt::decode(rest)
    } else {
        VarInt::decode_any(rest)
    };
    let remaining = remaining.map_err(DecodeError::silent)?;
    let Some((remaining, used)) = remaining else {
        return Ok(None);
    };
    let head = 1 + used;
    let length = head + remaining.get() as usize;
    if length > max_packet_size as usize {
        return Err(DecodeError::malformed(
            "MQTT-3.1.2-24",
            "the packet is larger than the maximum packet size",
        )
        .because(ReasonCode::PacketTooLarge));
    }
    Ok(Some(Frame { head, length }))
}

/// The type must exist, and the flags must be those of the type [MQTT-2.1.3-1].
fn check_first_byte(first: u8, version: Version) -> Result<(), DecodeError> {
    const FLAGS: DecodeError = DecodeError::malformed(
        "MQTT-2.1.3-1",
        "the flags are not those of the packet's type",
    );
    let kind = PacketType::of_first_byte(first).ok_or(DecodeError::protocol(
        "2.1.2",
        "the packet type 0 is forbidden",
    ))?;
    let flags = first & 0x0F;
    match kind {
        // A CONNECT brings its version with it, and 3.1 did not mind these flags.
        PacketType::Connect => Ok(()),
        PacketType::Publish => publish_flags(flags).map(|_| ()),
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => {
            // These were sent at QoS 1 in 3.1, so that they could be sent again with DUP.
            let dup = if version == Version::V3 { 0x08 } else { 0 };
            match kind {
                _ if flags & !dup == 0x02 => Ok(()),
                // Mosquitto's answer, which its tests count on.
                PacketType::PubRel => Err(FLAGS.because(ReasonCode::ProtocolError)),
                _ => Err(FLAGS),
            }
        }
        PacketType::Auth if !version.is_v5() => Err(DecodeError::protocol(
            "2.1.2",
            "AUTH exists in version 5 only",
        )),
        // A peer that greets or says goodbye badly, or begins what it may not, errs in the protocol.
        PacketType::ConnAck | PacketType::Disconnect | PacketType::Auth if flags != 0 => {
            Err(FLAGS.because(ReasonCode::ProtocolError))
        }
        _ if flags == 0 => Ok(()),
        _ => Err(FLAGS),
    }
}

pub(crate) fn publish_flags(flags: u8) -> Result<QoS, DecodeError> {
    let qos = QoS::new(flags >> 1 & 3).ok_or(DecodeError::malformed(
        "MQTT-3.3.1-4",
        "a PUBLISH has both QoS bits set",
    ))?;
    if qos == QoS::AtMostOnce && flags & 0x08 != 0 {
        return Err(DecodeError::malformed(
            "MQTT-3.3.1-2",
            "a PUBLISH of QoS 0 has DUP set",
        ));
    }
    Ok(qos)
}
