//! How much memory this process has in use, where the system tells.

/// Bytes of memory that are resident.
#[cfg(target_os = "linux")]
pub(crate) fn in_use() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Other systems are not asked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn in_use() -> Option<u64> {
    None
}
