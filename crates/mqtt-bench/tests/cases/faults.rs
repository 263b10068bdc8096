//! What is lost, doubled or out of order is seen, and the shell is told.

use crate::*;
use mqtt_proto::{Version, frame_length};
use mqtt_testkit::relay::Relay;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// What a wire does to one PUBLISH for a client.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Drop,
    Double,
    /// It is sent behind the next one.
    Delay,
}

/// A wire to a broker that does this to the tenth message for a client, in packets of 3.1.1.
fn wire(target: u16, fault: Fault) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    // It ends with the test's process.
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let broker = TcpStream::connect(("127.0.0.1", target)).expect("the broker listens");
            let shared = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
            let (up_from, up_to) = (shared(&client), shared(&broker));
            thread::spawn(move || copy(up_from, up_to));
            thread::spawn(move || pass(broker, client, fault));
        }
    });
    address.port()
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

fn pass(mut from: TcpStream, mut to: TcpStream, fault: Fault) {
    let (mut bytes, mut block, mut seen) = (Vec::new(), [0; 4096], 0);
    let mut delayed: Option<Vec<u8>> = None;
    while let Ok(count @ 1..) = from.read(&mut block) {
        bytes.extend_from_slice(&block[..count]);
        while let Ok(Some(length)) = frame_length(&bytes, Version::V4, u32::MAX) {
            if bytes.len() < length {
                break;
            }
            let packet: Vec<u8> = bytes.drain(..length).collect();
            let is_message = packet[0] >> 4 == 3;
            seen += u32::from(is_message);
            let mut out = Vec::new();
            match (is_message && seen == 10, fault) {
                (true, Fault::Drop) => {}
                (true, Fault::Double) => out = [packet.clone(), packet].concat(),
                (true, Fault::Delay) => delayed = Some(packet),
                (false, _) => {
                    out = packet;
                    out.extend(delayed.take().into_iter().flatten());
                }
            }
            if to.write_all(&out).is_err() {
                return;
            }
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

#[test]
fn a_message_that_is_lost_is_missed() {
    let broker = BrokerProcess::open();
    let port = wire(broker.port(), Fault::Drop);
    let result = measured_at(port, "pair -n 100 --wait 300ms", 40);
    expect(
        &result,
        &[("published", 100), ("received", 99), ("lost", 1)],
    );
    let ended = run(&at(port, "pair -n 100 --wait 300ms"));
    assert_eq!(ended.code, 40);
    assert!(
        ended.stdout.contains("1 (1.00 % of 100)"),
        "{}",
        ended.stdout
    );
    // Also by a window that stays shut because of it.
    let result = measured_at(port, "pair -n 100 --wait 1s --window 5", 40);
    expect(
        &result,
        &[("published", 100), ("received", 99), ("lost", 1)],
    );
}

#[test]
fn a_message_that_comes_twice_or_late_is_noticed() {
    let broker = BrokerProcess::open();
    let port = wire(broker.port(), Fault::Double);
    let result = measured_at(port, "pair -n 100", 0);
    expect(
        &result,
        &[("received", 100), ("lost", 0), ("duplicates", 1)],
    );
    let result = measured_at(port, "pair -n 100 -q 1", 0);
    expect(
        &result,
        &[("received", 100), ("lost", 0), ("duplicates", 1)],
    );
    // At QoS 2 a packet that comes again before it is released is no message.
    let result = measured_at(port, "pair -n 100 -q 2", 0);
    expect(
        &result,
        &[("received", 100), ("lost", 0), ("duplicates", 0)],
    );
    let port = wire(broker.port(), Fault::Delay);
    let result = measured_at(port, "pair -n 100", 41);
    expect(
        &result,
        &[("received", 100), ("lost", 0), ("out_of_order", 1)],
    );
}

#[test]
fn a_subscriber_hears_itself_that_something_is_missing() {
    let broker = BrokerProcess::open();
    let port = wire(broker.port(), Fault::Drop);
    let subscriber = start(&at(port, "sub -n 99 --json"));
    broker.expect_log("Sending SUBACK");
    measured(&broker, "pub -n 100 -q 1");
    let ended = subscriber.finish();
    let heard: Value = serde_json::from_str(&ended.stdout).unwrap();
    expect(&heard, &[("received", 99), ("lost", 1)]);
    assert_eq!(ended.code, 40);
}

#[test]
fn a_connection_that_breaks_is_told() {
    let broker = BrokerProcess::open();
    // The publisher comes second.
    let relay = Relay::new(broker.address(), &[usize::MAX, 2000]);
    let ended = run(&at(relay.port(), "pair -n 1000 --wait 300ms"));
    assert_eq!(ended.code, 7, "{}", ended.stdout);
    assert!(
        ended.stderr.contains("The connection was lost"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stdout.contains("connections lost      1"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_broker_that_is_not_there_or_refuses_is_told_as_by_every_client() {
    let port = mqtt_testkit::broker::free_port();
    let ended = run(&at(port, "pair -c 3"));
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("connection refused") && ended.stderr.contains("No broker listens"),
        "{}",
        ended.stderr
    );
    let broker = BrokerProcess::start("listener {port} 127.0.0.1\nallow_anonymous false\n");
    let ended = run(&at(broker.port(), "conn -c 3 -n 5"));
    assert_eq!(ended.code, 5);
    assert!(ended.stderr.contains("not authorised"), "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn a_stop_by_the_user_ends_with_what_there_is() {
    let broker = BrokerProcess::open();
    let program = start(&at(broker.port(), "pair -c 2 --rate 200 --duration 1h"));
    broker.expect_log("Received PUBLISH from bench-");
    program.interrupt();
    let ended = program.finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("lost                  none"),
        "{}",
        ended.stdout
    );
}
