//! CONNECT: who may come in, which session is theirs, and what becomes of a connection that had it.

use super::admit::Answer;
use super::mount::mounted_topic;
use super::refusal::Refusal;
use super::{Close, Engine, Handled};
use crate::connection_state::{ConnectionKey, Stage};
use crate::log::{Ending, Line};
use crate::message::{Publication, forwarded};
use crate::session::{NEVER, Session, SessionKey, Will};
use crate::time::Time;
use mqtt_proto::{ConnAck, Connect, Packet, PropertiesBuf, Property, QoS, ReasonCode, Version};
use std::fmt::Write;
use std::sync::Arc;

impl Engine {
    /// A client wants to come in. If its password has to be checked first, the connection is
    /// [`Stage::Asking`] afterwards, and this is called again with the answer.
    pub(super) fn handle_connect(
        &mut self,
        now: Time,
        key: ConnectionKey,
        connect: &Connect<'_>,
        answer: Answer,
    ) -> Handled {
        self.connection_mut(key).version = connect.version;
        let certified = match self.certified_name(key) {
            Ok(name) => name,
            Err(refusal) => return Err(self.refuse_connect(key, connect, &refusal)),
        };
        // A name from the certificate takes the place of what CONNECT says.
        let connect = &match &certified {
            Some(name) => Connect {
                username: Some(name),
                password: None,
                ..*connect
            },
            None => *connect,
        };
        let accepted = self
            .check_connect(key, connect)
            .and_then(|()| self.client_id(key, connect))
            .and_then(|client_id| self.check_will(key, connect).map(|()| client_id))
            .and_then(|client_id| self.effective_id(key, connect, client_id))
            .and_then(|client_id| self.authorize(key, connect, answer).map(|()| client_id))
            .and_then(|client_id| self.check_keep_alive_limit(connect).map(|()| client_id));
        let client_id = match accepted {
            Ok(_) if self.needs_password(key, connect, answer) => {
                self.connection_mut(key).stage = Stage::Asking;
                return Ok(());
            }
            Ok(client_id) => client_id,
            Err(refusal) => return Err(self.refuse_connect(key, connect, &refusal)),
        };
        let (session, session_present) = match self.open_session(now, key, connect, client_id) {
            Ok(opened) => opened,
            Err(refusal) => return Err(self.refuse_connect(key, connect, &refusal)),
        };
        self.attach(now, key, session, connect);
        self.note_session(session, None);
        self.log_connected(key, session, connect);
        if !self.send_connack(key, session, session_present, connect) {
            return Err(Close::silent(Ending::OversizePacket));
        }
        self.resume(now, session);
        Ok(())
    }

    fn check_connect(&self, key: ConnectionKey, connect: &Connect<'_>) -> Result<(), Refusal> {
        let rules = self.rules(key);
        if !rules.versions.contains(&connect.version) {
            return Err(Refusal::new(
                ReasonCode::UnsupportedProtocolVersion,
                Ending::ProtocolError,
            )
            .because("CONNECT with a protocol version that this listener does not accept"));
        }
        if connect.properties.authentication_method().is_some() {
            // No method is known here [MQTT-4.12.0-1].
            return Err(Refusal::new(
                ReasonCode::BadAuthenticationMethod,
                Ending::DisallowedFeature,
            ));
        }
        Ok(())
    }

    /// The client's identifier, or one of ours where it may leave that to us (MQTT 5, 3.1.3.1).
    fn client_id(&self, key: ConnectionKey, connect: &Connect<'_>) -> Result<Arc<str>, Refusal> {
        if !connect.client_id.is_empty() {
            return Ok(Arc::from(connect.client_id));
        }
        let refused = Refusal::new(ReasonCode::ClientIdentifierNotValid, Ending::ProtocolError);
        if connect.version == Version::V3 {
            return Err(refused.because("v3.1 CONNECT with zero length clientid"));
        }
        let must_keep = connect.version == Version::V4 && !connect.clean_start; // 3.1.1 [MQTT-3.1.3-7]
        if must_keep || !self.rules(key).allow_zero_length_clientid {
            let refused = if connect.version.is_v5() {
                Refusal::new(ReasonCode::UnspecifiedError, Ending::ProtocolError)
            } else {
                refused
            };
            return Err(refused.because("CONNECT with zero length clientid when forbidden"));
        }
        // A client has its entrance, with unpredictable bytes, until it is in, which it is not yet.
        let Some(entrance) = &self.connection(key).entrance else {
            return Err(refused);
        };
        let prefix = &self.rules(key).auto_id_prefix;
        Ok(Arc::from(assigned_id(prefix, entrance.token)))
    }

