//! PUBLISH under a simulated clock: at most once, at least once, exactly once, whatever happens.

use mqtt_proto::{Ack, Packet, PacketId, Properties, Property, ReasonCode, Version};
use mqtt_testkit::world::{World, message};
use std::num::NonZeroU16;

fn ack_with(id: u16, reason: ReasonCode) -> Ack<'static> {
    Ack {
        packet_id: PacketId::new(id).expect("it is not 0"),
        reason,
        properties: Properties::EMPTY,
    }
}

#[test]
fn a_message_goes_out_at_the_lower_of_two_qos() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    for subscribed in 0..3 {
        let client = world.v5("c").connect();
        client.subscribe("t", subscribed);
        for published in 0..3 {
            publisher.deliver(message("t", "x").qos(published));
            let heard = client.hear();
            assert_eq!(heard.qos, published.min(subscribed));
            assert_eq!(heard.id == 0, heard.qos == 0);
            client.ack(&heard);
        }
    }
}

#[test]
fn upgrade_outgoing_qos_sends_at_the_subscriptions_qos() {
    let world = World::with(|settings| settings.upgrade_outgoing_qos = true);
    let client = world.v4("c").connect();
    client.subscribe("t", 2);
    world.v4("p").connect().publish(message("t", "x"));
    assert_eq!(client.hear().qos, 2);
}

#[test]
fn exactly_once_takes_four_packets_and_only_the_release_passes_the_message_on() {
    let world = World::new();
    let (publisher, client) = (world.v4("p").connect(), world.v4("c").connect());
    client.subscribe("t", 2);
    publisher.publish(message("t", "x").qos(2).id(7));
    publisher.expect_pubrec(7);
    client.expect_nothing();
    // Not answered in time: the sender says it again.
    publisher.publish(message("t", "x").qos(2).id(7).again());
    publisher.expect_pubrec(7);
    publisher.pubrel(7);
    publisher.expect_pubcomp(7);
    assert_eq!(client.hear(), message("t", "x").qos(2).id(1));
    publisher.pubrel(7);
    publisher.expect_pubcomp(7);
    client.pubrec(1);
    client.expect_pubrel(1);
    client.pubrec(1);
    client.expect_pubrel(1);
    client.pubcomp(1);
    client.expect_nothing();
    // The identifier is free for another message.
    publisher.publish(message("t", "x").qos(2).id(7));
    publisher.expect_pubrec(7);
    publisher.pubrel(7);
    publisher.expect_pubcomp(7);
    assert_eq!(client.hear(), message("t", "x").qos(2).id(2));
}

#[test]
fn exactly_once_holds_when_every_answer_is_lost_again_and_again() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.subscribe("t", 2);
    for round in 0..5 {
        let publisher = world.v5("p").durable().connect();
        assert_eq!(publisher.session_present, round > 0);
        let publish = message("t", "once").qos(2).id(3);
        publisher.publish(if round > 0 { publish.again() } else { publish });
        publisher.expect_pubrec(3);
        publisher.cut();
    }
    for _ in 0..5 {
        let publisher = world.v5("p").durable().connect();
        publisher.pubrel(3);
        publisher.cut();
    }
    let publisher = world.v5("p").durable().connect();
    publisher.pubrel(3);
    publisher.expect_pubcomp(3);
    let heard = client.hear();
    assert_eq!(heard.text(), "once");
    client.ack(&heard);
    client.expect_nothing();
}

#[test]
fn at_least_once_is_said_again_with_dup_and_the_same_identifier() {
    for version in [Version::V3, Version::V4, Version::V5] {
        let world = World::new();
        let publisher = world.v5("p").connect();
        let client = world.dial(version, "c").durable().connect();
        client.subscribe("t", 1);
        for n in 1..=3 {
            publisher.deliver(message("t", n.to_string()).qos(1));
            assert_eq!(client.hear(), message("t", n.to_string()).qos(1).id(n));
        }
        client.puback(2);
        for _ in 0..3 {
            client.cut();
            let client = world.dial(version, "c").durable().connect();
            assert_eq!(client.hear(), message("t", "1").qos(1).id(1).again());
            assert_eq!(client.hear(), message("t", "3").qos(1).id(3).again());
            client.expect_nothing();
        }
        let client = world.dial(version, "c").durable().connect();
        assert_eq!(client.drain(), ["1", "3"]);
        publisher.deliver(message("t", "4").qos(1));
        assert_eq!(client.hear(), message("t", "4").qos(1).id(4));
    }
}

