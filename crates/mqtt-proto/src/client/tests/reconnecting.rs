//! What a session sends again over the next connection.

use super::*;

#[test]
fn a_present_session_gets_the_same_packets_again_in_order() {
    let mut bench = Bench::durable(Version::V4);
    bench.publish(1, 1, "a").unwrap();
    bench.publish(2, 2, "b").unwrap();
    bench.publish(3, 2, "c").unwrap();
    bench.receive(&[0x50, 2, 0, 2]);
    assert_eq!(bench.reconnect(V4_CONNACK_PRESENT), ["connected true []"]);
    bench.expect(&[
        &[0x3a, 6, 0, 1, b't', 0, 1, b'a'],
        &[0x62, 2, 0, 2],
        &[0x3c, 6, 0, 1, b't', 0, 3, b'c'],
    ]);
    bench.publish(4, 1, "d").unwrap();
    bench.expect(&[&[0x32, 6, 0, 1, b't', 0, 4, b'd']]);
    let events = bench.receive(&[
        0x40, 2, 0, 1, 0x70, 2, 0, 2, 0x50, 2, 0, 3, 0x70, 2, 0, 3, 0x40, 2, 0, 4,
    ]);
    assert_eq!(
        events,
        [
            "published 1 0x0",
            "published 2 0x0",
            "nothing",
            "published 3 0x0",
            "published 4 0x0"
        ]
    );
}

#[test]
fn a_forgotten_session_gets_the_messages_as_new_ones() {
    let mut bench = Bench::durable(Version::V4);
    bench.publish(1, 1, "a").unwrap();
    bench.publish(2, 2, "b").unwrap();
    bench.publish(3, 2, "c").unwrap();
    bench.receive(&[0x50, 2, 0, 2]);
    let events = bench.reconnect(V4_CONNACK);
    assert_eq!(
        events,
        ["connected false [Abandoned { tag: 2, cause: SessionLost }]"]
    );
    bench.expect(&[
        &[0x32, 6, 0, 1, b't', 0, 4, b'a'],
        &[0x34, 6, 0, 1, b't', 0, 5, b'c'],
    ]);
    assert_eq!(bench.session.unconfirmed().collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn messages_given_without_a_connection_wait_for_it() {
    let mut bench = Bench::durable(Version::V4);
    bench.session.connection_lost();
    bench.publish(1, 1, "a").unwrap();
    bench.publish(2, 1, "b").unwrap();
    bench.expect(&[]);
    bench.connect();
    bench.receive(V4_CONNACK_PRESENT);
    bench.expect(&[
        &[0x32, 6, 0, 1, b't', 0, 1, b'a'],
        &[0x32, 6, 0, 1, b't', 0, 2, b'b'],
    ]);
}

#[test]
fn a_smaller_receive_maximum_spreads_what_is_sent_again() {
    let mut bench = Bench::durable(Version::V5);
    for tag in 1..=3 {
        bench.publish(tag, 1, "x").unwrap();
    }
    bench.reconnect(&[0x20, 6, 1, 0, 3, 0x21, 0, 1]);
    bench.expect(&[&[0x3a, 7, 0, 1, b't', 0, 1, 0, b'x']]);
    bench.receive(&[0x40, 2, 0, 1]);
    bench.expect(&[&[0x3a, 7, 0, 1, b't', 0, 2, 0, b'x']]);
    bench.receive(&[0x40, 2, 0, 2]);
    bench.expect(&[&[0x3a, 7, 0, 1, b't', 0, 3, 0, b'x']]);
}

#[test]
fn a_server_that_takes_less_than_the_one_before_abandons_what_it_refuses() {
    let mut bench = Bench::durable(Version::V5);
    bench.publish(1, 2, "x").unwrap();
    let events = bench.reconnect(&[0x20, 5, 0, 0, 2, 0x24, 1]);
    assert_eq!(
        events,
        [
            "connected false [Abandoned { tag: 1, cause: Unpublishable(QoSNotSupported(AtLeastOnce)) }]"
        ]
    );
    bench.expect(&[]);
}
