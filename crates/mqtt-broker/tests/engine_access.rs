//! Access control lists in the engine: who may publish, subscribe and hear what, and when that
//! changes.

use mqtt_broker::auth::Acl;
use mqtt_broker::auth::acl_file;
use mqtt_broker::engine::settings::{ListenerRules, Settings};
use mqtt_broker::log::Levels;
use mqtt_proto::{ReasonCode, Version};
use mqtt_testkit::world::{Client, Message, World, message};
use std::sync::Arc;

/// The list of a file called `test.acl`.
fn acl(text: &str) -> Option<Arc<Acl>> {
    let (acl, _) = acl_file::parse("test.acl", text.as_bytes()).expect("an ACL");
    Some(Arc::new(acl))
}

/// A broker whose only listener has this list, and that logs everything.
fn world(text: &str) -> World {
    World::with(|settings| {
        settings.log = Levels::ALL;
        settings.listeners[0].acl = acl(text);
    })
}

/// Reloads with changed settings.
fn reload(world: &World, change: impl FnOnce(&mut Settings)) {
    world.engine(|engine, now| {
        let mut settings = engine.settings().clone();
        change(&mut settings);
        engine.reload(now, settings);
    });
}

fn reload_acl(world: &World, text: &str) {
    reload(world, |settings| settings.listeners[0].acl = acl(text));
}

fn texts(client: &Client) -> Vec<String> {
    client.hear_all().iter().map(Message::text).collect()
}

#[test]
fn what_may_not_be_written_is_answered_and_goes_nowhere() {
    for qos in 0..3 {
        let world = world("topic read #\ntopic write open\n");
        let hears = world.v5("hears").connect();
        hears.subscribe("#", 2);
        let (new, old) = (world.v5("new").connect(), world.v4("old").connect());
        let expected = if qos == 0 {
            ReasonCode::Success
        } else {
            ReasonCode::NotAuthorized
        };
        assert_eq!(new.deliver(message("shut", "x").qos(qos)), expected);
        // Below version 5 there is no word for it.
        assert_eq!(
            old.deliver(message("shut", "x").qos(qos)),
            ReasonCode::Success
        );
        hears.expect_nothing();
        assert!(new.is_open() && old.is_open());
        old.deliver(message("open", "y").qos(qos));
        assert_eq!(hears.hear().text(), "y");
    }
}

#[test]
fn a_denial_names_client_topic_and_line_once_for_each_topic() {
    let world = world("topic write a\ntopic deny b\n");
    let client = world.v4("lamp").connect();
    for topic in ["b", "b", "c", "c", "a"] {
        client.publish(message(topic, "x").qos(1));
    }
    assert_eq!(
        world.logged("Client lamp may not write to 'b': denied by test.acl:2."),
        1
    );
    assert_eq!(
        world.logged("Client lamp may not write to 'c': nothing in test.acl allows it."),
        1
    );
    assert_eq!(
        world.logged("Denied PUBLISH from lamp (d0, q1, r0, m1, 'b', ... (1 bytes))"),
        1
    );
    assert_eq!(world.logged("Denied PUBLISH from lamp"), 4);
}

#[test]
fn what_may_not_be_read_does_not_arrive() {
    for version in [Version::V3, Version::V4, Version::V5] {
        for qos in 0..3 {
            let world = world("user writer\ntopic #\nuser reader\ntopic read a/#\n");
            let reader = world.dial(version, "r").username("reader").connect();
            reader.subscribe("#", qos);
            let writer = world.v5("w").username("writer").connect();
            for topic in ["a/1", "b", "a/2", "$x"] {
                writer.deliver(message(topic, topic).qos(qos));
            }
            assert_eq!(reader.drain(), ["a/1", "a/2"]);
            let denied = format!("Denied PUBLISH to r (q{qos}, r0, 'b', ... (1 bytes))");
            assert_eq!(world.logged(&denied), 1);
            assert_eq!(
                world.logged("Client r may not read 'b': nothing in test.acl allows it."),
                1
            );
        }
    }
}

