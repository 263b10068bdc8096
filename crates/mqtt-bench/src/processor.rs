//! How much of a processor a program uses.

use std::time::{Duration, Instant};

/// A stretch of time, and what this program used of a processor in it.
#[derive(Debug, Clone, Copy)]
pub struct Used {
    whole: Duration,
    busy: Duration,
    /// How long it wanted to work, and others had the processor.
    kept_waiting: Duration,
}

impl Used {
    /// From the beginning of the program until now; `None` where it cannot be known.
    pub fn now() -> Option<Used> {
        static BEGUN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        Some(Used {
            whole: BEGUN.get_or_init(Instant::now).elapsed(),
            busy: own_time()?,
            kept_waiting: own_wait(),
        })
    }

    /// From that moment until now.
    pub fn since(&self) -> Option<Used> {
        let now = Used::now()?;
        Some(Used {
            whole: now.whole.saturating_sub(self.whole),
            busy: now.busy.saturating_sub(self.busy),
            kept_waiting: now.kept_waiting.saturating_sub(self.kept_waiting),
        })
    }

    /// Which share of the time that it could have had it used: 1 means that it was the limit itself.
    pub fn share(&self) -> f64 {
        let could = self.whole.saturating_sub(self.kept_waiting);
        self.busy.as_secs_f64() / could.as_secs_f64().max(1e-9)
    }
}

/// How long this program's first thread, which does all the work, was kept from a processor.
fn own_wait() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// The processor time that this program has used; `None` where the system's call needs unsafe code.
#[cfg(unix)]
fn own_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanos))
}

/// The processor time that this program has used; `None` where the system's call needs unsafe code.
#[cfg(not(unix))]
fn own_time() -> Option<Duration> {
    None
}

/// Lets this program open as many connections as the system allows; how many that are, if known.
#[cfg(unix)]
pub fn raise_open_files() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, opening connections will tell.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current
}

/// There is no such limit on this system.
#[cfg(not(unix))]
pub fn raise_open_files() -> Option<u64> {
    None
}
