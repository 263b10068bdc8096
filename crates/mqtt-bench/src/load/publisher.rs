//! One publisher: which messages it may send now, and their bytes.

use std::ops::Range;
use std::time::{Duration, Instant};

use mqtt_proto::{EncodeError, PacketId, Properties, Publish, QoS, Topic, Version};

use super::flight::Flight;
use super::payload::Payload;
use super::shared::{Phase, Shared};
use super::stamp::Stamp;

/// How much is written at once.
const WRITE_BLOCK: usize = 64 * 1024;
/// From this size on a message is not copied into a block, but written from where it lies.
const LARGE: usize = 32 * 1024;

/// So many bytes of payloads are kept, encoded with their topics.
const WHOLE: usize = 64 * 1024;

/// What a publisher sends.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    /// The topics, taken in turn.
    pub topics: Vec<Box<Topic>>,
    /// The QoS.
    pub qos: QoS,
    /// Whether the broker is to keep them.
    pub retain: bool,
    /// Properties of each PUBLISH; empty below version 5.
    pub properties: Properties<'a>,
    /// What they say.
    pub payload: Payload,
}

/// How a publisher may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// So many messages may leave now.
    Now(u64),
    /// The next one is due then.
    Later(Instant),
    /// Somebody else must come first: an acknowledgement, a subscriber, the start.
    Blocked,
    /// There is nothing more to send.
    Finished,
}

/// The pace of one publisher.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Messages a second.
    pub rate: f64,
    /// How many messages its first one is ahead of or behind others': from 0 to 1.
    pub offset: f64,
}

/// One publisher.
#[derive(Debug)]
pub struct Publisher {
    number: u32,
    client: usize,
    qos: QoS,
    /// All packets, one for each topic: with their payloads if that is not too much, or up to them.
    packets: Vec<u8>,
    ends: Vec<usize>,
    is_payload_apart: bool,
    topic: usize,
    /// Where the packet identifier lies, from the end of a head.
    id_from_end: usize,
    payload: Payload,
    /// A whole packet that is written from here, and how much of it has left.
    large: Option<(Vec<u8>, usize)>,
    counter: u64,
    left: u64,
    window: Option<u64>,
    pace: Option<Pace>,
    began: Option<Instant>,
    /// Messages that are not confirmed, with the times at which they were sent.
    pub flight: Flight,
}

impl Publisher {
    /// The publisher with this number, on a client; it sends `count` messages, with at most `window` on
    /// their way.
    ///
    /// # Errors
    /// A packet would be larger than MQTT allows.
    pub fn new(
        (number, client): (u32, usize),
        version: Version,
        messages: &Messages<'_>,
        count: u64,
        window: Option<u64>,
        pace: Option<Pace>,
    ) -> Result<Publisher, EncodeError> {
        let payload = messages.payload.clone();
        let size = payload.bytes.len();
        let is_large = size >= LARGE && messages.topics.len() == 1;
        let is_payload_apart = size * messages.topics.len() > WHOLE && !is_large;
        let (mut packets, mut ends) = (Vec::new(), Vec::new());
        for topic in &messages.topics {
            let publish = Publish {
                dup: false,
                qos: messages.qos,
                retain: messages.retain,
                topic: Some(topic),
                packet_id: PacketId::new(1),
                properties: messages.properties,
                payload: &payload.bytes,
            };
            publish.encode_head(version, &mut packets)?;
            if !is_payload_apart {
                packets.extend_from_slice(&payload.bytes);
            }
            ends.push(packets.len());
        }
        let properties = if version.is_v5() {
            messages.properties.wire_len()
        } else {
            0
        };
        let large = is_large.then(|| std::mem::take(&mut packets));
        Ok(Publisher {
            number,
            client,
            qos: messages.qos,
            packets,
            ends,
            is_payload_apart,
            topic: 0,
            id_from_end: properties + 2,
            large: large.map(|packet| {
                let end = packet.len();
                (packet, end)
            }),
            payload,
            counter: 0,
            left: count,
            window,
            pace,
            began: None,
            flight: Flight::new(messages.qos),
        })
    }

    /// Lets no more be unconfirmed than the broker wants (MQTT 5, 3.2.2.3.3).
    pub fn obey(&mut self, receive_maximum: u16) {
        if self.qos != QoS::AtMostOnce {
            let most = u64::from(receive_maximum);
            self.window = Some(self.window.map_or(most, |window| window.min(most)));
        }
    }

    /// The QoS of its messages.
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// How many messages may leave now.
    pub fn room(&mut self, shared: &Shared) -> Room {
        if self.left == 0 || shared.phase() >= Phase::Draining {
            return Room::Finished;
        }
        if shared.phase() < Phase::Running {
            return Room::Blocked;
        }
        let mut room = self.left;
        if self.qos != QoS::AtMostOnce {
            if !self.flight.has_room() {
                return Room::Blocked;
            }
            let most = self.window.unwrap_or(u64::from(u16::MAX));
            room = room.min(most.saturating_sub(self.flight.len()));
        }
        if let Some(window) = self.window.filter(|_| shared.fan > 0) {
            let unseen = shared.unseen(self.number);
            if unseen >= window {
                shared.wake_when(self.number, self.client, window / 2);
                return Room::Blocked;
            }
            room = room.min(window - unseen);
        }
        if room == 0 {
            return Room::Blocked;
        }
        match self.pace {
            None => Room::Now(room),
            Some(pace) => self.paced(pace, room),
        }
    }

