//! What MQTT 3.1, 3.1.1 and 5 are: packets, topics, flows; no I/O and no clock.
//!
//! Read the modules in the order of the bytes: the wire primitives turn bytes into
//! integers and strings; [`Property`] and [`ReasonCode`] are the standard's two tables;
//! [`Topic`] and [`Filter`] are checked names; a [`Packet`] is a *view*: it borrows every
//! name and payload from the buffer it was [`decode`]d from, and [`Packet::encode`] appends
//! to a buffer. [`flow`] holds the memory that QoS 1 and 2 need, one half for each end, and
//! [`client`] is a client's session built from all of it.
//!
//! The protocol version is a parameter of `decode` and `encode`, not a second set of types:
//! what a version does not have (properties in 3.1.1) is empty after decoding and left out
//! when encoding.

pub mod client;
mod decode;
mod encode;
mod error;
pub mod flow;
mod frame;
mod packet;
mod property;
mod reason;
mod topic;
mod types;
mod wire;

pub use decode::{SHORT_ACK, decode, plain_publish, short_ack};
pub use encode::short_ack_bytes;
pub use error::{DecodeError, EncodeError};
pub use frame::frame_length;
pub use packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, PacketType, Publish, RetainHandling, SubAck,
    Subscribe, Subscription, SubscriptionOptions, UnsubAck, Unsubscribe, Will,
};
pub use property::{Place, Properties, PropertiesBuf, Property, PropertyId, PropertyIter};
pub use reason::ReasonCode;
pub use topic::{Filter, Topic, TopicError};
pub use types::{PacketId, QoS, Version};
pub use wire::{MAX_REMAINING_LENGTH, MAX_STRING, VarInt, utf8_string};
