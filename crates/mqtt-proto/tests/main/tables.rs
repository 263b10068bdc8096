//! The standard's two tables, copied from its chapters a second time, against the wire.

use mqtt_proto::{
    Packet, PacketType, Place, Properties, PropertyId, ReasonCode, VarInt, Version, decode,
};
use mqtt_testkit::sample::some_property;

/// The places of properties with the packet around them: type and flags, what stands before the
/// properties, what stands behind them.
const PLACES: [(Place, u8, &[u8], &[u8]); 14] = [
    (
        Place::CONNECT,
        0x10,
        b"\x00\x04MQTT\x05\x02\x00\x3C",
        b"\x00\x02id",
    ),
    (
        Place::WILL,
        0x10,
        b"\x00\x04MQTT\x05\x06\x00\x3C\x00\x00\x02id",
        b"\x00\x01t\x00\x00",
    ),
    (Place::CONNACK, 0x20, b"\x00\x00", b""),
    (Place::PUBLISH, 0x30, b"\x00\x01t", b"payload"),
    (Place::PUBACK, 0x40, b"\x00\x01\x00", b""),
    (Place::PUBREC, 0x50, b"\x00\x01\x00", b""),
    (Place::PUBREL, 0x62, b"\x00\x01\x00", b""),
    (Place::PUBCOMP, 0x70, b"\x00\x01\x00", b""),
    (Place::SUBSCRIBE, 0x82, b"\x00\x01", b"\x00\x01a\x00"),
    (Place::SUBACK, 0x90, b"\x00\x01", b"\x00"),
    (Place::UNSUBSCRIBE, 0xA2, b"\x00\x01", b"\x00\x01a"),
    (Place::UNSUBACK, 0xB0, b"\x00\x01", b"\x00"),
    (Place::DISCONNECT, 0xE0, b"\x00", b""),
    (Place::AUTH, 0xF0, b"\x18", b""),
];

/// Table 2-4 of MQTT 5: where each property may stand.
fn places_in_the_standard(id: PropertyId) -> Vec<Place> {
    match id as u8 {
        0x01 | 0x02 | 0x03 | 0x08 | 0x09 => vec![Place::PUBLISH, Place::WILL],
        0x0B => vec![Place::PUBLISH, Place::SUBSCRIBE],
        0x11 => vec![Place::CONNECT, Place::CONNACK, Place::DISCONNECT],
        0x12 | 0x13 | 0x1A | 0x24 | 0x25 | 0x28 | 0x29 | 0x2A => vec![Place::CONNACK],
        0x15 | 0x16 => vec![Place::CONNECT, Place::CONNACK, Place::AUTH],
        0x17 | 0x19 => vec![Place::CONNECT],
        0x18 => vec![Place::WILL],
        0x1C => vec![Place::CONNACK, Place::DISCONNECT],
        0x1F => vec![
            Place::CONNACK,
            Place::PUBACK,
            Place::PUBREC,
            Place::PUBREL,
            Place::PUBCOMP,
            Place::SUBACK,
            Place::UNSUBACK,
            Place::DISCONNECT,
            Place::AUTH,
        ],
        0x21 | 0x22 | 0x27 => vec![Place::CONNECT, Place::CONNACK],
        0x23 => vec![Place::PUBLISH],
        0x26 => PLACES.iter().map(|&(place, ..)| place).collect(),
        other => panic!("the standard has no property {other:#04x}"),
    }
}

fn packet_with(place: Place, properties: &[u8]) -> Vec<u8> {
    let (_, first, before, after) = PLACES
        .iter()
        .find(|(other, ..)| *other == place)
        .expect("every place is listed");
    let mut body = before.to_vec();
    VarInt::new(properties.len() as u32)
        .unwrap()
        .encode(&mut body);
    body.extend(properties);
    body.extend(*after);
    let mut packet = vec![*first];
    VarInt::new(body.len() as u32).unwrap().encode(&mut packet);
    packet.extend(body);
    packet
}

