//! How much of a processor a program uses.

use std::time::Duration;

/// The processor time that this program has used; `None` where the system's call needs unsafe code.
#[cfg(unix)]
pub fn own_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanos))
}

/// The processor time that this program has used; `None` where the system's call needs unsafe code.
#[cfg(not(unix))]
pub fn own_time() -> Option<Duration> {
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
