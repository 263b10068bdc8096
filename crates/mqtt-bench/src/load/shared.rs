//! What all clients of a run have in common: the clock, the counts, and who waits for whom.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use hdrhistogram::Histogram;
use tokio::sync::Notify;

use super::clock::Clock;

/// The size of the block that all clients read into, in turn: one that stays in the processor's cache.
const READ_BLOCK: usize = 128 * 1024;
/// The longest time that is told from longer ones: an hour, in nanoseconds.
const LONGEST: u64 = 3_600_000_000_000;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Connections are being opened.
    Opening,
    /// Messages are published.
    Running,
    /// Nothing new is published; what is on its way may arrive.
    Draining,
    /// Everybody leaves.
    Closing,
}

/// Numbers that grow.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections that the broker has accepted.
    pub opened: Cell<u64>,
    /// Clients that are ready: connected, and subscribed if they are to.
    pub ready: Cell<u64>,
    /// Connections that were lost.
    pub broken: Cell<u64>,
    /// Messages given to connections.
    pub sent: Cell<u64>,
    /// Messages that the broker has confirmed (QoS 1 and 2).
    pub confirmed: Cell<u64>,
    /// Messages that the broker has refused (MQTT 5).
    pub refused: Cell<u64>,
    /// Messages that came to subscribers, each once.
    pub delivered: Cell<u64>,
    /// Bytes of their payloads.
    pub bytes: Cell<u64>,
    /// Messages that came to a subscriber again.
    pub duplicates: Cell<u64>,
    /// Messages that came to a subscriber after later ones.
    pub late: Cell<u64>,
    /// Messages that no mqtt-bench has sent.
    pub foreign: Cell<u64>,
    /// Publishers that have nothing more to do.
    pub finished: Cell<u64>,
    /// When something was delivered or confirmed last, in nanoseconds since 1970.
    pub last: Cell<u64>,
}

/// Adds to a count.
pub fn add(count: &Cell<u64>, more: u64) {
    count.set(count.get() + more);
}

/// How far the subscribers have followed one publisher.
#[derive(Debug, Default)]
pub struct Credit {
    /// Messages it has sent.
    pub sent: Cell<u64>,
    /// Deliveries of its messages, to all subscribers together.
    pub delivered: Cell<u64>,
    /// Deliveries that are no longer waited for.
    forgiven: Cell<u64>,
    /// The number of deliveries at which it wants to be woken; the largest number if it does not wait.
    wake_at: Cell<u64>,
    /// Its place among the clients.
    client: Cell<usize>,
}

/// What all clients of a run share.
#[derive(Debug)]
pub struct Shared {
    /// The time of the run.
    pub clock: Clock,
    /// A number that tells the messages of this run from others.
    pub run: u16,
    /// How many subscribers hear each message.
    pub fan: u64,
    phase: Cell<Phase>,
    /// What has happened.
    pub counts: Counts,
    credits: Vec<Credit>,
    /// The run is over when so much has been delivered.
    pub goal: Cell<u64>,
    /// How long messages took in this interval, in nanoseconds.
    pub latencies: RefCell<Histogram<u64>>,
    /// Where clients read into.
    pub block: RefCell<Vec<u8>>,
    /// What clients write from, in turn, as long as sockets take all of it: memory that stays in the
    /// processor's cache.
    spare: RefCell<Vec<u8>>,
    wakers: RefCell<Vec<Option<Waker>>>,
    /// Tells whoever directs the run that something has ended.
    pub changed: Notify,
}

/// A histogram of times in nanoseconds, exact to three digits.
pub fn histogram() -> Histogram<u64> {
    let mut histogram =
        Histogram::new_with_bounds(100, LONGEST, 3).expect("these bounds are valid");
    histogram.auto(true);
    histogram
}

impl Shared {
    /// For a run of so many clients, of which so many publish.
    pub fn new(run: u16, clients: usize, publishers: usize, fan: u64) -> Shared {
        let credit = || Credit {
            wake_at: Cell::new(u64::MAX),
            ..Credit::default()
        };
        Shared {
            clock: Clock::new(),
            run,
            fan,
            phase: Cell::new(Phase::Opening),
            counts: Counts::default(),
            credits: std::iter::repeat_with(credit).take(publishers).collect(),
            goal: Cell::new(u64::MAX),
            latencies: RefCell::new(histogram()),
            block: RefCell::new(vec![0; READ_BLOCK]),
            spare: RefCell::default(),
            wakers: RefCell::new(vec![None; clients]),
            changed: Notify::new(),
        }
    }

