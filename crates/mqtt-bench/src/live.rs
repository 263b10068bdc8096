//! One line on the terminal that moves while a run goes on.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::figures::{count, number};
use crate::load::run::{Progress, Watch};
use crate::load::shared::Phase;
use crate::plan::Plan;

/// Rates are of about this time.
const WINDOW: Duration = Duration::from_secs(1);

/// The line, and what it needs to know of the past.
pub struct Live {
    bar: ProgressBar,
    duration: Option<Duration>,
    messages: Option<u64>,
    /// Time, messages published and messages received, when the rates were taken last.
    before: (Duration, u64, u64),
    rates: (f64, f64),
}

impl Live {
    /// A line for a run; it is not there unless stderr is a terminal.
    pub fn new(plan: &Plan, is_wanted: bool) -> Live {
        let bar = if is_wanted && stderr().is_terminal() {
            ProgressBar::new(1000)
        } else {
            ProgressBar::hidden()
        };
        let has_end = plan.messages.is_some() || plan.duration.is_some();
        let template = if has_end {
            "{bar:24} {percent:>3} %  {msg}"
        } else {
            "{spinner} {msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Live {
            bar,
            duration: plan.duration,
            messages: plan.messages,
            before: (Duration::ZERO, 0, 0),
            rates: (0.0, 0.0),
        }
    }

    /// How far the run is, of 1000.
    fn position(&self, progress: &Progress) -> u64 {
        let of_time = self.duration.map_or(0.0, |all| {
            progress.elapsed.as_secs_f64() / all.as_secs_f64().max(1e-9)
        });
        let of_messages = self.messages.map_or(0.0, |all| {
            let done = if progress.sent > 0 {
                progress.sent
            } else {
                progress.delivered
            };
            done as f64 / all.max(1) as f64
        });
        // From 0 to 1000.
        (of_time.max(of_messages).min(1.0) * 1000.0) as u64
    }

    fn words(&mut self, progress: &Progress) -> String {
        if progress.phase == Phase::Opening {
            return format!("{} connections", count(progress.opened));
        }
        let (time, sent, delivered) = self.before;
        let past = progress.elapsed.saturating_sub(time);
        // In the first second there is less to take a rate of.
        if past >= WINDOW || time.is_zero() {
            let seconds = past.as_secs_f64().max(1e-9);
            self.rates = (
                progress.sent.saturating_sub(sent) as f64 / seconds,
                progress.delivered.saturating_sub(delivered) as f64 / seconds,
            );
            if past >= WINDOW {
                self.before = (progress.elapsed, progress.sent, progress.delivered);
            }
        }
        let waiting = if progress.phase == Phase::Draining {
            ", waiting for the last"
        } else {
            ""
        };
        format!(
            "{} published ({}/s), {} received ({}/s){waiting}",
            count(progress.sent),
            number(self.rates.0),
            count(progress.delivered),
            number(self.rates.1)
        )
    }
}

impl Watch for Live {
    fn tick(&mut self, progress: &Progress) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(self.position(progress));
        let words = self.words(progress);
        self.bar.set_message(words);
    }

    fn ended(&mut self) {
        self.bar.finish_and_clear();
    }
}
