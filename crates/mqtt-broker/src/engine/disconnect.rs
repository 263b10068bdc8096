//! How connections and sessions end, and what becomes of wills and of messages of share groups.

use super::{Close, Engine, Handled};
use crate::connection_state::{ConnectionKey, Stage};
use crate::log::{Ending, Line};
use crate::message::{Delivery, Publication};
use crate::session::SessionKey;
use crate::time::Time;
use mqtt_proto::flow::State;
use mqtt_proto::{Auth, Disconnect, Packet, Properties, QoS, ReasonCode};
use std::sync::Arc;

impl Engine {
    pub(super) fn handle_disconnect(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session_key: SessionKey,
        disconnect: &Disconnect<'_>,
    ) -> Handled {
        self.log_client(session_key, |client| Line::ReceivedDisconnect { client });
        let session = self.session_mut(session_key);
        if let Some(expiry) = disconnect.properties.session_expiry_interval() {
            if session.expiry == 0 && expiry != 0 {
                return Err(Close::PROTOCOL); // 3.14.2.2.2
            }
            session.expiry = expiry;
        }
        if disconnect.reason == ReasonCode::Success {
            session.will = None; // [MQTT-3.14.4-3]
        }
        self.connection_mut(key).has_left = true;
        self.close(now, key, Close::silent(Ending::Clean));
        Ok(())
    }

    /// AUTH only ever goes on from a method named in CONNECT, and none is known here.
    pub(super) fn handle_auth(&mut self, session: SessionKey, auth: &Auth<'_>) -> Handled {
        let method = auth.properties.authentication_method().unwrap_or("");
        let reason = auth.reason.value();
        self.log_client(session, |client| Line::ReceivedAuth {
            client,
            reason,
            method,
        });
        Err(Close::PROTOCOL) // [MQTT-4.12.0-7]
    }

    /// Ends a connection from our side: what is in its outbox may still be written.
    pub(super) fn close(&mut self, now: Time, key: ConnectionKey, close: Close<'_>) {
        let connection = self.connection(key);
        let client: Arc<str> = match (connection.refused_id(), connection.stage) {
            (_, Stage::Live(session)) => self.session(session).client_id.clone(),
            (Some(id), _) => id.clone(),
            (None, _) => connection.peer.host().into(),
        };
        let (stage, version) = (connection.stage, connection.version);
        if let (Some(reason), Stage::Live(_), true) = (close.disconnect, stage, version.is_v5()) {
            self.log(Line::SendingDisconnect {
                client: &client,
                reason: reason.value(),
            });
            self.send(
                key,
                &Packet::Disconnect(Disconnect {
                    reason,
                    properties: Properties::EMPTY,
                }),
            );
        }
        self.connection_mut(key).stage = Stage::Closing;
        self.resume_publishers(key);
        self.mark_dirty(key);
        self.log_peer(key, |peer| Line::Disconnected {
            client: &client,
            peer,
            ending: close.ending,
        });
        if let Stage::Live(session) = stage {
            self.leave(now, session);
        }
    }

    /// The socket of a connection is closed, by whichever side; its key is free again.
    ///
    /// `error` is the operating system's word for what happened, if anything did. Of a proxy that
    /// came for nobody nothing is said.
    pub fn handle_closed(&mut self, now: Time, key: ConnectionKey, error: Option<&str>) {
        let connection = self.connection(key);
        let is_quiet = !connection.peer.is_known && error.is_none();
        if connection.stage != Stage::Closing && !is_quiet {
            let ending = error.map_or(Ending::ClosedByClient, Ending::Io);
            self.close(
                now,
                key,
                Close {
                    disconnect: None,
                    ending,
                },
            );
        }
        if self.connection(key).is_dirty {
            self.dirty.retain(|dirty| *dirty != key);
        }
        let mut connection = self.connections.remove(key.0 as usize);
        connection.outbox.clear(&mut self.spare);
        self.open[usize::from(connection.listener)] -= 1;
    }

    /// A session loses its connection: it ends, or waits.
    pub(super) fn leave(&mut self, now: Time, key: SessionKey) {
        let session = self.session_mut(key);
        session.connection = None;
        session.epoch = session.epoch.wrapping_add(1);
        // QoS 1 and 2 of these are the session's; they go on when the client is back.
        session.scans.retain(|scan| scan.qos > QoS::AtMostOnce);
        session.resend.clear();
        if session.expiry == 0 {
            self.end_session(now, key);
            return;
        }
        // QoS 0 in the queue was waiting for a socket that is gone.
        if !self.settings.queue_qos0_messages && self.session(key).queued_qos0 > 0 {
            let session = self.session_mut(key);
            let waiting = std::mem::take(&mut session.queue);
            (session.queued_bytes, session.queued_qos0) = (0, 0);
            waiting
                .into_iter()
                .filter(|d| d.qos > QoS::AtMostOnce)
                .for_each(|d| session.push(d));
        }
        if self
            .session(key)
            .will
            .as_ref()
            .is_some_and(|will| will.delay == 0)
        {
            self.publish_will(now, key);
        }
        self.pass_on_shared(now, key, false);
        self.pass_on_behind(key);
        self.note_session(key, Some(now));
        self.arm_absence(now, key);
    }

