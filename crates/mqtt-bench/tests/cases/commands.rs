//! Every command at our broker and at others': everything arrives, and is counted once.

use crate::*;
use mqtt_testkit::broker::free_port;
use mqtt_testkit::certificates::Certificates;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// What is published and received by each command.
const COMMANDS: [(&str, u64, u64); 15] = [
    ("pub -c 3 -n 1000", 1000, 0),
    ("pub -c 3 -n 1000 -q 2 --window 5", 1000, 0),
    ("pair -c 3 -n 1000", 1000, 1000),
    ("pair -c 3 -n 1000 -q 1 -V 5", 1000, 1000),
    ("pair -c 2 -n 500 -q 2 -V 31", 500, 500),
    (
        "pair -c 2 -n 400 --topics 7 --subscribe-qos 1 -q 2",
        400,
        400,
    ),
    ("fan-in -c 5 -n 1000 -q 1 --subscribers 2", 1000, 2000),
    ("fan-out -c 20 -n 100 --publishers 2", 100, 2000),
    ("latency -n 200 -q 1", 200, 200),
    ("pair -n 20 -s 1MiB", 20, 20),
    ("pair -n 100 -r -t here/%c/%i -i one%i", 100, 100),
    ("box", 40, 40),
    // More than fits in one read or write, answered in several parts.
    ("fan-in -c 20 -n 20000 -q 2 -V 5", 20_000, 20_000),
    // Packets that are not in their shortest form.
    ("pair -c 2 -n 300 -q 2 -V 5 -t αίθουσα/%i", 300, 300),
    (
        "pair -c 2 -n 300 -q 1 -V 5 -D publish user-property room 7",
        300,
        300,
    ),
];

#[track_caller]
fn check(port: u16, line: &str, published: u64, received: u64) {
    let result = measured_at(port, line, 0);
    expect(
        &result,
        &[
            ("published", published),
            ("received", received),
            ("lost", 0),
            ("duplicates", 0),
            ("out_of_order", 0),
        ],
    );
}

#[test]
fn everything_arrives_at_our_broker() {
    let broker = BrokerProcess::open();
    for (line, published, received) in COMMANDS {
        check(broker.port(), line, published, received);
    }
}

#[test]
fn everything_arrives_at_debians_mosquitto() {
    let open = "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n";
    let Some(broker) = BrokerProcess::mosquitto(open) else {
        return;
    };
    for (line, published, received) in COMMANDS {
        check(broker.port(), line, published, received);
    }
}

#[test]
fn everything_arrives_at_rumqttd() {
    let port = free_port();
    let _rumqttd = start(&format!("--serve-as-rumqttd {port}"));
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "rumqttd does not listen"
        );
        std::thread::yield_now();
    }
    check(port, "pair -c 3 -n 1000", 1000, 1000);
    check(port, "fan-in -c 5 -n 1000 -q 1", 1000, 1000);
}

#[test]
fn messages_that_wait_for_their_subscriber_are_fetched() {
    let broker = BrokerProcess::start(
        "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n",
    );
    for line in [
        "retained -n 500",
        "retained -c 3 -n 100 -q 1 -s 2k",
        "offline -n 2000",
        "offline -c 2 -n 100 -q 2 -V 5",
    ] {
        let result = measured(&broker, line);
        let given = result["given"].as_u64().unwrap();
        expect(
            &result,
            &[("received", given), ("lost", 0), ("duplicates", 0)],
        );
    }
    // Nothing is left behind.
    let left = measured(&broker, "sub -t # --duration 200ms -n 1 --wait 100ms");
    expect(&left, &[("received", 0), ("from_others", 0)]);
}

#[test]
fn connections_are_held_or_opened_and_closed() {
    let broker = BrokerProcess::open();
    let held = measured(&broker, "conn -c 40 --duration 100ms -A 127.0.0.1-3");
    expect(&held, &[("connections", 40), ("connections_lost", 0)]);
    let cycles = measured(
        &broker,
        "conn -c 5 -n 100 --will-topic w/%i --will-payload x",
    );
    expect(&cycles, &[("connections", 100)]);
}

#[test]
fn publishers_and_subscribers_may_be_programs_of_their_own() {
    let broker = BrokerProcess::open();
    let subscriber = start(&at(broker.port(), "sub -c 2 -n 600 --json"));
    broker.expect_log("Received SUBSCRIBE");
    broker.expect_log("Sending SUBACK to bench-");
    broker.expect_log("-s1 ");
    let result = measured(&broker, "pub -c 3 -n 300 -q 1");
    expect(&result, &[("published", 300), ("confirmed", 300)]);
    let heard = subscriber.finish();
    let heard: Value = serde_json::from_str(&heard.stdout).unwrap();
    expect(&heard, &[("received", 600), ("lost", 0)]);
}

#[test]
fn count_time_and_rate_are_obeyed() {
    let broker = BrokerProcess::open();
    let counted = measured(&broker, "pair -c 3 -n 100 --duration 1h --rate 500");
    expect(&counted, &[("published", 100), ("received", 100)]);
    let seconds = counted["seconds"].as_f64().unwrap();
    assert!(
        seconds > 0.15,
        "100 messages at 500 a second took {seconds} s"
    );
    // A rate that is as good as continuous must not stand still between two ticks of a timer.
    let fast = measured(&broker, "pair -c 5 -n 20000 --duration 1h --rate 100000");
    expect(&fast, &[("published", 20000), ("received", 20000)]);
    let timed = measured(
        &broker,
        "pair --duration 300ms --rate 100 --connect-rate 1000",
    );
    let published = timed["published"].as_u64().unwrap();
    assert!(
        (1..=31).contains(&published),
        "{published} in 0.3 s at 100 a second"
    );
}

#[test]
fn a_text_may_be_sent_and_messages_told_apart_by_its_mark() {
    let broker = BrokerProcess::open();
    let marked = measured(
        &broker,
        "pair -c 2 -n 100 --payload {\"id\":%i,\"mark\":\"%m\"}",
    );
    expect(&marked, &[("received", 100), ("lost", 0)]);
    assert!(marked["p50_us"].is_number(), "{marked:#}");
    let plain = measured(&broker, "pair -c 2 -n 100 --payload 21.5");
    expect(
        &plain,
        &[("received", 100), ("lost", 0), ("received_bytes", 400)],
    );
    assert!(plain["p50_us"].is_null(), "{plain:#}");
}

#[test]
fn the_way_may_lead_through_web_sockets() {
    let broker = BrokerProcess::start(
        "listener {port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n",
    );
    let result = measured(&broker, "pair -c 3 -n 300 -q 1 --ws");
    expect(&result, &[("received", 300), ("lost", 0)]);
}

#[test]
fn the_way_may_lead_through_tls() {
    let certificates = Certificates::new();
    let path = |file| certificates.path(file).display().to_string();
    let broker = BrokerProcess::start(&format!(
        "listener {{port}} 127.0.0.1\nallow_anonymous true\ncertfile {}\nkeyfile {}\n",
        path("server.crt"),
        path("server.key")
    ));
    let line = format!("pair -c 3 -n 300 -q 1 --cafile {}", path("ca.crt"));
    expect(&measured(&broker, &line), &[("received", 300), ("lost", 0)]);
    let refused = run(&at(broker.port(), "pair -n 1 --cafile /no/such.crt"));
    assert_eq!(refused.code, 1, "{}", refused.stderr);
}
