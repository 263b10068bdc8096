//! The six base functions of MQTT, with our broker and our clients.

use crate::clients::{Clients, check_durable, check_exchange, check_retained, check_will, lines};
use mqtt_proto::{
    Ack, Connect, Packet, PacketId, Properties, PropertiesBuf, Property, Publish, QoS, Topic,
    Version, Will,
};
use mqtt_testkit::broker::BrokerProcess;
use mqtt_testkit::peer::RawPeer;
use std::time::{Duration, Instant};

const VERSIONS: [Version; 3] = [Version::V3, Version::V4, Version::V5];

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn message<'a>(topic: &'a str, payload: &'a [u8], qos: QoS, number: u16) -> Publish<'a> {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: Some(Topic::parse(topic).unwrap()),
        packet_id: (qos != QoS::AtMostOnce).then(|| id(number)),
        properties: Properties::EMPTY,
        payload,
    }
}

fn session_that_lasts() -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    properties
        .push(Property::SessionExpiryInterval(600))
        .unwrap();
    properties
}

/// A CONNECT whose session outlives its connection.
fn durable<'a>(version: Version, client_id: &'a str, lasting: &'a PropertiesBuf) -> Connect<'a> {
    Connect {
        clean_start: false,
        properties: if version.is_v5() {
            lasting.view()
        } else {
            Properties::EMPTY
        },
        ..RawPeer::hello(version, client_id)
    }
}

#[test]
fn one_every_subscriber_gets_each_message_once() {
    let (broker, clients) = (BrokerProcess::open(), Clients::ours());
    let subscribers: Vec<_> = (0..5)
        .map(|n| clients.subscribe(&broker, &format!("sub{n}"), "-t news -C 4"))
        .collect();
    for text in ["one", "two", "three", "end"] {
        clients.publish(&broker, &format!("-t news -m {text}"));
    }
    for subscriber in subscribers {
        assert_eq!(lines(subscriber), ["one", "two", "three", "end"]);
    }
    check_exchange(&broker, &clients);
}

#[test]
fn two_filters_take_the_topics_that_the_standard_says() {
    const TOPICS: [&str; 10] = [
        "a",
        "a/b",
        "a/b/c",
        "/a",
        "a/",
        "a//b",
        "$lab/a",
        "αίθουσα/ένα",
        "A",
        "b",
    ];
    const FILTERS: [(&str, &[&str]); 12] = [
        ("a", &["a"]),
        ("a/#", &["a", "a/b", "a/b/c", "a/", "a//b"]),
        ("a/+", &["a/b", "a/"]),
        ("a/+/#", &["a/b", "a/b/c", "a/", "a//b"]),
        ("+/+", &["a/b", "/a", "a/", "αίθουσα/ένα"]),
        ("+", &["a", "A", "b"]),
        ("/+", &["/a"]),
        ("a//b", &["a//b"]),
        ("a/+/b", &["a//b"]),
        ("$lab/#", &["$lab/a"]),
        ("+/a", &["/a"]),
        (
            "#",
            &[
                "a",
                "a/b",
                "a/b/c",
                "/a",
                "a/",
                "a//b",
                "αίθουσα/ένα",
                "A",
                "b",
            ],
        ),
    ];
    let (broker, clients) = (BrokerProcess::open(), Clients::ours());
    let subscribers: Vec<_> = FILTERS
        .iter()
        .enumerate()
        .map(|(n, (filter, expected))| {
            // What "#" takes anyway must not be counted twice.
            let end = if *filter == "#" { "" } else { "-t end/of/it" };
            let count = expected.len() + 1;
            let line = format!("-t {filter} {end} -C {count} -v");
            clients.subscribe(&broker, &format!("sub{n}"), &line)
        })
        .collect();
    let mut peer = RawPeer::connect(broker.address(), Version::V4, "publisher");
    for topic in TOPICS.into_iter().chain(["end/of/it"]) {
        peer.publish(topic, b"x", QoS::AtLeastOnce, false);
    }
    for (subscriber, (filter, expected)) in subscribers.into_iter().zip(FILTERS) {
        let expected: Vec<String> = expected
            .iter()
            .chain(&["end/of/it"])
            .map(|topic| format!("{topic} x"))
            .collect();
        assert_eq!(lines(subscriber), expected, "{filter}");
    }
}

#[test]
fn three_a_message_is_delivered_with_the_lower_qos_of_both_ends() {
    let broker = BrokerProcess::open();
    for version in VERSIONS {
        for granted in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut subscriber = RawPeer::connect(broker.address(), version, "sub");
            subscriber.subscribe("t", granted);
            let mut publisher = RawPeer::connect(broker.address(), version, "pub");
            for sent in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                publisher.publish("t", b"x", sent, false);
                let packet_id = subscriber.receive(|packet| match packet {
                    Packet::Publish(publish) => {
                        assert_eq!(publish.qos, sent.min(granted), "{sent} to {granted}");
                        publish.packet_id
                    }
                    other => panic!("expected PUBLISH, got {other:?}"),
                });
                match packet_id.map(Ack::success) {
                    None => {}
                    Some(ack) if sent.min(granted) == QoS::AtLeastOnce => {
                        subscriber.send(&Packet::PubAck(ack));
                    }
                    Some(ack) => {
                        subscriber.send(&Packet::PubRec(ack));
                        subscriber.expect(&Packet::PubRel(ack));
                        subscriber.send(&Packet::PubComp(ack));
                    }
                }
            }
            subscriber.expect_nothing();
        }
    }
}

