//! A session against raw packets: what it writes, what it says, what it keeps.

use super::*;
use crate::{Packet, decode};

const V4_CONNACK: &[u8] = &[0x20, 2, 0, 0];
const V4_CONNACK_PRESENT: &[u8] = &[0x20, 2, 1, 0];

/// A session with its clock and what it has written.
struct Bench {
    session: Session,
    out: Vec<u8>,
    now: u64,
}

impl Bench {
    fn new(options: Options) -> Bench {
        Bench {
            session: Session::new(options),
            out: Vec::new(),
            now: 0,
        }
    }

    /// A durable session, connected.
    fn durable(version: Version) -> Bench {
        let mut options = Options::new(version);
        options.client_id = "me".into();
        options.clean_start = false;
        let mut bench = Bench::new(options);
        bench.connect();
        bench.receive(if version.is_v5() {
            &[0x20, 3, 0, 0, 0]
        } else {
            V4_CONNACK
        });
        bench
    }

    fn connect(&mut self) {
        self.session.connect(self.now, &mut self.out).unwrap();
        self.out.clear();
    }

    /// Feeds packets; returns a short form of each event.
    fn receive(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let version = self.session.version();
            let (packet, used) = decode(bytes, version, MAX_PACKET_SIZE)
                .unwrap()
                .expect("a whole packet");
            bytes = &bytes[used..];
            match self.session.handle(&packet, self.now, &mut self.out) {
                Ok(event) => events.push(short(&event)),
                Err(violation) => events.push(format!("violation {:#x}", violation.reason.value())),
            }
        }
        events
    }

    fn publish(&mut self, tag: u64, qos: u8, payload: &str) -> Result<(), PublishError> {
        let publish = message(qos, payload);
        self.session.publish(tag, &publish, self.now, &mut self.out)
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&[u8]]) {
        assert_eq!(self.out, expected.concat(), "what was written");
        self.out.clear();
    }

    fn reconnect(&mut self, connack: &[u8]) -> Vec<String> {
        self.session.connection_lost();
        self.connect();
        self.receive(connack)
    }
}

fn message(qos: u8, payload: &str) -> Publish<'_> {
    Publish {
        dup: false,
        qos: QoS::new(qos).unwrap(),
        retain: false,
        topic: Some(Topic::parse("t").unwrap()),
        packet_id: None,
        properties: Properties::EMPTY,
        payload: payload.as_bytes(),
    }
}

fn short(event: &Event<'_>) -> String {
    match event {
        Event::Connected(c) => format!("connected {} {:?}", c.session_present, c.abandoned),
        Event::Refused { reason, .. } => format!("refused {:#x}", reason.value()),
        Event::Message(m) => format!("message {}", String::from_utf8_lossy(m.payload)),
        Event::Released(m) => format!("released {}", String::from_utf8_lossy(m.publish().payload)),
        Event::Published { tag, reason, .. } => format!("published {tag} {:#x}", reason.value()),
        Event::Subscribed { packet_id, reasons } => {
            format!(
                "subscribed {packet_id} {:?}",
                reasons.iter().map(|r| r.value()).collect::<Vec<_>>()
            )
        }
        Event::Unsubscribed { packet_id, .. } => format!("unsubscribed {packet_id}"),
        Event::Disconnected { reason, .. } => format!("disconnected {:#x}", reason.value()),
        Event::UnknownId { packet, packet_id } => format!("unknown {} {packet_id}", packet.name()),
        Event::Nothing => "nothing".into(),
    }
}

fn filters(names: &[&str]) -> Vec<(Box<Filter>, SubscriptionOptions)> {
    names
        .iter()
        .map(|n| {
            (
                Filter::parse(n).unwrap().into(),
                SubscriptionOptions::default(),
            )
        })
        .collect()
}

// ---- connecting ----

