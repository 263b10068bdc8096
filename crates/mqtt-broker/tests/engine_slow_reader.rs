//! Slow readers under a simulated clock: bounded, alone with their slowness, and nothing promised is lost.

use mqtt_proto::{Packet, Property};
use mqtt_testkit::world::{Client, World, message};
use std::num::NonZeroU16;

const LIMIT: usize = 10_000;

fn world() -> World {
    World::with(|settings| settings.max_outbox_bytes = LIMIT)
}

fn subscriber(world: &World, id: &str, qos: u8) -> Client {
    let client = world.v4(id).connect();
    client.subscribe("t", qos);
    client
}

fn dropped(world: &World) -> u64 {
    world.engine(|engine, _| engine.counters().publish_dropped)
}

#[test]
fn what_waits_for_a_slow_reader_is_bounded_and_others_are_not_delayed() {
    let world = world();
    let (slow, quick) = (
        subscriber(&world, "slow", 0),
        subscriber(&world, "quick", 0),
    );
    slow.read_only(0);
    let publisher = world.v4("p").connect();
    for n in 0..1000 {
        publisher.publish(message("t", format!("{n:0100}")));
        assert_eq!(quick.hear_all().len(), 1);
        assert!(
            slow.waiting() < LIMIT + 105,
            "{} bytes wait",
            slow.waiting()
        );
    }
    slow.read_on();
    let heard = slow.texts();
    // What comes is the beginning, without a gap.
    for (n, text) in heard.iter().enumerate() {
        assert_eq!(text.parse(), Ok(n));
    }
    assert_eq!(heard.len() as u64 + dropped(&world), 1000);
    assert_eq!(
        world.logged("Outgoing messages are being dropped for client slow."),
        1
    );
    publisher.publish(message("t", "and on"));
    assert_eq!(slow.texts(), ["and on"]);
}

#[test]
fn a_slow_reader_loses_nothing_of_qos_1_and_2() {
    for qos in [1, 2] {
        let world = World::with(|settings| {
            settings.max_outbox_bytes = LIMIT;
            settings.max_inflight_messages = u16::MAX;
        });
        let slow = subscriber(&world, "slow", qos);
        slow.read_only(0);
        let publisher = world.v4("p").connect();
        for n in 0..900 {
            publisher.deliver(message("t", format!("{n:0100}")).qos(qos));
            assert!(slow.waiting() < LIMIT + 200);
        }
        let mut heard = Vec::new();
        while heard.len() < 900 {
            slow.read_only(5000);
            heard.extend(slow.publishes().into_iter().map(|message| {
                match qos {
                    1 => slow.puback(message.id),
                    _ => {
                        slow.pubrec(message.id);
                        slow.pubcomp(message.id);
                    }
                }
                message.text().parse::<usize>().expect("it is a number")
            }));
        }
        assert!(heard.iter().copied().eq(0..900), "all, in order");
        assert_eq!(dropped(&world), 0);
    }
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_listened_to() {
    let world = world();
    let client = world.v5("c").connect();
    client.read_only(0);
    let mut bytes = Vec::new();
    for _ in 0..1000 {
        Packet::PingReq
            .encode(mqtt_proto::Version::V5, &mut bytes)
            .unwrap();
    }
    for _ in 0..1000 {
        client.send_bytes(&bytes);
        assert!(
            client.waiting() <= LIMIT + 2 * bytes.len(),
            "{} bytes wait",
            client.waiting()
        );
    }
    client.read_on();
    assert_eq!(client.take_bytes().len(), 2 * 1_000_000);
}

#[test]
fn at_most_once_keeps_its_order_with_itself_when_the_reader_comes_back() {
    let world = World::with(|settings| {
        settings.max_outbox_bytes = LIMIT;
        settings.queue_qos0_messages = true;
    });
    let client = world.v4("c").durable().connect();
    client.subscribe("t", 0);
    client.cut();
    let publisher = world.v4("p").connect();
    for n in 0..300 {
        publisher.publish(message("t", format!("{n:0100}")));
    }
    // It reads its CONNACK and then no more.
    let client = world.v4("c").durable().reading(4).connect();
    for n in 300..400 {
        publisher.publish(message("t", format!("{n:0100}")));
    }
    client.read_on();
    let heard: Vec<usize> = client.texts().iter().map(|t| t.parse().unwrap()).collect();
    assert!(heard.iter().copied().eq(0..400), "{heard:?}");
}

#[test]
fn a_slow_reader_that_is_lost_has_what_it_had_not_read_sent_again() {
    let world = world();
    let dial = || {
        world
            .v5("slow")
            .durable()
            .with(Property::ReceiveMaximum(NonZeroU16::new(50).unwrap()))
    };
    let slow = dial().connect();
    slow.subscribe("t", 1);
    slow.read_only(0);
    let publisher = world.v4("p").connect();
    for n in 0..200 {
        publisher.deliver(message("t", format!("{n:0200}")).qos(1));
    }
    slow.cut();
    let slow = dial().connect();
    let heard: Vec<usize> = slow.drain().iter().map(|t| t.parse().unwrap()).collect();
    assert!(heard.iter().copied().eq(0..200), "{heard:?}");
}

#[test]
fn a_takeover_frees_a_client_whose_old_connection_is_stuck() {
    let world = world();
    let stuck = world.v5("c").durable().connect();
    stuck.subscribe("t", 1);
    stuck.read_only(0);
    let publisher = world.v4("p").connect();
    for n in 0..200 {
        publisher.deliver(message("t", format!("{n:0200}")).qos(1));
    }
    let new = world.v5("c").durable().connect();
    assert_eq!(new.drain().len(), 200);
    stuck.read_on();
    assert!(!stuck.is_open());
    stuck.take_bytes();
    new.expect_nothing();
}

#[test]
fn large_payloads_leave_whole_however_slowly_they_are_read() {
    let world = World::new();
    let (slow, quick) = (
        subscriber(&world, "slow", 1),
        subscriber(&world, "quick", 1),
    );
    slow.read_only(0);
    let publisher = world.v4("p").connect();
    let large: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    for _ in 0..3 {
        publisher.deliver(message("t", &large).qos(1));
        publisher.deliver(message("t", "small").qos(1));
    }
    for client in [&slow, &quick] {
        for _ in 0..200 {
            client.read_only(10_007);
        }
        let heard = client.publishes();
        assert_eq!(heard.len(), 6);
        assert!(heard.iter().step_by(2).all(|m| m.payload == large));
    }
}
