//! What figures depend on besides the brokers: machine, load, date, versions, and what a host takes away.

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

/// From this share on, what the host of a virtual machine took is worth a word.
const MUCH: f64 = 0.05;

/// How the processors' time was spent, in the system's ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    whole: u64,
    /// Ticks in which something here wanted to work, and the host let others.
    stolen: u64,
}

impl Spent {
    /// Since the machine was started; nothing where the system does not tell.
    pub fn now() -> Spent {
        first_line("/proc/stat", "cpu ").map_or_else(Spent::default, |line| Spent::read(&line))
    }

    /// The line begins with user, nice, system, idle, iowait, irq, softirq and steal; what follows is
    /// counted in these as well.
    fn read(line: &str) -> Spent {
        let ticks = line.split_whitespace().skip(1).take(8);
        let ticks: Vec<u64> = ticks.filter_map(|ticks| ticks.parse().ok()).collect();
        Spent {
            whole: ticks.iter().sum(),
            stolen: ticks.get(7).copied().unwrap_or(0),
        }
    }

    /// The share of the processors' time from then until now that was stolen.
    pub fn stolen(self, now: Spent) -> f64 {
        let whole = now.whole.saturating_sub(self.whole).max(1);
        now.stolen.saturating_sub(self.stolen) as f64 / whole as f64
    }
}

/// Whether this share makes figures worse than they could be.
pub fn is_much(stolen: f64) -> bool {
    stolen >= MUCH
}

/// What is to be said where the host took this share of the rounds that count.
pub fn complaint(stolen: f64) -> String {
    if !is_much(stolen) {
        return String::new();
    }
    format!(
        "  The host of this virtual machine took {:.0} % of the processors' time away or more: figures are worse than\n  \
         they could be, and not alike. Try --pause 15s: a host that lends its processors lets them rest.\n",
        stolen * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_that_the_host_takes_is_worth_a_word() {
        let before = Spent::read("cpu  100 0 50 800 10 0 0 40 7 0");
        assert_eq!((before.whole, before.stolen), (1000, 40));
        let little = before.stolen(Spent::read("cpu  180 0 60 800 10 0 0 44 9 0"));
        let much = before.stolen(Spent::read("cpu  150 0 60 820 10 0 0 60 9 0"));
        assert!(!is_much(little) && is_much(much));
        assert_eq!(complaint(little), "");
        let said = complaint(much);
        assert!(said.contains("took 20 % of"), "{said}");
        // Where nothing is known, nothing is said.
        assert_eq!(Spent::default().stolen(Spent::read("")), 0.0);
    }
}
