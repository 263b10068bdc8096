//! What QoS 1 and 2 must remember, one half for each end of a message (MQTT 5, 4.3 and 4.4).
//!
//! [`Outgoing`] belongs to the sender of a PUBLISH, [`Incoming`] to its receiver. A client and a
//! broker both have one of each, and neither half knows which of the two it serves.

mod by_id;

use crate::{PacketId, QoS};
use by_id::ById;
use std::collections::VecDeque;

/// Where an outgoing message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// PUBLISH of QoS 1 is sent: PUBACK is awaited.
    AwaitPubAck,
    /// PUBLISH of QoS 2 is sent: PUBREC is awaited.
    AwaitPubRec,
    /// PUBREL is sent: PUBCOMP is awaited, and the message itself is no longer needed.
    AwaitPubComp,
}

/// A message between its PUBLISH and its last acknowledgement.
#[derive(Clone, Debug)]
pub struct InFlight<M> {
    /// Its packet identifier, kept across reconnects.
    pub id: PacketId,
    /// Where it stands.
    pub state: State,
    /// What was sent; `None` once PUBREC has come.
    pub message: Option<M>,
}

/// What an acknowledgement was not good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowError {
    /// No message with this packet identifier is in flight.
    UnknownId,
    /// The message in flight waits for another kind of acknowledgement.
    WrongKind,
}

/// The sender's half: messages of QoS 1 and 2 in flight, in the order in which they were sent.
///
/// ```text
/// send ─► AwaitPubAck ─ handle_puback ─► gone
///      └► AwaitPubRec ─ handle_pubrec ─► AwaitPubComp ─ handle_pubcomp ─► gone
/// ```
/// The caller sends what the transitions ask for; [`Outgoing::iter`] is what must be sent again,
/// in this order, when the session is resumed [MQTT-4.4.0-1], [MQTT-4.6.0-1].
#[derive(Clone, Debug)]
pub struct Outgoing<M> {
    // Sent in ascending ids, so that an id's place is its distance from the front; `None` is a
    // message that ended before the ones in front of it.
    slots: VecDeque<Option<InFlight<M>>>,
    first: PacketId,
    next: PacketId,
    live: u16,
}

const FIRST_ID: PacketId = match PacketId::new(1) {
    Some(id) => id,
    None => unreachable!(),
};

impl<M> Default for Outgoing<M> {
    fn default() -> Self {
        Outgoing {
            slots: VecDeque::new(),
            first: FIRST_ID,
            next: FIRST_ID,
            live: 0,
        }
    }
}

impl<M> Outgoing<M> {
    /// What was in flight when it was written down, in any order, and the identifier that the
    /// next message gets.
    ///
    /// No two entries have the same identifier. As identifiers are given in turn, the one that
    /// is farthest behind `next` is the oldest.
    pub fn restore(mut entries: Vec<InFlight<M>>, next: PacketId) -> Outgoing<M> {
        let behind = |id: PacketId| {
            let (id, next) = (u32::from(id.get()), u32::from(next.get()));
            let round = u32::from(u16::MAX);
            (next + round - id - 1) % round
        };
        entries.sort_by_key(|entry| std::cmp::Reverse(behind(entry.id)));
        let mut restored = Outgoing {
            next,
            ..Outgoing::default()
        };
        for entry in entries {
            if restored.slots.is_empty() {
                restored.first = entry.id;
            }
            while restored.slots.len() < restored.distance(entry.id) {
                restored.slots.push_back(None);
            }
            restored.slots.push_back(Some(entry));
            restored.live += 1;
        }
        restored.reach(next);
        restored
    }

    /// Fills the slots up to an identifier that was given and whose message has ended.
    fn reach(&mut self, next: PacketId) {
        while !self.slots.is_empty() && self.slots.len() < self.distance(next) {
            self.slots.push_back(None);
        }
    }

    /// The identifier that the next message gets.
    pub fn next_id(&self) -> PacketId {
        self.next
    }

    /// How many messages are in flight.
    pub fn len(&self) -> u16 {
        self.live
    }

    /// Whether nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Whether another message may be sent to a peer with this receive maximum [MQTT-3.3.4-9].
    pub fn has_room(&self, receive_maximum: u16) -> bool {
        self.room(receive_maximum) > 0
    }

