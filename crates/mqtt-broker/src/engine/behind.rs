//! The part of a queue that only the store has: left there, asked back as the client reads, and passed
//! on to others of a share group when the client is lost.

use super::Engine;
use crate::journal::Key;
use crate::message::Delivery;
use crate::session::{Behind, SessionKey};
use crate::store::Measure;
use crate::time::Time;
use crate::topics::Place;

/// A part of a queue that is wanted back from the store.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    purpose: Purpose,
    /// The serial number of its session.
    pub serial: u64,
    /// The place behind which it lies.
    pub behind: u64,
    /// How much of it.
    pub part: Measure,
}

/// What a part of a queue is wanted for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    /// To be sent to the client.
    Send(SessionKey),
    /// The client is away: what came through shared subscriptions goes on to others who are there.
    PassOn(SessionKey),
    /// The session has ended, and this is left of it.
    Inherit,
}

/// No session: who had these messages is gone.
const NOBODY: SessionKey = SessionKey(u32::MAX);

/// Bytes of one queue that are kept in memory, however many messages that are.
const HEAD_BYTES: usize = 4 * 1024 * 1024;

/// In so many parts the queue of a client that reads comes back.
const PARTS: usize = 4;

impl Engine {
    /// How much of a queue is in memory.
    pub fn queue_head(&self) -> Measure {
        Measure::of(self.settings.queue_head, HEAD_BYTES)
    }

    /// How much comes back at a time for a client that reads: little enough that the store has it ready
    /// before the client has read what is in memory.
    fn queue_part(&self) -> Measure {
        let Measure { count, bytes } = self.queue_head();
        Measure::of((count / PARTS).max(1), bytes / PARTS)
    }

    /// A part of a queue that is wanted back from the store, behind all batches taken before.
    pub fn poll_wanted(&mut self) -> Option<Wanted> {
        self.durable.as_mut()?.wanted.pop()
    }

    /// Whether a part of a queue is wanted.
    pub fn has_wanted(&self) -> bool {
        let durable = self.durable.as_ref();
        durable.is_some_and(|durable| !durable.wanted.is_empty())
    }

    /// Whether what is wanted can be read before the next batch is stored: that has nothing of it.
    pub fn can_read_ahead(&self) -> bool {
        let durable = self.durable.as_ref();
        durable.is_some_and(|durable| !durable.has_touched_behind)
    }

    /// What only the store has of queues has changed.
    fn touch_behind(&mut self) {
        if let Some(durable) = &mut self.durable {
            durable.has_touched_behind = true;
        }
    }

    /// A part of a queue has come back.
    pub fn handle_loaded(&mut self, now: Time, wanted: Wanted, deliveries: Vec<Delivery>) {
        let key = match wanted.purpose {
            Purpose::Send(key) | Purpose::PassOn(key) => key,
            Purpose::Inherit => return self.inherit(now, wanted, deliveries),
        };
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        if session.serial != wanted.serial {
            return;
        }
        session.behind.is_loading = false;
        match wanted.purpose {
            Purpose::PassOn(_) if session.connection.is_none() => {
                self.pass_on_loaded(now, key, wanted, deliveries);
            }
            // The client is back, and reads on where it was.
            Purpose::PassOn(_) => self.ask_for_more(key),
            _ => self.take_loaded(now, key, deliveries),
        }
    }

    fn take_loaded(&mut self, now: Time, key: SessionKey, deliveries: Vec<Delivery>) {
        let session = self.session_mut(key);
        if deliveries.is_empty() {
            // They should have been there; what is not in the store is nowhere.
            session.behind = Behind::default();
        }
        for delivery in deliveries {
            session.behind.remove(delivery.message.size());
            session.behind.after = delivery.place;
            session.push(delivery);
        }
        if session.connection.is_none() {
            // It has gone meanwhile.
            self.pass_on_shared(now, key, false);
        }
        self.send_waiting(now, key);
        self.ask_for_more(key);
    }

    /// Passes on what is behind in the queue of an absent client, from its beginning.
    pub(super) fn pass_on_behind(&mut self, key: SessionKey) {
        let session = self.session(key);
        let (behind, serial) = (session.behind, session.serial);
        if behind.count > 0 && !behind.is_loading && session.places.iter().any(Place::is_shared) {
            self.want_to_pass_on(key, serial, behind.after);
        }
    }

