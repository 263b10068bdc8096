//! Bytes from a connection, packet by packet: each goes to its handler, and what is no packet ends it.

use super::admit::Answer;
use super::{Close, Engine, Handled};
use crate::connection_state::{ConnectionKey, Stage};
use crate::log::{Ending, Line};
use crate::session::SessionKey;
use crate::time::Time;
use bytes::Bytes;
use mqtt_proto::{
    DecodeError, Packet, PacketType, ReasonCode, decode, frame_length, plain_publish,
};

impl Engine {
    /// Bytes have come: handles every whole packet in them and returns how many bytes that took.
    ///
    /// What is left over is the beginning of a packet; hand it in again with more behind it. If the
    /// connection [waits](Engine::is_paused), whole packets may be left over; hand them in again
    /// when it is named by [`Engine::poll_dirty`].
    /// `owner` is the buffer that `bytes` lie in, if large payloads may be kept in it instead
    /// of being copied out.
    pub fn receive(
        &mut self,
        now: Time,
        key: ConnectionKey,
        bytes: &[u8],
        owner: Option<&Bytes>,
    ) -> usize {
        // Nobody waits for what the broker has published itself.
        self.pause_for = None;
        self.landed = 0;
        let mut used = 0;
        while used < bytes.len() {
            if self.landed > 0 && !is_acknowledgement(bytes[used]) {
                self.make_up(now, key);
            }
            let connection = &self.connections[key.0 as usize];
            let (version, stage) = (connection.version, connection.stage);
            let rest = &bytes[used..];
            let limit = self.settings.max_packet_size;
            if let Stage::Live(session) = stage {
                // What comes most does not become a `Packet` first.
                let taken = match is_acknowledgement(rest[0]) {
                    true => self.receive_acknowledgements(now, key, session, rest),
                    false => self.receive_plain_publish(now, key, session, rest, owner),
                };
                if taken > 0 {
                    used += taken;
                    if self.pause_for.is_some() && self.pause(key) {
                        break;
                    }
                    continue;
                }
            }
            let handled = match stage {
                Stage::Closing => return bytes.len(),
                Stage::Asking => break,
                Stage::Greeting if !may_be_connect(rest[0]) => {
                    self.refuse_first_byte(key, rest[0]);
                    Err(Close::silent(Ending::ProtocolError))
                }
                Stage::Live(_) if is_for_clients(rest[0]) => {
                    match frame_length(rest, version, limit) {
                        Ok(None) => break,
                        // The shortest frame is all that a PINGRESP may have.
                        Ok(Some(length)) if length > 2 && is_pingresp(rest[0]) => {
                            self.refuse(key, "a PINGRESP with content");
                            Err(Close::silent(Ending::MalformedPacket))
                        }
                        Ok(Some(_)) => Err(self.refuse(key, "a packet that only a server sends")),
                        Err(error) => Err(self.refuse_bytes(key, stage, rest, error)),
                    }
                }
                _ => match decode(rest, version, limit) {
                    Ok(None) => break,
                    Ok(Some((packet, length))) => {
                        used += length;
                        self.counters.messages_received += 1;
                        let handled = self.handle_packet(now, key, &packet, owner);
                        if self.is_asking(key) {
                            self.keep_connect(now, key, &rest[..length]);
                        }
                        handled
                    }
                    Err(error) => Err(self.refuse_bytes(key, stage, rest, error)),
                },
            };
            if let Err(close) = handled {
                self.close(now, key, close);
            }
            if self.pause_for.is_some() && self.pause(key) {
                break;
            }
        }
        if self.landed > 0 {
            self.make_up(now, key);
        }
        self.counters.bytes_received += used as u64;
        if used > 0 {
            // A packet, not some bytes of one, is what shows that a client lives [MQTT-3.1.2-22].
            self.connections[key.0 as usize].last_heard = now;
        }
        used
    }

    /// Takes the PUBLISH at the front of `bytes`, if it is as nearly all are; how many bytes that took.
    fn receive_plain_publish(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session: SessionKey,
        bytes: &[u8],
        owner: Option<&Bytes>,
    ) -> usize {
        let version = self.connections[key.0 as usize].version;
        let Some((publish, length)) = plain_publish(bytes, version) else {
            return 0;
        };
        if length > self.settings.max_packet_size as usize {
            return 0;
        }
        self.counters.messages_received += 1;
        if let Err(close) = self.handle_publish(now, key, session, &publish, owner) {
            self.close(now, key, close);
        }
        length
    }

    /// A client has acknowledged messages, one behind the other: for all of them together it is
    /// sent others.
    fn make_up(&mut self, now: Time, key: ConnectionKey) {
        let landed = std::mem::take(&mut self.landed);
        if let Stage::Live(session) = self.connections[key.0 as usize].stage {
            self.widen_window(now, key, landed);
            self.send_waiting(now, session);
        }
    }

