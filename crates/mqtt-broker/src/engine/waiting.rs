//! What waited for a client is sent: after a reconnect, an acknowledgement, or room in its outbox.

use super::Engine;
use super::write::Head;
use crate::connection_state::ConnectionKey;
use crate::log::Line;
use crate::message::{Delivery, Identifiers, Message, Publication};
use crate::session::SessionKey;
use crate::time::Time;
use mqtt_proto::flow::State;
use mqtt_proto::{Ack, Packet, PacketId, QoS, VarInt};
use std::sync::Arc;

impl Engine {
    /// A session has its client back: what was in flight is sent again, in order [MQTT-4.4.0-1].
    pub(super) fn resume(&mut self, now: Time, key: SessionKey) {
        let session = self.session_mut(key);
        session.resend = session.outgoing.iter().map(|entry| entry.id).collect();
        // What the client sends again now, it repeats rightly.
        session
            .incoming
            .values_mut()
            .for_each(|unreleased| unreleased.repeats = 0);
        self.drop_expired(now, key);
        self.send_waiting(now, key);
    }

    /// Sends what waits for a session as far as its client takes it: first what was in flight
    /// before, then retained messages of new subscriptions, then the queue.
    pub(super) fn send_waiting(&mut self, now: Time, key: SessionKey) {
        let session = self.session(key);
        if session.resend.is_empty() && session.scans.is_empty() && !session.has_queue() {
            return;
        }
        let Some(connection) = session.connection else {
            return;
        };
        while let Some(&id) = self.session(key).resend.front() {
            if !self.has_window(key) {
                return;
            }
            self.session_mut(key).resend.pop_front();
            self.send_again(now, connection, key, id);
        }
        if !self.send_retained(now, connection, key) {
            return;
        }
        self.send_queue(now, connection, key);
        // Nothing may be left in memory of a queue that is in the store.
        self.ask_for_more(key);
    }

    fn send_queue(&mut self, now: Time, connection: ConnectionKey, key: SessionKey) {
        // Counted down instead of asked for anew for each message.
        let mut window = self.window(key);
        while let Some(first) = self.session(key).queue.front() {
            let (qos, is_expired) = (first.qos, first.message.is_expired(now));
            let may_send = is_expired
                || (qos == QoS::AtMostOnce || window > 0 && self.has_in_flight_bytes(key))
                    && self.connections[connection.0 as usize]
                        .has_room(self.settings.max_outbox_bytes);
            if !may_send {
                return;
            }
            let Some(mut delivery) = self.session_mut(key).pop() else {
                return;
            };
            if delivery.place > 0 {
                self.note_unqueued(key, &delivery);
                self.ask_for_more(key);
                delivery.place = 0;
            }
            if is_expired {
                continue;
            }
            if self.has_acl && !self.may_read(key, &Publication::of(&delivery.message)) {
                // As for expired ones, the packet identifier that it would have had is set aside.
                if qos > QoS::AtMostOnce {
                    self.session_mut(key).outgoing.skip();
                    window = self.window(key);
                }
                continue;
            }
            if qos == QoS::AtMostOnce {
                let head = Head {
                    qos,
                    retain: delivery.retain,
                    dup: false,
                    packet_id: None,
                    identifiers: delivery.identifiers(),
                };
                self.write_message(now, connection, key, &delivery.message, head);
            } else if self.send_in_flight(now, connection, key, delivery) {
                window -= 1;
            } else {
                window = self.window(key);
            }
        }
        let session = self.session_mut(key);
        session.is_dropping &= session.behind.count > 0;
    }

    /// Sends a message or its release once more, under the same identifier.
    fn send_again(&mut self, now: Time, connection: ConnectionKey, key: SessionKey, id: PacketId) {
        let entry = self.session(key).outgoing.get(id);
        let Some((state, delivery)) = entry.map(|entry| (entry.state, entry.message.clone()))
        else {
            return;
        };
        match (state, delivery) {
            (State::AwaitPubComp, _) | (_, None) => {
                self.trace(key, |client| Line::SendingPubrel {
                    client,
                    mid: id.get(),
                });
                self.send(connection, &Packet::PubRel(Ack::success(id)));
            }
            (State::AwaitPubAck | State::AwaitPubRec, Some(delivery)) => {
                if !self.may_read(key, &Publication::of(&delivery.message)) {
                    self.abandon(key, id);
                    return;
                }
                let head = Head {
                    qos: delivery.qos,
                    retain: delivery.retain,
                    dup: true, // [MQTT-3.3.1-1]
                    packet_id: Some(id),
                    identifiers: delivery.identifiers(),
                };
                if !self.write_message(now, connection, key, &delivery.message, head) {
                    self.abandon(key, id);
                }
            }
        }
    }

    /// Goes on with retained messages for new subscriptions; `true` when all have been sent.
    fn send_retained(&mut self, now: Time, connection: ConnectionKey, key: SessionKey) -> bool {
        const PORTION: usize = 64;
        while let Some(scan) = self.sessions[key.0 as usize].scans.front_mut() {
            let mut portion = Vec::new();
            let (until, after) = (scan.until, scan.after.take());
            let is_end = self
                .retained
                .for_each(&scan.filter, after.as_deref(), &mut |retained| {
                    if retained.serial <= until && !retained.message.is_expired(now) {
                        portion.push((retained.message.clone(), retained.source.clone()));
                    }
                    portion.len() < PORTION
                });
            scan.after = after;
            let (qos, identifier) = (scan.qos, scan.identifier);
            let mut has_room = true;
            for (message, source) in &portion {
                let is_allowed = self.may_read(key, &Publication::of(message))
                    && self.source_may_write(source.as_deref(), &message.topic);
                if is_allowed
                    && !self.send_one_retained(now, connection, key, message, qos, identifier)
                {
                    has_room = false;
                    break;
                }
                if let Some(scan) = self.session_mut(key).scans.front_mut() {
                    scan.after = Some((&*message.topic).into());
                }
            }
            self.note_scanned(key, has_room && is_end);
            if !has_room {
                return false;
            }
        }
        true
    }

    /// Sends one retained message for a new subscription; `false` if there is no room for it.
    fn send_one_retained(
        &mut self,
        now: Time,
        connection: ConnectionKey,
        key: SessionKey,
        message: &Arc<Message>,
        qos: QoS,
        identifier: Option<VarInt>,
    ) -> bool {
        let qos = self.outgoing_qos(message.qos, qos);
        let has_room = match qos {
            QoS::AtMostOnce => self
                .connection(connection)
                .has_room(self.settings.max_outbox_bytes),
            _ => self.has_window(key),
        };
        if !has_room {
            return false;
        }
        let identifiers = Identifiers::from(identifier);
        if qos == QoS::AtMostOnce {
            let head = Head {
                qos,
                retain: true,
                dup: false,
                packet_id: None,
                identifiers: identifiers.as_slice(),
            };
            self.write_message(now, connection, key, message, head);
        } else {
            let delivery = Delivery::new(message.clone(), qos, true).through(identifiers, None);
            self.send_in_flight(now, connection, key, delivery);
        }
        true
    }
}
