//! What packets mean to a client: messages are checked and answered, confirmations are counted.

use mqtt_common::client::Lost;
use mqtt_proto::{
    Ack, Packet, PacketId, PacketType, Publish, QoS, SHORT_ACK, decode, plain_publish, short_ack,
};
use std::time::Duration;
use tokio::time::Instant;

use super::tally::Tally;
use super::{Client, MAX_PACKET};
use crate::load::check::{Streams, Verdict};
use crate::load::flight::Unexpected;
use crate::load::held::Held;
use crate::load::payload;
use crate::load::shared::add;
use crate::load::stamp::Stamp;
use crate::load::trouble::Trouble;

/// What a subscriber remembers.
#[derive(Debug)]
pub struct Subscriber {
    /// What has come from whom.
    pub streams: Streams,
    /// Messages of QoS 2 that are not released.
    held: Held,
    run: u16,
    hears_others: bool,
    /// Whether its messages have no mark, and are only counted.
    is_blind: bool,
    /// Where the mark was in the last message.
    hint: usize,
}

impl Subscriber {
    /// For a run with this number; `hears_others` tells whether messages of other runs count, `is_blind`
    /// whether those without a mark do.
    pub fn new(run: u16, hears_others: bool, is_blind: bool) -> Subscriber {
        Subscriber {
            streams: Streams::new(run),
            held: Held::default(),
            run,
            hears_others,
            is_blind,
            hint: 0,
        }
    }
}

impl Client {
    /// Handles all whole packets; how many bytes they took.
    pub(super) fn handle(&mut self, bytes: &[u8]) -> Result<usize, Lost> {
        if self.accepted.is_none() {
            Lost::check_first(bytes)?;
        }
        let mut tally = Tally::new(self.shared.clock.now());
        self.shared.lend(&mut self.out);
        let used = self.take_apart(bytes, &mut tally);
        tally.enter(&self.shared);
        used
    }

