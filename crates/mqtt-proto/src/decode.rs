//! Bytes to packets: strict, borrowing, and the same for every cut of the stream.

mod short;

pub use short::{SHORT_ACK, plain_publish, short_ack};

use crate::frame::{frame, publish_flags};
use crate::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, PacketType, Publish, SubAck, Subscribe,
    Subscription, SubscriptionOptions, UnsubAck, Unsubscribe, Will,
};
use crate::property::Place;
use crate::wire::Reader;
use crate::{
    DecodeError, Filter, PacketId, Properties, QoS, ReasonCode, Topic, TopicError, Version,
};

/// Decodes the first packet in `bytes`: the packet and how many bytes it took.
///
/// `Ok(None)` means that the bytes end inside the packet; what has been read until then may
/// already be enough to refuse it. `version` is that of the connection, and does not matter
/// for a CONNECT, which brings its own.
///
/// # Errors
/// The first rule that the packet breaks; the connection cannot go on after it [MQTT-4.13.1-1].
pub fn decode(
    bytes: &[u8],
    version: Version,
    max_packet_size: u32,
) -> Result<Option<(Packet<'_>, usize)>, DecodeError> {
    if let Some((packet, length)) = short::decode(bytes, version)
        && length <= max_packet_size as usize
    {
        return Ok(Some((packet, length)));
    }
    decode_any(bytes, version, max_packet_size)
}

/// [`decode`] in the general way, which knows every packet and every rule.
fn decode_any(
    bytes: &[u8],
    version: Version,
    max_packet_size: u32,
) -> Result<Option<(Packet<'_>, usize)>, DecodeError> {
    let Some(frame) = frame(bytes, version, max_packet_size)? else {
        return Ok(None);
    };
    let Some(body) = bytes.get(frame.head..frame.length) else {
        return Ok(None);
    };
    let packet = decode_body(bytes[0], Reader::new(body), version)?;
    Ok(Some((packet, frame.length)))
}

fn decode_body<'a>(
    first: u8,
    from: Reader<'a>,
    version: Version,
) -> Result<Packet<'a>, DecodeError> {
    let kind = PacketType::of_first_byte(first).ok_or(DecodeError::protocol(
        "2.1.2",
        "the packet type 0 is forbidden",
    ))?;
    Ok(match kind {
        PacketType::Connect => Packet::Connect(connect(first, from)?),
        PacketType::ConnAck => Packet::ConnAck(connack(from, version)?),
        PacketType::Publish => Packet::Publish(publish(first, from, version)?),
        PacketType::PubAck => Packet::PubAck(ack(from, version, kind, Place::PUBACK)?),
        PacketType::PubRec => Packet::PubRec(ack(from, version, kind, Place::PUBREC)?),
        PacketType::PubRel => Packet::PubRel(ack(from, version, kind, Place::PUBREL)?),
        PacketType::PubComp => Packet::PubComp(ack(from, version, kind, Place::PUBCOMP)?),
        PacketType::Subscribe => Packet::Subscribe(subscribe(from, version)?),
        PacketType::SubAck => Packet::SubAck(suback(from, version)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(unsubscribe(from, version)?),
        PacketType::UnsubAck => Packet::UnsubAck(unsuback(from, version)?),
        PacketType::PingReq => ping(from).map(|()| Packet::PingReq)?,
        PacketType::PingResp => ping(from).map(|()| Packet::PingResp)?,
        PacketType::Disconnect => Packet::Disconnect(disconnect(from, version)?),
        PacketType::Auth => Packet::Auth(auth(from)?),
    })
}

/// PINGREQ and PINGRESP have no content; who sends one with some has lost the frame.
fn ping(from: Reader<'_>) -> Result<(), DecodeError> {
    from.finish().map_err(DecodeError::silent)
}

fn properties<'a>(
    from: &mut Reader<'a>,
    version: Version,
    place: Place,
) -> Result<Properties<'a>, DecodeError> {
    if version.is_v5() {
        Properties::decode(from, place)
    } else {
        Ok(Properties::EMPTY)
    }
}

/// Packet identifiers are never zero [MQTT-2.2.1-3]; SUBSCRIBE and UNSUBSCRIBE call it malformed.
fn packet_id(from: &mut Reader<'_>, reason: ReasonCode) -> Result<PacketId, DecodeError> {
    PacketId::new(from.u16()?).ok_or(
        DecodeError::malformed("MQTT-2.2.1-3", "a packet identifier is zero").because(reason),
    )
}

fn reason(byte: u8, kind: PacketType) -> Result<ReasonCode, DecodeError> {
    ReasonCode::new(byte)
        .filter(|code| code.is_allowed_in(kind))
        .ok_or(DecodeError::malformed(
            "2.4",
            "the reason code is not one of this packet's",
        ))
}

