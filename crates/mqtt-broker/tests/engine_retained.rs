//! Retained messages under a simulated clock: set, replaced, cleared, and all of them delivered.

use mqtt_proto::{Property, QoS, SubscriptionOptions};
use mqtt_testkit::world::{Client, Message, World, message};
use std::num::NonZeroU16;

const MANY: usize = 10_000;

fn count(world: &World) -> usize {
    world.engine(|engine, now| engine.census(now).retained)
}

/// Retains one message on each of many topics.
fn retain_many(world: &World, qos: u8) -> Client {
    let publisher = world.v4("p").connect();
    for n in 0..MANY {
        publisher.deliver(
            message(&format!("r/{n:05}/x"), n.to_string())
                .qos(qos)
                .retained(),
        );
    }
    publisher
}

fn expect_each_once(mut payloads: Vec<String>) {
    payloads.sort_unstable_by_key(|text| text.parse::<usize>().expect("it is a number"));
    let expected: Vec<String> = (0..MANY).map(|n| n.to_string()).collect();
    assert!(payloads == expected, "{} came", payloads.len());
}

#[test]
fn a_retained_message_is_set_replaced_and_cleared() {
    let world = World::new();
    let before = count(&world);
    let publisher = world.v5("p").connect();
    for (qos, payload) in [(0, "a"), (2, "b"), (1, "c")] {
        publisher.deliver(message("t", payload).qos(qos).retained());
        assert_eq!(world.retained("t").as_deref(), Some(payload));
        assert_eq!(count(&world), before + 1);
    }
    publisher.publish(message("t", "not retained"));
    assert_eq!(world.retained("t").as_deref(), Some("c"));
    publisher.publish(message("t", "").retained());
    assert_eq!(world.retained("t"), None);
    assert_eq!(count(&world), before);
    publisher.publish(message("t", "").retained());
    assert_eq!(count(&world), before);
}

#[test]
fn the_clearing_message_itself_is_delivered_to_those_who_are_there() {
    let world = World::new();
    let client = world.v4("c").connect();
    client.subscribe("t", 0);
    let publisher = world.v4("p").connect();
    publisher.publish(message("t", "kept").retained());
    publisher.publish(message("t", "").retained());
    assert_eq!(client.hear_all(), [message("t", "kept"), message("t", "")]);
}

#[test]
fn retained_messages_come_with_the_flag_and_at_the_lower_qos() {
    let world = World::new();
    let publisher = world.v4("p").connect();
    for qos in 0..3 {
        publisher.deliver(message(&format!("t/{qos}"), "x").qos(qos).retained());
    }
    for subscribed in 0..3 {
        let client = world.v4(&format!("c{subscribed}")).connect();
        client.subscribe("t/+", subscribed);
        let heard = client.hear_all();
        assert!(heard.iter().all(|m| m.retain && !m.dup));
        let qos: Vec<u8> = heard.iter().map(|m| m.qos).collect();
        assert_eq!(
            qos,
            [0, 1, 2].map(|published: u8| published.min(subscribed))
        );
    }
}

#[test]
fn a_filter_finds_exactly_the_retained_messages_it_matches() {
    let world = World::new();
    let publisher = world.v4("p").connect();
    for topic in ["a", "a/b", "a/b/c", "b", "/a", "a//b", "$x/a", "ά/β"] {
        publisher.publish(message(topic, topic).retained());
    }
    for (filter, expected) in [
        ("#", vec!["/a", "a", "a//b", "a/b", "a/b/c", "b", "ά/β"]),
        ("+", vec!["a", "b"]),
        ("a/#", vec!["a", "a//b", "a/b", "a/b/c"]),
        ("+/+", vec!["/a", "a/b", "ά/β"]),
        ("a/+/b", vec!["a//b"]),
        ("$x/#", vec!["$x/a"]),
        ("ά/+", vec!["ά/β"]),
        ("nothing/#", vec![]),
    ] {
        let client = world.v4("c").connect();
        client.subscribe(filter, 0);
        let mut heard = client.texts();
        heard.sort_unstable();
        assert_eq!(heard, expected, "{filter}");
    }
}