    /// Publishes a will, once.
    pub(super) fn publish_will(&mut self, now: Time, key: SessionKey) {
        let Some(will) = self.session_mut(key).will.take() else {
            return;
        };
        let publication = Publication {
            expires_at: will.expiry.map(|seconds| now.plus_seconds(seconds)),
            ..Publication::of(&will.message)
        };
        if self.may_publish_to(&will.message.topic)
            && self.may_write(key, &will.message.topic)
            && (!will.message.retain || self.settings.retain_available)
        {
            self.route(now, Some(key), publication);
        }
    }

    /// Forgets a session and all it has.
    pub(super) fn end_session(&mut self, now: Time, key: SessionKey) {
        self.publish_will(now, key);
        for place in std::mem::take(&mut self.session_mut(key).places) {
            self.topics.unsubscribe(&place, key);
        }
        self.pass_on_shared(now, key, true);
        let session = self.sessions.remove(key.0 as usize);
        self.clients.remove(&session.client_id);
        self.note_session_end(&session);
    }

    /// Messages of share groups that this session can no longer take go to other members
    /// (MQTT 5, 4.8.2): those still queued, and of QoS 1 also those sent and not acknowledged.
    /// A QoS 2 message that has been sent stays [MQTT-4.8.2-4], [MQTT-4.8.2-5]. What is in the
    /// store only follows later.
    pub(super) fn pass_on_shared(&mut self, now: Time, key: SessionKey, is_end: bool) {
        let session = self.session(key);
        let sent = session
            .outgoing
            .iter()
            .filter(|entry| entry.state == State::AwaitPubAck)
            .filter(|entry| {
                entry
                    .message
                    .as_ref()
                    .is_some_and(|delivery| delivery.share().is_some())
            })
            .map(|entry| entry.id)
            .collect::<Vec<_>>();
        let has_queued = session
            .queue
            .iter()
            .any(|delivery| delivery.share().is_some());
        if sent.is_empty() && !has_queued {
            return;
        }
        for id in sent {
            let entry = self.session(key).outgoing.get(id);
            let delivery = entry.and_then(|entry| entry.message.clone());
            if delivery.is_some_and(|delivery| self.pass_on(now, key, delivery, is_end).is_none()) {
                self.abandon(key, id);
            }
        }
        let session = self.session_mut(key);
        let queue = std::mem::take(&mut session.queue);
        (session.queued_bytes, session.queued_qos0) = (0, 0);
        for delivery in queue {
            if delivery.share().is_some()
                && self.pass_on(now, key, delivery.clone(), is_end).is_none()
            {
                self.note_unqueued(key, &delivery);
            } else {
                self.session_mut(key).push(delivery);
            }
        }
    }

    /// Gives a delivery to another member of its share group, or back.
    pub(super) fn pass_on(
        &mut self,
        now: Time,
        from: SessionKey,
        delivery: Delivery,
        is_end: bool,
    ) -> Option<Delivery> {
        use crate::topics::Readiness;
        let Some(share) = delivery.share() else {
            return Some(delivery);
        };
        if delivery.message.is_expired(now) {
            return Some(delivery);
        }
        let least = if is_end {
            Readiness::Absent
        } else {
            Readiness::Busy
        };
        let chosen = self.topics.choose_member(share, |subscriber| {
            let qos = self.outgoing_qos(delivery.message.qos, subscriber.options.qos);
            let ready = self.readiness(subscriber.session, qos, &delivery.message.topic);
            if subscriber.session == from || ready < least {
                Readiness::Never
            } else {
                ready
            }
        });
        let Some(target) = chosen else {
            return Some(delivery);
        };
        self.scratch.clear();
        self.deliver(
            now,
            &target,
            &mut super::deliver::Outgoing::of_message(&delivery.message),
        );
        None
    }

    /// The broker stops: every client is told so and let go.
    pub fn shutdown(&mut self, now: Time) {
        let keys: Vec<ConnectionKey> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.stage != Stage::Closing)
            .filter_map(|(index, _)| u32::try_from(index).ok().map(ConnectionKey))
            .collect();
        for key in keys {
            self.close(
                now,
                key,
                Close::told(ReasonCode::ServerShuttingDown, Ending::Administrative),
            );
        }
    }
}