#[test]
fn exactly_once_goes_on_after_a_reconnect_where_it_stopped() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    let client = world.v5("c").durable().connect();
    client.subscribe("t", 2);
    for n in 1..=4 {
        publisher.deliver(message("t", n.to_string()).qos(2));
        client.hear();
    }
    client.pubrec(2);
    client.expect_pubrel(2);
    client.pubrec(3);
    client.expect_pubrel(3);
    client.pubcomp(3);
    client.cut();
    let client = world.v5("c").durable().connect();
    assert_eq!(client.hear(), message("t", "1").qos(2).id(1).again());
    client.expect_pubrel(2);
    assert_eq!(client.hear(), message("t", "4").qos(2).id(4).again());
    client.expect_nothing();
    client.pubcomp(2);
    for id in [1, 4] {
        client.pubrec(id);
        client.expect_pubrel(id);
        client.pubcomp(id);
    }
    client.cut();
    world.v5("c").durable().connect().expect_nothing();
}

#[test]
fn acknowledgements_may_come_in_any_order() {
    let world = World::new();
    let publisher = world.v4("p").connect();
    let client = world.v4("c").connect();
    client.subscribe("t", 2);
    let stored = || world.engine(|engine, now| engine.census(now).stored);
    let before = stored();
    for n in 0..20 {
        publisher.deliver(message("t", n.to_string()).qos(1 + n % 2));
    }
    let mut heard = client.hear_all();
    assert_eq!(heard.len(), 20);
    heard.reverse();
    heard.swap(3, 11);
    for message in &heard {
        client.ack(message);
    }
    assert_eq!(stored(), before);
    for n in 20..40 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    assert_eq!(client.drain().len(), 20);
}

#[test]
fn messages_keep_their_order_while_they_queue_and_across_reconnects() {
    let world = World::with(|settings| settings.max_inflight_messages = 3);
    let publisher = world.v5("p").connect();
    let mut client = world.v5("c").durable().connect();
    client.subscribe("t", 2);
    let mut first_seen = Vec::new();
    for n in 0..60 {
        publisher.deliver(message("t", format!("{n:02}")).qos(1 + n % 2));
        if n % 7 == 0 {
            client.cut();
            client = world.v5("c").durable().connect();
        }
        for heard in std::iter::from_fn(|| {
            client.next(|packet| match packet {
                Packet::Publish(publish) => {
                    let text = String::from_utf8(publish.payload.to_vec()).unwrap();
                    Some((text, publish.qos as u8, publish.packet_id.unwrap().get()))
                }
                _ => None,
            })
        })
        .flatten()
        {
            if !first_seen.contains(&heard.0) {
                first_seen.push(heard.0);
            }
            if n % 3 == 0 && heard.1 == 1 {
                client.puback(heard.2);
            }
        }
    }
    client.cut();
    let client = world.v5("c").durable().connect();
    for text in client.drain() {
        if !first_seen.contains(&text) {
            first_seen.push(text);
        }
    }
    let expected: Vec<String> = (0..60).map(|n| format!("{n:02}")).collect();
    assert_eq!(first_seen, expected);
}

