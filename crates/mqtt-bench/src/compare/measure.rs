//! One run of one scenario against one broker.

use std::time::Duration;

use mqtt_common::signals::Signals;
use mqtt_net::Target;

use super::candidate::Candidate;
use super::process;
use super::scenario::{Kind, Scenario};
use crate::connections;
use crate::load::run::{Outcome, Watch, run};
use crate::load::trouble::Trouble;
use crate::plan::Plan;
use crate::processor::Used;
use crate::report::text::BUSY;
use crate::stored::{self, Stored};

/// What a run came to; what does not apply or cannot be known is `None`.
#[derive(Debug, Default, Clone)]
pub struct Measure {
    /// Messages or connections a second.
    pub rate: Option<f64>,
    /// Bytes of payload a second.
    pub volume: Option<f64>,
    /// Processor time of the broker for each of them, in microseconds.
    pub processor: Option<f64>,
    /// The most memory of the broker, in bytes.
    pub memory: Option<f64>,
    /// Memory of the broker for each idle connection, in bytes.
    pub memory_each: Option<f64>,
    /// Times on the way in microseconds: 50, 99 and 99.9 of 100 took at most so long.
    pub latency: Option<[f64; 3]>,
    /// Messages lost.
    pub lost: u64,
    /// Whether this program was busy with itself and could have done no more.
    pub is_limited: bool,
    /// The share of the processors' time that the host of a virtual machine took away.
    pub stolen: f64,
    /// Why there is no result.
    pub failed: Option<String>,
    /// Whether the user has ended it.
    pub interrupted: bool,
}

/// Looks at the broker when the measured part begins and ends.
struct Witness {
    process: u32,
    before: Option<Duration>,
    used: Option<Duration>,
    memory_before: Option<u64>,
    memory_after: Option<u64>,
}

impl Watch for Witness {
    fn began(&mut self) {
        self.before = process::processor_time(self.process);
    }

    fn ended(&mut self) {
        let now = process::processor_time(self.process);
        self.used = now
            .zip(self.before)
            .map(|(now, before)| now.saturating_sub(before));
        self.memory_after = process::memory(self.process).map(|(now, _)| now);
    }
}

/// Starts the broker, does what the scenario says, and ends the broker.
pub async fn measure(
    base: &Plan,
    scenario: &Scenario,
    candidate: &Candidate,
    duration: Duration,
    signals: &mut Signals,
) -> Measure {
    let mut broker = match candidate.start(scenario.durable) {
        Ok(broker) => broker,
        Err(error) => return failed(&format!("it cannot be started: {error}")),
    };
    let mut plan = scenario.plan(base, candidate.in_flight(), duration);
    let host = "127.0.0.1".to_owned();
    plan.common.way.target = Target::Tcp {
        host,
        port: broker.port,
    };
    let mut witness = Witness {
        process: broker.process(),
        before: None,
        used: None,
        memory_before: process::memory(broker.process()).map(|(now, _)| now),
        memory_after: None,
    };
    let mut measure = match scenario.kind {
        Kind::Messages | Kind::Latency => {
            let outcome = run(&plan, &mut witness, signals).await;
            of_messages(&outcome, &witness)
        }
        Kind::Retained => of_stored(
            &stored::retain(&plan, &mut witness, signals).await,
            &witness,
        ),
        Kind::Offline => of_stored(&stored::queue(&plan, &mut witness, signals).await, &witness),
        Kind::Connect => connect(plan, &mut witness, signals).await,
        Kind::Idle => {
            let outcome = run(&plan, &mut witness, signals).await;
            of_idle(&outcome, &witness)
        }
    };
    measure.memory = process::memory(broker.process()).map(|(_, most)| most as f64);
    if measure.failed.is_some() && broker.has_ended() {
        measure.failed = Some("the broker has ended".to_owned());
    }
    measure
}

/// A run that came to nothing.
pub fn failed(why: &str) -> Measure {
    Measure {
        failed: Some(why.to_owned()),
        ..Measure::default()
    }
}

fn of_messages(outcome: &Outcome, witness: &Witness) -> Measure {
    if let Some(trouble) = &outcome.trouble {
        return failed(&trouble.sentence());
    }
    let seconds = outcome.span.as_secs_f64().max(1e-9);
    let delivered = outcome.delivered as f64;
    let micros = |share: f64| outcome.latencies.value_at_quantile(share) as f64 / 1e3;
    let latency =
        (!outcome.latencies.is_empty()).then(|| [micros(0.5), micros(0.99), micros(0.999)]);
    Measure {
        rate: Some(delivered / seconds),
        volume: Some(outcome.bytes as f64 / seconds),
        processor: each(witness.used, outcome.delivered),
        latency,
        lost: outcome.lost(),
        is_limited: outcome.load().is_some_and(|load| load >= BUSY),
        failed: (outcome.delivered == 0).then(|| "nothing arrived".to_owned()),
        interrupted: outcome.interrupted,
        ..Measure::default()
    }
}

fn of_stored(stored: &Stored, witness: &Witness) -> Measure {
    match &stored.fetched {
        Some(fetched) => of_messages(fetched, witness),
        None => {
            let trouble = stored.given.trouble.as_ref();
            let mut measure =
                failed(&trouble.map_or_else(|| "stopped".to_owned(), Trouble::sentence));
            measure.interrupted = stored.given.interrupted;
            measure
        }
    }
}

fn of_idle(outcome: &Outcome, witness: &Witness) -> Measure {
    if let Some(trouble) = &outcome.trouble {
        return failed(&trouble.sentence());
    }
    let grown = witness.memory_after.zip(witness.memory_before);
    let grown = grown.map(|(after, before)| after.saturating_sub(before) as f64);
    Measure {
        rate: Some(outcome.opened as f64 / outcome.opening.as_secs_f64().max(1e-9)),
        memory_each: grown.map(|grown| grown / outcome.opened.max(1) as f64),
        interrupted: outcome.interrupted,
        ..Measure::default()
    }
}

async fn connect(mut plan: Plan, witness: &mut Witness, signals: &mut Signals) -> Measure {
    plan.messages = Some(u64::MAX);
    let before = Used::now();
    witness.began();
    let cycles = connections::cycle(&plan, signals).await;
    witness.ended();
    let load = before.and_then(|before| before.since());
    if let Some(trouble) = &cycles.trouble {
        return failed(&trouble.sentence());
    }
    let micros = |share: f64| cycles.times.value_at_quantile(share) as f64 / 1e3;
    Measure {
        rate: Some(cycles.count as f64 / cycles.span.as_secs_f64().max(1e-9)),
        processor: each(witness.used, cycles.count),
        latency: Some([micros(0.5), micros(0.99), micros(0.999)]),
        is_limited: load.is_some_and(|load| load.share() >= BUSY),
        interrupted: cycles.interrupted,
        ..Measure::default()
    }
}

fn each(used: Option<Duration>, count: u64) -> Option<f64> {
    used.filter(|_| count > 0)
        .map(|used| used.as_secs_f64() * 1e6 / count as f64)
}
