//! A seeded fuzzer in plain stable Rust: valid inputs, broken in small ways, millions of times.
//!
//! A [`Target`] names a parser, makes valid inputs for it, and runs it on any input; the run
//! panics where a law is broken. [`run`] derives every input from the seed and the input's number
//! alone, so that a failure names the two numbers that bring it back. Besides panics it watches
//! for inputs that take too long and for memory that grows with the number of inputs.
//!
//! A new parser joins with one `Target` and one test that calls [`check`]; `scripts/fuzz.sh`
//! runs every test whose name contains `fuzz` for longer.

use crate::sample::Choices;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A parser of outside bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called in reports.
    pub name: &'static str,
    /// Appends a valid input.
    pub make: fn(&mut Choices<'_>, &mut Vec<u8>),
    /// Pieces of input that random changes would hardly hit upon.
    pub words: &'static [&'static [u8]],
    /// Runs the parser; panics where a law is broken.
    pub run: fn(&[u8]),
}

/// What a run has seen.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// How many inputs were run.
    pub inputs: u64,
    /// How long that took.
    pub time: Duration,
    /// By how many KiB the resident memory rose after the first tenth; 0 where the system does
    /// not tell.
    pub growth_kib: u64,
}

/// Memory may rise by this much, which is the allocator's own back and forth.
const GROWTH_LIMIT_KIB: u64 = 16 * 1024;

/// No input may take longer than this, on a busy machine either.
const HANG: Duration = Duration::from_secs(20);

/// Runs a target as a part of the test suite, or for as long as the environment says.
///
/// `FUZZ_INPUTS` is the number of inputs in place of `inputs`, `FUZZ_SECONDS` a time limit,
/// `FUZZ_SEED` the seed, and `FUZZ_ONLY` runs the one input with this number.
///
/// # Panics
/// With the seed and the number of the first input that breaks a law; or if memory grows in a run
/// whose length comes from the environment. A run that hangs aborts the process.
pub fn check(target: &Target, inputs: u64) {
    let seed = number_in_env("FUZZ_SEED").unwrap_or(1);
    if let Some(only) = number_in_env("FUZZ_ONLY") {
        let mut input = Vec::new();
        fill(target, seed, only, &mut input);
        println!("{}: input {only} of seed {seed}: {input:02x?}", target.name);
        (target.run)(&input);
        return;
    }
    let limit = number_in_env("FUZZ_SECONDS").map(Duration::from_secs);
    // Only a long run is alone in its process, so that the memory is its own.
    let (inputs, alone) = match (number_in_env("FUZZ_INPUTS"), limit) {
        (Some(inputs), _) => (inputs, true),
        (None, Some(_)) => (u64::MAX, true),
        (None, None) => (inputs, false),
    };
    let report = run(target, seed, inputs, limit);
    println!(
        "{}: {} inputs of seed {seed} in {:.1} s, {:.0} a second, memory +{} KiB",
        target.name,
        report.inputs,
        report.time.as_secs_f64(),
        report.inputs as f64 / report.time.as_secs_f64().max(1e-9),
        report.growth_kib,
    );
    assert!(
        report.growth_kib <= GROWTH_LIMIT_KIB || !alone,
        "{}: memory rose by {} KiB over {} inputs",
        target.name,
        report.growth_kib,
        report.inputs
    );
}

/// Runs `inputs` inputs, or fewer if `limit` ends first.
///
/// # Panics
/// As [`check`], save for memory, which is reported.
pub fn run(target: &Target, seed: u64, inputs: u64, limit: Option<Duration>) -> Report {
    let start = Instant::now();
    let current = Arc::new(AtomicU64::new(0));
    let watchdog = Watchdog::start(target.name, seed, Arc::clone(&current));
    let mut input = Vec::new();
    let mut baseline = None;
    let mut done = 0;
    while done < inputs {
        if done % 1024 == 0 {
            let time = start.elapsed();
            if limit.is_some_and(|limit| time >= limit) {
                break;
            }
            let warm = limit.map_or(done >= inputs / 10, |limit| time >= limit / 10);
            if warm && baseline.is_none() {
                baseline = Some(resident_kib());
            }
        }
        current.store(done, Ordering::Relaxed);
        fill(target, seed, done, &mut input);
        if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
            panic!(
                "{}: input {done} of seed {seed} breaks a law (FUZZ_SEED={seed} FUZZ_ONLY={done}): {input:02x?}",
                target.name
            );
        }
        done += 1;
    }
    watchdog.stop();
    let baseline = baseline.unwrap_or_else(resident_kib);
    Report {
        inputs: done,
        time: start.elapsed(),
        growth_kib: resident_kib().saturating_sub(baseline),
    }
}