    fn want_to_pass_on(&mut self, key: SessionKey, serial: u64, behind: u64) {
        let part = self.queue_head();
        if let Some(durable) = &mut self.durable {
            durable.wanted.push(Wanted {
                purpose: Purpose::PassOn(key),
                serial,
                behind,
                part,
            });
            self.session_mut(key).behind.is_loading = true;
        }
    }

    /// Gives others what has come through shared subscriptions; the rest stays where it is.
    fn pass_on_loaded(
        &mut self,
        now: Time,
        key: SessionKey,
        wanted: Wanted,
        deliveries: Vec<Delivery>,
    ) {
        let Some(last) = deliveries.last().map(|delivery| delivery.place) else {
            return;
        };
        self.touch_behind();
        let (mut shared, mut passed) = (0, 0);
        for delivery in deliveries {
            if delivery.share().is_none() {
                continue;
            }
            shared += 1;
            if self.pass_on(now, key, delivery.clone(), false).is_none() {
                passed += 1;
                self.note_unqueued(key, &delivery);
                let size = delivery.message.size();
                self.session_mut(key).behind.remove(size);
            }
        }
        // Where nobody has taken anything, nobody else of the group is there.
        if (shared == 0 || passed > 0) && self.session(key).behind.count > 0 {
            self.want_to_pass_on(key, wanted.serial, last);
        }
    }

    /// Sessions have ended, and have left messages of shared subscriptions in the store.
    pub(super) fn want_legacies(&mut self, serials: impl IntoIterator<Item = u64>) {
        let part = self.queue_head();
        if let Some(durable) = &mut self.durable {
            durable
                .wanted
                .extend(serials.into_iter().map(|serial| Wanted {
                    purpose: Purpose::Inherit,
                    serial,
                    behind: 0,
                    part,
                }));
        }
    }

    /// Gives the members of share groups what a session has left that is no more.
    fn inherit(&mut self, now: Time, wanted: Wanted, deliveries: Vec<Delivery>) {
        let Some(last) = deliveries.last().map(|delivery| delivery.place) else {
            return;
        };
        self.touch_behind();
        for delivery in deliveries {
            let key = Key::Queued(wanted.serial, delivery.place);
            let message = delivery.message.clone();
            // What nobody can take is over with the session.
            let _ = self.pass_on(now, NOBODY, delivery, true);
            if let Some(durable) = &mut self.durable {
                durable.journal.delete_some_time(key, Some(message));
            }
        }
        if let Some(durable) = &mut self.durable {
            durable.wanted.push(Wanted {
                behind: last,
                ..wanted
            });
        }
    }

    /// A part of a queue cannot be read now; it is asked for again when the store works.
    pub fn handle_unreadable(&mut self, now: Time, wanted: Wanted, why: &str) {
        match wanted.purpose {
            Purpose::Send(key) | Purpose::PassOn(key) => {
                if let Some(session) = self.sessions.get_mut(key.0 as usize)
                    && session.serial == wanted.serial
                {
                    session.behind.is_loading = false;
                }
            }
            Purpose::Inherit => {
                if let Some(durable) = &mut self.durable {
                    durable.unread.push(wanted);
                }
            }
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
        if let Some(durable) = &mut self.durable {
            durable.wanted.append(&mut durable.unread);
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
        self.touch_behind();
        let size = delivery.message.size();
        self.session_mut(key).behind.add(delivery.place, size);
        self.ask_for_more(key);
    }

    /// Wants the next part of a queue back when the part in memory runs short.
    pub(super) fn ask_for_more(&mut self, key: SessionKey) {
        let (head, part) = (self.queue_head(), self.queue_part());
        let session = &mut self.sessions[key.0 as usize];
        let behind = &mut session.behind;
        let has_enough = session.queue.len() + part.count > head.count
            || session.queued_bytes + part.bytes > head.bytes;
        if behind.count == 0 || behind.is_loading || has_enough {
            return;
        }
        if let Some(durable) = &mut self.durable {
            behind.is_loading = true;
            durable.wanted.push(Wanted {
                purpose: Purpose::Send(key),
                serial: session.serial,
                behind: behind.after,
                part,
            });
        }
    }
}
