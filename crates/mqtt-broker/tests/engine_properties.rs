//! What a PUBLISH carries, under a simulated clock: topic aliases, time to live, properties.

use mqtt_proto::{PropertiesBuf, Property, ReasonCode, SubscriptionOptions, Topic};
use mqtt_testkit::world::{World, message};
use std::num::{NonZeroU16, NonZeroU32};

#[test]
fn topic_aliases_of_a_client_stand_for_their_topics() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.subscribe("#", 2);
    let publisher = world.v5("p").connect();
    let alias = Property::TopicAlias;
    publisher.publish(message("long/topic", "1").with(alias(1)));
    publisher.publish(message("", "2").with(alias(1)));
    publisher.publish(message("other", "3").with(alias(10)));
    publisher.deliver(message("", "4").qos(2).with(alias(10)));
    publisher.publish(message("moved", "5").with(alias(1)));
    publisher.publish(message("", "6").with(alias(1)));
    let heard: Vec<_> = client
        .hear_all()
        .into_iter()
        .map(|m| (m.topic, m.payload, m.properties))
        .collect();
    let expected = [
        "long/topic",
        "long/topic",
        "other",
        "other",
        "moved",
        "moved",
    ];
    for (at, (topic, payload, properties)) in heard.iter().enumerate() {
        assert_eq!(topic, expected[at]);
        assert_eq!(*payload, (at + 1).to_string().into_bytes());
        // An alias belongs to one hop.
        assert!(properties.view().is_empty(), "{properties:?}");
    }
    assert_eq!(heard.len(), 6);
}

#[test]
fn a_topic_alias_out_of_range_or_unknown_ends_the_connection() {
    for (alias, reason) in [
        (0, ReasonCode::TopicAliasInvalid),
        (11, ReasonCode::TopicAliasInvalid),
        (9, ReasonCode::ProtocolError),
    ] {
        let world = World::new();
        let client = world.v5("c").connect();
        client.publish(message("", "x").with(Property::TopicAlias(alias)));
        client.expect_disconnect(reason);
    }
}

#[test]
fn topic_aliases_end_with_their_connection() {
    let world = World::new();
    let client = world.v5("c").durable().connect();
    client.publish(message("t", "x").with(Property::TopicAlias(1)));
    client.cut();
    let client = world.v5("c").durable().connect();
    client.publish(message("", "x").with(Property::TopicAlias(1)));
    client.expect_disconnect(ReasonCode::ProtocolError);
}

#[test]
fn the_broker_uses_as_many_aliases_as_the_client_takes() {
    let world = World::new();
    let client = world.v5("c").with(Property::TopicAliasMaximum(2)).connect();
    client.subscribe("#", 0);
    let publisher = world.v4("p").connect();
    let mut known = Vec::new();
    for (topic, sent, alias) in [
        ("a", "a", Some(1)),
        ("b", "b", Some(2)),
        ("a", "", Some(1)),
        ("c", "c", None),
        ("b", "", Some(2)),
        ("c", "c", None),
    ] {
        publisher.publish(message(topic, topic));
        let heard = client.hear();
        assert_eq!(heard.topic, sent, "the topic of {topic}");
        assert_eq!(heard.properties.view().topic_alias(), alias);
        known.push(heard.text());
    }
    assert_eq!(known, ["a", "b", "a", "c", "b", "c"]);
}

#[test]
fn an_alias_is_not_used_before_the_client_has_been_told_it() {
    let world = World::new();
    let client = world
        .v5("c")
        .with(Property::TopicAliasMaximum(5))
        .with(Property::MaximumPacketSize(NonZeroU32::new(40).unwrap()))
        .connect();
    client.subscribe("t", 1);
    let publisher = world.v4("p").connect();
    for qos in 0..2 {
        publisher.deliver(message("t", [b'x'; 100]).qos(qos));
        client.expect_nothing();
    }
    publisher.publish(message("t", "small"));
    assert_eq!(
        client.hear(),
        message("t", "small").with(Property::TopicAlias(1))
    );
    publisher.publish(message("t", "small"));
    assert_eq!(
        client.hear(),
        message("", "small").with(Property::TopicAlias(1))
    );
}

#[test]
fn what_is_sent_again_after_a_reconnect_names_its_topic() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    let dial = || world.v5("c").durable().with(Property::TopicAliasMaximum(5));
    let client = dial().connect();
    client.subscribe("t", 1);
    for n in ["1", "2"] {
        publisher.deliver(message("t", n).qos(1));
    }
    assert_eq!(client.hear().topic, "t");
    assert_eq!(client.hear().topic, "");
    client.cut();
    let client = dial().connect();
    assert_eq!(client.hear().topic, "t");
    assert_eq!(client.hear().topic, "");
}

