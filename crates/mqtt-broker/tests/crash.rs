//! The program killed with SIGKILL again and again, and held to every acknowledgement it has given.
//!
//! `MQTT_CRASHES` says how many times, `MQTT_SEED` how; `scripts/crash.sh` sets both.

use mqtt_proto::{QoS, Version};
use mqtt_testkit::broker::free_port;
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::program::Program;
use mqtt_testkit::tools::tool;
use mqtt_testkit::witness::{Churner, Publisher, Subscriber, Witness};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How often the broker is killed in an ordinary run of the tests.
const CRASHES: u64 = 5;

/// How long nothing may come of the last broker while something is left.
const LIMIT: Duration = Duration::from_secs(120);

/// A broker in a folder of its own that can be killed and started again.
struct Victim {
    folder: TempDir,
    port: u16,
    program: Option<Program>,
}

impl Victim {
    fn new() -> Victim {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let port = free_port();
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\nmax_queued_messages 0\nlog_type notice\nlog_type error\nlog_type warning\nlog_type information\n"
        );
        std::fs::write(folder.path().join("test.conf"), text).expect("it can be written");
        Victim {
            folder,
            port,
            program: None,
        }
    }

    fn start(&mut self) {
        let mut command = Command::new(tool("mqtt-broker"));
        command
            .args(["-c", "test.conf"])
            .current_dir(self.folder.path());
        let program = Program::of(command);
        program.expect_stderr(" running\n");
        self.program = Some(program);
    }

    /// SIGKILL, in the middle of whatever it does.
    fn kill(&mut self) {
        drop(self.program.take());
    }
}

/// A witness with its socket.
struct Line<W> {
    witness: W,
    socket: Option<TcpStream>,
}

impl<W: Witness> Line<W> {
    fn new(witness: W) -> Line<W> {
        Line {
            witness,
            socket: None,
        }
    }

    fn connect(&mut self, port: u16) {
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("the broker listens");
        socket.set_nodelay(true).expect("TCP has this option");
        // Waiting for bytes is what gives the broker its time.
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .expect("it is not zero");
        self.socket = Some(socket);
        let hello = self.witness.hello();
        self.send(&hello);
    }

