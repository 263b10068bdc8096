//! PUBLISH: what is refused, what waits for its PUBREL, and what goes to its subscribers.

use super::{Close, Engine, Handled};
use crate::connection_state::ConnectionKey;
use crate::log::{Ending, Level, Line};
use crate::message::{Message, Publication, forwarded};
use crate::routes::Route;
use crate::session::{SessionKey, Unreleased};
use crate::time::Time;
use bytes::Bytes;
use mqtt_proto::{PacketId, PropertiesBuf, Publish, QoS, ReasonCode, Topic, Version};
use std::sync::Arc;

/// Unreleased QoS 2 messages of a client below version 5, which cannot be told a receive maximum.
const UNTOLD_RECEIVE_MAXIMUM: usize = 1000;

impl Engine {
    pub(super) fn handle_publish(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session: SessionKey,
        publish: &Publish<'_>,
        owner: Option<&Bytes>,
    ) -> Handled {
        self.counters.note_publish_received(publish.payload.len());
        self.check_features(key, session, publish)?;
        let aliased;
        let alias = match publish.properties.is_empty() {
            true => None,
            false => publish.properties.topic_alias(),
        };
        let topic = match (publish.topic, alias) {
            (Some(topic), None) => topic,
            (topic, alias) => {
                aliased = self.resolve_alias(key, topic, alias.unwrap_or(0))?;
                &aliased
            }
        };
        let mounted = self.mount_topic(key, topic)?;
        let topic = mounted.as_deref().unwrap_or(topic);
        if publish.payload.len() > self.settings.message_size_limit {
            self.log_publish(session, publish, topic, PublishLog::TooLarge);
            return self.answer_refused(key, session, publish, ReasonCode::PacketTooLarge);
        }
        if !self.may_publish_to(topic) || (self.has_acl && !self.may_write(session, topic)) {
            self.log_publish(session, publish, topic, PublishLog::Denied);
            return self.answer_refused(key, session, publish, ReasonCode::NotAuthorized);
        }
        if self.settings.log.contains(Level::Debug) {
            self.log_publish(session, publish, topic, PublishLog::Received);
        }
        let mut scratch = PropertiesBuf::new();
        let properties = forwarded(publish.properties, &mut scratch);
        let expiry = match publish.properties.is_empty() {
            true => None,
            false => publish.properties.message_expiry_interval(),
        };
        let publication = Publication {
            topic,
            payload: publish.payload,
            owner: owner.filter(|_| publish.payload.len() >= crate::outbox::SHARE_FROM),
            properties,
            qos: publish.qos,
            retain: publish.retain,
            expires_at: expiry.map(|seconds| now.plus_seconds(seconds)),
        };
        if self.is_failing() && self.needs_store(session, &publication) {
            return self.refuse_unkept(key, session, publish);
        }
        if self.is_full && self.needs_memory(session, publish.packet_id, &publication) {
            return self.refuse_unkept(key, session, publish);
        }
        match (publish.qos, publish.packet_id) {
            (QoS::ExactlyOnce, Some(id)) => self.take_exactly_once(key, session, id, publication),
            (QoS::AtLeastOnce, Some(id)) => {
                self.begin();
                let route = self.route_of(key, publication.topic);
                let has_subscribers = self.route_by(now, Some(session), publication, route);
                let reason = match self.connection(key).version {
                    Version::V5 if !has_subscribers => ReasonCode::NoMatchingSubscribers,
                    _ => ReasonCode::Success,
                };
                self.send_puback(key, session, id, reason);
                Ok(())
            }
            _ => {
                let route = self.route_of(key, publication.topic);
                self.route_by(now, Some(session), publication, route);
                Ok(())
            }
        }
    }

    /// What is known of a topic that a client publishes to: likely it is the same as before.
    fn route_of(&mut self, key: ConnectionKey, topic: &Topic) -> Route {
        let slot = &mut self.connections[key.0 as usize].slot;
        let route = self.topics.route_near(*slot, topic);
        *slot = route.slot();
        route
    }

    /// What CONNACK has ruled out.
    fn check_features(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        publish: &Publish<'_>,
    ) -> Handled {
        if publish.qos > self.rules(key).max_qos {
            self.log_client(session, |client| Line::PublishQosTooHigh { client });
            return Err(Close::told(
                ReasonCode::QoSNotSupported,
                Ending::DisallowedFeature,
            )); // [MQTT-3.2.2-11]
        }
        if publish.retain && !self.settings.retain_available {
            return Err(Close::told(
                ReasonCode::RetainNotSupported,
                Ending::DisallowedFeature,
            )); // [MQTT-3.2.2-14]
        }
        if !publish.properties.is_empty() && publish.properties.subscription_identifier().is_some()
        {
            return Err(self.refuse(key, "PUBLISH with a subscription identifier")); // [MQTT-3.3.4-6]
        }
        Ok(())
    }

