//! Sessions under a simulated clock: how long they live, and what waits in them.

use mqtt_proto::{Property, ReasonCode, Version};
use mqtt_testkit::world::{Dial, Message, World, message};
use std::time::Duration;

fn expiring(world: &World, seconds: u32) -> Dial {
    world
        .v5("c")
        .resuming()
        .with(Property::SessionExpiryInterval(seconds))
}

fn sessions(world: &World) -> usize {
    world.engine(|engine, _| engine.session_count())
}

fn dropped(world: &World) -> u64 {
    world.engine(|engine, _| engine.counters().publish_dropped)
}

#[test]
fn a_session_ends_when_its_expiry_is_over_to_the_second() {
    for (millis, present) in [(9_999, true), (10_000, false)] {
        let world = World::new();
        expiring(&world, 10).connect().cut();
        world.advance(Duration::from_millis(millis));
        assert_eq!(sessions(&world), usize::from(present));
        assert_eq!(expiring(&world, 10).connect().session_present, present);
        assert_eq!(
            world.logged("Expiring client c due to timeout."),
            usize::from(!present)
        );
    }
}

#[test]
fn the_expiry_counts_from_the_end_of_the_connection_and_anew_each_time() {
    let world = World::new();
    for _ in 0..4 {
        let client = expiring(&world, 10).connect();
        world.advance_seconds(100);
        client.disconnect();
        world.advance_seconds(9);
        assert_eq!(sessions(&world), 1);
    }
    world.advance_seconds(1);
    assert_eq!(sessions(&world), 0);
}

#[test]
fn a_session_without_expiry_ends_with_its_connection() {
    let world = World::new();
    for dial in [
        expiring(&world, 0),
        world.v5("c").resuming(),
        world.v4("c"),
        world.v3("c"),
    ] {
        let client = dial.connect();
        client.subscribe("t", 1);
        assert_eq!(sessions(&world), 1);
        client.cut();
        assert_eq!(sessions(&world), 0);
        let census = world.engine(|engine, now| engine.census(now));
        assert_eq!(census.subscriptions, 0);
    }
}

#[test]
fn a_session_that_never_expires_is_there_after_a_month() {
    for version in [Version::V3, Version::V4, Version::V5] {
        let world = World::with(|settings| settings.sys_interval = 0);
        let client = world.dial(version, "c").durable().connect();
        client.subscribe("t", 1);
        client.cut();
        world.v4("p").connect().deliver(message("t", "x").qos(1));
        world.advance_seconds(31 * 24 * 3600);
        assert_eq!(world.dial(version, "c").durable().connect().drain(), ["x"]);
    }
}

#[test]
fn disconnect_can_change_the_expiry() {
    let world = World::new();
    for (first, last, alive) in [(100, 5, 5), (5, 100, 100), (5, 0, 0)] {
        let client = expiring(&world, first).connect();
        client.leave(
            ReasonCode::Success,
            &[Property::SessionExpiryInterval(last)],
        );
        if alive > 0 {
            world.advance_seconds(alive - 1);
            assert_eq!(sessions(&world), 1, "{first} {last}");
            world.advance_seconds(1);
        }
        assert_eq!(sessions(&world), 0, "{first} {last}");
    }
}

#[test]
fn disconnect_cannot_make_a_session_out_of_nothing() {
    let world = World::new();
    let client = expiring(&world, 0).connect();
    client.send_bytes(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 9]);
    client.expect_disconnect(ReasonCode::ProtocolError);
    assert_eq!(sessions(&world), 0);
}

#[test]
fn persistent_client_expiration_bounds_every_absence() {
    let world = World::with(|settings| settings.persistent_client_expiration = 60);
    for dial in [
        world.v4("v4").durable(),
        world.v5("v5").durable(),
        expiring(&world, 1000),
    ] {
        dial.connect().cut();
    }
    world
        .v5("short")
        .resuming()
        .with(Property::SessionExpiryInterval(5))
        .connect()
        .cut();
    world.advance_seconds(5);
    assert_eq!(sessions(&world), 3);
    world.advance_seconds(54);
    assert_eq!(sessions(&world), 3);
    world.advance_seconds(1);
    assert_eq!(sessions(&world), 0);
    assert_eq!(
        world.engine(|engine, _| engine.counters().clients_expired),
        4
    );
}

#[test]
fn a_clean_start_with_expiry_makes_a_session_that_can_go_on() {
    let world = World::new();
    let first = world
        .v5("c")
        .with(Property::SessionExpiryInterval(60))
        .connect();
    assert!(!first.session_present);
    first.subscribe("t", 1);
    first.cut();
    assert!(expiring(&world, 60).connect().session_present);
}

#[test]
fn an_absent_client_gets_what_waited_in_order_and_at_its_qos() {
    let world = World::new();
    let client = world.v4("c").durable().connect();
    client.subscribe("a", 1);
    client.subscribe("b", 2);
    client.subscribe("zero", 0);
    client.disconnect();
    let publisher = world.v4("p").connect();
    for n in 0..30 {
        publisher.deliver(message(["a", "b", "zero"][n % 3], n.to_string()).qos(2));
        publisher.publish(message("a", "QoS 0 does not wait"));
    }
    let client = world.v4("c").durable().connect();
    let expected: Vec<String> = (0..30)
        .filter(|n| n % 3 < 2)
        .map(|n| n.to_string())
        .collect();
    let heard = client.hear_all();
    assert!(
        heard
            .iter()
            .all(|m| m.qos == if m.topic == "a" { 1 } else { 2 } && !m.dup && !m.retain)
    );
    let texts: Vec<String> = heard.iter().map(Message::text).collect();
    assert_eq!(texts, expected);
}