    /// How many bytes the packet at the front of `bytes` has, where that can be told already.
    pub fn packet_length(&self, key: ConnectionKey, bytes: &[u8]) -> Option<usize> {
        let version = self.connections[key.0 as usize].version;
        frame_length(bytes, version, self.settings.max_packet_size)
            .ok()
            .flatten()
    }

    fn handle_packet(
        &mut self,
        now: Time,
        key: ConnectionKey,
        packet: &Packet<'_>,
        owner: Option<&Bytes>,
    ) -> Handled {
        let Stage::Live(session) = self.connections[key.0 as usize].stage else {
            return match packet {
                Packet::Connect(connect) => self.handle_connect(now, key, connect, Answer::Unasked),
                _ => Err(Close::silent(Ending::ProtocolError)), // [MQTT-3.1.0-1]
            };
        };
        match packet {
            Packet::Connect(_) => {
                self.log_peer(key, |peer| Line::SecondConnect { peer });
                Err(Close::PROTOCOL) // [MQTT-3.1.0-2]
            }
            Packet::Publish(publish) => self.handle_publish(now, key, session, publish, owner),
            Packet::PubAck(ack) => self.handle_puback(session, ack),
            Packet::PubRec(ack) => self.handle_pubrec(key, session, ack),
            Packet::PubRel(ack) => self.handle_pubrel(now, key, session, ack),
            Packet::PubComp(ack) => self.handle_pubcomp(session, ack),
            Packet::Subscribe(subscribe) => self.handle_subscribe(now, key, session, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.handle_unsubscribe(key, session, unsubscribe),
            Packet::PingReq => self.handle_pingreq(key, session),
            Packet::Disconnect(disconnect) => self.handle_disconnect(now, key, session, disconnect),
            Packet::Auth(auth) => self.handle_auth(session, auth),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(Close::PROTOCOL)
            }
        }
    }

    fn handle_pingreq(&mut self, key: ConnectionKey, session: SessionKey) -> Handled {
        self.log_client(session, |client| Line::ReceivedPingreq { client });
        self.log_client(session, |client| Line::SendingPingresp { client });
        self.send(key, &Packet::PingResp);
        Ok(())
    }

    /// Logs what is wrong with a first byte that is not CONNECT's [MQTT-3.1.0-1].
    fn refuse_first_byte(&mut self, key: ConnectionKey, first: u8) {
        if first == TLS_HANDSHAKE {
            self.log_peer(key, |peer| Line::TlsOnPlainListener { peer });
        } else {
            let what = format!("First packet not CONNECT ({first:02X})");
            self.log_peer(key, |client| Line::ProtocolError {
                client,
                what: &what,
            });
        }
    }

    pub(super) fn refuse(&mut self, key: ConnectionKey, what: &str) -> Close<'static> {
        let client = self.client_name(key);
        self.log(Line::ProtocolError {
            client: &client,
            what,
        });
        Close::PROTOCOL
    }

    /// A packet could not be decoded: one line, an answer where there is to be one, and the end.
    fn refuse_bytes(
        &mut self,
        key: ConnectionKey,
        stage: Stage,
        bytes: &[u8],
        error: DecodeError,
    ) -> Close<'static> {
        let client = self.client_name(key);
        self.log(Line::ProtocolError {
            client: &client,
            what: &error.to_string(),
        });
        let ending = match error.reason {
            ReasonCode::ProtocolError | ReasonCode::UnsupportedProtocolVersion => {
                Ending::ProtocolError
            }
            ReasonCode::PacketTooLarge => Ending::OversizePacket,
            ReasonCode::TopicAliasInvalid => Ending::TopicAliasInvalid,
            ReasonCode::ClientIdentifierNotValid => Ending::ClientIdNotValid,
            _ => Ending::MalformedPacket,
        };
        if stage == Stage::Greeting {
            if !error.silent {
                self.refuse_malformed_connect(key, bytes, error);
            }
            return Close::silent(ending);
        }
        Close {
            disconnect: (!error.silent).then_some(error.reason),
            ending,
        }
    }
}

/// The first byte of a TLS connection; as MQTT it would be a CONNECT with flags that none has.
const TLS_HANDSHAKE: u8 = 0x16;

fn may_be_connect(first: u8) -> bool {
    first >> 4 == PacketType::Connect as u8 && first != TLS_HANDSHAKE
}

/// PUBACK, PUBREC, PUBREL and PUBCOMP: they come one behind the other.
fn is_acknowledgement(first: u8) -> bool {
    matches!(first >> 4, 4..=7)
}

fn is_pingresp(first: u8) -> bool {
    PacketType::of_first_byte(first) == Some(PacketType::PingResp)
}

/// CONNACK, SUBACK, UNSUBACK and PINGRESP go to clients; no server expects one.
fn is_for_clients(first: u8) -> bool {
    matches!(
        PacketType::of_first_byte(first),
        Some(
            PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp
        )
    )
}