    fn paced(&mut self, pace: Pace, room: u64) -> Room {
        let began = *self.began.get_or_insert_with(Instant::now);
        let due = began.elapsed().as_secs_f64() * pace.rate + pace.offset;
        // A number of messages is far below the largest that a float holds exactly.
        let due = due as u64;
        if due > self.counter {
            return Room::Now(room.min(due - self.counter));
        }
        let wait = ((self.counter + 1) as f64 - pace.offset) / pace.rate;
        match Duration::try_from_secs_f64(wait) {
            Ok(wait) => Room::Later(began + wait),
            Err(_) => Room::Blocked,
        }
    }

    /// Appends up to `room` messages to `out`, as many as are worth a write; `time` is when they leave.
    pub fn fill(&mut self, room: u64, out: &mut Vec<u8>, time: u64, shared: &Shared) {
        let begin = self.counter;
        if self.large.is_some() {
            self.fill_large(time, shared);
        } else {
            while self.counter - begin < room && out.len() < WRITE_BLOCK {
                let id = match self.qos {
                    QoS::AtMostOnce => None,
                    _ => match self.flight.send(time) {
                        None => break,
                        id => id,
                    },
                };
                let packet = self.next_packet();
                out.extend_from_slice(&self.packets[packet]);
                if self.is_payload_apart {
                    out.extend_from_slice(&self.payload.bytes);
                }
                let from = out.len() - self.payload.bytes.len();
                if let Some(id) = id {
                    let at = from - self.id_from_end;
                    out[at..at + 2].copy_from_slice(&id.get().to_be_bytes());
                }
                let stamp = self.next_stamp(time, shared);
                self.payload.mark(&mut out[from..], stamp);
            }
        }
        let count = self.counter - begin;
        self.left -= count;
        shared.sent(self.number, count);
    }

    /// Where the packet of the next topic lies.
    #[inline]
    fn next_packet(&mut self) -> Range<usize> {
        let from = match self.topic {
            0 => 0,
            topic => self.ends[topic - 1],
        };
        let to = self.ends[self.topic];
        self.topic += 1;
        if self.topic == self.ends.len() {
            self.topic = 0;
        }
        from..to
    }

    fn next_stamp(&mut self, time: u64, shared: &Shared) -> Stamp {
        let stamp = Stamp {
            run: shared.run,
            publisher: self.number,
            counter: self.counter,
            time,
        };
        self.counter += 1;
        stamp
    }

    /// Makes the large packet the next message, if the one before has left.
    fn fill_large(&mut self, time: u64, shared: &Shared) {
        let id = match self.qos {
            QoS::AtMostOnce => None,
            _ => match self.flight.send(time) {
                None => return,
                id => id,
            },
        };
        let stamp = self.next_stamp(time, shared);
        if let Some((packet, left)) = &mut self.large {
            let head = packet.len() - self.payload.bytes.len();
            if let Some(id) = id {
                let at = head - self.id_from_end;
                packet[at..at + 2].copy_from_slice(&id.get().to_be_bytes());
            }
            self.payload.mark(&mut packet[head..], stamp);
            *left = 0;
        }
    }

    /// What is left to write of the large packet, and whether a part of it has gone.
    pub fn large(&self) -> Option<(&[u8], bool)> {
        let (packet, left) = self.large.as_ref()?;
        (*left < packet.len()).then(|| (&packet[*left..], *left > 0))
    }

    /// Takes note that a part of the large packet has left.
    pub fn wrote_large(&mut self, count: usize) {
        if let Some((_, left)) = &mut self.large {
            *left += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::payload;
    use mqtt_proto::{Packet, decode};

    /// Every packet must be the one that a client would encode for this message.
    #[track_caller]
    fn check(qos: QoS, topics: &[&str], size: usize) {
        let (version, time, count) = (Version::V5, 1_795_391_492_000_000_001, 10);
        let messages = Messages {
            topics: topics
                .iter()
                .map(|it| Topic::parse(it).unwrap().into())
                .collect(),
            qos,
            retain: false,
            properties: Properties::EMPTY,
            payload: Payload::of_size(size),
        };
        let shared = Shared::new(9, 1, 1, 1);
        let mut publisher = Publisher::new((0, 0), version, &messages, count, None, None).unwrap();
        let mut out = Vec::new();
        while publisher.counter < count {
            publisher.fill(2, &mut out, time, &shared);
            let large = publisher.large().map(|(bytes, _)| bytes.to_vec());
            if let Some(bytes) = large {
                publisher.wrote_large(bytes.len());
                out.extend(bytes);
            }
            if out.len() >= WRITE_BLOCK {
                break;
            }
        }
        let mut rest = &out[..];
        for counter in 0..publisher.counter {
            let (packet, length) = decode(rest, version, u32::MAX).unwrap().unwrap();
            let Packet::Publish(publish) = packet else {
                panic!("{packet:?}");
            };
            let topic = topics[counter as usize % topics.len()];
            assert_eq!(publish.topic.map(Topic::as_str), Some(topic));
            let id = (qos != QoS::AtMostOnce).then(|| PacketId::new(counter as u16 + 1).unwrap());
            assert_eq!((publish.qos, publish.packet_id), (qos, id));
            assert_eq!(publish.payload.len(), size);
            let (run, publisher) = (9, 0);
            let stamp = Stamp {
                run,
                publisher,
                counter,
                time,
            };
            assert_eq!(payload::find(publish.payload, &mut 0), Some(stamp));
            rest = &rest[length..];
        }
        assert!(rest.is_empty() && publisher.counter >= 2);
    }

    #[test]
    fn packets_are_whole_whichever_part_of_them_was_kept() {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            check(qos, &["lab/1"], 64);
            check(qos, &["lab/1", "lab/room 2", "\u{3bb}"], 24);
            // Payloads that are kept once for all topics.
            check(qos, &["lab/1", "lab/room 2", "lab"], WHOLE / 3 + 1);
            // One that is written from where it lies.
            check(qos, &["lab/1"], LARGE);
        }
    }
}
