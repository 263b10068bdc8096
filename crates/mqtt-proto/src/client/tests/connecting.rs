//! Opening a connection: CONNECT, CONNACK, identifiers, keep alive, and leaving.

use super::*;

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

#[test]
fn disconnect_need_not_wait_for_connack() {
    let mut bench = Bench::new(Options::new(Version::V4));
    bench.connect();
    bench
        .session
        .disconnect(ReasonCode::Success, &mut bench.out);
    bench.expect(&[&[0xe0, 0]]);
}

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

#[test]
fn good_bye_carries_its_properties_and_a_complaint_does_not() {
    let mut options = Options::new(Version::V5);
    options
        .disconnect_properties
        .push(crate::Property::SessionExpiryInterval(9))
        .unwrap();
    let mut bench = Bench::new(options.clone());
    bench.connect();
    bench.receive(&[0x20, 3, 0, 0, 0]);
    bench
        .session
        .disconnect(ReasonCode::Success, &mut bench.out);
    bench.expect(&[&[0xe0, 7, 0, 5, 0x11, 0, 0, 0, 9]]);
    let mut bench = Bench::new(options);
    bench.connect();
    bench.receive(&[0x20, 3, 0, 0, 0, 0x20, 3, 0, 0, 0]);
    bench.expect(&[&[0xe0, 1, 0x82]]);
}
