//! The server's messages: acknowledged, passed on once, and refused where they break the rules.

use super::*;

#[test]
fn qos_1_is_acknowledged_and_qos_0_is_not() {
    let mut bench = Bench::durable(Version::V4);
    let events = bench.receive(&[0x30, 4, 0, 1, b't', b'0', 0x32, 6, 0, 1, b't', 0, 9, b'1']);
    assert_eq!(events, ["message 0", "message 1"]);
    bench.expect(&[&[0x40, 2, 0, 9]]);
}

#[test]
fn qos_2_is_passed_on_once_whatever_is_repeated() {
    let mut bench = Bench::durable(Version::V4);
    let publish = [0x34, 6, 0, 1, b't', 0, 9, b'2'];
    let again = [0x3c, 6, 0, 1, b't', 0, 9, b'2'];
    assert_eq!(bench.receive(&publish), ["nothing"]);
    assert_eq!(bench.receive(&again), ["nothing"]);
    bench.expect(&[&[0x50, 2, 0, 9], &[0x50, 2, 0, 9]]);
    assert_eq!(bench.reconnect(V4_CONNACK_PRESENT), ["connected true []"]);
    assert_eq!(bench.receive(&again), ["nothing"]);
    assert_eq!(bench.receive(&[0x62, 2, 0, 9]), ["released 2"]);
    assert_eq!(bench.receive(&[0x62, 2, 0, 9]), ["unknown PUBREL 9"]);
    bench.expect(&[&[0x50, 2, 0, 9], &[0x70, 2, 0, 9], &[0x70, 2, 0, 9]]);
    // The identifier is free again, for another message.
    bench.receive(&publish);
    assert_eq!(bench.receive(&[0x62, 2, 0, 9]), ["released 2"]);
}

#[test]
fn a_topic_alias_that_was_not_allowed_is_a_violation() {
    let mut bench = Bench::durable(Version::V5);
    assert_eq!(
        bench.receive(&[0x30, 7, 0, 1, b't', 3, 0x23, 0, 1]),
        ["violation 0x94"]
    );
    bench.expect(&[&[0xe0, 1, 0x94]]);
}

#[test]
fn an_allowed_topic_alias_stands_for_its_topic_until_the_connection_ends() {
    let mut options = Options::new(Version::V5);
    options
        .properties
        .push(crate::Property::TopicAliasMaximum(2))
        .unwrap();
    let mut bench = Bench::new(options);
    bench.connect();
    bench.receive(&[0x20, 3, 0, 0, 0]);
    let named = [0x30, 8, 0, 1, b't', 3, 0x23, 0, 2, b'0'];
    let alias_only = [0x32, 9, 0, 0, 0, 9, 3, 0x23, 0, 2, b'1'];
    assert_eq!(bench.receive(&named), ["message 0"]);
    assert_eq!(bench.receive(&alias_only), ["released 1"]);
    bench.expect(&[&[0x40, 2, 0, 9]]);
    let exactly_once = [0x34, 9, 0, 0, 0, 8, 3, 0x23, 0, 2, b'2'];
    assert_eq!(bench.receive(&exactly_once), ["nothing"]);
    let (packet, _) = decode(&[0x62, 2, 0, 8], Version::V5, MAX_PACKET_SIZE)
        .unwrap()
        .unwrap();
    match bench.session.handle(&packet, 0, &mut bench.out).unwrap() {
        Event::Released(message) => assert_eq!(message.publish().topic.unwrap().as_str(), "t"),
        other => panic!("got {other:?}"),
    }
    assert_eq!(bench.reconnect(&[0x20, 3, 0, 0, 0]), ["connected false []"]);
    assert_eq!(bench.receive(&alias_only), ["violation 0x82"]);
}

#[test]
fn packets_that_only_clients_send_are_violations() {
    for packet in [Packet::PingReq, Packet::Connect(connect())] {
        let mut bench = Bench::durable(Version::V4);
        let handled = bench.session.handle(&packet, 0, &mut bench.out);
        assert_eq!(handled.unwrap_err().reason, ReasonCode::ProtocolError);
    }
}

fn connect() -> Connect<'static> {
    Connect {
        version: Version::V4,
        clean_start: true,
        keep_alive: 0,
        client_id: "",
        will: None,
        username: None,
        password: None,
        properties: Properties::EMPTY,
    }
}
