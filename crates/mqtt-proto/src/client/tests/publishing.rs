//! Our messages: what each QoS sends, what holds them back, and how they end.

use super::*;

#[test]
fn qos_0_is_for_now_or_never() {
    let mut bench = Bench::durable(Version::V4);
    bench.publish(1, 0, "x").unwrap();
    bench.expect(&[&[0x30, 4, 0, 1, b't', b'x']]);
    bench.session.connection_lost();
    assert_eq!(bench.publish(2, 0, "y"), Err(PublishError::NotConnected));
    assert!(bench.session.is_idle());
}

#[test]
fn qos_1_ends_with_its_puback() {
    let mut bench = Bench::durable(Version::V4);
    bench.publish(7, 1, "x").unwrap();
    bench.expect(&[&[0x32, 6, 0, 1, b't', 0, 1, b'x']]);
    assert!(!bench.session.is_idle());
    assert_eq!(bench.receive(&[0x40, 2, 0, 1]), ["published 7 0x0"]);
    assert!(bench.session.is_idle());
}

#[test]
fn qos_2_ends_with_its_pubcomp() {
    let mut bench = Bench::durable(Version::V4);
    bench.publish(7, 2, "x").unwrap();
    bench.expect(&[&[0x34, 6, 0, 1, b't', 0, 1, b'x']]);
    assert_eq!(bench.receive(&[0x50, 2, 0, 1]), ["nothing"]);
    bench.expect(&[&[0x62, 2, 0, 1]]);
    assert_eq!(bench.session.unconfirmed().collect::<Vec<_>>(), [7]);
    assert_eq!(bench.receive(&[0x70, 2, 0, 1]), ["published 7 0x0"]);
}

#[test]
fn a_refused_message_ends_with_its_reason() {
    let mut bench = Bench::durable(Version::V5);
    bench.publish(1, 1, "x").unwrap();
    bench.publish(2, 2, "y").unwrap();
    bench.out.clear();
    assert_eq!(
        bench.receive(&[0x40, 3, 0, 1, 0x87, 0x50, 3, 0, 2, 0x97]),
        ["published 1 0x87", "published 2 0x97"]
    );
    bench.expect(&[]);
    assert!(bench.session.is_idle());
}

#[test]
fn the_receive_maximum_holds_messages_back_in_order() {
    let mut bench = Bench::new(Options::new(Version::V5));
    bench.connect();
    bench.receive(&[0x20, 6, 0, 0, 3, 0x21, 0, 2]);
    for tag in 1..=4 {
        bench.publish(tag, 1, "x").unwrap();
    }
    assert_eq!(bench.session.waiting(), 2);
    bench.expect(&[
        &[0x32, 7, 0, 1, b't', 0, 1, 0, b'x'],
        &[0x32, 7, 0, 1, b't', 0, 2, 0, b'x'],
    ]);
    bench.receive(&[0x40, 2, 0, 2]);
    bench.expect(&[&[0x32, 7, 0, 1, b't', 0, 3, 0, b'x']]);
    assert_eq!(bench.session.unconfirmed().collect::<Vec<_>>(), [1, 3, 4]);
}

#[test]
fn our_own_maximum_in_flight_holds_back_too() {
    let mut options = Options::new(Version::V4);
    options.max_in_flight = 1;
    let mut bench = Bench::new(options);
    bench.connect();
    bench.receive(V4_CONNACK);
    bench.publish(1, 1, "x").unwrap();
    bench.publish(2, 1, "y").unwrap();
    bench.expect(&[&[0x32, 6, 0, 1, b't', 0, 1, b'x']]);
}

#[test]
fn what_the_server_does_not_take_is_an_error_at_once() {
    let mut bench = Bench::new(Options::new(Version::V5));
    bench.connect();
    // maximum QoS 1, retain not available, maximum packet size 20
    bench.receive(&[0x20, 12, 0, 0, 9, 0x24, 1, 0x25, 0, 0x27, 0, 0, 0, 20]);
    assert_eq!(
        bench.publish(1, 2, "x"),
        Err(PublishError::QoSNotSupported(QoS::AtLeastOnce))
    );
    for qos in 0..=1 {
        let long = bench.publish(1, qos, "this is too much");
        assert!(
            matches!(long, Err(PublishError::TooLarge { limit: 20, .. })),
            "got {long:?}"
        );
        let retained = Publish {
            retain: true,
            ..message(qos, "x")
        };
        let refused = bench.session.publish(1, &retained, 0, &mut bench.out);
        assert_eq!(refused, Err(PublishError::RetainNotSupported));
    }
    bench.expect(&[]);
}

#[test]
fn acknowledgements_of_nothing_change_nothing() {
    let mut bench = Bench::durable(Version::V4);
    let events = bench.receive(&[0x40, 2, 0, 9, 0x70, 2, 0, 9, 0x50, 2, 0, 9, 0x62, 2, 0, 9]);
    assert_eq!(
        events,
        [
            "unknown PUBACK 9",
            "unknown PUBCOMP 9",
            "unknown PUBREC 9",
            "unknown PUBREL 9"
        ]
    );
    // The two middle steps are still answered, or the server could never end them.
    bench.expect(&[&[0x62, 2, 0, 9], &[0x70, 2, 0, 9]]);
}

#[test]
fn an_acknowledgement_of_the_wrong_kind_is_a_violation() {
    for wrong in [[0x40, 2, 0, 1], [0x70, 2, 0, 1]] {
        let mut bench = Bench::durable(Version::V4);
        bench.publish(1, 2, "x").unwrap();
        assert_eq!(bench.receive(&wrong), ["violation 0x82"]);
    }
    let mut bench = Bench::durable(Version::V4);
    bench
        .session
        .subscribe(filters(&["a"]), Properties::EMPTY, 0, &mut bench.out)
        .unwrap();
    assert_eq!(bench.receive(&[0x40, 2, 0, 1]), ["violation 0x82"]);
}

#[test]
fn a_topic_alias_beyond_the_servers_highest_is_an_error_at_once() {
    for (connack, limit) in [
        (&[0x20, 3, 0, 0, 0][..], 0),
        (&[0x20, 6, 0, 0, 3, 0x22, 0, 3], 3),
    ] {
        for qos in 0..=1 {
            let mut bench = Bench::new(Options::new(Version::V5));
            bench.connect();
            bench.receive(connack);
            let mut properties = PropertiesBuf::new();
            properties.push(crate::Property::TopicAlias(4)).unwrap();
            let publish = Publish {
                properties: properties.view(),
                ..message(qos, "x")
            };
            assert_eq!(
                bench.session.publish(1, &publish, 0, &mut bench.out),
                Err(PublishError::TopicAlias { alias: 4, limit })
            );
            bench.expect(&[]);
        }
    }
}

#[test]
fn a_window_that_widens_lets_more_leave() {
    let mut bench = Bench::durable(Version::V4);
    bench.session.set_max_in_flight(1);
    bench.publish(1, 1, "a").unwrap();
    assert!(!bench.session.has_room());
    bench.session.set_max_in_flight(2);
    assert!(bench.session.has_room());
    bench.publish(2, 1, "b").unwrap();
    assert!(!bench.session.has_room());
}
