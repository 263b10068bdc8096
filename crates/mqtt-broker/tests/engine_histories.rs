//! Every short history, with a fault of the disk at each write and sync of its last step: nothing
//! acknowledged is lost or doubled.
//!
//! A fault in an earlier step is the fault in the last step of a shorter history. `MQTT_STEPS` says
//! how many steps the longest have; `scripts/crash.sh` asks for two.

use super::engine_durable::Trial;
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::world::disk::SimDisk;

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
struct Told<'a>(&'a [usize], u64, Fault);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Told(history, from, fault) = self;
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
    let steps = steps.and_then(|text| text.parse().ok()).unwrap_or(1);
    let (mut lives, mut refused) = (0, 0);
    for history in (1..=steps).flat_map(histories) {
        for fault in FAULTS {
            for from in 0.. {
                let told = Told(&history, from, fault);
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