#[test]
fn max_queued_messages_bounds_what_waits_besides_what_is_in_flight() {
    let world = World::with(|settings| {
        settings.max_inflight_messages = 3;
        settings.max_queued_messages = 5;
    });
    let publisher = world.v4("p").connect();
    let here = world.v5("here").connect();
    here.subscribe("t", 1);
    let absent = world.v5("absent").durable().connect();
    absent.subscribe("t", 1);
    absent.cut();
    for n in 0..20 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    assert_eq!(here.drain(), ["0", "1", "2", "3", "4", "5", "6", "7"]);
    assert_eq!(
        world.v5("absent").durable().connect().drain(),
        ["0", "1", "2", "3", "4"]
    );
    assert_eq!(dropped(&world), 12 + 15);
    for id in ["here", "absent"] {
        let line = format!("Outgoing messages are being dropped for client {id}.");
        assert_eq!(world.logged(&line), 1);
    }
    // The queue is empty again: if it overflows once more, that is worth a line once more.
    for n in 0..20 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    assert_eq!(
        world.logged("Outgoing messages are being dropped for client here."),
        2
    );
}

#[test]
fn max_queued_bytes_counts_topics_and_payloads() {
    let world = World::with(|settings| settings.max_queued_bytes = 100);
    let absent = world.v5("absent").durable().connect();
    absent.subscribe("#", 1);
    absent.cut();
    let publisher = world.v4("p").connect();
    // 20 bytes each: five fit.
    for n in 0..8 {
        publisher.deliver(message("0123456789", format!("{n:010}")).qos(1));
    }
    // What is smaller than the rest of the room does not fit either: there is no rest.
    publisher.deliver(message("t", "").qos(1));
    assert_eq!(world.v5("absent").durable().connect().drain().len(), 5);
    assert_eq!(dropped(&world), 4);
}

#[test]
fn expired_messages_make_room_in_a_full_queue() {
    let world = World::with(|settings| settings.max_queued_messages = 3);
    let absent = world.v5("absent").durable().connect();
    absent.subscribe("t", 1);
    absent.cut();
    let publisher = world.v5("p").connect();
    for n in 0..3 {
        publisher.deliver(
            message("t", n.to_string())
                .qos(1)
                .with(Property::MessageExpiryInterval(10)),
        );
    }
    world.advance_seconds(10);
    for n in 3..6 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    assert_eq!(
        world.v5("absent").durable().connect().drain(),
        ["3", "4", "5"]
    );
    assert_eq!(dropped(&world), 0);
}

#[test]
fn at_most_once_waits_for_the_absent_only_by_option() {
    for option in [false, true] {
        let world = World::with(|settings| settings.queue_qos0_messages = option);
        let client = world.v4("c").durable().connect();
        client.subscribe("t", 1);
        client.cut();
        let publisher = world.v4("p").connect();
        for n in 0..6 {
            publisher.deliver(message("t", n.to_string()).qos(n % 2));
        }
        let client = world.v4("c").durable().connect();
        let expected: &[&str] = if option {
            &["0", "1", "2", "3", "4", "5"]
        } else {
            &["1", "3", "5"]
        };
        assert_eq!(client.drain(), expected);
        publisher.publish(message("t", "live"));
        assert_eq!(client.drain(), ["live"]);
    }
}

#[test]
fn subscriptions_and_what_is_half_received_survive_a_reconnect() {
    let world = World::new();
    let client = world.v5("c").durable().connect();
    client.subscribe("t/#", 2);
    client.subscribe("u", 0);
    client.publish(message("t/own", "half").qos(2).id(5));
    client.cut();
    world.advance_seconds(12345);
    let client = world.v5("c").durable().connect();
    client.pubrel(5);
    client.expect("PUBLISH or PUBCOMP", |_| Some(()));
    client.expect("PUBLISH or PUBCOMP", |_| Some(()));
    world.v5("p").connect().publish(message("u", "still heard"));
    assert_eq!(client.hear().text(), "still heard");
}

#[test]
fn half_received_messages_end_with_the_session() {
    let world = World::new();
    let watcher = world.v5("watcher").connect();
    watcher.subscribe("t", 0);
    let client = world.v5("c").durable().connect();
    client.publish(message("t", "half").qos(2).id(5));
    client.cut();
    let client = world.v5("c").connect();
    client.pubrel(5);
    client.expect_pubcomp(5);
    watcher.expect_nothing();
}

#[test]
fn packet_identifiers_of_both_directions_do_not_meet() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.subscribe("t", 2);
    client.publish(message("t", "x").qos(2).id(1));
    client.expect_pubrec(1);
    client.pubrel(1);
    let heard = client.hear();
    assert_eq!(heard.id, 1);
    client.expect_pubcomp(1);
    client.publish(message("other", "y").qos(2).id(1));
    client.expect_pubrec(1);
    client.pubrec(1);
    client.expect_pubrel(1);
    client.pubrel(1);
    client.expect_pubcomp(1);
    client.pubcomp(1);
    client.expect_nothing();
}

#[test]
fn ten_thousand_sessions_come_and_go_and_leave_nothing_behind() {
    let world = World::new();
    for n in 0..10_000 {
        let client = world
            .v5(&format!("c{n}"))
            .with(Property::SessionExpiryInterval(n % 50))
            .connect();
        client.subscribe(&format!("t/{n}/#"), 1);
        client.subscribe(&format!("$share/g/t/{n}"), 1);
        client.cut();
        if n % 1000 == 0 {
            world.advance_seconds(10);
        }
    }
    world.advance_seconds(50);
    let after = world.engine(|engine, now| engine.census(now));
    assert_eq!((after.total, after.subscriptions, after.sockets), (0, 0, 0));
    assert_eq!(
        after.stored, after.retained,
        "only what $SYS retains is left"
    );
}
