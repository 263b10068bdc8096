//! The three small types that stand in nearly every packet: version, QoS, packet identifier.

use std::fmt;
use std::num::NonZeroU16;

/// A protocol version, by the number that CONNECT carries (MQTT 5, 3.1.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Version {
    /// MQTT 3.1 (protocol name `MQIsdp`).
    V3 = 3,
    /// MQTT 3.1.1.
    V4 = 4,
    /// MQTT 5.0.
    V5 = 5,
}

impl Version {
    /// The protocol name that CONNECT carries for this version.
    pub fn protocol_name(self) -> &'static str {
        match self {
            Version::V3 => "MQIsdp",
            Version::V4 | Version::V5 => "MQTT",
        }
    }

    /// Whether packets of this version carry properties and reason codes everywhere.
    pub fn is_v5(self) -> bool {
        self == Version::V5
    }
}

/// How hard the two ends try to deliver a message (MQTT 5, 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// QoS 0: sent once, never acknowledged.
    #[default]
    AtMostOnce = 0,
    /// QoS 1: sent until acknowledged, may arrive twice.
    AtLeastOnce = 1,
    /// QoS 2: arrives exactly once.
    ExactlyOnce = 2,
}

impl QoS {
    /// The QoS with this number, or `None` above 2.
    pub fn new(value: u8) -> Option<QoS> {
        match value {
            0 => Some(QoS::AtMostOnce),
            1 => Some(QoS::AtLeastOnce),
            2 => Some(QoS::ExactlyOnce),
            _ => None,
        }
    }
}

impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self as u8).fmt(f)
    }
}

/// A packet identifier: never zero (`[MQTT-2.2.1-3]`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// The lowest: 1.
    pub const MIN: PacketId = PacketId(NonZeroU16::MIN);

    /// The identifier with this number, or `None` for zero.
    pub const fn new(value: u16) -> Option<PacketId> {
        match NonZeroU16::new(value) {
            Some(id) => Some(PacketId(id)),
            None => None,
        }
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0.get()
    }

    /// The identifier after this one; 1 follows 65535.
    pub fn next(self) -> PacketId {
        PacketId(self.0.checked_add(1).unwrap_or(NonZeroU16::MIN))
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
