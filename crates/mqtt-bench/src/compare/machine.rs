//! What figures depend on besides the brokers: machine, load, date, versions.

use std::fmt::Write;

use super::candidate::Candidate;
use super::process;

/// All of it, in lines.
pub fn described(candidates: &[Candidate]) -> String {
    let mut text = String::new();
    for (name, value) in facts(candidates) {
        let _ = writeln!(text, "{name:<10} {value}");
    }
    text
}

/// Names and values.
pub fn facts(candidates: &[Candidate]) -> Vec<(&'static str, String)> {
    let date = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M").to_string();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let model = first_line("/proc/cpuinfo", "model name");
    let model = model.as_deref().map_or("processor", |line| {
        line.split_once(':').map_or(line, |(_, model)| model.trim())
    });
    let kernel = first_line("/proc/sys/kernel/osrelease", "").unwrap_or_default();
    let load = first_line("/proc/loadavg", "").unwrap_or_default();
    let load: Vec<_> = load.split(' ').take(3).collect();
    let versions = candidates
        .iter()
        .map(|it| format!("{} {}", it.name, it.version));
    let versions: Vec<_> = versions.map(|it| it.trim_end().to_owned()).collect();
    let mut facts = vec![
        ("date", date),
        (
            "machine",
            format!("{cores} x {model}, {} {kernel}", std::env::consts::OS),
        ),
        ("load", load.join(" ")),
        ("brokers", versions.join(", ")),
        (
            "generator",
            format!("mqtt-bench {}, one thread", env!("CARGO_PKG_VERSION")),
        ),
    ];
    if !process::IS_KNOWN {
        let why = "processor time and memory of brokers are measured on Linux only";
        facts.push(("note", why.to_owned()));
    }
    facts
}

/// The first line of a file that begins like this.
fn first_line(path: &str, front: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(front))?;
    Some(line.trim().to_owned())
}
