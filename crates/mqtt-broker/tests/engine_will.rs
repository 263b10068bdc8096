//! Wills under a simulated clock: sent when a client is lost, and only then.

use mqtt_broker::engine::Engine;
use mqtt_proto::{Property, ReasonCode, Topic, Version};
use mqtt_testkit::world::{Client, Dial, World, message};
use std::time::Duration;

const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];

fn watcher(world: &World) -> Client {
    let watcher = world.v5("watcher").connect();
    watcher.subscribe("will/#", 2);
    watcher
}

fn with_will(dial: Dial) -> Dial {
    dial.will(message("will/c", "lost"))
}

/// A client whose will waits, with a session that may wait longer or not so long.
fn delayed(world: &World, delay: u32, expiry: u32) -> Dial {
    world
        .v5("c")
        .resuming()
        .with(Property::SessionExpiryInterval(expiry))
        .will(message("will/c", "lost").with(Property::WillDelayInterval(delay)))
}

#[test]
fn a_will_is_sent_when_the_network_fails() {
    for version in VERSIONS {
        let world = World::new();
        let watcher = watcher(&world);
        with_will(world.dial(version, "c")).connect().cut();
        assert_eq!(watcher.hear(), message("will/c", "lost"));
        watcher.expect_nothing();
    }
}

#[test]
fn a_will_is_not_sent_after_a_goodbye() {
    for version in VERSIONS {
        let world = World::new();
        let watcher = watcher(&world);
        with_will(world.dial(version, "c")).connect().disconnect();
        with_will(world.dial(version, "d").durable())
            .connect()
            .disconnect();
        world.advance_seconds(5000);
        watcher.expect_nothing();
    }
}

#[test]
fn a_client_of_version_5_can_leave_with_its_will() {
    let world = World::new();
    let watcher = watcher(&world);
    for reason in [
        ReasonCode::DisconnectWithWill,
        ReasonCode::UnspecifiedError,
        ReasonCode::ImplementationSpecificError,
    ] {
        with_will(world.v5("c")).connect().leave(reason, &[]);
        assert_eq!(watcher.hear().text(), "lost", "{reason:?}");
    }
    watcher.expect_nothing();
}

#[test]
fn a_will_is_sent_when_the_keep_alive_runs_out() {
    let world = World::new();
    let watcher = watcher(&world);
    let _client = with_will(world.v4("c")).keep_alive(2).connect();
    world.advance(Duration::from_millis(2_999));
    watcher.expect_nothing();
    world.advance(Duration::from_millis(1));
    assert_eq!(watcher.hear().text(), "lost");
}

#[test]
fn a_will_is_sent_after_an_error_of_the_protocol() {
    for version in VERSIONS {
        let world = World::new();
        let watcher = watcher(&world);
        let client = with_will(world.dial(version, "c")).connect();
        client.send_bytes(&[0x00, 0x00]);
        assert!(!client.is_open());
        assert_eq!(watcher.hear().text(), "lost");
    }
}

#[test]
fn a_will_is_sent_when_the_broker_ends_the_connection() {
    let world = World::new();
    let watcher = watcher(&world);
    let client = with_will(world.v5("c")).connect();
    client.send(&mqtt_proto::Packet::Disconnect(mqtt_proto::Disconnect {
        reason: ReasonCode::Success,
        properties: {
            let mut buf = mqtt_proto::PropertiesBuf::new();
            buf.push(Property::SessionExpiryInterval(5)).unwrap();
            buf
        }
        .view(),
    }));
    // Session expiry may not come from nothing: this goodbye is an error, not a goodbye.
    client.expect_disconnect(ReasonCode::ProtocolError);
    assert_eq!(watcher.hear().text(), "lost");
}

#[test]
fn a_takeover_sends_the_will_of_the_old_connection_unless_its_session_goes_on() {
    for version in VERSIONS {
        for durable in [false, true] {
            let world = World::new();
            let watcher = watcher(&world);
            let dial = || {
                if durable {
                    world.dial(version, "c").durable()
                } else {
                    world.dial(version, "c")
                }
            };
            let _old = with_will(dial()).connect();
            let new = dial().connect();
            let expected: &[&str] = if durable { &[] } else { &["lost"] };
            assert_eq!(watcher.texts(), expected, "{version:?} {durable}");
            new.cut();
            watcher.expect_nothing();
        }
    }
}