    fn check_will(&self, key: ConnectionKey, connect: &Connect<'_>) -> Result<(), Refusal> {
        let Some(will) = &connect.will else {
            return Ok(());
        };
        let version = connect.version;
        if let Some(prefix) = &self.rules(key).mount_point
            && mounted_topic(prefix, will.topic).is_none()
        {
            return Err(
                Refusal::new(ReasonCode::TopicNameInvalid, Ending::MalformedPacket)
                    .only_in_v5(version),
            );
        }
        if will.topic.starts_with("$CONTROL/") {
            return Err(
                Refusal::new(ReasonCode::MalformedPacket, Ending::MalformedPacket)
                    .because("a will may not go to $CONTROL")
                    .only_in_v5(version),
            );
        }
        if will.retain && !self.settings.retain_available {
            return Err(
                Refusal::new(ReasonCode::RetainNotSupported, Ending::DisallowedFeature)
                    .only_in_v5(version),
            );
        }
        if will.qos > self.rules(key).max_qos {
            return Err(
                Refusal::new(ReasonCode::QoSNotSupported, Ending::DisallowedFeature)
                    .only_in_v5(version),
            );
        }
        if will.payload.len() > self.settings.message_size_limit {
            let reason = if version.is_v5() {
                ReasonCode::PacketTooLarge
            } else {
                ReasonCode::NotAuthorized
            };
            return Err(Refusal::new(reason, Ending::OversizePayload));
        }
        Ok(())
    }

    /// Below version 5 a server cannot lower a keep alive, only refuse it.
    fn check_keep_alive_limit(&self, connect: &Connect<'_>) -> Result<(), Refusal> {
        if connect.version.is_v5() || self.keep_alive(connect) == connect.keep_alive {
            Ok(())
        } else {
            Err(
                Refusal::new(ReasonCode::ClientIdentifierNotValid, Ending::ProtocolError)
                    .because("CONNECT with a keepalive above max_keepalive"),
            )
        }
    }

    /// The keep alive in force, in seconds.
    fn keep_alive(&self, connect: &Connect<'_>) -> u16 {
        match (connect.keep_alive, self.settings.max_keepalive) {
            (asked, 0) => asked,
            (0, limit) => limit,
            (asked, limit) => asked.min(limit),
        }
    }

    /// Finds or makes the session, ends or takes over what was there under this identifier.
    fn open_session(
        &mut self,
        now: Time,
        key: ConnectionKey,
        connect: &Connect<'_>,
        client_id: Arc<str>,
    ) -> Result<(SessionKey, bool), Refusal> {
        self.begin();
        self.check_store(connect, &client_id)?;
        self.check_memory(&client_id)?;
        if let Some(&found) = self.clients.get(&client_id) {
            self.take_over(now, key, found, connect.clean_start);
        }
        // Ended above if it had no future or is not wanted any more.
        if let Some(&found) = self.clients.get(&client_id) {
            return Ok((found, true)); // [MQTT-3.1.2-5]
        }
        if self.sessions.len() >= self.settings.global_max_clients {
            return Err(Refusal::new(ReasonCode::ServerBusy, Ending::ServerBusy)
                .only_in_v5(connect.version));
        }
        self.serial += 1;
        let index = self
            .sessions
            .insert(Session::new(client_id.clone(), self.serial));
        let session = SessionKey(u32::try_from(index).expect("fewer than 2^32 sessions"));
        self.clients.insert(client_id, session);
        Ok((session, false))
    }