    /// How many more messages may be sent to a peer with this receive maximum [MQTT-3.3.4-9].
    ///
    /// A slot counts from its PUBLISH until it *and all before it* have ended: identifiers are
    /// given in order, and this keeps them from running into each other.
    pub fn room(&self, receive_maximum: u16) -> usize {
        let unused = usize::from(u16::MAX).saturating_sub(self.slots.len());
        usize::from(receive_maximum.saturating_sub(self.live)).min(unused)
    }

    /// Takes a message in flight and gives it the next packet identifier [MQTT-2.2.1-4].
    ///
    /// `qos` is 1 or 2. The caller has asked [`Outgoing::has_room`].
    pub fn send(&mut self, qos: QoS, message: M) -> PacketId {
        let id = self.next;
        if self.slots.is_empty() {
            self.first = id;
        }
        let state = if qos == QoS::ExactlyOnce {
            State::AwaitPubRec
        } else {
            State::AwaitPubAck
        };
        self.slots.push_back(Some(InFlight {
            id,
            state,
            message: Some(message),
        }));
        self.next = id.next();
        self.live += 1;
        id
    }

    /// Uses up the next packet identifier, for a message that will never be sent.
    pub fn skip(&mut self) {
        if !self.slots.is_empty() {
            self.slots.push_back(None);
        }
        self.next = self.next.next();
    }

    /// How far a slot is from the front; identifiers go round at 65535 and leave zero out.
    #[inline]
    fn distance(&self, id: PacketId) -> usize {
        let (id, first) = (usize::from(id.get()), usize::from(self.first.get()));
        if id >= first {
            id - first
        } else {
            id + usize::from(u16::MAX) - first
        }
    }

    #[inline]
    fn slot(&mut self, id: PacketId) -> Option<&mut Option<InFlight<M>>> {
        let at = self.distance(id);
        self.slots.get_mut(at)
    }

    /// The message in flight under this identifier.
    pub fn get(&self, id: PacketId) -> Option<&InFlight<M>> {
        self.slots.get(self.distance(id))?.as_ref()
    }

    #[inline]
    fn expect(&mut self, id: PacketId, state: State) -> Result<&mut InFlight<M>, FlowError> {
        match self.slot(id) {
            Some(Some(entry)) if entry.state == state => Ok(entry),
            Some(Some(_)) => Err(FlowError::WrongKind),
            _ => Err(FlowError::UnknownId),
        }
    }

    /// Ends a message that is in this state.
    #[inline]
    fn end_in(&mut self, id: PacketId, state: State) -> Result<Option<M>, FlowError> {
        if id != self.first {
            self.expect(id, state)?;
            return Ok(self.end(id));
        }
        // Nearly always it is the oldest; the first slot is never empty.
        match self.slots.front() {
            Some(Some(entry)) if entry.state == state => Ok(self.end_first()),
            Some(_) => Err(FlowError::WrongKind),
            None => Err(FlowError::UnknownId),
        }
    }

    fn end(&mut self, id: PacketId) -> Option<M> {
        let at = self.distance(id);
        if at == 0 {
            return self.end_first();
        }
        let ended = self.slots.get_mut(at)?.take()?;
        self.live -= 1;
        ended.message
    }

