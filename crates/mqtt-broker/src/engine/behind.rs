//! The part of a queue that only the store has: left there, and asked back as the client reads.

use super::Engine;
use crate::message::Delivery;
use crate::session::{Behind, SessionKey};
use crate::time::Time;

/// A part of a queue that is wanted back from the store.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    session: SessionKey,
    /// The serial number of its session.
    pub serial: u64,
    /// The place behind which it lies.
    pub behind: u64,
    /// How many messages, at most.
    pub count: usize,
}

/// Bytes of one queue that are kept in memory, however many messages that are.
const HEAD_BYTES: usize = 4 * 1024 * 1024;

impl Engine {
    /// A part of a queue that is wanted back from the store, behind all batches taken before.
    pub fn poll_wanted(&mut self) -> Option<Wanted> {
        self.durable.as_mut()?.wanted.pop()
    }

    /// Whether a part of a queue is wanted.
    pub fn has_wanted(&self) -> bool {
        let durable = self.durable.as_ref();
        durable.is_some_and(|durable| !durable.wanted.is_empty())
    }

    /// A part of a queue has come back.
    pub fn handle_loaded(&mut self, now: Time, wanted: Wanted, deliveries: Vec<Delivery>) {
        let key = wanted.session;
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        if session.serial != wanted.serial {
            return;
        }
        session.behind.is_loading = false;
        if deliveries.is_empty() {
            // They should have been there; what is not in the store is nowhere.
            session.behind = Behind::default();
        }
        for delivery in deliveries {
            let size = delivery.message.size();
            session.behind.count = session.behind.count.saturating_sub(1);
            session.behind.bytes = session.behind.bytes.saturating_sub(size);
            session.behind.after = delivery.place;
            session.push(delivery);
        }
        self.send_waiting(now, key);
        self.ask_for_more(key);
    }

    /// A part of a queue cannot be read now; it is asked for again when the store works.
    pub fn handle_unreadable(&mut self, now: Time, wanted: Wanted, why: &str) {
        if let Some(session) = self.sessions.get_mut(wanted.session.0 as usize)
            && session.serial == wanted.serial
        {
            session.behind.is_loading = false;
        }
        self.handle_refused(now, why);
    }

    /// Asks for all parts of queues that could not be read.
    pub(super) fn ask_again(&mut self) {
        let waiting = self.sessions.iter();
        let waiting = waiting.filter(|(_, session)| session.behind.count > 0);
        let keys: Vec<_> = waiting
            .filter_map(|(index, _)| u32::try_from(index).ok().map(SessionKey))
            .collect();
        for key in keys {
            self.ask_for_more(key);
        }
    }

    /// Whether what is queued now is better left to the store: much lies in front of it.
    pub(super) fn is_far_back(&self, key: SessionKey) -> bool {
        let session = self.session(key);
        session.is_durable
            && (session.behind.count > 0
                || session.queue.len() >= self.settings.queue_head
                || session.queued_bytes >= HEAD_BYTES)
    }

    /// Leaves a queued message to the store.
    pub(super) fn leave_behind(&mut self, key: SessionKey, delivery: &Delivery) {
        if delivery.place == 0 {
            // QoS 0 is not stored, and may not overtake what is.
            self.note_dropped(key);
            return;
        }
        let session = self.session_mut(key);
        let last = session.queue.back().map_or(0, |last| last.place);
        session.behind.add(last, delivery.message.size());
        self.ask_for_more(key);
    }

    /// Wants the next part of a queue back when the part in memory runs short.
    pub(super) fn ask_for_more(&mut self, key: SessionKey) {
        let head = self.settings.queue_head;
        let session = &mut self.sessions[key.0 as usize];
        let behind = &mut session.behind;
        if behind.count == 0 || behind.is_loading || session.queue.len() > head / 2 {
            return;
        }
        if let Some(durable) = &mut self.durable {
            behind.is_loading = true;
            durable.wanted.push(Wanted {
                session: key,
                serial: session.serial,
                behind: behind.after,
                count: head,
            });
        }
    }
}
