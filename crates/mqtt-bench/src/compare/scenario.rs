//! What is done with each broker: the scenarios, each once.

use mqtt_common::flags::UsageError;
use mqtt_proto::QoS;

use crate::plan::{Hearing, Plan};

/// What a scenario does, and so what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages from publishers to subscribers.
    Messages,
    /// One message at a time.
    Latency,
    /// Retained messages for a new subscriber.
    Retained,
    /// Messages for a subscriber that was away.
    Offline,
    /// Connections opened and closed.
    Connect,
    /// Connections that do nothing.
    Idle,
}

/// A scenario.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What happens, in words.
    pub what: &'static str,
    /// What kind of thing it is.
    pub kind: Kind,
    qos: QoS,
    publishers: usize,
    subscribers: usize,
    hearing: Hearing,
    /// Topics of each publisher.
    topics: u64,
    /// Messages, where they are a number and not a time.
    messages: Option<u64>,
    size: usize,
    /// Whether clients subscribe.
    subscribes: bool,
    /// Whether the broker is to store what it promises.
    pub durable: bool,
}

const PLAIN: Scenario = Scenario {
    name: "",
    what: "",
    kind: Kind::Messages,
    qos: QoS::AtMostOnce,
    publishers: 1,
    subscribers: 1,
    hearing: Hearing::All,
    topics: 1,
    messages: None,
    size: 64,
    subscribes: true,
    durable: false,
};

const fn fan_in(name: &'static str, what: &'static str, qos: QoS) -> Scenario {
    Scenario {
        name,
        what,
        qos,
        publishers: 50,
        ..PLAIN
    }
}

const fn fan_out(name: &'static str, what: &'static str, qos: QoS) -> Scenario {
    Scenario {
        name,
        what,
        qos,
        subscribers: 500,
        ..PLAIN
    }
}

const fn pairs(name: &'static str, what: &'static str, qos: QoS) -> Scenario {
    Scenario {
        name,
        what,
        qos,
        publishers: 100,
        subscribers: 100,
        hearing: Hearing::Partner,
        ..PLAIN
    }
}

const fn latency(name: &'static str, what: &'static str, qos: QoS) -> Scenario {
    Scenario {
        name,
        what,
        qos,
        kind: Kind::Latency,
        hearing: Hearing::Partner,
        ..PLAIN
    }
}

const fn offline(name: &'static str, what: &'static str, durable: bool) -> Scenario {
    Scenario {
        name,
        what,
        kind: Kind::Offline,
        qos: QoS::AtLeastOnce,
        hearing: Hearing::Partner,
        messages: Some(50_000),
        durable,
        ..PLAIN
    }
}

const fn idle(name: &'static str, what: &'static str, subscribes: bool) -> Scenario {
    Scenario {
        name,
        what,
        kind: Kind::Idle,
        publishers: 0,
        subscribers: 10_000,
        hearing: Hearing::Partner,
        subscribes,
        ..PLAIN
    }
}

