//! PUBACK, PUBREC, PUBREL and PUBCOMP of both directions: one by one, and as they mostly come, many in
//! a row.

use super::{Close, Engine, Handled};
use crate::connection_state::ConnectionKey;
use crate::log::Line;
use crate::session::SessionKey;
use crate::time::Time;
use mqtt_proto::flow::FlowError;
use mqtt_proto::{
    Ack, Packet, PacketId, PacketType, Properties, ReasonCode, SHORT_ACK, short_ack,
    short_ack_bytes,
};

impl Engine {
    /// Takes the acknowledgements of success that lie one behind the other at the front of `bytes`; how
    /// many bytes that took.
    ///
    /// It stops where something else begins, behind an error, which has ended the connection, and behind a
    /// message for somebody who is behind.
    pub(super) fn receive_acknowledgements(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session: SessionKey,
        bytes: &[u8],
    ) -> usize {
        if (self.settings.max_packet_size as usize) < SHORT_ACK {
            return 0;
        }
        let mut count = 0;
        for bytes in bytes.as_chunks::<SHORT_ACK>().0 {
            let Some((kind, id)) = short_ack(bytes) else {
                break;
            };
            count += 1;
            let ack = Ack::success(id);
            let handled = match kind {
                PacketType::PubAck => self.handle_puback(session, &ack),
                PacketType::PubRec => self.handle_pubrec(key, session, &ack),
                PacketType::PubRel => self.handle_pubrel(now, key, session, &ack),
                _ => self.handle_pubcomp(session, &ack),
            };
            if let Err(close) = handled {
                self.close(now, key, close);
                break;
            }
            if self.pause_for.is_some() {
                break;
            }
        }
        self.counters.messages_received += count as u64;
        count * SHORT_ACK
    }

    /// Appends an acknowledgement to a connection's outbox.
    #[inline(always)] // Each caller knows the type, and most know the reason.
    fn send_ack(
        &mut self,
        key: ConnectionKey,
        kind: PacketType,
        packet_id: PacketId,
        reason: ReasonCode,
    ) {
        let connection = &mut self.connections[key.0 as usize];
        if reason != ReasonCode::Success || (connection.max_packet_size as usize) < SHORT_ACK {
            return self.send_long_ack(key, kind, packet_id, reason);
        }
        let bytes = short_ack_bytes(kind, packet_id);
        connection
            .outbox
            .append(&mut self.spare, |out| out.extend_from_slice(&bytes));
        if !connection.is_dirty {
            connection.is_dirty = true;
            self.dirty.push(key);
        }
        self.counters.messages_sent += 1;
    }

    /// One that says why not, or goes to a client that takes hardly anything.
    #[cold]
    fn send_long_ack(
        &mut self,
        key: ConnectionKey,
        kind: PacketType,
        packet_id: PacketId,
        reason: ReasonCode,
    ) {
        let ack = Ack {
            packet_id,
            reason,
            properties: Properties::EMPTY,
        };
        let packet = match kind {
            PacketType::PubAck => Packet::PubAck(ack),
            PacketType::PubRec => Packet::PubRec(ack),
            PacketType::PubRel => Packet::PubRel(ack),
            _ => Packet::PubComp(ack),
        };
        self.send(key, &packet);
    }

    pub(super) fn send_puback(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        packet_id: PacketId,
        reason: ReasonCode,
    ) {
        self.trace(session, |client| Line::SendingPuback {
            client,
            mid: packet_id.get(),
            reason: reason.value(),
        });
        self.promise(key);
        self.send_ack(key, PacketType::PubAck, packet_id, reason);
    }

    pub(super) fn send_pubrec(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        packet_id: PacketId,
        reason: ReasonCode,
    ) {
        self.trace(session, |client| Line::SendingPubrec {
            client,
            mid: packet_id.get(),
            reason: reason.value(),
        });
        self.promise_of(key, session);
        self.send_ack(key, PacketType::PubRec, packet_id, reason);
    }

