//! Queues that are longer than what of them is in memory: the rest is in the store only.

use mqtt_broker::store::tree::TreeStore;
use mqtt_broker::store::{Restored, Store};
use mqtt_proto::{Property, ReasonCode};
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::world::disk::SimDisk;
use mqtt_testkit::world::{Client, World, message};
use std::sync::Arc;

/// A world in which so many messages of a queue are in memory, and two may be in flight.
fn world(head: usize) -> World {
    World::with_store(&SimDisk::new(), move |settings| {
        settings.queue_head = head;
        settings.max_queued_messages = usize::MAX;
        settings.max_inflight_messages = 2;
        settings.queue_qos0_messages = true;
    })
}

fn crash(world: &World) {
    world
        .restart(|disk| disk.lose_power(&mut Random::new(1)))
        .expect("the store opens");
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn a_queue_longer_than_memory_allows_drains_in_order() {
    let disk = SimDisk::new();
    let world = World::with_store(&disk, |settings| {
        settings.queue_head = 10;
        settings.max_queued_messages = usize::MAX;
    });
    let client = world.v4("c").durable().connect();
    client.subscribe("a", 1);
    client.cut();
    let publisher = world.v4("p").connect();
    for n in 0..200 {
        publisher.deliver(message("a", n.to_string()).qos(1));
        if n == 100 {
            break;
        }
    }
    crash(&world);
    let publisher = world.v4("p").connect();
    for n in 101..200 {
        publisher.deliver(message("a", n.to_string()).qos(1));
    }
    let client = world.v4("c").durable().connect();
    for n in 0..200 {
        let heard = client.hear();
        assert_eq!(heard.text(), n.to_string());
        client.ack(&heard);
    }
    client.expect_nothing();
    let counts = world.restart(SimDisk::kill).expect("the store opens");
    assert_eq!((counts.messages, counts.deliveries), (0, 0));
}

#[test]
fn a_session_that_ends_takes_its_long_queue_with_it() {
    let disk = SimDisk::new();
    let world = World::with_store(&disk, |settings| settings.queue_head = 5);
    for id in ["c", "d"] {
        let client = world.v4(id).durable().connect();
        client.subscribe("a", 1);
        client.cut();
    }
    let publisher = world.v4("p").connect();
    for n in 0..50 {
        publisher.deliver(message("a", n.to_string()).qos(1));
    }
    world.v4("c").connect().disconnect();
    let counts = world.restart(SimDisk::kill).expect("the store opens");
    assert_eq!((counts.messages, counts.deliveries), (50, 50));
    world.v4("d").connect().disconnect();
    let counts = world.restart(SimDisk::kill).expect("the store opens");
    assert_eq!((counts.messages, counts.deliveries), (0, 0));
}

#[test]
fn a_message_of_qos_0_at_the_end_of_what_is_in_memory_does_no_harm() {
    let world = world(4);
    let client = world.v4("c").durable().connect();
    client.subscribe("a", 1);
    client.cut();
    let publisher = world.v4("p").connect();
    for n in 0..3 {
        publisher.deliver(message("a", n.to_string()).qos(1));
    }
    publisher.publish(message("a", "3"));
    for n in 4..20 {
        publisher.deliver(message("a", n.to_string()).qos(1));
    }
    let client = world.v4("c").durable().connect();
    assert_eq!(client.drain(), numbers(0..20));
}

#[test]
fn large_messages_come_into_memory_a_few_at_a_time() {
    let disk = SimDisk::new();
    let world = World::with_store(&disk, |settings| settings.max_queued_messages = usize::MAX);
    let client = world.v4("c").durable().connect();
    client.subscribe("a", 1);
    client.cut();
    let publisher = world.v4("p").connect();
    for n in 0..12 {
        let text = format!("{n}:{}", "x".repeat(1_000_000));
        publisher.deliver(message("a", text).qos(1));
    }
    world.restart(SimDisk::kill).expect("the store opens");
    let mut store = TreeStore::open(Arc::new(disk.copy()), true).expect("the store opens");
    let head = world.engine(|engine, _| engine.queue_head());
    let mut serial = 0;
    let (mut inside, mut behind) = (0, 0);
    let found = store.restore(head, &mut |thing| match thing {
        Restored::Session(number, _) => serial = number,
        Restored::Queued(..) => inside += 1,
        Restored::Behind(..) => behind += 1,
        _ => {}
    });
    assert_eq!(found.expect("it can be read").messages, 12);
    assert_eq!((inside, behind), (5, 7), "4 MiB are full with the fifth");
    let part = store.load(serial, 5, head).expect("it can be read");
    assert_eq!(part.deliveries.len(), 5);
    let client = world.v4("c").durable().connect();
    let numbers: Vec<_> = client.drain();
    let numbers = numbers.iter().map(|text| text.split(':').next());
    let expected: Vec<_> = (0..12).map(|n: u32| n.to_string()).collect();
    assert!(numbers.eq(expected.iter().map(|n| Some(n.as_str()))));
}

/// A member of a share group that takes two messages, and has 38 more in its queue; all but three of
/// them are in the store only.
fn burdened(world: &World) -> (Client, Client) {
    let client = world.v5("a").durable().connect();
    client.subscribe("$share/g/t", 1);
    client.subscribe("own", 1);
    let publisher = world.v4("p").connect();
    for n in 0..40 {
        publisher.deliver(message("t", n.to_string()).qos(1));
        if n % 10 == 0 {
            publisher.deliver(message("own", format!("own {n}")).qos(1));
        }
    }
    assert_eq!(client.texts(), ["0", "own 0"]);
    (client, publisher)
}

/// A member of the group without a burden.
fn member(world: &World, id: &str) -> Client {
    let client = world.v5(id).durable().connect();
    client.subscribe("$share/g/t", 1);
    client
}

fn sorted(texts: &[String]) -> Vec<String> {
    let mut numbers: Vec<u32> = texts.iter().map(|t| t.parse().expect("a number")).collect();
    numbers.sort_unstable();
    numbers.iter().map(u32::to_string).collect()
}

#[test]
fn what_only_the_store_has_of_a_lost_member_goes_on_to_another() {
    let world = world(3);
    let (a, _publisher) = burdened(&world);
    let b = member(&world, "b");
    b.expect_nothing();
    a.cut();
    assert_eq!(sorted(&b.drain()), numbers(0..40));
    let a = world.v5("a").durable().connect();
    assert_eq!(a.drain(), ["own 0", "own 10", "own 20", "own 30"]);
    let counts = world.restart(SimDisk::kill).expect("the store opens");
    assert_eq!((counts.messages, counts.deliveries), (0, 0));
}

#[test]
fn what_only_the_store_has_of_a_member_that_leaves_for_good_goes_on_to_another() {
    let world = world(3);
    let (a, _publisher) = burdened(&world);
    let b = member(&world, "b");
    a.leave(ReasonCode::Success, &[Property::SessionExpiryInterval(0)]);
    assert_eq!(sorted(&b.drain()), numbers(0..40));
    let counts = world.restart(SimDisk::kill).expect("the store opens");
    assert_eq!((counts.messages, counts.deliveries), (0, 0));
}

#[test]
fn a_member_that_is_away_inherits_too_when_a_session_ends() {
    let world = world(3);
    let (a, _publisher) = burdened(&world);
    member(&world, "b").cut();
    a.leave(ReasonCode::Success, &[Property::SessionExpiryInterval(0)]);
    crash(&world);
    let b = world.v5("b").durable().connect();
    assert_eq!(sorted(&b.drain()), numbers(0..40));
}

#[test]
fn without_another_member_a_queue_ends_with_its_session() {
    let world = world(3);
    let (a, publisher) = burdened(&world);
    a.leave(ReasonCode::Success, &[Property::SessionExpiryInterval(0)]);
    publisher.deliver(message("t", "nobody").qos(1));
    let counts = world.restart(SimDisk::kill).expect("the store opens");
    assert_eq!((counts.messages, counts.deliveries), (0, 0));
}

#[test]
fn a_member_that_comes_back_before_all_is_passed_on_keeps_the_rest() {
    let world = world(3);
    let (a, _publisher) = burdened(&world);
    let b = member(&world, "b");
    world.hold_store(true);
    a.cut();
    let a = world.v5("a").durable().send();
    world.hold_store(false);
    assert!(a.connack().0, "the session is there");
    let mut heard = a.drain();
    heard.retain(|text| !text.starts_with("own"));
    let others = b.drain();
    heard.extend(others);
    assert_eq!(sorted(&heard), numbers(0..40));
}

/// The broker is killed after any number of batches while it passes a legacy on.
#[test]
fn nothing_of_a_legacy_is_lost_when_the_broker_is_killed_on_the_way() {
    for batches in 0..12 {
        let world = world(3);
        let (a, _publisher) = burdened(&world);
        let b = member(&world, "b");
        world.hold_store(true);
        a.leave(ReasonCode::Success, &[Property::SessionExpiryInterval(0)]);
        for _ in 0..batches {
            world.store();
        }
        crash(&world);
        world.hold_store(false);
        let mut heard = b.texts();
        let b = world.v5("b").durable().connect();
        heard.extend(b.drain());
        // Where its end was not stored yet, the session is still there, and has the rest.
        heard.extend(world.v5("a").durable().connect().drain());
        heard.retain(|text| !text.starts_with("own"));
        let mut heard = sorted(&heard);
        heard.dedup();
        assert_eq!(heard, numbers(0..40), "after {batches} batches");
    }
}
