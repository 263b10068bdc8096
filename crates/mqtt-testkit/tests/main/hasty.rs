//! Clients that leave in a hurry: what they have said before they went counts.

use mqtt_proto::{Packet, QoS, Topic, Version, Will};
use mqtt_testkit::broker::BrokerProcess;
use mqtt_testkit::peer::RawPeer;
use rustix::process::Signal;

/// A program that ends right after its DISCONNECT resets its connection if bytes of the broker are
/// unread. The broker then fails to write to it, and must still read what it has said.
#[test]
fn a_reset_behind_a_disconnect_leaves_no_will() {
    let broker = BrokerProcess::open();
    let mut watcher = RawPeer::connect(broker.address(), Version::V5, "watcher");
    watcher.subscribe("will/#", QoS::AtMostOnce);
    for round in 0..20 {
        let id = format!("hasty-{round}");
        let topic = format!("will/{round}");
        let will = Will {
            topic: Topic::parse(&topic).expect("a topic"),
            payload: b"gone",
            qos: QoS::AtMostOnce,
            retain: false,
            properties: Default::default(),
        };
        let mut hello = RawPeer::hello(Version::V4, &id);
        hello.will = Some(will);
        let (mut hasty, _) = RawPeer::connect_with(broker.address(), &hello);
        hasty.subscribe("news", QoS::AtMostOnce);

        // The broker finds all of it at once, and has something to write before it reads.
        broker.program().signal(Signal::STOP);
        watcher.publish("news", b"for those who wait", QoS::AtMostOnce, false);
        hasty.publish("will/alive", b"said", QoS::AtMostOnce, false);
        hasty.send(&Packet::Disconnect(mqtt_proto::Disconnect {
            reason: mqtt_proto::ReasonCode::Success,
            properties: Default::default(),
        }));
        hasty.reset();
        broker.program().signal(Signal::CONT);

        let heard = watcher.receive(|packet| match packet {
            Packet::Publish(message) => message.payload.to_vec(),
            other => panic!("{other:?}"),
        });
        assert_eq!(heard, b"said", "round {round}");
    }
    watcher.expect_nothing();
}
