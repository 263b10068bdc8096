//! What has been noted (`note.rs`) is stored in batches, and promised to clients when it is.

use super::behind::Wanted;
use super::{Close, Engine};
use crate::connection_state::{ConnectionKey, Stage};
use crate::journal::{Batch, Journal, Urgency};
use crate::log::{Ending, Line};
use crate::message::Publication;
use crate::routes::Route;
use crate::session::SessionKey;
use crate::store::Left;
use crate::time::Time;
use crate::topics::{Readiness, Subscriber};
use mqtt_proto::{QoS, ReasonCode};

/// What a broker with a store keeps for it.
#[derive(Debug)]
pub(super) struct Durable {
    pub(super) journal: Journal,
    /// Connections in whose outbox something waits for a batch to be stored.
    gated: Vec<ConnectionKey>,
    /// How many changes had been noted when the packet in hand was begun.
    mark: u64,
    /// Whether one of the changes since then is there to stay.
    pub(super) is_solid: bool,
    /// Parts of queues that are wanted back from the store.
    pub(super) wanted: Vec<Wanted>,
    /// Whether changes are pending of what only the store has of queues: they have to be stored before
    /// parts of it are read.
    pub(super) has_touched_behind: bool,
    /// Those of sessions that have ended, which could not be read and are tried again.
    pub(super) unread: Vec<Wanted>,
    /// Whether the store has refused to take more.
    pub(super) is_failing: bool,
}

impl Engine {
    /// From now on every durable change is noted, and promises wait until it is stored.
    pub fn keep_journal(&mut self, journal: Journal) {
        self.durable = Some(Box::new(Durable {
            journal,
            gated: Vec::new(),
            mark: 0,
            is_solid: false,
            wanted: Vec::new(),
            has_touched_behind: false,
            unread: Vec::new(),
            is_failing: false,
        }));
    }

    /// How soon [`Engine::poll_batch`] should be asked.
    pub fn batch_urgency(&self) -> Urgency {
        let durable = self.durable.as_ref();
        durable.map_or(Urgency::None, |durable| durable.journal.urgency())
    }

    /// How many changes wait to be stored.
    pub fn pending(&self) -> usize {
        let durable = self.durable.as_ref();
        durable.map_or(0, |durable| durable.journal.pending())
    }

    /// The change noted last, and the one up to which all is settled.
    pub fn progress(&mut self) -> (u64, u64) {
        let journal = self.durable.as_mut().map(|durable| &mut durable.journal);
        journal.map_or((0, 0), |journal| (journal.noted(), journal.settle()))
    }

    /// The next changes to be stored, in one piece; say so with [`Engine::handle_stored`].
    pub fn poll_batch(&mut self) -> Option<Batch> {
        let durable = self.durable.as_mut()?;
        durable.has_touched_behind = false;
        durable.journal.take()
    }

    /// The batches up to this number are stored: what they promise may leave.
    pub fn handle_stored(&mut self, batch: u64) {
        if let Some(durable) = &mut self.durable {
            durable.journal.handle_stored(batch);
            if std::mem::take(&mut durable.is_failing) {
                self.log(Line::Caution {
                    what: "the store takes changes again.",
                });
                self.ask_again();
            }
            self.open_gates();
        }
    }

    /// Sessions have ended in the store.
    pub fn handle_left(&mut self, left: Left) {
        if let Some(durable) = &mut self.durable {
            durable.journal.release(left.orphans);
        }
        self.want_legacies(left.legacies);
    }

    /// The store has refused a batch, and is to be asked again. What was promised stays; what
    /// waits for this batch is not promised: these clients are let go.
    pub fn handle_refused(&mut self, now: Time, why: &str) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let gated = std::mem::take(&mut durable.gated);
        if !std::mem::replace(&mut durable.is_failing, true) {
            let what = format!(
                "the store takes no changes ({why}). What it has stays; messages of QoS 1 and 2 that it should keep are refused until it does."
            );
            self.log(Line::Failure { what: &what });
        }
        for key in gated {
            let Some(connection) = self.connections.get_mut(key.0 as usize) else {
                continue;
            };
            connection.outbox.drop_gated(&mut self.spare);
            if connection.stage == Stage::Closing {
                // Its last words may all have been behind the gate: it has an end now.
                self.mark_dirty(key);
            } else {
                let ending = Ending::QuotaExceeded;
                self.close(now, key, Close::told(ReasonCode::QuotaExceeded, ending));
            }
        }
    }

    /// Whether a message can only be acknowledged when something of it is stored.
    pub(super) fn needs_store(&self, session: SessionKey, publication: &Publication<'_>) -> bool {
        let is_kept = |key: SessionKey| self.session(key).is_durable;
        if publication.qos == QoS::AtMostOnce {
            return false;
        }
        let mut targets = Vec::new();
        let any = |_: &Subscriber| Readiness::Ready;
        self.topics
            .collect(publication.topic, Route::New, any, &mut targets);
        publication.retain
            || (publication.qos == QoS::ExactlyOnce && is_kept(session))
            || targets.iter().any(|target| is_kept(target.session))
    }

    /// Whether the store takes no changes at the moment.
    pub(super) fn is_failing(&self) -> bool {
        self.durable.as_ref().is_some_and(|d| d.is_failing)
    }

    /// Lets promises leave that wait for nothing any more.
    pub fn open_gates(&mut self) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let settled = durable.journal.settle();
        if durable.gated.is_empty() {
            return;
        }
        let mut gated = std::mem::take(&mut durable.gated);
        gated.retain(|&key| {
            let Some(connection) = self.connections.get_mut(key.0 as usize) else {
                return false;
            };
            if connection.outbox.open_gates(settled) && !connection.is_dirty {
                connection.is_dirty = true;
                self.dirty.push(key);
            }
            connection.outbox.is_gated()
        });
        if let Some(durable) = &mut self.durable {
            durable.gated = gated;
        }
    }

    /// Begins something whose answer promises what it has changed.
    pub(super) fn begin(&mut self) {
        if let Some(durable) = &mut self.durable {
            durable.mark = durable.journal.noted();
            durable.is_solid = false;
        }
    }

    /// What the present answer promises may have been changed by somebody else, just before.
    pub(super) fn doubt(&mut self) {
        if let Some(durable) = &mut self.durable {
            durable.mark = u64::MAX;
            durable.is_solid = true;
        }
    }

    /// What is appended to an outbox next promises what has changed since [`Engine::begin`].
    #[inline]
    pub(super) fn promise(&mut self, key: ConnectionKey) {
        if let Some(durable) = &self.durable
            && durable.journal.noted() != durable.mark
        {
            let urgency = if durable.is_solid {
                Urgency::Now
            } else {
                Urgency::Soon
            };
            self.gate(key, urgency);
        }
    }

    /// What is appended to an outbox next promises something about a session.
    #[inline]
    pub(super) fn promise_of(&mut self, key: ConnectionKey, session: SessionKey) {
        if self.durable.is_none() {
            return;
        }
        if self.session(session).is_durable {
            self.gate(key, Urgency::Now);
        } else {
            self.promise(key);
        }
    }

    /// What is appended to an outbox from here on waits until all is stored that is noted now.
    pub(super) fn gate(&mut self, key: ConnectionKey, urgency: Urgency) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let Some(change) = durable.journal.promise() else {
            return;
        };
        durable.journal.hurry(urgency);
        let outbox = &mut self.connections[key.0 as usize].outbox;
        if !outbox.is_gated() {
            durable.gated.push(key);
        }
        outbox.gate(change);
    }
}
