//! Malformed and hostile clients: a reason code, one line, the end, and nothing else changes.

use mqtt_broker::log::Levels;
use mqtt_proto::{Packet, Property, ReasonCode, Version};
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::world::{World, message};

/// What a client that is in sends, and what version 5 is told.
const WRONG: &[(&str, &[u8], ReasonCode)] = &[
    ("packet type 0", &[0x00, 0], ReasonCode::ProtocolError),
    ("CONNACK", &[0x20, 3, 0, 0, 0], ReasonCode::ProtocolError),
    ("SUBACK", &[0x90, 4, 0, 1, 0, 0], ReasonCode::ProtocolError),
    (
        "UNSUBACK",
        &[0xB0, 4, 0, 1, 0, 0],
        ReasonCode::ProtocolError,
    ),
    ("PINGRESP", &[0xD0, 0], ReasonCode::ProtocolError),
    (
        "PUBLISH of QoS 3",
        &[0x36, 5, 0, 1, b't', 0, 1],
        ReasonCode::MalformedPacket,
    ),
    (
        "PUBLISH of QoS 0 with DUP",
        &[0x38, 4, 0, 1, b't', 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "PUBLISH without a packet id",
        &[0x32, 6, 0, 1, b't', 0, 0, 0],
        ReasonCode::ProtocolError,
    ),
    (
        "PUBLISH to a wildcard",
        &[0x30, 4, 0, 1, b'#', 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "PUBLISH without a topic",
        &[0x30, 3, 0, 0, 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "PUBLISH with NUL in its topic",
        &[0x30, 4, 0, 1, 0, 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "PUBLISH with half a letter",
        &[0x30, 4, 0, 1, 0xCE, 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "PUBLISH with a topic beyond its end",
        &[0x30, 4, 0, 9, b't', 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "PUBLISH with a subscription identifier",
        &[0x30, 6, 0, 1, b't', 2, 0x0B, 1],
        ReasonCode::ProtocolError,
    ),
    (
        "PUBREL with the wrong flags",
        &[0x60, 2, 0, 1],
        ReasonCode::ProtocolError,
    ),
    (
        "SUBSCRIBE with the wrong flags",
        &[0x80, 7, 0, 1, 0, 0, 1, b't', 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "SUBSCRIBE without a filter",
        &[0x82, 3, 0, 1, 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "SUBSCRIBE with a bad filter",
        &[0x82, 8, 0, 1, 0, 0, 2, b'a', b'#', 0],
        ReasonCode::MalformedPacket,
    ),
    (
        "SUBSCRIBE with reserved options",
        &[0x82, 7, 0, 1, 0, 0, 1, b't', 0xC0],
        ReasonCode::MalformedPacket,
    ),
    (
        "SUBSCRIBE with retain handling 3",
        &[0x82, 7, 0, 1, 0, 0, 1, b't', 0x30],
        ReasonCode::MalformedPacket,
    ),
    (
        "UNSUBSCRIBE without a filter",
        &[0xA2, 3, 0, 1, 0],
        ReasonCode::MalformedPacket,
    ),
    ("AUTH", &[0xF0, 0], ReasonCode::ProtocolError),
    (
        "AUTH with a method",
        &[0xF0, 6, 0x18, 4, 0x15, 0, 1, b'x'],
        ReasonCode::ProtocolError,
    ),
];

#[test]
fn every_wrong_packet_gets_its_reason_one_line_and_the_end() {
    for &(what, bytes, reason) in WRONG {
        let world = World::with(|settings| settings.log = Levels::ALL);
        let witness = world.v5("witness").connect();
        witness.subscribe("#", 2);
        let client = world.v5("c").durable().connect();
        client.subscribe("kept", 1);
        world.take_log();
        // What stands behind it in the same read is not looked at any more.
        let mut sent = bytes.to_vec();
        sent.extend_from_slice(&[0x30, 7, 0, 1, b't', 0, b'b', b'a', b'd']);
        client.send_bytes(&sent);
        let told = client.next(|packet| match packet {
            Packet::Disconnect(disconnect) => Some(disconnect.reason),
            _ => None,
        });
        assert_eq!(told, Some(Some(reason)), "{what}");
        client.expect_closed();
        let log = world.take_log();
        let count = |text: &str| log.iter().filter(|line| line.text.contains(text)).count();
        assert_eq!(
            count("Client c [10.0.0.1:10001] disconnected: "),
            1,
            "{what}: {log:?}"
        );
        assert!(count("rotocol error from c: ") <= 1, "{what}: {log:?}");
        witness.expect_nothing();
        // The session is not the connection's to lose.
        assert!(world.v5("c").durable().connect().session_present, "{what}");
    }
}

#[test]
fn below_version_5_the_connection_just_ends() {
    for &(what, bytes, _) in WRONG {
        for version in [Version::V3, Version::V4] {
            let world = World::new();
            let client = world.dial(version, "c").connect();
            client.send_bytes(bytes);
            // Without properties some of these bytes are whole and right, or not yet whole.
            if client.is_open() {
                client.take_bytes();
                client.send_bytes(&[0x00; 300]);
            }
            assert!(!client.is_open(), "{what}");
            let answers = client.take_bytes();
            assert!(
                answers.is_empty() || answers[0] >> 4 != 14,
                "{what}: {answers:x?}"
            );
            assert_eq!(
                world.logged("Client c [10.0.0.1:10000] disconnected: "),
                1,
                "{what}"
            );
        }
    }
}

#[test]
fn auth_is_refused_after_connect() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.send_bytes(&[0xF0, 6, 0x19, 4, 0x15, 0, 1, b'x']);
    client.expect_disconnect(ReasonCode::ProtocolError);
}

#[test]
fn before_connect_nothing_is_answered() {
    for first in 0..=255_u8 {
        if first >> 4 == 1 && first != 0x16 {
            continue;
        }
        let world = World::new();
        let stranger = world.open(Version::V5, 0).unwrap();
        stranger.send_bytes(&[first]);
        stranger.expect_closed();
        assert_eq!(world.log().len(), 3, "{:?}", world.log());
        assert_eq!(world.logged("disconnected: protocol error."), 1);
    }
}

#[test]
fn tls_on_a_plain_listener_is_recognised() {
    let world = World::new();
    let stranger = world.open(Version::V4, 0).unwrap();
    stranger.send_bytes(&[0x16, 0x03, 0x01, 0x02, 0x00]);
    stranger.expect_closed();
    assert_eq!(
        world.logged(
            "Client from 10.0.0.1:10000 appears to be using TLS to connect to a non-TLS listener."
        ),
        1
    );
}

#[test]
fn who_has_lost_the_frame_of_its_packets_gets_no_answer() {
    // A length without an end, and pings with content.
    let lost: [&[u8]; 3] = [
        &[0x30, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0xC0, 1, 0],
        &[0xD0, 1, 0],
    ];
    for bytes in lost {
        let world = World::new();
        let client = world.v5("c").connect();
        client.send_bytes(bytes);
        client.expect_closed();
        assert_eq!(
            world.logged("disconnected: malformed packet."),
            1,
            "{bytes:x?}"
        );
    }
}

#[test]
fn a_packet_that_announces_too_much_ends_the_connection_at_once() {
    let world = World::new();
    let client = world.v5("c").connect();
    // 268,435,455 bytes: nobody waits for them.
    client.send_bytes(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F]);
    client.expect_disconnect(ReasonCode::PacketTooLarge);
}

#[test]
fn the_bytes_of_others_change_nothing_for_a_client() {
    let seed = std::env::var("MQTT_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let mut random = Random::new(seed);
    let world = World::new();
    let (ann, bob) = (world.v5("ann").connect(), world.v4("bob").connect());
    bob.subscribe("private", 1);
    for round in 0..3000_u32 {
        let version = [Version::V3, Version::V4, Version::V5][random.below(3) as usize];
        let enemy = match random.below(3) {
            0 => world.open(version, 0).unwrap(),
            1 => world.dial(version, "enemy").durable().connect(),
            _ => world.dial(version, "").send(),
        };
        let mut bytes = vec![0; random.below(60) as usize];
        random.fill(&mut bytes);
        if let (Some(first), true) = (bytes.first_mut(), random.below(2) == 0) {
            // A likely packet type, and a length that fits.
            *first = [0x10, 0x30, 0x32, 0x34, 0x62, 0x82, 0xA2, 0xE0][random.below(8) as usize];
            let length = bytes.len().saturating_sub(2);
            if let Some(place) = bytes.get_mut(1) {
                *place = u8::try_from(length).expect("it is short");
            }
        }
        enemy.send_bytes(&bytes);
        enemy.cut();
        ann.deliver(message("private", round.to_string()).qos(1));
        let heard = bob.hear();
        assert_eq!(
            heard.text(),
            round.to_string(),
            "seed {seed}, round {round}, {bytes:x?}"
        );
        bob.ack(&heard);
        bob.expect_nothing();
        world.advance_seconds(1);
    }
    ann.expect_nothing();
}

#[test]
fn every_cut_of_a_conversation_ends_the_same() {
    let mut bytes = Vec::new();
    for (topic, qos, id) in [("a/b", 1, 1), ("ά", 2, 2), ("a", 0, 0)] {
        let packet = Packet::Publish(mqtt_proto::Publish {
            dup: false,
            qos: mqtt_proto::QoS::new(qos).unwrap(),
            retain: false,
            topic: Some(mqtt_proto::Topic::parse(topic).unwrap()),
            packet_id: mqtt_proto::PacketId::new(id),
            properties: mqtt_proto::Properties::EMPTY,
            payload: b"payload",
        });
        packet.encode(Version::V5, &mut bytes).unwrap();
    }
    bytes.extend_from_slice(&[0x62, 2, 0, 2, 0xC0, 0, 0xE0, 0]);
    let run = |cut: usize| {
        let world = World::new();
        let witness = world.v5("witness").connect();
        witness.subscribe("#", 2);
        let client = world.v5("c").connect();
        client.send_bytes(&bytes[..cut]);
        client.send_bytes(&bytes[cut..]);
        let log: Vec<String> = world.log().into_iter().map(|line| line.text).collect();
        (
            witness.take_bytes(),
            client.take_bytes(),
            client.is_open(),
            log,
        )
    };
    let whole = run(0);
    assert!(!whole.2);
    for cut in 1..=bytes.len() {
        assert_eq!(run(cut), whole, "cut at {cut}");
    }
}

#[test]
fn a_client_that_breaks_the_rules_of_its_aliases_and_quotas_loses_only_its_connection() {
    let world = World::with(|settings| settings.max_inflight_messages = 2);
    let witness = world.v5("witness").connect();
    witness.subscribe("t", 2);
    for round in 0..20_u16 {
        let client = world.v5("c").durable().connect();
        match round % 3 {
            0 => _ = client.publish(message("", "x").with(Property::TopicAlias(3))),
            1 => (1..=3)
                .for_each(|id| _ = client.publish(message("t", "x").qos(2).id(round * 10 + id))),
            _ => _ = client.publish(message("t", "x").with(Property::TopicAlias(999))),
        }
        assert!(!client.is_open(), "round {round}");
        world.v5("c").connect().disconnect();
    }
    witness.expect_nothing();
    assert_eq!(world.engine(|engine, _| engine.session_count()), 1);
}
