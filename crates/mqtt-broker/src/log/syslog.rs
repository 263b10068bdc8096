//! The system's log: one datagram a line, to the socket at which a syslog daemon listens.
//!
//! Nothing here waits. What the daemon cannot take now stays for the next flush, and the oldest
//! lines go when there are too many: a broker must not stand still because its log does.

use super::Level;
use super::stamp::{Form, Stamp};
use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Where a daemon listens: Linux and the BSDs, macOS, older FreeBSDs.
pub(super) const PLACES: &[&str] = &["/dev/log", "/var/run/syslog", "/var/run/log"];

/// The facility of daemons, in the numbers of RFC 3164, section 4.1.1.
const DAEMON: u32 = 3;

/// The facility `local0`; `local1` to `local7` follow.
const LOCAL0: u32 = 16;

/// Lines that may wait for a daemon that is slow or gone.
const MOST_WAITING: usize = 1000;

/// The way to the daemon.
pub(super) struct Syslog {
    path: PathBuf,
    socket: UnixDatagram,
    facility: u32,
    /// The program and its process, as they stand in every line.
    tag: String,
    stamp: Stamp,
    waiting: VecDeque<Vec<u8>>,
}

impl Syslog {
    /// The daemon of this system. `local` is the value of `log_facility`.
    ///
    /// # Errors
    /// None listens.
    pub(super) fn open(local: Option<u32>) -> io::Result<Self> {
        let mut opened = PLACES.iter().map(|place| Self::at(Path::new(place), local));
        let usual = opened.next().unwrap_or(Err(io::ErrorKind::NotFound.into()));
        // If there is no other, what is wrong with the usual one is worth knowing.
        usual.or_else(|error| opened.find_map(Result::ok).ok_or(error))
    }

    /// The daemon that listens at a path.
    pub(super) fn at(path: &Path, local: Option<u32>) -> io::Result<Self> {
        Ok(Self {
            socket: connected(path)?,
            path: path.into(),
            facility: local.map_or(DAEMON, |number| LOCAL0 + number),
            tag: format!("{}[{}]", super::program(), std::process::id()),
            stamp: Stamp::new(Form::Local("%b %e %H:%M:%S".into())),
            waiting: VecDeque::new(),
        })
    }

    /// Adds a line.
    pub(super) fn add(&mut self, level: Level, text: &str, now: SystemTime) {
        if self.waiting.len() >= MOST_WAITING {
            self.waiting.pop_front();
        }
        let priority = self.facility * 8 + severity(level);
        // A stamp ends with a colon for lines of our own files; here a blank stands alone.
        let time = self.stamp.at(now).trim_end_matches(": ");
        let line = format!("<{priority}>{time} {}: {text}", self.tag);
        self.waiting.push_back(line.into_bytes());
    }

    /// Sends what waits, as far as it is taken.
    pub(super) fn flush(&mut self) {
        let mut may_reconnect = true;
        while let Some(line) = self.waiting.front() {
            match self.socket.send(line) {
                Err(error) if is_full(&error) => return,
                // A daemon that was started again listens at a new socket of the same name.
                Err(_) if may_reconnect => {
                    may_reconnect = false;
                    match connected(&self.path) {
                        Ok(socket) => self.socket = socket,
                        Err(_) => return,
                    }
                }
                // Sent, or nothing that this daemon takes at all.
                _ => {
                    self.waiting.pop_front();
                }
            }
        }
    }
}

/// Whether the daemon is merely behind with its work.
fn is_full(error: &io::Error) -> bool {
    // ENOBUFS is what the BSDs say; it has no name in the standard library.
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error())
}

fn connected(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// How grave a line is, in the numbers of RFC 3164; each level as Mosquitto has it.
fn severity(level: Level) -> u32 {
    match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Notice | Level::Connection | Level::Subscribe | Level::Unsubscribe => 5,
        Level::Information => 6,
        Level::Debug | Level::Websockets | Level::Internal => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn daemon(path: &Path) -> UnixDatagram {
        let daemon = UnixDatagram::bind(path).expect("a socket");
        let limit = Some(Duration::from_secs(60));
        daemon.set_read_timeout(limit).expect("a limit");
        daemon
    }

    fn heard(daemon: &UnixDatagram) -> String {
        let mut bytes = [0; 200];
        let count = daemon.recv(&mut bytes).expect("a line");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    fn check(level: Level, local: Option<u32>, priority: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let daemon = daemon(&path);
        let mut log = Syslog::at(&path, local).expect("a daemon");
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        log.add(level, "Γειά", now);
        log.flush();
        let line = heard(&daemon);
        let rest = line.strip_prefix(priority).unwrap_or_else(|| {
            panic!("{line} does not begin with {priority}");
        });
        // The rest of the time depends on where this runs.
        assert!(rest.starts_with("Nov 1"), "{rest}");
        let tag = format!(" mqtt-broker[{}]: Γειά", std::process::id());
        assert_eq!(&rest["Nov 14 22:13:20".len()..], tag);
    }

    #[test]
    fn each_level_has_its_priority() {
        check(Level::Error, None, "<27>");
        check(Level::Connection, None, "<29>");
        check(Level::Debug, None, "<31>");
        check(Level::Warning, Some(0), "<132>");
        check(Level::Information, Some(7), "<190>");
    }

    #[test]
    fn a_daemon_that_comes_back_gets_what_was_said_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let first = daemon(&path);
        let mut log = Syslog::at(&path, None).expect("a daemon");
        drop(first);
        std::fs::remove_file(&path).expect("the socket's file");
        log.add(Level::Notice, "one", UNIX_EPOCH);
        log.flush();
        let second = daemon(&path);
        log.add(Level::Notice, "two", UNIX_EPOCH);
        log.flush();
        assert!(heard(&second).ends_with(": one"));
        assert!(heard(&second).ends_with(": two"));
    }

    #[test]
    fn a_daemon_that_does_not_read_costs_old_lines_and_no_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        let _deaf = daemon(&path);
        let mut log = Syslog::at(&path, None).expect("a daemon");
        for number in 0..20_000 {
            log.add(Level::Notice, &number.to_string(), UNIX_EPOCH);
            log.flush();
        }
        assert!(log.waiting.len() <= MOST_WAITING);
        let last = log.waiting.back().expect("it could not send all");
        assert!(last.ends_with(b": 19999"));
    }
}