#[test]
fn a_subscription_through_which_nothing_can_come_is_refused_in_version_5() {
    let world = world("topic read a/#\ntopic deny a/secret\n");
    let client = world.v5("c").connect();
    for (filter, expected) in [
        ("a/+", ReasonCode::Success),
        ("#", ReasonCode::Success),
        ("b", ReasonCode::NotAuthorized),
        ("a/secret", ReasonCode::NotAuthorized),
        ("$share/g/a/secret", ReasonCode::NotAuthorized),
        ("$share/g/a", ReasonCode::Success),
    ] {
        assert_eq!(client.subscribe(filter, 0), expected, "{filter}");
    }
    assert_eq!(world.logged("\tb (denied)"), 1);
    assert_eq!(
        world.logged("Client c may not read 'a/secret': denied by test.acl:2."),
        1
    );
    // Older clients are granted it, as by Mosquitto; the log says that it is in vain.
    let old = world.v4("old").connect();
    assert_eq!(old.subscribe("b", 0), ReasonCode::Success);
    assert_eq!(
        world.logged("Client old may not read 'b': nothing in test.acl allows it."),
        1
    );
}

#[test]
fn a_share_group_gives_its_messages_to_members_that_may_read_them() {
    let world = world("user w\ntopic #\nuser a\ntopic read t/#\nuser b\ntopic read t/b\n");
    let ann = world.v5("a").username("a").connect();
    let bob = world.v5("b").username("b").connect();
    ann.subscribe("$share/g/t/#", 1);
    bob.subscribe("$share/g/t/#", 1);
    let writer = world.v5("w").username("w").connect();
    for _ in 0..4 {
        writer.deliver(message("t/a", "x").qos(1));
    }
    bob.expect_nothing();
    assert_eq!(ann.drain().len(), 4);
    for _ in 0..4 {
        writer.deliver(message("t/b", "x").qos(1));
    }
    assert_eq!((ann.drain().len(), bob.drain().len()), (2, 2));
}

#[test]
fn a_will_is_a_message_like_any_other() {
    let world = world("topic read #\ntopic write open\n");
    let hears = world.v5("hears").connect();
    hears.subscribe("#", 0);
    for topic in ["shut", "open"] {
        let will = message(topic, topic);
        world.v5("dies").will(will).connect().cut();
    }
    assert_eq!(texts(&hears), ["open"]);
    assert_eq!(world.logged("Client dies may not write to 'shut'"), 1);
}

#[test]
fn retained_messages_are_read_with_the_readers_right() {
    let world = world("user w\ntopic #\nuser r\ntopic read a/#\n");
    let writer = world.v5("w").username("w").connect();
    for number in 0..200 {
        writer.publish(message(&format!("shut/{number}"), "x").retained());
    }
    writer.publish(message("a/1", "1").retained());
    writer.publish(message("z", "z").retained());
    let reader = world.v5("r").username("r").connect();
    reader.subscribe("#", 0);
    assert_eq!(texts(&reader), ["1"]);
}

#[test]
fn a_retained_message_is_held_back_when_its_publisher_has_lost_the_right() {
    let before = "topic readwrite t\nuser ann\ntopic write t/ann\npattern write c/%c\n";
    let after = "topic read t\ntopic read t/ann\ntopic read c/#\n";
    for checked in [true, false] {
        let world = World::with(|settings| {
            settings.log = Levels::ALL;
            settings.check_retain_source = checked;
            settings.listeners[0].acl = acl(before);
        });
        world
            .v4("c1")
            .connect()
            .publish(message("t", "t").retained());
        let ann = world.v5("c2").username("ann").connect();
        ann.publish(message("t/ann", "ann").retained());
        ann.publish(message("c/c2", "c2").retained());
        let expect = |expected: &[&str]| {
            let reader = world.v5("reader").connect();
            let mut found = Vec::new();
            for filter in ["t/#", "c/#"] {
                reader.subscribe(filter, 0);
                found.extend(texts(&reader));
            }
            assert_eq!(found, expected);
        };
        reload_acl(&world, &format!("{before}pattern read #\n"));
        expect(&["t", "ann", "c2"]);
        reload_acl(&world, after);
        expect(if checked { &[] } else { &["t", "ann", "c2"] });
        let held = world.logged("client c2, who published it, may not write to it any more");
        assert_eq!(held, if checked { 2 } else { 0 });
        // The message is not gone: the right may come back.
        reload_acl(&world, &format!("{after}user ann\ntopic write t/ann\n"));
        expect(if checked {
            &["ann"]
        } else {
            &["t", "ann", "c2"]
        });
    }
}

