//! What a tree holds, read once from end to end: as much of it as can be proven intact.

use super::form::{self, Kind, StoredDelivery};
use super::references::References;
use super::tree::{State, failed, guarded};
use super::{Found, Measure, Restored, StoreError};
use crate::journal::Key;
use crate::message::{Delivery, Message};
use std::collections::HashMap;
use std::sync::Arc;

/// Reads one message.
fn message(state: &State, number: u64) -> Option<Message> {
    let key = form::message_key(number);
    let value = guarded(|| state.get(&key[..]).map_err(failed)).ok()??;
    form::parse_message(&key, value.value(), number, None)
}

pub(super) fn delivery(stored: StoredDelivery, message: Arc<Message>, place: u64) -> Delivery {
    let delivery = Delivery::new(message, stored.qos, stored.retain);
    delivery.through(stored.identifiers, stored.share).at(place)
}

/// Hands out all that can be read; besides what was found, the keys of what could not.
pub(super) fn walk(
    state: State,
    head: Measure,
    take: &mut dyn FnMut(Restored),
) -> (Found, Vec<Vec<u8>>) {
    let mut restoring = Restoring {
        state,
        head,
        references: References::default(),
        shared_by: HashMap::new(),
        shared: HashMap::new(),
        found: Found::default(),
        broken: Vec::new(),
    };
    let counted = guarded(|| {
        restoring.count();
        restoring.look_at_messages();
        Ok(())
    });
    restoring.found.damaged += usize::from(counted.is_err());
    for kind in Kind::Session as u8..=Kind::Retained as u8 {
        let restored = guarded(|| {
            restoring.restore(kind, take);
            Ok(())
        });
        restoring.found.damaged += usize::from(restored.is_err());
    }
    (restoring.found, restoring.broken)
}

/// What is done with an entry, its key and its value.
type Entry<'a> = dyn FnMut(&mut Restoring, &[u8], &[u8]) + 'a;

/// One walk through all that is stored.
struct Restoring {
    state: State,
    head: Measure,
    /// How many things refer to each message, until all are counted.
    references: References,
    /// How many things refer to a message, where it is more than one.
    shared_by: HashMap<u64, u32>,
    /// Messages that several things refer to, once the first of them was met.
    shared: HashMap<u64, Arc<Message>>,
    found: Found,
    broken: Vec<Vec<u8>>,
}

impl Restoring {
    /// Hands out all entries of a kind in order. Where a part of the tree cannot be read, the rest is
    /// read from the other end.
    fn for_each(&mut self, kind: u8, mut entry: impl FnMut(&mut Restoring, &[u8], &[u8])) {
        let mut last = vec![kind];
        let end = self.read_on(&last.clone(), kind, false, &mut |this, key, value| {
            last.clear();
            last.extend_from_slice(key);
            entry(this, key, value);
        });
        if end.is_ok() {
            return;
        }
        self.found.damaged += 1;
        let mut behind = Vec::new();
        // It comes to the same place from behind.
        let _ = self.read_on(&last, kind, true, &mut |_, key, value| {
            behind.push((key.to_vec(), value.to_vec()));
        });
        for (key, value) in behind.iter().rev().filter(|(key, _)| *key > last) {
            entry(self, key, value);
        }
    }

    /// Reads the entries of a kind from a key on, or from the last one back to it.
    fn read_on(
        &mut self,
        from: &[u8],
        kind: u8,
        is_back: bool,
        entry: &mut Entry<'_>,
    ) -> Result<(), StoreError> {
        let to = form::start_of(kind + 1);
        let mut range = guarded(|| self.state.range(from..&to[..]).map_err(failed))?;
        let mut before: Option<Vec<u8>> = None;
        loop {
            let next = guarded(|| match is_back {
                false => range.next().transpose().map_err(failed),
                true => range.next_back().transpose().map_err(failed),
            })?;
            let Some((key, value)) = next else {
                return Ok(());
            };
            let key = key.value();
            // In a damaged tree the way may lead back to where it has been.
            let goes_on = before.as_ref().is_none_or(|before| match is_back {
                false => key > &before[..],
                true => key < &before[..],
            });
            if !goes_on {
                return Err(StoreError::Damaged("its keys are not in order".into()));
            }
            let before = before.get_or_insert_default();
            before.clear();
            before.extend_from_slice(key);
            entry(self, key, value.value());
        }
    }

