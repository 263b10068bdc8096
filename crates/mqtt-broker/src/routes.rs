//! Where topics lead that were published to before: looked up, instead of walking the tree again.
//!
//! A table of fixed size in which a topic has one place. It is filled when a topic comes for the
//! second time in a row there, so that topics which never come again cost next to nothing. What it
//! knows holds until a node of the tree gets its first subscription or loses its last.

use crate::trie::NodeId;
use mqtt_proto::Topic;
use std::hash::BuildHasher;
use std::sync::Arc;

/// How many topics can be known; a power of two.
const SLOTS: usize = 4096;

/// Longer topics are not remembered: this times [`SLOTS`] is what the table can hold of names.
const LONGEST: usize = 256;

/// The table.
#[derive(Debug, Default)]
pub struct Routes {
    hasher: foldhash::fast::RandomState,
    /// Empty until the first topic comes.
    slots: Vec<Slot>,
    /// Counts the changes that make what is known wrong.
    version: u64,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    /// Of the topic that came last.
    hash: u64,
    known: Option<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    topic: Arc<Topic>,
    /// Its nodes with subscriptions, in the order of the walk, as of `version`.
    nodes: Vec<NodeId>,
    version: u64,
}

/// What the table says of a topic.
#[derive(Clone, Copy, Debug)]
pub enum Route {
    /// It is known in this slot.
    Known(usize),
    /// It has come before, so it is worth remembering in this slot.
    Again(usize),
    /// It is new.
    New,
}

impl Route {
    /// The slot of a topic that has one, for [`Routes::find_near`].
    pub fn slot(self) -> u16 {
        match self {
            // There are fewer than 65,536.
            Route::Known(slot) | Route::Again(slot) => slot as u16,
            Route::New => 0,
        }
    }
}

impl Routes {
    /// What was known of topics no longer holds.
    pub fn forget(&mut self) {
        self.version += 1;
    }

    /// Looks a topic up.
    pub fn find(&mut self, topic: &Topic) -> Route {
        if topic.len() > LONGEST {
            return Route::New;
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Slot::default);
        }
        let hash = self.hasher.hash_one(topic.as_bytes());
        let at = hash as usize % SLOTS;
        let slot = &mut self.slots[at];
        if std::mem::replace(&mut slot.hash, hash) != hash {
            return Route::New;
        }
        match &slot.known {
            Some(known) if known.version == self.version && *known.topic == *topic => {
                Route::Known(at)
            }
            _ => Route::Again(at),
        }
    }

    /// Looks a topic up that may be the one in this slot.
    #[inline]
    pub fn find_near(&mut self, slot: u16, topic: &Topic) -> Route {
        let at = usize::from(slot);
        match self.slots.get(at).and_then(|slot| slot.known.as_ref()) {
            Some(known) if known.version == self.version && *known.topic == *topic => {
                Route::Known(at)
            }
            _ => self.find(topic),
        }
    }

    /// Remembers where a topic leads: `walk` puts its nodes into the list.
    pub fn learn(&mut self, slot: usize, topic: &Topic, walk: impl FnOnce(&mut Vec<NodeId>)) {
        let version = self.version;
        let known = match &mut self.slots[slot].known {
            Some(known) => {
                if *known.topic != *topic {
                    known.topic = topic.into();
                }
                known.nodes.clear();
                known.version = version;
                known
            }
            empty => empty.insert(Known {
                topic: topic.into(),
                nodes: Vec::new(),
                version,
            }),
        };
        walk(&mut known.nodes);
    }

    /// The nodes that a known topic leads to.
    pub fn nodes(&self, slot: usize) -> &[NodeId] {
        match &self.slots[slot].known {
            Some(known) => &known.nodes,
            None => &[],
        }
    }

    /// The name of a known topic, to be shared.
    pub fn topic(&self, slot: usize) -> Option<&Arc<Topic>> {
        let known = self.slots[slot].known.as_ref();
        known.map(|known| &known.topic)
    }
}