#[test]
fn a_will_has_qos_retain_flag_and_properties() {
    let will = message("will/c", "lost")
        .qos(2)
        .retained()
        .with(Property::UserProperty(("a", "1")))
        .with(Property::ContentType("text"))
        .with(Property::CorrelationData(b"\x00\x01"))
        .with(Property::ResponseTopic(Topic::parse("r").unwrap()))
        .with(Property::PayloadFormatIndicator(true))
        .with(Property::UserProperty(("a", "2")));
    let world = World::new();
    let watcher = watcher(&world);
    world.v5("c").will(will.clone()).connect().cut();
    let heard = watcher.hear();
    assert_eq!(
        (heard.qos, heard.retain, heard.text()),
        (2, false, "lost".to_owned())
    );
    assert_eq!(heard.properties, will.properties);
    let late = world.v5("late").connect();
    late.subscribe("will/c", 2);
    assert_eq!(late.hear(), will.id(1));
}

#[test]
fn a_retained_will_of_no_bytes_clears() {
    let world = World::new();
    world
        .v4("p")
        .connect()
        .publish(message("will/c", "kept").retained());
    world
        .v4("c")
        .will(message("will/c", "").retained())
        .connect()
        .cut();
    assert_eq!(world.retained("will/c"), None);
}

#[test]
fn a_will_waits_for_its_delay_to_the_second() {
    let world = World::new();
    let watcher = watcher(&world);
    delayed(&world, 10, 100).connect().cut();
    world.advance(Duration::from_millis(9_999));
    watcher.expect_nothing();
    world.advance(Duration::from_millis(1));
    assert_eq!(watcher.hear(), message("will/c", "lost"));
    world.advance_seconds(1000);
    watcher.expect_nothing();
}

#[test]
fn a_will_is_not_sent_if_the_client_is_back_before_its_delay() {
    let world = World::new();
    let watcher = watcher(&world);
    delayed(&world, 10, 100).connect().cut();
    world.advance_seconds(9);
    let back = world.v5("c").durable().connect();
    assert!(back.session_present);
    world.advance_seconds(1000);
    back.disconnect();
    watcher.expect_nothing();
}

#[test]
fn the_delay_begins_anew_with_each_loss() {
    let world = World::new();
    let watcher = watcher(&world);
    for _ in 0..5 {
        delayed(&world, 10, 100).connect().cut();
        world.advance_seconds(9);
    }
    watcher.expect_nothing();
    world.advance_seconds(1);
    assert_eq!(watcher.texts(), ["lost"]);
}

#[test]
fn the_end_of_the_session_sends_the_will_before_its_delay() {
    let world = World::new();
    let watcher = watcher(&world);
    delayed(&world, 100, 10).connect().cut();
    world.advance(Duration::from_millis(9_999));
    watcher.expect_nothing();
    world.advance(Duration::from_millis(1));
    assert_eq!(watcher.texts(), ["lost"]);
    // A session of no length ends with its connection.
    delayed(&world, 100, 0).connect().cut();
    assert_eq!(watcher.texts(), ["lost"]);
    // Both at once: once.
    delayed(&world, 10, 10).connect().cut();
    world.advance_seconds(10);
    assert_eq!(watcher.texts(), ["lost"]);
}

#[test]
fn a_clean_start_ends_the_session_and_with_it_the_wait_of_the_will() {
    let world = World::new();
    let watcher = watcher(&world);
    delayed(&world, 50, 100).connect().cut();
    world.advance_seconds(5);
    world.v5("c").connect();
    assert_eq!(watcher.texts(), ["lost"]);
    world.advance_seconds(1000);
    watcher.expect_nothing();
}

