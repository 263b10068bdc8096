//! Publishers wait a moment for a subscriber that cannot keep up, before messages are dropped for it.
//!
//! A burst is often larger than what may wait for one subscriber, although that subscriber reads
//! as fast as it can. So whoever publishes to it then is not read from, until half of what waited
//! has left. A reader that is really slow must stop nobody: who has not taken a quarter of what may
//! wait within [`Settings::patience_ms`] is waited for no more, until it has caught up.
//!
//! [`Settings::patience_ms`]: super::settings::Settings::patience_ms

use super::Engine;
use super::settings::Settings;
use crate::connection_state::{Connection, ConnectionKey, Stage};
use crate::session::{Session, SessionKey};
use crate::time::Time;

/// How far a connection is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// It keeps up.
    #[default]
    Even,
    /// Much waits for it, and publishers wait for it.
    Behind,
    /// It was waited for in vain.
    Slow,
}

/// One that is waited for.
#[derive(Debug)]
pub(super) struct Congestion {
    subscriber: ConnectionKey,
    /// When patience began, and how many bytes it had taken then.
    since: Time,
    taken: u64,
    /// Publishers, with the serial numbers of their connections.
    waiting: Vec<(ConnectionKey, u64)>,
}

/// A queue that may have fewer messages than this is not worth waiting for.
const SHORT_QUEUE: usize = 100;

impl Engine {
    /// Whether a connection is to be read from later: it waits for a subscriber.
    pub fn is_paused(&self, key: ConnectionKey) -> bool {
        self.connection(key).is_paused
    }

    /// Looks whether too much waits for a subscriber; whoever publishes now is to wait then.
    #[inline]
    pub(super) fn look_at_pace(&mut self, now: Time, session: SessionKey) {
        let session = &self.sessions[session.0 as usize];
        if let Some(key) = session.connection {
            let connection = &self.connections[key.0 as usize];
            if connection.pace != Pace::Even || is_behind(&self.settings, connection, session, 1) {
                self.note_behind(now, key);
            }
        }
    }

    /// Too much waits for a subscriber, or did a moment ago.
    #[cold]
    fn note_behind(&mut self, now: Time, key: ConnectionKey) {
        match self.connection(key).pace {
            Pace::Slow => return,
            Pace::Behind => {}
            Pace::Even if self.settings.patience_ms == 0 => return,
            Pace::Even => {
                self.connection_mut(key).pace = Pace::Behind;
                self.congested.push(Congestion {
                    subscriber: key,
                    since: now,
                    taken: self.connection(key).outbox.taken(),
                    waiting: Vec::new(),
                });
                self.arm_patience(now, key);
            }
        }
        self.pause_for = Some(key);
    }

    /// The publisher at hand is not read from for now, if what it has published was for somebody
    /// who is behind; whether that is so.
    pub(super) fn pause(&mut self, publisher: ConnectionKey) -> bool {
        let Some(subscriber) = self.pause_for.take() else {
            return false;
        };
        let connection = &mut self.connections[publisher.0 as usize];
        let mut congested = self.congested.iter_mut();
        let Some(congestion) = congested.find(|c| c.subscriber == subscriber) else {
            return false;
        };
        // Who publishes to himself has to read, and so to be answered.
        if publisher == subscriber || !matches!(connection.stage, Stage::Live(_)) {
            return false;
        }
        connection.is_paused = true;
        congestion.waiting.push((publisher, connection.serial));
        true
    }

    /// A connection has written: it may have caught up.
    pub(super) fn note_progress(&mut self, key: ConnectionKey) {
        let connection = self.connection(key);
        let Stage::Live(session) = connection.stage else {
            return;
        };
        let has_caught_up = match connection.pace {
            Pace::Even => return,
            Pace::Behind => !is_behind(&self.settings, connection, self.session(session), 2),
            Pace::Slow => connection.outbox.is_empty() && !self.session(session).has_queue(),
        };
        if has_caught_up {
            self.connection_mut(key).pace = Pace::Even;
            self.resume_publishers(key);
        }
    }

    /// A subscriber was waited for long enough, unless it is quick enough.
    pub(super) fn lose_patience(&mut self, now: Time, key: ConnectionKey) {
        if self.connection(key).pace != Pace::Behind {
            return;
        }
        let enough = self.settings.max_outbox_bytes as u64 / 4;
        let taken = self.connection(key).outbox.taken();
        if let Some(congestion) = self.congested.iter_mut().find(|c| c.subscriber == key) {
            let waited = now.since(congestion.since).as_millis();
            if waited < u128::from(self.settings.patience_ms) {
                // It has caught up since this timer was set, and is behind anew: that has its own.
                return;
            }
            if taken - congestion.taken >= enough {
                (congestion.since, congestion.taken) = (now, taken);
                return self.arm_patience(now, key);
            }
        }
        self.connection_mut(key).pace = Pace::Slow;
        self.resume_publishers(key);
    }

    /// Nobody waits for a connection any more.
    pub(super) fn resume_publishers(&mut self, subscriber: ConnectionKey) {
        let mut congested = self.congested.iter();
        let Some(at) = congested.position(|c| c.subscriber == subscriber) else {
            return;
        };
        for (key, serial) in self.congested.swap_remove(at).waiting {
            let connection = self.connections.get_mut(key.0 as usize);
            if let Some(connection) = connection.filter(|c| c.serial == serial) {
                connection.is_paused = false;
                self.mark_dirty(key);
            }
        }
    }
}

/// Whether at least what may wait for a client, halved so many times, is there.
#[inline]
fn is_behind(
    settings: &Settings,
    connection: &Connection,
    session: &Session,
    halvings: u32,
) -> bool {
    let limit = settings.max_queued_messages;
    !connection.has_room(settings.max_outbox_bytes >> halvings)
        || (limit >= SHORT_QUEUE && session.queue_len() >= limit >> halvings)
}
