//! Running in the background, for `-d`.
//!
//! A process with threads cannot be forked safely, so the broker starts itself a second time,
//! and the first one waits until the second listens. So mistakes still reach the terminal, and
//! the command ends with their exit code.

use std::ffi::OsString;
use std::io;

/// Tells the second process that it is the second.
const MARK: &str = "MQTT_BROKER_IN_BACKGROUND";
/// What the second process prints when it listens.
const READY: &str = "mqtt-broker listens in the background";

/// Whether this process is the one in the background.
pub fn is_background() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Starts the same command in the background and waits until it listens or has failed; gives its exit code.
#[cfg(unix)]
pub fn start(arguments: impl Iterator<Item = OsString>) -> io::Result<u8> {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let mut child = Command::new(std::env::current_exe()?)
        .args(arguments)
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child
        .stdout
        .take()
        .expect("standard output was piped above");
    for line in BufReader::new(output).lines() {
        let line = line?;
        if line == READY {
            return Ok(0);
        }
        println!("{line}");
    }
    let code = child
        .wait()?
        .code()
        .and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(1))
}

/// Windows has no processes that leave their window.
#[cfg(not(unix))]
pub fn start(_arguments: impl Iterator<Item = OsString>) -> io::Result<u8> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Leaves the terminal's group, so that closing the window does not end the broker.
pub fn leave_group() {
    #[cfg(unix)]
    // It fails only for a process that leads a group already, which is as good.
    let _ = rustix::process::setsid();
}

/// Tells the waiting process that the broker listens, and lets go of the terminal.
pub fn say_ready() -> io::Result<()> {
    println!("{READY}");
    #[cfg(unix)]
    {
        let nothing = std::fs::File::options().write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdout(&nothing)?;
        rustix::stdio::dup2_stderr(&nothing)?;
    }
    Ok(())
}