    #[inline]
    fn end_first(&mut self) -> Option<M> {
        let ended = self.slots.pop_front()??;
        self.live -= 1;
        self.first = self.first.next();
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first = self.first.next();
        }
        ended.message
    }

    /// PUBACK has come: the message is delivered, and returned.
    ///
    /// # Errors
    /// No message of QoS 1 waits under this identifier; nothing has changed.
    #[inline]
    pub fn handle_puback(&mut self, id: PacketId) -> Result<Option<M>, FlowError> {
        self.end_in(id, State::AwaitPubAck)
    }

    /// PUBREC has come: with success PUBREL is due, and the message is returned the first time.
    ///
    /// A second PUBREC asks for PUBREL again and changes nothing.
    ///
    /// # Errors
    /// No message of QoS 2 waits under this identifier; nothing has changed.
    pub fn handle_pubrec(&mut self, id: PacketId) -> Result<Option<M>, FlowError> {
        if let Ok(entry) = self.expect(id, State::AwaitPubRec) {
            entry.state = State::AwaitPubComp;
            return Ok(entry.message.take()); // [MQTT-4.3.3-6]
        }
        self.expect(id, State::AwaitPubComp).map(|_| None)
    }

    /// PUBREC has come with a refusal: the message ends here [MQTT-4.3.3-4].
    ///
    /// # Errors
    /// No message of QoS 2 waits for PUBREC under this identifier; nothing has changed.
    pub fn handle_refused_pubrec(&mut self, id: PacketId) -> Result<Option<M>, FlowError> {
        self.end_in(id, State::AwaitPubRec)
    }

    /// PUBCOMP has come: the message is delivered exactly once.
    ///
    /// # Errors
    /// No PUBREL was sent for this identifier; nothing has changed.
    pub fn handle_pubcomp(&mut self, id: PacketId) -> Result<(), FlowError> {
        self.end_in(id, State::AwaitPubComp).map(|_| ())
    }

    /// What is in flight, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &InFlight<M>> {
        self.slots.iter().flatten()
    }

    /// Takes a message out of flight that was never sent on the wire; gives it back.
    pub fn remove(&mut self, id: PacketId) -> Option<M> {
        self.end(id)
    }

    /// Ends everything and returns the messages that nobody has confirmed, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = M> + use<'_, M> {
        self.live = 0;
        self.slots
            .drain(..)
            .flatten()
            .filter_map(|entry| entry.message)
    }
}

/// The receiver's half: messages of QoS 2 that came and were not yet released by PUBREL.
///
/// The message waits with its identifier and is passed on when PUBREL comes: then nothing that
/// the sender may repeat can make it two.
#[derive(Clone, Debug)]
pub struct Incoming<M> {
    /// Absent while nothing waits: most sessions never have a message of QoS 2.
    awaiting_pubrel: Option<Box<ById<M>>>,
}

impl<M> Default for Incoming<M> {
    fn default() -> Self {
        Incoming {
            awaiting_pubrel: None,
        }
    }
}

/// A table of so many places is kept when it has become empty, for the next message: that of a client with
/// 100 messages in flight, which would otherwise grow anew with every batch.
const KEPT: usize = 256;

impl<M> Incoming<M> {
    /// PUBLISH of QoS 2 has come: `true` if it is new and was taken [MQTT-4.3.3-10].
    #[inline]
    pub fn handle_publish(&mut self, id: PacketId, message: M) -> bool {
        let waiting = self.awaiting_pubrel.get_or_insert_default();
        waiting.insert(id, message).is_ok()
    }

    /// PUBREL has come: the message is now to be passed on. PUBCOMP is due either way.
    #[inline]
    pub fn handle_pubrel(&mut self, id: PacketId) -> Option<M> {
        let waiting = self.awaiting_pubrel.as_mut()?;
        let released = waiting.remove(id);
        if waiting.len() == 0 && waiting.places() > KEPT {
            self.awaiting_pubrel = None;
        }
        released
    }

    /// The message that waits under this identifier.
    #[inline]
    pub fn get_mut(&mut self, id: PacketId) -> Option<&mut M> {
        self.awaiting_pubrel.as_mut()?.get_mut(id)
    }

    /// Forgets one message, for an identifier that is used again for another.
    pub fn remove(&mut self, id: PacketId) -> Option<M> {
        self.awaiting_pubrel.as_mut()?.remove(id)
    }

    /// How many messages wait for their PUBREL.
    pub fn len(&self) -> usize {
        let waiting = self.awaiting_pubrel.as_ref();
        waiting.map_or(0, |waiting| waiting.len())
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What waits, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (PacketId, &M)> {
        let waiting = self.awaiting_pubrel.iter();
        waiting.flat_map(|waiting| waiting.iter())
    }

    /// What waits, to change, in no order.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut M> {
        let waiting = self.awaiting_pubrel.iter_mut();
        waiting.flat_map(|waiting| waiting.values_mut())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.awaiting_pubrel = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: u16) -> PacketId {
        PacketId::new(value).unwrap()
    }

