//! The broker's state as it was stored, put together again at the start.

use super::Engine;
use crate::journal::{Journal, RetainedRecord, SessionRecord, SubscriptionRecord};
use crate::message::Message;
use crate::retained::Source;
use crate::session::{RetainedScan, Session, SessionKey, Unreleased, Will};
use crate::store::{Found, Restored};
use crate::time::Time;
use crate::topics::Subscriber;
use mqtt_proto::flow::{InFlight, Outgoing};
use mqtt_proto::{Filter, PacketId};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A store's content on its way into an engine.
pub struct Restoring<'a> {
    engine: &'a mut Engine,
    now: Time,
    sessions: HashMap<u64, Waiting>,
    /// Sessions that have ended and have left something in their queue.
    legacies: BTreeSet<u64>,
    counts: Counts,
}

/// How much was restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages.
    pub messages: usize,
    /// Retained ones among them.
    pub retained: usize,
    /// Sessions.
    pub sessions: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Messages queued or in flight, once for each session.
    pub deliveries: usize,
}

/// A session that is not yet complete.
struct Waiting {
    key: SessionKey,
    next_id: PacketId,
    in_flight: Vec<InFlight<crate::message::Delivery>>,
}

impl Engine {
    /// Begins to take in what was stored. This is done once, before anything else.
    pub fn restore(&mut self, now: Time) -> Restoring<'_> {
        Restoring {
            engine: self,
            now,
            sessions: HashMap::new(),
            legacies: BTreeSet::new(),
            counts: Counts::default(),
        }
    }
}

impl Restoring<'_> {
    /// Takes one thing in; what belongs to a session comes behind it.
    pub fn take(&mut self, restored: Restored) {
        match restored {
            Restored::Session(serial, record) => self.session(serial, record),
            Restored::Subscription(serial, filter, record) => {
                self.subscription(serial, &filter, record);
            }
            Restored::Queued(serial, delivery) => {
                if let Some(waiting) = self.sessions.get(&serial) {
                    let session = self.engine.session_mut(waiting.key);
                    session.last_place = session.last_place.max(delivery.place);
                    session.push(delivery);
                    self.counts.deliveries += 1;
                } else {
                    self.legacies.insert(serial);
                }
            }
            Restored::Behind(serial, place, size) => {
                if let Some(waiting) = self.sessions.get(&serial) {
                    let session = self.engine.session_mut(waiting.key);
                    session.last_place = session.last_place.max(place);
                    session.behind.add(place, size as usize);
                    self.counts.deliveries += 1;
                } else {
                    self.legacies.insert(serial);
                }
            }
            Restored::InFlight(serial, id, state, message) => {
                if let Some(waiting) = self.sessions.get_mut(&serial) {
                    waiting.in_flight.push(InFlight { id, state, message });
                    self.counts.deliveries += 1;
                }
            }
            Restored::Incoming(serial, id, message) => self.incoming(serial, id, message),
            Restored::Retained(message, record) => self.retained(message, record),
        }
    }

    fn session(&mut self, serial: u64, record: SessionRecord) {
        let engine = &mut *self.engine;
        let mut session = Session::new(record.client_id, serial);
        session.username = record.username;
        session.listener = listener_of(engine, record.port);
        session.expiry = record.expiry;
        session.gone_at = record.gone_at.map(Time);
        session.is_durable = true;
        session.will = record.will.map(|will| {
            Box::new(Will {
                message: will.message,
                expiry: will.expiry,
                delay: will.delay,
            })
        });
        let client_id = session.client_id.clone();
        let index = engine.sessions.insert(session);
        let key = SessionKey(u32::try_from(index).expect("fewer than 2^32 sessions"));
        engine.clients.insert(client_id, key);
        engine.serial = engine.serial.max(serial);
        engine.grant_rights(key);
        self.counts.sessions += 1;
        let waiting = Waiting {
            key,
            next_id: record.next_id,
            in_flight: Vec::new(),
        };
        self.sessions.insert(serial, waiting);
    }

    fn subscription(&mut self, serial: u64, filter: &Filter, record: SubscriptionRecord) {
        let Some(waiting) = self.sessions.get(&serial) else {
            return;
        };
        let subscriber = Subscriber {
            session: waiting.key,
            options: record.options,
            identifier: record.identifier,
        };
        let (place, _) = self.engine.topics.subscribe(filter, subscriber);
        let session = self.engine.session_mut(waiting.key);
        session.add_place(place);
        if let Some(scan) = record.scan {
            session.scans.push_back(RetainedScan {
                filter: filter.into(),
                qos: record.options.qos,
                identifier: record.identifier,
                after: scan.after,
                until: scan.until,
            });
        }
        self.counts.subscriptions += 1;
    }

    fn incoming(&mut self, serial: u64, id: PacketId, message: Arc<Message>) {
        if let Some(waiting) = self.sessions.get(&serial) {
            let unreleased = Unreleased {
                message,
                repeats: 0,
                slot: 0,
            };
            let session = self.engine.session_mut(waiting.key);
            session.incoming.handle_publish(id, unreleased);
            self.counts.deliveries += 1;
        }
    }

    fn retained(&mut self, message: Arc<Message>, record: RetainedRecord) {
        let source = record.source.map(|(client_id, username, port)| {
            Arc::new(Source {
                client_id,
                username,
                listener: listener_of(self.engine, port),
            })
        });
        self.engine.retained.put(message, source, record.serial);
        self.counts.retained += 1;
    }

    /// All is there: sessions whose client was connected have lost it now, wills and ends of
    /// sessions get their time, and from here on every change is noted.
    pub fn finish(self, found: Found) -> Counts {
        let Restoring {
            engine,
            now,
            sessions,
            legacies,
            counts,
        } = self;
        let mut keys = Vec::with_capacity(sessions.len());
        for waiting in sessions.into_values() {
            let session = engine.session_mut(waiting.key);
            let next = next_id(waiting.next_id, &waiting.in_flight);
            session.outgoing = Outgoing::restore(waiting.in_flight, next);
            keys.push(waiting.key);
        }
        engine.keep_journal(Journal::new(found.next_message, found.references));
        // In the order in which they were made, so that the same store makes the same broker.
        keys.sort_by_key(|&key| engine.session(key).serial);
        for key in keys {
            match engine.session(key).gone_at {
                Some(gone_at) => engine.arm_absence(gone_at, key),
                None => engine.leave(now, key),
            }
        }
        engine.want_legacies(legacies);
        Counts {
            messages: found.messages,
            ..counts
        }
    }
}

/// The next packet identifier: the stored one, or the one behind what was sent since.
fn next_id(stored: PacketId, in_flight: &[InFlight<crate::message::Delivery>]) -> PacketId {
    let ahead = |id: PacketId, of: PacketId| {
        let distance = id.get().wrapping_sub(of.get());
        distance < u16::MAX / 2
    };
    let ids = in_flight.iter().map(|entry| entry.id);
    ids.fold(stored, |next, id| match ahead(id, next) {
        true => id.next(),
        false => next,
    })
}

/// The listener at a port; the first one where that port is no longer listened on.
fn listener_of(engine: &Engine, port: u16) -> u16 {
    let listeners = &engine.settings.listeners;
    let at = listeners.iter().position(|listener| listener.port == port);
    at.and_then(|at| u16::try_from(at).ok()).unwrap_or(0)
}