    /// The topic that a PUBLISH with a topic alias is for (MQTT 5, 3.3.2.3.4).
    fn resolve_alias(
        &mut self,
        key: ConnectionKey,
        topic: Option<&Topic>,
        alias: u16,
    ) -> Result<Arc<Topic>, Close<'static>> {
        let maximum = self.rules(key).max_topic_alias;
        if alias == 0 || alias > maximum {
            return Err(Close::told(
                ReasonCode::TopicAliasInvalid,
                Ending::TopicAliasInvalid,
            )); // [MQTT-3.3.2-9]
        }
        let known = &mut self
            .connection_mut(key)
            .aliases
            .get_or_insert_default()
            .incoming;
        let at = usize::from(alias) - 1;
        match topic {
            Some(topic) => {
                if known.len() <= at {
                    known.resize(at + 1, None);
                }
                let topic: Arc<Topic> = topic.into();
                known[at] = Some(topic.clone());
                Ok(topic)
            }
            None => match known.get(at).and_then(Clone::clone) {
                Some(topic) => Ok(topic),
                None => Err(self.refuse(key, &format!("PUBLISH invalid topic alias ({alias})"))),
            },
        }
    }

    /// Answers a message that is not taken: below version 5 it cannot be told from one that is.
    fn answer_refused(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        publish: &Publish<'_>,
        reason: ReasonCode,
    ) -> Handled {
        match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => self.send_puback(key, session, id, reason),
            (QoS::ExactlyOnce, Some(id)) => self.send_pubrec(key, session, id, reason),
            _ => {}
        }
        Ok(())
    }

    /// Answers a message for which the store or the memory has no room: below version 5 there is
    /// no word for that, so the connection ends before the message is acknowledged.
    fn refuse_unkept(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        publish: &Publish<'_>,
    ) -> Handled {
        self.log_client(session, |client| Line::QuotaExceeded { client });
        if publish.qos == QoS::AtMostOnce {
            self.counters.publish_dropped += 1;
            return Ok(());
        }
        if !self.connection(key).version.is_v5() {
            return Err(Close::silent(Ending::QuotaExceeded));
        }
        if let Some(id) = publish.packet_id
            && let Some(old) = self.session_mut(session).incoming.remove(id)
        {
            // The client forgets it with this answer.
            self.note_released(session, id, &old.message);
        }
        self.answer_refused(key, session, publish, ReasonCode::QuotaExceeded)
    }

    /// Keeps a QoS 2 message until its PUBREL [MQTT-4.3.3-9].
    fn take_exactly_once(
        &mut self,
        key: ConnectionKey,
        session_key: SessionKey,
        id: PacketId,
        publication: Publication<'_>,
    ) -> Handled {
        if let Some(waiting) = self.session_mut(session_key).incoming.get_mut(id) {
            if is_same(&waiting.message, &publication) {
                waiting.repeats += 1;
                if waiting.repeats > 1 {
                    // On one connection nothing is sent again without a reconnect between (4.4).
                    return Err(self.refuse(key, "PUBLISH sent three times without a PUBREL"));
                }
                self.send_pubrec(key, session_key, id, ReasonCode::Success);
                return Ok(());
            }
            let old = self.session_mut(session_key).incoming.remove(id);
            if let Some(old) = old {
                self.note_released(session_key, id, &old.message);
            }
            self.log_client(session_key, |client| Line::ReusedPacketId {
                client,
                mid: id.get(),
            });
        }
        let maximum = match self.connection(key).version {
            Version::V5 => usize::from(self.settings.max_inflight_messages),
            Version::V3 | Version::V4 => {
                UNTOLD_RECEIVE_MAXIMUM.max(usize::from(self.settings.max_inflight_messages))
            }
        };
        if self.session(session_key).incoming.len() >= maximum {
            self.log_client(session_key, |client| Line::ReceiveMaximumExceeded {
                client,
            });
            return Err(Close::told(
                ReasonCode::ReceiveMaximumExceeded,
                Ending::ReceiveMaximum,
            )); // [MQTT-3.3.4-7]
        }
        let route = self.route_of(key, publication.topic);
        let name = self.topics.known_name(route);
        let message = self.spent.keep(&publication, name);
        self.note_incoming(session_key, id, &message);
        let unreleased = Unreleased {
            message,
            repeats: 0,
            slot: route.slot(),
        };
        self.session_mut(session_key)
            .incoming
            .handle_publish(id, unreleased);
        self.send_pubrec(key, session_key, id, ReasonCode::Success);
        Ok(())
    }

    fn log_publish(
        &mut self,
        session: SessionKey,
        publish: &Publish<'_>,
        topic: &Topic,
        kind: PublishLog,
    ) {
        let (dup, qos, retain) = (publish.dup, publish.qos as u8, publish.retain);
        let (mid, len) = (
            publish.packet_id.map_or(0, PacketId::get),
            publish.payload.len(),
        );
        let topic = topic.as_str();
        self.trace(session, |client| match kind {
            PublishLog::Received => Line::ReceivedPublish {
                client,
                dup,
                qos,
                retain,
                mid,
                topic,
                len,
            },
            PublishLog::Denied => Line::DeniedPublish {
                client,
                dup,
                qos,
                retain,
                mid,
                topic,
                len,
            },
            PublishLog::TooLarge => Line::TooLargePublish {
                client,
                dup,
                qos,
                retain,
                mid,
                topic,
                len,
            },
        });
    }
}

/// What is logged of a PUBLISH.
#[derive(Clone, Copy)]
enum PublishLog {
    Received,
    Denied,
    TooLarge,
}

/// Whether a QoS 2 PUBLISH repeats the one that waits, as opposed to a new message of a client
/// that has forgotten which identifiers it used.
fn is_same(waiting: &Message, publication: &Publication<'_>) -> bool {
    *waiting.topic == *publication.topic && *waiting.payload == *publication.payload
}