#[test]
fn three_qos_1_comes_again_after_the_link_was_cut() {
    let broker = BrokerProcess::open();
    let lasting = session_that_lasts();
    for version in VERSIONS {
        let connect = durable(version, "at-least-once", &lasting);
        let (mut subscriber, present) = RawPeer::connect_with(broker.address(), &connect);
        assert!(!present);
        subscriber.subscribe("t", QoS::AtLeastOnce);
        let mut publisher = RawPeer::connect(broker.address(), version, "pub");
        publisher.publish("t", b"first", QoS::AtLeastOnce, false);
        let first = message("t", b"first", QoS::AtLeastOnce, 1);
        subscriber.expect(&Packet::Publish(first));
        drop(subscriber); // without PUBACK

        publisher.publish("t", b"second", QoS::AtLeastOnce, false);
        let (mut subscriber, present) = RawPeer::connect_with(broker.address(), &connect);
        // 3.1 has no bit to say it with.
        assert_eq!(present, version != Version::V3);
        subscriber.expect(&Packet::Publish(Publish { dup: true, ..first }));
        subscriber.send(&Packet::PubAck(Ack::success(id(1))));
        let second = message("t", b"second", QoS::AtLeastOnce, 2);
        subscriber.receive(|packet| match packet {
            // It was sent into the cut link, too, if the broker had not noticed yet.
            Packet::Publish(publish) => assert_eq!(
                publish,
                Publish {
                    dup: publish.dup,
                    ..second
                }
            ),
            other => panic!("expected PUBLISH, got {other:?}"),
        });
        subscriber.send(&Packet::PubAck(Ack::success(id(2))));
        subscriber.expect_nothing();
        forget(&broker, version, "at-least-once");
    }
}

#[test]
fn three_qos_2_comes_once_though_the_publishers_link_was_cut() {
    let broker = BrokerProcess::open();
    let lasting = session_that_lasts();
    for version in VERSIONS {
        let mut subscriber = RawPeer::connect(broker.address(), version, "sub");
        subscriber.subscribe("t", QoS::AtMostOnce);
        let connect = durable(version, "exactly-once", &lasting);
        let (mut publisher, _) = RawPeer::connect_with(broker.address(), &connect);
        let publish = message("t", b"once", QoS::ExactlyOnce, 7);
        publisher.send(&Packet::Publish(publish));
        publisher.receive(|packet| assert!(matches!(packet, Packet::PubRec(_)), "{packet:?}"));
        drop(publisher); // as if PUBREC had been lost

        let (mut publisher, _) = RawPeer::connect_with(broker.address(), &connect);
        publisher.send(&Packet::Publish(Publish {
            dup: true,
            ..publish
        }));
        publisher.receive(|packet| assert!(matches!(packet, Packet::PubRec(_)), "{packet:?}"));
        publisher.send(&Packet::PubRel(Ack::success(id(7))));
        publisher.expect(&Packet::PubComp(Ack::success(id(7))));

        let got = message("t", b"once", QoS::AtMostOnce, 0);
        subscriber.expect(&Packet::Publish(got));
        subscriber.expect_nothing();
        forget(&broker, version, "exactly-once");
    }
}

#[test]
fn three_qos_2_goes_on_where_the_subscribers_link_was_cut() {
    let broker = BrokerProcess::open();
    let lasting = session_that_lasts();
    for version in VERSIONS {
        let connect = durable(version, "exactly-once", &lasting);
        let (mut subscriber, _) = RawPeer::connect_with(broker.address(), &connect);
        subscriber.subscribe("t", QoS::ExactlyOnce);
        let mut publisher = RawPeer::connect(broker.address(), version, "pub");
        publisher.publish("t", b"once", QoS::ExactlyOnce, false);
        let publish = message("t", b"once", QoS::ExactlyOnce, 1);
        subscriber.expect(&Packet::Publish(publish));
        drop(subscriber); // before PUBREC: the message comes again

        let (mut subscriber, _) = RawPeer::connect_with(broker.address(), &connect);
        subscriber.expect(&Packet::Publish(Publish {
            dup: true,
            ..publish
        }));
        subscriber.send(&Packet::PubRec(Ack::success(id(1))));
        subscriber.expect(&Packet::PubRel(Ack::success(id(1))));
        drop(subscriber); // before PUBCOMP: only PUBREL comes again

        let (mut subscriber, _) = RawPeer::connect_with(broker.address(), &connect);
        subscriber.expect(&Packet::PubRel(Ack::success(id(1))));
        subscriber.send(&Packet::PubComp(Ack::success(id(1))));
        subscriber.expect_nothing();
        forget(&broker, version, "exactly-once");
    }
}

