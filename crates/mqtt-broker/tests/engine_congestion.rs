//! Publishers wait a moment for a subscriber that is behind: a burst is not lost, and nobody is stopped for long.

use mqtt_proto::{Packet, ReasonCode};
use mqtt_testkit::world::{Client, World, message};
use std::time::Duration;

const LIMIT: usize = 10_000;
const PATIENCE: u32 = 250;

fn world() -> World {
    World::with(|settings| {
        settings.max_outbox_bytes = LIMIT;
        settings.patience_ms = PATIENCE;
    })
}

fn subscriber(world: &World, id: &str, qos: u8) -> Client {
    let client = world.v4(id).connect();
    client.subscribe("t", qos);
    client
}

fn dropped(world: &World) -> u64 {
    world.engine(|engine, _| engine.counters().publish_dropped)
}

fn burst(publisher: &Client, from: usize, count: usize) {
    for n in from..from + count {
        publisher.publish(message("t", format!("{n:0100}")));
    }
}

fn numbers(client: &Client) -> Vec<usize> {
    let texts = client.texts();
    texts
        .iter()
        .map(|text| text.parse().expect("it is a number"))
        .collect()
}

fn pass(world: &World, ms: u32) {
    world.advance(Duration::from_millis(u64::from(ms)));
}

#[test]
fn a_burst_that_is_larger_than_what_may_wait_reaches_a_subscriber_that_reads() {
    let world = world();
    let reader = subscriber(&world, "reader", 0);
    let publishers = ["a", "b"].map(|id| world.v4(id).connect());
    reader.read_only(0);
    burst(&publishers[0], 0, 300);
    burst(&publishers[1], 300, 300);
    assert!(reader.waiting() < LIMIT, "{} bytes wait", reader.waiting());
    let mut heard = Vec::new();
    for _ in 0..100 {
        reader.read_only(1000);
        heard.extend(numbers(&reader));
        pass(&world, 1);
    }
    assert_eq!(heard.len(), 600);
    // Of each publisher in order.
    for from in [0, 300] {
        let of_one = heard.iter().filter(|n| (from..from + 300).contains(*n));
        assert!(of_one.copied().eq(from..from + 300));
    }
    assert_eq!(dropped(&world), 0);
}

#[test]
fn a_subscriber_that_does_not_read_stops_nobody_for_longer_than_patience_lasts() {
    let world = world();
    let slow = subscriber(&world, "slow", 0);
    let quick = subscriber(&world, "quick", 0);
    slow.read_only(0);
    let publisher = world.v4("p").connect();
    burst(&publisher, 0, 200);
    let at_once = numbers(&quick).len();
    assert!((10..200).contains(&at_once), "{at_once} came at once");
    pass(&world, PATIENCE - 1);
    quick.expect_nothing();
    pass(&world, 1);
    assert_eq!(numbers(&quick), (at_once..200).collect::<Vec<_>>());
    // From now on it is not waited for.
    burst(&publisher, 200, 200);
    assert_eq!(numbers(&quick).len(), 200);
    assert!(slow.waiting() < LIMIT + 200 && dropped(&world) > 0);
    // When it has caught up, it is.
    slow.read_on();
    slow.texts();
    slow.read_only(0);
    burst(&publisher, 400, 200);
    assert!(numbers(&quick).len() < 200);
    let before = dropped(&world);
    slow.read_on();
    let texts = numbers(&slow);
    assert_eq!((texts.last(), dropped(&world)), (Some(&599), before));
}

#[test]
fn a_subscriber_that_is_not_so_slow_is_waited_for_as_long_as_it_takes() {
    let world = world();
    let reader = subscriber(&world, "reader", 0);
    let publisher = world.v4("p").connect();
    reader.read_only(0);
    burst(&publisher, 0, 500);
    let mut heard = Vec::new();
    for _ in 0..400 {
        reader.read_only(LIMIT / 40 + 50);
        pass(&world, PATIENCE / 10);
        heard.extend(numbers(&reader));
    }
    assert_eq!(heard, (0..500).collect::<Vec<_>>());
    assert_eq!(dropped(&world), 0);
}