/// A version that is none of ours: below and above, a CONNACK of version 5 says so.
const UNKNOWN_VERSION: DecodeError =
    DecodeError::protocol("MQTT-3.1.2-2", "the protocol version is not 3, 4 or 5")
        .because(ReasonCode::UnsupportedProtocolVersion);

fn connect(first: u8, mut from: Reader<'_>) -> Result<Connect<'_>, DecodeError> {
    let version = protocol(&mut from)?;
    let flags = from.u8().map_err(DecodeError::silent)?;
    if version != Version::V3 {
        if first & 0x0F != 0 {
            return Err(DecodeError::malformed(
                "MQTT-2.1.3-1",
                "CONNECT has flags in its first byte",
            )
            .silent());
        }
        if flags & 1 != 0 {
            return Err(DecodeError::malformed(
                "MQTT-3.1.2-3",
                "the reserved flag of CONNECT is set",
            )
            .silent());
        }
    }
    let (has_will, has_username, has_password) =
        (flags & 0x04 != 0, flags & 0x80 != 0, flags & 0x40 != 0);
    let will_qos = QoS::new(flags >> 3 & 3)
        .ok_or(DecodeError::malformed("MQTT-3.1.2-12", "the will's QoS is 3").silent())?;
    if !has_will && flags & 0x38 != 0 {
        return Err(DecodeError::malformed(
            "MQTT-3.1.2-11",
            "there is a QoS or retain flag without a will",
        )
        .silent());
    }
    if has_password && !has_username && !version.is_v5() {
        return Err(DecodeError::malformed(
            "MQTT-3.1.2-22",
            "there is a password without a user name",
        )
        .silent());
    }
    let keep_alive = from.u16().map_err(DecodeError::silent)?;
    let properties = properties(&mut from, version, Place::CONNECT)?;
    if properties.authentication_data().is_some() && properties.authentication_method().is_none() {
        return Err(DecodeError::protocol(
            "3.1.2.11.10",
            "there is authentication data without a method",
        ));
    }
    let client_id = from
        .string()
        .map_err(|e| e.because(ReasonCode::ClientIdentifierNotValid))?;
    let will = if has_will {
        Some(will(&mut from, version, will_qos, flags & 0x20 != 0)?)
    } else {
        None
    };
    let username = if has_username {
        Some(from.string().map_err(DecodeError::silent)?)
    } else {
        None
    };
    let password = if has_password {
        Some(from.binary().map_err(DecodeError::silent)?)
    } else {
        None
    };
    from.finish()?;
    Ok(Connect {
        version,
        clean_start: flags & 0x02 != 0,
        keep_alive,
        client_id,
        will,
        username,
        password,
        properties,
    })
}

fn protocol(from: &mut Reader<'_>) -> Result<Version, DecodeError> {
    let name = from.binary().map_err(DecodeError::silent)?;
    if name != b"MQTT" && name != b"MQIsdp" {
        return Err(DecodeError::protocol(
            "MQTT-3.1.2-1",
            "the protocol name is neither MQTT nor MQIsdp",
        )
        .silent());
    }
    // The highest bit marks a bridge; Mosquitto's set it.
    let level = from.u8().map_err(DecodeError::silent)? & 0x7F;
    match (name, level) {
        (b"MQIsdp", 3) => Ok(Version::V3),
        (b"MQTT", 4) => Ok(Version::V4),
        (b"MQTT", 5) => Ok(Version::V5),
        _ => Err(UNKNOWN_VERSION),
    }
}

fn will<'a>(
    from: &mut Reader<'a>,
    version: Version,
    qos: QoS,
    retain: bool,
) -> Result<Will<'a>, DecodeError> {
    let properties = properties(from, version, Place::WILL)?;
    let topic = from.string()?;
    let topic = Topic::of_wire_string(topic).map_err(|_| {
        DecodeError::malformed("MQTT-4.7.0-1", "the will's topic is not a topic name")
            .because(ReasonCode::TopicNameInvalid)
    })?;
    let payload = from.binary()?;
    Ok(Will {
        qos,
        retain,
        topic,
        payload,
        properties,
    })
}

const RETURN_CODE: DecodeError =
    DecodeError::malformed("3.2.2.3", "the return code of CONNACK is not defined");

