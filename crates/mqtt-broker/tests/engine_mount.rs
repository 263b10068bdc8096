//! Mount points: clients of a listener live in a part of the topics and see it as the whole.

use mqtt_broker::auth::acl_file;
use mqtt_broker::engine::settings::{ListenerRules, Settings};
use mqtt_broker::log::Levels;
use mqtt_proto::{Property, ReasonCode, Version};
use mqtt_testkit::world::{Message, World, message};
use std::sync::Arc;

/// A plain listener, and one whose clients live below `house/`.
fn world() -> World {
    World::with(settings)
}

fn settings(settings: &mut Settings) {
    settings.log = Levels::DEFAULT;
    settings.listeners.push(ListenerRules {
        mount_point: Some("house/".into()),
        ..ListenerRules::default()
    });
}

#[test]
fn topics_get_the_prefix_on_the_way_in_and_lose_it_on_the_way_out() {
    for version in [Version::V3, Version::V4, Version::V5] {
        for qos in 0..3 {
            let world = world();
            let outside = world.dial(version, "outside").connect();
            outside.subscribe("#", qos);
            let inside = world.dial(version, "inside").listener(1).connect();
            inside.subscribe("#", qos);
            let sender = world.dial(version, "sender").listener(1).connect();
            sender.deliver(message("lamp", "on").qos(qos));
            assert_eq!(outside.hear().topic, "house/lamp");
            assert_eq!(inside.hear().topic, "lamp");
            let other = world.dial(version, "other").connect();
            other.deliver(message("lamp", "x").qos(qos));
            other.deliver(message("house/door", "open").qos(qos));
            assert_eq!(inside.hear().topic, "door");
            inside.expect_nothing();
        }
    }
}

#[test]
fn retained_messages_wills_and_groups_stay_inside() {
    let world = world();
    let inside = world.v5("inside").listener(1).connect();
    inside.deliver(message("state", "1").qos(1).retained());
    assert_eq!(world.retained("house/state").as_deref(), Some("1"));
    let later = world.v5("later").listener(1).connect();
    later.subscribe("state", 1);
    assert_eq!(later.hear().topic, "state");
    later.subscribe("gone", 0);
    world
        .v4("dies")
        .listener(1)
        .will(message("gone", "bye"))
        .connect()
        .cut();
    assert_eq!(later.hear(), message("gone", "bye"));
    let (one, two) = (
        world.v5("one").listener(1).connect(),
        world.v5("two").connect(),
    );
    one.subscribe("$share/g/work", 0);
    two.subscribe("$share/g/house/work", 0);
    for number in 0..4 {
        inside.publish(message("work", number.to_string()));
    }
    let heard = one.hear_all().len() + two.hear_all().len();
    assert_eq!(heard, 4, "it is one group");
}

#[test]
fn unsubscribing_and_aliases_know_the_prefix() {
    let world = world();
    let inside = world
        .v5("inside")
        .listener(1)
        .with(Property::TopicAliasMaximum(5))
        .connect();
    inside.subscribe("a", 0);
    let sender = world.v5("sender").listener(1).connect();
    sender.publish(message("a", "1").with(Property::TopicAlias(1)));
    sender.publish(message("", "2").with(Property::TopicAlias(1)));
    let heard: Vec<_> = inside.hear_all().iter().map(Message::text).collect();
    assert_eq!(heard, ["1", "2"]);
    assert_eq!(inside.unsubscribe("a"), ReasonCode::Success);
    sender.publish(message("a", "3"));
    inside.expect_nothing();
}

#[test]
fn rights_are_on_whole_topics() {
    let world = World::with(|all| {
        settings(all);
        let (acl, _) = acl_file::parse("x", b"topic house/a\ntopic b\n").expect("an ACL");
        all.listeners[1].acl = Some(Arc::new(acl));
    });
    let inside = world.v5("inside").listener(1).connect();
    assert_eq!(inside.subscribe("a", 0), ReasonCode::Success);
    assert_eq!(inside.subscribe("b", 0), ReasonCode::NotAuthorized);
    assert_eq!(
        inside.deliver(message("b", "x").qos(1)),
        ReasonCode::NotAuthorized
    );
}

#[test]
fn what_does_not_fit_behind_the_prefix_is_refused() {
    let world = world();
    let long = "x".repeat(65_533);
    let inside = world.v5("inside").listener(1).connect();
    assert_eq!(inside.subscribe(&long, 0), ReasonCode::TopicFilterInvalid);
    inside.publish(message(&long, ""));
    inside.expect_disconnect(ReasonCode::TopicNameInvalid);
    let will = world.v5("will").listener(1).will(message(&long, "x"));
    will.expect_refused(ReasonCode::TopicNameInvalid);
}

#[test]
fn a_session_that_moves_to_another_listener_is_sent_what_lies_inside_only() {
    let world = world();
    let outside = world.v5("mover").durable().connect();
    outside.subscribe("#", 1);
    outside.disconnect();
    let sender = world.v5("sender").connect();
    for topic in ["garden", "house/lamp"] {
        sender.deliver(message(topic, topic).qos(1));
    }
    let moved = world.v5("mover").durable().listener(1).connect();
    assert_eq!(moved.hear().topic, "lamp");
    moved.expect_nothing();
}
