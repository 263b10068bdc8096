//! Where durable state survives the broker: one seam, behind it a tree in a file.
//!
//! A [`Store`] takes the engine's batches whole or not at all, and gives back at the start what
//! they have left. [`tree`] is the real one, on the crate `redb`, over a [`Disk`] that a test can
//! simulate; [`form`] is what its bytes mean, and [`migrate`] what becomes of those of an older form;
//! `writer` runs a store in a thread of its own.

pub mod disk;
pub mod form;
pub mod import;
pub mod migrate;
mod references;
pub mod salvage;
mod sweep;
pub mod tree;
mod walk;
pub mod writer;

use crate::journal::{Batch, RetainedRecord, SessionRecord, SubscriptionRecord};
use crate::message::{Delivery, Message};
use mqtt_proto::flow::State;
use mqtt_proto::{Filter, PacketId};
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// Why a store cannot do what it should.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The system's word for it.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Another program has it open.
    #[error("another broker has it open")]
    InUse,
    /// What is there cannot be read as a store.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It was written by a newer broker.
    #[error(
        "it is of form {found}, and this broker knows forms up to {known}. Start the newer broker that wrote it"
    )]
    TooNew {
        /// The version that it has.
        found: u32,
        /// The newest version that is known here.
        known: u32,
    },
    /// It belongs to Mosquitto.
    #[error("it is a database of Mosquitto. Bring it over with: mqtt-broker -c FILE --import {0}")]
    Mosquitto(String),
}

/// What was stored, one thing at a time: sessions first, then what belongs to them.
#[derive(Debug)]
pub enum Restored {
    /// A session, under its serial number.
    Session(u64, SessionRecord),
    /// A subscription of a session.
    Subscription(u64, Box<Filter>, SubscriptionRecord),
    /// A message in the queue of a session; its delivery has its place there.
    Queued(u64, Delivery),
    /// A message further back in the queue of a session, left in the store: its place and size.
    Behind(u64, u64, u32),
    /// A message on its way to the client of a session.
    InFlight(u64, PacketId, State, Option<Delivery>),
    /// A message of QoS 2 that was not released.
    Incoming(u64, PacketId, Arc<Message>),
    /// A retained message.
    Retained(Arc<Message>, RetainedRecord),
}

/// What was found at the start, besides what was [`Restored`].
#[derive(Debug, Default)]
pub struct Found {
    /// Messages that are stored.
    pub messages: usize,
    /// The number of the next message to be stored.
    pub next_message: u64,
    /// Messages that more than one stored thing refers to, and how many do.
    pub references: Vec<(u64, u32)>,
    /// Stored things that could not be read, and were left out.
    pub damaged: usize,
}

/// What was left in the queues of sessions that have ended.
#[derive(Debug, Default)]
pub struct Left {
    /// Messages that were in a queue which is gone, one for each reference.
    pub orphans: Vec<u64>,
    /// Serial numbers of sessions whose queue is still there, as far as it came through shared
    /// subscriptions: others of the groups can take it over.
    pub legacies: Vec<u64>,
}

/// How much of a queue is taken into memory at a time. It ends with the message that reaches either.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Messages.
    pub count: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Measure {
    /// All of it.
    pub const ALL: Measure = Measure::of(usize::MAX, usize::MAX);

    /// So many messages, if they have no more bytes than these.
    pub const fn of(count: usize, bytes: usize) -> Measure {
        Measure { count, bytes }
    }

    /// Takes a message of this size; `false` if it was full before.
    fn take(&mut self, size: usize) -> bool {
        let has_room = self.count > 0 && self.bytes > 0;
        if has_room {
            self.count -= 1;
            self.bytes = self.bytes.saturating_sub(size);
        }
        has_room
    }
}

/// A part of the queue of a session.
#[derive(Debug)]
pub struct Portion {
    /// The session's serial number.
    pub session: u64,
    /// Its messages in order.
    pub deliveries: Vec<Delivery>,
}

/// Durable state.
pub trait Store: Send {
    /// Hands out all that is stored, and of each queue its `head`.
    ///
    /// # Errors
    /// It cannot be read at all.
    fn restore(
        &mut self,
        head: Measure,
        take: &mut dyn FnMut(Restored),
    ) -> Result<Found, StoreError>;

    /// Stores a batch, whole or not at all. Returns what was left in the queues of sessions that have
    /// ended with it.
    ///
    /// # Errors
    /// It could not be stored; the same batch may be handed in again.
    fn commit(&mut self, batch: &Batch) -> Result<Left, StoreError>;

    /// Makes sure that what was committed outlives a loss of power.
    ///
    /// # Errors
    /// The disk has refused.
    fn sync(&mut self) -> Result<(), StoreError>;

    /// Reads messages of a queue that lie behind a place.
    ///
    /// # Errors
    /// It cannot be read.
    fn load(&mut self, session: u64, behind: u64, part: Measure) -> Result<Portion, StoreError>;
}
