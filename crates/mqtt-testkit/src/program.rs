//! A built program at work: its arguments, its input, its output as it comes, its end.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// No program takes longer than this to do what it is waited for.
const LIMIT: Duration = Duration::from_secs(60);

/// What a stream has brought so far, and whether it has ended.
#[derive(Debug, Default)]
struct Stream {
    text: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

impl Stream {
    fn follow(mut from: impl Read + Send + 'static) -> Arc<Stream> {
        let stream = Arc::new(Stream::default());
        let writer = Arc::clone(&stream);
        thread::spawn(move || {
            let mut block = [0; 4096];
            loop {
                let count = from.read(&mut block).unwrap_or(0);
                let mut state = writer.text.lock().expect("no reader panics with the lock");
                state.0.extend_from_slice(&block[..count]);
                state.1 = count == 0;
                writer.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        stream
    }

    /// Waits until `done` says so, or the stream has ended; the bytes so far.
    fn wait(&self, mut done: impl FnMut(&[u8]) -> bool) -> (Vec<u8>, bool) {
        let start = Instant::now();
        let mut state = self.text.lock().expect("no writer panics with the lock");
        while !state.1 && !done(&state.0) && start.elapsed() < LIMIT {
            let step = Duration::from_secs(1);
            state = self
                .changed
                .wait_timeout(state, step)
                .expect("no writer panics with the lock")
                .0;
        }
        let finished = done(&state.0);
        (state.0.clone(), finished)
    }
}

/// Starts a command, under Wine more than once: there a start fails now and then with "Internal error", before
/// anything of the program has run.
///
/// # Errors
/// It cannot be started.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    const INTERNAL_ERROR: i32 = 1359;
    let mut again = 3;
    loop {
        match command.spawn() {
            Err(error) if again > 0 && error.raw_os_error() == Some(INTERNAL_ERROR) => again -= 1,
            outcome => return outcome,
        }
    }
}

/// A running program; it is killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<Arc<Stream>>,
    stderr: Arc<Stream>,
}

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// All that it wrote to stdout, as text.
    pub stdout: String,
    /// All that it wrote to stderr, as text.
    pub stderr: String,
}

impl Program {
    /// Starts a program with its three streams on pipes, and without the user's own settings.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        path: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Program {
        let mut child =
            spawn(command(path, arguments).stdout(Stdio::piped())).expect("the program was built");
        let stdout = child.stdout.take().map(Stream::follow);
        Program::around(child, stdout)
    }

    /// Starts a program whose stdout nobody reads any more.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_with_closed_stdout<A: AsRef<OsStr>>(
        path: impl AsRef<OsStr>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Program {
        let mut child =
            spawn(command(path, arguments).stdout(Stdio::piped())).expect("the program was built");
        drop(child.stdout.take());
        Program::around(child, None)
    }

    /// Starts a command that has been prepared, in a folder of its own for instance.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn of(mut command: Command) -> Program {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child =
            spawn(&mut command).unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = child.stdout.take().map(Stream::follow);
        Program::around(child, stdout)
    }

    fn around(mut child: Child, stdout: Option<Arc<Stream>>) -> Program {
        let stderr = Stream::follow(child.stderr.take().expect("stderr is a pipe"));
        Program {
            stdin: child.stdin.take(),
            child,
            stdout,
            stderr,
        }
    }

    /// Writes to its stdin.
    ///
    /// # Panics
    /// If it is closed, or the program reads nothing.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        stdin
            .write_all(bytes.as_ref())
            .expect("the program reads its input");
        stdin.flush().expect("the program reads its input");
    }

    /// Ends its stdin.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Waits until stdout holds `text`.
    ///
    /// # Panics
    /// If it ends without it, or takes too long.
    #[track_caller]
    pub fn expect_stdout(&self, text: &str) {
        expect(
            self.stdout.as_ref().expect("stdout is read"),
            text,
            "stdout",
        );
    }

    /// Waits until stderr holds `text`.
    ///
    /// # Panics
    /// If it ends without it, or takes too long.
    #[track_caller]
    pub fn expect_stderr(&self, text: &str) {
        expect(&self.stderr, text, "stderr");
    }

    /// Waits until stderr holds `text`.
    ///
    /// # Errors
    /// All of stderr, if it ends without it or takes too long.
    pub fn wait_stderr(&self, text: &str) -> Result<(), String> {
        let (bytes, found) = self.stderr.wait(|bytes| contains(bytes, text));
        if found {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&bytes).into_owned())
        }
    }

    /// Sends what Ctrl-C sends.
    ///
    /// # Panics
    /// If the program has gone.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// If the program has gone.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        let id = id.expect("a child has a process number");
        rustix::process::kill_process(id, signal).expect("the program runs");
    }

    /// Ends its input and waits until it has ended by itself.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn finish(mut self) -> Ended {
        self.end_input();
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            let so_far = || String::from_utf8_lossy(&self.stderr.wait(|_| true).0).into_owned();
            assert!(
                start.elapsed() < LIMIT,
                "the program does not end; stderr: {}",
                so_far()
            );
            thread::sleep(Duration::from_millis(1));
        };
        let all = |stream: &Stream| String::from_utf8_lossy(&stream.wait(|_| false).0).into_owned();
        Ended {
            code: status.code().unwrap_or(-1),
            stdout: self.stdout.as_deref().map(all).unwrap_or_default(),
            stderr: all(&self.stderr),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nothing to do about a program that has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command<A: AsRef<OsStr>>(
    path: impl AsRef<OsStr>,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut command = Command::new(path);
    command
        .args(arguments)
        // A broker that root tests stays root, to read its files again.
        .env("PUID", "0")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    for name in [
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "XDG_CONFIG_HOME",
        "HOME",
        "USERPROFILE",
        "APPDATA",
        "MQTT_PASSWORD",
        "MQTT_CALLED_AS",
    ] {
        command.env_remove(name);
    }
    command
}

#[track_caller]
fn expect(stream: &Stream, text: &str, name: &str) {
    let (bytes, found) = stream.wait(|bytes| contains(bytes, text));
    assert!(
        found,
        "expected '{text}' on {name}, got '{}'",
        String::from_utf8_lossy(&bytes)
    );
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len().max(1))
        .any(|window| window == text.as_bytes())
}
