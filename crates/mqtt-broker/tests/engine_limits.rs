//! Limits of time, size and number under a simulated clock: each is met to the last unit.

use mqtt_broker::engine::settings::ListenerRules;
use mqtt_proto::{Packet, Property, ReasonCode, Version};
use mqtt_testkit::world::{Client, Message, World, message};
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];

#[test]
fn a_client_is_lost_after_one_and_a_half_keep_alives_without_a_packet() {
    for version in VERSIONS {
        let world = World::new();
        let client = world.dial(version, "c").keep_alive(10).connect();
        world.advance(Duration::from_millis(14_999));
        client.expect_nothing();
        world.advance(Duration::from_millis(1));
        if version == Version::V5 {
            client.expect_disconnect(ReasonCode::KeepAliveTimeout);
        } else {
            client.expect_closed();
        }
        assert_eq!(
            world.log().last().unwrap().text,
            "Client c [10.0.0.1:10000] disconnected: exceeded timeout."
        );
    }
}

#[test]
fn every_packet_of_the_client_counts_for_its_keep_alive() {
    let world = World::new();
    let client = world.v4("c").keep_alive(10).connect();
    for step in 0..20 {
        world.advance_seconds(14);
        match step % 3 {
            0 => {
                client.send(&Packet::PingReq);
                client.expect("PINGRESP", |p| (*p == Packet::PingResp).then_some(()));
            }
            1 => _ = client.publish(message("t", "alive")),
            _ => client.puback(77),
        }
        client.expect_nothing();
    }
    world.advance_seconds(15);
    client.expect_closed();
}

#[test]
fn what_the_server_sends_does_not_keep_a_client_alive() {
    let world = World::new();
    let deaf = world.v4("deaf").keep_alive(10).connect();
    deaf.subscribe("t", 0);
    let publisher = world.v4("p").connect();
    for _ in 0..14 {
        world.advance_seconds(1);
        publisher.publish(message("t", "are you there?"));
    }
    assert!(deaf.is_open());
    world.advance_seconds(1);
    assert!(!deaf.is_open());
}

#[test]
fn a_packet_that_never_ends_does_not_keep_a_client_alive() {
    let world = World::new();
    let client = world.v4("c").keep_alive(10).connect();
    client.send_bytes(&[0x30, 100, 0, 1, b't']);
    for _ in 0..15 {
        client.expect_nothing();
        world.advance_seconds(1);
        client.send_bytes(b"x");
    }
    client.expect_closed();
}

#[test]
fn a_keep_alive_of_zero_never_ends() {
    let world = World::with(|settings| settings.sys_interval = 0);
    let client = world.v5("c").keep_alive(0).connect();
    world.advance_seconds(10 * 24 * 3600);
    client.expect_nothing();
}

#[test]
fn max_keepalive_is_told_to_version_5_and_holds() {
    let world = World::with(|settings| settings.max_keepalive = 20);
    for asked in [0, 60] {
        let client = world.v5("c").keep_alive(asked).connect();
        assert_eq!(client.connack.view().server_keep_alive(), Some(20));
        world.advance(Duration::from_millis(29_999));
        client.expect_nothing();
        world.advance(Duration::from_millis(1));
        client.expect_disconnect(ReasonCode::KeepAliveTimeout);
    }
    let modest = world.v5("c").keep_alive(20).connect();
    assert_eq!(modest.connack.view().server_keep_alive(), None);
    // Version 4 cannot be told, so it is refused.
    world.v4("old").keep_alive(20).connect();
    world
        .v4("old")
        .keep_alive(21)
        .expect_refused(ReasonCode::ClientIdentifierNotValid);
}

