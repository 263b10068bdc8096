//! `simulate`: devices that are there, measure, obey, and say when they leave.

use crate::*;
use mqtt_testkit::tools::tool;

fn listen(broker: &BrokerProcess, line: &str) -> Program {
    let line = at(broker.port(), line);
    Program::start(tool("mqtt-sub"), line.split_whitespace())
}

#[cfg(unix)]
fn command(broker: &BrokerProcess, line: &str) {
    let line = at(broker.port(), line);
    let ended = Program::start(tool("mqtt-pub"), line.split_whitespace()).finish();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn rooms_measure_obey_and_say_good_bye() {
    let broker = BrokerProcess::open();
    let heard = listen(&broker, "-t hvac/# -v");
    broker.expect_log("Received SUBSCRIBE");
    let rooms = start(&at(broker.port(), "simulate hvac -c 3 --interval 50ms"));
    for text in [
        "hvac/room1/status online\n",
        "hvac/room3/status online\n",
        "hvac/room2/relay/1 OFF\n",
        "hvac/room2/temperature 2",
        "hvac/room2/humidity ",
    ] {
        heard.expect_stdout(text);
    }
    command(&broker, "-t hvac/room1/relay/1/set -m ON -q 1");
    heard.expect_stdout("hvac/room1/relay/1 ON\n");
    rooms.expect_stdout("hvac/room1/relay/1 is ON\n");
    command(&broker, "-t hvac/room1/relay/9/set -m ON");
    rooms.expect_stderr("there are relays 1 to 2");
    rooms.interrupt();
    assert_eq!(rooms.finish().code, 0);
    heard.expect_stdout("hvac/room1/status offline\n");
    // The state is there for who comes later.
    let later = listen(&broker, "-t hvac/room1/# -v --retained-only -W 5");
    for text in ["hvac/room1/relay/1 ON\n", "hvac/room1/status offline\n"] {
        later.expect_stdout(text);
    }
}

#[test]
fn a_device_that_vanishes_leaves_its_will() {
    let broker = BrokerProcess::open();
    let heard = listen(&broker, "-t lab/# -v");
    broker.expect_log("Received SUBSCRIBE");
    let device = start(&at(broker.port(), "simulate dht22 -t lab/%i --format json"));
    heard.expect_stdout("lab/1/state {\"temperature\":");
    drop(device);
    heard.expect_stdout("lab/1/status offline\n");
}

#[test]
fn a_simulation_may_have_an_end() {
    let broker = BrokerProcess::open();
    let line = "simulate ds18b20 -c 2 --duration 200ms --interval 50ms -V 5";
    let ended = run(&at(broker.port(), line));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let later = listen(&broker, "-t hvac/room2/temperature -C 1 -W 5");
    let temperature: f64 = later.finish().stdout.trim().parse().unwrap();
    assert_eq!(temperature * 16.0, (temperature * 16.0).round());
}

#[test]
fn devices_without_a_broker_say_so() {
    let port = mqtt_testkit::broker::free_port();
    let ended = run(&at(port, "simulate relay -c 3"));
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("No broker listens"),
        "{}",
        ended.stderr
    );
}
