//! Why bytes are not a packet, and why a packet cannot become bytes.

use crate::ReasonCode;
use thiserror::Error;

/// A refused packet: what the peer is told, which rule it broke, and a sentence for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{what} [{clause}]")]
pub struct DecodeError {
    /// What CONNACK or DISCONNECT should say (MQTT 5, 2.4).
    pub reason: ReasonCode,
    /// The standard's clause or section, without brackets: `MQTT-3.1.2-3`, `4.1.1`.
    pub clause: &'static str,
    /// What is wrong, in words.
    pub what: &'static str,
    /// Whether the connection should be closed without an answer: the sender has lost the frame
    /// of its packets or of its CONNECT, and would not find an answer in what it reads.
    pub silent: bool,
}

impl DecodeError {
    /// The packet cannot be parsed (MQTT 5, 4.13: 0x81).
    pub(crate) const fn malformed(clause: &'static str, what: &'static str) -> DecodeError {
        DecodeError {
            reason: ReasonCode::MalformedPacket,
            clause,
            what,
            silent: false,
        }
    }

    /// The packet can be parsed but must not be sent (MQTT 5, 4.13: 0x82).
    pub(crate) const fn protocol(clause: &'static str, what: &'static str) -> DecodeError {
        DecodeError {
            reason: ReasonCode::ProtocolError,
            clause,
            what,
            silent: false,
        }
    }

    /// The same refusal, without an answer.
    pub(crate) const fn silent(self) -> DecodeError {
        DecodeError {
            silent: true,
            ..self
        }
    }

    /// The same refusal with another reason code.
    pub(crate) const fn because(self, reason: ReasonCode) -> DecodeError {
        DecodeError { reason, ..self }
    }
}

/// A packet that has no wire form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A string or binary field is longer than its two-byte length can say (MQTT 5, 1.5.4).
    #[error("{0} is longer than 65,535 bytes")]
    FieldTooLong(&'static str),
    /// The whole is longer than the remaining length can say (MQTT 5, 2.1.4).
    #[error("the packet is longer than 268,435,455 bytes")]
    PacketTooLong,
    /// A field that this packet needs is missing.
    #[error("{0}")]
    Incomplete(&'static str),
}
