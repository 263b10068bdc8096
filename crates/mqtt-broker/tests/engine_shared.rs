//! Shared subscriptions under a simulated clock: one member each, and none lost.

use mqtt_proto::{Property, ReasonCode, SubscriptionOptions, VarInt};
use mqtt_testkit::world::{Client, World, message};
use std::num::NonZeroU16;

fn member(world: &World, id: &str, qos: u8) -> Client {
    let client = world.v5(id).durable().connect();
    client.subscribe("$share/g/t/#", qos);
    client
}

#[test]
fn each_message_goes_to_one_member_in_turn() {
    let world = World::new();
    let members = ["a", "b", "c"].map(|id| member(&world, id, 0));
    let publisher = world.v4("p").connect();
    for n in 0..9 {
        publisher.publish(message("t/x", n.to_string()));
    }
    let heard = members.each_ref().map(Client::texts);
    assert_eq!(heard, [["0", "3", "6"], ["1", "4", "7"], ["2", "5", "8"]]);
}

#[test]
fn each_group_and_each_ordinary_subscription_gets_its_own_copy() {
    let world = World::new();
    let a = member(&world, "a", 1);
    let b = world.v4("b").connect();
    b.subscribe("$share/other/t/#", 1);
    let c = world.v4("c").connect();
    c.subscribe("t/#", 1);
    a.subscribe("t/x", 0);
    world.v4("p").connect().deliver(message("t/x", "m").qos(1));
    assert_eq!(
        (a.texts().len(), b.texts().len(), c.texts().len()),
        (2, 1, 1)
    );
}

#[test]
fn absent_members_get_nothing_while_others_are_there() {
    let world = World::new();
    let (a, b) = (member(&world, "a", 1), member(&world, "b", 1));
    b.cut();
    let publisher = world.v4("p").connect();
    for n in 0..4 {
        publisher.deliver(message("t/x", n.to_string()).qos(1));
    }
    assert_eq!(a.drain(), ["0", "1", "2", "3"]);
    let b = world.v5("b").durable().connect();
    b.expect_nothing();
    a.cut();
    b.cut();
    for n in 4..6 {
        publisher.deliver(message("t/x", n.to_string()).qos(1));
    }
    let mut heard = world.v5("a").durable().connect().drain();
    heard.extend(world.v5("b").durable().connect().drain());
    heard.sort_unstable();
    assert_eq!(heard, ["4", "5"], "with all away, messages wait");
}

#[test]
fn a_member_that_is_busy_is_passed_over() {
    let world = World::new();
    let one = Property::ReceiveMaximum(NonZeroU16::new(1).unwrap());
    let busy = world.v5("busy").with(one).connect();
    busy.subscribe("$share/g/t", 1);
    let idle = world.v5("idle").connect();
    idle.subscribe("$share/g/t", 1);
    let publisher = world.v4("p").connect();
    for n in 0..5 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    assert_eq!(busy.texts().len(), 1);
    assert_eq!(idle.texts().len(), 4);
}

#[test]
fn unacknowledged_and_queued_messages_of_a_lost_member_go_on_to_another() {
    for lost_for_good in [false, true] {
        let world = World::with(|settings| settings.max_inflight_messages = 2);
        let a = member(&world, "a", 1);
        let publisher = world.v4("p").connect();
        for n in 0..5 {
            publisher.deliver(message("t/x", n.to_string()).qos(1));
        }
        let first = a.hear_all();
        assert_eq!(first.len(), 2);
        a.ack(&first[0]);
        assert_eq!(a.texts(), ["2"]);
        let b = member(&world, "b", 1);
        b.expect_nothing();
        if lost_for_good {
            a.leave(ReasonCode::Success, &[Property::SessionExpiryInterval(0)]);
        } else {
            a.cut();
        }
        let mut heard = b.drain();
        heard.sort_unstable();
        assert_eq!(heard, ["1", "2", "3", "4"]);
        world.v5("a").durable().connect().expect_nothing();
    }
}

#[test]
fn a_sent_message_of_exactly_once_stays_with_its_member() {
    let world = World::new();
    let a = member(&world, "a", 2);
    let b = member(&world, "b", 2);
    world.v4("p").connect().deliver(message("t/x", "m").qos(2));
    let (holder, id, other) = match a.hear_all().len() {
        1 => (a, "a", b),
        _ => (b, "b", a),
    };
    holder.cut();
    other.expect_nothing();
    assert_eq!(world.v5(id).durable().connect().drain(), ["m"]);
    other.expect_nothing();
}