#[test]
fn a_smaller_receive_maximum_holds_for_what_is_sent_again() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    let client = world.v5("c").durable().connect();
    client.subscribe("t", 1);
    for n in 1..=8 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    assert_eq!(client.hear_all().len(), 8);
    client.cut();
    let maximum = Property::ReceiveMaximum(NonZeroU16::new(3).unwrap());
    let client = world.v5("c").durable().with(maximum).connect();
    assert_eq!(client.texts(), ["1", "2", "3"]);
    client.puback(2);
    assert_eq!(client.hear(), message("t", "4").qos(1).id(4).again());
    client.expect_nothing();
    assert_eq!(client.drain(), Vec::<String>::new());
    for id in [1, 3, 4] {
        client.puback(id);
    }
    assert_eq!(client.drain(), ["5", "6", "7", "8"]);
}

#[test]
fn an_early_acknowledgement_does_not_stretch_the_receive_maximum() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    let client = world.v5("c").durable().connect();
    client.subscribe("t", 1);
    for n in 1..=4 {
        publisher.deliver(message("t", n.to_string()).qos(1));
    }
    client.cut();
    let maximum = Property::ReceiveMaximum(NonZeroU16::new(1).unwrap());
    let client = world.v5("c").durable().with(maximum).connect();
    assert_eq!(client.texts(), ["1"]);
    // Its application has dealt with 3 in the meantime, before 3 came again.
    client.puback(3);
    client.expect_nothing();
    client.puback(1);
    assert_eq!(client.texts(), ["2"]);
    client.puback(2);
    assert_eq!(client.texts(), ["4"]);
    client.puback(4);
    client.expect_nothing();
}

#[test]
fn a_refused_message_is_not_sent_again() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    let client = world.v5("c").durable().connect();
    client.subscribe("t", 2);
    publisher.deliver(message("t", "1").qos(1));
    publisher.deliver(message("t", "2").qos(2));
    client.hear_all();
    client.send(&Packet::PubAck(ack_with(1, ReasonCode::QuotaExceeded)));
    client.send(&Packet::PubRec(ack_with(2, ReasonCode::UnspecifiedError)));
    client.expect_nothing();
    client.cut();
    world.v5("c").durable().connect().expect_nothing();
}

#[test]
fn an_acknowledgement_of_nothing_is_logged_and_harmless() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.puback(5);
    client.pubcomp(6);
    client.expect_nothing();
    client.pubrec(7);
    client.expect_pubrel(7);
    client.pubrel(8);
    client.expect_pubcomp(8);
    client.expect_nothing();
    for packet in [
        "PUBACK from c for an unknown packet identifier 5",
        "PUBREC from c for an unknown packet identifier 7",
        "PUBCOMP from c for an unknown packet identifier 6",
    ] {
        assert_eq!(world.logged(packet), 1, "{packet}");
    }
}

#[test]
fn an_acknowledgement_of_the_wrong_kind_ends_the_connection() {
    for wrong in 0..3 {
        let world = World::new();
        let client = world.v5("c").connect();
        client.subscribe("t", 2);
        let publisher = world.v5("p").connect();
        publisher.deliver(message("t", "x").qos(if wrong == 0 { 2 } else { 1 }));
        client.hear();
        match wrong {
            0 => client.puback(1),
            1 => client.pubrec(1),
            _ => client.pubcomp(1),
        }
        client.expect_disconnect(ReasonCode::ProtocolError);
        assert_eq!(
            world.logged("Client c [10.0.0.1:10000] disconnected: protocol error."),
            1
        );
        assert!(publisher.is_open());
    }
}

#[test]
fn version_5_is_told_that_nobody_hears() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    assert_eq!(
        publisher.deliver(message("t", "x").qos(1)),
        ReasonCode::NoMatchingSubscribers
    );
    let client = world.v5("c").durable().connect();
    client.subscribe("t", 0);
    assert_eq!(
        publisher.deliver(message("t", "x").qos(1)),
        ReasonCode::Success
    );
    client.hear();
    client.unsubscribe("t");
    assert_eq!(
        publisher.deliver(message("t", "x").qos(1)),
        ReasonCode::NoMatchingSubscribers
    );
    let old = world.v4("old").connect();
    assert_eq!(old.deliver(message("t", "x").qos(1)), ReasonCode::Success);
    assert_eq!(
        publisher.deliver(message("t", "x").qos(2)),
        ReasonCode::Success
    );
}