/// Makes the input with this number.
fn fill(target: &Target, seed: u64, number: u64, input: &mut Vec<u8>) {
    let mut random = Random::new(seed.wrapping_mul(0x9E37_79B9).wrapping_add(number));
    input.clear();
    let mut entropy = [0; 256];
    let length = random.below(entropy.len() as u64) as usize;
    random.fill(&mut entropy[..length]);
    let entropy = &entropy[..length];
    if random.below(8) == 0 {
        input.extend_from_slice(&entropy[..length.min(random.below(64) as usize)]);
        return;
    }
    (target.make)(&mut Choices::new(entropy), input);
    // A quarter stays valid; the others are broken in one to four places.
    for _ in 0..random.below(6).saturating_sub(1).min(4) {
        mutate(input, target.words, &mut random);
    }
}

fn mutate(input: &mut Vec<u8>, words: &[&[u8]], random: &mut Random) {
    const EDGES: [u8; 12] = [0, 1, 2, 4, 0x7F, 0x80, 0x82, 0xC0, 0xED, 0xF8, 0xFE, 0xFF];
    // Most rules stand in the first bytes of a packet, so half of the changes go there.
    let near = if random.below(2) == 0 { 16 } else { usize::MAX };
    let at = random.below(input.len().min(near) as u64 + 1) as usize;
    let most = (input.len() - at).min(random.below(12) as usize);
    match random.below(8) {
        0 => input.truncate(at),
        1 => drop(input.drain(at..at + most)),
        2 => {
            let copy = input[at..at + most].to_vec();
            input.splice(at..at, copy);
        }
        3 if !words.is_empty() => {
            let word = words[random.below(words.len() as u64) as usize];
            input.splice(at..at, word.iter().copied());
        }
        4 => input.insert(at, random.number() as u8),
        kind => {
            let Some(byte) = input.get_mut(at) else {
                input.push(random.number() as u8);
                return;
            };
            *byte = match kind {
                5 => *byte ^ 1 << random.below(8),
                6 => EDGES[random.below(EDGES.len() as u64) as usize],
                _ => byte.wrapping_add(if random.below(2) == 0 { 1 } else { 255 }),
            };
        }
    }
}

/// SplitMix64: a state of one number, so that every input has a generator of its own.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A generator whose numbers depend on `seed` alone.
    pub const fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.number().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Ends the process when one input takes longer than [`HANG`]: a thread that loops for ever
/// cannot be stopped in any other way.
struct Watchdog {
    done: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Watchdog {
    fn start(name: &'static str, seed: u64, current: Arc<AtomicU64>) -> Watchdog {
        let done = Arc::new(AtomicBool::new(false));
        let thread = thread::spawn({
            let done = Arc::clone(&done);
            move || {
                let (mut seen, mut since) = (u64::MAX, Instant::now());
                while !done.load(Ordering::Relaxed) {
                    thread::park_timeout(Duration::from_secs(1));
                    let number = current.load(Ordering::Relaxed);
                    if number != seen {
                        (seen, since) = (number, Instant::now());
                    } else if since.elapsed() > HANG {
                        eprintln!("{name}: input {number} of seed {seed} hangs");
                        std::process::abort();
                    }
                }
            }
        });
        Watchdog { done, thread }
    }

    fn stop(self) {
        self.done.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().expect("the watchdog does not panic");
    }
}

/// The memory that this process has in use, in KiB; 0 where the system does not tell.
pub fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}

fn number_in_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    match text.replace('_', "").parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{name} must be a whole number, not '{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(choices: &mut Choices<'_>, input: &mut Vec<u8>) {
        input.extend_from_slice(b"valid");
        input.push(choices.byte());
    }

    #[test]
    fn the_seed_and_the_number_alone_decide_the_input() {
        let target = Target {
            name: "none",
            make,
            words: &[b"word"],
            run: |_| {},
        };
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut different = 0;
        for number in 0..1000 {
            fill(&target, 7, number, &mut a);
            fill(&target, 7, number, &mut b);
            assert_eq!(a, b);
            fill(&target, 8, number, &mut b);
            different += u32::from(a != b);
        }
        assert!(different > 900, "only {different} inputs differ");
    }

    #[test]
    fn a_broken_law_is_found_and_named() {
        let target = Target {
            name: "broken",
            make,
            words: &[],
            run: |input| assert!(!input.starts_with(b"valie"), "law"),
        };
        let failure = catch_unwind(|| run(&target, 1, 1_000_000, None)).unwrap_err();
        let text = failure.downcast_ref::<String>().unwrap();
        assert!(
            text.starts_with("broken: input ") && text.contains("FUZZ_ONLY="),
            "{text}"
        );
    }
}