/// All scenarios.
pub const SCENARIOS: &[Scenario] = &[
    fan_in(
        "fan-in-q0",
        "50 publishers, 1 subscriber, QoS 0, 64 bytes",
        QoS::AtMostOnce,
    ),
    fan_in(
        "fan-in-q1",
        "50 publishers, 1 subscriber, QoS 1, 64 bytes",
        QoS::AtLeastOnce,
    ),
    fan_in(
        "fan-in-q2",
        "50 publishers, 1 subscriber, QoS 2, 64 bytes",
        QoS::ExactlyOnce,
    ),
    fan_out(
        "fan-out-q0",
        "1 publisher, 500 subscribers, QoS 0, 64 bytes",
        QoS::AtMostOnce,
    ),
    fan_out(
        "fan-out-q1",
        "1 publisher, 500 subscribers, QoS 1, 64 bytes",
        QoS::AtLeastOnce,
    ),
    pairs(
        "pairs-q0",
        "100 publishers, each with a subscriber, QoS 0, 64 bytes",
        QoS::AtMostOnce,
    ),
    pairs(
        "pairs-q1",
        "100 publishers, each with a subscriber, QoS 1, 64 bytes",
        QoS::AtLeastOnce,
    ),
    pairs(
        "pairs-q2",
        "100 publishers, each with a subscriber, QoS 2, 64 bytes",
        QoS::ExactlyOnce,
    ),
    Scenario {
        topics: 1000,
        ..pairs(
            "subscriptions",
            "100 pairs with 1,000 topics each: publishing among 100,000 subscriptions",
            QoS::AtMostOnce,
        )
    },
    Scenario {
        name: "retained",
        what: "100,000 retained messages delivered to a new subscriber",
        kind: Kind::Retained,
        messages: Some(100_000),
        ..PLAIN
    },
    offline(
        "offline",
        "50,000 messages at QoS 1 for a subscriber that was away, in memory",
        false,
    ),
    offline(
        "offline-durable",
        "the same, where a broker can store what it promises",
        true,
    ),
    Scenario {
        name: "large",
        what: "messages of 1 MiB from one publisher to one subscriber, QoS 0",
        size: 1_048_576,
        hearing: Hearing::Partner,
        ..PLAIN
    },
    Scenario {
        name: "connect",
        what: "50 clients that connect and disconnect again and again",
        kind: Kind::Connect,
        publishers: 0,
        subscribers: 50,
        ..PLAIN
    },
    latency(
        "latency-q0",
        "one message at a time, QoS 0",
        QoS::AtMostOnce,
    ),
    latency(
        "latency-q1",
        "one message at a time, QoS 1",
        QoS::AtLeastOnce,
    ),
    idle("idle", "10,000 connections with a subscription each", true),
    idle(
        "idle-bare",
        "10,000 connections without a subscription",
        false,
    ),
];

/// The scenarios that a name stands for: one, those that begin with it, or `all`.
///
/// # Errors
/// There is none.
pub fn named(text: &str) -> Result<Vec<&'static Scenario>, UsageError> {
    if text == "all" {
        return Ok(SCENARIOS.iter().collect());
    }
    let exact: Vec<_> = SCENARIOS.iter().filter(|it| it.name == text).collect();
    let front = format!("{text}-q");
    let group = SCENARIOS.iter().filter(|it| it.name.starts_with(&front));
    let found: Vec<_> = exact.into_iter().chain(group).collect();
    if found.is_empty() {
        let names: Vec<_> = SCENARIOS.iter().map(|it| it.name).collect();
        return Err(
            UsageError::new(format!("There is no scenario '{text}'")).hint(format!(
                "Type all, or one of these: {}. fan-in stands for fan-in-q0, -q1 and -q2.",
                names.join(", ")
            )),
        );
    }
    Ok(found)
}

impl Scenario {
    /// As a plan; `in_flight` is how many messages the broker lets be unconfirmed.
    pub fn plan(&self, base: &Plan, in_flight: u64, duration: std::time::Duration) -> Plan {
        let is_counted = self.messages.is_some();
        let window = match (self.kind, self.qos) {
            (Kind::Latency, _) => 1,
            (_, QoS::AtMostOnce) => crate::options::window(QoS::AtMostOnce, self.size),
            _ => in_flight,
        };
        let topic = match (self.kind, self.topics) {
            (Kind::Messages | Kind::Latency | Kind::Offline | Kind::Idle, 1) => "bench/%i",
            _ => "bench/%i/%n",
        };
        Plan {
            publishers: self.publishers,
            subscribers: self.subscribers,
            hearing: self.hearing,
            topic: topic.to_owned(),
            topics: self.topics,
            qos: self.qos,
            subscribe_qos: self.qos,
            size: self.size,
            messages: self.messages,
            duration: (!is_counted).then_some(duration),
            window: Some(window),
            subscribes: self.subscribes,
            ..base.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_one_or_several() {
        let names =
            |text: &str| named(text).map(|all| all.iter().map(|it| it.name).collect::<Vec<_>>());
        assert_eq!(names("large").unwrap(), ["large"]);
        assert_eq!(
            names("fan-in").unwrap(),
            ["fan-in-q0", "fan-in-q1", "fan-in-q2"]
        );
        assert_eq!(names("offline").unwrap(), ["offline"]);
        assert_eq!(names("all").unwrap().len(), SCENARIOS.len());
        assert!(
            names("fan")
                .unwrap_err()
                .to_string()
                .contains("no scenario 'fan'")
        );
    }
}
