//! What a connection still has to write: small packets side by side, large payloads where they lie.

use crate::seldom::Seldom;
use bytes::Bytes;
use std::io::IoSlice;

/// From this size on a payload is shared between its receivers instead of copied for each.
///
/// Below it a copy costs less than a further slice in the write call and a counter on the heap.
pub const SHARE_FROM: usize = 8 * 1024;

/// A buffer of small packets is closed at this size and another begun.
const CHUNK: usize = 128 * 1024;

#[derive(Debug)]
enum Chunk {
    Small(Vec<u8>),
    Shared(Bytes),
}

impl Chunk {
    fn shared_len(&self) -> usize {
        match self {
            Chunk::Small(_) => 0,
            Chunk::Shared(bytes) => bytes.len(),
        }
    }
}

/// Bytes in the order in which they must leave. Empty, it holds no memory.
#[derive(Debug, Default)]
pub struct Outbox {
    front: Vec<u8>,
    /// How much of what lies in front (or of the first of `more`) has left.
    sent: usize,
    more: Seldom<Chunk>,
    len: usize,
    /// How many of `more` are shared payloads.
    shared: usize,
    /// Bytes that have left, since the beginning.
    left: u64,
    /// What is behind these places, counted from the beginning, waits until all changes
    /// of the journal up to this one are settled.
    gates: Seldom<(u64, u64)>,
}

/// So many large payloads may wait in one outbox. They are shared, and so weigh less than the
/// bytes they have: what is counted in bytes is what was copied.
const SHARED_LIMIT: usize = 16;

impl Outbox {
    /// How many bytes wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many bytes have left, since the beginning.
    pub fn taken(&self) -> u64 {
        self.left
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes may leave now.
    pub fn ready(&self) -> usize {
        match self.gates.front() {
            None => self.len,
            // What stands in front of a gate is in memory, so its length is a `usize`.
            Some(&(place, _)) => usize::try_from(place - self.left).unwrap_or(self.len),
        }
    }

    /// Whether anything waits for changes to be settled.
    pub fn is_gated(&self) -> bool {
        !self.gates.is_empty()
    }

    /// What is appended from now on leaves when all changes up to this one are settled.
    pub fn gate(&mut self, change: u64) {
        if self.gates.back().is_none_or(|&(_, last)| last < change) {
            self.gates.push_back((self.left + self.len as u64, change));
        }
    }

    /// All changes up to this one are settled; whether more may leave than before.
    pub fn open_gates(&mut self, settled: u64) -> bool {
        let before = self.gates.len();
        while self
            .gates
            .front()
            .is_some_and(|&(_, first)| first <= settled)
        {
            self.gates.pop_front();
        }
        self.gates.len() < before
    }

    /// Whether a message may still be put behind what waits, if at most `limit` copied bytes may.
    pub fn has_room(&self, limit: usize) -> bool {
        if self.shared == 0 {
            return self.len < limit;
        }
        let large: usize = self.more.iter().map(Chunk::shared_len).sum();
        self.shared < SHARED_LIMIT && self.len - large.min(self.len) < limit
    }

    /// Appends what `write` writes; `spare` is where an empty outbox takes its buffer from.
    #[inline(always)] // What is appended is known where it is called, and mostly four bytes.
    pub fn append<R>(
        &mut self,
        spare: &mut Vec<Vec<u8>>,
        write: impl FnOnce(&mut Vec<u8>) -> R,
    ) -> R {
        let buffer = self.open(spare);
        let before = buffer.len();
        let result = write(buffer);
        let added = buffer.len() - before;
        self.len += added;
        result
    }

    #[inline]
    fn open(&mut self, spare: &mut Vec<Vec<u8>>) -> &mut Vec<u8> {
        if self.more.is_empty() && self.front.len() < CHUNK && self.front.capacity() > 0 {
            return &mut self.front;
        }
        self.open_next(spare)
    }

    /// [`Outbox::open`] where the first buffer is not there yet, or is full.
    fn open_next(&mut self, spare: &mut Vec<Vec<u8>>) -> &mut Vec<u8> {
        if self.more.is_empty() && self.front.len() < CHUNK {
            self.front = spare.pop().unwrap_or_default();
            return &mut self.front;
        }
        let fits = matches!(self.more.back(), Some(Chunk::Small(last)) if last.len() < CHUNK);
        if !fits {
            self.more
                .push_back(Chunk::Small(spare.pop().unwrap_or_default()));
        }
        match self.more.back_mut() {
            Some(Chunk::Small(last)) => last,
            _ => unreachable!("a small chunk was found or put at the back"),
        }
    }

    /// Appends a large payload without copying it.
    pub fn append_shared(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        self.shared += 1;
        self.more.push_back(Chunk::Shared(bytes));
    }

    /// Takes back what waits behind a gate.
    pub fn drop_gated(&mut self, spare: &mut Vec<Vec<u8>>) {
        let ready = self.ready();
        self.gates.clear();
        // What was sent of the first piece still lies in it.
        let mut left = ready + self.sent;
        let kept = self.front.len().min(left);
        self.front.truncate(kept);
        left -= kept;
        let pieces = self.more.take();
        self.shared = 0;
        for mut piece in pieces {
            if left == 0 {
                break;
            }
            left -= match &mut piece {
                Chunk::Small(bytes) => {
                    bytes.truncate(left);
                    bytes.len()
                }
                Chunk::Shared(bytes) => {
                    bytes.truncate(left);
                    self.shared += 1;
                    bytes.len()
                }
            };
            self.more.push_back(piece);
        }
        self.len = ready;
        self.advance(0, spare);
    }

    /// Fills `slices` with what may be written next; returns how many.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut ready = self.ready();
        let front = (!self.front.is_empty()).then_some(self.front.as_slice());
        let rest = self.more.iter().map(|chunk| match chunk {
            Chunk::Small(bytes) => bytes.as_slice(),
            Chunk::Shared(bytes) => bytes,
        });
        let mut count = 0;
        for (at, (slot, bytes)) in slices
            .iter_mut()
            .zip(front.into_iter().chain(rest))
            .enumerate()
        {
            let bytes = if at == 0 { &bytes[self.sent..] } else { bytes };
            let bytes = &bytes[..bytes.len().min(ready)];
            if bytes.is_empty() {
                break;
            }
            ready -= bytes.len();
            *slot = IoSlice::new(bytes);
            count = at + 1;
        }
        count
    }

