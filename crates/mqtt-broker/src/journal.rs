//! What has changed of the durable state and is not stored yet: the engine's word to the store.
//!
//! The engine notes each change under its [`Key`]. Changes coalesce: only the last one under a
//! key is stored, and what came and went between two batches is never stored at all. Whoever
//! drives the engine takes a [`Batch`], stores it as a whole, and says so.
//!
//! Changes are counted. A promise to a client waits until every change up to the one that was
//! noted last when it was made is settled: stored, or come to nothing. So a promise is kept waiting
//! by what is older, and not by what has come since.

mod records;
mod sent;
mod unsettled;

pub use records::{
    Key, RetainedRecord, ScanRecord, SessionRecord, SubscriptionRecord, Value, WillRecord,
};

use crate::message::{Delivery, Message};
use mqtt_proto::PacketId;
use mqtt_proto::flow::State;
use sent::{Sent, SentMessage};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use unsettled::Unsettled;

/// What was under a key before, as the engine knows it.
#[derive(Debug)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Something, which referred to this message.
    Something(Option<Arc<Message>>),
}

#[derive(Debug)]
enum Change {
    /// `replaces`: something is stored under this key already.
    Put {
        value: Value,
        replaces: bool,
    },
    Delete,
}

/// A change that waits to be taken.
#[derive(Debug)]
struct Pending {
    change: Change,
    /// Promises made at this change or later wait for it; `None`: nobody needs to.
    since: Option<u64>,
}

/// One stored value to be: its key, and what is to be stored or that nothing is.
#[derive(Debug)]
pub struct Entry {
    /// Where.
    pub key: Key,
    /// What; `None` deletes.
    pub value: Option<Value>,
    /// The number of the value's message, 0 if it has none.
    pub message: u64,
}

/// Changes that are stored together or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    /// Counts up by one.
    pub number: u64,
    /// Messages that are not stored yet.
    pub messages: Vec<(u64, Arc<Message>)>,
    /// Values that change, no key twice.
    pub entries: Vec<Entry>,
    /// Messages that have left the queues of sessions.
    pub unqueued: Vec<Places>,
    /// Messages that nothing refers to any more.
    pub forgotten: Vec<u64>,
}

/// Places in the queue of a session that lie side by side.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// The session.
    pub session: u64,
    /// The first place.
    pub first: u64,
    /// The last place.
    pub last: u64,
}

impl Batch {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
            && self.entries.is_empty()
            && self.unqueued.is_empty()
            && self.forgotten.is_empty()
    }
}

/// How soon what is pending should be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// There is nothing.
    #[default]
    None,
    /// Nobody waits for it.
    Idle,
    /// Somebody waits, but it may well have come to nothing in a moment.
    Soon,
    /// Somebody waits.
    Now,
}

/// Changes that wait to be taken.
#[derive(Debug)]
pub struct Journal {
    pending: HashMap<Key, Pending, foldhash::fast::RandomState>,
    /// Messages of QoS 1 that were sent since the last batch and are not acknowledged: most come to
    /// nothing, and are found by their tickets instead of their keys.
    sent: Sent,
    unsettled: Unsettled,
    /// What has left queues and nobody was promised, and how much that is.
    unqueued: Vec<Places>,
    unqueued_count: usize,
    /// Messages that lose one stored reference with the next batch.
    released: Vec<Arc<Message>>,
    /// The same, known by their numbers alone.
    released_numbers: Vec<u64>,
    /// How many stored values refer to a stored message, where it is more than one.
    references: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// The number of the next message to be stored.
    next_message: u64,
    /// The number of the next batch to be taken.
    next_batch: u64,
    /// Batches that are taken and not stored, each with the first change that is not settled then.
    taken: VecDeque<(u64, u64)>,
    /// Counts every change, so that one can tell whether something has changed.
    noted: u64,
    urgency: Urgency,
}

impl Journal {
    /// Goes on with a store whose messages have numbers below `next_message`, and in which these
    /// messages are referred to more than once.
    pub fn new(next_message: u64, references: impl IntoIterator<Item = (u64, u32)>) -> Journal {
        Journal {
            pending: HashMap::default(),
            sent: Sent::default(),
            unsettled: Unsettled::default(),
            unqueued: Vec::new(),
            unqueued_count: 0,
            released: Vec::new(),
            released_numbers: Vec::new(),
            references: references
                .into_iter()
                .filter(|&(_, count)| count > 1)
                .collect(),
            next_message: next_message.max(1),
            next_batch: 1,
            taken: VecDeque::new(),
            noted: 0,
            urgency: Urgency::None,
        }
    }