fn connack(mut from: Reader<'_>, version: Version) -> Result<ConnAck<'_>, DecodeError> {
    let flags = from.u8()?;
    // MQTT 3.1 reserves the whole byte and gives it no meaning.
    if flags & 0xFE != 0 && version != Version::V3 {
        return Err(DecodeError::malformed(
            "MQTT-3.2.2-1",
            "CONNACK has reserved flags set",
        ));
    }
    let code = from.u8()?;
    let reason = match version {
        Version::V5 if !from.is_empty() => reason(code, PacketType::ConnAck)?,
        // An older server answers a version 5 CONNECT in its own form: without properties.
        Version::V5 => ReasonCode::from_v3_return_code(code)
            .or_else(|| ReasonCode::new(code).filter(|c| c.is_allowed_in(PacketType::ConnAck)))
            .ok_or(RETURN_CODE)?,
        Version::V3 | Version::V4 => ReasonCode::from_v3_return_code(code).ok_or(RETURN_CODE)?,
    };
    let properties = if from.is_empty() {
        Properties::EMPTY
    } else {
        properties(&mut from, version, Place::CONNACK)?
    };
    from.finish()?;
    Ok(ConnAck {
        session_present: flags == 1 && version != Version::V3,
        reason,
        properties,
    })
}

fn publish(first: u8, mut from: Reader<'_>, version: Version) -> Result<Publish<'_>, DecodeError> {
    let qos = publish_flags(first & 0x0F)?;
    let topic = from.string()?;
    let packet_id = match qos {
        QoS::AtMostOnce => None,
        _ => Some(packet_id(&mut from, ReasonCode::ProtocolError)?),
    };
    let properties = properties(&mut from, version, Place::PUBLISH)?;
    let topic = match Topic::of_wire_string(topic) {
        Ok(topic) => Some(topic),
        Err(TopicError::Empty) if properties.topic_alias().is_some() => None,
        Err(TopicError::Empty) => {
            return Err(DecodeError::malformed(
                "MQTT-4.7.3-1",
                "there is neither a topic nor a topic alias",
            ));
        }
        Err(TopicError::WildcardInTopic) => {
            return Err(DecodeError::malformed(
                "MQTT-3.3.2-2",
                "a topic name contains a wildcard",
            ));
        }
        Err(_) => {
            return Err(DecodeError::malformed(
                "4.7.3",
                "a topic name has too many levels",
            ));
        }
    };
    if properties.topic_alias() == Some(0) {
        return Err(
            DecodeError::protocol("MQTT-3.3.2-8", "a topic alias is zero")
                .because(ReasonCode::TopicAliasInvalid),
        );
    }
    Ok(Publish {
        dup: first & 0x08 != 0,
        qos,
        retain: first & 0x01 != 0,
        topic,
        packet_id,
        properties,
        payload: from.remainder(),
    })
}

fn ack(
    mut from: Reader<'_>,
    version: Version,
    kind: PacketType,
    place: Place,
) -> Result<Ack<'_>, DecodeError> {
    let packet_id = packet_id(&mut from, ReasonCode::ProtocolError)?;
    if !version.is_v5() || from.is_empty() {
        from.finish()?;
        return Ok(Ack::success(packet_id));
    }
    let reason =
        reason(from.u8()?, kind).map_err(|error| error.because(ReasonCode::ProtocolError))?;
    let properties = if from.is_empty() {
        Properties::EMPTY
    } else {
        Properties::decode(&mut from, place)?
    };
    from.finish()?;
    Ok(Ack {
        packet_id,
        reason,
        properties,
    })
}

fn filter<'a>(from: &mut Reader<'a>) -> Result<&'a Filter, DecodeError> {
    Filter::of_wire_string(from.string()?).map_err(|error| match error {
        TopicError::Empty => DecodeError::malformed("MQTT-4.7.3-1", "a topic filter is empty"),
        TopicError::MisplacedPlus => {
            DecodeError::malformed("MQTT-4.7.1-2", "'+' does not stand alone in its level")
        }
        TopicError::MisplacedHash => {
            DecodeError::malformed("MQTT-4.7.1-1", "'#' is not the last level, alone")
        }
        TopicError::BadShare => DecodeError::malformed(
            "MQTT-4.8.2-1",
            "a shared subscription has no proper share name",
        ),
        _ => DecodeError::malformed("4.7.3", "a topic filter has too many levels"),
    })
}

