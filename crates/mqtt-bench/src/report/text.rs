//! The result of a run as text for people.

use std::fmt::Write;

use mqtt_proto::QoS;

use crate::figures::{bytes, count, nanos, number, of, per_second, span};
use crate::load::run::Outcome;
use crate::options::Options;
use crate::plan::Plan;

/// From this share of a core on, the generator is what limits the run.
pub const BUSY: f64 = 0.9;

/// What is going to be done, in a line.
pub fn intro(options: &Options) -> String {
    let plan = &options.plan;
    let mut who = Vec::new();
    if plan.publishers > 0 {
        who.push(of(plan.publishers as u64, "publisher"));
    }
    if plan.subscribers > 0 {
        let word = if options.command == "conn" {
            "connection"
        } else {
            "subscriber"
        };
        who.push(of(plan.subscribers as u64, word));
    }
    let what = if options.command == "conn" {
        String::new()
    } else {
        let size = if plan.publishers > 0 {
            format!(
                ", {} a message",
                bytes(plan.size as f64).replace(".0 ", " ")
            )
        } else {
            String::new()
        };
        format!(", QoS {}{size}", plan.qos)
    };
    let common = &plan.common;
    let place = match common.port {
        0 => common.host.clone(),
        port => format!("{} port {port}", common.host),
    };
    format!("{}: {}{what}, at {place}", options.command, who.join(", "))
}

/// One line of the summary.
pub fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<22}{value}");
}

/// The summary of a run.
pub fn summary(plan: &Plan, outcome: &Outcome) -> String {
    let mut text = String::new();
    if plan.publishers > 0 {
        line(&mut text, "published", &published(plan, outcome));
    }
    if plan.publishers > 0 && plan.qos != QoS::AtMostOnce {
        line(&mut text, "confirmed", &count(outcome.confirmed));
        if outcome.refused > 0 {
            line(&mut text, "refused by the broker", &count(outcome.refused));
        }
    }
    if plan.subscribers > 0 {
        received(&mut text, outcome);
    }
    latencies(&mut text, plan, outcome);
    if outcome.broken > 0 {
        line(&mut text, "connections lost", &count(outcome.broken));
    }
    processor(&mut text, outcome);
    text
}

fn published(plan: &Plan, outcome: &Outcome) -> String {
    let mut value = of(outcome.sent, "message");
    let rate = per_second(outcome.sent, outcome.span);
    let _ = write!(
        value,
        " in {}: {} a second",
        span(outcome.span),
        number(rate)
    );
    if let Some(asked) = plan.rate.filter(|asked| rate < asked * 0.95) {
        let _ = write!(value, " (asked: {})", number(asked));
    }
    value
}

fn received(text: &mut String, outcome: &Outcome) {
    let rate = per_second(outcome.delivered, outcome.span);
    let volume = outcome.bytes as f64 / outcome.span.as_secs_f64().max(1e-9);
    let value = format!(
        "{}: {} a second, {} a second",
        of(outcome.delivered, "message"),
        number(rate),
        bytes(volume)
    );
    line(text, "received", &value);
    let share = outcome.lost() as f64 * 100.0 / outcome.expected.max(1) as f64;
    let lost = match outcome.lost() {
        0 => "none".to_owned(),
        lost => format!(
            "{} ({} % of {})",
            count(lost),
            number(share),
            count(outcome.expected)
        ),
    };
    line(text, "lost", &lost);
    let some = |number| {
        if number == 0 {
            "none".to_owned()
        } else {
            count(number)
        }
    };
    line(text, "received twice", &some(outcome.duplicates));
    line(text, "out of order", &some(outcome.late));
    if outcome.foreign > 0 {
        line(text, "from others", &count(outcome.foreign));
    }
}

fn latencies(text: &mut String, plan: &Plan, outcome: &Outcome) {
    let latencies = &outcome.latencies;
    if latencies.is_empty() {
        return;
    }
    let name = match plan.subscribers {
        0 => "time until confirmed",
        _ => "time on the way",
    };
    let at = |share: f64| nanos(latencies.value_at_quantile(share / 100.0));
    line(text, name, &format!("half within {}", at(50.0)));
    for share in [90.0, 99.0, 99.9] {
        line(text, "", &format!("{share} % within {}", at(share)));
    }
    line(text, "", &format!("longest {}", nanos(latencies.max())));
}

/// What the generator itself used.
pub fn processor(text: &mut String, outcome: &Outcome) {
    let Some(load) = outcome.load() else { return };
    line(
        text,
        "this program used",
        &format!("{} % of a processor core", number(load * 100.0)),
    );
    if load >= BUSY {
        line(
            text,
            "",
            "so it was the limit itself: the broker may be able to do more",
        );
    }
}
