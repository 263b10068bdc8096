//! What the broker remembers of a client, connected or not.

use crate::auth::Rights;
use crate::connection_state::ConnectionKey;
use crate::message::{Delivery, Message};
use crate::seldom::Seldom;
use crate::time::Time;
use crate::topics::Place;
use mqtt_proto::flow::{Incoming, Outgoing};
use mqtt_proto::{Filter, PacketId, QoS, Topic, VarInt};
use std::collections::VecDeque;
use std::sync::Arc;

/// Names a session in the engine; may name another one after the session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(pub u32);

/// A session expiry interval of this length never ends (MQTT 5, 3.1.2.11.2).
pub const NEVER: u32 = u32::MAX;

/// What is published when a client is lost (MQTT 5, 3.1.2.5).
#[derive(Debug)]
pub struct Will {
    /// The message; its expiry begins when it is published.
    pub message: Arc<Message>,
    /// Its message expiry interval in seconds.
    pub expiry: Option<u32>,
    /// How many seconds it waits for the client to come back.
    pub delay: u32,
}

/// Retained messages that a new subscription has not been sent yet.
///
/// Not a copy of them but a place in the tree: a subscription to a million topics costs no more
/// than one to ten, and what is sent is what is retained at that moment.
#[derive(Debug)]
pub struct RetainedScan {
    /// The subscription's filter.
    pub filter: Box<Filter>,
    /// Its QoS.
    pub qos: QoS,
    /// Its identifier.
    pub identifier: Option<VarInt>,
    /// The last topic that was sent.
    pub after: Option<Box<Topic>>,
    /// Newer ones have been delivered as messages.
    pub until: u64,
}

/// A QoS 2 message that waits for its PUBREL, and how often it was repeated.
#[derive(Debug)]
pub struct Unreleased {
    /// What came.
    pub message: Arc<Message>,
    /// How often its PUBLISH came again.
    pub repeats: u8,
    /// Where what is known of its topic lay when it came (see [`Routes`](crate::routes::Routes)).
    pub slot: u16,
}

/// The part of a queue that only the store has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// How many messages.
    pub count: usize,
    /// Their bytes.
    pub bytes: usize,
    /// The place behind which they lie.
    pub after: u64,
    /// Whether the next of them have been asked for.
    pub is_loading: bool,
}

impl Behind {
    /// One more message, at the end.
    pub fn add(&mut self, place: u64, size: usize) {
        if self.count == 0 {
            // All before it is in memory, or was.
            self.after = place - 1;
        }
        self.count += 1;
        self.bytes += size;
    }

    /// One message less.
    pub fn remove(&mut self, size: usize) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(size);
    }
}

/// A client's session (MQTT 5, 4.1).
#[derive(Debug)]
pub struct Session {
    /// The client identifier.
    pub client_id: Arc<str>,
    /// The user name of its last CONNECT.
    pub username: Option<Arc<str>>,
    /// The listener that it last came to.
    pub listener: u16,
    /// What the client may read and write; `None`: everything.
    pub rights: Option<Box<Rights>>,
    /// The topic that it was last denied to publish to, so that a client that insists does not
    /// fill the log.
    pub denied: Option<Box<Topic>>,
    /// Tells this session from any other, also from one under the same key.
    pub serial: u64,
    /// Where the client is connected now.
    pub connection: Option<ConnectionKey>,
    /// How many seconds it outlives its connection; [`NEVER`] for ever.
    pub expiry: u32,
    /// Counts connections and losses, so that a timer can tell whether it is still meant.
    pub epoch: u32,
    /// QoS 1 and 2 to the client.
    pub outgoing: Outgoing<Delivery>,
    /// Packet identifiers of `outgoing` that this connection has not been sent again yet.
    pub resend: Seldom<PacketId>,
    /// QoS 2 from the client.
    pub incoming: Incoming<Unreleased>,
    /// What waits to be sent, in order.
    pub queue: VecDeque<Delivery>,
    /// Topics, properties and payloads of the queue, in bytes.
    pub queued_bytes: usize,
    /// How many of the queue are of QoS 0: while there are, others of QoS 0 wait behind them.
    pub queued_qos0: usize,
    /// Retained messages still to be sent.
    pub scans: Seldom<RetainedScan>,
    /// Its subscriptions, sorted.
    pub places: Vec<Place>,
    /// The will of the present connection, or of the lost one while it waits.
    pub will: Option<Box<Will>>,
    /// Whether it has been logged that messages are dropped.
    pub is_dropping: bool,
    /// Whether it is stored, and survives the broker.
    pub is_durable: bool,
    /// What of the queue is not in memory but in the store, behind all that is.
    pub behind: Behind,
    /// When its client was lost, as far as that is stored.
    pub gone_at: Option<Time>,
    /// The place in the stored queue that was given last.
    pub last_place: u64,
}