#[test]
fn a_retained_message_expires_with_the_rest_of_its_time_forwarded_until_then() {
    let world = World::new();
    let expiry = Property::MessageExpiryInterval;
    let before = count(&world);
    let publisher = world.v5("p").connect();
    publisher.publish(message("t", "x").retained().with(expiry(90)));
    publisher.publish(message("$own/t", "x").retained().with(expiry(90)));
    world.advance_seconds(30);
    let client = world.v5("c").connect();
    client.subscribe("t", 0);
    assert_eq!(client.hear(), message("t", "x").retained().with(expiry(60)));
    world.advance_seconds(60);
    assert_eq!(world.retained("t"), None);
    // It is not only not sent: within the hour it is gone.
    world.advance_seconds(3600);
    assert_eq!(count(&world), before);
}

#[test]
fn a_subscriber_with_little_room_gets_ten_thousand_retained_messages_each_once() {
    let world = World::with(|settings| settings.max_outbox_bytes = 500);
    retain_many(&world, 0);
    let client = world.v4("c").connect();
    client.read_only(0);
    client.subscribe_blindly("r/#");
    assert!(client.waiting() < 600, "{} bytes wait", client.waiting());
    let mut heard = Vec::new();
    while heard.len() < MANY {
        client.read_only(777);
        assert!(client.waiting() < 600);
        heard.extend(client.publishes().iter().map(Message::text));
    }
    client.expect_nothing();
    expect_each_once(heard);
    assert_eq!(
        world.engine(|engine, _| engine.counters().publish_dropped),
        0
    );
}

#[test]
fn ten_thousand_retained_messages_come_at_least_once_through_a_receive_maximum_of_five() {
    let world = World::new();
    retain_many(&world, 1);
    let five = Property::ReceiveMaximum(NonZeroU16::new(5).unwrap());
    let client = world.v5("c").with(five).connect();
    client.subscribe("r/+/x", 1);
    let mut heard = Vec::new();
    loop {
        let portion = client.hear_all();
        assert!(portion.len() <= 5);
        if portion.is_empty() {
            break;
        }
        assert!(portion.iter().all(|m| m.retain && m.qos == 1 && !m.dup));
        heard.extend(portion.iter().map(Message::text));
        portion.iter().for_each(|message| client.ack(message));
    }
    expect_each_once(heard);
}

#[test]
fn live_messages_come_behind_the_retained_ones_of_their_topic() {
    let world = World::with(|settings| settings.max_inflight_messages = 5);
    let publisher = world.v4("p").connect();
    for n in 0..100 {
        publisher.deliver(message(&format!("r/{n:03}"), "old").qos(n % 3).retained());
    }
    for qos in 0..3 {
        let client = world.v4(&format!("c{qos}")).connect();
        client.read_only(if qos == 0 { 0 } else { usize::MAX });
        client.subscribe_blindly("r/#");
        if qos > 0 {
            client.subscribe("r/#", qos);
        }
        for n in [0, 1, 2, 50, 98, 99] {
            publisher.deliver(message(&format!("r/{n:03}"), "live").qos(qos));
        }
        client.read_on();
        let mut seen: Vec<(String, String)> = Vec::new();
        loop {
            let portion = client.publishes();
            if portion.is_empty() {
                break;
            }
            for message in portion {
                seen.push((message.topic.clone(), message.text()));
                match message.qos {
                    0 => {}
                    1 => client.puback(message.id),
                    _ => {
                        client.pubrec(message.id);
                        client.pubcomp(message.id);
                    }
                }
            }
        }
        for n in [0, 1, 2, 50, 98, 99] {
            let topic = format!("r/{n:03}");
            let of_topic: Vec<&str> = seen
                .iter()
                .filter(|(t, _)| *t == topic)
                .map(|(_, text)| text.as_str())
                .collect();
            let last = of_topic.last().copied();
            assert_eq!(last, Some("live"), "{topic} at QoS {qos}: {of_topic:?}");
            assert_eq!(of_topic.iter().filter(|text| **text == "live").count(), 1);
        }
    }
}