#[test]
fn a_retained_will_has_its_client_for_a_source() {
    let world = world("topic readwrite t\n");
    let will = message("t", "gone").retained();
    world.v4("c").will(will).connect().cut();
    assert_eq!(world.retained("t").as_deref(), Some("gone"));
    reload_acl(&world, "topic read t\n");
    assert_eq!(world.retained("t"), None);
}

#[test]
fn the_brokers_own_retained_messages_have_no_source_to_lose() {
    let world = world("topic read $SYS/#\n");
    assert!(world.retained("$SYS/broker/version").is_some());
}

#[test]
fn each_listener_has_its_own_list() {
    let world = World::with(|settings| {
        settings.listeners[0].acl = acl("topic read #\n");
        settings.listeners.push(ListenerRules::default());
    });
    let guarded = world.v5("guarded").connect();
    guarded.subscribe("#", 0);
    let free = world.v5("free").listener(1).connect();
    guarded.publish(message("t", "from guarded"));
    free.publish(message("t", "from free"));
    assert_eq!(texts(&guarded), ["from free"]);
}

#[test]
fn rights_change_at_once_for_clients_that_are_there() {
    let world = world("topic #\n");
    let (writer, reader) = (world.v5("w").connect(), world.v5("r").connect());
    reader.subscribe("#", 0);
    writer.publish(message("t", "1"));
    assert_eq!(texts(&reader), ["1"]);
    reload_acl(&world, "topic write #\n");
    writer.publish(message("t", "2"));
    reader.expect_nothing();
    reload_acl(&world, "topic read #\n");
    writer.publish(message("t", "3"));
    reader.expect_nothing();
    reload(&world, |settings| settings.listeners[0].acl = None);
    writer.publish(message("t", "4"));
    assert_eq!(texts(&reader), ["4"]);
}

#[test]
fn what_waits_for_an_absent_client_is_checked_when_it_is_sent() {
    for qos in 1..3 {
        let world = world("topic #\n");
        let writer = world.v5("w").connect();
        let reader = world.v4("r").durable().connect();
        for topic in ["keep", "lose"] {
            reader.subscribe(topic, qos);
        }
        // One of each kind is in flight when the client goes, and another waits for it.
        for topic in ["keep", "lose"] {
            writer.deliver(message(topic, format!("{topic} 1")).qos(qos));
        }
        assert_eq!(reader.hear_all().len(), 2);
        reader.cut();
        for topic in ["keep", "lose"] {
            writer.deliver(message(topic, format!("{topic} 2")).qos(qos));
        }
        reload_acl(&world, "topic write #\ntopic keep\n");
        let reader = world.v4("r").durable().connect();
        assert_eq!(reader.drain(), ["keep 1", "keep 2"]);
        writer.deliver(message("keep", "keep 3").qos(qos));
        assert_eq!(reader.drain(), ["keep 3"]);
    }
}

#[test]
fn a_new_sys_interval_holds_at_once() {
    let world = World::with(|settings| settings.sys_interval = 0);
    let reader = world.v5("r").connect();
    reader.subscribe("$SYS/broker/uptime", 0);
    world.advance_seconds(100);
    reader.expect_nothing();
    let rounds = |interval: u32, seconds: u64| {
        reload(&world, |settings| settings.sys_interval = interval);
        world.advance_seconds(seconds);
        reader.hear_all().len()
    };
    // The first round comes at once.
    assert_eq!(rounds(10, 95), 10);
    assert_eq!(rounds(50, 95), 2);
    assert_eq!(rounds(0, 1000), 0);
    assert_eq!(rounds(10, 25), 3);
}