    /// Packet by packet; those that come by the million are not made a [`Packet`] first.
    fn take_apart(&mut self, bytes: &[u8], tally: &mut Tally) -> Result<usize, Lost> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            if let Some((kind, id)) = short_ack(rest) {
                self.acknowledged(kind, id, false, tally)?;
                used += SHORT_ACK;
            } else if let Some((publish, length)) = plain_publish(rest, self.version) {
                self.message(&publish, tally);
                used += length;
            } else {
                match decode(rest, self.version, MAX_PACKET) {
                    Ok(Some((packet, length))) => {
                        self.packet(&packet, tally)?;
                        used += length;
                    }
                    Ok(None) => return Ok(used),
                    Err(error) => return Err(self.undecodable(rest, &error)),
                }
            }
        }
    }

    fn packet(&mut self, packet: &Packet<'_>, tally: &mut Tally) -> Result<(), Lost> {
        let mut acknowledged = |kind, ack: &Ack<'_>| {
            self.acknowledged(kind, ack.packet_id, ack.reason.is_error(), tally)
        };
        match packet {
            Packet::PubAck(ack) => acknowledged(PacketType::PubAck, ack),
            Packet::PubRec(ack) => acknowledged(PacketType::PubRec, ack),
            Packet::PubRel(ack) => acknowledged(PacketType::PubRel, ack),
            Packet::PubComp(ack) => acknowledged(PacketType::PubComp, ack),
            Packet::Publish(publish) => {
                self.message(publish, tally);
                Ok(())
            }
            Packet::ConnAck(connack) if connack.reason.is_error() => Err(Lost::Refused {
                reason: connack.reason,
                text: connack.properties.reason_string().map(str::to_owned),
            }),
            Packet::ConnAck(connack) => {
                let maximum = connack.properties.receive_maximum();
                self.accepted = Some(maximum.unwrap_or(u16::MAX));
                if let Some(seconds) = connack.properties.server_keep_alive() {
                    self.keep_alive = Duration::from_secs(seconds.into());
                    self.ping_due = Instant::now() + self.keep_alive;
                }
                Ok(())
            }
            Packet::SubAck(suback) => {
                self.subscribing = self.subscribing.saturating_sub(1);
                if let Some(reason) = suback.reasons.iter().find(|reason| reason.is_error()) {
                    self.trouble = Some(Trouble::Subscription(*reason));
                }
                Ok(())
            }
            Packet::Disconnect(disconnect) => Err(Lost::Disconnected {
                reason: disconnect.reason,
                text: disconnect.properties.reason_string().map(str::to_owned),
            }),
            _ => Ok(()),
        }
    }

    /// Appends an acknowledgement.
    #[inline]
    fn answer(&mut self, packet: &Packet<'_>) {
        // These packets are short and without properties: they always have a wire form.
        let _ = packet.encode(self.version, &mut self.out);
    }

    #[inline]
    fn message(&mut self, publish: &Publish<'_>, tally: &mut Tally) {
        if let Some(id) = publish.packet_id {
            let is_twofold = publish.qos == QoS::ExactlyOnce;
            self.answer(&match is_twofold {
                true => Packet::PubRec(Ack::success(id)),
                false => Packet::PubAck(Ack::success(id)),
            });
            if let Some(subscriber) = &mut self.subscriber
                && is_twofold
                && !subscriber.held.take(id)
            {
                return;
            }
        }
        let Some(subscriber) = &mut self.subscriber else {
            return;
        };
        let counts = &self.shared.counts;
        let (run, hears_others) = (subscriber.run, subscriber.hears_others);
        let is_counted = |stamp: &Stamp| hears_others || stamp.run == run;
        let found = payload::find(publish.payload, &mut subscriber.hint);
        let Some(stamp) = found.filter(is_counted) else {
            if subscriber.is_blind {
                tally.delivered(publish.payload.len());
            } else {
                add(&counts.foreign, 1);
            }
            return;
        };
        match subscriber.streams.take(&stamp) {
            Verdict::New => {}
            Verdict::Late => add(&counts.late, 1),
            Verdict::Duplicate => {
                add(&counts.duplicates, 1);
                return;
            }
        }
        tally.delivered(publish.payload.len());
        tally.took(stamp.time, &self.shared);
        if stamp.run == self.shared.run {
            tally.seen(stamp.publisher, &self.shared);
        }
    }

    /// PUBACK, PUBREC, PUBREL or PUBCOMP has come, perhaps with a reason why not.
    #[inline]
    fn acknowledged(
        &mut self,
        kind: PacketType,
        id: PacketId,
        is_refusal: bool,
        tally: &mut Tally,
    ) -> Result<(), Lost> {
        if kind == PacketType::PubRel {
            if let Some(subscriber) = &mut self.subscriber {
                subscriber.held.release(id);
            }
            self.answer(&Packet::PubComp(Ack::success(id)));
            return Ok(());
        }
        let flight = match &mut self.publisher {
            Some(publisher) => &mut publisher.flight,
            None => return Err(unexpected()),
        };
        let sent = match kind {
            PacketType::PubAck => flight.handle_puback(id),
            PacketType::PubRec if is_refusal => flight.handle_refused_pubrec(id).map(|()| None),
            PacketType::PubRec => flight.handle_pubrec(id),
            _ => flight.handle_pubcomp(id).map(|()| None),
        };
        let sent = sent.map_err(|Unexpected| unexpected())?;
        if is_refusal {
            add(&self.shared.counts.refused, 1);
        }
        // PUBACK or PUBREC says that the broker has the message.
        if let (true, Some(sent)) = (self.times_confirmed, sent) {
            tally.took(sent, &self.shared);
        }
        if kind == PacketType::PubRec && !is_refusal {
            self.answer(&Packet::PubRel(Ack::success(id)));
        } else {
            tally.confirmed += 1;
        }
        Ok(())
    }
}

fn unexpected() -> Lost {
    Lost::Violation {
        what: "the broker confirms a message that was not sent".to_owned(),
        too_large: false,
    }
}
