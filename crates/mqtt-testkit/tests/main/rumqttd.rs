//! rumqttd, embedded: our clients at a broker that shares no code with us.
//!
//! It is asked for what it does: QoS 0 and 1 between clients that are there, wills and a retained
//! message. The tests after that show defects for which it is a stranger and not our engine; a
//! release of it without them makes them fail, and is then worth another look.

use crate::clients::{Clients, lines};
use mqtt_proto::{Packet, Properties, Publish, QoS, Topic, Version};
use mqtt_testkit::broker::free_port;
use mqtt_testkit::peer::RawPeer;
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Starts rumqttd in this process, where it stays: it has no way to be stopped.
fn start(version: Version) -> SocketAddr {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    let settings = ServerSettings {
        name: format!("rumqttd-{}", address.port()),
        listen: address,
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 60_000,
            max_payload_size: 20_480,
            max_inflight_count: 100,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    let servers = Some(HashMap::from([("server".to_owned(), settings)]));
    let mut config = Config {
        router: RouterConfig {
            max_connections: 100,
            max_outgoing_packet_count: 200,
            max_segment_size: 1024 * 1024,
            max_segment_count: 10,
            ..RouterConfig::default()
        },
        ..Config::default()
    };
    if version.is_v5() {
        config.v5 = servers;
    } else {
        config.v4 = servers;
    }
    std::thread::spawn(move || {
        if let Err(error) = Broker::new(config).start() {
            panic!("rumqttd ends: {error}");
        }
    });
    let start = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "rumqttd does not listen"
        );
        std::thread::yield_now();
    }
    address
}

fn check_clients(version: Version, name: &str) {
    let port = start(version).port();
    let clients = Clients::ours();
    for qos in 0..2 {
        let line = format!("-V {name} -q {qos} -t room/# -C 2 -v -d");
        let subscriber = clients.start_subscribe(port, &format!("sub{qos}"), &line);
        subscriber.expect_stdout("Subscribed (mid: 1): ");
        for published in 0..2 {
            let line = format!("-V {name} -q {published} -t room/1 -m text{published}");
            let ended = clients.publish_to_port(port, &line);
            assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{line}");
        }
        let mut printed = lines(subscriber);
        printed.retain(|line| line.starts_with("room/1 "));
        assert_eq!(printed, ["room/1 text0", "room/1 text1"], "QoS {qos}");
    }
}

#[test]
fn our_clients_exchange_messages_at_rumqttd_in_3_1_1() {
    check_clients(Version::V4, "mqttv311");
}

#[test]
fn our_clients_exchange_messages_at_rumqttd_in_5() {
    check_clients(Version::V5, "mqttv5");
}

#[test]
fn our_subscriber_leaves_a_will_at_rumqttd() {
    let port = start(Version::V4).port();
    let clients = Clients::ours();
    let watcher = clients.start_subscribe(port, "watcher", "-t state -C 1 -d");
    watcher.expect_stdout("Subscribed (mid: 1): ");
    let line = "-t nothing -d --will-topic state --will-payload gone";
    let killed = clients.start_subscribe(port, "killed", line);
    killed.expect_stdout("Subscribed (mid: 1): ");
    drop(killed);
    let printed = lines(watcher);
    assert!(printed.iter().any(|line| line == "gone"), "{printed:#?}");
}

/// Whether a client that connects now is answered within `seconds`.
fn answers(address: SocketAddr, client_id: &str, seconds: u64) -> bool {
    let mut peer = RawPeer::open(address, Version::V4);
    let connect = RawPeer::hello(Version::V4, client_id);
    peer.send(&Packet::Connect(connect));
    peer.is_answered(Duration::from_secs(seconds))
}

#[test]
fn one_topic_in_greek_ends_rumqttd_for_everybody() {
    let address = start(Version::V4);
    let mut peer = RawPeer::connect(address, Version::V4, "first");
    peer.subscribe("room/+", QoS::AtMostOnce);
    assert!(answers(address, "before", 30));
    peer.send(&Packet::Publish(Publish {
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: Some(Topic::parse("θερμοκρασία").unwrap()),
        packet_id: None,
        properties: Properties::EMPTY,
        payload: b"21",
    }));
    assert!(!answers(address, "after", 2));
}

#[test]
fn an_odd_client_id_coming_twice_ends_rumqttds_listener() {
    let address = start(Version::V4);
    assert!(answers(address, "before", 30));
    // Refusing it once is its right; the second time it holds a lock when it panics.
    for _ in 0..2 {
        assert!(!answers(address, "room#1", 2));
    }
    assert!(!answers(address, "after", 2));
}