    /// Memory to write from, for a client that has none.
    pub fn lend(&self, out: &mut Vec<u8>) {
        if out.capacity() == 0 {
            *out = std::mem::take(&mut *self.spare.borrow_mut());
        }
    }

    /// A client has written all of it, and leaves the memory to the next.
    pub fn take_back(&self, out: &mut Vec<u8>) {
        if out.capacity() > 0 {
            out.clear();
            *self.spare.borrow_mut() = std::mem::take(out);
        }
    }

    /// How far the run has come.
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Goes on to the next phase, and wakes everybody.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        for waker in self.wakers.borrow().iter().flatten() {
            waker.wake_by_ref();
        }
    }

    /// Remembers how to wake a client.
    pub fn register(&self, client: usize, waker: &Waker) {
        let mut wakers = self.wakers.borrow_mut();
        let place = &mut wakers[client];
        if !place.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *place = Some(waker.clone());
        }
    }

    /// How many of a publisher's messages the subscribers have not seen.
    pub fn unseen(&self, publisher: u32) -> u64 {
        let credit = &self.credits[publisher as usize];
        let seen = (credit.delivered.get() + credit.forgiven.get()) / self.fan.max(1);
        credit.sent.get().saturating_sub(seen)
    }

    /// Counts messages that a publisher has sent.
    pub fn sent(&self, publisher: u32, count: u64) {
        add(&self.credits[publisher as usize].sent, count);
        add(&self.counts.sent, count);
    }

    /// Wakes the client of a publisher when no more than `unseen` of its messages are on their way.
    pub fn wake_when(&self, publisher: u32, client: usize, unseen: u64) {
        let credit = &self.credits[publisher as usize];
        let seen = credit.sent.get().saturating_sub(unseen) * self.fan.max(1);
        credit
            .wake_at
            .set(seen.saturating_sub(credit.forgiven.get()));
        credit.client.set(client);
    }

    /// Counts deliveries of a publisher's messages, and wakes the publisher if it waits for them.
    pub fn seen(&self, publisher: u32, count: u64) {
        let Some(credit) = self.credits.get(publisher as usize) else {
            return;
        };
        let delivered = credit.delivered.get() + count;
        credit.delivered.set(delivered);
        if delivered >= credit.wake_at.get() {
            self.wake(credit);
        }
    }

    fn wake(&self, credit: &Credit) {
        credit.wake_at.set(u64::MAX);
        if let Some(waker) = &self.wakers.borrow()[credit.client.get()] {
            waker.wake_by_ref();
        }
    }

    /// Stops waiting for messages that were sent until now: they are taken for lost, and publishers go on.
    pub fn forgive(&self) {
        for credit in &self.credits {
            if credit.wake_at.get() != u64::MAX {
                let due = credit.sent.get() * self.fan;
                credit
                    .forgiven
                    .set(due.saturating_sub(credit.delivered.get()));
                self.wake(credit);
            }
        }
    }

    /// Tells the director if everything that is waited for has come.
    pub fn check_goal(&self) {
        if self.counts.delivered.get() >= self.goal.get() {
            self.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_waits_for_its_subscribers_and_is_not_stopped_by_loss() {
        let shared = Shared::new(1, 3, 1, 2);
        shared.sent(0, 4);
        assert_eq!(shared.unseen(0), 4);
        shared.seen(0, 3);
        // The second message has come to one of two.
        assert_eq!(shared.unseen(0), 3);
        shared.wake_when(0, 0, 1);
        shared.forgive();
        assert_eq!(shared.unseen(0), 0);
        shared.sent(0, 1);
        assert_eq!(shared.unseen(0), 1);
        // One that was given up and comes after all.
        shared.seen(0, 1);
        (0..20).for_each(|_| shared.seen(0, 1));
        assert_eq!(shared.unseen(0), 0);
    }
}
