//! A conversation over real brokers: ours and Mosquitto's, both versions.

use mqtt_proto::{Packet, Publish, QoS, Version};
use mqtt_testkit::broker::{BrokerProcess, OPEN};
use mqtt_testkit::peer::RawPeer;

use crate::*;

#[test]
fn questions_are_answered_over_our_broker() {
    converse(&BrokerProcess::open());
}

#[test]
fn questions_are_answered_over_mosquitto() {
    if let Some(broker) = BrokerProcess::mosquitto(OPEN) {
        converse(&broker);
    }
}

fn converse(broker: &BrokerProcess) {
    for (version, name) in [(Version::V5, "5"), (Version::V4, "311")] {
        let mut responder = RawPeer::connect(broker.address(), version, "responder");
        responder.subscribe("ask/#", QoS::AtMostOnce);
        let target = broker.target();
        let line = format!("-V {name} -t ask/μ -e answers -m question --repeat 5");
        let program = start_with(
            target
                .iter()
                .map(String::as_str)
                .chain(line.split_whitespace()),
        );
        for _ in 0..5 {
            answer(&mut responder);
        }
        expect_output(&program.finish(), &"question\n".repeat(5));
        responder.disconnect();
    }
}

/// Sends the next request back to where it asks for.
fn answer(responder: &mut RawPeer) {
    let (topic, properties, payload) = responder.receive(|packet| match packet {
        Packet::Publish(request) => {
            let mut properties = mqtt_proto::PropertiesBuf::new();
            if let Some(data) = request.properties.correlation_data() {
                let data = mqtt_proto::Property::CorrelationData(data);
                properties.push(data).expect("it came in a packet");
            }
            let topic = request.properties.response_topic();
            let topic = topic.map_or("answers", mqtt_proto::Topic::as_str);
            (topic.to_owned(), properties, request.payload.to_vec())
        }
        other => panic!("expected a request, got {other:?}"),
    });
    responder.send(&Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: Some(mqtt_proto::Topic::parse(&topic).expect("it came in a packet")),
        packet_id: None,
        properties: properties.view(),
        payload: &payload,
    }));
}