/// Ends a session, so that the next version begins with a new one.
fn forget(broker: &BrokerProcess, version: Version, client_id: &str) {
    RawPeer::connect(broker.address(), version, client_id).disconnect();
}

#[test]
fn four_a_retained_message_is_marked_for_new_subscribers_only() {
    let (broker, clients) = (BrokerProcess::open(), Clients::ours());
    for version in VERSIONS {
        let mut early = RawPeer::connect(broker.address(), version, "early");
        early.subscribe("state", QoS::AtMostOnce);
        let mut publisher = RawPeer::connect(broker.address(), version, "pub");
        publisher.publish("state", b"on", QoS::AtLeastOnce, true);
        let live = message("state", b"on", QoS::AtMostOnce, 0);
        early.expect(&Packet::Publish(live));

        let mut late = RawPeer::connect(broker.address(), version, "late");
        late.subscribe("state", QoS::AtMostOnce);
        late.expect(&Packet::Publish(Publish {
            retain: true,
            ..live
        }));
        publisher.publish("state", b"", QoS::AtLeastOnce, true);
        late.expect(&Packet::Publish(Publish {
            payload: b"",
            ..live
        }));
        let mut later = RawPeer::connect(broker.address(), version, "later");
        later.subscribe("state", QoS::AtMostOnce);
        later.expect_nothing();
    }
    check_retained(&broker, &clients);
}

#[test]
fn five_a_durable_session_is_there_and_a_clean_one_is_not() {
    let (broker, clients) = (BrokerProcess::open(), Clients::ours());
    let lasting = session_that_lasts();
    check_durable(&broker, &clients);
    for version in [Version::V4, Version::V5] {
        let connect = durable(version, "owner", &lasting);
        let (first, present) = RawPeer::connect_with(broker.address(), &connect);
        assert!(!present, "{version:?}: nothing was kept yet");
        first.disconnect();
        let (second, present) = RawPeer::connect_with(broker.address(), &connect);
        assert!(present, "{version:?}: the session was to be kept");
        second.disconnect();
        forget(&broker, version, "owner");
        let (_, present) = RawPeer::connect_with(broker.address(), &connect);
        assert!(!present, "{version:?}: a clean start ends it");
        forget(&broker, version, "owner");
    }
    // Version 5 without an expiry interval: the session ends with its connection.
    let connect = Connect {
        clean_start: false,
        ..RawPeer::hello(Version::V5, "owner")
    };
    for _ in 0..2 {
        let (peer, present) = RawPeer::connect_with(broker.address(), &connect);
        assert!(!present);
        peer.disconnect();
    }
}

#[test]
fn six_a_will_is_published_when_its_owner_is_cut_off() {
    let (broker, clients) = (BrokerProcess::open(), Clients::ours());
    check_will(&broker, &clients);
    for version in VERSIONS {
        let connect = Connect {
            will: Some(Will {
                qos: QoS::AtLeastOnce,
                retain: true,
                topic: Topic::parse("state").unwrap(),
                payload: "εκτός".as_bytes(),
                properties: Properties::EMPTY,
            }),
            ..RawPeer::hello(version, "owner")
        };
        let (owner, _) = RawPeer::connect_with(broker.address(), &connect);
        let mut watcher = RawPeer::connect(broker.address(), version, "watcher");
        watcher.subscribe("state", QoS::AtMostOnce);
        drop(owner);
        let live = message("state", "εκτός".as_bytes(), QoS::AtMostOnce, 0);
        watcher.expect(&Packet::Publish(live));
        let mut late = RawPeer::connect(broker.address(), version, "late");
        late.subscribe("state", QoS::AtMostOnce);
        late.expect(&Packet::Publish(Publish {
            retain: true,
            ..live
        }));
        let mut tidy = RawPeer::connect(broker.address(), version, "tidy");
        tidy.publish("state", b"", QoS::AtLeastOnce, true);
    }
}

#[test]
fn six_a_will_waits_as_long_as_its_delay_says() {
    let broker = BrokerProcess::open();
    let mut delay = PropertiesBuf::new();
    delay.push(Property::WillDelayInterval(1)).unwrap();
    let lasting = session_that_lasts();
    let connect = Connect {
        will: Some(Will {
            qos: QoS::AtMostOnce,
            retain: false,
            topic: Topic::parse("state").unwrap(),
            payload: b"gone",
            properties: delay.view(),
        }),
        ..durable(Version::V5, "owner", &lasting)
    };
    let mut watcher = RawPeer::connect(broker.address(), Version::V5, "watcher");
    watcher.subscribe("state", QoS::AtMostOnce);
    // Whoever is back before the delay has passed has no will published.
    let (owner, _) = RawPeer::connect_with(broker.address(), &connect);
    drop(owner);
    let (owner, present) = RawPeer::connect_with(broker.address(), &connect);
    assert!(present);
    let cut = Instant::now();
    drop(owner);
    watcher.expect(&Packet::Publish(message(
        "state",
        b"gone",
        QoS::AtMostOnce,
        0,
    )));
    // The broker may count in whole seconds of its own clock.
    assert!(
        cut.elapsed() > Duration::from_millis(900),
        "after {:?} already",
        cut.elapsed()
    );
    watcher.expect_nothing();
}
