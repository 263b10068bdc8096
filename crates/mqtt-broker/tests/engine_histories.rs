//! Long histories by chance, and every short one with a fault of the disk at each write and sync of
//! its last step: nothing acknowledged is lost or doubled.
//!
//! A fault in an earlier step is the fault in the last step of a shorter history. `MQTT_STEPS` says
//! how many steps the longest have; it is two, and `scripts/crash.sh` asks for three.

use mqtt_proto::{QoS, Version};
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::witness::{Churner, Publisher, Subscriber, Witness};
use mqtt_testkit::world::disk::SimDisk;
use mqtt_testkit::world::{Client, World};
use std::fmt;

/// Clients with a record, in a world whose broker is killed again and again.
struct Trial {
    random: Random,
    world: World,
    publishers: Vec<Publisher>,
    subscriber: Subscriber,
    churner: Churner,
    lines: Vec<Option<Client>>,
}

impl Trial {
    /// One whose subscription stands before anything is published.
    fn begin(seed: u64) -> Trial {
        let mut trial = Trial::new(seed);
        trial.lines = (0..trial.publishers.len() + 2).map(|_| None).collect();
        trial.connect(0);
        while !trial.subscriber.is_done() {
            trial.exchange(0);
        }
        trial
    }

    fn new(seed: u64) -> Trial {
        let mut random = Random::new(seed);
        let head = 1 + random.below(30) as usize;
        let world = World::with_store(&SimDisk::new(), move |settings| {
            settings.max_queued_messages = usize::MAX;
            settings.queue_head = head;
        });
        let publisher = |n: u64| {
            let qos = [QoS::AtLeastOnce, QoS::ExactlyOnce][n as usize % 2];
            let version = [Version::V4, Version::V5][n as usize / 2 % 2];
            Publisher::new(&format!("p{n}"), version, qos, 1 + n as usize * 3)
        };
        Trial {
            random,
            world,
            publishers: (0..4).map(publisher).collect(),
            subscriber: Subscriber::new("s", Version::V5),
            churner: Churner::new("churner", Version::V5),
            lines: vec![],
        }
    }

    fn witness(&mut self, at: usize) -> &mut dyn Witness {
        match at {
            0 => &mut self.subscriber,
            1 => &mut self.churner,
            at => &mut self.publishers[at - 2],
        }
    }

    /// Brings bytes to and fro, for one client.
    fn exchange(&mut self, at: usize) {
        let Some(client) = self.lines[at].take() else {
            return;
        };
        let bytes = client.take_bytes();
        if !client.is_open() {
            self.witness(at).lose();
            return;
        }
        let out = self.witness(at).receive(&bytes);
        client.send_bytes(&out);
        self.lines[at] = Some(client);
    }

    /// Brings a client there, if it is not.
    fn come(&mut self, at: usize) {
        if self.lines[at].is_none() {
            self.connect(at);
            self.exchange(at);
        }
    }

    /// Cuts the connection of a client.
    fn cut(&mut self, at: usize) {
        if let Some(client) = self.lines[at].take() {
            client.cut();
            self.witness(at).lose();
        }
    }

    /// A publisher publishes one message more, and goes through with it.
    fn publish(&mut self, at: usize) {
        self.come(at);
        let out = self.publishers[at - 2].more(1);
        if let Some(client) = &self.lines[at] {
            client.send_bytes(&out);
        }
        self.exchange(at);
        self.exchange(at);
    }

    fn connect(&mut self, at: usize) {
        let version = self.witness(at).version();
        let client = self.world.open(version, 0).expect("there is room");
        let hello = self.witness(at).hello();
        client.send_bytes(&hello);
        self.lines[at] = Some(client);
    }

    fn restart(&mut self) {
        let (mut random, how) = (Random::new(self.random.number()), self.random.below(3));
        self.restart_after(|disk| match how {
            0 => disk.kill(),
            _ => disk.lose_power(&mut random),
        });
        self.world.hold_store(true);
    }

    /// The broker is killed, something happens to its disk, and it starts again.
    fn restart_after(&mut self, happen: impl FnOnce(&SimDisk)) {
        self.world.restart(happen).expect("the store opens");
        for at in 0..self.lines.len() {
            self.lines[at] = None;
            self.witness(at).lose();
        }
    }

    fn step(&mut self, disk: Option<&SimDisk>) {
        let at = self.random.below(self.lines.len() as u64) as usize;
        match self.random.below(24) {
            0..10 => self.exchange(at),
            10..13 => self.world.take_batch(),
            13..17 => self.world.store(),
            17..19 if self.lines[at].is_none() => self.connect(at),
            19..22 if at >= 2 => {
                let count = self.random.below(6);
                let out = self.publishers[at - 2].more(count);
                if let Some(client) = &self.lines[at] {
                    client.send_bytes(&out);
                }
            }
            22 => self.cut(at),
            23 => match (disk, self.random.below(4)) {
                (Some(disk), 0) => disk.fail_after(Some(self.random.below(12))),
                (Some(disk), 1) => disk.fail_after(None),
                (_, 2) => self.restart(),
                _ => {}
            },
            _ => {}
        }
    }