    /// While the store takes no changes, sessions that it should keep cannot begin, go on or end.
    fn check_store(&self, connect: &Connect<'_>, client_id: &str) -> Result<(), Refusal> {
        let found = self.clients.get(client_id);
        let is_kept = found.is_some_and(|&found| self.session(found).is_durable);
        let wants_to_be = match connect.version {
            Version::V5 => connect.properties.session_expiry_interval().unwrap_or(0) > 0,
            Version::V3 | Version::V4 => !connect.clean_start,
        };
        if self.is_failing() && (is_kept || wants_to_be) {
            return Err(Refusal::new(
                ReasonCode::QuotaExceeded,
                Ending::QuotaExceeded,
            ));
        }
        Ok(())
    }

    /// Ends another connection of the same client [MQTT-3.1.4-3], and its session if it is not
    /// to go on.
    fn take_over(&mut self, now: Time, new: ConnectionKey, found: SessionKey, clean_start: bool) {
        if clean_start {
            // The session ends, and with it the wait of its will (MQTT 5, 3.1.3.2.2).
            self.session_mut(found).expiry = 0;
        }
        if self.session(found).expiry > 0 {
            // The client is back before its will could be due (MQTT 5, 3.1.2.5), as Mosquitto
            // reads it for a will without a delay, too, and in every version.
            self.session_mut(found).will = None;
        }
        if let Some(old) = self.session(found).connection {
            let [from, to] = [old, new].map(|key| self.connection(key).peer.address.clone());
            self.log_client(found, |client| Line::TakeOver {
                client,
                old: &from,
                new: &to,
            });
            self.close(
                now,
                old,
                Close::told(ReasonCode::SessionTakenOver, Ending::TakenOver),
            );
        } else if clean_start {
            self.end_session(now, found);
        }
    }

    /// Joins connection and session.
    fn attach(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session_key: SessionKey,
        connect: &Connect<'_>,
    ) {
        let properties = connect.properties;
        let keep_alive = self.keep_alive(connect);
        let alias_limit = self.rules(key).max_topic_alias_broker;
        let mut scratch = std::mem::take(&mut self.properties);
        let mount_point = self.rules(key).mount_point.clone();
        let will = connect
            .will
            .map(|will| Box::new(kept_will(&will, mount_point.as_deref(), &mut scratch)));
        self.properties = scratch;

        let connection = self.connection_mut(key);
        connection.stage = Stage::Live(session_key);
        connection.entrance = None;
        connection.grace_ms = u32::from(keep_alive) * 1500;
        connection.max_packet_size = properties.maximum_packet_size().unwrap_or(u32::MAX);
        connection.receive_maximum = properties.receive_maximum().unwrap_or(u16::MAX);
        connection.alias_maximum = properties
            .topic_alias_maximum()
            .unwrap_or(0)
            .min(alias_limit);
        // No reason strings are sent, so request-problem-information has nothing to hold back
        // (MQTT 5, 3.1.2.11.7).
        self.arm_keep_alive(now, key);

        self.identify(key, session_key, connect.username);
        let session = self.session_mut(session_key);
        session.connection = Some(key);
        session.epoch = session.epoch.wrapping_add(1);
        session.will = will;
        session.is_dropping = false;
        session.expiry = match (connect.version, connect.clean_start) {
            (Version::V5, _) => properties.session_expiry_interval().unwrap_or(0),
            (_, true) => 0,
            (_, false) => NEVER,
        };
        self.counters.note_connected(self.sessions.len());
    }

    fn log_connected(&mut self, key: ConnectionKey, session: SessionKey, connect: &Connect<'_>) {
        let keep_alive = self.keep_alive(connect);
        let client = self.session(session).client_id.clone();
        self.log_peer(key, |peer| Line::ClientConnected {
            peer,
            client: &client,
            version: connect.version as u8,
            clean_start: connect.clean_start,
            keep_alive,
            username: connect.username,
        });
        match &connect.will {
            None => self.log(Line::NoWill),
            Some(will) => {
                self.log(Line::Will {
                    len: will.payload.len(),
                    retain: will.retain,
                    qos: will.qos as u8,
                });
                self.log(Line::WillTopic { topic: will.topic });
            }
        }
        let secured = self.connection(key).peer.secured.clone();
        if let Some(secured) = secured.filter(|secured| !secured.by_proxy) {
            self.log(Line::TlsNegotiated {
                client: &client,
                version: &secured.version,
                cipher: &secured.cipher,
            });
        }
    }