    fn send(&mut self, bytes: &[u8]) {
        if let Some(socket) = &mut self.socket
            && socket.write_all(bytes).is_err()
        {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.socket = None;
        self.witness.lose();
    }

    fn exchange(&mut self) {
        let Some(socket) = &mut self.socket else {
            return;
        };
        let mut buffer = [0; 16 * 1024];
        match socket.read(&mut buffer) {
            Ok(0) => self.lose(),
            Ok(count) => {
                let out = self.witness.receive(&buffer[..count]);
                self.send(&out);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(_) => self.lose(),
        }
    }
}

struct Trial {
    victim: Victim,
    random: Random,
    publishers: Vec<Line<Publisher>>,
    subscribers: Vec<Line<Subscriber>>,
    churner: Line<Churner>,
}

impl Trial {
    fn new(seed: u64) -> Trial {
        let publisher = |n: usize| {
            let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][n % 2];
            let version = [Version::V4, Version::V5][n / 2 % 2];
            let window = [1, 20, 100, 10][n];
            Line::new(Publisher::new(&format!("p{n}"), version, qos, window))
        };
        let subscriber = |n: usize| {
            let version = [Version::V4, Version::V5][n];
            Line::new(Subscriber::new(&format!("s{n}"), version))
        };
        Trial {
            victim: Victim::new(),
            random: Random::new(seed),
            publishers: (0..4).map(publisher).collect(),
            subscribers: (0..2).map(subscriber).collect(),
            churner: Line::new(Churner::new("churner", Version::V5)),
        }
    }

    fn begin(&mut self) {
        self.victim.start();
        for line in &mut self.subscribers {
            line.connect(self.victim.port);
            let start = Instant::now();
            while !line.witness.is_done() {
                line.exchange();
                assert!(start.elapsed() < LIMIT, "no SUBACK");
            }
        }
    }

    fn connect_all(&mut self) {
        let port = self.victim.port;
        let mut random = Random::new(self.random.number());
        for line in &mut self.publishers {
            line.connect(port);
        }
        self.churner.connect(port);
        for line in &mut self.subscribers {
            // Now and then one is away for the life of a broker.
            if line.socket.is_none() && random.below(4) > 0 {
                line.connect(port);
            }
        }
    }

    fn exchange(&mut self) {
        for line in &mut self.publishers {
            line.exchange();
        }
        for line in &mut self.subscribers {
            line.exchange();
        }
        self.churner.exchange();
    }

    fn round(&mut self) {
        self.connect_all();
        for line in &mut self.publishers {
            let out = line.witness.more(self.random.below(80));
            line.send(&out);
        }
        let end = Instant::now() + Duration::from_millis(5 + self.random.below(200));
        while Instant::now() < end {
            self.exchange();
        }
        self.victim.kill();
        for line in &mut self.publishers {
            line.lose();
        }
        for line in &mut self.subscribers {
            line.lose();
        }
        self.churner.lose();
        self.victim.start();
    }

    fn finish(&mut self) {
        self.connect_all();
        for line in &mut self.subscribers {
            if line.socket.is_none() {
                line.connect(self.victim.port);
            }
        }
        let (mut progress, mut since) = (0, Instant::now());
        loop {
            self.exchange();
            let heard = self
                .subscribers
                .iter()
                .flat_map(|s| s.witness.heard.values());
            let heard: usize = heard.map(Vec::len).sum();
            if heard > progress {
                (progress, since) = (heard, Instant::now());
            }
            let is_done = self.publishers.iter().all(|publisher| {
                let subscribers = &mut self.subscribers.iter();
                publisher.witness.is_done()
                    && subscribers.all(|line| line.witness.has_all_of(&publisher.witness))
            });
            if is_done {
                break;
            }
            assert!(since.elapsed() < LIMIT, "{}", self.state());
        }
    }

    /// How far everybody is, for a trial that comes to no end.
    fn state(&self) -> String {
        let mut state = "it comes to no end:".to_owned();
        for line in &self.publishers {
            let publisher = &line.witness;
            state.push_str(&format!(
                " {} has published {} and {} were acknowledged, {}",
                publisher.id(),
                publisher.published(),
                publisher.acknowledged,
                match line.socket.is_some() {
                    true => "online;",
                    false => "offline;",
                }
            ));
        }
        for line in &self.subscribers {
            let heard = &line.witness.heard;
            let counts: Vec<_> = heard.iter().map(|(topic, n)| (topic, n.len())).collect();
            let is_online = line.socket.is_some();
            state.push_str(&format!(
                " {} has heard {counts:?}, online: {is_online};",
                line.witness.id()
            ));
        }
        state
    }

    fn check(&self) {
        for subscriber in &self.subscribers {
            for publisher in &self.publishers {
                if let Err(error) = subscriber.witness.check(&publisher.witness) {
                    panic!("{}: {error}", subscriber.witness.id());
                }
            }
        }
    }
}

#[test]
fn a_broker_killed_at_any_moment_keeps_every_promise() {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        text.parse::<u64>().ok()
    };
    let crashes = number("MQTT_CRASHES").unwrap_or(CRASHES);
    let seed = number("MQTT_SEED").unwrap_or(1);
    println!("MQTT_SEED={seed} MQTT_CRASHES={crashes}");
    let mut trial = Trial::new(seed);
    trial.begin();
    for _ in 0..crashes {
        trial.round();
    }
    trial.finish();
    trial.check();
    let acknowledged = trial
        .publishers
        .iter()
        .map(|line| line.witness.acknowledged);
    println!(
        "{crashes} crashes: {} messages acknowledged and {} changes of a subscription; lost 0, doubled 0, order kept.",
        acknowledged.sum::<u64>(),
        trial.churner.witness.confirmed,
    );
}
