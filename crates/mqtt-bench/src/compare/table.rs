//! The medians of all rounds side by side, with the ratio to ours: as text, JSON and CSV.

use std::fmt::Write;

use serde_json::{Value, json};

use super::measure::Measure;
use super::scenario::Kind;
use super::{Comparison, Row, machine};
use crate::figures::{bytes, count, number};

/// One thing that is compared.
struct Column {
    /// Its name in JSON and CSV.
    name: &'static str,
    /// Its heading in text.
    heading: &'static str,
    value: fn(&Measure) -> Option<f64>,
    show: fn(f64) -> String,
}

const RATE: Column = Column {
    name: "per_second",
    heading: "messages/s",
    value: |it| it.rate,
    show: number,
};
const CONNECTIONS: Column = Column {
    heading: "connections/s",
    ..RATE
};
const VOLUME: Column = Column {
    name: "bytes_per_second",
    heading: "payload/s",
    value: |it| it.volume,
    show: bytes,
};
const PROCESSOR: Column = Column {
    name: "broker_cpu_us_each",
    heading: "CPU µs each",
    value: |it| it.processor,
    show: number,
};
const P50: Column = Column {
    name: "p50_us",
    heading: "50 % in µs",
    value: |it| it.latency.map(|it| it[0]),
    show: number,
};
const P99: Column = Column {
    name: "p99_us",
    heading: "99 % in µs",
    value: |it| it.latency.map(|it| it[1]),
    show: number,
};
const P999: Column = Column {
    name: "p99.9_us",
    heading: "99.9 % in µs",
    value: |it| it.latency.map(|it| it[2]),
    show: number,
};
const MEMORY: Column = Column {
    name: "memory_bytes",
    heading: "memory",
    value: |it| it.memory,
    show: bytes,
};
const MEMORY_EACH: Column = Column {
    name: "memory_bytes_each",
    heading: "memory each",
    value: |it| it.memory_each,
    show: bytes,
};
const ALL: [&Column; 8] = [
    &RATE,
    &VOLUME,
    &PROCESSOR,
    &P50,
    &P99,
    &P999,
    &MEMORY,
    &MEMORY_EACH,
];

/// What matters in a scenario.
fn columns(kind: Kind, name: &str) -> Vec<&'static Column> {
    match kind {
        Kind::Messages if name == "large" => vec![&VOLUME, &PROCESSOR, &P50, &P99, &MEMORY],
        Kind::Messages => vec![&RATE, &PROCESSOR, &P50, &P99, &MEMORY],
        Kind::Latency => vec![&P50, &P99, &P999, &PROCESSOR, &MEMORY],
        Kind::Retained | Kind::Offline => vec![&RATE, &PROCESSOR, &MEMORY],
        Kind::Connect => vec![&CONNECTIONS, &PROCESSOR, &P50, &P99, &MEMORY],
        Kind::Idle => vec![&MEMORY_EACH, &CONNECTIONS, &MEMORY],
    }
}

/// The rounds that count: those with a result, and of these the ones that the host left alone, if there
/// are any.
fn counted(row: &Row) -> Vec<&Measure> {
    let good = row.measures.iter().filter(|it| it.failed.is_none());
    let (calm, disturbed): (Vec<_>, Vec<_>) = good.partition(|it| !machine::is_much(it.stolen));
    if calm.is_empty() { disturbed } else { calm }
}

/// The least share of the processors' time that the host took in one of the rounds that count; 0 if there is none.
pub fn stolen(row: &Row) -> f64 {
    let shares = counted(row).into_iter().map(|it| it.stolen);
    shares.min_by(f64::total_cmp).unwrap_or(0.0)
}