fn properties_in<'a>(packet: &Packet<'a>, place: Place) -> Properties<'a> {
    match packet {
        Packet::Connect(p) if place == Place::WILL => p.will.unwrap().properties,
        Packet::Connect(p) => p.properties,
        Packet::ConnAck(p) => p.properties,
        Packet::Publish(p) => p.properties,
        Packet::PubAck(p) | Packet::PubRec(p) | Packet::PubRel(p) | Packet::PubComp(p) => {
            p.properties
        }
        Packet::Subscribe(p) => p.properties,
        Packet::SubAck(p) => p.properties,
        Packet::Unsubscribe(p) => p.properties,
        Packet::UnsubAck(p) => p.properties,
        Packet::Disconnect(p) => p.properties,
        Packet::Auth(p) => p.properties,
        Packet::PingReq | Packet::PingResp => Properties::EMPTY,
    }
}

/// A method for those that are nothing without one.
fn companion(id: PropertyId, place: Place) -> &'static [u8] {
    let needs_method = place == Place::AUTH || id == PropertyId::AuthenticationData;
    if needs_method && id != PropertyId::AuthenticationMethod {
        b"\x15\x00\x01m"
    } else {
        b""
    }
}

#[test]
fn every_property_is_accepted_where_the_standard_puts_it_and_nowhere_else() {
    for &id in PropertyId::ALL {
        for (place, ..) in PLACES {
            let may = places_in_the_standard(id).contains(&place);
            assert_eq!(id.is_allowed_in(place), may, "{id:?} in {place:?}");
            for bytes in [&[][..], &[1; 40], &[0xFF; 40]] {
                let value = some_property(id, bytes);
                let companion = if may { companion(id, place) } else { b"" };
                let raw = [companion, value.view().as_bytes()].concat();
                let packet = packet_with(place, &raw);
                match decode(&packet, Version::V5, u32::MAX) {
                    Ok(Some((decoded, used))) => {
                        assert!(may, "{id:?} was accepted in {place:?}");
                        assert_eq!(used, packet.len());
                        let found = properties_in(&decoded, place).iter().last();
                        assert_eq!(found, value.view().iter().next());
                    }
                    Err(error) => {
                        assert!(!may, "{id:?} was refused in {place:?}: {error}");
                        let subscribing = [Place::SUBSCRIBE, Place::UNSUBSCRIBE].contains(&place);
                        let reason = if subscribing { 0x81 } else { 0x82 };
                        assert_eq!(error.reason.value(), reason, "{id:?} in {place:?}");
                        assert_eq!(error.clause, "2.2.2.2");
                    }
                    Ok(None) => panic!("{id:?} in {place:?}: the packet is whole"),
                }
            }
        }
    }
}

#[test]
fn a_property_stands_once_save_those_that_repeat() {
    for &id in PropertyId::ALL {
        for place in places_in_the_standard(id) {
            let value = some_property(id, &[1; 40]);
            let value = value.view();
            let raw = [companion(id, place), value.as_bytes(), value.as_bytes()].concat();
            let repeats = id == PropertyId::UserProperty
                || (id == PropertyId::SubscriptionIdentifier && place == Place::PUBLISH);
            match decode(&packet_with(place, &raw), Version::V5, u32::MAX) {
                Ok(decoded) => {
                    assert!(repeats && decoded.is_some(), "{id:?} twice in {place:?}");
                }
                Err(error) => {
                    assert!(!repeats, "{id:?} twice in {place:?}: {error}");
                    assert_eq!((error.reason.value(), error.clause), (0x82, "2.2.2.2"));
                }
            }
        }
    }
}

#[test]
fn a_property_whose_value_is_cut_is_refused_wherever_it_is_cut() {
    for &id in PropertyId::ALL {
        for place in places_in_the_standard(id) {
            let value = some_property(id, &[5; 40]);
            let raw = value.view().as_bytes();
            for length in 1..raw.len() {
                let cut = [companion(id, place), &raw[..length]].concat();
                let packet = packet_with(place, &cut);
                let error = decode(&packet, Version::V5, u32::MAX).expect_err("a cut value");
                assert_eq!(error.reason.value(), 0x81, "{id:?} in {place:?}: {error}");
            }
        }
    }
}