    /// How many changes have been noted.
    pub fn noted(&self) -> u64 {
        self.noted
    }

    /// How many changes are pending.
    pub fn pending(&self) -> usize {
        self.pending.len() + self.sent.count + self.unqueued_count
    }

    /// How soon what is pending should be stored.
    pub fn urgency(&self) -> Urgency {
        if self.is_empty() {
            Urgency::None
        } else if self.unsettled.count == 0 {
            // What somebody waited for has come to nothing.
            Urgency::Idle
        } else {
            self.urgency.max(Urgency::Idle)
        }
    }

    fn is_empty(&self) -> bool {
        self.pending() == 0 && self.released.is_empty() && self.released_numbers.is_empty()
    }

    /// Stored messages lose one reference each.
    pub fn release(&mut self, numbers: Vec<u64>) {
        self.released_numbers.extend(numbers);
    }

    /// Says that somebody waits for what is pending.
    pub fn hurry(&mut self, urgency: Urgency) {
        self.urgency = self.urgency.max(urgency);
    }

    /// Notes that a message of QoS 1 is on its way to the client of a session. The ticket is for
    /// [`Journal::land`]; it is never 0.
    pub fn send(&mut self, session: u64, id: PacketId, delivery: &Delivery) -> u64 {
        self.noted += 1;
        let first = delivery.message.number.first_noted(self.noted);
        let since = first.max(self.unsettled.base);
        self.unsettled.add(since);
        self.sent.push(SentMessage {
            session,
            id,
            delivery: delivery.clone(),
            since,
        })
    }

    /// Notes that a message is on its way no more. `ticket` is what [`Journal::send`] has given,
    /// or 0 where that was not asked; `is_promised`: somebody may be told so.
    pub fn land(
        &mut self,
        ticket: u64,
        key: Key,
        message: Option<&Arc<Message>>,
        is_promised: bool,
    ) {
        match self.sent.take(ticket) {
            Some(sent) => {
                self.noted += 1;
                self.unsettled.remove(Some(sent.since));
                self.rest();
            }
            None => self.note_deleted(key, message.cloned(), is_promised),
        }
    }

    /// Notes that `value` is to be stored.
    ///
    /// A message may go from one key to another: what was promised of it under the first holds for
    /// the second, which therefore counts as noted when the message was first met.
    pub fn put(&mut self, key: Key, value: Value, before: Before) {
        self.noted += 1;
        let first = value.message().map(|m| m.number.first_noted(self.noted));
        let since = first.unwrap_or(self.noted).max(self.unsettled.base);
        match self.pending.get_mut(&key) {
            Some(pending) => {
                match &mut pending.change {
                    Change::Put { value: old, .. } => *old = value,
                    change @ Change::Delete => {
                        *change = Change::Put {
                            value,
                            replaces: true,
                        };
                    }
                }
                self.unsettled.move_to(&mut pending.since, since);
            }
            None => {
                let replaces = matches!(before, Before::Something(_));
                if let Before::Something(Some(message)) = before {
                    self.released.push(message);
                }
                self.unsettled.add(since);
                let pending = Pending {
                    change: Change::Put { value, replaces },
                    since: Some(since),
                };
                self.pending.insert(key, pending);
            }
        }
    }

    /// Notes that what is under a key, which referred to `message`, is to be deleted.
    pub fn delete(&mut self, key: Key, message: Option<Arc<Message>>) {
        self.note_deleted(key, message, true);
    }

    /// As [`Journal::delete`], for what nobody is promised: that a client has what it was sent.
    pub fn delete_some_time(&mut self, key: Key, message: Option<Arc<Message>>) {
        self.note_deleted(key, message, false);
    }

    fn note_deleted(&mut self, key: Key, message: Option<Arc<Message>>, is_promised: bool) {
        self.noted += 1;
        match self.pending.get_mut(&key) {
            Some(pending) => match pending.change {
                Change::Put {
                    replaces: false, ..
                } => {
                    self.unsettled.remove(pending.since);
                    self.pending.remove(&key);
                    self.rest();
                }
                Change::Put { .. } | Change::Delete => pending.change = Change::Delete,
            },
            None => {
                self.released.extend(message);
                if let (Key::Queued(session, place), false) = (&key, is_promised) {
                    return self.note_unqueued(*session, *place);
                }
                let since = is_promised.then_some(self.noted);
                if let Some(since) = since {
                    self.unsettled.add(since);
                }
                let pending = Pending {
                    change: Change::Delete,
                    since,
                };
                self.pending.insert(key, pending);
            }
        }
    }

