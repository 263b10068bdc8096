//! What the broker counts, and the `$SYS` topics that tell it.

use crate::engine::Engine;
use crate::message::Publication;
use crate::time::Time;
use mqtt_proto::{Properties, QoS, Topic};
use std::collections::HashMap;

/// Counts since the start.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Bytes read from clients.
    pub bytes_received: u64,
    /// Bytes written to clients.
    pub bytes_sent: u64,
    /// PUBLISH packets from clients.
    pub publish_received: u64,
    /// Their payload bytes.
    pub publish_bytes_received: u64,
    /// PUBLISH packets to clients.
    pub publish_sent: u64,
    /// Their payload bytes.
    pub publish_bytes_sent: u64,
    /// Messages that a full queue or outbox had no room for, or that a client does not take.
    pub publish_dropped: u64,
    /// Packets of any kind from clients.
    pub messages_received: u64,
    /// Packets of any kind to clients.
    pub messages_sent: u64,
    /// CONNECTs that were accepted.
    pub connects: u64,
    /// Sockets that were opened.
    pub sockets: u64,
    /// Sessions that ended because their time was over.
    pub clients_expired: u64,
    /// The most sessions there were at once.
    pub clients_maximum: u64,
    /// Bytes of memory in use and the most there were, if the program has told.
    pub heap: Option<(u64, u64)>,
    loads: Vec<Load>,
    published: HashMap<&'static str, String>,
}

/// One figure as a rate per minute, averaged over 1, 5 and 15 minutes.
#[derive(Clone, Debug, Default)]
struct Load {
    last: u64,
    averages: [f64; 3],
}

/// Three topics, and the figure that they tell the averages of.
type LoadRow = (&'static [&'static str; 3], fn(&Counters) -> u64);

/// The figures that have averages: the middle of their topic, and where they are counted.
const LOADS: [LoadRow; 9] = {
    macro_rules! topics {
        ($middle:literal) => {
            &[
                concat!("$SYS/broker/load/", $middle, "/1min"),
                concat!("$SYS/broker/load/", $middle, "/5min"),
                concat!("$SYS/broker/load/", $middle, "/15min"),
            ]
        };
    }
    [
        (topics!("messages/received"), |c| c.messages_received),
        (topics!("messages/sent"), |c| c.messages_sent),
        (topics!("publish/dropped"), |c| c.publish_dropped),
        (topics!("publish/received"), |c| c.publish_received),
        (topics!("publish/sent"), |c| c.publish_sent),
        (topics!("bytes/received"), |c| c.bytes_received),
        (topics!("bytes/sent"), |c| c.bytes_sent),
        (topics!("sockets"), |c| c.sockets),
        (topics!("connections"), |c| c.connects),
    ]
};

impl Counters {
    /// A PUBLISH came.
    pub fn note_publish_received(&mut self, payload: usize) {
        self.publish_received += 1;
        self.publish_bytes_received += payload as u64;
    }

    /// A PUBLISH goes.
    pub fn note_publish_sent(&mut self, payload: usize) {
        self.messages_sent += 1;
        self.publish_sent += 1;
        self.publish_bytes_sent += payload as u64;
    }

    /// A client is in; there are `sessions` now.
    pub fn note_connected(&mut self, sessions: usize) {
        self.connects += 1;
        self.clients_maximum = self.clients_maximum.max(sessions as u64);
    }

    /// Moves the averages on by `seconds`.
    fn take_averages(&mut self, seconds: f64) {
        self.loads.resize(LOADS.len(), Load::default());
        for (at, (_, count)) in LOADS.iter().enumerate() {
            let now = count(self);
            let load = &mut self.loads[at];
            let per_minute = (now - load.last) as f64 * 60.0 / seconds;
            load.last = now;
            for (average, minutes) in load.averages.iter_mut().zip([1.0, 5.0, 15.0]) {
                let weight = (-seconds / (60.0 * minutes)).exp();
                *average = per_minute + weight * (*average - per_minute);
            }
        }
    }
}

/// What is not counted but looked up when `$SYS` is due.
#[derive(Clone, Copy, Debug)]
pub struct Census {
    /// Seconds since the start.
    pub uptime: u64,
    /// Sessions with a connection.
    pub connected: usize,
    /// Sessions in all.
    pub total: usize,
    /// Connections, also those that have not sent CONNECT.
    pub sockets: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Shared ones of them.
    pub shared_subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Messages that are kept: retained, queued or in flight.
    pub stored: usize,
    /// Their topics, properties and payloads in bytes.
    pub stored_bytes: usize,
    /// Packets' bytes in outboxes.
    pub waiting_bytes: usize,
    /// Connections with something in their outbox.
    pub waiting: usize,
}

/// One number of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// The topic that tells it.
    pub topic: &'static str,
    /// The number.
    pub value: u64,
    /// Whether it counts what has happened since the start, so that it never falls.
    pub only_grows: bool,
}

/// The one figure that `$SYS` tells in words.
const UPTIME: &str = "$SYS/broker/uptime";

/// Topics of figures that only grow.
const GROWING: [&str; 11] = [
    "$SYS/broker/clients/expired",
    "$SYS/broker/messages/received",
    "$SYS/broker/messages/sent",
    "$SYS/broker/publish/messages/dropped",
    "$SYS/broker/publish/messages/received",
    "$SYS/broker/publish/messages/sent",
    "$SYS/broker/publish/bytes/received",
    "$SYS/broker/publish/bytes/sent",
    "$SYS/broker/bytes/received",
    "$SYS/broker/bytes/sent",
    UPTIME,
];

