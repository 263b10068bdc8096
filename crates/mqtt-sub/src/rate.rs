//! `--message-rate`: how many messages come in a second, instead of the messages.

use std::time::Duration;

use mqtt_common::screen::Screen;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Counts, and says how many once a second.
#[derive(Debug)]
pub struct Rate {
    ticks: Interval,
    count: u64,
}

impl Rate {
    /// Starts to count.
    pub fn start() -> Rate {
        let second = Duration::from_secs(1);
        let mut ticks = interval(second);
        ticks.reset();
        // After a second without the processor, one line and not several of them at once.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Rate { ticks, count: 0 }
    }

    /// A message has come.
    pub fn count(&mut self) {
        self.count += 1;
    }

    /// Waits until a second is over. May be dropped and called again.
    pub async fn tick(&mut self) {
        self.ticks.tick().await;
    }

    /// Says how many it were. A terminal has one line for it, that changes.
    pub fn show(&mut self, screen: &mut Screen) {
        let text = format!("{} msgs/s", std::mem::take(&mut self.count));
        if screen.is_terminal() {
            screen.text(&format!("\r\x1b[K{text}"));
        } else {
            screen.line(&text);
        }
    }

    /// Leaves the line on the terminal.
    pub fn end(&self, screen: &mut Screen) {
        if screen.is_terminal() {
            screen.line("");
        }
    }
}
