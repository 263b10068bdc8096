//! A publisher's messages in flight: a table with a place for each packet identifier.
//!
//! [`Outgoing`](mqtt_proto::flow::Outgoing) does the same for clients that must send messages again, in
//! their order. This one only knows when each was sent and what it waits for, in fewer steps.

use mqtt_proto::{PacketId, QoS};

/// How many places there are at first.
const FEW: usize = 32;

/// What a message waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    Ack,
    Rec,
    Comp,
}

/// A message in flight.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// When it was sent.
    sent: u64,
    id: PacketId,
    awaits: Awaits,
}

/// The broker confirms what is not in flight, or what waits for another packet.
#[derive(Debug, PartialEq, Eq)]
pub struct Unexpected;

/// The messages that are not confirmed.
#[derive(Debug)]
pub struct Flight {
    /// A message lies where the lower bits of its identifier say. There are a power of two of places, and
    /// more as soon as two messages want the same.
    places: Vec<Option<Place>>,
    next: PacketId,
    live: u64,
    /// What a message waits for first.
    first: Awaits,
}

impl Flight {
    /// For messages of this QoS, which is 1 or 2 if there are any.
    pub fn new(qos: QoS) -> Flight {
        Flight {
            places: Vec::new(),
            next: PacketId::MIN,
            live: 0,
            first: match qos {
                QoS::ExactlyOnce => Awaits::Rec,
                _ => Awaits::Ack,
            },
        }
    }

    /// How many messages are in flight.
    pub fn len(&self) -> u64 {
        self.live
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    #[inline]
    fn place(&self, id: PacketId) -> usize {
        usize::from(id.get()) & self.places.len().wrapping_sub(1)
    }

    /// Whether another message may be sent: the identifier that is next in turn is not in use any more.
    pub fn has_room(&self) -> bool {
        let taken = self.places.get(self.place(self.next)).copied().flatten();
        taken.is_none_or(|place| place.id != self.next)
    }

    /// Takes note of a message that is sent now, and gives it an identifier; `None` if there is no room.
    #[inline]
    pub fn send(&mut self, sent: u64) -> Option<PacketId> {
        let id = self.next;
        let at = match self.places.get(self.place(id)) {
            Some(None) => self.place(id),
            _ => self.make_place(id)?,
        };
        self.places[at] = Some(Place {
            sent,
            id,
            awaits: self.first,
        });
        self.live += 1;
        self.next = id.next();
        Some(id)
    }

    /// Makes more places, until the one of this identifier is free.
    #[cold]
    fn make_place(&mut self, id: PacketId) -> Option<usize> {
        while self.has_room() {
            let size = (2 * self.places.len()).max(FEW);
            let before = std::mem::replace(&mut self.places, vec![None; size]);
            for place in before.into_iter().flatten() {
                let at = self.place(place.id);
                self.places[at] = Some(place);
            }
            let at = self.place(id);
            if self.places[at].is_none() {
                return Some(at);
            }
        }
        None
    }

    #[inline]
    fn find(&mut self, id: PacketId, awaits: Awaits) -> Result<&mut Option<Place>, Unexpected> {
        let at = self.place(id);
        match self.places.get_mut(at) {
            Some(found) if found.is_some_and(|it| it.id == id && it.awaits == awaits) => Ok(found),
            _ => Err(Unexpected),
        }
    }

    #[inline]
    fn end(&mut self, id: PacketId, awaits: Awaits) -> Result<Option<u64>, Unexpected> {
        let ended = self.find(id, awaits)?.take();
        self.live -= 1;
        Ok(ended.map(|place| place.sent))
    }

    /// PUBACK has come: when the message was sent.
    ///
    /// # Errors
    /// No message waits for it; nothing has changed. So with all of these.
    #[inline]
    pub fn handle_puback(&mut self, id: PacketId) -> Result<Option<u64>, Unexpected> {
        self.end(id, Awaits::Ack)
    }

    /// PUBREC has come: when the message was sent, the first time.
    #[inline]
    pub fn handle_pubrec(&mut self, id: PacketId) -> Result<Option<u64>, Unexpected> {
        if let Ok(Some(place)) = self.find(id, Awaits::Rec) {
            place.awaits = Awaits::Comp;
            return Ok(Some(place.sent));
        }
        self.find(id, Awaits::Comp).map(|_| None)
    }

    /// PUBREC has come with a refusal, and ends the message [MQTT-4.3.3-4].
    pub fn handle_refused_pubrec(&mut self, id: PacketId) -> Result<(), Unexpected> {
        self.end(id, Awaits::Rec).map(|_| ())
    }

    /// PUBCOMP has come.
    #[inline]
    pub fn handle_pubcomp(&mut self, id: PacketId) -> Result<(), Unexpected> {
        self.end(id, Awaits::Comp).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(value: u16) -> PacketId {
        PacketId::new(value).unwrap()
    }

    #[test]
    fn acknowledgements_may_come_in_any_order_and_each_once() {
        let mut flight = Flight::new(QoS::AtLeastOnce);
        for n in 1..=100_u16 {
            assert_eq!(flight.send(u64::from(n) * 10), Some(id(n)));
        }
        assert_eq!(flight.len(), 100);
        for n in (1..=100).rev() {
            assert_eq!(flight.handle_pubrec(id(n)), Err(Unexpected));
            assert_eq!(flight.handle_puback(id(n)), Ok(Some(u64::from(n) * 10)));
            assert_eq!(flight.handle_puback(id(n)), Err(Unexpected));
        }
        assert!(flight.is_empty());
        assert_eq!(flight.handle_puback(id(101)), Err(Unexpected));
    }

    #[test]
    fn exactly_once_takes_three_steps_and_a_repeated_pubrec_changes_nothing() {
        let mut flight = Flight::new(QoS::ExactlyOnce);
        let (a, b) = (flight.send(5).unwrap(), flight.send(6).unwrap());
        assert_eq!(flight.handle_puback(a), Err(Unexpected));
        assert_eq!(flight.handle_pubcomp(a), Err(Unexpected));
        assert_eq!(flight.handle_pubrec(a), Ok(Some(5)));
        assert_eq!(flight.handle_pubrec(a), Ok(None));
        assert_eq!(flight.handle_refused_pubrec(a), Err(Unexpected));
        assert_eq!(flight.handle_pubcomp(a), Ok(()));
        assert_eq!(flight.handle_pubcomp(a), Err(Unexpected));
        assert_eq!(flight.handle_refused_pubrec(b), Ok(()));
        assert!(flight.is_empty());
    }

    #[test]
    fn identifiers_go_round_and_never_meet() {
        let mut flight = Flight::new(QoS::AtLeastOnce);
        let oldest = flight.send(0).unwrap();
        for n in 1..u16::MAX {
            let sent = flight.send(n.into()).unwrap();
            assert_eq!(flight.handle_puback(sent), Ok(Some(n.into())));
        }
        // The next identifier in turn is the one that is still in use.
        assert!(!flight.has_room());
        assert_eq!(flight.send(1), None);
        assert_eq!(flight.handle_puback(oldest), Ok(Some(0)));
        assert_eq!(flight.send(1), Some(id(1)));
        for n in 2..=u16::MAX {
            assert_eq!(flight.send(1), Some(id(n)));
        }
        assert_eq!(flight.send(1), None);
        assert_eq!(flight.len(), 65_535);
    }
}
