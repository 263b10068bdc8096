//! SUBSCRIBE and UNSUBSCRIBE under a simulated clock: who hears what, once or twice, and how.

use mqtt_proto::{
    Filter, Packet, PacketId, Properties, QoS, ReasonCode, RetainHandling, Subscribe, Subscription,
    SubscriptionOptions, Unsubscribe, VarInt, Version,
};
use mqtt_testkit::world::{Client, Message, World, message};

fn options(qos: u8) -> SubscriptionOptions {
    SubscriptionOptions {
        qos: QoS::new(qos).expect("a QoS is 0, 1 or 2"),
        ..SubscriptionOptions::default()
    }
}

fn subscribe_all(client: &Client, filters: &[(&str, u8)]) -> Vec<u8> {
    let subscriptions = filters.iter().map(|&(filter, qos)| Subscription {
        filter: Filter::parse(filter).expect("it is a filter"),
        options: options(qos),
    });
    client.send(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::new(77).expect("it is not 0"),
        properties: Properties::EMPTY,
        subscriptions: subscriptions.collect(),
    }));
    client.expect("SUBACK 77", |packet| match packet {
        Packet::SubAck(suback) if suback.packet_id.get() == 77 => {
            Some(suback.reasons.iter().map(|code| code.value()).collect())
        }
        _ => None,
    })
}

fn identifiers(client: &Client) -> Vec<Vec<u32>> {
    client.hear_all().iter().map(Message::identifiers).collect()
}

#[test]
fn several_filters_in_one_packet_get_a_code_each() {
    for version in [Version::V3, Version::V4, Version::V5] {
        let world = World::new();
        let client = world.dial(version, "c").connect();
        let codes = subscribe_all(&client, &[("a", 2), ("b/+", 0), ("c/#", 1), ("a", 1)]);
        assert_eq!(codes, [2, 0, 1, 1]);
        let publisher = world.v4("p").connect();
        for topic in ["a", "b/x", "c", "c/d/e", "b", "d"] {
            publisher.deliver(message(topic, topic).qos(2));
        }
        let heard: Vec<_> = client
            .hear_all()
            .into_iter()
            .map(|m| (m.topic, m.qos))
            .collect();
        let expected = [("a", 1), ("b/x", 0), ("c", 1), ("c/d/e", 1)];
        assert_eq!(heard, expected.map(|(topic, qos)| (topic.to_owned(), qos)));
    }
}

