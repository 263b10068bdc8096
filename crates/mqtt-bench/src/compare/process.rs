//! What another process uses of processor and memory; known on Linux alone.

use std::time::Duration;

/// Whether anything is known here.
pub const IS_KNOWN: bool = cfg!(target_os = "linux");

/// The processor time of all threads of a process; `None` where it cannot be known.
#[cfg(target_os = "linux")]
pub fn processor_time(process: u32) -> Option<Duration> {
    let mut nanos = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).ok()? {
        // A thread may end while we look.
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat"));
        let first = text
            .ok()
            .and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        nanos += first.unwrap_or(0);
    }
    Some(Duration::from_nanos(nanos))
}

/// The memory of a process: bytes in use now, and the most there have been.
#[cfg(target_os = "linux")]
pub fn memory(process: u32) -> Option<(u64, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kib * 1024)
    };
    Some((field("VmRSS:")?, field("VmHWM:")?))
}

/// The processor time of all threads of a process; `None` where it cannot be known.
#[cfg(not(target_os = "linux"))]
pub fn processor_time(_process: u32) -> Option<Duration> {
    None
}

/// The memory of a process: bytes in use now, and the most there have been.
#[cfg(not(target_os = "linux"))]
pub fn memory(_process: u32) -> Option<(u64, u64)> {
    None
}
