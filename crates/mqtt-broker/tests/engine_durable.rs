//! What was acknowledged outlives the broker, whatever happens to it and to its disk.

use mqtt_broker::store::tree::TreeStore;
use mqtt_broker::store::{Measure, Restored, Store};
use mqtt_proto::{Property, ReasonCode};
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::world::disk::SimDisk;
use mqtt_testkit::world::{World, message};
use std::sync::Arc;

fn world() -> (World, SimDisk) {
    let disk = SimDisk::new();
    (World::with_store(&disk, |_| {}), disk)
}

fn crash(world: &World) {
    world
        .restart(|disk| disk.lose_power(&mut Random::new(1)))
        .expect("the store opens");
}

#[test]
fn a_publisher_is_answered_when_its_message_is_stored_and_not_before() {
    let (world, _) = world();
    world.v4("sleeper").durable().connect().subscribe("a", 1);
    world.v4("sleeper").durable().connect().cut();
    let publisher = world.v4("p").connect();
    world.hold_store(true);
    let id = publisher.publish(message("a", "1").qos(1));
    publisher.expect_nothing();
    world.store();
    publisher.expect_puback(id);
}

#[test]
fn who_promises_nothing_never_waits() {
    let (world, _) = world();
    world.hold_store(true);
    let (ann, bob) = (world.v4("ann").connect(), world.v5("bob").connect());
    assert_eq!(bob.subscribe("a", 2).value(), 2);
    let id = ann.publish(message("a", "1").qos(1));
    ann.expect_puback(id);
    assert_eq!(bob.hear().text(), "1");
    ann.publish(message("a", "0"));
    assert_eq!(bob.hear().text(), "0");
    assert_eq!(world.stored(), 0);
}

#[test]
fn what_is_acknowledged_at_once_is_never_stored() {
    let (world, _) = world();
    let reader = world.v4("reader").durable().connect();
    reader.subscribe("a", 1);
    let publisher = world.v4("p").connect();
    world.hold_store(true);
    let before = world.stored();
    let id = publisher.publish(message("a", "1").qos(1));
    let heard = reader.hear();
    publisher.expect_nothing();
    reader.ack(&heard);
    publisher.expect_puback(id);
    assert_eq!(world.stored(), before);
}

#[test]
fn a_promise_waits_for_what_is_older_and_not_for_what_has_come_since() {
    let (world, _) = world();
    let reader = world.v4("reader").durable().connect();
    reader.subscribe("a", 1);
    let (p, q) = (world.v4("p").connect(), world.v4("q").connect());
    world.hold_store(true);
    let first = p.publish(message("a", "1").qos(1));
    let second = q.publish(message("a", "2").qos(1));
    let (one, two) = (reader.hear(), reader.hear());
    reader.ack(&one);
    p.expect_puback(first);
    q.expect_nothing();
    let third = p.publish(message("a", "3").qos(1));
    let three = reader.hear();
    reader.ack(&three);
    p.expect_nothing();
    reader.ack(&two);
    q.expect_puback(second);
    p.expect_puback(third);
}

#[test]
fn a_message_is_still_promised_when_it_goes_from_the_queue_to_its_client() {
    let disk = SimDisk::new();
    let world = World::with_store(&disk, |settings| settings.max_inflight_messages = 1);
    let reader = world.v4("reader").durable().connect();
    reader.subscribe("a", 1);
    let (p, q) = (world.v4("p").connect(), world.v4("q").connect());
    world.hold_store(true);
    let first = p.publish(message("a", "1").qos(1));
    let second = q.publish(message("a", "2").qos(1));
    let one = reader.hear();
    reader.ack(&one);
    p.expect_puback(first);
    let two = reader.hear();
    q.expect_nothing();
    reader.ack(&two);
    q.expect_puback(second);
}

#[test]
fn a_message_is_still_promised_when_it_goes_to_another_member_of_its_group() {
    let (world, _) = world();
    let member = |id| {
        let client = world.v5(id).durable().connect();
        client.subscribe("$share/g/a", 1);
        client
    };
    let (one, two) = (member("one"), member("two"));
    let p = world.v4("p").connect();
    world.hold_store(true);
    let id = p.publish(message("a", "1").qos(1));
    let (taker, other) = match one.hear_all().is_empty() {
        true => (two, one),
        false => (one, two),
    };
    taker.cut();
    let heard = other.hear();
    p.expect_nothing();
    world.store();
    p.expect_puback(id);
    other.ack(&heard);
}