/// Every number, in the order of the topics.
fn figures(counters: &Counters, census: &Census) -> Vec<Figure> {
    let absent = census.total - census.connected;
    let numbers: [(&'static str, u64); 26] = [
        ("$SYS/broker/clients/total", census.total as u64),
        ("$SYS/broker/clients/maximum", counters.clients_maximum),
        ("$SYS/broker/clients/inactive", absent as u64),
        ("$SYS/broker/clients/disconnected", absent as u64),
        ("$SYS/broker/clients/active", census.connected as u64),
        ("$SYS/broker/clients/connected", census.connected as u64),
        ("$SYS/broker/clients/expired", counters.clients_expired),
        (
            "$SYS/broker/connections/socket/count",
            census.sockets as u64,
        ),
        ("$SYS/broker/messages/received", counters.messages_received),
        ("$SYS/broker/messages/sent", counters.messages_sent),
        ("$SYS/broker/messages/stored", census.stored as u64),
        ("$SYS/broker/store/messages/count", census.stored as u64),
        (
            "$SYS/broker/store/messages/bytes",
            census.stored_bytes as u64,
        ),
        (
            "$SYS/broker/subscriptions/count",
            census.subscriptions as u64,
        ),
        (
            "$SYS/broker/shared_subscriptions/count",
            census.shared_subscriptions as u64,
        ),
        (
            "$SYS/broker/retained messages/count",
            census.retained as u64,
        ),
        (
            "$SYS/broker/publish/messages/dropped",
            counters.publish_dropped,
        ),
        (
            "$SYS/broker/publish/messages/received",
            counters.publish_received,
        ),
        ("$SYS/broker/publish/messages/sent", counters.publish_sent),
        (
            "$SYS/broker/publish/bytes/received",
            counters.publish_bytes_received,
        ),
        (
            "$SYS/broker/publish/bytes/sent",
            counters.publish_bytes_sent,
        ),
        ("$SYS/broker/bytes/received", counters.bytes_received),
        ("$SYS/broker/packet/out/count", census.waiting as u64),
        ("$SYS/broker/packet/out/bytes", census.waiting_bytes as u64),
        ("$SYS/broker/bytes/sent", counters.bytes_sent),
        (UPTIME, census.uptime),
    ];
    let heap = counters.heap.map_or([None; 2], |(current, maximum)| {
        [
            Some(("$SYS/broker/heap/current", current)),
            Some(("$SYS/broker/heap/maximum", maximum)),
        ]
    });
    let all = numbers.into_iter().chain(heap.into_iter().flatten());
    all.map(|(topic, value)| Figure {
        topic,
        value,
        only_grows: GROWING.contains(&topic),
    })
    .collect()
}

/// Every `$SYS` topic but the averages, with its value.
fn values(counters: &Counters, census: &Census) -> Vec<(&'static str, String)> {
    let mut values: Vec<(&'static str, String)> = vec![
        (
            "$SYS/broker/version",
            format!("mqtt-broker version {}", env!("CARGO_PKG_VERSION")),
        ),
        (UPTIME, format!("{} seconds", census.uptime)),
    ];
    let figures = figures(counters, census);
    let numbers = figures.iter().filter(|figure| figure.topic != UPTIME);
    values.extend(numbers.map(|figure| (figure.topic, figure.value.to_string())));
    for (load, (topics, _)) in counters.loads.iter().zip(&LOADS) {
        values.extend(
            topics
                .iter()
                .zip(load.averages)
                .map(|(&topic, average)| (topic, format!("{average:.2}"))),
        );
    }
    values
}

impl Engine {
    /// Every number that `$SYS` tells, as it is now.
    pub fn figures(&self, now: Time) -> Vec<Figure> {
        figures(self.counters(), &self.census(now))
    }

    /// Publishes every `$SYS` topic whose value has changed, as retained messages.
    pub(crate) fn publish_sys(&mut self, now: Time) {
        let seconds = f64::from(self.settings().sys_interval);
        let census = self.census(now);
        if census.uptime > 0 {
            self.counters_mut().take_averages(seconds);
        } else {
            self.counters_mut().loads = vec![Load::default(); LOADS.len()];
        }
        for (topic, value) in values(self.counters(), &census) {
            if self.counters().published.get(topic) != Some(&value) {
                self.publish_internal(now, topic, value.as_bytes(), true);
                self.counters_mut().published.insert(topic, value);
            }
        }
    }

    /// Publishes a message of the broker's own.
    pub fn publish_internal(&mut self, now: Time, topic: &str, payload: &[u8], retain: bool) {
        let Ok(topic) = Topic::parse(topic) else {
            return;
        };
        let publication = Publication {
            topic,
            payload,
            owner: None,
            properties: Properties::EMPTY,
            qos: QoS::ExactlyOnce,
            retain,
            expires_at: None,
        };
        self.route(now, None, publication);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_rate_becomes_its_own_average() {
        let mut counters = Counters::default();
        for _ in 0..2000 {
            counters.publish_sent += 50;
            counters.take_averages(10.0);
        }
        for average in counters.loads[4].averages {
            assert!((average - 300.0).abs() < 0.01, "{average}");
        }
    }
}