fn subscribe(mut from: Reader<'_>, version: Version) -> Result<Subscribe<'_>, DecodeError> {
    let packet_id = packet_id(&mut from, ReasonCode::MalformedPacket)?;
    let properties = properties(&mut from, version, Place::SUBSCRIBE)?;
    let mut subscriptions = Vec::new();
    while !from.is_empty() {
        let filter = filter(&mut from)?;
        let byte = from.u8()?;
        if !version.is_v5() && byte > 2 {
            return Err(DecodeError::malformed(
                "MQTT-3.8.3-4",
                "a requested QoS is above 2",
            ));
        }
        let options = SubscriptionOptions::from_byte(byte).ok_or(DecodeError::malformed(
            "MQTT-3.8.3-5",
            "a subscription option is reserved or not defined",
        ))?;
        if options.no_local && filter.share().is_some() {
            return Err(DecodeError::protocol(
                "MQTT-3.8.3-4",
                "a shared subscription asks for no-local",
            ));
        }
        subscriptions.push(Subscription { filter, options });
    }
    if subscriptions.is_empty() {
        return Err(DecodeError::malformed(
            "MQTT-3.8.3-2",
            "a SUBSCRIBE has no topic filter",
        ));
    }
    Ok(Subscribe {
        packet_id,
        properties,
        subscriptions,
    })
}

fn suback(mut from: Reader<'_>, version: Version) -> Result<SubAck<'_>, DecodeError> {
    let packet_id = packet_id(&mut from, ReasonCode::ProtocolError)?;
    let properties = properties(&mut from, version, Place::SUBACK)?;
    let mut reasons = Vec::new();
    for &byte in from.remainder() {
        let code = reason(byte, PacketType::SubAck)?;
        if !version.is_v5() && byte > 2 && byte != 0x80 {
            return Err(DecodeError::malformed(
                "MQTT-3.9.3-2",
                "a return code of SUBACK is not defined",
            ));
        }
        reasons.push(code);
    }
    if reasons.is_empty() {
        return Err(DecodeError::malformed(
            "3.9.3",
            "a SUBACK has no reason code",
        ));
    }
    Ok(SubAck {
        packet_id,
        properties,
        reasons,
    })
}

fn unsubscribe(mut from: Reader<'_>, version: Version) -> Result<Unsubscribe<'_>, DecodeError> {
    let packet_id = packet_id(&mut from, ReasonCode::MalformedPacket)?;
    let properties = properties(&mut from, version, Place::UNSUBSCRIBE)?;
    let mut filters = Vec::new();
    while !from.is_empty() {
        filters.push(filter(&mut from)?);
    }
    if filters.is_empty() {
        return Err(DecodeError::malformed(
            "MQTT-3.10.3-2",
            "an UNSUBSCRIBE has no topic filter",
        ));
    }
    Ok(Unsubscribe {
        packet_id,
        properties,
        filters,
    })
}

fn unsuback(mut from: Reader<'_>, version: Version) -> Result<UnsubAck<'_>, DecodeError> {
    let packet_id = packet_id(&mut from, ReasonCode::ProtocolError)?;
    if !version.is_v5() {
        from.finish()?;
        return Ok(UnsubAck {
            packet_id,
            properties: Properties::EMPTY,
            reasons: Vec::new(),
        });
    }
    let properties = Properties::decode(&mut from, Place::UNSUBACK)?;
    let reasons = from
        .remainder()
        .iter()
        .map(|&byte| reason(byte, PacketType::UnsubAck))
        .collect::<Result<Vec<_>, _>>()?;
    if reasons.is_empty() {
        return Err(DecodeError::malformed(
            "3.11.3",
            "an UNSUBACK has no reason code",
        ));
    }
    Ok(UnsubAck {
        packet_id,
        properties,
        reasons,
    })
}

fn disconnect(mut from: Reader<'_>, version: Version) -> Result<Disconnect<'_>, DecodeError> {
    let normal = Disconnect {
        reason: ReasonCode::Success,
        properties: Properties::EMPTY,
    };
    if !version.is_v5() || from.is_empty() {
        from.finish()?;
        return Ok(normal);
    }
    let code = from.u8()?;
    let properties = if from.is_empty() {
        Properties::EMPTY
    } else {
        Properties::decode(&mut from, Place::DISCONNECT)?
    };
    from.finish()?;
    // Both ends are about to close: an answer to a wrong reason would find nobody.
    let reason = reason(code, PacketType::Disconnect).map_err(DecodeError::silent)?;
    Ok(Disconnect { reason, properties })
}

fn auth(mut from: Reader<'_>) -> Result<Auth<'_>, DecodeError> {
    if from.is_empty() {
        return Ok(Auth {
            reason: ReasonCode::Success,
            properties: Properties::EMPTY,
        });
    }
    let reason = reason(from.u8()?, PacketType::Auth)?;
    let properties = if from.is_empty() {
        Properties::EMPTY
    } else {
        Properties::decode(&mut from, Place::AUTH)?
    };
    from.finish()?;
    if properties.authentication_method().is_none() {
        return Err(DecodeError::protocol(
            "3.15.2.2.2",
            "AUTH names no authentication method",
        ));
    }
    Ok(Auth { reason, properties })
}
