//! A pair of command-line clients, ours or Mosquitto's, and what any pair must be able to do.

use mqtt_testkit::broker::BrokerProcess;
use mqtt_testkit::program::{Ended, Program};
use mqtt_testkit::strangers::stranger;
use mqtt_testkit::tools::tool;
use std::path::PathBuf;

/// The versions by the names that `-V` takes.
pub const VERSIONS: [&str; 3] = ["mqttv31", "mqttv311", "mqttv5"];

/// One program that publishes and one that subscribes.
pub struct Clients {
    pub publish: PathBuf,
    pub subscribe: PathBuf,
}

impl Clients {
    /// `mqtt-pub` and `mqtt-sub`.
    pub fn ours() -> Clients {
        Clients {
            publish: tool("mqtt-pub"),
            subscribe: tool("mqtt-sub"),
        }
    }

    /// Debian's `mosquitto_pub` and `mosquitto_sub`; `None` where they are missing and may be.
    pub fn mosquitto() -> Option<Clients> {
        Some(Clients {
            publish: stranger("mosquitto_pub", "mosquitto-clients")?,
            subscribe: stranger("mosquitto_sub", "mosquitto-clients")?,
        })
    }

    /// Runs the publisher to its end, which must be a good one.
    #[track_caller]
    pub fn publish(&self, broker: &BrokerProcess, line: &str) {
        let ended = self.run_publish(broker, line);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{line}");
    }

    /// Runs the publisher to its end.
    #[track_caller]
    pub fn run_publish(&self, broker: &BrokerProcess, line: &str) -> Ended {
        Program::start(&self.publish, arguments(broker.port(), line)).finish()
    }

    /// Starts a subscriber called `id`, and waits until the broker knows what it wants.
    #[track_caller]
    pub fn subscribe(&self, broker: &BrokerProcess, id: &str, line: &str) -> Program {
        let program = self.start_subscribe(broker.port(), id, line);
        broker.expect_log(&format!("Sending SUBACK to {id}\n"));
        program
    }

    /// Starts a subscriber called `id`.
    pub fn start_subscribe(&self, port: u16, id: &str, line: &str) -> Program {
        Program::start(&self.subscribe, arguments(port, &format!("-i {id} {line}")))
    }

    /// Runs the publisher against any port, to its end.
    #[track_caller]
    pub fn publish_to_port(&self, port: u16, line: &str) -> Ended {
        Program::start(&self.publish, arguments(port, line)).finish()
    }
}

/// A line as one would type it; no quoting.
fn arguments(port: u16, line: &str) -> Vec<String> {
    let target = format!("-h 127.0.0.1 -p {port} {line}");
    target.split_whitespace().map(str::to_owned).collect()
}

/// The lines that a subscriber has printed when it has ended well.
#[track_caller]
pub fn lines(subscriber: Program) -> Vec<String> {
    let ended = subscriber.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    ended.stdout.lines().map(str::to_owned).collect()
}

/// Every QoS at both ends, in every version, with Greek names and text.
pub fn check_exchange(broker: &BrokerProcess, clients: &Clients) {
    for version in VERSIONS {
        for qos in 0..3 {
            let id = format!("{version}-q{qos}");
            let topic = format!("αίθουσα/{id}");
            let subscriber = clients.subscribe(
                broker,
                &id,
                &format!("-V {version} -q {qos} -t {topic}/# -C 3 -v"),
            );
            for published in 0..3 {
                let line = format!("-V {version} -q {published} -t {topic}/θ -m μήνυμα{published}");
                clients.publish(broker, &line);
            }
            assert_eq!(
                lines(subscriber),
                [0, 1, 2].map(|n| format!("{topic}/θ μήνυμα{n}")),
                "{id}"
            );
        }
    }
}

/// The last retained message comes to whoever subscribes later, until it is cleared.
pub fn check_retained(broker: &BrokerProcess, clients: &Clients) {
    for version in VERSIONS {
        let topic = format!("state/{version}");
        for text in ["old", "new"] {
            let line = format!("-V {version} -t {topic} -m {text} -q 1 -r");
            clients.publish(broker, &line);
        }
        let line = format!("-V {version} -t {topic} -C 1");
        let subscriber = clients.subscribe(broker, &format!("{version}-1"), &line);
        assert_eq!(lines(subscriber), ["new"], "{version}");

        clients.publish(broker, &format!("-V {version} -t {topic} -n -r -q 1"));
        let subscriber = clients.subscribe(broker, &format!("{version}-2"), &line);
        clients.publish(broker, &format!("-V {version} -t {topic} -m live"));
        assert_eq!(lines(subscriber), ["live"], "{version}");
    }
}

/// A durable session keeps what comes while its owner is away, in order.
pub fn check_durable(broker: &BrokerProcess, clients: &Clients) {
    for version in VERSIONS {
        let id = format!("durable-{version}");
        let expiry = if version == "mqttv5" { "-x 100" } else { "" };
        let line = format!("-V {version} -c {expiry} -q 1 -t {id}");
        let subscriber = clients.subscribe(broker, &id, &format!("{line} -C 1"));
        clients.publish(broker, &format!("-t {id} -m first -q 1"));
        assert_eq!(lines(subscriber), ["first"], "{version}");
        broker.expect_log(&format!("Received DISCONNECT from {id}\n"));
        for text in ["1", "2", "3"] {
            clients.publish(broker, &format!("-t {id} -m {text} -q 1"));
        }
        let subscriber = clients.start_subscribe(broker.port(), &id, &format!("{line} -C 3"));
        assert_eq!(lines(subscriber), ["1", "2", "3"], "{version}");
    }
}

/// A client that is killed has its will published, one that says goodbye has not.
pub fn check_will(broker: &BrokerProcess, clients: &Clients) {
    for version in VERSIONS {
        let topic = format!("will/{version}");
        let watcher = clients.subscribe(
            broker,
            &format!("watcher-{version}"),
            &format!("-V {version} -t {topic} -q 1 -C 2"),
        );
        let will = format!("--will-topic {topic} --will-payload gone --will-qos 1");
        let polite = clients.subscribe(
            broker,
            &format!("polite-{version}"),
            &format!("-V {version} -t hello/{version} -C 1 {will}"),
        );
        clients.publish(broker, &format!("-t hello/{version} -m go"));
        assert_eq!(lines(polite), ["go"]);
        broker.expect_log(&format!("Received DISCONNECT from polite-{version}\n"));
        // If the polite one's will were published, it would come before this.
        clients.publish(broker, &format!("-t {topic} -m marker -q 1"));

        let killed = clients.subscribe(
            broker,
            &format!("killed-{version}"),
            &format!("-V {version} -t nothing {will}"),
        );
        drop(killed);
        assert_eq!(lines(watcher), ["marker", "gone"], "{version}");
    }
}