    pub(super) fn handle_puback(&mut self, session: SessionKey, ack: &Ack<'_>) -> Handled {
        let mid = ack.packet_id.get();
        self.trace(session, |client| Line::ReceivedPuback {
            client,
            mid,
            reason: ack.reason.value(),
        });
        let outgoing = &mut self.session_mut(session).outgoing;
        match outgoing.handle_puback(ack.packet_id) {
            Ok(delivery) => {
                self.settle(session, ack.packet_id);
                self.note_landed(session, ack.packet_id, delivery.as_ref());
                if let Some(delivery) = delivery {
                    self.spent.put(delivery.message);
                }
                Ok(())
            }
            Err(error) => self.unexpected_ack(session, "PUBACK", mid, error),
        }
    }

    pub(super) fn handle_pubrec(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        ack: &Ack<'_>,
    ) -> Handled {
        let id = ack.packet_id;
        self.trace(session, |client| Line::ReceivedPubrec {
            client,
            mid: id.get(),
        });
        let outgoing = &mut self.session_mut(session).outgoing;
        if ack.reason.is_error() {
            // The client does not want it, ever [MQTT-4.3.3-4].
            return match outgoing.handle_refused_pubrec(id) {
                Ok(delivery) => {
                    self.settle(session, id);
                    self.note_landed(session, id, delivery.as_ref());
                    Ok(())
                }
                Err(error) => self.unexpected_ack(session, "PUBREC", id.get(), error),
            };
        }
        // An identifier that is not known is released all the same: the client forgets it then.
        match outgoing.handle_pubrec(id) {
            Ok(delivery) => {
                self.session_mut(session).forget_resend(id);
                if let Some(delivery) = delivery {
                    self.note_received(session, id, &delivery);
                    self.spent.put(delivery.message);
                }
            }
            Err(error) => self.unexpected_ack(session, "PUBREC", id.get(), error)?,
        }
        self.trace(session, |client| Line::SendingPubrel {
            client,
            mid: id.get(),
        });
        self.promise_of(key, session);
        self.send_ack(key, PacketType::PubRel, id, ReasonCode::Success);
        Ok(())
    }

    pub(super) fn handle_pubrel(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session: SessionKey,
        ack: &Ack<'_>,
    ) -> Handled {
        let id = ack.packet_id;
        self.trace(session, |client| Line::ReceivedPubrel {
            client,
            mid: id.get(),
        });
        self.begin();
        if let Some(released) = self.session_mut(session).incoming.handle_pubrel(id) {
            self.note_released(session, id, &released.message);
            if released.message.is_expired(now) {
                self.spent.put(released.message);
            } else {
                self.route_message(now, session, released.message, released.slot);
            }
        }
        self.trace(session, |client| Line::SendingPubcomp {
            client,
            mid: id.get(),
        });
        // Known or not, it is done with [MQTT-4.3.3-11].
        self.promise_of(key, session);
        self.send_ack(key, PacketType::PubComp, id, ReasonCode::Success);
        Ok(())
    }

    pub(super) fn handle_pubcomp(&mut self, session: SessionKey, ack: &Ack<'_>) -> Handled {
        let mid = ack.packet_id.get();
        self.trace(session, |client| Line::ReceivedPubcomp {
            client,
            mid,
            reason: ack.reason.value(),
        });
        let outgoing = &mut self.session_mut(session).outgoing;
        match outgoing.handle_pubcomp(ack.packet_id) {
            Ok(()) => {
                self.settle(session, ack.packet_id);
                self.note_landed(session, ack.packet_id, None);
                Ok(())
            }
            Err(error) => self.unexpected_ack(session, "PUBCOMP", mid, error),
        }
    }

    /// A message has ended: there may be room for the next.
    #[inline]
    fn settle(&mut self, session: SessionKey, id: PacketId) {
        self.session_mut(session).forget_resend(id);
        self.landed = self.landed.saturating_add(1);
    }

    /// An acknowledgement of nothing may be late and is let pass; one of the wrong kind is an
    /// error of the protocol.
    fn unexpected_ack(
        &mut self,
        session: SessionKey,
        packet: &str,
        mid: u16,
        error: FlowError,
    ) -> Handled {
        match error {
            FlowError::UnknownId => {
                self.log_client(session, |client| Line::UnknownPacketId {
                    packet,
                    client,
                    mid,
                });
                Ok(())
            }
            FlowError::WrongKind => Err(Close::PROTOCOL),
        }
    }
}
