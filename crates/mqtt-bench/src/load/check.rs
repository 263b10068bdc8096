//! Whether everything arrives, once and in order: what one subscriber has heard from each publisher.

use std::collections::{BTreeMap, HashMap};

use super::stamp::Stamp;

/// More gaps than this in one stream, and the oldest are given up as lost: a limit on memory.
const MOST_GAPS: usize = 10_000;

/// What a message was, seen against those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The next one, or one behind a gap.
    New,
    /// One that was missing until now: it came out of order.
    Late,
    /// One that had come before.
    Duplicate,
}

/// The messages of one publisher, as they come to one subscriber.
#[derive(Debug, Default)]
pub struct Stream {
    /// The counter after the highest that has come.
    next: u64,
    /// What is missing below: ranges, by their beginning, with their end (not included).
    gaps: BTreeMap<u64, u64>,
    /// Missing ones in gaps that are no longer remembered.
    given_up: u64,
}

impl Stream {
    /// A stream that is heard from its beginning.
    pub fn new() -> Stream {
        Stream::default()
    }

    /// A stream that was joined at this message.
    pub fn joined(counter: u64) -> Stream {
        Stream {
            next: counter,
            ..Stream::default()
        }
    }

    /// Takes note of a message.
    #[inline]
    pub fn take(&mut self, counter: u64) -> Verdict {
        if counter == self.next {
            self.next += 1;
            return Verdict::New;
        }
        self.take_odd(counter)
    }

    #[cold]
    fn take_odd(&mut self, counter: u64) -> Verdict {
        if counter > self.next {
            self.gaps.insert(self.next, counter);
            self.next = counter + 1;
            if self.gaps.len() > MOST_GAPS
                && let Some((from, to)) = self.gaps.pop_first()
            {
                self.given_up += to - from;
            }
            return Verdict::New;
        }
        let gap = self.gaps.range(..=counter).next_back();
        let Some((from, to)) = gap
            .map(|(from, to)| (*from, *to))
            .filter(|gap| counter < gap.1)
        else {
            return Verdict::Duplicate;
        };
        self.gaps.remove(&from);
        if from < counter {
            self.gaps.insert(from, counter);
        }
        if counter + 1 < to {
            self.gaps.insert(counter + 1, to);
        }
        Verdict::Late
    }

    /// How many are missing below the highest that has come.
    pub fn missing(&self) -> u64 {
        let open: u64 = self.gaps.iter().map(|(from, to)| to - from).sum();
        open + self.given_up
    }
}

/// All that one subscriber hears: the publishers of this run by their number, others by name.
#[derive(Debug, Default)]
pub struct Streams {
    run: u16,
    own: Vec<Stream>,
    others: HashMap<(u16, u32), Stream>,
}

impl Streams {
    /// For a subscriber in a run with this number.
    pub fn new(run: u16) -> Streams {
        Streams {
            run,
            ..Streams::default()
        }
    }

    /// Takes note of a message.
    #[inline]
    pub fn take(&mut self, stamp: &Stamp) -> Verdict {
        if stamp.run == self.run {
            let place = stamp.publisher as usize;
            if place >= self.own.len() {
                self.own.resize_with(place + 1, Stream::new);
            }
            return self.own[place].take(stamp.counter);
        }
        let name = (stamp.run, stamp.publisher);
        let joined = || Stream::joined(stamp.counter);
        self.others
            .entry(name)
            .or_insert_with(joined)
            .take(stamp.counter)
    }

    /// How many are missing in streams that come from other programs: only the subscriber knows of these.
    pub fn missing_from_others(&self) -> u64 {
        self.others.values().map(Stream::missing).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Duplicate, Late, New};

    #[track_caller]
    fn check(counters: &[u64], verdicts: &[Verdict], missing: u64) {
        let mut stream = Stream::new();
        let found: Vec<_> = counters.iter().map(|&n| stream.take(n)).collect();
        assert_eq!(found, verdicts, "{counters:?}");
        assert_eq!(stream.missing(), missing, "{counters:?}");
    }

    #[test]
    fn loss_order_and_duplicates_are_told_apart() {
        check(&[0, 1, 2], &[New, New, New], 0);
        check(&[0, 2], &[New, New], 1);
        check(&[0, 2, 1], &[New, New, Late], 0);
        check(&[0, 1, 1, 0], &[New, New, Duplicate, Duplicate], 0);
        check(&[3, 1, 1, 0, 2], &[New, Late, Duplicate, Late, Late], 0);
        check(&[5], &[New], 5);
        check(&[9, 4, 4, 8, 0], &[New, Late, Duplicate, Late, Late], 6);
    }

    #[test]
    fn what_came_before_the_subscriber_is_not_missing() {
        let mut streams = Streams::new(1);
        let stamp = |run, counter| Stamp {
            run,
            publisher: 3,
            counter,
            time: 0,
        };
        assert_eq!(streams.take(&stamp(2, 100)), New);
        assert_eq!(streams.take(&stamp(2, 102)), New);
        assert_eq!(streams.take(&stamp(2, 102)), Duplicate);
        assert_eq!(streams.missing_from_others(), 1);
        // Of its own run it must hear everything.
        assert_eq!(streams.take(&stamp(1, 1)), New);
        assert_eq!(streams.take(&stamp(1, 0)), Late);
    }

    #[test]
    fn gaps_that_are_forgotten_are_still_missing() {
        let mut stream = Stream::new();
        let gaps = MOST_GAPS as u64 + 10;
        for n in 0..gaps {
            stream.take(2 * n + 1);
        }
        assert_eq!(stream.missing(), gaps);
        assert_eq!(stream.gaps.len(), MOST_GAPS);
        // Too old to be known: better called twice than counted as found and lost.
        assert_eq!(stream.take(0), Duplicate);
    }
}
