//! `$SYS` under a simulated clock: every interval, what has changed, and that it is right.

use mqtt_proto::Property;
use mqtt_testkit::world::{World, message};
use std::collections::HashMap;

/// Everything that `$SYS` has retained.
fn sys(world: &World) -> HashMap<String, String> {
    let looker = world.v4("looker").connect();
    looker.subscribe("$SYS/#", 0);
    let all = looker.hear_all();
    assert!(all.iter().all(|message| message.retain));
    looker.disconnect();
    all.into_iter()
        .map(|message| {
            let text = message.text();
            let topic = message
                .topic
                .strip_prefix("$SYS/broker/")
                .map(str::to_owned);
            (topic.expect("all are the broker's"), text)
        })
        .collect()
}

#[test]
fn every_topic_is_there_from_the_start() {
    let world = World::new();
    world.engine(|engine, _| engine.note_memory(1));
    world.advance_seconds(10);
    let found = sys(&world);
    let mut expected: Vec<String> = [
        "version",
        "uptime",
        "bytes/received",
        "bytes/sent",
        "clients/active",
        "clients/connected",
        "clients/disconnected",
        "clients/inactive",
        "clients/expired",
        "clients/total",
        "clients/maximum",
        "connections/socket/count",
        "heap/current",
        "heap/maximum",
        "messages/received",
        "messages/sent",
        "messages/stored",
        "packet/out/bytes",
        "packet/out/count",
        "publish/bytes/received",
        "publish/bytes/sent",
        "publish/messages/received",
        "publish/messages/sent",
        "publish/messages/dropped",
        "retained messages/count",
        "shared_subscriptions/count",
        "store/messages/bytes",
        "store/messages/count",
        "subscriptions/count",
    ]
    .map(str::to_owned)
    .to_vec();
    for load in [
        "bytes/received",
        "bytes/sent",
        "messages/received",
        "messages/sent",
        "publish/received",
        "publish/sent",
        "publish/dropped",
        "connections",
        "sockets",
    ] {
        expected.extend(["1min", "5min", "15min"].map(|time| format!("load/{load}/{time}")));
    }
    for topic in &expected {
        assert!(found.contains_key(topic), "{topic} is missing");
    }
    assert_eq!(found.len(), expected.len(), "there are others: {found:?}");
}

#[test]
fn a_round_comes_every_interval_and_tells_only_what_has_changed() {
    let world = World::with(|settings| settings.sys_interval = 7);
    let client = world.v4("c").connect();
    client.subscribe("$SYS/broker/uptime", 0);
    client.subscribe_blindly("$SYS/broker/version");
    assert_eq!(client.hear().text(), "0 seconds");
    client.publishes();
    for round in 1..=5 {
        world.advance_seconds(6);
        client.expect_nothing();
        world.advance_seconds(1);
        let heard = client.hear();
        assert_eq!(
            (heard.text(), heard.retain),
            (format!("{} seconds", round * 7), false)
        );
        client.expect_nothing();
    }
}

#[test]
fn there_is_no_sys_without_an_interval() {
    let world = World::with(|settings| settings.sys_interval = 0);
    world.advance_seconds(1000);
    assert_eq!(sys(&world), HashMap::new());
}

#[test]
fn the_figures_are_right() {
    let world = World::new();
    let before = world.engine(|engine, now| engine.census(now).retained);
    let (a, b) = (world.v5("a").durable().connect(), world.v4("b").connect());
    let absent = world.v5("absent").durable().connect();
    absent.subscribe("$share/g/x", 1);
    absent.cut();
    a.subscribe("t/#", 1);
    b.subscribe("t/1", 0);
    b.subscribe("u", 0);
    b.publish(message("t/1", "12345").qos(1).id(1).retained());
    b.publish(message("nobody", "123"));
    let _silent = world.open(mqtt_proto::Version::V4, 0).unwrap();
    world.advance_seconds(10);
    let found = sys(&world);
    let value = |topic: &str| found[topic].as_str();
    assert_eq!(value("clients/total"), "3");
    assert_eq!(
        (value("clients/connected"), value("clients/active")),
        ("2", "2")
    );
    assert_eq!(
        (value("clients/disconnected"), value("clients/inactive")),
        ("1", "1")
    );
    assert_eq!(value("clients/maximum"), "3");
    assert_eq!(value("connections/socket/count"), "3");
    assert_eq!(value("subscriptions/count"), "4");
    assert_eq!(value("shared_subscriptions/count"), "1");
    assert_eq!(value("retained messages/count"), (before + 1).to_string());
    assert_eq!(
        (
            value("publish/messages/received"),
            value("publish/bytes/received")
        ),
        ("2", "8")
    );
    // To a and to b.
    assert_eq!(
        (value("publish/messages/sent"), value("publish/bytes/sent")),
        ("2", "10")
    );
    assert_eq!(value("publish/messages/dropped"), "0");
    // Three CONNECT, four SUBSCRIBE, two PUBLISH.
    assert_eq!(value("messages/received"), "9");
    // Three CONNACK, four SUBACK, two PUBLISH, one PUBACK.
    assert_eq!(value("messages/sent"), "10");
    // Retained, and in flight to a.
    assert_eq!(value("messages/stored"), (before + 2).to_string());
    assert_eq!(value("packet/out/count"), "0");
}

#[test]
fn bytes_are_counted_as_they_cross_the_wire() {
    let world = World::with(|settings| settings.sys_interval = 0);
    let client = world.open(mqtt_proto::Version::V4, 0).unwrap();
    let connect = [
        0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0, 0, 1, b's',
    ];
    client.send_bytes(&connect);
    client.send_bytes(&[0xC0, 0]);
    let counted = world.engine(|engine, _| {
        (
            engine.counters().bytes_received,
            engine.counters().bytes_sent,
        )
    });
    assert_eq!(counted, (15 + 2, 4 + 2));
    assert_eq!(client.take_bytes().len(), 6);
}

#[test]
fn what_a_slow_reader_has_not_read_is_counted_as_waiting() {
    let world = World::new();
    let client = world.v4("c").connect();
    client.subscribe("t", 0);
    client.read_only(0);
    world.v4("p").connect().publish(message("t", "12345"));
    world.advance_seconds(10);
    let found = sys(&world);
    assert_eq!(
        (&*found["packet/out/count"], &*found["packet/out/bytes"]),
        ("1", "10")
    );
}

#[test]
fn dropped_and_expired_are_counted() {
    let world = World::with(|settings| settings.max_queued_messages = 1);
    let absent = world
        .v5("absent")
        .with(Property::SessionExpiryInterval(5))
        .connect();
    absent.subscribe("t", 1);
    absent.cut();
    let publisher = world.v4("p").connect();
    for _ in 0..4 {
        publisher.deliver(message("t", "x").qos(1));
    }
    world.advance_seconds(10);
    let found = sys(&world);
    assert_eq!(found["publish/messages/dropped"], "3");
    assert_eq!(found["clients/expired"], "1");
    assert_eq!(found["load/publish/dropped/1min"], "2.76");
}

#[test]
fn memory_is_told_as_the_program_saw_it() {
    let world = World::new();
    for bytes in [500, 900, 700] {
        world.engine(|engine, _| engine.note_memory(bytes));
    }
    world.advance_seconds(10);
    let found = sys(&world);
    assert_eq!(
        (&*found["heap/current"], &*found["heap/maximum"]),
        ("700", "900")
    );
}