#[test]
fn connect_without_an_id_is_fourteen_bytes() {
    let mut bench = Bench::new(Options::new(Version::V4));
    bench.session.connect(0, &mut bench.out).unwrap();
    bench.expect(&[b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0"]);
}

#[test]
fn a_durable_session_with_will_and_password_says_so() {
    let mut options = Options::new(Version::V3);
    options.client_id = "me".into();
    options.clean_start = false;
    options.username = Some("u".into());
    options.password = Some(b"p".to_vec());
    options.will = Some(WillMessage {
        topic: Topic::parse("w").unwrap().into(),
        payload: b"x".to_vec(),
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: PropertiesBuf::new(),
    });
    let mut bench = Bench::new(options);
    bench.session.connect(0, &mut bench.out).unwrap();
    bench.expect(&[b"\x10\x1c\0\x06MQIsdp\x03\xec\0\x3c\0\x02me\0\x01w\0\x01x\0\x01u\0\x01p"]);
}

#[test]
fn a_refusal_is_an_event_with_its_reason() {
    let mut bench = Bench::new(Options::new(Version::V4));
    bench.connect();
    assert_eq!(bench.receive(&[0x20, 2, 0, 5]), ["refused 0x87"]);
    assert!(!bench.session.is_open());
}

#[test]
fn a_session_that_is_present_against_a_clean_start_is_a_violation() {
    let mut bench = Bench::new(Options::new(Version::V4));
    bench.connect();
    assert_eq!(bench.receive(V4_CONNACK_PRESENT), ["violation 0x82"]);
}

#[test]
fn anything_before_connack_is_a_violation() {
    let mut bench = Bench::new(Options::new(Version::V4));
    bench.connect();
    assert_eq!(bench.receive(&[0xd0, 0]), ["violation 0x82"]);
}

#[test]
fn a_second_connack_is_a_violation_and_version_5_is_told() {
    let mut bench = Bench::durable(Version::V5);
    assert_eq!(bench.receive(&[0x20, 3, 0, 0, 0]), ["violation 0x82"]);
    bench.expect(&[&[0xe0, 1, 0x82]]);
}

#[test]
fn an_assigned_identifier_is_used_from_then_on() {
    let mut bench = Bench::new(Options::new(Version::V5));
    bench.connect();
    assert_eq!(
        bench.receive(b"\x20\x08\0\0\x05\x12\0\x02id"),
        ["connected false []"]
    );
    assert_eq!(bench.session.client_id(), "id");
    bench.session.connection_lost();
    bench.session.connect(0, &mut bench.out).unwrap();
    // Version 5 resumes: no clean start the second time.
    bench.expect(&[b"\x10\x0f\0\x04MQTT\x05\0\0\x3c\0\0\x02id"]);
}

// ---- keep alive ----

#[test]
fn no_connack_in_time_is_a_timeout() {
    let mut bench = Bench::new(Options::new(Version::V4));
    bench.connect();
    assert_eq!(bench.session.next_timeout(), Some(30_000));
    assert_eq!(bench.session.handle_timeout(29_999, &mut bench.out), Ok(()));
    assert_eq!(
        bench.session.handle_timeout(30_000, &mut bench.out),
        Err(Timeout::ConnAck)
    );
}

#[test]
fn a_silent_connection_is_pinged_and_a_silent_server_given_up() {
    let mut bench = Bench::durable(Version::V4);
    assert_eq!(bench.session.next_timeout(), Some(60_000));
    bench
        .session
        .handle_timeout(60_000, &mut bench.out)
        .unwrap();
    bench.expect(&[&[0xc0, 0]]);
    assert_eq!(bench.session.next_timeout(), Some(90_000));
    bench.now = 70_000;
    assert_eq!(bench.receive(&[0xd0, 0]), ["nothing"]);
    assert_eq!(bench.session.next_timeout(), Some(120_000));
    bench
        .session
        .handle_timeout(120_000, &mut bench.out)
        .unwrap();
    assert_eq!(
        bench.session.handle_timeout(150_000, &mut bench.out),
        Err(Timeout::PingResp)
    );
}

#[test]
fn a_server_that_never_answers_is_noticed_although_we_send_all_the_time() {
    let mut bench = Bench::durable(Version::V4);
    bench.now = 59_000;
    bench.publish(0, 0, "x").unwrap();
    assert_eq!(bench.session.next_timeout(), Some(60_000));
}

#[test]
fn the_servers_keep_alive_wins_and_zero_means_none() {
    let mut bench = Bench::new(Options::new(Version::V5));
    bench.connect();
    bench.receive(&[0x20, 6, 0, 0, 3, 0x13, 0, 10]);
    assert_eq!(bench.session.next_timeout(), Some(10_000));
    bench.session.connection_lost();
    bench.connect();
    bench.receive(&[0x20, 6, 0, 0, 3, 0x13, 0, 0]);
    assert_eq!(bench.session.next_timeout(), None);
}

// ---- publishing ----

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

// ---- reconnecting ----

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

// ---- subscribing ----

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

// ---- receiving ----

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
fn a_topic_alias_was_never_allowed() {
    let mut bench = Bench::durable(Version::V5);
    assert_eq!(
        bench.receive(&[0x30, 7, 0, 1, b't', 3, 0x23, 0, 1]),
        ["violation 0x94"]
    );
    bench.expect(&[&[0xe0, 1, 0x94]]);
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

// ---- leaving ----

#[test]
fn disconnect_is_said_once_and_only_over_an_open_connection() {
    let mut bench = Bench::durable(Version::V4);
    bench
        .session
        .disconnect(ReasonCode::Success, &mut bench.out);
    bench
        .session
        .disconnect(ReasonCode::Success, &mut bench.out);
    bench.expect(&[&[0xe0, 0]]);
    assert_eq!(bench.session.next_timeout(), None);
}

#[test]
fn the_servers_disconnect_ends_the_connection() {
    let mut bench = Bench::durable(Version::V5);
    assert_eq!(bench.receive(&[0xe0, 1, 0x8e]), ["disconnected 0x8e"]);
    assert!(!bench.session.is_open());
}