#[test]
fn a_takeover_of_a_connection_with_a_delayed_will_depends_on_the_sessions_future() {
    let world = World::new();
    let watcher = watcher(&world);
    // The session goes on: the client is not lost.
    let _old = delayed(&world, 50, 100).connect();
    let _new = delayed(&world, 50, 100).connect();
    world.advance_seconds(1000);
    watcher.expect_nothing();
    // A clean start ends it.
    world.v5("c").connect();
    assert_eq!(watcher.texts(), ["lost"]);
    // It had no future anyway.
    let _old = delayed(&world, 50, 0).connect();
    let new = delayed(&world, 50, 0).connect();
    assert!(!new.session_present);
    assert_eq!(watcher.texts(), ["lost"]);
}

#[test]
fn a_goodbye_that_shortens_the_session_brings_the_will_forward() {
    let world = World::new();
    let watcher = watcher(&world);
    let client = delayed(&world, 50, 100).connect();
    client.leave(
        ReasonCode::DisconnectWithWill,
        &[Property::SessionExpiryInterval(7)],
    );
    world.advance_seconds(6);
    watcher.expect_nothing();
    world.advance_seconds(1);
    assert_eq!(watcher.texts(), ["lost"]);
}

#[test]
fn the_message_expiry_of_a_will_begins_when_it_is_sent() {
    let world = World::new();
    let watcher = watcher(&world);
    let expiry = Property::MessageExpiryInterval(20);
    let will = message("will/c", "lost")
        .with(Property::WillDelayInterval(60))
        .with(expiry);
    world.v5("c").durable().will(will).connect().cut();
    world.advance_seconds(60);
    assert_eq!(watcher.hear(), message("will/c", "lost").with(expiry));
}

#[test]
fn a_new_will_replaces_the_old_one_and_none_forgets_it() {
    let world = World::new();
    let watcher = watcher(&world);
    delayed(&world, 10, 100).connect().cut();
    let second = world
        .v5("c")
        .durable()
        .will(message("will/c", "second"))
        .connect();
    second.cut();
    assert_eq!(watcher.texts(), ["second"]);
    world.v5("c").durable().connect().cut();
    world.advance_seconds(1000);
    watcher.expect_nothing();
}

#[test]
fn a_will_reaches_absent_clients_and_shared_subscriptions_too() {
    let world = World::new();
    let absent = world.v5("absent").durable().connect();
    absent.subscribe("will/#", 1);
    absent.cut();
    let member = world.v5("member").connect();
    member.subscribe("$share/g/will/#", 1);
    world
        .v4("c")
        .will(message("will/c", "lost").qos(1))
        .connect()
        .cut();
    assert_eq!(member.drain(), ["lost"]);
    assert_eq!(world.v5("absent").durable().connect().drain(), ["lost"]);
}

#[test]
fn a_will_comes_back_to_its_own_client_when_that_has_subscribed() {
    let world = World::new();
    let client = world
        .v4("c")
        .durable()
        .will(message("will/c", "lost").qos(1))
        .connect();
    client.subscribe("will/c", 1);
    client.cut();
    assert_eq!(world.v4("c").durable().connect().drain(), ["lost"]);
}

#[test]
fn a_will_may_not_go_where_its_client_may_not_publish() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.subscribe("$SYS/broker/uptime", 0);
    client.hear();
    world
        .v5("liar")
        .will(message("$SYS/broker/uptime", "lie").retained())
        .connect()
        .cut();
    client.expect_nothing();
    assert_eq!(
        world.retained("$SYS/broker/uptime").as_deref(),
        Some("0 seconds")
    );
    let refused = world.v5("liar").will(message("$CONTROL/x", "")).send();
    assert!(refused.connack().1.is_error());
}

#[test]
fn a_stopping_broker_says_so_to_version_5() {
    let world = World::new();
    let clients = VERSIONS.map(|version| world.dial(version, &format!("{version:?}")).connect());
    world.engine(Engine::shutdown);
    let [v3, v4, v5] = clients;
    v3.expect_closed();
    v4.expect_closed();
    v5.expect_disconnect(ReasonCode::ServerShuttingDown);
}
