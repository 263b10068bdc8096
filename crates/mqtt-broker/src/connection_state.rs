//! What the engine knows of one network connection.

use crate::engine::congestion::Pace;
use crate::engine::window::Window;
use crate::outbox::Outbox;
use crate::peer::Peer;
use crate::session::SessionKey;
use crate::time::Time;
use mqtt_proto::{Topic, Version};
use std::collections::HashMap;
use std::sync::Arc;

/// Names a connection in the engine, from its opening until it is reported closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey(pub u32);

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// CONNECT is awaited.
    Greeting,
    /// CONNECT has come, and its password is being checked.
    Asking,
    /// The client is in.
    Live(SessionKey),
    /// What is in the outbox may still be written, then the socket is to be closed.
    Closing,
}

/// Topic aliases of one connection, both ways; most connections have none.
#[derive(Debug, Default)]
pub struct Aliases {
    /// What the client has given names to.
    pub incoming: Vec<Option<Arc<Topic>>>,
    /// What we have given names to.
    pub outgoing: HashMap<Box<Topic>, u16>,
}

/// What is known of a client that is not in yet, or is not let in.
#[derive(Debug)]
pub struct Entrance {
    /// Sixteen random bytes, for an assigned client identifier.
    pub token: [u8; 16],
    /// The bytes of CONNECT, while its password is being checked.
    pub asked: Option<Box<[u8]>>,
    /// What a client that was refused called itself, for the log.
    pub refused_id: Option<Arc<str>>,
}

/// One network connection.
#[derive(Debug)]
pub struct Connection {
    /// Tells this connection from an earlier one under the same key.
    pub serial: u64,
    /// How far it is.
    pub stage: Stage,
    /// What it has to write.
    pub outbox: Outbox,
    /// The other end.
    pub peer: Peer,
    /// What matters until it is [`Stage::Live`], and takes no memory from then on.
    pub entrance: Option<Box<Entrance>>,
    /// Which listener it came to.
    pub listener: u16,
    /// What CONNECT said.
    pub version: Version,
    /// Whether it is in the list of connections that have something to write.
    pub is_dirty: bool,
    /// Whether it is not read from, because it publishes to somebody who is behind.
    pub is_paused: bool,
    /// Whether its client has sent DISCONNECT.
    pub has_left: bool,
    /// Whether the timer that was set for its CONNECT is the one that watches its keep alive.
    pub waits_for_connect_timer: bool,
    /// How it keeps up itself.
    pub pace: Pace,
    /// When the last packet came.
    pub last_heard: Time,
    /// One and a half times the keep alive, in milliseconds; 0 is off [MQTT-3.1.2-22].
    pub grace_ms: u32,
    /// The largest packet that the client takes, in bytes.
    pub max_packet_size: u32,
    /// How many QoS 1 and 2 messages the client takes at once.
    pub receive_maximum: u16,
    /// How many we send at once.
    pub window: Window,
    /// How many topic aliases the client takes.
    pub alias_maximum: u16,
    /// Where what is known of the topic lies that the client has published to last.
    pub slot: u16,
    /// See [`Aliases`].
    pub aliases: Option<Box<Aliases>>,
}

impl Connection {
    /// Whether another packet may still be put into the outbox.
    pub fn has_room(&self, limit: usize) -> bool {
        self.outbox.has_room(limit)
    }

    /// The bytes of a CONNECT whose password is being checked; empty if there is none.
    pub fn asked(&self) -> &[u8] {
        let entrance = self.entrance.as_deref();
        entrance
            .and_then(|entrance| entrance.asked.as_deref())
            .unwrap_or_default()
    }

    /// What a client that was refused called itself.
    pub fn refused_id(&self) -> Option<&Arc<str>> {
        self.entrance.as_deref()?.refused_id.as_ref()
    }
}
