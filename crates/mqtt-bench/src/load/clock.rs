//! The time in messages: nanoseconds since 1970 that never go back within a run.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that was set once by the system's, so that the times of programs on one computer can be
/// compared, and runs evenly from then on.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    /// Nanoseconds since 1970 at `started`.
    origin: u64,
}

impl Clock {
    /// Sets it.
    pub fn new() -> Clock {
        let origin = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Clock {
            started: Instant::now(),
            origin: nanos(origin),
        }
    }

    /// Nanoseconds since 1970.
    pub fn now(&self) -> u64 {
        self.origin + nanos(self.started.elapsed())
    }
}

/// A time span in nanoseconds; 584 years are the most.
pub fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
