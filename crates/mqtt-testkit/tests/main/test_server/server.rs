//! The test server on free ports, and command-line clients that visit it.

use crate::clients::Clients;
use mqtt_testkit::certificates::Certificates;
use mqtt_testkit::program::Program;
use mqtt_testkit::tools::tool;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Another process may take a port between the moment it was free and the broker's start.
const ATTEMPTS: usize = 5;

/// The broker of `examples/test-server.conf`; it ends with this value.
pub struct TestServer {
    /// From the port in the file to the one that takes its place.
    ports: BTreeMap<u16, u16>,
    pub files: Certificates,
    _broker: Program,
    _folder: TempDir,
}

impl TestServer {
    /// Does what `scripts/test-server.sh` does, on other ports and for this computer alone.
    pub fn start() -> TestServer {
        for _ in 0..ATTEMPTS {
            let folder = tempfile::tempdir().unwrap();
            mqtt_testkit::certificates::write(folder.path()).unwrap();
            for (create, user, password) in
                [(&["-c"][..], "student", "learn"), (&[], "teacher", "teach")]
            {
                let words = ["-b", "passwords", user, password];
                let command = command(&tool("mqtt-passwd"), folder.path(), create, &words);
                let ended = Program::of(command).finish();
                assert_eq!(ended.code, 0, "{}", ended.stderr);
            }
            let (text, ports) = on_free_ports();
            std::fs::write(folder.path().join("test.conf"), text).unwrap();
            let broker = Program::of(command(
                &tool("mqtt-broker"),
                folder.path(),
                &["-c"],
                &["test.conf"],
            ));
            match broker.wait_stderr(" running\n") {
                Ok(()) => {
                    let files = Certificates::at(folder.path());
                    return TestServer {
                        ports,
                        files,
                        _broker: broker,
                        _folder: folder,
                    };
                }
                Err(said) => assert!(said.contains("in use"), "{said}"),
            }
        }
        panic!("other programs take every port");
    }

    /// The port that stands for one of the file's.
    pub fn port(&self, port: u16) -> u16 {
        self.ports[&port]
    }
}

fn command(program: &Path, folder: &Path, one: &[&str], two: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(one).args(two).current_dir(folder);
    command
}

/// `examples/test-server.conf` with free ports of loopback in the place of all listeners' ports.
pub fn on_free_ports() -> (String, BTreeMap<u16, u16>) {
    let conf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/test-server.conf");
    let conf = std::fs::read_to_string(conf).unwrap();
    // All are held until all are chosen, so that none is chosen twice.
    let mut held = Vec::new();
    let mut ports = BTreeMap::new();
    let mut text = String::new();
    for line in conf.lines() {
        match line.strip_prefix("listener ") {
            Some(port) => {
                let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
                let free = socket.local_addr().unwrap().port();
                held.push(socket);
                ports.insert(port.parse().unwrap(), free);
                text.push_str(&format!("listener {free} 127.0.0.1\n"));
            }
            None => text.push_str(&format!("{line}\n")),
        }
    }
    assert_eq!(ports.len(), 11, "{ports:?}");
    (text, ports)
}

/// How a pair of clients visits the test server.
impl Clients {
    /// Leaves a message at a port and fetches it again; what is said if that does not work.
    pub fn visit(&self, server: &TestServer, port: u16, flags: &str) -> Option<String> {
        let payload = format!("μήνυμα από {port}, {flags}.");
        let message = ["-r", "-q", "1", "-m", &payload];
        let left = self.run(&self.publish, server, port, flags, &message);
        let (code, _, said) = &left;
        if *code != 0 {
            return Some(said.clone());
        }
        let fetched = self.run(
            &self.subscribe,
            server,
            port,
            flags,
            &["-C", "1", "-W", "60"],
        );
        assert_eq!(
            (fetched.0, fetched.1.trim_end()),
            (0, payload.as_str()),
            "{fetched:?}"
        );
        None
    }

    fn run(
        &self,
        program: &Path,
        server: &TestServer,
        port: u16,
        flags: &str,
        more: &[&str],
    ) -> (i32, String, String) {
        let mut command = Command::new(program);
        command
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &server.port(port).to_string(),
                "-t",
                "test/topic",
            ])
            .args(more)
            // The authority that the system is to know.
            .env("SSL_CERT_FILE", server.files.path("public-ca.crt"))
            .env_remove("SSL_CERT_DIR");
        for word in flags.split_whitespace() {
            command.arg(match word.strip_prefix('@') {
                Some(file) => server.files.text(file),
                None => word.to_owned(),
            });
        }
        let ended = Program::of(command).finish();
        (ended.code, ended.stdout, ended.stderr)
    }
}
