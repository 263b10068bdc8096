//! When memory is short: what is refused, how that is said, and what goes on.

use crate::program::{Folder, free_port};
use mqtt_proto::{Packet, PacketId, Properties, Publish, QoS, ReasonCode, Topic, Version};
use mqtt_testkit::peer::RawPeer;
use mqtt_testkit::world::{World, message};
use std::net::Ipv4Addr;

fn full(world: &World, is_full: bool) {
    world.engine(|engine, _| engine.handle_memory(is_full));
}

#[test]
fn new_clients_are_refused_and_known_ones_come_back_to_read() {
    let world = World::new();
    let old = world.v4("old").durable().connect();
    old.subscribe("a", 1);
    old.cut();
    world.v5("p").connect().deliver(message("a", "1").qos(1));
    full(&world, true);
    world.v5("new").expect_refused(ReasonCode::QuotaExceeded);
    // Return code 3 of the older versions.
    world
        .v4("new")
        .expect_refused(ReasonCode::ServerUnavailable);
    let old = world.v4("old").durable().connect();
    assert_eq!(old.hear().text(), "1");
    full(&world, false);
    world.v4("new").connect();
}

#[test]
fn what_would_be_kept_is_refused_and_what_passes_through_is_not() {
    let world = World::new();
    let sleeper = world.v4("sleeper").durable().connect();
    sleeper.subscribe("kept", 1);
    sleeper.cut();
    let hears = world.v5("hears").connect();
    hears.subscribe("#", 0);
    let publisher = world.v5("p").connect();
    full(&world, true);
    for refused in [
        message("kept", "1").qos(1),
        message("free", "2").qos(2),
        message("free", "3").qos(1).retained(),
    ] {
        assert_eq!(publisher.deliver(refused), ReasonCode::QuotaExceeded);
    }
    publisher.publish(message("free", "4").retained());
    hears.expect_nothing();
    assert!(!publisher.deliver(message("free", "5").qos(1)).is_error());
    publisher.publish(message("kept", "6"));
    assert_eq!(hears.texts(), ["5", "6"]);
    full(&world, false);
    assert_eq!(world.retained("free"), None);
    assert!(!publisher.deliver(message("kept", "7").qos(1)).is_error());
    let sleeper = world.v4("sleeper").durable().connect();
    assert_eq!(sleeper.texts(), ["7"]);
}

#[test]
fn an_old_client_is_let_go_before_its_message_is_acknowledged() {
    let world = World::new();
    let publisher = world.v4("p").connect();
    full(&world, true);
    publisher.publish(message("a", "1").qos(1).retained());
    publisher.expect_closed();
    assert_eq!(world.logged("disconnected: quota exceeded."), 1);
}

#[test]
fn a_message_of_qos_2_that_was_taken_is_finished() {
    let world = World::new();
    let hears = world.v4("hears").connect();
    hears.subscribe("a", 0);
    let publisher = world.v5("p").connect();
    let id = publisher.publish(message("a", "1").qos(2));
    assert!(!publisher.expect_pubrec(id).is_error());
    full(&world, true);
    publisher.publish(message("a", "1").qos(2).id(id).again());
    assert!(!publisher.expect_pubrec(id).is_error());
    publisher.pubrel(id);
    publisher.expect_pubcomp(id);
    assert_eq!(hears.hear().text(), "1");
}

#[test]
fn subscriptions_are_refused_unless_they_are_there_already() {
    let world = World::new();
    let (new, old) = (world.v5("new").connect(), world.v4("old").connect());
    new.subscribe("a", 1);
    full(&world, true);
    assert_eq!(new.subscribe("a", 0), ReasonCode::Success);
    assert_eq!(new.subscribe("b", 0), ReasonCode::QuotaExceeded);
    assert!(old.subscribe("b", 0).is_error());
}

#[test]
fn retained_messages_can_be_removed() {
    let world = World::new();
    let publisher = world.v5("p").connect();
    publisher.deliver(message("a", "1").qos(1).retained());
    full(&world, true);
    assert!(
        !publisher
            .deliver(message("a", "").qos(1).retained())
            .is_error()
    );
    full(&world, false);
    assert_eq!(world.retained("a"), None);
}

/// Publishes a retained message and gives the answer.
fn retain(peer: &mut RawPeer, topic: &str, payload: &[u8]) -> ReasonCode {
    peer.send(&Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: Some(Topic::parse(topic).expect("a topic")),
        packet_id: PacketId::new(1),
        properties: Properties::EMPTY,
        payload,
    }));
    peer.receive(|packet| match packet {
        Packet::PubAck(ack) => ack.reason,
        other => panic!("expected PUBACK, got {other:?}"),
    })
}

#[test]
fn the_program_keeps_to_its_memory_limit() {
    const MIB: usize = 1024 * 1024;
    let port = free_port();
    let conf = format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nmemory_limit {}\n",
        20 * MIB
    );
    let folder = Folder::with("test.conf", conf);
    let broker = folder.start(&["-c", "test.conf"]);
    // The line that names the user has the word, too.
    broker.wait_for(concat!(env!("CARGO_PKG_VERSION"), " running"));
    let address = (Ipv4Addr::LOCALHOST, port).into();
    let mut peer = RawPeer::connect(address, Version::V5, "p");
    let payload = vec![b'x'; MIB];
    let taken = (0..40)
        .take_while(|number| !retain(&mut peer, &format!("a/{number}"), &payload).is_error())
        .count();
    assert!((10..=20).contains(&taken), "{taken} messages of 1 MiB");
    broker.wait_for("memory_limit is 20971520");
    assert_eq!(retain(&mut peer, "b", b"x"), ReasonCode::QuotaExceeded);
    for number in 0..taken {
        assert!(!retain(&mut peer, &format!("a/{number}"), b"").is_error());
    }
    broker.wait_for("nothing is refused any more");
    assert!(!retain(&mut peer, "b", b"x").is_error());
    RawPeer::connect(address, Version::V4, "new");
}