    /// Takes away the first `count` bytes, which have been written; emptied buffers go to `spare`.
    pub fn advance(&mut self, mut count: usize, spare: &mut Vec<Vec<u8>>) {
        self.len -= count;
        self.left += count as u64;
        loop {
            let first = if !self.front.is_empty() {
                self.front.len()
            } else {
                match self.more.front() {
                    Some(Chunk::Small(bytes)) => bytes.len(),
                    Some(Chunk::Shared(bytes)) => bytes.len(),
                    None => break,
                }
            };
            if self.sent + count < first {
                self.sent += count;
                break;
            }
            count -= first - self.sent;
            self.sent = 0;
            if !self.front.is_empty() {
                recycle(std::mem::take(&mut self.front), spare);
            } else {
                match self.more.pop_front() {
                    Some(Chunk::Small(bytes)) => recycle(bytes, spare),
                    Some(Chunk::Shared(_)) => self.shared -= 1,
                    None => {}
                }
            }
        }
    }

    /// Gives everything up.
    pub fn clear(&mut self, spare: &mut Vec<Vec<u8>>) {
        recycle(std::mem::take(&mut self.front), spare);
        *self = Outbox::default();
    }
}

/// Keeps a few buffers of ordinary size for the next outbox that has something to write.
fn recycle(mut buffer: Vec<u8>, spare: &mut Vec<Vec<u8>>) {
    const SPARE: usize = 64;
    if buffer.capacity() > 0 && buffer.capacity() <= 2 * CHUNK && spare.len() < SPARE {
        buffer.clear();
        spare.push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes everything in steps of `step` bytes, as a socket with a small window would take it.
    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut spare = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let count = outbox.slices(&mut slices);
            let ready: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
            let taken = step.min(ready.len());
            out.extend_from_slice(&ready[..taken]);
            outbox.advance(taken, &mut spare);
        }
        out
    }

    #[test]
    fn bytes_leave_in_the_order_they_came_however_they_are_cut() {
        for step in [1, 7, 1000, usize::MAX] {
            let mut outbox = Outbox::default();
            let mut spare = Vec::new();
            let mut expected = Vec::new();
            for n in 0..20u8 {
                let small = [n; 5];
                outbox.append(&mut spare, |buffer| buffer.extend_from_slice(&small));
                expected.extend_from_slice(&small);
                if n % 3 == 0 {
                    let large = Bytes::from(vec![n | 0x80; 400]);
                    expected.extend_from_slice(&large);
                    outbox.append_shared(large);
                }
            }
            assert_eq!(outbox.len(), expected.len());
            assert_eq!(drain(&mut outbox, step), expected, "step {step}");
        }
    }

    #[test]
    fn nothing_passes_a_gate_before_its_batch_is_stored() {
        let mut outbox = Outbox::default();
        let mut spare = Vec::new();
        outbox.append(&mut spare, |buffer| buffer.extend_from_slice(b"free"));
        outbox.gate(3);
        outbox.append(&mut spare, |buffer| buffer.extend_from_slice(b"gated"));
        outbox.gate(3);
        outbox.append_shared(Bytes::from_static(b"behind"));
        outbox.gate(5);
        outbox.append(&mut spare, |buffer| buffer.extend_from_slice(b"last"));
        let readable = |outbox: &Outbox| {
            let mut slices = [IoSlice::new(&[]); 8];
            let count = outbox.slices(&mut slices);
            let text: Vec<u8> = slices[..count].iter().flat_map(|s| s.to_vec()).collect();
            assert_eq!(text.len(), outbox.ready());
            String::from_utf8(text).expect("it is text")
        };
        assert_eq!(readable(&outbox), "free");
        outbox.advance(2, &mut spare);
        assert_eq!(readable(&outbox), "ee");
        assert!(!outbox.open_gates(2));
        assert!(outbox.open_gates(4));
        assert_eq!(readable(&outbox), "eegatedbehind");
        outbox.advance(13, &mut spare);
        assert_eq!(
            (readable(&outbox), outbox.is_empty()),
            (String::new(), false)
        );
        assert!(outbox.open_gates(5));
        assert_eq!(readable(&outbox), "last");
    }

    #[test]
    fn what_is_behind_a_gate_can_be_taken_back() {
        for written in 0..=9 {
            let mut outbox = Outbox::default();
            let mut spare = Vec::new();
            outbox.append(&mut spare, |buffer| buffer.extend_from_slice(b"free"));
            outbox.append_shared(Bytes::from_static(b"large"));
            outbox.gate(1);
            outbox.append(&mut spare, |buffer| buffer.extend_from_slice(b"gated"));
            outbox.append_shared(Bytes::from_static(b"behind"));
            outbox.advance(written, &mut spare);
            outbox.drop_gated(&mut spare);
            assert_eq!(outbox.len(), 9 - written);
            outbox.append(&mut spare, |buffer| buffer.extend_from_slice(b"bye"));
            let expected = &b"freelargebye"[written..];
            assert_eq!(drain(&mut outbox, 2), expected, "{written} bytes had left");
        }
    }

    #[test]
    fn an_emptied_outbox_gives_its_buffer_back() {
        let mut spare = Vec::new();
        let mut outbox = Outbox::default();
        outbox.append(&mut spare, |buffer| buffer.extend_from_slice(b"abc"));
        outbox.advance(3, &mut spare);
        assert_eq!((spare.len(), outbox.front.capacity()), (1, 0));
        outbox.append(&mut spare, |buffer| buffer.push(1));
        assert!(spare.is_empty());
    }
}
