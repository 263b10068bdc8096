//! The result of a run for programs: the same fields as JSON and as CSV.

use serde_json::Value;

use crate::figures::per_second;
use crate::load::run::Outcome;
use crate::plan::Plan;

/// All fields, by name. Times are in microseconds, `seconds` apart.
pub fn fields(command: &str, plan: &Plan, outcome: &Outcome) -> Vec<(&'static str, Value)> {
    let latencies = &outcome.latencies;
    let micros = |share: f64| match latencies.is_empty() {
        true => Value::Null,
        false => (latencies.value_at_quantile(share) as f64 / 1e3).into(),
    };
    vec![
        ("command", command.into()),
        ("publishers", plan.publishers.into()),
        ("subscribers", plan.subscribers.into()),
        ("qos", (plan.qos as u8).into()),
        ("payload_bytes", plan.size.into()),
        ("seconds", outcome.span.as_secs_f64().into()),
        ("connections", outcome.opened.into()),
        (
            "connections_per_second",
            per_second(outcome.opened, outcome.opening).into(),
        ),
        ("connections_lost", outcome.broken.into()),
        ("published", outcome.sent.into()),
        (
            "published_per_second",
            per_second(outcome.sent, outcome.span).into(),
        ),
        ("confirmed", outcome.confirmed.into()),
        ("refused", outcome.refused.into()),
        ("expected", outcome.expected.into()),
        ("received", outcome.delivered.into()),
        (
            "received_per_second",
            per_second(outcome.delivered, outcome.span).into(),
        ),
        ("received_bytes", outcome.bytes.into()),
        ("lost", outcome.lost().into()),
        ("duplicates", outcome.duplicates.into()),
        ("out_of_order", outcome.late.into()),
        ("from_others", outcome.foreign.into()),
        ("p50_us", micros(0.5)),
        ("p90_us", micros(0.9)),
        ("p99_us", micros(0.99)),
        ("p99.9_us", micros(0.999)),
        ("max_us", micros(1.0)),
        ("generator_load", outcome.load().into()),
    ]
}

/// One object, with the run in tenths of a second.
pub fn json(command: &str, plan: &Plan, outcome: &Outcome) -> String {
    let mut object: serde_json::Map<_, _> = fields(command, plan, outcome)
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let samples = outcome.samples.iter().map(|sample| {
        serde_json::json!({
            "seconds": sample.at.as_secs_f64(),
            "published": sample.sent,
            "received": sample.arrived,
            "p50_us": sample.median as f64 / 1e3,
            "p99_us": sample.p99 as f64 / 1e3,
        })
    });
    object.insert("samples".to_owned(), samples.collect());
    format!("{:#}", Value::from(object))
}

/// A line of names and a line of values; none of them has a comma.
pub fn csv(command: &str, plan: &Plan, outcome: &Outcome) -> String {
    lines(&fields(command, plan, outcome))
}

/// Fields as CSV.
pub fn lines(fields: &[(&'static str, Value)]) -> String {
    let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    let value = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let values: Vec<_> = fields.iter().map(|(_, it)| value(it)).collect();
    format!("{}\n{}\n", names.join(","), values.join(","))
}