#[test]
fn a_disk_that_is_full_keeps_what_was_acknowledged_and_takes_more_when_there_is_room() {
    let (world, disk) = world();
    let old = world.v5("old").durable().connect();
    old.subscribe("a", 1);
    old.cut();
    let publisher = world.v5("p").connect();
    disk.limit(Some(disk.size() + 100_000));
    let mut kept = 0;
    while publisher.is_open() {
        let text = format!("{kept:01000}");
        let id = publisher.publish(message("a", text).qos(1));
        if publisher.is_open() {
            assert!(!publisher.expect_puback(id).is_error());
            kept += 1;
        }
        assert!(kept < 5_000, "it is never full");
    }
    assert!(kept > 10, "only {kept}");
    publisher.expect_disconnect(ReasonCode::QuotaExceeded);
    // It opens without room, too.
    world.restart(SimDisk::kill).expect("the store opens");
    disk.limit(None);
    world.store();
    let publisher = world.v5("p").connect();
    publisher.deliver(message("a", "taken").qos(1));
    crash(&world);
    let texts = world.v5("old").durable().connect().drain();
    let expected: Vec<String> = (0..kept).map(|n| format!("{n:01000}")).collect();
    assert_eq!(texts[..expected.len()], expected);
    assert_eq!(texts.last().map(String::as_str), Some("taken"));
}

#[test]
fn a_message_of_qos_2_leaves_when_its_identifier_is_stored() {
    let (world, _) = world();
    let reader = world.v4("reader").durable().connect();
    reader.subscribe("a", 2);
    world.hold_store(true);
    let publisher = world.v4("p").connect();
    let id = publisher.publish(message("a", "2").qos(2));
    publisher.expect_pubrec(id);
    publisher.pubrel(id);
    let other = world.v4("q").connect();
    other.publish(message("a", "1").qos(1));
    // The outbox keeps its order, so the one of QoS 1 is held up with it.
    reader.expect_nothing();
    world.store();
    assert_eq!(reader.texts(), ["2", "1"]);
    publisher.expect_pubcomp(id);
}

#[test]
fn a_session_goes_on_after_a_crash_as_after_a_broken_cable() {
    let (world, _) = world();
    let reader = world.v5("reader").durable().connect();
    reader.subscribe("a/#", 2);
    let publisher = world.v5("p").connect();
    for (n, qos) in [(1, 1), (2, 2), (3, 1)] {
        publisher.deliver(message("a/b", n.to_string()).qos(qos));
    }
    let first = reader.hear_all();
    reader.pubrec(first[1].id);
    reader.expect_pubrel(first[1].id);
    crash(&world);
    let reader = world.v5("reader").durable().connect();
    assert!(reader.session_present);
    let again = reader.hear();
    assert_eq!((again.id, again.text()), (first[0].id, "1".to_owned()));
    reader.expect_pubrel(first[1].id);
    let last = reader.hear();
    assert_eq!((last.id, last.text()), (first[2].id, "3".to_owned()));
    let publisher = world.v5("p").connect();
    publisher.deliver(message("a/c", "4").qos(1));
    assert_eq!(reader.hear().id, first[2].id + 1);
}

#[test]
fn a_will_of_a_durable_session_is_published_by_the_next_broker() {
    let (world, _) = world();
    world.v5("reader").durable().connect().subscribe("w", 1);
    let will = message("w", "gone").qos(1);
    let late = will.clone().with(Property::WillDelayInterval(30));
    let _now = world.v5("now").durable().will(will).connect();
    let _late = world.v5("late").durable().will(late).connect();
    crash(&world);
    let reader = world.v5("reader").durable().connect();
    let heard = reader.hear_all();
    assert_eq!(heard.len(), 1, "{heard:?}");
    reader.ack(&heard[0]);
    world.advance_seconds(31);
    reader.hear();
    crash(&world);
    world.advance_seconds(60);
    let reader = world.v5("reader").durable().connect();
    assert_eq!(reader.hear_all().len(), 1, "the one not acknowledged");
}

#[test]
fn sessions_and_messages_expire_at_their_time_also_while_the_broker_is_away() {
    let (world, _) = world();
    let short = Property::SessionExpiryInterval(100);
    let dial = || world.v5("short").resuming().with(short);
    let client = dial().connect();
    client.subscribe("a", 1);
    client.cut();
    let publisher = world.v5("p").connect();
    let expiring = |text: &str, seconds| {
        message("a", text)
            .qos(1)
            .with(Property::MessageExpiryInterval(seconds))
    };
    publisher.deliver(expiring("early", 20));
    publisher.deliver(expiring("late", 90));
    world.advance_seconds(30);
    crash(&world);
    let client = dial().connect();
    assert_eq!(client.hear_all().len(), 1);
    client.cut();
    crash(&world);
    world.advance_seconds(101);
    assert!(!dial().connect().session_present);
}