    /// A queue is mostly worked off place by place.
    fn note_unqueued(&mut self, session: u64, place: u64) {
        self.unqueued_count += 1;
        match self.unqueued.last_mut() {
            Some(places) if places.session == session && places.last + 1 == place => {
                places.last = place;
            }
            _ => self.unqueued.push(Places {
                session,
                first: place,
                last: place,
            }),
        }
    }

    /// Takes one reference of a stored message away; whether it was the last.
    fn is_last(&mut self, number: u64) -> bool {
        match self.references.get_mut(&number) {
            Some(count) if *count > 2 => *count -= 1,
            Some(_) => {
                self.references.remove(&number);
            }
            None => return true,
        }
        false
    }

    /// Where nothing is pending, nothing is urgent, and no memory is held for it.
    fn rest(&mut self) {
        if self.is_empty() {
            self.urgency = Urgency::None;
            if self.pending.capacity() > 4096 {
                self.pending = HashMap::default();
            }
            self.sent.rest();
        }
    }

    /// The change up to which all must be settled before a promise made now may leave; `None`:
    /// all is.
    pub fn promise(&self) -> Option<u64> {
        let is_settled = self.unsettled.count == 0 && self.taken.is_empty();
        (!is_settled).then_some(self.noted)
    }

    /// The change up to which all is stored, or has come to nothing.
    ///
    /// This is asked between two things that happen, not while a message goes from key to key.
    pub fn settle(&mut self) -> u64 {
        let first = self.unsettled.settle(self.noted);
        self.taken.front().map_or(first, |&(_, first)| first) - 1
    }

    /// All batches up to this one are stored.
    pub fn handle_stored(&mut self, number: u64) {
        while self
            .taken
            .front()
            .is_some_and(|&(taken, _)| taken <= number)
        {
            self.taken.pop_front();
        }
    }

    /// Takes what is pending; `None` if that is nothing.
    pub fn take(&mut self) -> Option<Batch> {
        if self.urgency() == Urgency::None {
            return None;
        }
        let mut batch = Batch {
            number: self.next_batch,
            entries: Vec::with_capacity(self.pending.len()),
            ..Batch::default()
        };
        self.next_batch += 1;
        let first = self.unsettled.settle(self.noted);
        self.taken.push_back((batch.number, first));
        self.unsettled = Unsettled::behind(self.noted);
        for sent in self.sent.drain() {
            let key = Key::InFlight(sent.session, sent.id);
            let value = Value::InFlight(State::AwaitPubAck, Some(sent.delivery));
            // What has the same key was under that identifier before, and is to be deleted.
            let pending = Pending {
                change: Change::Put {
                    value,
                    replaces: true,
                },
                since: Some(sent.since),
            };
            self.pending.insert(key, pending);
        }
        // In the order of their keys they are written side by side, and so are their messages.
        let mut pending: Vec<_> = self.pending.drain().collect();
        pending.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (key, pending) in pending {
            let Change::Put { value, .. } = pending.change else {
                batch.entries.push(Entry {
                    key,
                    value: None,
                    message: 0,
                });
                continue;
            };
            let mut number = 0;
            if let Some(message) = value.message() {
                number = message.number.get();
                if number == 0 {
                    number = self.next_message;
                    self.next_message += 1;
                    message.number.set(number);
                    batch.messages.push((number, message.clone()));
                } else {
                    *self.references.entry(number).or_insert(1) += 1;
                }
            }
            batch.entries.push(Entry {
                key,
                value: Some(value),
                message: number,
            });
        }
        for message in std::mem::take(&mut self.released) {
            let number = message.number.get();
            if self.is_last(number) {
                message.number.set(0);
                batch.forgotten.push(number);
            }
        }
        for number in std::mem::take(&mut self.released_numbers) {
            if self.is_last(number) {
                batch.forgotten.push(number);
            }
        }
        batch.unqueued = side_by_side(std::mem::take(&mut self.unqueued));
        self.unqueued_count = 0;
        self.rest();
        self.urgency = Urgency::None;
        Some(batch)
    }
}

/// Puts places together that belong together: several queues may have been worked off in turn.
fn side_by_side(mut places: Vec<Places>) -> Vec<Places> {
    places.sort_unstable_by_key(|places| (places.session, places.first));
    places.dedup_by(|next, places| {
        let is_next = next.session == places.session && next.first == places.last + 1;
        if is_next {
            places.last = next.last;
        }
        is_next
    });
    places
}

#[cfg(test)]
mod tests;