/// The reason codes of each packet as its own chapter lists them; 0x8C for DISCONNECT stands in
/// table 2-6 alone.
const REASONS: [(PacketType, &[u8]); 9] = [
    (
        PacketType::ConnAck,
        &[
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90,
            0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ],
    ),
    (
        PacketType::PubAck,
        // 0x95 is Mosquitto's, for a message above its message_size_limit.
        &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x95, 0x97, 0x99],
    ),
    (
        PacketType::PubRec,
        &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x95, 0x97, 0x99],
    ),
    (PacketType::PubRel, &[0x00, 0x92]),
    (PacketType::PubComp, &[0x00, 0x92]),
    (
        PacketType::SubAck,
        &[
            0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2,
        ],
    ),
    (
        PacketType::UnsubAck,
        &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91],
    ),
    (
        PacketType::Disconnect,
        &[
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8C, 0x8D, 0x8E, 0x8F, 0x90,
            0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0,
            0xA1, 0xA2,
        ],
    ),
    (PacketType::Auth, &[0x00, 0x18, 0x19]),
];

fn packet_with_reason(kind: PacketType, code: u8) -> Vec<u8> {
    match kind {
        PacketType::ConnAck => vec![0x20, 3, 0, code, 0],
        PacketType::PubAck => vec![0x40, 3, 0, 1, code],
        PacketType::PubRec => vec![0x50, 3, 0, 1, code],
        PacketType::PubRel => vec![0x62, 3, 0, 1, code],
        PacketType::PubComp => vec![0x70, 3, 0, 1, code],
        PacketType::SubAck => vec![0x90, 4, 0, 1, 0, code],
        PacketType::UnsubAck => vec![0xB0, 4, 0, 1, 0, code],
        PacketType::Disconnect => vec![0xE0, 1, code],
        PacketType::Auth => vec![0xF0, 6, code, 4, 0x15, 0, 1, b'm'],
        other => panic!("{other:?} has no reason code"),
    }
}

#[test]
fn every_packet_carries_its_own_reason_codes_and_no_others() {
    for (kind, allowed) in REASONS {
        for code in 0..=255 {
            let may = allowed.contains(&code);
            let by_table = ReasonCode::new(code).is_some_and(|c| c.is_allowed_in(kind));
            assert_eq!(by_table, may, "{code:#04x} in {kind:?}");
            let bytes = packet_with_reason(kind, code);
            match decode(&bytes, Version::V5, u32::MAX) {
                Ok(decoded) => {
                    assert!(may, "{code:#04x} was accepted in {kind:?}");
                    let mut again = Vec::new();
                    decoded.unwrap().0.encode(Version::V5, &mut again).unwrap();
                    // Success has a shorter form in most packets.
                    assert!(again == bytes || code == 0, "{again:02x?}");
                }
                Err(error) => {
                    assert!(!may, "{code:#04x} was refused in {kind:?}");
                    let is_ack = matches!(
                        kind,
                        PacketType::PubAck
                            | PacketType::PubRec
                            | PacketType::PubRel
                            | PacketType::PubComp
                    );
                    let told = if is_ack { 0x82 } else { 0x81 };
                    assert_eq!((error.reason.value(), error.clause), (told, "2.4"));
                }
            }
        }
    }
    for kind in PacketType::ALL {
        if REASONS.iter().all(|(other, _)| *other != kind) {
            assert!(ReasonCode::ALL.iter().all(|code| !code.is_allowed_in(kind)));
        }
    }
}

#[test]
fn below_version_5_six_return_codes_exist() {
    for version in [Version::V3, Version::V4] {
        for code in 0..=255 {
            let connack = decode(&[0x20, 2, 0, code], version, u32::MAX).is_ok();
            assert_eq!(connack, code < 6, "{code:#04x} in CONNACK, {version:?}");
            let suback = decode(&[0x90, 3, 0, 1, code], version, u32::MAX).is_ok();
            let expected = [0, 1, 2, 0x80].contains(&code);
            assert_eq!(suback, expected, "{code:#04x} in SUBACK, {version:?}");
        }
    }
}
