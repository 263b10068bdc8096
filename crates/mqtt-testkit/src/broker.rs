//! A broker as a process of its own, with a configuration text, on a free port of loopback.

use crate::program::Program;
use crate::strangers::stranger;
use crate::tools::tool;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A running broker; it is killed when dropped, and its folder goes with it.
#[derive(Debug)]
pub struct BrokerProcess {
    program: Program,
    port: u16,
    folder: TempDir,
}

/// Another process may take a port between the moment it was free and the broker's start.
const ATTEMPTS: usize = 5;

impl BrokerProcess {
    /// Starts our broker with a configuration, in which `{port}` stands for its port.
    ///
    /// It logs everything to stderr, and runs in an empty folder.
    ///
    /// # Panics
    /// If it cannot be built or does not say that it runs.
    #[track_caller]
    pub fn start(configuration: &str) -> BrokerProcess {
        BrokerProcess::of(&tool("mqtt-broker"), configuration)
    }

    /// Starts our broker for everybody and everything.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    #[track_caller]
    pub fn open() -> BrokerProcess {
        BrokerProcess::start(OPEN)
    }

    /// Starts Debian's Mosquitto; `None` where it is missing and may be (see [`stranger`]).
    ///
    /// # Panics
    /// If it does not say that it runs.
    #[track_caller]
    pub fn mosquitto(configuration: &str) -> Option<BrokerProcess> {
        let program = stranger("mosquitto", "mosquitto")?;
        Some(BrokerProcess::of(&program, configuration))
    }

    #[track_caller]
    fn of(program: &Path, configuration: &str) -> BrokerProcess {
        let mut last = String::new();
        for _ in 0..ATTEMPTS {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let port = free_port();
            let text = configuration.replace("{port}", &port.to_string());
            std::fs::write(folder.path().join("test.conf"), text)
                .expect("the folder can be written to");
            let mut command = Command::new(program);
            command
                .args(["-v", "-c", "test.conf"])
                .current_dir(folder.path());
            let program = Program::of(command);
            match program.wait_stderr(" running\n") {
                Ok(()) => {
                    return BrokerProcess {
                        program,
                        port,
                        folder,
                    };
                }
                Err(said) => last = said,
            }
            if !last.contains("in use") {
                break;
            }
        }
        panic!("{} does not start: {last}", program.display());
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where clients on this computer find it.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The process, with its log on stderr.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until its log has a line with `text`.
    ///
    /// # Panics
    /// If it ends without, or takes too long.
    #[track_caller]
    pub fn expect_log(&self, text: &str) {
        self.program.expect_stderr(text);
    }

    /// Arguments that lead a client of Mosquitto's kind here: `-h 127.0.0.1 -p PORT`.
    pub fn target(&self) -> [String; 4] {
        ["-h", "127.0.0.1", "-p", &self.port.to_string()].map(str::to_owned)
    }
}

/// One listener for everybody, on loopback.
pub const OPEN: &str = "listener {port} 127.0.0.1\nallow_anonymous true\n";

/// A port of loopback that is free at this moment.
///
/// # Panics
/// If loopback has none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}
