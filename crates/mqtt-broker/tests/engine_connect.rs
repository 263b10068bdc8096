//! CONNECT under a simulated clock: who may come in, and what is said to those who may not.

use mqtt_proto::{Packet, Property, QoS, ReasonCode, Version};
use mqtt_testkit::world::{World, message};

const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];

fn lines(world: &World) -> Vec<String> {
    world.log().into_iter().map(|line| line.text).collect()
}

#[test]
fn clients_of_all_three_versions_talk_to_each_other_on_one_port() {
    let world = World::new();
    let clients = VERSIONS.map(|version| world.dial(version, &format!("{version:?}")).connect());
    for client in &clients {
        assert_eq!(client.subscribe("t", 2).value(), 2);
    }
    for (client, payload) in clients.iter().zip(["from 3", "from 4", "from 5"]) {
        client.publish(message("t", payload));
        for hearer in &clients {
            assert_eq!(hearer.hear(), message("t", payload));
        }
    }
}

#[test]
fn an_empty_id_is_replaced_by_a_unique_one_and_version_5_is_told_it() {
    let world = World::new();
    let first = world.v5("").connect();
    let second = world.v5("").connect();
    let ids = [&first, &second].map(|client| {
        let properties = client.connack.view();
        properties.assigned_client_identifier().unwrap().to_owned()
    });
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        let uuid = id.strip_prefix("auto-").unwrap();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
        assert!(uuid.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
        assert_eq!(uuid, uuid.to_uppercase());
    }
    let named = world.v5("mine").connect();
    assert_eq!(named.connack.view().assigned_client_identifier(), None);
}

#[test]
fn the_prefix_of_assigned_ids_is_the_listeners() {
    let world = World::with(|settings| settings.listeners[0].auto_id_prefix = "εδώ-".to_owned());
    let client = world.v5("").connect();
    let id = client.connack.view().assigned_client_identifier().unwrap();
    assert!(id.starts_with("εδώ-"), "{id}");
}

#[test]
fn an_empty_id_is_refused_where_the_standard_or_the_operator_says_so() {
    let world = World::new();
    world
        .v3("")
        .expect_refused(ReasonCode::ClientIdentifierNotValid);
    world
        .v4("")
        .resuming()
        .expect_refused(ReasonCode::ClientIdentifierNotValid);
    world.v4("").connect();
    world.v5("").resuming().connect();
    let strict = World::with(|s| s.listeners[0].allow_zero_length_clientid = false);
    strict
        .v4("")
        .expect_refused(ReasonCode::ClientIdentifierNotValid);
    let refused = strict.v5("").send();
    assert!(refused.connack().1.is_error());
    refused.expect_closed();
}

#[test]
fn session_present_is_said_exactly_where_a_session_goes_on() {
    let world = World::new();
    for version in VERSIONS {
        let id = &format!("{version:?}");
        let can_say = version != Version::V3;
        assert!(!world.dial(version, id).durable().connect().session_present);
        let again = world.dial(version, id).durable().connect();
        assert_eq!(again.session_present, can_say, "{version:?}");
        again.disconnect();
        let again = world.dial(version, id).durable().connect();
        assert_eq!(again.session_present, can_say, "{version:?}");
        again.cut();
        assert!(!world.dial(version, id).connect().session_present);
        assert!(
            !world.dial(version, id).durable().connect().session_present,
            "{version:?}"
        );
    }
}

#[test]
fn clean_start_forgets_subscriptions_and_waiting_messages() {
    let world = World::new();
    for version in VERSIONS {
        let old = world.dial(version, "c").durable().connect();
        old.subscribe("t", 1);
        old.disconnect();
        let publisher = world.v5("p").connect();
        publisher.deliver(message("t", "waits").qos(1));
        let new = world.dial(version, "c").connect();
        new.expect_nothing();
        publisher.deliver(message("t", "later").qos(1));
        new.expect_nothing();
        new.disconnect();
    }
}

#[test]
fn a_session_survives_a_change_of_version() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    for (before, after) in [(Version::V3, Version::V5), (Version::V5, Version::V4)] {
        let old = world.dial(before, "c").durable().connect();
        old.subscribe("t", 1);
        old.cut();
        publisher.deliver(
            message("t", "waited")
                .qos(1)
                .with(Property::ContentType("text")),
        );
        let new = world.dial(after, "c").durable().connect();
        assert!(new.session_present);
        let heard = new.hear();
        assert_eq!((heard.text(), heard.qos), ("waited".to_owned(), 1));
        assert_eq!(heard.properties.view().is_empty(), after != Version::V5);
        new.ack(&heard);
        world.dial(after, "c").connect().disconnect();
    }
}

#[test]
fn a_second_connection_takes_over_and_only_version_5_is_told_why() {
    for version in VERSIONS {
        let world = World::new();
        let old = world.dial(version, "c").durable().connect();
        old.subscribe("t", 1);
        let new = world.v5("c").durable().connect();
        assert!(new.session_present);
        if version == Version::V5 {
            old.expect_disconnect(ReasonCode::SessionTakenOver);
        } else {
            old.expect_closed();
        }
        assert_eq!(world.logged("disconnected: session taken over."), 1);
        assert_eq!(world.logged("two clients need two ids"), 1);
        world
            .v5("p")
            .connect()
            .publish(message("t", "to the new one"));
        assert_eq!(new.hear().text(), "to the new one");
    }
}

#[test]
fn what_was_in_flight_at_a_takeover_goes_to_the_new_connection() {
    let world = World::new();
    let old = world.v4("c").durable().connect();
    old.subscribe("t", 1);
    let publisher = world.v4("p").connect();
    publisher.deliver(message("t", "1").qos(1));
    assert_eq!(old.hear(), message("t", "1").qos(1).id(1));
    let new = world.v4("c").durable().connect();
    assert_eq!(new.hear(), message("t", "1").qos(1).id(1).again());
    new.puback(1);
    old.puback(1);
    new.expect_nothing();
}