#[test]
fn a_connection_without_connect_is_closed_after_its_time() {
    let world = World::with(|settings| settings.connect_timeout = 30);
    let silent = world.open(Version::V4, 0).unwrap();
    let slow = world.open(Version::V4, 0).unwrap();
    let connect = [
        0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 1, b's',
    ];
    for &byte in &connect[..14] {
        world.advance_seconds(2);
        slow.send_bytes(&[byte]);
    }
    world.advance(Duration::from_millis(1_999));
    silent.expect_nothing();
    world.advance(Duration::from_millis(1));
    silent.expect_closed();
    slow.expect_closed();
    assert_eq!(world.logged("disconnected: exceeded timeout."), 2);
    let quick = world.v4("c").connect();
    world.advance_seconds(1000);
    quick.expect_nothing();
}

#[test]
fn a_connect_may_come_in_pieces() {
    let world = World::new();
    let client = world.open(Version::V4, 0).unwrap();
    let connect = [
        0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 1, b's',
    ];
    for byte in connect {
        client.expect_nothing();
        client.send_bytes(&[byte]);
    }
    assert_eq!(client.connack().1, ReasonCode::Success);
}

#[test]
fn one_client_more_than_global_max_clients_is_refused() {
    let world = World::with(|settings| settings.global_max_clients = 2);
    let absent = world.v5("absent").durable().connect();
    absent.cut();
    let here = world.v5("here").connect();
    world.v5("third").expect_refused(ReasonCode::ServerBusy);
    world.v4("third").send().expect_closed();
    // Those who have a session already take no more room.
    world.v5("absent").durable().connect();
    here.disconnect();
    world.v5("third").connect();
}

#[test]
fn connections_beyond_the_limits_are_not_even_taken() {
    let world = World::with(|settings| {
        settings.listeners.push(ListenerRules::default());
        settings.listeners[0].max_connections = 1;
        settings.global_max_connections = 3;
    });
    let first = world.v4("a").connect();
    assert!(world.open(Version::V4, 0).is_none());
    assert_eq!(
        world.logged("Client connection from 10.0.0.1 denied: max_connections exceeded."),
        1
    );
    let _others = [
        world.open(Version::V4, 1).unwrap(),
        world.open(Version::V4, 1).unwrap(),
    ];
    assert!(world.open(Version::V4, 1).is_none());
    first.disconnect();
    world.v4("b").connect();
}

#[test]
fn a_packet_above_the_clients_maximum_is_dropped_for_it_alone() {
    let world = World::new();
    let small = world
        .v5("small")
        .with(Property::MaximumPacketSize(NonZeroU32::new(60).unwrap()))
        .connect();
    let any = world.v5("any").connect();
    let old = world.v4("old").connect();
    for client in [&small, &any, &old] {
        client.subscribe("t/#", 2);
    }
    let publisher = world.v4("p").connect();
    for qos in 0..3 {
        publisher.deliver(message("t/large", [b'x'; 100]).qos(qos));
        for client in [&any, &old] {
            let heard = client.hear();
            assert_eq!(heard.payload.len(), 100);
            client.ack(&heard);
        }
        small.expect_nothing();
        publisher.deliver(message("t/small", "fits").qos(qos));
        for client in [&small, &any, &old] {
            let heard = client.hear();
            assert_eq!((heard.text(), heard.qos), ("fits".to_owned(), qos));
            client.ack(&heard);
        }
    }
    assert_eq!(
        world.logged("Dropping too large outgoing PUBLISH for small"),
        3
    );
    assert_eq!(
        world.engine(|engine, _| engine.counters().publish_dropped),
        3
    );
}

#[test]
fn the_clients_maximum_is_met_to_the_byte() {
    let world = World::new();
    // Fixed header 2, topic 2+1, properties 1, payload 50.
    for (limit, fits) in [(56, true), (55, false)] {
        let client = world
            .v5("c")
            .with(Property::MaximumPacketSize(NonZeroU32::new(limit).unwrap()))
            .connect();
        client.subscribe("t", 0);
        world.v5("p").connect().publish(message("t", [b'x'; 50]));
        assert_eq!(client.hear_all().len(), usize::from(fits), "{limit}");
    }
}

