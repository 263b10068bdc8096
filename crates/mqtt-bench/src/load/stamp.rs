//! What makes each message recognisable: who sent it, its number, and when.
//!
//! A payload begins with 24 bytes: the letters `MB`, two bytes that tell one run from another, then
//! publisher (4 bytes), counter (8) and nanoseconds since 1970 (8), all with the highest byte first.

/// The smallest payload, in bytes.
pub const SIZE: usize = 24;
const LETTERS: [u8; 2] = *b"MB";

/// The stamp of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which run of the program it comes from.
    pub run: u16,
    /// Which of its publishers, from 0.
    pub publisher: u32,
    /// How many messages this publisher had sent before.
    pub counter: u64,
    /// When it was sent, in nanoseconds since 1970.
    pub time: u64,
}

impl Stamp {
    /// Its bytes.
    pub fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..2].copy_from_slice(&LETTERS);
        bytes[2..4].copy_from_slice(&self.run.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.publisher.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.counter.to_be_bytes());
        bytes[16..].copy_from_slice(&self.time.to_be_bytes());
        bytes
    }

    /// The stamp at the front of a payload; `None` if the message is somebody else's.
    pub fn read(payload: &[u8]) -> Option<Stamp> {
        let bytes: &[u8; SIZE] = payload.first_chunk()?;
        let [a, b, r, s, rest @ ..] = *bytes;
        if [a, b] != LETTERS {
            return None;
        }
        let number = |from: usize| {
            let bytes = rest[from..].first_chunk().copied();
            u64::from_be_bytes(bytes.unwrap_or_default())
        };
        Some(Stamp {
            run: u16::from_be_bytes([r, s]),
            publisher: u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]),
            counter: number(4),
            time: number(12),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written_and_nothing_else_is_one() {
        let stamp = Stamp {
            run: 0x1234,
            publisher: 7,
            counter: u64::MAX - 1,
            time: 1_795_391_492_000_000_001,
        };
        let mut payload = stamp.to_bytes().to_vec();
        payload.extend_from_slice(b"more");
        assert_eq!(Stamp::read(&payload), Some(stamp));
        assert_eq!(Stamp::read(&payload[..SIZE - 1]), None);
        payload[0] = b'X';
        assert_eq!(Stamp::read(&payload), None);
    }
}
