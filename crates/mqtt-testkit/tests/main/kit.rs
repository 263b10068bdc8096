//! The kit itself: what it starts, and that its peer speaks as it should.

use mqtt_proto::{QoS, Version};
use mqtt_testkit::broker::{BrokerProcess, OPEN};
use mqtt_testkit::peer::RawPeer;

fn check_peer(broker: &BrokerProcess) {
    for version in [Version::V3, Version::V4, Version::V5] {
        let mut peer = RawPeer::connect(broker.address(), version, "peer");
        peer.subscribe("a/#", QoS::ExactlyOnce);
        peer.expect_nothing();
        let mut other = RawPeer::connect(broker.address(), version, "other");
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            other.publish("b", b"nobody", qos, false);
        }
        other.disconnect();
        peer.expect_nothing();
        peer.send_bytes(&[0xC0, 0]);
        peer.expect_bytes(&[0xD0, 0]);
        peer.disconnect();
    }
}

#[test]
fn a_raw_peer_speaks_with_our_broker() {
    check_peer(&BrokerProcess::open());
}

#[test]
fn a_raw_peer_speaks_with_mosquitto() {
    if let Some(broker) = BrokerProcess::mosquitto(OPEN) {
        check_peer(&broker);
    }
}