#[test]
fn a_queued_message_of_exactly_once_goes_on_and_comes_once() {
    let world = World::with(|settings| settings.max_inflight_messages = 1);
    let a = member(&world, "a", 2);
    let publisher = world.v4("p").connect();
    for n in 0..3 {
        publisher.deliver(message("t/x", n.to_string()).qos(2));
    }
    assert_eq!(a.hear_all().len(), 1);
    let b = member(&world, "b", 2);
    a.cut();
    assert_eq!(b.drain(), ["1", "2"]);
    assert_eq!(world.v5("a").durable().connect().drain(), ["0"]);
}

#[test]
fn a_message_is_not_passed_to_a_member_that_could_not_keep_it() {
    let world = World::new();
    let a = member(&world, "a", 1);
    let weak = member(&world, "weak", 0);
    weak.cut();
    let strong = member(&world, "strong", 1);
    strong.cut();
    let publisher = world.v4("p").connect();
    for n in 0..4 {
        publisher.deliver(message("t/x", n.to_string()).qos(1));
    }
    assert_eq!(a.hear_all().len(), 4);
    a.leave(ReasonCode::Success, &[Property::SessionExpiryInterval(0)]);
    let strong = world.v5("strong").durable().connect();
    assert_eq!(strong.drain(), ["0", "1", "2", "3"]);
}

#[test]
fn nothing_is_lost_while_members_come_and_go() {
    let world = World::with(|settings| settings.max_inflight_messages = 3);
    let mut members: Vec<Option<Client>> = (0..4)
        .map(|n| Some(member(&world, &format!("m{n}"), 1)))
        .collect();
    let publisher = world.v4("p").connect();
    let mut seen = Vec::new();
    for n in 0..400_usize {
        publisher.deliver(message("t/x", format!("{n:03}")).qos(1));
        let at = n * 7 % 4;
        match members[at].take() {
            Some(client) if n % 5 == 0 => client.cut(),
            Some(client) => {
                if n % 3 == 0 {
                    seen.extend(client.drain());
                }
                members[at] = Some(client);
            }
            None => members[at] = Some(world.v5(&format!("m{at}")).durable().connect()),
        }
    }
    for (at, client) in members.into_iter().enumerate() {
        let client = client.unwrap_or_else(|| world.v5(&format!("m{at}")).durable().connect());
        seen.extend(client.drain());
    }
    for (at, _) in (0..4).enumerate() {
        seen.extend(world.v5(&format!("m{at}")).durable().connect().drain());
    }
    seen.sort_unstable();
    seen.dedup();
    let expected: Vec<String> = (0..400).map(|n| format!("{n:03}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_shared_subscription_gets_no_retained_messages() {
    let world = World::new();
    world
        .v4("p")
        .connect()
        .publish(message("t/x", "kept").retained());
    let a = member(&world, "a", 1);
    a.expect_nothing();
}

#[test]
fn no_local_on_a_shared_subscription_is_an_error_of_the_protocol() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.send_bytes(&[
        0x82, 15, 0, 1, 0, 0, 9, b'$', b's', b'h', b'a', b'r', b'e', b'/', b'g', b'/', 0x04,
    ]);
    assert!(!client.is_open());
    let client = world.v5("c").connect();
    client.send_bytes(&[
        0x82, 16, 0, 1, 0, 0, 10, b'$', b's', b'h', b'a', b'r', b'e', b'/', b'g', b'/', b't', 0x04,
    ]);
    client.expect_disconnect(ReasonCode::ProtocolError);
}

#[test]
fn identifiers_and_flags_of_the_member_that_gets_it_count() {
    let world = World::new();
    let a = world.v5("a").connect();
    let options = SubscriptionOptions {
        retain_as_published: true,
        ..SubscriptionOptions::default()
    };
    a.subscribe_with("$share/g/t", options, Some(5));
    world
        .v4("p")
        .connect()
        .publish(message("t", "x").retained());
    let heard = a.hear();
    assert!(heard.retain);
    assert_eq!(
        heard
            .properties
            .view()
            .subscription_identifier()
            .map(VarInt::get),
        Some(5)
    );
}

#[test]
fn the_last_member_to_leave_closes_the_group() {
    let world = World::new();
    let a = member(&world, "a", 1);
    let publisher = world.v5("p").connect();
    assert_eq!(
        publisher.deliver(message("t/x", "m").qos(1)),
        ReasonCode::Success
    );
    a.hear();
    a.unsubscribe("$share/g/t/#");
    assert_eq!(
        publisher.deliver(message("t/x", "m").qos(1)),
        ReasonCode::NoMatchingSubscribers
    );
    let census = world.engine(|engine, now| engine.census(now));
    assert_eq!((census.subscriptions, census.shared_subscriptions), (0, 0));
}
