//! Subscriptions: asked for once, renewed when the server has forgotten them.

use super::*;

#[test]
fn a_subscription_made_before_connecting_follows_connack() {
    let mut bench = Bench::new(Options::new(Version::V4));
    bench
        .session
        .subscribe(filters(&["a", "b/#"]), Properties::EMPTY, 0, &mut bench.out)
        .unwrap();
    bench
        .session
        .unsubscribe(
            vec![Filter::parse("c").unwrap().into()],
            Properties::EMPTY,
            0,
            &mut bench.out,
        )
        .unwrap();
    bench.connect();
    bench.receive(V4_CONNACK);
    bench.expect(&[
        b"\x82\x0c\0\x01\0\x01a\0\0\x03b/#\0",
        b"\xa2\x05\0\x02\0\x01c",
    ]);
    assert_eq!(
        bench.receive(&[0x90, 4, 0, 1, 0, 0x80]),
        ["subscribed 1 [0, 128]"]
    );
    assert_eq!(bench.receive(&[0xb0, 2, 0, 2]), ["unsubscribed 2"]);
    assert_eq!(bench.receive(&[0x90, 3, 0, 1, 0]), ["unknown SUBACK 1"]);
}

#[test]
fn subscriptions_are_renewed_exactly_when_the_server_has_forgotten_them() {
    let mut bench = Bench::durable(Version::V4);
    bench
        .session
        .subscribe(filters(&["a"]), Properties::EMPTY, 0, &mut bench.out)
        .unwrap();
    bench.out.clear();
    // Not confirmed yet: again, whatever the server kept.
    bench.reconnect(V4_CONNACK_PRESENT);
    bench.expect(&[b"\x82\x06\0\x02\0\x01a\0"]);
    assert_eq!(bench.receive(&[0x90, 3, 0, 2, 0]), ["subscribed 2 [0]"]);
    bench.reconnect(V4_CONNACK_PRESENT);
    bench.expect(&[]);
    bench.reconnect(V4_CONNACK);
    bench.expect(&[b"\x82\x06\0\x03\0\x01a\0"]);
}

#[test]
fn an_unsubscribed_filter_is_not_renewed() {
    let mut bench = Bench::durable(Version::V4);
    bench
        .session
        .subscribe(filters(&["a", "b"]), Properties::EMPTY, 0, &mut bench.out)
        .unwrap();
    bench.receive(&[0x90, 4, 0, 1, 0, 0]);
    bench
        .session
        .unsubscribe(
            vec![Filter::parse("a").unwrap().into()],
            Properties::EMPTY,
            0,
            &mut bench.out,
        )
        .unwrap();
    bench.receive(&[0xb0, 2, 0, 2]);
    bench.out.clear();
    bench.reconnect(V4_CONNACK);
    bench.expect(&[b"\x82\x06\0\x03\0\x01b\0"]);
}

#[test]
fn a_suback_for_another_number_of_filters_is_a_violation() {
    let mut bench = Bench::durable(Version::V4);
    bench
        .session
        .subscribe(filters(&["a"]), Properties::EMPTY, 0, &mut bench.out)
        .unwrap();
    assert_eq!(bench.receive(&[0x90, 4, 0, 1, 0, 0]), ["violation 0x82"]);
}

#[test]
fn requests_do_not_count_against_the_receive_maximum() {
    let mut bench = Bench::new(Options::new(Version::V5));
    bench
        .session
        .subscribe(filters(&["a"]), Properties::EMPTY, 0, &mut bench.out)
        .unwrap();
    bench.connect();
    bench.receive(&[0x20, 6, 0, 0, 3, 0x21, 0, 1]);
    bench.out.clear();
    bench.publish(1, 1, "x").unwrap();
    bench.publish(2, 1, "y").unwrap();
    bench.expect(&[&[0x32, 7, 0, 1, b't', 0, 2, 0, b'x']]);
}