#[test]
fn no_more_messages_are_in_flight_than_the_client_takes() {
    let world = World::new();
    let maximum = Property::ReceiveMaximum(NonZeroU16::new(2).unwrap());
    let client = world.v5("c").with(maximum).connect();
    client.subscribe("t", 2);
    let publisher = world.v4("p").connect();
    for n in 0..6 {
        publisher.deliver(message("t", n.to_string()).qos(1 + n % 2));
    }
    publisher.publish(message("t", "QoS 0 does not count"));
    let first = client.hear_all();
    let texts: Vec<String> = first.iter().map(Message::text).collect();
    assert_eq!(texts, ["0", "1", "QoS 0 does not count"]);
    // PUBREC frees nothing, PUBCOMP and PUBACK do.
    client.pubrec(first[1].id);
    client.expect_pubrel(first[1].id);
    client.expect_nothing();
    client.pubcomp(first[1].id);
    let third = client.hear();
    assert_eq!(third.text(), "2");
    client.expect_nothing();
    client.puback(first[0].id);
    client.puback(third.id);
    assert_eq!(client.drain(), ["3", "4", "5"]);
}

/// How many messages come at once, eight times, from a broker that has many: each is confirmed.
fn portions(client: &Client) -> Vec<usize> {
    let portion = || {
        let heard = client.hear_all();
        heard.iter().for_each(|message| client.ack(message));
        heard.len()
    };
    std::iter::repeat_with(portion).take(8).collect()
}

#[test]
fn a_client_that_confirms_quickly_is_sent_more_at_once() {
    let world = World::with(|settings| settings.max_inflight_quick = 100);
    let client = world.v4("c").connect();
    client.subscribe("t", 1);
    let publisher = world.v4("p").connect();
    for n in 0..1000 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    // Nothing is known of it at first; after that, no time has passed here, and it is as quick as can be.
    let sizes = portions(&client);
    assert_eq!(sizes[0], 20);
    assert!(sizes.contains(&100), "{sizes:?}");
    assert!(sizes.is_sorted(), "{sizes:?}");
    // One that takes a second for each is sent no more than others.
    for message in client.hear_all() {
        world.advance_seconds(1);
        client.ack(&message);
    }
    let last = client.hear_all();
    assert_eq!(last.len(), 20);
}

#[test]
fn the_client_and_the_configuration_have_the_last_word_on_that() {
    for (told, quick, most) in [(Some(30), 100, 30), (None, 0, 20)] {
        let world = World::with(|settings| settings.max_inflight_quick = quick);
        let maximum = told.and_then(NonZeroU16::new).map(Property::ReceiveMaximum);
        let client = match maximum {
            Some(maximum) => world.v5("c").with(maximum).connect(),
            None => world.v5("c").connect(),
        };
        client.subscribe("t", 1);
        let publisher = world.v4("p").connect();
        for n in 0..500 {
            publisher.deliver(message("t", n.to_string()).qos(1));
        }
        let sizes = portions(&client);
        assert_eq!(sizes.into_iter().max(), Some(most));
    }
}

#[test]
fn more_unreleased_messages_than_granted_end_the_connection() {
    let world = World::with(|settings| settings.max_inflight_messages = 3);
    let client = world.v5("c").connect();
    for id in 1..=3 {
        client.publish(message("t", "x").qos(2).id(id));
        client.expect_pubrec(id);
    }
    // QoS 0 and 1 are done with at once and may still come.
    client.publish(message("t", "x").qos(1).id(9));
    client.expect_puback(9);
    client.publish(message("t", "x").qos(2).id(4));
    client.expect_disconnect(ReasonCode::ReceiveMaximumExceeded);
    assert_eq!(
        world.logged("Client c has exceeded its receive-maximum quota."),
        1
    );
    assert_eq!(world.logged("disconnected: receive maximum exceeded."), 1);
}

#[test]
fn a_released_message_makes_room_for_another() {
    let world = World::with(|settings| settings.max_inflight_messages = 1);
    let client = world.v5("c").connect();
    for _ in 0..50 {
        client.deliver(message("t", "x").qos(2));
    }
    client.expect_nothing();
}
