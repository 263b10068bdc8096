//! The engine's time: milliseconds that only go forward, handed in with every event.

use std::ops::Add;
use std::time::Duration;

/// A moment, in milliseconds.
///
/// The program counts them from the Unix epoch at its start and then by a clock that never goes
/// back; a test counts them as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// How long ago `earlier` was; nothing if it is not in the past.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// This many whole seconds later.
    pub fn plus_seconds(self, seconds: u32) -> Time {
        Time(self.0.saturating_add(u64::from(seconds) * 1000))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, later: Duration) -> Time {
        Time(
            self.0
                .saturating_add(u64::try_from(later.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}
