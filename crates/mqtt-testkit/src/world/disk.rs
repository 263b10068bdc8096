//! A disk in memory that can lose power, tear writes, refuse, and fill up.

use crate::fuzz::Random;
use mqtt_broker::store::disk::Disk;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

/// A file on a simulated disk; clones are the same file.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// What outlives a loss of power.
    safe: Vec<u8>,
    /// What the program sees.
    seen: Vec<u8>,
    /// What was done since the last sync.
    unsafe_steps: Vec<Step>,
    /// Steps until the disk refuses everything, if it does.
    until_failure: Option<u64>,
    /// How long the file may become.
    room: Option<u64>,
    /// Steps since the beginning.
    steps: u64,
}

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

impl SimDisk {
    /// An empty one.
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many writes, cuts and syncs there were.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// From the step after so many others on, it refuses; `None`: it works.
    pub fn fail_after(&self, steps: Option<u64>) {
        self.state().until_failure = steps;
    }

    /// It has room for so many bytes; `None`: for any number.
    pub fn limit(&self, room: Option<u64>) {
        self.state().room = room;
    }

    /// How long the file is.
    pub fn size(&self) -> u64 {
        self.state().seen.len() as u64
    }

    /// Power is lost: of each sector written since the last sync any version may be left.
    pub fn lose_power(&self, random: &mut Random) {
        let mut state = self.state();
        let mut left = std::mem::take(&mut state.safe);
        for step in std::mem::take(&mut state.unsafe_steps) {
            match step {
                Step::SetLen(len) if random.below(4) > 0 => {
                    left.resize(usize::try_from(len).expect("it fits the memory"), 0);
                }
                Step::SetLen(_) => {}
                Step::Write(at, bytes) => write_torn(&mut left, at, &bytes, random),
            }
        }
        state.safe.clone_from(&left);
        state.seen = left;
        state.until_failure = None;
        state.room = None;
    }

    /// The program is killed: what it has written is there.
    pub fn kill(&self) {
        let mut state = self.state();
        state.safe = state.seen.clone();
        state.unsafe_steps.clear();
        state.until_failure = None;
    }

    /// Another disk with the same bytes.
    pub fn copy(&self) -> SimDisk {
        let bytes = self.state().seen.clone();
        let state = State {
            safe: bytes.clone(),
            seen: bytes,
            ..State::default()
        };
        SimDisk {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Changes one bit of what is there.
    pub fn damage(&self, at: u64, bit: u8) {
        let mut state = self.state();
        let at = usize::try_from(at).expect("it fits the memory");
        state.seen[at] ^= 1 << bit;
        state.safe = state.seen.clone();
    }
}

fn write_torn(file: &mut Vec<u8>, at: u64, bytes: &[u8], random: &mut Random) {
    let at = usize::try_from(at).expect("it fits the memory");
    // Mostly a write is there as a whole or not at all.
    let all = random.below(3);
    let mut done = 0;
    while done < bytes.len() {
        let length = (SECTOR - (at + done) % SECTOR).min(bytes.len() - done);
        let is_left = match all {
            0 => true,
            1 => false,
            _ => random.below(2) == 0,
        };
        if is_left {
            let end = at + done + length;
            if file.len() < end {
                file.resize(end, 0);
            }
            file[at + done..end].copy_from_slice(&bytes[done..done + length]);
        }
        done += length;
    }
}

impl State {
    fn step(&mut self) -> io::Result<()> {
        self.steps += 1;
        match &mut self.until_failure {
            Some(0) => Err(io::Error::other("the simulated disk is broken")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn check_room(&self, end: u64) -> io::Result<()> {
        match self.room {
            Some(room) if end > room => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }
}

impl Disk for SimDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.size())
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let state = self.state();
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let bytes = state.seen.get(at..at + into.len());
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.check_room(len)?;
        let size = usize::try_from(len).map_err(io::Error::other)?;
        state.seen.resize(size, 0);
        state.unsafe_steps.push(Step::SetLen(len));
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        state.check_room(at + bytes.len() as u64)?;
        let start = usize::try_from(at).map_err(io::Error::other)?;
        let end = start + bytes.len();
        if state.seen.len() < end {
            state.seen.resize(end, 0);
        }
        state.seen[start..end].copy_from_slice(bytes);
        state.unsafe_steps.push(Step::Write(at, bytes.to_vec()));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let steps = std::mem::take(&mut state.unsafe_steps);
        // The same steps, without the copy of the whole file that would take.
        for step in steps {
            match step {
                Step::SetLen(len) => {
                    let size = usize::try_from(len).map_err(io::Error::other)?;
                    state.safe.resize(size, 0);
                }
                Step::Write(at, bytes) => {
                    let start = usize::try_from(at).map_err(io::Error::other)?;
                    let end = start + bytes.len();
                    if state.safe.len() < end {
                        state.safe.resize(end, 0);
                    }
                    state.safe[start..end].copy_from_slice(&bytes);
                }
            }
        }
        Ok(())
    }
}
