//! What of the engine's state a broker with a store keeps: each change is noted in the journal when it happens.

use super::Engine;
use crate::connection_state::ConnectionKey;
use crate::journal::{
    Before, Key, RetainedRecord, ScanRecord, SessionRecord, SubscriptionRecord, Urgency, Value,
    WillRecord,
};
use crate::message::{Delivery, Message};
use crate::retained::Source;
use crate::session::{Session, SessionKey};
use crate::time::Time;
use mqtt_proto::flow::State;
use mqtt_proto::{Filter, PacketId, QoS, Topic};
use std::sync::Arc;

impl Engine {
    /// Notes something that nothing will cancel in a moment.
    fn note(&mut self, key: Key, value: Value, before: Before) {
        if let Some(durable) = &mut self.durable {
            durable.is_solid = true;
            durable.journal.put(key, value, before);
        }
    }

    #[inline]
    fn serial_of(&self, key: SessionKey) -> Option<u64> {
        self.durable.as_ref()?;
        let session = self.session(key);
        session.is_durable.then_some(session.serial)
    }

    /// A session has its connection, has lost it, or its will has changed.
    pub(super) fn note_session(&mut self, key: SessionKey, gone_at: Option<Time>) {
        if self.durable.is_none() {
            return;
        }
        let port = usize::from(self.session(key).listener);
        let port = self.settings.listeners[port].port;
        let session = self.session_mut(key);
        if !session.is_durable && session.expiry == 0 {
            return;
        }
        let before = match std::mem::replace(&mut session.is_durable, true) {
            true => Before::Something(None),
            false => Before::Nothing,
        };
        session.gone_at = gone_at;
        let record = record_of(session, port);
        let serial = session.serial;
        self.note(
            Key::Session(serial),
            Value::Session(Box::new(record)),
            before,
        );
    }

    /// The will of an absent client has been published.
    pub(super) fn note_will_sent(&mut self, key: SessionKey) {
        let gone_at = self.session(key).gone_at;
        self.note_session(key, gone_at);
    }

    /// A session is over, and with it all that it had.
    pub(super) fn note_session_end(&mut self, session: &Session) {
        let Some(durable) = self.durable.as_mut().filter(|_| session.is_durable) else {
            return;
        };
        for entry in session.outgoing.iter() {
            let delivery = entry.message.as_ref();
            durable.journal.land(
                delivery.map_or(0, |delivery| delivery.place),
                Key::InFlight(session.serial, entry.id),
                delivery.map(|delivery| &delivery.message),
                true,
            );
        }
        for delivery in session.queue.iter().filter(|delivery| delivery.place > 0) {
            durable.journal.delete(
                Key::Queued(session.serial, delivery.place),
                Some(delivery.message.clone()),
            );
        }
        for (id, unreleased) in session.incoming.iter() {
            durable.journal.delete(
                Key::Incoming(session.serial, id),
                Some(unreleased.message.clone()),
            );
        }
        durable.journal.delete(Key::Session(session.serial), None);
        durable.is_solid = true;
    }

    /// A session has made a subscription, or a walk over retained messages has moved on.
    pub(super) fn note_subscription(&mut self, key: SessionKey, filter: &Filter, is_new: bool) {
        let Some(serial) = self.serial_of(key) else {
            return;
        };
        let Some(subscriber) = self.topics.subscriber(filter, key) else {
            return;
        };
        let scans = &self.session(key).scans;
        let scan = scans.iter().find(|scan| *scan.filter == *filter);
        let record = SubscriptionRecord {
            options: subscriber.options,
            identifier: subscriber.identifier,
            scan: scan.map(|scan| ScanRecord {
                after: scan.after.clone(),
                until: scan.until,
            }),
        };
        let before = match is_new {
            true => Before::Nothing,
            false => Before::Something(None),
        };
        self.note(
            Key::Subscription(serial, filter.into()),
            Value::Subscription(record),
            before,
        );
    }

    /// The walk of a session over retained messages has moved on, or has come to its end. This is
    /// stored with what was sent, or another broker would send it again.
    pub(super) fn note_scanned(&mut self, key: SessionKey, is_end: bool) {
        let session = self.session_mut(key);
        if is_end {
            if let Some(scan) = session.scans.pop_front() {
                self.note_subscription(key, &scan.filter, false);
            }
            return;
        }
        // Of QoS 0 nothing is kept.
        let kept = session.is_durable.then(|| session.scans.front()).flatten();
        let kept = kept.filter(|scan| scan.qos > QoS::AtMostOnce);
        if let Some(filter) = kept.map(|scan| scan.filter.clone()) {
            self.note_subscription(key, &filter, false);
        }
    }

    /// A session has given up a subscription.
    pub(super) fn note_unsubscribed(&mut self, key: SessionKey, filter: &Filter) {
        if let (Some(serial), Some(durable)) = (self.serial_of(key), &mut self.durable) {
            let key = Key::Subscription(serial, filter.into());
            durable.journal.delete(key, None);
            durable.is_solid = true;
        }
    }

