//! What came in one read, on its way into the figures that all clients share.
//!
//! Messages that come together were mostly sent together, by the same publisher: what is equal for
//! several in a row is written down once for all of them. The figures are the same as if each message had
//! been entered for itself.

use crate::load::shared::{Shared, add};

/// What came since the clock was read.
#[derive(Debug)]
pub struct Tally {
    /// When that was, in nanoseconds since 1970.
    pub now: u64,
    delivered: u64,
    bytes: u64,
    /// Messages that the broker has confirmed.
    pub confirmed: u64,
    /// The time on the way of the last messages, and how many had exactly this.
    took: (u64, u64),
    /// The publisher of the last messages, and how many were its.
    seen: (u32, u64),
}

impl Tally {
    /// Nothing has come yet.
    pub fn new(now: u64) -> Tally {
        Tally {
            now,
            delivered: 0,
            bytes: 0,
            confirmed: 0,
            took: (0, 0),
            seen: (0, 0),
        }
    }

    /// A message came to a subscriber, with so many bytes of payload.
    #[inline]
    pub fn delivered(&mut self, bytes: usize) {
        self.delivered += 1;
        self.bytes += bytes as u64;
    }

    /// A message that was sent at this time has arrived, where that is measured.
    #[inline]
    pub fn took(&mut self, sent: u64, shared: &Shared) {
        let took = self.now.saturating_sub(sent);
        if self.took.0 != took {
            self.enter_took(shared);
            self.took = (took, 0);
        }
        self.took.1 += 1;
    }

    /// A message of this publisher was seen.
    #[inline]
    pub fn seen(&mut self, publisher: u32, shared: &Shared) {
        if self.seen.0 != publisher {
            shared.seen(self.seen.0, self.seen.1);
            self.seen = (publisher, 0);
        }
        self.seen.1 += 1;
    }

    fn enter_took(&self, shared: &Shared) {
        let (took, count) = self.took;
        if count > 0 {
            let mut latencies = shared.latencies.borrow_mut();
            latencies.saturating_record_n(took, count);
        }
    }

    /// Enters everything.
    pub fn enter(self, shared: &Shared) {
        self.enter_took(shared);
        shared.seen(self.seen.0, self.seen.1);
        if self.delivered + self.confirmed > 0 {
            let counts = &shared.counts;
            add(&counts.delivered, self.delivered);
            add(&counts.bytes, self.bytes);
            add(&counts.confirmed, self.confirmed);
            counts.last.set(self.now);
            shared.check_goal();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::shared::histogram;

    #[test]
    fn figures_are_the_same_as_if_each_message_was_entered_for_itself() {
        let shared = Shared::new(1, 3, 3, 1);
        (0..3).for_each(|publisher| shared.sent(publisher, 10));
        let messages = [
            (0, 900_000),
            (0, 900_000),
            (2, 900_000),
            (1, 100_000),
            (1, 2_000_000),
            (1, 900_000),
        ];
        let (mut tally, mut expected) = (Tally::new(1_000_000), histogram());
        for (publisher, sent) in messages {
            tally.delivered(64);
            tally.took(sent, &shared);
            tally.seen(publisher, &shared);
            expected.saturating_record(1_000_000_u64.saturating_sub(sent));
        }
        tally.enter(&shared);
        assert_eq!(*shared.latencies.borrow(), expected);
        assert_eq!(
            [0, 1, 2].map(|publisher| shared.unseen(publisher)),
            [8, 7, 9]
        );
        assert_eq!(shared.counts.delivered.get(), 6);
        assert_eq!(shared.counts.bytes.get(), 6 * 64);
        assert_eq!(shared.counts.last.get(), 1_000_000);
    }

    #[test]
    fn nothing_that_came_changes_nothing() {
        let shared = Shared::new(1, 1, 1, 1);
        Tally::new(5).enter(&shared);
        assert!(shared.latencies.borrow().is_empty());
        assert_eq!(shared.counts.last.get(), 0);
    }
}