    fn send_connack(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        session_present: bool,
        connect: &Connect<'_>,
    ) -> bool {
        let shown = session_present && connect.version != Version::V3;
        self.log_client(session, |client| Line::SendingConnack {
            client,
            session_present: shown,
            reason: 0,
        });
        let mut properties = std::mem::take(&mut self.properties);
        properties.clear();
        if connect.version.is_v5() {
            for property in self.connack_properties(key, connect).into_iter().flatten() {
                // The longest is the client identifier, which came off the wire or is ours.
                let _ = properties.push(property);
            }
            if connect.client_id.is_empty() {
                let assigned = self.session(session).client_id.clone();
                let rest = std::mem::take(&mut properties);
                push_assigned_id(&mut properties, &rest, &assigned);
            }
        }
        let connack = ConnAck {
            session_present,
            reason: ReasonCode::Success,
            properties: properties.view(),
        };
        self.promise(key);
        let is_sent = self.send(key, &Packet::ConnAck(connack));
        self.properties = properties;
        is_sent
    }

    /// What version 5 is told, in Mosquitto's order, which its tests compare byte by byte.
    fn connack_properties(
        &self,
        key: ConnectionKey,
        connect: &Connect<'_>,
    ) -> [Option<Property<'static>>; 6] {
        let (settings, rules) = (&self.settings, self.rules(key));
        let keep_alive = self.keep_alive(connect);
        [
            (keep_alive != connect.keep_alive).then_some(Property::ServerKeepAlive(keep_alive)),
            (rules.max_topic_alias > 0)
                .then_some(Property::TopicAliasMaximum(rules.max_topic_alias)),
            (!settings.retain_available).then_some(Property::RetainAvailable(false)),
            (settings.max_packet_size < mqtt_proto::MAX_REMAINING_LENGTH)
                .then(|| std::num::NonZeroU32::new(settings.max_packet_size))
                .flatten()
                .map(Property::MaximumPacketSize),
            (settings.max_inflight_messages < u16::MAX)
                .then(|| std::num::NonZeroU16::new(settings.max_inflight_messages))
                .flatten()
                .map(Property::ReceiveMaximum),
            (rules.max_qos < QoS::ExactlyOnce).then_some(Property::MaximumQoS(rules.max_qos)),
        ]
    }

    pub(super) fn rules(&self, key: ConnectionKey) -> &super::settings::ListenerRules {
        &self.settings.listeners[usize::from(self.connection(key).listener)]
    }
}

/// The assigned client identifier stands behind the two properties that come before it.
fn push_assigned_id(properties: &mut PropertiesBuf, rest: &PropertiesBuf, assigned: &str) {
    let mut is_said = false;
    for property in rest.view() {
        if !is_said
            && !matches!(
                property,
                Property::ServerKeepAlive(_) | Property::TopicAliasMaximum(_)
            )
        {
            let _ = properties.push(Property::AssignedClientIdentifier(assigned));
            is_said = true;
        }
        let _ = properties.push(property);
    }
    if !is_said {
        let _ = properties.push(Property::AssignedClientIdentifier(assigned));
    }
}

/// `auto-` and a UUID in capitals.
fn assigned_id(prefix: &str, token: [u8; 16]) -> String {
    let mut token = token;
    token[6] = token[6] & 0x0F | 0x40;
    token[8] = token[8] & 0x3F | 0x80;
    let mut id = prefix.to_owned();
    for (at, byte) in token.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            id.push('-');
        }
        // Writing to a String cannot fail.
        let _ = write!(id, "{byte:02X}");
    }
    id
}

fn kept_will(
    will: &mqtt_proto::Will<'_>,
    mount_point: Option<&str>,
    scratch: &mut PropertiesBuf,
) -> Will {
    let mounted = mount_point.and_then(|prefix| mounted_topic(prefix, will.topic));
    let expiry = will.properties.message_expiry_interval();
    let delay = will.properties.will_delay_interval().unwrap_or(0);
    let publication = Publication {
        topic: mounted.as_deref().unwrap_or(will.topic),
        payload: will.payload,
        owner: None,
        properties: forwarded(will.properties, scratch),
        qos: will.qos,
        retain: will.retain,
        expires_at: None,
    };
    Will {
        message: publication.to_message().into(),
        expiry,
        delay,
    }
}