#[test]
fn a_retained_message_that_is_replaced_while_others_are_sent_comes_once_and_new() {
    let world = World::with(|settings| settings.max_inflight_messages = 1);
    let publisher = world.v4("p").connect();
    for topic in ["r/a", "r/b", "r/c", "r/d"] {
        publisher.deliver(message(topic, "old").qos(1).retained());
    }
    let client = world.v4("c").connect();
    client.subscribe("r/#", 1);
    publisher.deliver(message("r/c", "new").qos(1).retained());
    publisher.deliver(message("r/b", "").qos(1).retained());
    publisher.deliver(message("r/e", "new").qos(1).retained());
    let mut heard = Vec::new();
    while let Some(message) = client.hear_all().pop() {
        client.ack(&message);
        heard.push(format!(
            "{} {} {}",
            message.topic,
            message.text(),
            u8::from(message.retain)
        ));
    }
    let expected = ["r/a old 1", "r/d old 1", "r/c new 0", "r/b  0", "r/e new 0"];
    assert_eq!(heard, expected);
}

#[test]
fn unsubscribing_ends_the_delivery_of_retained_messages() {
    let world = World::with(|settings| settings.max_inflight_messages = 3);
    retain_many(&world, 1);
    let client = world.v4("c").connect();
    client.subscribe("r/#", 1);
    let first = client.hear_all();
    assert_eq!(first.len(), 3);
    client.unsubscribe("r/#");
    first.iter().for_each(|message| client.ack(message));
    client.expect_nothing();
}

#[test]
fn subscribing_again_starts_over() {
    let world = World::with(|settings| settings.max_inflight_messages = 2);
    let publisher = world.v4("p").connect();
    for n in 0..6 {
        publisher.deliver(message(&format!("r/{n}"), n.to_string()).qos(1).retained());
    }
    let client = world.v4("c").connect();
    client.subscribe("r/#", 1);
    let first = client.hear_all();
    client.subscribe("r/#", 1);
    first.iter().for_each(|message| client.ack(message));
    assert_eq!(client.drain(), ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn a_reconnect_in_the_middle_loses_no_retained_message_of_a_durable_session() {
    let world = World::with(|settings| settings.max_inflight_messages = 4);
    let publisher = world.v4("p").connect();
    for n in 0..50 {
        publisher.deliver(
            message(&format!("r/{n:02}"), n.to_string())
                .qos(1)
                .retained(),
        );
    }
    let mut client = world.v5("c").durable().connect();
    client.subscribe("r/#", 1);
    let mut heard = Vec::new();
    for round in 0.. {
        let portion = client.hear_all();
        if portion.is_empty() {
            break;
        }
        for message in &portion {
            client.ack(message);
            heard.push(message.text());
        }
        // What these acknowledgements have brought is on its way when the network fails.
        if round % 3 == 0 {
            client.cut();
            client = world.v5("c").durable().connect();
        }
    }
    heard.sort_unstable_by_key(|text| text.parse::<usize>().expect("it is a number"));
    heard.dedup();
    assert_eq!(heard.len(), 50);
}

#[test]
fn overlapping_subscriptions_get_their_retained_messages_each() {
    let world = World::new();
    world
        .v4("p")
        .connect()
        .publish(message("a/b", "x").retained());
    let client = world.v5("c").connect();
    client.subscribe_with("a/#", SubscriptionOptions::default(), Some(1));
    assert_eq!(client.hear().identifiers(), [1]);
    client.subscribe_with(
        "+/b",
        SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            ..SubscriptionOptions::default()
        },
        Some(2),
    );
    assert_eq!(client.hear().identifiers(), [2]);
    client.expect_nothing();
}

#[test]
fn a_retained_message_outlives_its_publisher_and_its_session() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    publisher.deliver(message("t", "x").qos(2).retained());
    publisher.disconnect();
    world.advance_seconds(24 * 3600);
    assert_eq!(world.retained("t").as_deref(), Some("x"));
}