#[test]
fn a_queue_of_qos_1_that_fills_up_is_waited_for() {
    let world = world();
    let reader = subscriber(&world, "reader", 1);
    let publisher = world.v4("p").connect();
    for n in 0..3000u16 {
        publisher.publish(message("t", n.to_string()).qos(1).id(n + 1));
    }
    let mut heard = Vec::new();
    while heard.len() < 3000 {
        let messages = reader.publishes();
        assert!(!messages.is_empty(), "{} of 3000 came", heard.len());
        for message in messages {
            heard.push(message.text().parse::<u16>().expect("it is a number"));
            reader.puback(message.id);
        }
    }
    assert!(heard.into_iter().eq(0..3000));
    assert_eq!(dropped(&world), 0);
}

#[test]
fn releases_that_come_in_one_read_wait_too_and_each_passes_its_message_on_once() {
    const COUNT: u16 = 900;
    let world = world();
    let reader = subscriber(&world, "reader", 2);
    let publisher = world.v4("p").connect();
    for n in 1..=COUNT {
        publisher.publish(message("t", n.to_string()).qos(2).id(n));
    }
    (1..=COUNT).for_each(|n| assert_eq!(publisher.expect_pubrec(n), ReasonCode::Success));
    let releases = (1..=COUNT).flat_map(|n| [0x62, 2, (n >> 8) as u8, n as u8]);
    publisher.send_bytes(&releases.collect::<Vec<_>>());
    let completed = || {
        let mut completed = Vec::new();
        while let Some(id) = publisher.next(|packet| match packet {
            Packet::PubComp(ack) => ack.packet_id.get(),
            other => panic!("{other:?}"),
        }) {
            completed.push(id);
        }
        completed
    };
    let mut done = completed();
    assert!(
        (100..COUNT).contains(&(done.len() as u16)),
        "{}",
        done.len()
    );
    let mut heard = Vec::new();
    while heard.len() < usize::from(COUNT) {
        let texts = reader.drain();
        assert!(!texts.is_empty(), "{} of {COUNT} came", heard.len());
        let numbers = texts.iter().map(|text| text.parse::<u16>());
        heard.extend(numbers.map(|number| number.expect("it is a number")));
        done.extend(completed());
    }
    assert!(heard.into_iter().eq(1..=COUNT) && done.into_iter().eq(1..=COUNT));
    reader.expect_nothing();
    assert_eq!(dropped(&world), 0);
}

#[test]
fn who_waits_for_a_subscriber_that_goes_is_heard_again() {
    for is_taken_over in [false, true] {
        let world = world();
        let slow = subscriber(&world, "slow", 0);
        slow.read_only(0);
        let publisher = world.v4("p").connect();
        burst(&publisher, 0, 100);
        publisher.subscribe_blindly("answers");
        publisher.expect_nothing();
        if is_taken_over {
            world.v4("slow").connect();
        } else {
            slow.cut();
        }
        publisher.expect("SUBACK", |packet| {
            matches!(packet, Packet::SubAck(_)).then_some(())
        });
    }
}

#[test]
fn a_publisher_that_goes_while_it_waits_leaves_nothing_behind() {
    let world = world();
    let slow = subscriber(&world, "slow", 0);
    slow.read_only(0);
    let publisher = world.v4("p").connect();
    burst(&publisher, 0, 100);
    publisher.cut();
    let next = world.v4("q").connect();
    slow.read_on();
    let heard = numbers(&slow);
    assert!((10..100).contains(&heard.len()));
    next.publish(message("t", "7"));
    assert_eq!(numbers(&slow), [7]);
}

#[test]
fn who_publishes_to_himself_does_not_wait_for_himself() {
    let world = world();
    let alone = subscriber(&world, "alone", 0);
    burst(&alone, 0, 300);
    assert_eq!(numbers(&alone).len(), 300);
}

#[test]
fn nobody_waits_for_what_the_broker_has_published_itself() {
    let world = world();
    let slow = subscriber(&world, "slow", 0);
    let other = world.v4("other").connect();
    other.subscribe("other", 0);
    let publisher = world.v4("p").connect();
    let lost = world.v4("lost").will(message("t", "0")).connect();
    let innocent = world.v4("innocent").connect();
    slow.read_only(0);
    burst(&publisher, 0, 100);
    lost.cut();
    for text in ["1", "2"] {
        innocent.publish(message("other", text));
    }
    assert_eq!(numbers(&other), [1, 2]);
}
