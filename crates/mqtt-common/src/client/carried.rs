//! Messages at QoS 0 that had not left when their connection broke: the session forgets them as soon
//! as they are sent, and the next connection still has to carry them.

use std::collections::VecDeque;

/// The most numbers that are remembered of messages on their way. More packets than this do not fit
/// between a program and the system: it stops at a backlog long before.
const RECENT: usize = 64 * 1024;

/// What waits for the next connection, and what it may have to be filled with.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// Whole packets, in order.
    packets: Vec<u8>,
    /// Their numbers.
    numbers: VecDeque<u64>,
    /// The numbers of the messages sent last over the present connection, oldest first.
    recent: VecDeque<u64>,
}

impl Carried {
    /// A message at QoS 0 was given to the connection.
    pub fn sent(&mut self, number: u64) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(number);
    }

    /// The connection broke; these packets had not wholly left it.
    pub fn keep<'a>(&mut self, unsent: impl Iterator<Item = &'a [u8]>) {
        let before = self.numbers.len();
        let mut count = 0;
        // PUBLISH with QoS 0, whatever its retain flag.
        for packet in unsent.filter(|packet| packet[0] & 0xf6 == 0x30) {
            self.packets.extend_from_slice(packet);
            count += 1;
        }
        let gone = self.recent.len().saturating_sub(count);
        self.numbers.extend(self.recent.drain(..).skip(gone));
        debug_assert_eq!(
            self.numbers.len() - before,
            count,
            "a packet without number"
        );
    }

    /// Another connection is open, and carries them.
    pub fn go_on(&mut self, output: &mut Vec<u8>) {
        output.append(&mut self.packets);
        self.recent.append(&mut self.numbers);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The numbers of what waits, oldest first.
    pub fn numbers(&self) -> impl Iterator<Item = u64> {
        self.numbers.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = &[0x30, 3, 0, 1, b't'];
    const RETAINED: &[u8] = &[0x31, 3, 0, 1, b't'];
    const PING: &[u8] = &[0xc0, 0];
    const AT_LEAST_ONCE: &[u8] = &[0x32, 5, 0, 1, b't', 0, 1];

    #[test]
    fn only_the_last_ones_wait_and_keep_their_numbers() {
        let mut carried = Carried::default();
        (1..=5).for_each(|number| carried.sent(number));
        carried.keep([MESSAGE, PING, AT_LEAST_ONCE, RETAINED].into_iter());
        assert_eq!(carried.numbers().collect::<Vec<_>>(), [4, 5]);
        let mut output = Vec::new();
        carried.go_on(&mut output);
        assert_eq!(output, [MESSAGE, RETAINED].concat());
        assert!(carried.is_empty());
    }

    #[test]
    fn a_second_broken_connection_keeps_what_the_first_did() {
        let mut carried = Carried::default();
        (1..=3).for_each(|number| carried.sent(number));
        carried.keep([MESSAGE, MESSAGE].into_iter());
        // No connection came about in between.
        carried.keep(std::iter::empty());
        assert_eq!(carried.numbers().collect::<Vec<_>>(), [2, 3]);
        carried.go_on(&mut Vec::new());
        carried.sent(4);
        carried.keep([MESSAGE, MESSAGE].into_iter());
        assert_eq!(carried.numbers().collect::<Vec<_>>(), [3, 4]);
    }
}
