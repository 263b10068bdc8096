//! A CONNECT that is refused: what its client and the log are told.

use super::{Close, Engine};
use crate::connection_state::ConnectionKey;
use crate::log::{Ending, Line};
use mqtt_proto::{ConnAck, Connect, DecodeError, Packet, Properties, ReasonCode, Version};

/// A CONNECT that is refused.
pub(super) struct Refusal {
    /// What CONNACK says; `None`: this version has no word for it.
    reason: Option<ReasonCode>,
    ending: Ending<'static>,
    /// What the log says besides, if the ending does not say it all.
    what: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(reason: ReasonCode, ending: Ending<'static>) -> Refusal {
        Refusal {
            reason: Some(reason),
            ending,
            what: None,
        }
    }

    pub(super) fn because(self, what: &'static str) -> Refusal {
        Refusal {
            what: Some(what),
            ..self
        }
    }

    /// Below version 5 the connection is closed without a word.
    pub(super) fn only_in_v5(self, version: Version) -> Refusal {
        Refusal {
            reason: self.reason.filter(|_| version.is_v5()),
            ..self
        }
    }
}

impl Engine {
    /// Answers a CONNECT that could not even be decoded, where it can be answered.
    pub(super) fn refuse_malformed_connect(
        &mut self,
        key: ConnectionKey,
        bytes: &[u8],
        error: DecodeError,
    ) {
        let Some((known_name, level)) = connect_level(bytes) else {
            return;
        };
        // An unknown version is answered in the words of version 5, a mixture of name and
        // number that exist in those of 3.1.1; below 5 other errors have no words at all.
        let version = match error.reason {
            ReasonCode::UnsupportedProtocolVersion if known_name && (3..=5).contains(&level) => {
                Version::V4
            }
            ReasonCode::UnsupportedProtocolVersion => Version::V5,
            _ if level == 5 => Version::V5,
            _ => return,
        };
        self.connection_mut(key).version = version;
        let reason = match error.reason {
            // The will's topic is no reason to invent a new code for.
            ReasonCode::TopicNameInvalid => ReasonCode::MalformedPacket,
            reason => reason,
        };
        self.send_refusal(key, reason);
    }

    pub(super) fn refuse_connect(
        &mut self,
        key: ConnectionKey,
        connect: &Connect<'_>,
        refusal: &Refusal,
    ) -> Close<'static> {
        if !connect.client_id.is_empty()
            && let Some(entrance) = &mut self.connection_mut(key).entrance
        {
            entrance.refused_id = Some(connect.client_id.into());
        }
        if let Some(what) = refusal.what {
            self.log_peer(key, |client| Line::ProtocolError { client, what });
        }
        if let Some(reason) = refusal.reason {
            self.send_refusal(key, reason);
        }
        Close::silent(refusal.ending)
    }

    fn send_refusal(&mut self, key: ConnectionKey, reason: ReasonCode) {
        let connection = self.connection(key);
        let client = connection.refused_id().cloned();
        let code = if connection.version.is_v5() {
            reason.value()
        } else {
            reason.to_v3_return_code()
        };
        self.log_peer(key, |peer| Line::SendingConnack {
            client: client.as_deref().unwrap_or(peer),
            session_present: false,
            reason: code,
        });
        self.send(
            key,
            &Packet::ConnAck(ConnAck {
                session_present: false,
                reason,
                properties: Properties::EMPTY,
            }),
        );
    }
}

/// The protocol name and number of a CONNECT, if it gets that far: whether the name is known,
/// and the number.
fn connect_level(bytes: &[u8]) -> Option<(bool, u8)> {
    let length = bytes
        .iter()
        .skip(1)
        .take(4)
        .position(|byte| byte & 0x80 == 0)?
        + 1;
    let body = &bytes[1 + length..];
    let name_length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
    let name = body.get(2..2 + name_length)?;
    let level = *body.get(2 + name_length)? & 0x7F;
    Some((name == b"MQTT" || name == b"MQIsdp", level))
}