#[test]
fn only_problems_are_explained_and_only_to_those_who_want_it() {
    // The broker has reason strings and user properties for nobody, so the wish is kept.
    let world = World::new();
    let client = world
        .v5("c")
        .with(Property::RequestProblemInformation(false))
        .connect();
    client.publish(message("nobody/hears", "").qos(1));
    let bare = client.expect("PUBACK", |packet| match packet {
        Packet::PubAck(ack) => Some(ack.properties.is_empty()),
        _ => None,
    });
    assert!(bare);
    client.unsubscribe("not/there");
    client.subscribe("t", 0);
    client.expect_nothing();
}

#[test]
fn enhanced_authentication_is_refused_in_connect() {
    let world = World::new();
    world
        .v5("c")
        .with(Property::AuthenticationMethod("SCRAM-SHA-1"))
        .with(Property::AuthenticationData(b"x"))
        .expect_refused(ReasonCode::BadAuthenticationMethod);
    world
        .v5("c")
        .with(Property::AuthenticationData(b"x"))
        .expect_refused(ReasonCode::ProtocolError);
}

#[test]
fn an_anonymous_client_is_refused_in_its_versions_words() {
    let world = World::with(|settings| settings.listeners[0].allow_anonymous = false);
    for version in VERSIONS {
        world
            .dial(version, "anon")
            .expect_refused(ReasonCode::NotAuthorized);
    }
    assert_eq!(
        world.logged("Client anon [10.0.0.1:10000] disconnected: not authorised."),
        1
    );
    assert_eq!(world.logged("New client connected"), 0);
}

#[test]
fn before_connect_the_log_names_the_address() {
    let world = World::new();
    let stranger = world.open(Version::V4, 0).unwrap();
    stranger.send_bytes(b"GET / HTTP/1.1\r\n\r\n");
    stranger.expect_closed();
    assert_eq!(
        lines(&world),
        [
            "New connection from 10.0.0.1:10000 on port 1883.",
            "Protocol error from 10.0.0.1:10000: First packet not CONNECT (47).",
            "Client 10.0.0.1 [10.0.0.1:10000] disconnected: protocol error.",
        ]
    );
}

#[test]
fn a_version_that_the_listener_does_not_speak_is_refused() {
    for refused in VERSIONS {
        let world = World::with(|s| s.listeners[0].versions.retain(|&v| v != refused));
        for version in VERSIONS {
            let dial = world.dial(version, "c");
            if version == refused {
                dial.expect_refused(ReasonCode::UnsupportedProtocolVersion);
            } else {
                dial.connect();
            }
        }
    }
}

#[test]
fn a_version_that_nobody_speaks_is_refused() {
    let world = World::new();
    let client = world.open(Version::V5, 0).unwrap();
    client.send_bytes(&[
        0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 6, 2, 0, 0, 0, 1, b's',
    ]);
    assert_eq!(client.connack().1, ReasonCode::UnsupportedProtocolVersion);
    client.expect_closed();
}

#[test]
fn connack_tells_version_5_what_is_not_to_be_had() {
    let world = World::with(|settings| {
        settings.retain_available = false;
        settings.max_packet_size = 1000;
        settings.max_inflight_messages = 7;
        settings.listeners[0].max_qos = QoS::AtLeastOnce;
        settings.listeners[0].max_topic_alias = 3;
    });
    let client = world.v5("c").connect();
    let said = client.connack.view();
    assert_eq!(said.retain_available(), Some(false));
    assert_eq!(said.maximum_packet_size(), Some(1000));
    assert_eq!(said.receive_maximum(), Some(7));
    assert_eq!(said.maximum_qos(), Some(QoS::AtLeastOnce));
    assert_eq!(said.topic_alias_maximum(), Some(3));
}

#[test]
fn a_will_beyond_what_is_to_be_had_is_refused() {
    let world = World::with(|settings| {
        settings.retain_available = false;
        settings.message_size_limit = 10;
        settings.listeners[0].max_qos = QoS::AtLeastOnce;
    });
    let will = |message| world.v5("c").will(message);
    will(message("w", "x").retained()).expect_refused(ReasonCode::RetainNotSupported);
    will(message("w", "x").qos(2)).expect_refused(ReasonCode::QoSNotSupported);
    will(message("w", "12345678901")).expect_refused(ReasonCode::PacketTooLarge);
    will(message("w", "1234567890").qos(1)).connect();
    let old = world.v4("o").will(message("w", "x").qos(2)).send();
    old.expect_closed();
}

#[test]
fn a_second_connect_is_an_error_of_the_protocol() {
    for version in VERSIONS {
        let world = World::new();
        let client = world.dial(version, "c").connect();
        client.send_bytes(&[
            0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 1, b's',
        ]);
        if version == Version::V5 {
            client.expect_disconnect(ReasonCode::ProtocolError);
        } else {
            client.expect_closed();
        }
        assert_eq!(world.logged("sending multiple CONNECT messages."), 1);
        assert_eq!(world.engine(|engine, _| engine.session_count()), 0);
    }
}

#[test]
fn the_log_tells_who_came_how() {
    let world = World::new();
    world.v5("ann").keep_alive(60).username("α").connect();
    world.v3("bob").resuming().keep_alive(5).connect();
    assert_eq!(
        world.logged("New client connected from 10.0.0.1:10000 as ann (p5, c1, k60, u'α')."),
        1
    );
    assert_eq!(
        world.logged("New client connected from 10.0.0.1:10001 as bob (p3, c0, k5)."),
        1
    );
}
