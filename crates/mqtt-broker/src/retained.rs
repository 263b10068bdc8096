//! Retained messages: one a topic, found by filter, handed out in portions.

use crate::message::Message;
use crate::time::Time;
use crate::trie::{Trie, Value};
use mqtt_proto::{Filter, Topic};
use std::sync::Arc;

/// What a topic has retained.
#[derive(Debug, Default)]
struct Slot(Option<Retained>);

impl Value for Slot {
    fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

/// Who published a retained message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The client identifier.
    pub client_id: Arc<str>,
    /// The user name.
    pub username: Option<Arc<str>>,
    /// The number of the listener, whose access control list it is that counts.
    pub listener: u16,
}

/// A retained message.
#[derive(Clone, Debug)]
pub struct Retained {
    /// The message.
    pub message: Arc<Message>,
    /// Counts up with every message retained, so that "older than this subscription" can be told.
    pub serial: u64,
    /// Where it came from, if that was remembered.
    pub source: Option<Arc<Source>>,
}

/// All retained messages.
#[derive(Debug, Default)]
pub struct RetainedMessages {
    tree: Trie<Slot>,
    count: usize,
    bytes: usize,
    serial: u64,
}

impl RetainedMessages {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Topics, properties and payloads in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The serial number of the newest.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Sets or replaces the message of its topic; returns the old one.
    pub fn set(
        &mut self,
        message: Arc<Message>,
        source: Option<Arc<Source>>,
    ) -> Option<Arc<Message>> {
        let serial = self.serial + 1;
        self.put(message, source, serial)
    }

    /// Sets a message under the serial number that it has had before.
    pub fn put(
        &mut self,
        message: Arc<Message>,
        source: Option<Arc<Source>>,
        serial: u64,
    ) -> Option<Arc<Message>> {
        let id = self.tree.entry(&message.topic);
        self.serial = self.serial.max(serial);
        self.bytes += message.size();
        self.count += 1;
        let old = self.tree.value_mut(id).0.replace(Retained {
            message,
            serial,
            source,
        })?;
        self.count -= 1;
        self.bytes -= old.message.size();
        Some(old.message)
    }

    /// Takes the message of a topic away, and returns it.
    pub fn clear(&mut self, topic: &Topic) -> Option<Arc<Message>> {
        let id = self.tree.find(topic)?;
        let old = self.tree.value_mut(id).0.take();
        self.tree.prune(id);
        let old = old?.message;
        self.count -= 1;
        self.bytes -= old.size();
        Some(old)
    }

    /// Hands the messages that match to `found`, from behind the topic `after`, until it says
    /// `false`; returns whether that was the end of them.
    pub fn for_each(
        &self,
        filter: &Filter,
        after: Option<&Topic>,
        found: &mut impl FnMut(&Retained) -> bool,
    ) -> bool {
        if !filter.has_wildcard() {
            let exact = after.is_none().then(|| self.tree.find(filter)).flatten();
            return match exact.and_then(|id| self.tree.value(id).0.as_ref()) {
                Some(retained) => {
                    found(retained);
                    true
                }
                None => true,
            };
        }
        self.tree
            .for_each_topic(filter, after.map(Topic::as_str), &mut |_, slot| {
                slot.0.as_ref().is_none_or(&mut *found)
            })
    }

    /// Removes what has expired, and returns it.
    pub fn expire(&mut self, now: Time) -> Vec<Arc<Message>> {
        let mut gone: Vec<Arc<Message>> = Vec::new();
        let all = self.tree.values().filter_map(|slot| slot.0.as_ref());
        gone.extend(
            all.filter(|retained| retained.message.is_expired(now))
                .map(|retained| retained.message.clone()),
        );
        for message in &gone {
            self.clear(&message.topic);
        }
        gone
    }
}
