//! What a service manager is told: that the broker is ready, lives, and ends. One such as systemd hears
//! it through a socket; on Windows the broker can be installed as one.

#[cfg(windows)]
mod windows;

#[cfg(windows)]
pub use windows::{carry_out, complain, has_begun, keep_log, stopped};

use std::time::Duration;

/// The way to the service manager, if there is one.
pub struct ServiceManager {
    #[cfg(unix)]
    socket: Option<std::os::unix::net::UnixDatagram>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Finds the service manager in the environment.
    pub fn find() -> ServiceManager {
        ServiceManager {
            #[cfg(unix)]
            socket: std::env::var_os("NOTIFY_SOCKET").and_then(|path| connected(&path).ok()),
            watchdog: watchdog(|name| std::env::var(name).ok(), std::process::id()),
        }
    }

    /// How often it wants to hear that the broker lives; half of the time that it waits.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells it something, as `READY=1`. A manager that does not listen is none.
    pub fn tell(&self, what: &str) {
        #[cfg(unix)]
        if let Some(socket) = &self.socket {
            let _ = socket.send(what.as_bytes());
        }
        #[cfg(windows)]
        windows::tell(what);
    }
}

/// Whether `install`, `uninstall` and `run` mean something here.
pub const IS_POSSIBLE: bool = cfg!(windows);

#[cfg(not(windows))]
pub use elsewhere::{carry_out, complain, keep_log};

/// Systems whose service managers start a program as anybody would.
#[cfg(not(windows))]
mod elsewhere {
    use crate::flags::{Flags, Task};
    use mqtt_broker::config::Config;

    /// Does nothing: the flags of such a task are refused.
    pub fn carry_out(_task: Task, _flags: &Flags, _run: fn(&Flags) -> u8) -> Result<(), String> {
        Ok(())
    }

    /// Says on standard error why the broker does not run.
    pub fn complain(text: &str) {
        eprintln!("{text}");
    }

    /// Does nothing: whoever starts the broker keeps what it says.
    pub fn keep_log(_config: &mut Config) {}
}

#[cfg(unix)]
fn connected(path: &std::ffi::OsStr) -> std::io::Result<std::os::unix::net::UnixDatagram> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let address = match path.as_bytes().strip_prefix(b"@") {
        // A name that is no file, in a space of the kernel's own.
        #[cfg(target_os = "linux")]
        Some(name) => <SocketAddr as std::os::linux::net::SocketAddrExt>::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect_addr(&address)?;
    Ok(socket)
}

/// `WATCHDOG_USEC` holds microseconds, and `WATCHDOG_PID` the process that they are meant for.
fn watchdog(environment: impl Fn(&str) -> Option<String>, own: u32) -> Option<Duration> {
    if environment("WATCHDOG_PID").is_some_and(|process| process != own.to_string()) {
        return None;
    }
    let limit: u64 = environment("WATCHDOG_USEC")?.parse().ok()?;
    (limit > 0).then(|| Duration::from_micros(limit / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_hears_twice_as_often_as_it_asks() {
        let find = |microseconds: &str, process: Option<&str>| {
            watchdog(
                |name| match name {
                    "WATCHDOG_USEC" => Some(microseconds.to_owned()),
                    _ => process.map(Into::into),
                },
                7,
            )
        };
        assert_eq!(find("180000000", None), Some(Duration::from_secs(90)));
        assert_eq!(find("180000000", Some("7")), Some(Duration::from_secs(90)));
        assert_eq!(find("180000000", Some("8")), None);
        assert_eq!(find("0", None), None);
        assert_eq!(find("x", None), None);
    }

    #[cfg(unix)]
    #[test]
    fn the_manager_is_told() {
        use std::os::unix::net::UnixDatagram;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let hears = UnixDatagram::bind(&path).expect("a socket");
        let socket = Some(connected(path.as_os_str()).expect("it is there"));
        let manager = ServiceManager {
            socket,
            watchdog: None,
        };
        manager.tell("READY=1");
        let mut heard = [0; 20];
        let count = hears.recv(&mut heard).expect("a message");
        assert_eq!(&heard[..count], b"READY=1");
    }
}