    /// A message is put into the queue of a session; it gets its place there.
    #[inline]
    pub(super) fn note_queued(&mut self, key: SessionKey, delivery: &mut Delivery) {
        if delivery.qos == QoS::AtMostOnce || self.durable.is_none() {
            return;
        }
        let session = self.session_mut(key);
        if !session.is_durable {
            return;
        }
        session.last_place += 1;
        delivery.place = session.last_place;
        let is_absent = session.connection.is_none();
        let stored = Key::Queued(session.serial, delivery.place);
        if let Some(durable) = &mut self.durable {
            durable.is_solid |= is_absent;
            let value = Value::Queued(delivery.clone());
            durable.journal.put(stored, value, Before::Nothing);
        }
    }

    /// A message has left the queue of a session, for its client or for nobody.
    pub(super) fn note_unqueued(&mut self, key: SessionKey, delivery: &Delivery) {
        if delivery.place == 0 {
            return;
        }
        if let (Some(serial), Some(durable)) = (self.serial_of(key), &mut self.durable) {
            let key = Key::Queued(serial, delivery.place);
            let message = Some(delivery.message.clone());
            durable.journal.delete_some_time(key, message);
        }
    }

    /// A message goes to the client of a session. One of QoS 2 may leave only when it is known
    /// for good under which identifier: the client tells it from others by nothing else.
    #[inline]
    pub(super) fn note_in_flight(
        &mut self,
        connection: ConnectionKey,
        key: SessionKey,
        id: PacketId,
        delivery: &mut Delivery,
    ) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let session = &self.sessions[key.0 as usize];
        if !session.is_durable {
            return;
        }
        if delivery.qos == QoS::AtLeastOnce {
            delivery.place = durable.journal.send(session.serial, id, delivery);
            return;
        }
        durable.is_solid = true;
        let value = Value::InFlight(State::AwaitPubRec, Some(delivery.clone()));
        let key = Key::InFlight(session.serial, id);
        durable.journal.put(key, value, Before::Nothing);
        self.gate(connection, Urgency::Now);
    }

    /// PUBREC has come: PUBREL may leave only when that is known for good, or the message might
    /// be sent once more to a client that has forgotten it.
    #[inline]
    pub(super) fn note_received(&mut self, key: SessionKey, id: PacketId, delivery: &Delivery) {
        if let Some(serial) = self.serial_of(key) {
            self.note(
                Key::InFlight(serial, id),
                Value::InFlight(State::AwaitPubComp, None),
                Before::Something(Some(delivery.message.clone())),
            );
        }
    }

    /// A message is no longer in flight.
    #[inline]
    pub(super) fn note_landed(
        &mut self,
        key: SessionKey,
        id: PacketId,
        delivery: Option<&Delivery>,
    ) {
        let Some(durable) = &mut self.durable else {
            return;
        };
        let session = &self.sessions[key.0 as usize];
        if session.is_durable {
            let ticket = delivery.map_or(0, |delivery| delivery.place);
            let message = delivery.map(|delivery| &delivery.message);
            let key = Key::InFlight(session.serial, id);
            durable.journal.land(ticket, key, message, false);
        }
    }

    /// A message of QoS 2 has come.
    #[inline]
    pub(super) fn note_incoming(&mut self, key: SessionKey, id: PacketId, message: &Arc<Message>) {
        if let Some(serial) = self.serial_of(key) {
            let value = Value::Incoming(message.clone());
            self.note(Key::Incoming(serial, id), value, Before::Nothing);
        }
    }

    /// A message of QoS 2 was released by its sender, or refused.
    #[inline]
    pub(super) fn note_released(&mut self, key: SessionKey, id: PacketId, message: &Arc<Message>) {
        if let (Some(serial), Some(durable)) = (self.serial_of(key), &mut self.durable) {
            let message = Some(message.clone());
            durable.journal.delete(Key::Incoming(serial, id), message);
        }
    }

    /// A message is retained, in the place of `old`.
    pub(super) fn note_retained(
        &mut self,
        message: &Arc<Message>,
        source: Option<&Source>,
        old: Option<Arc<Message>>,
    ) {
        if self.durable.is_none() || is_own(&message.topic) {
            return;
        }
        let source = source.map(|source| {
            let port = self.settings.listeners[usize::from(source.listener)].port;
            (source.client_id.clone(), source.username.clone(), port)
        });
        let record = RetainedRecord {
            serial: self.retained.serial(),
            source,
        };
        let before = match old {
            Some(old) => Before::Something(Some(old)),
            None => Before::Nothing,
        };
        self.note(
            Key::Retained((&*message.topic).into()),
            Value::Retained(message.clone(), record),
            before,
        );
    }

    /// A topic has lost its retained message.
    pub(super) fn note_cleared(&mut self, old: &Arc<Message>) {
        if let Some(durable) = &mut self.durable
            && !is_own(&old.topic)
        {
            let key = Key::Retained((&*old.topic).into());
            durable.journal.delete(key, Some(old.clone()));
            durable.is_solid = true;
        }
    }
}

/// What the broker says of itself is said anew by the next one.
fn is_own(topic: &Topic) -> bool {
    topic.starts_with("$SYS/")
}

fn record_of(session: &Session, port: u16) -> SessionRecord {
    SessionRecord {
        client_id: session.client_id.clone(),
        username: session.username.clone(),
        port,
        expiry: session.expiry,
        gone_at: session.gone_at.map(|time| time.0),
        next_id: session.outgoing.next_id(),
        will: session.will.as_ref().map(|will| WillRecord {
            message: will.message.clone(),
            expiry: will.expiry,
            delay: will.delay,
        }),
    }
}
