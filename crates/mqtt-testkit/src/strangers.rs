//! Programs of others that ours must get on with: Debian's Mosquitto, Python's
//! paho-mqtt, and MQTT.js.
//!
//! Where one is missing the test is left out, and says so; under `CI=true` it fails, since
//! `.ci/run` has installed them all.

use std::path::{Path, PathBuf};
use std::process::Command;

/// All of them are programs for Linux; those of Windows are tested without strangers.
const ARE_HERE: bool = cfg!(unix);

/// A program of a Debian package, or `None` after a line on stderr that says what is skipped.
///
/// # Panics
/// Under `CI=true`, if it is missing.
pub fn stranger(program: &str, package: &str) -> Option<PathBuf> {
    let path = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists());
    path.filter(|_| ARE_HERE)
        .or_else(|| missing(program, package, ARE_HERE && is_ci()))
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
        return missing("paho-mqtt", "python3-paho-mqtt", is_ci());
    }
    let mut command = Command::new(python);
    // Unbuffered, so that a line can be waited for.
    command.args(["-u", "-c"]);
    Some(command)
}

/// node with MQTT.js, as [`stranger`]: the command lacks only the script's text.
///
/// The library is looked for where `NODE_PATH` says, and in `target/strangers/node_modules`, where
/// `.ci/run` puts it.
///
/// # Panics
/// Under `CI=true`, if either is missing.
pub fn mqtt_js() -> Option<Command> {
    let node = stranger("node", "nodejs npm")?;
    let installed =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/strangers/node_modules");
    let modules = std::env::var_os("NODE_PATH").unwrap_or(installed.into_os_string());
    let mut command = Command::new(node);
    command.env("NODE_PATH", modules).arg("-e");
    let mut probe = Command::new(command.get_program());
    probe.args(["-e", "require('mqtt')"]);
    probe.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    if probe.output().is_ok_and(|output| output.status.success()) {
        Some(command)
    } else {
        let from = "npm, not Debian: npm install --prefix target/strangers mqtt";
        missing("MQTT.js", from, is_ci())
    }
}

fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

fn missing<T>(what: &str, package: &str, must_be_there: bool) -> Option<T> {
    assert!(
        !must_be_there,
        "{what} is missing: apt-get install {package}"
    );
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    eprintln!("skipped: {test} needs {what} (apt-get install {package})");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_stranger_skips_the_test() {
        assert_eq!(missing::<PathBuf>("nobody", "nothing", false), None);
    }

    #[test]
    #[should_panic(expected = "nobody is missing: apt-get install nothing")]
    fn a_missing_stranger_fails_where_all_are_installed() {
        missing::<PathBuf>("nobody", "nothing", true);
    }
}
