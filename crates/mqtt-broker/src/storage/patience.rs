//! How long a promise waits for clients to acknowledge what it is about: then nothing is stored.

use std::time::{Duration, Instant};

/// How long one waits where nothing moves, as long as nothing is known of the clients.
const SOON: Duration = Duration::from_millis(2);

/// How long one waits where nothing moves, but has so far: clients are given a moment to be given
/// the processor.
const TRUSTED: Duration = Duration::from_millis(16);

/// How long one waits where clients acknowledge one message after the other, and will have come to
/// this one by then. To store what is only queuing up would let its publishers run ahead of its
/// subscribers, and the queue would grow, and all of it would have to be stored.
const LONGEST: Duration = Duration::from_millis(100);

/// What is known of promises that may come to nothing: all that were made up to a moment.
pub(super) struct Patience {
    since: Instant,
    /// The change that was the last one then.
    mark: u64,
    /// When one has looked last, and up to which change all was settled.
    seen: (Instant, u64),
    /// How long it lasts where nothing moves.
    grace: Duration,
}

impl Patience {
    /// Nothing is waited for.
    pub(super) fn new(now: Instant) -> Patience {
        Patience {
            since: now,
            mark: 0,
            seen: (now, 0),
            grace: SOON,
        }
    }

    /// From here on the changes up to `noted` are waited for.
    pub(super) fn begin(&mut self, now: Instant, noted: u64, settled: u64) {
        if self.mark > 0 {
            // It was rewarded.
            self.grace = (self.grace * 2).min(TRUSTED);
        }
        self.since = now;
        self.mark = noted;
        self.seen = (now, settled);
    }

    /// Whether all that was waited for has come to nothing.
    pub(super) fn is_rewarded(&self, settled: u64) -> bool {
        settled >= self.mark
    }

    /// Up to when it lasts, if all changes up to `settled` are settled now. Once that is past, it
    /// is time to store.
    pub(super) fn end(&mut self, now: Instant, settled: u64) -> Instant {
        let (at, before) = self.seen;
        let (done, left) = (settled - before, self.mark.saturating_sub(settled));
        if now < at + SOON || (done == 0 && now < at + self.grace) {
            let look = if now < at + SOON { SOON } else { self.grace };
            return at + look;
        }
        // At the pace of the last moments; for ever, if nothing has moved.
        let needs = (now - at).as_secs_f64() * left as f64 / done as f64;
        let is_hopeful = (now - self.since).as_secs_f64() + needs < LONGEST.as_secs_f64();
        if !is_hopeful {
            return now;
        }
        self.seen = (now, settled);
        now + SOON
    }

    /// What was waited for is stored.
    pub(super) fn give_up(&mut self) {
        self.mark = 0;
        self.grace = SOON;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long a promise waits for the last of `changes`, if so many are settled in a millisecond.
    fn waits(changes: u64, per_millisecond: u64) -> u128 {
        let start = Instant::now();
        let mut patience = Patience::new(start);
        patience.begin(start, changes, 0);
        for millisecond in 0.. {
            let now = start + Duration::from_millis(millisecond);
            let settled = (millisecond * per_millisecond).min(changes);
            if patience.is_rewarded(settled) || patience.end(now, settled) <= now {
                return (now - start).as_millis();
            }
        }
        unreachable!("there is always another millisecond")
    }

    #[test]
    fn where_nothing_moves_the_store_is_asked_soon() {
        assert_eq!(waits(1000, 0), SOON.as_millis());
    }

    #[test]
    fn a_queue_that_clients_are_working_off_is_waited_for() {
        assert_eq!(waits(1000, 100), 10);
        assert_eq!(waits(1000, 30), 34);
    }

    #[test]
    fn a_queue_that_will_take_too_long_is_not_waited_for() {
        assert_eq!(waits(1000, 5), SOON.as_millis());
    }

    #[test]
    fn clients_that_stop_are_not_waited_for_either() {
        let start = Instant::now();
        let at = |millisecond| start + Duration::from_millis(millisecond);
        let mut patience = Patience::new(start);
        patience.begin(start, 1000, 0);
        assert_eq!(patience.end(at(2), 200), at(4));
        assert_eq!(patience.end(at(4), 400), at(6));
        assert_eq!(patience.end(at(6), 400), at(6));
    }

    #[test]
    fn clients_that_have_kept_up_may_stop_for_a_moment() {
        let start = Instant::now();
        let at = |millisecond| start + Duration::from_millis(millisecond);
        let mut patience = Patience::new(start);
        for n in 0..10 {
            patience.begin(at(n), n + 10, n);
        }
        assert_eq!(patience.end(at(11), 9), at(9) + TRUSTED);
        assert_eq!(patience.end(at(20), 9), at(9) + TRUSTED);
        assert_eq!(patience.end(at(25), 9), at(25));
        patience.give_up();
        patience.begin(at(30), 40, 20);
        assert_eq!(patience.end(at(32), 20), at(32));
    }
}