impl Session {
    /// A new session.
    pub fn new(client_id: Arc<str>, serial: u64) -> Session {
        Session {
            client_id,
            username: None,
            listener: 0,
            rights: None,
            denied: None,
            serial,
            connection: None,
            expiry: 0,
            epoch: 0,
            outgoing: Outgoing::default(),
            resend: Seldom::default(),
            incoming: Incoming::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            queued_qos0: 0,
            scans: Seldom::default(),
            places: Vec::new(),
            will: None,
            is_dropping: false,
            is_durable: false,
            behind: Behind::default(),
            gone_at: None,
            last_place: 0,
        }
    }

    /// Whether anything waits in the queue, in memory or behind.
    pub fn has_queue(&self) -> bool {
        !self.queue.is_empty() || self.behind.count > 0
    }

    /// How many messages are in the queue.
    pub fn queue_len(&self) -> usize {
        self.queue.len() + self.behind.count
    }

    /// Puts a delivery at the end of the queue.
    #[inline]
    pub fn push(&mut self, delivery: Delivery) {
        self.queued_bytes += delivery.message.size();
        self.queued_qos0 += usize::from(delivery.qos == QoS::AtMostOnce);
        self.queue.push_back(delivery);
    }

    /// Takes the first of the queue.
    #[inline]
    pub fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.queue.pop_front()?;
        self.queued_bytes -= delivery.message.size();
        self.queued_qos0 -= usize::from(delivery.qos == QoS::AtMostOnce);
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        Some(delivery)
    }

    /// An acknowledgement has come before its message was sent again: now it need not be.
    #[inline]
    pub fn forget_resend(&mut self, id: PacketId) {
        let Some(&first) = self.resend.front() else {
            return;
        };
        // They wait in the order in which they were given, which goes round at 65535.
        let place = |id: PacketId| id.get().wrapping_sub(first.get());
        let found = self
            .resend
            .binary_search_by_key(&place(id), |&waiting| place(waiting));
        if let Ok(at) = found {
            self.resend.remove(at);
        }
    }

    /// Remembers a subscription.
    pub fn add_place(&mut self, place: Place) {
        if let Err(at) = self.places.binary_search(&place) {
            if self.places.is_empty() {
                self.places.reserve_exact(1);
            }
            self.places.insert(at, place);
        }
    }

    /// Forgets a subscription.
    pub fn remove_place(&mut self, place: &Place) {
        if let Ok(at) = self.places.binary_search(place) {
            self.places.remove(at);
        }
    }

    /// Removes expired messages from the queue (MQTT 5, 3.3.2.3.3).
    ///
    /// One of QoS 1 or 2 has its packet identifier set aside when it is queued, as Mosquitto
    /// does: the next message gets the one after it. Returns what was dropped.
    pub fn drop_expired(&mut self, now: Time) -> Vec<Delivery> {
        let mut dropped = Vec::new();
        if !self
            .queue
            .iter()
            .any(|delivery| delivery.message.is_expired(now))
        {
            return dropped;
        }
        let queue = std::mem::take(&mut self.queue);
        (self.queued_bytes, self.queued_qos0) = (0, 0);
        for delivery in queue {
            if !delivery.message.is_expired(now) {
                self.push(delivery);
                continue;
            }
            if delivery.qos > QoS::AtMostOnce {
                self.outgoing.skip();
            }
            dropped.push(delivery);
        }
        dropped
    }
}