#[test]
fn a_message_in_many_queues_is_stored_once() {
    let (world, disk) = world();
    for n in 0..100 {
        let client = world.v4(&format!("c{n}")).durable().connect();
        client.subscribe("a", 1);
        client.cut();
    }
    let before = disk.size();
    let publisher = world.v4("p").connect();
    publisher.deliver(message("a", "x".repeat(100_000)).qos(1));
    assert!(disk.size() - before < 2_000_000, "{}", disk.size() - before);
    crash(&world);
    for n in 0..100 {
        let client = world.v4(&format!("c{n}")).durable().connect();
        let heard = client.hear();
        client.ack(&heard);
    }
    let counts = world.restart(SimDisk::kill).expect("the store opens");
    assert_eq!((counts.messages, counts.deliveries), (0, 0));
}

#[test]
fn retained_messages_subscriptions_and_their_options_stay() {
    let (world, _) = world();
    let client = world.v5("c").durable().connect();
    client.subscribe("a", 1);
    client.subscribe("b", 1);
    client.unsubscribe("a");
    client.deliver(message("r", "1").qos(1).retained());
    client.deliver(message("s", "1").qos(1).retained());
    client.deliver(message("s", "").qos(1).retained());
    crash(&world);
    assert_eq!(world.retained("r").as_deref(), Some("1"));
    assert_eq!(world.retained("s"), None);
    let client = world.v5("c").durable().connect();
    let publisher = world.v5("p").connect();
    publisher.deliver(message("a", "no").qos(1));
    publisher.deliver(message("b", "yes").qos(1));
    assert_eq!(client.texts(), ["yes"]);
    world.v5("c").connect().disconnect();
    crash(&world);
    assert!(!world.v5("c").durable().connect().session_present);
}

#[test]
fn a_full_disk_refuses_and_loses_nothing_until_there_is_room_again() {
    let (world, disk) = world();
    let (old, new) = (world.v4("old").durable(), world.v5("new").durable());
    let (old, new) = (old.connect(), new.connect());
    old.subscribe("a", 1);
    new.subscribe("a", 1);
    old.cut();
    let publisher = world.v5("p").connect();
    publisher.deliver(message("a", "kept").qos(1));
    new.hear();
    disk.fail_after(Some(0));
    // The first to meet the fault is let go, without an acknowledgement.
    publisher.publish(message("a", "lost").qos(1));
    publisher.expect_disconnect(ReasonCode::QuotaExceeded);
    new.cut();
    world
        .v5("new")
        .durable()
        .expect_refused(ReasonCode::QuotaExceeded);
    let clean = world.v5("clean").connect();
    let id = clean.publish(message("a", "refused").qos(1));
    assert_eq!(clean.expect_puback(id), ReasonCode::QuotaExceeded);
    let clean4 = world.v4("clean4").connect();
    clean4.publish(message("a", "refused").qos(1));
    clean4.expect_closed();
    clean.publish(message("elsewhere", "0").qos(0));
    disk.fail_after(None);
    world.store();
    let id = clean.publish(message("a", "taken").qos(1));
    assert!(!clean.expect_puback(id).is_error());
    crash(&world);
    let old = world.v4("old").durable().connect();
    let texts = old.texts();
    assert_eq!(texts.first().map(String::as_str), Some("kept"));
    assert_eq!(texts.last().map(String::as_str), Some("taken"));
    assert!(!texts.contains(&"refused".to_owned()), "{texts:?}");
    assert_eq!(world.logged("the store takes changes again"), 1);
}

#[test]
fn a_damaged_store_is_never_believed_and_never_ends_the_broker() {
    let disk = SimDisk::new();
    let world = World::with_store(&disk, |_| {});
    let client = world.v5("c").durable().connect();
    client.subscribe("a/#", 1);
    for n in 0..20 {
        client.publish(
            message(&format!("r/{n}"), "x".repeat(300))
                .qos(1)
                .retained(),
        );
    }
    drop((client, world));
    let mut random = Random::new(3);
    let (mut intact, mut damaged) = (0, 0);
    for _ in 0..60 {
        let copy = disk.copy();
        for _ in 0..1 + random.below(3) {
            copy.damage(random.below(copy.size()), random.below(8) as u8);
        }
        let opened = TreeStore::open(Arc::new(copy), true);
        let outcome = opened.and_then(|mut store| {
            let mut retained = 0;
            let found = store.restore(Measure::ALL, &mut |thing| {
                if let Restored::Retained(message, _) = thing {
                    assert_eq!(*message.payload, *"x".repeat(300).as_bytes());
                    retained += 1;
                }
            })?;
            Ok((found.damaged, retained))
        });
        match outcome {
            Ok((0, 20)) => intact += 1,
            Ok((0, retained)) => panic!("{retained} of 20 and nothing is said to be damaged"),
            _ => damaged += 1,
        }
    }
    assert!(
        intact > 0 && damaged > 0,
        "{intact} intact, {damaged} damaged"
    );
}