    /// Counts how many things refer to each message.
    fn count(&mut self) {
        for kind in Kind::Queued as u8..=Kind::Retained as u8 {
            self.for_each(kind, |this, key, value| {
                if let Some(number) = message_of(key, value) {
                    this.references.add(number);
                }
            });
        }
        self.references.sort();
    }

    /// Finds the highest number, and messages that nothing refers to any more.
    fn look_at_messages(&mut self) {
        let mut unused = Vec::new();
        self.for_each(Kind::Message as u8, |this, key, _| {
            let number = key[1..].try_into().map(u64::from_be_bytes).unwrap_or(0);
            this.found.next_message = this.found.next_message.max(number + 1);
            if this.references.contains(number) {
                this.found.messages += 1;
            } else {
                unused.push(key.to_vec());
            }
        });
        self.broken.append(&mut unused);
        let references = std::mem::take(&mut self.references);
        self.shared_by.extend(references.shared());
        self.found.references = references.shared().collect();
    }

    fn restore(&mut self, kind: u8, take: &mut dyn FnMut(Restored)) {
        // Of the queue that is walked through now: its session, and what memory still takes of it.
        let mut queue = (0, self.head);
        self.for_each(kind, |this, key, value| {
            match this.restored(key, value, &mut queue) {
                Some(restored) => take(restored),
                None => {
                    this.found.damaged += 1;
                    this.broken.push(key.to_vec());
                }
            }
        });
    }

    fn restored(
        &mut self,
        key: &[u8],
        value: &[u8],
        queue: &mut (u64, Measure),
    ) -> Option<Restored> {
        Some(match form::parse_key(key)? {
            Key::Session(serial) => Restored::Session(serial, form::parse_session(key, value)?),
            Key::Subscription(serial, filter) => {
                Restored::Subscription(serial, filter, form::parse_subscription(key, value)?)
            }
            Key::Queued(serial, place) => {
                let stored = form::parse_queued(key, value)?;
                if queue.0 != serial {
                    *queue = (serial, self.head);
                }
                if !queue.1.take(stored.size as usize) {
                    return Some(Restored::Behind(serial, place, stored.size));
                }
                let message = self.message(stored.message)?;
                Restored::Queued(serial, delivery(stored, message, place))
            }
            Key::InFlight(serial, id) => {
                let (state, stored) = form::parse_in_flight(key, value)?;
                let delivery = match stored {
                    Some(stored) => {
                        let message = self.message(stored.message)?;
                        Some(delivery(stored, message, 0))
                    }
                    None => None,
                };
                Restored::InFlight(serial, id, state, delivery)
            }
            Key::Incoming(serial, id) => {
                let number = form::parse_incoming(key, value)?;
                Restored::Incoming(serial, id, self.message(number)?)
            }
            Key::Retained(_) => {
                let (number, record) = form::parse_retained(key, value)?;
                Restored::Retained(self.message(number)?, record)
            }
        })
    }

    fn message(&mut self, number: u64) -> Option<Arc<Message>> {
        if let Some(message) = self.shared.get(&number) {
            return Some(message.clone());
        }
        let message = Arc::new(message(&self.state, number)?);
        if self.shared_by.contains_key(&number) {
            self.shared.insert(number, message.clone());
        }
        Some(message)
    }
}

/// The message that a value refers to.
fn message_of(key: &[u8], value: &[u8]) -> Option<u64> {
    match form::parse_key(key)? {
        Key::Queued(..) => Some(form::parse_queued(key, value)?.message),
        Key::InFlight(..) => Some(form::parse_in_flight(key, value)?.1?.message),
        Key::Incoming(..) => form::parse_incoming(key, value),
        Key::Retained(_) => Some(form::parse_retained(key, value)?.0),
        Key::Session(_) | Key::Subscription(..) => None,
    }
}
