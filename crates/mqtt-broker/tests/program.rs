//! Runs the built program in an empty folder.

use mqtt_testkit::program::spawn;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

/// Longer than anything here takes, on a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder to run in, and the files that a test puts there.
pub struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// A folder with one file.
    pub fn with(name: &str, content: impl AsRef<[u8]>) -> Self {
        let folder = Self::new();
        std::fs::write(folder.path(name), content).expect("a file can be written");
        folder
    }

    /// The full name of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with arguments, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-broker"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            // Tests may be run by root, whose files another user could not read again.
            .env("PUID", "0")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = spawn(&mut command).expect("the program can be started");
        Ended::from(child.wait_with_output().expect("the program ends"))
    }
}

impl Folder {
    /// Starts the program and reads what it says.
    pub fn start(&self, arguments: &[&str]) -> Started {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command).expect("the program can be started");
        let (said, hears) = channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("a pipe")),
            Box::new(child.stderr.take().expect("a pipe")),
        ];
        for stream in streams {
            let said = said.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines() {
                    if said.send(line.expect("UTF-8")).is_err() {
                        return;
                    }
                }
            });
        }
        Started { child, hears }
    }
}

/// A program at work; it ends with this value.
pub struct Started {
    child: Child,
    hears: Receiver<String>,
}

impl Started {
    /// Waits for a line that contains `part`, and gives all lines up to it.
    pub fn wait_for(&self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.hears.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(error) => panic!("no line with '{part}': {error}; but {lines:#?}"),
            }
            if lines[lines.len() - 1].contains(part) {
                return lines;
            }
        }
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, signal).expect("the program runs");
    }

    /// Sends a signal and waits for the end: the exit code, and the lines not heard yet.
    #[cfg(unix)]
    pub fn end(mut self, signal: rustix::process::Signal) -> (Option<i32>, Vec<String>) {
        self.signal(signal);
        let code = self.child.wait().expect("the program ends").code();
        (code, self.hears.iter().collect())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It has ended already if the test has waited for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// What a program left behind.
#[derive(Debug)]
pub struct Ended {
    /// The exit code.
    pub code: Option<i32>,
    /// What it wrote on standard output.
    pub stdout: String,
    /// What it wrote on standard error.
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}
