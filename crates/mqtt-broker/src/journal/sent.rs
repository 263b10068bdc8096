//! Messages that are on their way to clients and not stored: found by a number instead of by a hash.

use crate::message::Delivery;
use mqtt_proto::PacketId;
use std::collections::VecDeque;

/// A message of QoS 1 on its way to a client.
#[derive(Debug)]
pub(super) struct SentMessage {
    pub(super) session: u64,
    pub(super) id: PacketId,
    pub(super) delivery: Delivery,
    /// Promises made at this change or later wait for it.
    pub(super) since: u64,
}

/// Messages that were sent, by their tickets.
#[derive(Debug)]
pub(super) struct Sent {
    /// The ticket of the first of `messages`; the others follow.
    base: u64,
    messages: VecDeque<Option<SentMessage>>,
    pub(super) count: usize,
}

impl Default for Sent {
    fn default() -> Sent {
        Sent {
            base: 1,
            messages: VecDeque::new(),
            count: 0,
        }
    }
}

impl Sent {
    pub(super) fn push(&mut self, message: SentMessage) -> u64 {
        self.messages.push_back(Some(message));
        self.count += 1;
        self.base + self.messages.len() as u64 - 1
    }

    /// Takes back what has this ticket, if it is still there.
    pub(super) fn take(&mut self, ticket: u64) -> Option<SentMessage> {
        let index = usize::try_from(ticket.checked_sub(self.base)?).ok()?;
        let taken = self.messages.get_mut(index)?.take()?;
        self.count -= 1;
        while let Some(None) = self.messages.front() {
            self.messages.pop_front();
            self.base += 1;
        }
        Some(taken)
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = SentMessage> + use<> {
        self.base += self.messages.len() as u64;
        self.count = 0;
        std::mem::take(&mut self.messages).into_iter().flatten()
    }

    /// Where nothing is left, no memory is held for it.
    pub(super) fn rest(&mut self) {
        if self.messages.capacity() > 4096 {
            self.messages = VecDeque::new();
        }
    }
}
