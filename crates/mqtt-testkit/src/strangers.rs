//! Programs of others that ours must get on with: Debian's Mosquitto and Python's paho-mqtt.
//!
//! Where one is missing the test is left out, and says so; under `CI=true` it fails, since
//! `.ci/run` has installed them all.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program of a Debian package, or `None` after a line on stderr that says what is skipped.
///
/// # Panics
/// Under `CI=true`, if it is missing.
pub fn stranger(program: &str, package: &str) -> Option<PathBuf> {
    let path = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists());
    path.or_else(|| missing(program, package))
}

/// Python with paho-mqtt, as [`stranger`]: the command lacks only the script's text.
///
/// # Panics
/// Under `CI=true`, if either is missing.
pub fn paho() -> Option<Command> {
    let python = stranger("python3", "python3")?;
    let found = Command::new(&python)
        .args(["-c", "import paho.mqtt.client"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        return missing("paho-mqtt", "python3-paho-mqtt");
    }
    let mut command = Command::new(python);
    // Unbuffered, so that a line can be waited for.
    command.args(["-u", "-c"]);
    Some(command)
}

fn missing<T>(what: &str, package: &str) -> Option<T> {
    let must_be_there = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(
        !must_be_there,
        "{what} is missing: apt-get install {package}"
    );
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("skipped: {test} needs {what} (apt-get install {package})");
    None
}