/// The median of what is there; of an even number the mean of the two in the middle.
fn median(row: &Row, column: &Column) -> Option<f64> {
    let counted = counted(row).into_iter();
    let mut values: Vec<f64> = counted.filter_map(column.value).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// The rows of one scenario as a table.
pub fn text(comparison: &Comparison, rows: &[Row]) -> String {
    let Some(first) = rows.first() else {
        return String::new();
    };
    let scenario = first.scenario;
    let mut text = format!("\n{}: {}\n", scenario.name, scenario.what);
    let columns = columns(scenario.kind, scenario.name);
    let _ = write!(text, "  {:<18}", "");
    for column in &columns {
        let _ = write!(text, "{:>22}", column.heading);
    }
    text.push_str("  lost\n");
    for row in rows {
        let _ = write!(text, "  {:<18}", comparison.candidates[row.candidate].name);
        for column in &columns {
            let value = median(row, column);
            let ours = median(first, column);
            let ratio = match (value, ours) {
                (Some(value), Some(ours)) if row.candidate != first.candidate && ours > 0.0 => {
                    format!(" ({}x)", number(value / ours))
                }
                _ => String::new(),
            };
            let value = value.map_or("-".to_owned(), column.show);
            let _ = write!(text, "{:>22}", format!("{value}{ratio}"));
        }
        let _ = writeln!(text, "  {}", remarks(row));
    }
    text
}

/// Messages lost in rounds that have a result.
fn lost(row: &Row) -> u64 {
    let good = row.measures.iter().filter(|it| it.failed.is_none());
    good.map(|it| it.lost).sum()
}

/// What else there is to know: loss, failures, a busy generator.
fn remarks(row: &Row) -> String {
    let lost = lost(row);
    let failed = row.measures.iter().filter(|it| it.failed.is_some()).count();
    let limited = row.measures.iter().filter(|it| it.is_limited).count();
    let mut text = if lost == 0 {
        "none".to_owned()
    } else {
        count(lost)
    };
    if failed > 0 {
        let _ = write!(text, "; failed {failed} of {}", row.measures.len());
    }
    let left_out = row.measures.len() - failed - counted(row).len();
    if left_out > 0 {
        let _ = write!(text, "; not counted {left_out}, which the host disturbed");
    }
    if limited > 0 {
        let _ = write!(text, "; mqtt-bench itself was the limit in {limited}");
    }
    text
}

/// Everything, with each round.
pub fn json(comparison: &Comparison, rows: &[Row]) -> String {
    let facts = machine::facts(&comparison.candidates);
    let facts: serde_json::Map<_, _> = facts
        .into_iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    let results: Vec<Value> = rows.iter().map(|row| of_row(comparison, row)).collect();
    let all = json!({ "conditions": facts, "rounds": comparison.rounds, "results": results });
    format!("{all:#}")
}

fn of_row(comparison: &Comparison, row: &Row) -> Value {
    let medians: serde_json::Map<_, _> = ALL
        .iter()
        .map(|column| (column.name.to_owned(), Value::from(median(row, column))))
        .collect();
    let rounds: Vec<Value> = row.measures.iter().map(of_round).collect();
    json!({
        "scenario": row.scenario.name,
        "broker": comparison.candidates[row.candidate].name,
        "version": comparison.candidates[row.candidate].version,
        "median": medians,
        "counted": counted(row).len(),
        "rounds": rounds,
    })
}

fn of_round(measure: &Measure) -> Value {
    let mut fields: serde_json::Map<_, _> = ALL
        .iter()
        .map(|column| (column.name.to_owned(), Value::from((column.value)(measure))))
        .collect();
    fields.insert("lost".to_owned(), measure.lost.into());
    fields.insert("stolen".to_owned(), measure.stolen.into());
    fields.insert(
        "generator_was_the_limit".to_owned(),
        measure.is_limited.into(),
    );
    fields.insert("failed".to_owned(), measure.failed.clone().into());
    fields.into()
}

/// The medians, a line for each scenario and broker.
pub fn csv(comparison: &Comparison, rows: &[Row]) -> String {
    let mut text = "scenario,broker,version".to_owned();
    for column in ALL {
        let _ = write!(text, ",{}", column.name);
    }
    text.push_str(",lost,failed_rounds,rounds\n");
    for row in rows {
        let candidate = &comparison.candidates[row.candidate];
        let _ = write!(
            text,
            "{},{},{}",
            row.scenario.name,
            candidate.name.replace([',', '"'], " "),
            candidate.version
        );
        for column in ALL {
            let value = median(row, column).map_or(String::new(), |value| format!("{value:.4}"));
            let _ = write!(text, ",{value}");
        }
        let lost = lost(row);
        let failed = row.measures.iter().filter(|it| it.failed.is_some()).count();
        let _ = writeln!(text, ",{lost},{failed},{}", row.measures.len());
    }
    text
}