#[test]
fn unsubscribe_answers_for_each_filter() {
    let world = World::new();
    let client = world.v5("c").connect();
    subscribe_all(&client, &[("a", 1), ("b", 1), ("$share/g/c", 1)]);
    client.send(&Packet::Unsubscribe(Unsubscribe {
        packet_id: PacketId::new(5).unwrap(),
        properties: Properties::EMPTY,
        filters: ["a", "x", "$share/g/c", "$share/h/c", "a", "b/#"]
            .map(|filter| Filter::parse(filter).unwrap())
            .to_vec(),
    }));
    let codes = client.expect("UNSUBACK", |packet| match packet {
        Packet::UnsubAck(ack) => Some(ack.reasons.iter().map(|c| c.value()).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(codes, [0, 0x11, 0, 0x11, 0x11, 0x11]);
    let publisher = world.v4("p").connect();
    for topic in ["a", "b", "c"] {
        publisher.publish(message(topic, topic));
    }
    assert_eq!(client.texts(), ["b"]);
}

#[test]
fn what_is_in_flight_or_queued_still_comes_after_unsubscribe() {
    let world = World::with(|settings| settings.max_inflight_messages = 1);
    let client = world.v5("c").connect();
    client.subscribe("t", 1);
    let publisher = world.v5("p").connect();
    for n in 0..3 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    let first = client.hear();
    client.unsubscribe("t");
    publisher.deliver(message("t", "after").qos(1));
    client.ack(&first);
    assert_eq!(client.drain(), ["1", "2"]);
}

#[test]
fn a_subscription_to_the_same_filter_replaces_the_first() {
    let world = World::new();
    let client = world.v5("c").connect();
    let publisher = world.v5("p").connect();
    client.subscribe_with("t", options(2), Some(1));
    client.subscribe_with("t", options(1), Some(2));
    publisher.deliver(message("t", "x").qos(2));
    let heard = client.hear();
    assert_eq!(
        (
            heard.qos,
            heard
                .properties
                .view()
                .subscription_identifier()
                .map(VarInt::get)
        ),
        (1, Some(2))
    );
    client.subscribe("t", 0);
    publisher.deliver(message("t", "x").qos(2));
    assert_eq!(client.hear(), message("t", "x"));
    client.expect_nothing();
    assert_eq!(
        world.engine(|engine, now| engine.census(now).subscriptions),
        1
    );
}

#[test]
fn no_local_keeps_a_clients_own_messages_away_from_it_alone() {
    let world = World::new();
    let no_local = SubscriptionOptions {
        no_local: true,
        ..options(1)
    };
    let (ann, bob) = (world.v5("ann").connect(), world.v5("bob").connect());
    for client in [&ann, &bob] {
        client.subscribe_with("chat", no_local, None);
    }
    // A subscription that does not want it is a matching one all the same.
    assert_eq!(
        ann.deliver(message("chat", "from ann").qos(1)),
        ReasonCode::Success
    );
    bob.publish(message("chat", "from bob"));
    assert_eq!(ann.texts(), ["from bob"]);
    assert_eq!(bob.texts(), ["from ann"]);
    ann.subscribe("chat/#", 0);
    ann.publish(message("chat", "through the other"));
    assert_eq!(ann.texts(), ["through the other"]);
}

#[test]
fn no_local_is_about_the_client_not_its_connection() {
    let world = World::new();
    let dial = || world.v5("ann").durable();
    let ann = dial().connect();
    ann.subscribe_with(
        "t",
        SubscriptionOptions {
            no_local: true,
            ..options(1)
        },
        None,
    );
    ann.cut();
    let ann = dial().connect();
    ann.deliver(message("t", "mine").qos(1));
    ann.expect_nothing();
    ann.publish(message("t", "mine").qos(2).id(9));
    ann.cut();
    let ann = dial().connect();
    ann.pubrel(9);
    ann.expect_pubcomp(9);
    ann.expect_nothing();
}

#[test]
fn retain_as_published_forwards_the_flag_and_otherwise_it_is_off() {
    let world = World::new();
    let as_published = SubscriptionOptions {
        retain_as_published: true,
        ..options(2)
    };
    let (rap, plain) = (world.v5("rap").connect(), world.v5("plain").connect());
    rap.subscribe_with("t", as_published, None);
    plain.subscribe("t", 2);
    let publisher = world.v4("p").connect();
    for (qos, retain) in [0, 1, 2]
        .into_iter()
        .flat_map(|qos| [(qos, true), (qos, false)])
    {
        let published = message("t", "x").qos(qos);
        publisher.deliver(if retain {
            published.retained()
        } else {
            published
        });
        for (client, expected) in [(&rap, retain), (&plain, false)] {
            let heard = client.hear();
            assert_eq!(heard.retain, expected, "{heard:?}");
            client.ack(&heard);
        }
    }
    // A message that waits keeps its flag.
    let absent = world.v5("absent").durable().connect();
    absent.subscribe_with("u", as_published, None);
    absent.cut();
    publisher.deliver(message("u", "r").qos(1).retained());
    assert!(world.v5("absent").durable().connect().hear().retain);
}

#[test]
fn retain_handling_says_when_retained_messages_are_sent() {
    let world = World::new();
    world
        .v5("p")
        .connect()
        .publish(message("t", "kept").retained());
    let expect = |client: &Client, handling, count: usize| {
        client.subscribe_with(
            "t",
            SubscriptionOptions {
                retain_handling: handling,
                ..options(0)
            },
            None,
        );
        let heard = client.hear_all();
        assert_eq!(heard.len(), count, "{handling:?}");
        assert!(heard.iter().all(|m| m.retain));
    };
    let fresh = |id| world.v5(id).connect();
    let a = fresh("a");
    expect(&a, RetainHandling::Send, 1);
    expect(&a, RetainHandling::Send, 1);
    expect(&a, RetainHandling::SendIfNew, 0);
    a.unsubscribe("t");
    expect(&a, RetainHandling::SendIfNew, 1);
    let b = fresh("b");
    expect(&b, RetainHandling::DoNotSend, 0);
    expect(&b, RetainHandling::SendIfNew, 0);
    expect(&b, RetainHandling::Send, 1);
}

#[test]
fn send_if_new_knows_the_subscriptions_of_an_earlier_connection() {
    let world = World::new();
    world
        .v5("p")
        .connect()
        .publish(message("t", "kept").retained());
    let if_new = SubscriptionOptions {
        retain_handling: RetainHandling::SendIfNew,
        ..options(1)
    };
    for (round, expected) in [1, 0, 0].into_iter().enumerate() {
        let client = world.v5("c").durable().connect();
        client.subscribe_with("t", if_new, None);
        assert_eq!(client.hear_all().len(), expected, "round {round}");
        client.disconnect();
    }
}

#[test]
fn below_version_5_every_subscribe_is_answered_with_the_retained_messages() {
    let world = World::new();
    world
        .v5("p")
        .connect()
        .publish(message("t", "kept").retained());
    let client = world.v4("c").connect();
    for _ in 0..3 {
        client.subscribe("t", 0);
        assert_eq!(client.hear(), message("t", "kept").retained());
        client.expect_nothing();
    }
}

#[test]
fn overlapping_subscriptions_get_a_copy_each_where_that_is_allowed() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.subscribe_with("a/#", options(0), Some(1));
    client.subscribe_with("a/+", options(2), Some(2));
    client.subscribe("a/b", 1);
    world.v5("p").connect().deliver(message("a/b", "x").qos(2));
    let mut heard: Vec<_> = client
        .hear_all()
        .into_iter()
        .map(|m| {
            (
                m.qos,
                m.properties
                    .view()
                    .subscription_identifier()
                    .map(VarInt::get),
            )
        })
        .collect();
    heard.sort_unstable();
    assert_eq!(heard, [(0, Some(1)), (1, None), (2, Some(2))]);
}

#[test]
fn overlapping_subscriptions_share_one_copy_otherwise_with_all_identifiers() {
    let world = World::with(|settings| settings.allow_duplicate_messages = false);
    let client = world.v5("c").connect();
    let other = world.v5("other").connect();
    other.subscribe_with("a/b", options(1), Some(268_435_455));
    client.subscribe_with("a/#", options(0), Some(1));
    client.subscribe_with("a/+", options(2), Some(2));
    client.subscribe_with("+/b", options(1), Some(2));
    client.subscribe("a/b", 1);
    let publisher = world.v5("p").connect();
    publisher.deliver(message("a/b", "x").qos(2));
    let heard = client.hear();
    assert_eq!(heard.qos, 2);
    let mut ids = heard.identifiers();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 2]);
    client.expect_nothing();
    assert_eq!(identifiers(&other), [[268_435_455]]);
    publisher.publish(message("a", "only one matches"));
    assert_eq!(identifiers(&client), [[1]]);
}

