//! What is stored, entry by entry, in the engine's terms.

use crate::message::{Delivery, Message};
use mqtt_proto::flow::State;
use mqtt_proto::{Filter, PacketId, SubscriptionOptions, Topic, VarInt};
use std::sync::Arc;

/// What a stored value is stored under.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A session, by its serial number; deleting it deletes all that is stored of the session.
    Session(u64),
    /// A subscription of a session.
    Subscription(u64, Box<Filter>),
    /// A message in the queue of a session, by its place in it.
    Queued(u64, u64),
    /// A message or its release on its way to the client of a session.
    InFlight(u64, PacketId),
    /// A message of QoS 2 from the client of a session that was not released.
    Incoming(u64, PacketId),
    /// The retained message of a topic.
    Retained(Box<Topic>),
}

/// What is stored.
#[derive(Clone, Debug)]
pub enum Value {
    /// See [`Key::Session`].
    Session(Box<SessionRecord>),
    /// See [`Key::Subscription`].
    Subscription(SubscriptionRecord),
    /// See [`Key::Queued`].
    Queued(Delivery),
    /// See [`Key::InFlight`]; without the message once PUBREC has come.
    InFlight(State, Option<Delivery>),
    /// See [`Key::Incoming`].
    Incoming(Arc<Message>),
    /// See [`Key::Retained`].
    Retained(Arc<Message>, RetainedRecord),
}

/// A session without its subscriptions and messages.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// The client identifier.
    pub client_id: Arc<str>,
    /// The user name of its last CONNECT.
    pub username: Option<Arc<str>>,
    /// The port of the listener that it last came to; 0 for a Unix socket.
    pub port: u16,
    /// How many seconds it outlives its connection.
    pub expiry: u32,
    /// When it lost its connection, in milliseconds since 1970; `None`: it has one.
    pub gone_at: Option<u64>,
    /// The packet identifier that its next message gets.
    pub next_id: PacketId,
    /// The will of the connection, or of the lost one while it waits.
    pub will: Option<WillRecord>,
}

/// A will.
#[derive(Clone, Debug)]
pub struct WillRecord {
    /// Its message.
    pub message: Arc<Message>,
    /// Its message expiry interval in seconds.
    pub expiry: Option<u32>,
    /// How many seconds it waits for the client to come back.
    pub delay: u32,
}

/// What a subscription asks for.
#[derive(Clone, Debug)]
pub struct SubscriptionRecord {
    /// Its options.
    pub options: SubscriptionOptions,
    /// Its identifier.
    pub identifier: Option<VarInt>,
    /// Retained messages that it is still to be sent.
    pub scan: Option<ScanRecord>,
}

/// How far a subscription has been sent what was retained.
#[derive(Clone, Debug)]
pub struct ScanRecord {
    /// The last topic that was sent.
    pub after: Option<Box<Topic>>,
    /// The serial number of the newest retained message that belongs to it.
    pub until: u64,
}

/// What is remembered of a retained message besides the message.
#[derive(Clone, Debug)]
pub struct RetainedRecord {
    /// Its serial number.
    pub serial: u64,
    /// Who published it, if that was remembered: client identifier, user name, listener's port.
    pub source: Option<(Arc<str>, Option<Arc<str>>, u16)>,
}

impl Value {
    /// The message that this value refers to.
    pub fn message(&self) -> Option<&Arc<Message>> {
        match self {
            Value::Session(_) | Value::Subscription(_) => None,
            Value::Queued(delivery) => Some(&delivery.message),
            Value::InFlight(_, delivery) => delivery.as_ref().map(|delivery| &delivery.message),
            Value::Incoming(message) | Value::Retained(message, _) => Some(message),
        }
    }
}
