//! rumqttc's codec as a second opinion: our packets through it and back are the same packets.

use bytes::BytesMut;
use mqtt_proto::{
    Connect, Packet, PacketType, Properties, PropertiesBuf, Property, ReasonCode, Version, decode,
};
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::sample::Sample;

/// What the stranger makes of one packet's bytes: its own encoding of what it understood.
fn through_the_stranger(bytes: &[u8], version: Version) -> Result<Vec<u8>, String> {
    let mut stream = BytesMut::from(bytes);
    let mut out = BytesMut::new();
    if version.is_v5() {
        use rumqttc::v5::mqttbytes::v5::Packet;
        let packet = Packet::read(&mut stream, None).map_err(|e| e.to_string())?;
        packet.write(&mut out, None).map_err(|e| e.to_string())?;
    } else {
        use rumqttc::mqttbytes::v4::Packet;
        let packet = Packet::read(&mut stream, usize::MAX).map_err(|e| e.to_string())?;
        packet
            .write(&mut out, usize::MAX)
            .map_err(|e| e.to_string())?;
    }
    assert!(stream.is_empty(), "the stranger left {stream:02x?}");
    Ok(out.to_vec())
}

/// What rumqttc 0.25 does not have or does not keep, and no test of ours can ask of it.
fn is_beyond_the_stranger(packet: &Packet<'_>, version: Version) -> bool {
    match packet {
        // Its passwords are text, and user name and password come together and not empty.
        Packet::Connect(Connect {
            username, password, ..
        }) => match (username, password) {
            (None, None) => false,
            (Some(name), Some(word)) => {
                name.is_empty() || word.is_empty() || str::from_utf8(word).is_err()
            }
            _ => true,
        },
        // It takes the short forms of version 5's DISCONNECT for broken packets, and knows 0x8C
        // for CONNACK only, though table 2-6 of the standard has it for both.
        Packet::Disconnect(packet) => {
            version.is_v5()
                && (packet.properties.is_empty()
                    || packet.reason == ReasonCode::BadAuthenticationMethod)
        }
        // It does not know Mosquitto's use of this one.
        Packet::PubAck(packet) | Packet::PubRec(packet) => {
            packet.reason == ReasonCode::PacketTooLarge
        }
        Packet::Auth(_) => true,
        _ => false,
    }
}

/// The stranger writes properties in an order of its own, which has no meaning in MQTT, except
/// among those of one kind.
fn in_order(properties: Properties<'_>) -> PropertiesBuf {
    let mut all: Vec<Property<'_>> = properties.iter().collect();
    all.sort_by_key(|property| property.id() as u8);
    let mut sorted = PropertiesBuf::new();
    for property in all {
        sorted.push(property).unwrap();
    }
    sorted
}

fn assert_same(ours: &Packet<'_>, theirs: &Packet<'_>, version: Version) {
    let encoded = [ours, theirs].map(|packet| {
        let mut packet = packet.clone();
        let (properties, will_properties) = match &packet {
            Packet::Connect(p) => (
                in_order(p.properties),
                in_order(p.will.map_or(Properties::EMPTY, |will| will.properties)),
            ),
            Packet::ConnAck(p) => (in_order(p.properties), PropertiesBuf::new()),
            Packet::Publish(p) => (in_order(p.properties), PropertiesBuf::new()),
            Packet::Disconnect(p) => (in_order(p.properties), PropertiesBuf::new()),
            _ => Default::default(),
        };
        match &mut packet {
            Packet::Connect(p) => {
                p.properties = properties.view();
                if let Some(will) = &mut p.will {
                    will.properties = will_properties.view();
                }
            }
            Packet::ConnAck(p) => p.properties = properties.view(),
            Packet::Publish(p) => p.properties = properties.view(),
            Packet::Disconnect(p) => p.properties = properties.view(),
            _ => {}
        }
        let mut bytes = Vec::new();
        packet.encode(version, &mut bytes).unwrap();
        bytes
    });
    assert_eq!(
        encoded[0], encoded[1],
        "{version:?}: we meant {ours:?}, the stranger understood {theirs:?}"
    );
}

#[track_caller]
fn check(version: Version) {
    let mut random = Random::new(11);
    for kind in PacketType::ALL {
        let mut asked = 0;
        for _ in 0..500 {
            let mut entropy = [0; 300];
            let length = random.below(300) as usize;
            random.fill(&mut entropy[..length]);
            let sample = Sample::of(kind, version, &entropy[..length]);
            let packet = sample.packet();
            if is_beyond_the_stranger(&packet, version) {
                continue;
            }
            let mut bytes = Vec::new();
            packet.encode(version, &mut bytes).unwrap();
            let theirs = through_the_stranger(&bytes, version)
                .unwrap_or_else(|error| panic!("{packet:?}, {bytes:02x?}: {error}"));
            let back = decode(&theirs, version, u32::MAX);
            let Ok(Some((back, used))) = back else {
                panic!("{packet:?} came back as {theirs:02x?}: {back:?}");
            };
            assert_eq!(used, theirs.len());
            assert_same(&packet, &back, version);
            asked += 1;
        }
        assert!(
            asked > 100 || (kind == PacketType::Auth && version.is_v5()),
            "only {asked} packets of type {kind:?} were compared"
        );
    }
}

#[test]
fn rumqttc_understands_our_3_1_1_and_we_understand_its() {
    check(Version::V4);
}

#[test]
fn rumqttc_understands_our_5_and_we_understand_its() {
    check(Version::V5);
}