    /// All come, and get what is theirs.
    fn finish(&mut self) {
        self.world.hold_store(false);
        self.world.store();
        for round in 0.. {
            assert!(round < 2000, "it comes to no end: {self:#?}");
            for at in 0..self.lines.len() {
                if self.lines[at].as_ref().is_none_or(|line| !line.is_open()) {
                    self.witness(at).lose();
                    self.connect(at);
                }
                self.exchange(at);
                self.world.store();
            }
            let is_done = self
                .publishers
                .iter()
                .all(|publisher| publisher.is_done() && self.subscriber.has_all_of(publisher));
            if is_done && round > 5 {
                break;
            }
        }
    }

    /// Holds what came against what was promised.
    fn check(&self) {
        for publisher in &self.publishers {
            if let Err(error) = self.subscriber.check(publisher) {
                panic!("{error}");
            }
            let retained = self.world.retained(publisher.topic());
            if let Err(error) = publisher.check_retained(retained.as_deref()) {
                panic!("{error}");
            }
        }
    }
}

/// How far everybody is, for a history that comes to no end.
impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}\n{:?}", self.publishers, self.subscriber)?;
        for line in self.world.log().iter().rev().take(40).rev() {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Says which history it was when a test panics.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was MQTT_SEED={}", self.0);
        }
    }
}

fn run(seed: u64, is_faulty: bool) {
    let told = Told(seed);
    let mut trial = Trial::begin(seed);
    trial.world.hold_store(true);
    let disk = trial.world.disk();
    for _ in 0..400 {
        trial.step(is_faulty.then_some(&disk));
    }
    disk.fail_after(None);
    trial.finish();
    trial.check();
    drop(told);
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        text.parse::<u64>().ok()
    };
    match number("MQTT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("MQTT_HISTORIES").unwrap_or(default),
    }
}

#[test]
fn whenever_power_is_lost_nothing_acknowledged_is_lost_or_doubled() {
    for seed in seeds(100) {
        run(seed, false);
    }
}

#[test]
fn a_disk_that_fails_now_and_then_loses_nothing_either() {
    for seed in seeds(100) {
        run(seed, true);
    }
}

/// What can happen. The subscriber is client 0, then come one that subscribes and unsubscribes all
/// the time, and publishers of QoS 1 and 2.
const STEPS: [fn(&mut Trial); 5] = [
    |trial| trial.publish(2),
    |trial| trial.publish(3),
    |trial| {
        trial.come(0);
        trial.exchange(0);
        trial.exchange(0);
    },
    |trial| trial.cut(0),
    |trial| {
        trial.come(1);
        trial.exchange(1);
    },
];

/// What becomes of a disk that has refused.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It works again, and the broker has not noticed more than that.
    Passing,
    /// The broker is killed; all that was written is there.
    Kill,
    /// Power is lost: what was not synced is there, torn, or in part, as this seed has it.
    Power(u64),
}

const FAULTS: [Fault; 5] = [
    Fault::Passing,
    Fault::Kill,
    Fault::Power(1),
    Fault::Power(2),
    Fault::Power(3),
];

/// Lives through a history whose last step the disk refuses from its `from`th action on; whether it
/// came to that.
fn live(history: &[usize], from: u64, fault: Fault) -> bool {
    let mut trial = Trial::begin(7);
    let disk = trial.world.disk();
    let (last, before) = history.split_last().expect("it has a step");
    for &step in before {
        STEPS[step](&mut trial);
    }
    let done = disk.steps();
    disk.fail_after(Some(from));
    STEPS[*last](&mut trial);
    let has_refused = disk.steps() - done > from;
    match fault {
        Fault::Passing => disk.fail_after(None),
        Fault::Kill => trial.restart_after(SimDisk::kill),
        Fault::Power(seed) => {
            trial.restart_after(|disk| disk.lose_power(&mut Random::new(seed)));
        }
    }
    trial.finish();
    trial.check();
    has_refused
}

/// Says which history it was when a test panics.
struct ToldOf<'a>(&'a [usize], u64, Fault);

impl Drop for ToldOf<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let ToldOf(history, from, fault) = self;
            eprintln!("this was history {history:?}, refused from {from} on, then {fault:?}");
        }
    }
}

/// All histories of a length, by counting in the base of the steps.
fn histories(length: u32) -> impl Iterator<Item = Vec<usize>> {
    let base = STEPS.len();
    (0..base.pow(length)).map(move |number| {
        let digits = (0..length).map(|at| number / base.pow(at) % base);
        digits.collect()
    })
}

#[test]
fn no_fault_of_the_disk_in_any_short_history_loses_or_doubles_anything() {
    let steps = std::env::var("MQTT_STEPS").ok();
    let steps = steps.and_then(|text| text.parse().ok()).unwrap_or(2);
    let (mut lives, mut refused) = (0, 0);
    for history in (1..=steps).flat_map(histories) {
        for fault in FAULTS {
            for from in 0.. {
                let told = ToldOf(&history, from, fault);
                lives += 1;
                let has_refused = live(&history, from, fault);
                drop(told);
                if !has_refused {
                    break;
                }
                refused += 1;
            }
        }
    }
    println!("{lives} lives, {refused} of them with a fault");
    assert!(refused > lives / 4, "{refused} faults in {lives} lives");
}