#[test]
fn no_local_leaves_its_identifier_out_of_the_one_copy() {
    let world = World::with(|settings| settings.allow_duplicate_messages = false);
    let client = world.v5("c").connect();
    client.subscribe_with(
        "a/#",
        SubscriptionOptions {
            no_local: true,
            ..options(2)
        },
        Some(1),
    );
    client.subscribe_with("a/+", options(0), Some(2));
    client.publish(message("a/b", "mine"));
    assert_eq!(identifiers(&client), [[2]]);
}

#[test]
fn identifiers_come_with_waiting_and_retained_messages_too() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    publisher.publish(message("t", "kept").retained());
    let client = world.v5("c").durable().connect();
    client.subscribe_with("t", options(1), Some(9));
    assert_eq!(identifiers(&client), [[9]]);
    client.cut();
    publisher.deliver(message("t", "waits").qos(1));
    let client = world.v5("c").durable().connect();
    assert_eq!(identifiers(&client), [[9]]);
}

#[test]
fn wildcards_do_not_reach_topics_that_begin_with_a_dollar() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    publisher.publish(message("$other/x", "kept").retained());
    let client = world.v5("c").connect();
    subscribe_all(&client, &[("#", 0), ("+/x", 0), ("+/#", 0), ("/#", 0)]);
    client.expect_nothing();
    publisher.publish(message("$other/x", "live"));
    world.advance_seconds(30);
    client.expect_nothing();
    subscribe_all(&client, &[("$other/+", 0)]);
    assert_eq!(client.texts(), ["kept"]);
    publisher.publish(message("$other/x", "live"));
    assert_eq!(client.texts(), ["live"]);
    publisher.publish(message("a/$other/x", "an ordinary topic"));
    assert_eq!(client.texts(), ["an ordinary topic", "an ordinary topic"]);
}

#[test]
fn suback_comes_before_the_retained_messages() {
    let world = World::new();
    world
        .v5("p")
        .connect()
        .publish(message("t", "kept").retained());
    let client = world.v5("c").connect();
    // `subscribe` takes the SUBACK from the front.
    client.subscribe("t", 0);
    assert_eq!(client.texts(), ["kept"]);
}
