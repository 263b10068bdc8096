//! What packets mean to a client: messages are checked and answered, confirmations are counted.

use mqtt_common::client::Lost;
use mqtt_proto::flow::Incoming;
use mqtt_proto::{Ack, Packet, Publish, QoS, decode};
use std::time::Duration;
use tokio::time::Instant;

use super::{Client, MAX_PACKET};
use crate::load::check::{Streams, Verdict};
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
    incoming: Incoming<()>,
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
            incoming: Incoming::default(),
            run,
            hears_others,
            is_blind,
            hint: 0,
        }
    }
}

/// What came in one read.
#[derive(Debug, Default)]
struct Tally {
    delivered: u64,
    bytes: u64,
    confirmed: u64,
}

impl Client {
    /// Handles all whole packets; how many bytes they took.
    pub(super) fn handle(&mut self, bytes: &[u8]) -> Result<usize, Lost> {
        let now = self.shared.clock.now();
        let mut tally = Tally::default();
        let mut used = 0;
        if self.accepted.is_none() {
            Lost::check_first(bytes)?;
        }
        loop {
            let rest = &bytes[used..];
            match decode(rest, self.version, MAX_PACKET) {
                Ok(Some((packet, length))) => {
                    self.packet(&packet, now, &mut tally)?;
                    used += length;
                }
                Ok(None) => break,
                Err(error) => return Err(self.undecodable(rest, &error)),
            }
        }
        let counts = &self.shared.counts;
        if tally.delivered + tally.confirmed > 0 {
            add(&counts.delivered, tally.delivered);
            add(&counts.bytes, tally.bytes);
            add(&counts.confirmed, tally.confirmed);
            counts.last.set(now);
            self.shared.check_goal();
        }
        Ok(used)
    }

    fn packet(&mut self, packet: &Packet<'_>, now: u64, tally: &mut Tally) -> Result<(), Lost> {
        match packet {
            Packet::Publish(publish) => {
                self.message(publish, now, tally);
                Ok(())
            }
            Packet::PubAck(ack) => self.confirmed(ack, now, tally, QoS::AtLeastOnce),
            Packet::PubComp(ack) => self.confirmed(ack, now, tally, QoS::ExactlyOnce),
            Packet::PubRec(ack) => self.received(ack, now),
            Packet::PubRel(ack) => {
                if let Some(subscriber) = &mut self.subscriber {
                    subscriber.incoming.handle_pubrel(ack.packet_id);
                }
                self.answer(&Packet::PubComp(Ack::success(ack.packet_id)));
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
    fn answer(&mut self, packet: &Packet<'_>) {
        // These packets are short and without properties: they always have a wire form.
        let _ = packet.encode(self.version, &mut self.out);
    }

    fn message(&mut self, publish: &Publish<'_>, now: u64, tally: &mut Tally) {
        if let Some(id) = publish.packet_id {
            self.answer(&match publish.qos {
                QoS::ExactlyOnce => Packet::PubRec(Ack::success(id)),
                _ => Packet::PubAck(Ack::success(id)),
            });
        }
        let Some(subscriber) = &mut self.subscriber else {
            return;
        };
        if let (QoS::ExactlyOnce, Some(id)) = (publish.qos, publish.packet_id)
            && !subscriber.incoming.handle_publish(id, ())
        {
            return;
        }
        let counts = &self.shared.counts;
        let (run, hears_others) = (subscriber.run, subscriber.hears_others);
        let is_counted = |stamp: &Stamp| hears_others || stamp.run == run;
        let found = payload::find(publish.payload, &mut subscriber.hint);
        let Some(stamp) = found.filter(is_counted) else {
            if subscriber.is_blind {
                tally.delivered += 1;
                tally.bytes += publish.payload.len() as u64;
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
        tally.delivered += 1;
        tally.bytes += publish.payload.len() as u64;
        let took = now.saturating_sub(stamp.time);
        self.shared.latencies.borrow_mut().saturating_record(took);
        if stamp.run == self.shared.run {
            self.shared.seen(stamp.publisher);
        }
    }

    /// PUBACK or PUBCOMP has come.
    fn confirmed(
        &mut self,
        ack: &Ack<'_>,
        now: u64,
        tally: &mut Tally,
        qos: QoS,
    ) -> Result<(), Lost> {
        let Some(publisher) = &mut self.publisher else {
            return Err(unexpected());
        };
        let sent = match qos {
            QoS::AtLeastOnce => publisher.outgoing.handle_puback(ack.packet_id),
            _ => {
                let pubcomp = publisher.outgoing.handle_pubcomp(ack.packet_id);
                pubcomp.map(|()| None)
            }
        };
        let sent = sent.map_err(|_| unexpected())?;
        if ack.reason.is_error() {
            add(&self.shared.counts.refused, 1);
        }
        self.time_confirmed(sent, now);
        tally.confirmed += 1;
        Ok(())
    }

    /// PUBACK or PUBREC says that the broker has a message.
    fn time_confirmed(&self, sent: Option<u64>, now: u64) {
        if let (true, Some(sent)) = (self.times_confirmed, sent) {
            let took = now.saturating_sub(sent);
            self.shared.latencies.borrow_mut().saturating_record(took);
        }
    }

    /// PUBREC has come.
    fn received(&mut self, ack: &Ack<'_>, now: u64) -> Result<(), Lost> {
        let Some(publisher) = &mut self.publisher else {
            return Err(unexpected());
        };
        if ack.reason.is_error() {
            let ended = publisher.outgoing.handle_refused_pubrec(ack.packet_id);
            ended.map_err(|_| unexpected())?;
            add(&self.shared.counts.refused, 1);
            add(&self.shared.counts.confirmed, 1);
            return Ok(());
        }
        let handled = publisher.outgoing.handle_pubrec(ack.packet_id);
        let sent = handled.map_err(|_| unexpected())?;
        self.time_confirmed(sent, now);
        self.answer(&Packet::PubRel(Ack::success(ack.packet_id)));
        Ok(())
    }
}

fn unexpected() -> Lost {
    Lost::Violation {
        what: "the broker confirms a message that was not sent".to_owned(),
        too_large: false,
    }
}