    #[test]
    fn acknowledgements_may_come_in_any_order() {
        let mut out = Outgoing::default();
        for n in 1..=4 {
            assert_eq!(out.send(QoS::AtLeastOnce, n), id(n));
        }
        assert!(!out.has_room(4));
        assert_eq!(out.handle_puback(id(3)), Ok(Some(3)));
        assert_eq!(out.handle_puback(id(3)), Err(FlowError::UnknownId));
        assert_eq!(out.handle_puback(id(1)), Ok(Some(1)));
        assert_eq!(out.iter().map(|e| e.id.get()).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(out.send(QoS::AtLeastOnce, 5), id(5));
        assert_eq!(out.handle_puback(id(2)), Ok(Some(2)));
        assert_eq!(out.handle_puback(id(5)), Ok(Some(5)));
        assert_eq!(out.handle_puback(id(4)), Ok(Some(4)));
        assert!(out.is_empty());
        assert_eq!(out.handle_puback(id(4)), Err(FlowError::UnknownId));
    }

    #[test]
    fn exactly_once_takes_three_steps_and_a_repeated_pubrec_changes_nothing() {
        let mut out = Outgoing::default();
        let a = out.send(QoS::ExactlyOnce, "a");
        assert_eq!(out.handle_puback(a), Err(FlowError::WrongKind));
        assert_eq!(out.handle_pubcomp(a), Err(FlowError::WrongKind));
        assert_eq!(out.handle_pubrec(a), Ok(Some("a")));
        assert_eq!(out.handle_pubrec(a), Ok(None));
        assert_eq!(out.handle_refused_pubrec(a), Err(FlowError::WrongKind));
        assert_eq!(out.iter().next().unwrap().state, State::AwaitPubComp);
        assert_eq!(out.handle_pubcomp(a), Ok(()));
        assert_eq!(out.handle_pubcomp(a), Err(FlowError::UnknownId));
    }

    #[test]
    fn identifiers_go_round_and_never_meet() {
        let mut out = Outgoing::default();
        let oldest = out.send(QoS::AtLeastOnce, 0);
        for n in 1..u32::from(u16::MAX) {
            let id = out.send(QoS::AtLeastOnce, n);
            assert_eq!(out.handle_puback(id), Ok(Some(n)));
        }
        // The slot of the oldest is the only one in use, yet its identifier is the next in turn.
        assert!(!out.has_room(u16::MAX));
        assert_eq!(out.handle_puback(oldest), Ok(Some(0)));
        assert!(out.has_room(1));
        assert_eq!(out.send(QoS::AtLeastOnce, 9), id(1));
        assert_eq!(out.get(id(1)).and_then(|entry| entry.message), Some(9));
        assert!(out.get(id(u16::MAX)).is_none() && out.get(id(2)).is_none());
    }

    #[test]
    fn what_was_in_flight_is_restored_in_its_order_also_over_the_end_of_the_identifiers() {
        let entry = |value| InFlight {
            id: id(value),
            state: State::AwaitPubAck,
            message: Some(value),
        };
        let entries = [2, 65534, 65530, 1].map(entry).to_vec();
        let mut out = Outgoing::restore(entries, id(4));
        let ids = |out: &Outgoing<u16>| out.iter().map(|e| e.id.get()).collect::<Vec<_>>();
        assert_eq!(ids(&out), [65530, 65534, 1, 2]);
        assert_eq!(out.len(), 4);
        assert_eq!(out.handle_puback(id(65530)), Ok(Some(65530)));
        assert_eq!(out.send(QoS::AtLeastOnce, 4), id(4));
        assert_eq!(out.handle_puback(id(3)), Err(FlowError::UnknownId));
        for value in [1, 65534, 2, 4] {
            assert_eq!(out.handle_puback(id(value)), Ok(Some(value)));
        }
        assert!(out.is_empty());
        let empty: Outgoing<u16> = Outgoing::restore(Vec::new(), id(9));
        assert_eq!((empty.len(), empty.next_id()), (0, id(9)));
    }

    #[test]
    fn a_receiver_passes_on_each_message_once_when_it_is_released() {
        let mut incoming = Incoming::default();
        assert!(incoming.handle_publish(id(7), "first"));
        assert!(!incoming.handle_publish(id(7), "again"));
        assert_eq!(incoming.handle_pubrel(id(7)), Some("first"));
        assert_eq!(incoming.handle_pubrel(id(7)), None);
        assert!(incoming.handle_publish(id(7), "another"));
    }
}