#[test]
fn what_the_listener_does_not_have_ends_the_connection_of_who_uses_it() {
    let world = World::with(|settings| {
        settings.retain_available = false;
        settings.listeners[0].max_qos = mqtt_proto::QoS::AtLeastOnce;
    });
    let client = world.v5("c").connect();
    client.publish(message("t", "x").qos(2));
    client.expect_disconnect(ReasonCode::QoSNotSupported);
    let client = world.v5("c").connect();
    client.publish(message("t", "x").retained());
    client.expect_disconnect(ReasonCode::RetainNotSupported);
    let old = world.v4("c").connect();
    old.publish(message("t", "x").qos(2));
    old.expect_closed();
    let client = world.v5("c").connect();
    assert_eq!(client.subscribe("t", 2), ReasonCode::GrantedQoS1);
}

#[test]
fn a_payload_above_the_limit_is_refused_and_nobody_hears_it() {
    let world = World::with(|settings| settings.message_size_limit = 10);
    let client = world.v5("c").connect();
    client.subscribe("t", 2);
    let (publisher, old) = (world.v5("p").connect(), world.v4("old").connect());
    publisher.publish(message("t", "12345678901"));
    publisher.expect_nothing();
    // Mosquitto's answer, though the standard's list for PUBACK does not have it.
    publisher.publish(message("t", "12345678901").qos(1).id(1));
    assert_eq!(publisher.take_bytes(), [0x40, 3, 0, 1, 0x95]);
    publisher.publish(message("t", "12345678901").qos(2).id(2));
    assert_eq!(publisher.take_bytes(), [0x50, 3, 0, 2, 0x95]);
    for qos in 0..3 {
        old.deliver(message("t", "12345678901").qos(qos));
    }
    client.expect_nothing();
    publisher.deliver(message("t", "1234567890").qos(1));
    assert_eq!(client.hear().payload.len(), 10);
}

#[test]
fn a_packet_above_max_packet_size_ends_the_connection() {
    let world = World::with(|settings| settings.max_packet_size = 100);
    let client = world.v5("c").connect();
    client.publish(message("t", [0; 200]));
    client.expect_disconnect(ReasonCode::PacketTooLarge);
    assert_eq!(world.logged("disconnected: oversize packet."), 1);
}

#[test]
fn nobody_publishes_what_is_the_brokers_to_say() {
    let world = World::new();
    let client = world.v5("c").connect();
    client.subscribe("$SYS/#", 0);
    client.hear_all();
    let publisher = world.v5("p").connect();
    for topic in ["$SYS/broker/uptime", "$CONTROL/x", "$share/a/b"] {
        assert_eq!(
            publisher.deliver(message(topic, "lie").qos(1).retained()),
            ReasonCode::NotAuthorized
        );
        assert_eq!(
            publisher.deliver(message(topic, "lie").qos(2)),
            ReasonCode::NotAuthorized
        );
    }
    client.expect_nothing();
    assert_eq!(
        world.retained("$SYS/broker/uptime").as_deref(),
        Some("0 seconds")
    );
}

#[test]
fn packet_identifiers_go_round_and_leave_out_those_in_use() {
    let world = World::new();
    let publisher = world.v4("p").connect();
    let client = world.v4("c").connect();
    client.subscribe("t", 1);
    publisher.deliver(message("t", "kept").qos(1));
    assert_eq!(client.hear().id, 1);
    for n in 2..=u16::MAX {
        publisher.publish(message("t", "x").qos(1).id(1));
        publisher.take_bytes();
        assert_eq!(client.hear().id, n);
        client.puback(n);
    }
    publisher.deliver(message("t", "next").qos(1));
    // Identifier 1 is still in use: the next one waits for it.
    client.puback(1);
    assert_eq!(client.hear(), message("t", "next").qos(1).id(1));
}