#[test]
fn a_message_takes_the_rest_of_its_time_along() {
    let world = World::new();
    let expiry = Property::MessageExpiryInterval;
    let publisher = world.v5("p").connect();
    let here = world.v5("here").connect();
    here.subscribe("t", 0);
    let absent = world.v5("absent").durable().connect();
    absent.subscribe("t", 1);
    absent.cut();
    publisher.deliver(message("t", "x").qos(1).with(expiry(60)));
    assert_eq!(here.hear(), message("t", "x").with(expiry(60)));
    world.advance_seconds(20);
    let absent = world.v5("absent").durable().connect();
    assert_eq!(
        absent.hear(),
        message("t", "x").qos(1).id(1).with(expiry(40))
    );
}

#[test]
fn a_message_whose_time_is_over_is_not_sent() {
    let world = World::new();
    let expiry = Property::MessageExpiryInterval;
    let publisher = world.v5("p").connect();
    let absent = world.v5("absent").durable().connect();
    absent.subscribe("t", 2);
    absent.cut();
    publisher.deliver(message("t", "short").qos(1).with(expiry(10)));
    publisher.deliver(message("t", "long").qos(1).with(expiry(11)));
    publisher.deliver(message("t", "for ever").qos(2));
    publisher.deliver(message("t", "short").qos(2).with(expiry(10)));
    world.advance_seconds(10);
    let absent = world.v5("absent").durable().connect();
    assert_eq!(absent.drain(), ["long", "for ever"]);
}

#[test]
fn a_message_expires_in_the_queue_of_a_client_that_is_there() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    let maximum = Property::ReceiveMaximum(NonZeroU16::new(1).unwrap());
    let client = world.v5("c").with(maximum).connect();
    client.subscribe("t", 1);
    publisher.deliver(message("t", "first").qos(1));
    publisher.deliver(
        message("t", "short")
            .qos(1)
            .with(Property::MessageExpiryInterval(5)),
    );
    publisher.deliver(message("t", "last").qos(1));
    assert_eq!(client.texts(), ["first"]);
    world.advance_seconds(5);
    client.puback(1);
    assert_eq!(client.texts(), ["last"]);
}

#[test]
fn a_message_that_expires_before_its_release_is_not_passed_on() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    let client = world.v5("c").connect();
    client.subscribe("t", 2);
    let expiry = Property::MessageExpiryInterval(5);
    publisher.publish(message("t", "late").qos(2).id(1).retained().with(expiry));
    publisher.expect_pubrec(1);
    world.advance_seconds(5);
    publisher.pubrel(1);
    publisher.expect_pubcomp(1);
    client.expect_nothing();
    assert_eq!(world.retained("t"), None);
}

#[test]
fn properties_are_forwarded_untouched_and_in_order() {
    let all = [
        Property::UserProperty(("κλειδί", "τιμή")),
        Property::ContentType("text/plain"),
        Property::UserProperty(("", "")),
        Property::CorrelationData(&[0, 1, 255]),
        Property::PayloadFormatIndicator(true),
        Property::ResponseTopic(Topic::parse("answers/here").unwrap()),
        Property::UserProperty(("κλειδί", "τιμή")),
    ];
    let world = World::new();
    let (live, late, small) = (
        world.v5("live").connect(),
        world.v5("late").connect(),
        world.v4("v4").connect(),
    );
    let absent = world.v5("absent").durable().connect();
    absent.subscribe("t", 2);
    absent.cut();
    live.subscribe("t", 2);
    small.subscribe("t", 2);
    let publisher = world.v5("p").connect();
    let plain = all.iter().fold(message("t", "x"), |m, &p| m.with(p));
    for qos in 0..3 {
        publisher.deliver(plain.clone().qos(qos).retained());
        let heard = live.hear();
        assert_eq!(
            heard.properties.view().as_bytes(),
            plain.properties.view().as_bytes()
        );
        live.ack(&heard);
        assert!(small.hear().properties.view().is_empty());
    }
    late.subscribe("t", 1);
    assert_eq!(late.hear().properties, plain.properties);
    let absent = world.v5("absent").durable().connect();
    for _ in 0..2 {
        let heard = absent.hear();
        assert_eq!(heard.properties, plain.properties);
        absent.pubrec(heard.id);
    }
}

#[test]
fn the_properties_of_one_hop_go_and_the_others_stay_as_they_are() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.subscribe_with("t", SubscriptionOptions::default(), Some(300));
    let publisher = world.v5("p").connect();
    publisher.publish(
        message("t", "x")
            .with(Property::UserProperty(("a", "1")))
            .with(Property::TopicAlias(2))
            .with(Property::ContentType("c"))
            .with(Property::MessageExpiryInterval(9))
            .with(Property::UserProperty(("b", "2"))),
    );
    let heard = client.hear();
    let mut expected = PropertiesBuf::new();
    for property in [
        Property::UserProperty(("a", "1")),
        Property::ContentType("c"),
        Property::UserProperty(("b", "2")),
    ] {
        expected.push(property).unwrap();
    }
    assert!(
        heard
            .properties
            .view()
            .as_bytes()
            .starts_with(expected.view().as_bytes())
    );
    assert_eq!(heard.properties.view().message_expiry_interval(), Some(9));
    assert_eq!(heard.identifiers(), [300]);
    assert_eq!(heard.properties.view().iter().count(), 5);
}
