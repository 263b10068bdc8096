//! What the server's packets do to a session.

use crate::client::message::{InFlight, Released};
use crate::client::outbound::acknowledge;
use crate::client::{Connected, Event, Limits, MAX_PACKET_SIZE, Session, State, Violation};
use crate::flow::FlowError;
use crate::{
    Ack, ConnAck, Packet, PacketId, PacketType, Publish, QoS, ReasonCode, SubAck, UnsubAck, Version,
};

impl Session {
    /// A packet has come: changes the session, appends the answers to `out`, and says what it meant.
    ///
    /// # Errors
    /// The server broke the protocol. In version 5 `out` ends with a DISCONNECT that says so; the
    /// connection must be closed either way.
    pub fn handle<'a>(
        &mut self,
        packet: &Packet<'a>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Violation> {
        self.last_in = now;
        let before = out.len();
        let handled = match (self.state, packet) {
            (State::Connecting, Packet::ConnAck(connack)) => self.handle_connack(connack, now, out),
            (State::Open, _) => self.handle_open(packet, now, out),
            _ => Err(violation("MQTT-3.2.0-1", "the first packet is not CONNACK")),
        };
        if out.len() > before {
            self.last_out = now;
        }
        if let Err(violation) = &handled {
            self.reject(violation, out);
        }
        handled
    }

    fn handle_open<'a>(
        &mut self,
        packet: &Packet<'a>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Violation> {
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish, out),
            Packet::PubRel(ack) => Ok(self.handle_pubrel(ack, out)),
            Packet::PubAck(ack) => self.handle_puback(ack, now, out),
            Packet::PubRec(ack) => self.handle_pubrec(ack, now, out),
            Packet::PubComp(ack) => self.handle_pubcomp(ack, now, out),
            Packet::SubAck(suback) => self.handle_suback(suback),
            Packet::UnsubAck(unsuback) => self.handle_unsuback(unsuback),
            Packet::PingResp => {
                self.ping = None;
                Ok(Event::Nothing)
            }
            Packet::Disconnect(disconnect) => {
                self.state = State::Closed;
                Ok(Event::Disconnected {
                    reason: disconnect.reason,
                    properties: disconnect.properties,
                })
            }
            Packet::ConnAck(_) => Err(violation("3.2", "a second CONNACK came")),
            Packet::Auth(_) => Err(violation(
                "MQTT-4.12.0-6",
                "AUTH came, and no method was agreed on",
            )),
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq => Err(violation("2.1.2", "a packet came that only clients send")),
        }
    }

    fn handle_connack<'a>(
        &mut self,
        connack: &ConnAck<'a>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Violation> {
        let properties = connack.properties;
        if connack.reason.is_error() {
            self.state = State::Closed;
            return Ok(Event::Refused {
                reason: connack.reason,
                properties,
            });
        }
        let clean = self.options.clean_start && !(self.established && self.options.version.is_v5());
        if clean && connack.session_present {
            return Err(violation(
                "MQTT-3.2.2-2",
                "a session is present although a clean one was asked for",
            ));
        }
        if let Some(id) = properties.assigned_client_identifier() {
            if !self.options.client_id.is_empty() {
                return Err(violation(
                    "3.2.2.3.7",
                    "a client identifier was assigned although there is one",
                ));
            }
            self.options.client_id = id.to_owned();
        }
        self.limits = Limits {
            receive_maximum: properties.receive_maximum().unwrap_or(u16::MAX),
            max_packet_size: properties.maximum_packet_size().unwrap_or(MAX_PACKET_SIZE),
            max_qos: properties.maximum_qos().unwrap_or(QoS::ExactlyOnce),
            retain: properties.retain_available().unwrap_or(true),
            topic_alias_maximum: properties.topic_alias_maximum().unwrap_or(0),
        };
        self.keep_alive = properties
            .server_keep_alive()
            .unwrap_or(self.options.keep_alive); // [MQTT-3.2.2-21]
        self.state = State::Open;
        self.established = true;
        let abandoned = self.resume(connack.session_present, now, out);
        Ok(Event::Connected(Connected {
            session_present: connack.session_present,
            properties,
            abandoned,
        }))
    }

    fn handle_publish<'a>(
        &mut self,
        publish: &Publish<'a>,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Violation> {
        let version = self.options.version;
        let Some(id) = publish.packet_id else {
            return self.present(publish);
        };
        if publish.qos == QoS::AtLeastOnce {
            let message = self.present(publish)?;
            acknowledge(Packet::PubAck, id, out, version); // [MQTT-4.3.2-4]
            return Ok(message);
        }
        let packet = keep(&self.resolve(publish)?, version)?;
        self.incoming.handle_publish(id, packet);
        acknowledge(Packet::PubRec, id, out, version); // [MQTT-4.3.3-8]
        Ok(Event::Nothing)
    }

    /// The event for a message at QoS 0 or 1. Where an alias stands for the topic, the topic is the
    /// session's and not the packet's, and the message has to be copied.
    fn present<'a>(&mut self, publish: &Publish<'a>) -> Result<Event<'a>, Violation> {
        let version = self.options.version;
        let has_topic = publish.topic.is_some();
        let resolved = self.resolve(publish)?;
        if has_topic {
            return Ok(Event::Message(*publish));
        }
        let packet = keep(&resolved, version)?;
        Ok(Event::Released(Released { packet, version }))
    }

    /// The message with its topic, which may be known from an earlier message with the same alias.
    fn resolve<'a>(&'a mut self, publish: &Publish<'a>) -> Result<Publish<'a>, Violation> {
        let Some(alias) = publish.properties.topic_alias() else {
            return match publish.topic {
                Some(_) => Ok(*publish),
                None => Err(violation("3.3.2.3.4", "a message came without a topic")),
            };
        };
        let allowed = self.options.properties.view().topic_alias_maximum();
        if alias == 0 || alias > allowed.unwrap_or(0) {
            return Err(Violation {
                reason: ReasonCode::TopicAliasInvalid,
                clause: "MQTT-3.1.2-26",
                what: "a topic alias came that was not allowed",
            });
        }
        let place = usize::from(alias) - 1;
        if self.aliases.len() <= place {
            self.aliases.resize(place + 1, None);
        }
        if let Some(topic) = publish.topic {
            self.aliases[place] = Some(topic.into());
            return Ok(*publish);
        }
        let topic = self.aliases[place].as_deref().ok_or(Violation {
            reason: ReasonCode::ProtocolError,
            clause: "3.3.4",
            what: "a topic alias came that stands for nothing",
        })?;
        Ok(Publish {
            topic: Some(topic),
            ..*publish
        })
    }

    fn handle_pubrel<'a>(&mut self, ack: &Ack<'a>, out: &mut Vec<u8>) -> Event<'a> {
        let version = self.options.version;
        if let Some(packet) = self.incoming.handle_pubrel(ack.packet_id) {
            acknowledge(Packet::PubComp, ack.packet_id, out, version); // [MQTT-4.3.3-11]
            return Event::Released(Released { packet, version });
        }
        // Released before, and our PUBCOMP was lost; or released to an earlier run of this program.
        self.answer_unknown(Packet::PubComp, ack.packet_id, out);
        Event::UnknownId {
            packet: PacketType::PubRel,
            packet_id: ack.packet_id,
        }
    }

    fn handle_puback<'a>(
        &mut self,
        ack: &Ack<'a>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Violation> {
        if self.is_request(ack.packet_id) {
            return Err(violation(
                "MQTT-4.3.2-2",
                "a PUBACK came for a SUBSCRIBE or UNSUBSCRIBE",
            ));
        }
        match self.in_flight.handle_puback(ack.packet_id) {
            Ok(Some(InFlight::Message(message))) => Ok(self.ended(message.tag, ack, now, out)),
            Ok(_) => Ok(Event::Nothing),
            Err(FlowError::UnknownId) => Ok(unknown(PacketType::PubAck, ack.packet_id)),
            Err(FlowError::WrongKind) => {
                Err(violation("4.3.3", "a PUBACK came for a message at QoS 2"))
            }
        }
    }

    fn handle_pubrec<'a>(
        &mut self,
        ack: &Ack<'a>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Violation> {
        let id = ack.packet_id;
        if ack.reason.is_error() {
            return match self.in_flight.handle_refused_pubrec(id) {
                Ok(Some(InFlight::Message(message))) => Ok(self.ended(message.tag, ack, now, out)),
                Ok(_) => Ok(Event::Nothing),
                Err(_) => Ok(unknown(PacketType::PubRec, id)),
            };
        }
        match self.in_flight.handle_pubrec(id) {
            Ok(message) => {
                if let Some(InFlight::Message(message)) = message {
                    self.releasing.insert(id, message.tag);
                }
                acknowledge(Packet::PubRel, id, out, self.options.version); // [MQTT-4.3.3-4]
                Ok(Event::Nothing)
            }
            Err(FlowError::UnknownId) => {
                self.answer_unknown(Packet::PubRel, id, out);
                Ok(unknown(PacketType::PubRec, id))
            }
            Err(FlowError::WrongKind) => {
                Err(violation("4.3.2", "a PUBREC came for a message at QoS 1"))
            }
        }
    }

    fn handle_pubcomp<'a>(
        &mut self,
        ack: &Ack<'a>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<Event<'a>, Violation> {
        match self.in_flight.handle_pubcomp(ack.packet_id) {
            Ok(()) => {
                let tag = self.releasing.remove(&ack.packet_id);
                // "Packet identifier not found" after a reconnect: the server completed it earlier.
                let done = Ack {
                    reason: ReasonCode::Success,
                    ..*ack
                };
                Ok(tag.map_or(Event::Nothing, |tag| self.ended(tag, &done, now, out)))
            }
            Err(FlowError::UnknownId) => Ok(unknown(PacketType::PubComp, ack.packet_id)),
            Err(FlowError::WrongKind) => {
                Err(violation("4.3.3", "a PUBCOMP came before its PUBREL"))
            }
        }
    }

    fn ended<'a>(&mut self, tag: u64, ack: &Ack<'a>, now: u64, out: &mut Vec<u8>) -> Event<'a> {
        self.fill(now, out);
        Event::Published {
            tag,
            reason: ack.reason,
            properties: ack.properties,
        }
    }

    fn handle_suback<'a>(&mut self, suback: &SubAck<'a>) -> Result<Event<'a>, Violation> {
        let (index, filters) = match self.request(suback.packet_id) {
            Some(InFlight::Subscribe { index, filters }) => (*index, *filters),
            _ => return Ok(unknown(PacketType::SubAck, suback.packet_id)),
        };
        self.end_request(suback.packet_id);
        if suback.reasons.len() != filters {
            return Err(violation(
                "MQTT-3.8.4-6",
                "a SUBACK answers more or fewer filters than were asked for",
            ));
        }
        self.wanted[index].confirmed = true;
        Ok(Event::Subscribed {
            packet_id: suback.packet_id,
            reasons: suback.reasons.clone(),
        })
    }

    fn handle_unsuback<'a>(&mut self, unsuback: &UnsubAck<'a>) -> Result<Event<'a>, Violation> {
        let filters = match self.request(unsuback.packet_id) {
            Some(InFlight::Unsubscribe(filters)) => filters.clone(),
            _ => return Ok(unknown(PacketType::UnsubAck, unsuback.packet_id)),
        };
        self.end_request(unsuback.packet_id);
        if self.options.version.is_v5() && unsuback.reasons.len() != filters.len() {
            return Err(violation(
                "3.11.3",
                "an UNSUBACK answers more or fewer filters than were asked for",
            ));
        }
        self.unwanted.retain(|request| request.filters != filters);
        Ok(Event::Unsubscribed {
            packet_id: unsuback.packet_id,
            reasons: unsuback.reasons.clone(),
        })
    }

    fn request(&self, id: PacketId) -> Option<&InFlight> {
        if self.requests == 0 {
            return None;
        }
        self.in_flight
            .iter()
            .find(|entry| entry.id == id)
            .and_then(|entry| entry.message.as_ref())
            .filter(|kept| !matches!(kept, InFlight::Message(_)))
    }

    fn is_request(&self, id: PacketId) -> bool {
        self.request(id).is_some()
    }

    fn end_request(&mut self, id: PacketId) {
        self.in_flight.remove(id);
        self.requests -= 1;
    }

    /// Completes a QoS 2 flow that we know nothing of, so that the server can end it as well.
    fn answer_unknown(
        &self,
        packet: fn(Ack<'static>) -> Packet<'static>,
        id: PacketId,
        out: &mut Vec<u8>,
    ) {
        let version = self.options.version;
        acknowledge(
            |ack| {
                packet(Ack {
                    reason: ReasonCode::PacketIdentifierNotFound,
                    ..ack
                })
            },
            id,
            out,
            version,
        );
    }
}

/// A message in its wire form, which outlives the packet it came in.
fn keep(publish: &Publish<'_>, version: Version) -> Result<Box<[u8]>, Violation> {
    let mut packet = Vec::with_capacity(publish.payload.len() + 64);
    publish
        .encode(version, &mut packet)
        .map_err(|_| violation("2.1.4", "a message came that cannot be encoded again"))?;
    Ok(packet.into())
}

fn unknown<'a>(packet: PacketType, packet_id: PacketId) -> Event<'a> {
    Event::UnknownId { packet, packet_id }
}

const fn violation(clause: &'static str, what: &'static str) -> Violation {
    Violation {
        reason: ReasonCode::ProtocolError,
        clause,
        what,
    }
}
