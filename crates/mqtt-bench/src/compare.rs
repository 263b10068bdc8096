//! `compare`: the same scenario against several brokers in turn, and what each of them needs for it.
//!
//! [`candidate`] is a broker that can be started, [`scenario`] what is done with it, [`measure`] what one
//! run came to, and [`table`] the medians side by side. Brokers take turns (A B A B), each run on a fresh
//! one in an empty folder, so that what else happens on the machine meets all of them.

pub mod candidate;
pub mod machine;
pub mod measure;
pub mod process;
pub mod rumqttd;
pub mod scenario;
pub mod table;

use std::time::Duration;

use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::flags::{Said, UsageError};
use mqtt_common::signals::Signals;
use mqtt_common::value;

use crate::options::Options;
use crate::report::Form;
use crate::say::{say, say_line};
use candidate::Candidate;
use measure::Measure;
use scenario::{SCENARIOS, Scenario};

/// How long each run publishes, unless told otherwise.
const DURATION: Duration = Duration::from_secs(3);
const ROUNDS: u64 = 3;

/// What is to be compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What is done.
    pub scenarios: Vec<&'static Scenario>,
    /// With whom; ours is first.
    pub candidates: Vec<Candidate>,
    /// How often.
    pub rounds: u64,
    /// How long each time, where a scenario has no number of messages.
    pub duration: Duration,
    /// How long nothing is done before each run.
    pub pause: Duration,
}

impl Comparison {
    /// Judges what was said.
    ///
    /// # Errors
    /// A scenario or a broker is unknown.
    pub fn new(said: &Said) -> Result<Comparison, UsageError> {
        let mut scenarios = Vec::new();
        for name in said.texts("scenario")? {
            scenarios.extend(scenario::named(name)?);
        }
        if scenarios.is_empty() {
            scenarios = SCENARIOS.iter().collect();
        }
        Ok(Comparison {
            scenarios,
            candidates: candidate::found(said)?,
            rounds: said.meaning("rounds", value::count)?.unwrap_or(ROUNDS),
            duration: said
                .meaning("duration", value::duration)?
                .unwrap_or(DURATION),
            pause: said.meaning("pause", value::duration)?.unwrap_or_default(),
        })
    }
}

/// What one candidate has come to in one scenario.
#[derive(Debug)]
pub struct Row {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The candidate's place in the list.
    pub candidate: usize,
    /// All rounds.
    pub measures: Vec<Measure>,
}

/// Does it and tells about it.
pub async fn run(
    options: &Options,
    comparison: &Comparison,
    console: &Console,
    signals: &mut Signals,
) -> Exit {
    let is_text = options.form == Form::Text;
    if is_text {
        say!("{}", machine::described(&comparison.candidates));
    }
    let mut rows = Vec::new();
    let mut is_stopped = false;
    for scenario in &comparison.scenarios {
        let first = rows.len();
        rows.extend((0..comparison.candidates.len()).map(|candidate| Row {
            scenario,
            candidate,
            measures: Vec::new(),
        }));
        'rounds: for round in 0..comparison.rounds {
            for row in &mut rows[first..] {
                let measured = take_turn(options, comparison, row, signals).await;
                if let Some(why) = &measured.failed {
                    console.note(&format!(
                        "{}: {} in round {}: {why}.",
                        scenario.name,
                        comparison.candidates[row.candidate].name,
                        round + 1
                    ));
                }
                is_stopped = measured.interrupted;
                row.measures.push(measured);
                if is_stopped {
                    break 'rounds;
                }
            }
        }
        if is_text {
            let rows = &rows[first..];
            // One broker without a calm round is enough to spoil the ratios.
            let complaint = machine::complaint(rows.iter().map(table::stolen).fold(0.0, f64::max));
            say!("{}{complaint}", table::text(comparison, rows));
        }
        if is_stopped {
            break;
        }
    }
    match options.form {
        Form::Text => {}
        Form::Json => say_line!("{}", table::json(comparison, &rows)),
        Form::Csv => say!("{}", table::csv(comparison, &rows)),
    }
    if is_stopped {
        Exit::INTERRUPTED
    } else {
        Exit::DONE
    }
}

/// Rests, and then lets one candidate do once what a scenario says.
async fn take_turn(
    options: &Options,
    comparison: &Comparison,
    row: &Row,
    signals: &mut Signals,
) -> Measure {
    if !comparison.pause.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(comparison.pause) => {}
            () = signals.stop() => {
                return Measure {
                    interrupted: true,
                    ..measure::failed("stopped")
                };
            }
        }
    }
    let candidate = &comparison.candidates[row.candidate];
    let before = machine::Spent::now();
    let duration = comparison.duration;
    let measured =
        measure::measure(&options.plan, row.scenario, candidate, duration, signals).await;
    Measure {
        stolen: before.stolen(machine::Spent::now()),
        ..measured
    }
}
