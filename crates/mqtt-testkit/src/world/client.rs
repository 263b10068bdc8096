//! A client in a simulated world: packets in and out, one by one.

use super::{Message, World};
use mqtt_proto::{
    Ack, Disconnect, Filter, Packet, PacketId, Properties, PropertiesBuf, Property, QoS,
    ReasonCode, Subscribe, Subscription, SubscriptionOptions, Topic, Unsubscribe, VarInt, Version,
    decode,
};
use std::cell::Cell;

/// Client packets need no limit; the engine's are what is tested.
const ANY_SIZE: u32 = u32::MAX;

/// One connection of a client.
pub struct Client {
    world: World,
    link: usize,
    version: Version,
    next_id: Cell<u16>,
    /// What CONNACK said.
    pub session_present: bool,
    /// The properties of CONNACK.
    pub connack: PropertiesBuf,
}

impl Client {
    pub(super) fn new(world: World, link: usize, version: Version) -> Client {
        Client {
            world,
            link,
            version,
            next_id: Cell::new(0),
            session_present: false,
            connack: PropertiesBuf::new(),
        }
    }

    /// Sends a packet.
    ///
    /// # Panics
    /// If it has no wire form.
    pub fn send(&self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        let encoded = packet.encode(self.version, &mut bytes);
        assert_eq!(encoded, Ok(()), "{packet:?}");
        self.send_bytes(&bytes);
    }

    /// Sends bytes, whatever they are.
    pub fn send_bytes(&self, bytes: &[u8]) {
        self.world.inner.borrow_mut().send(self.link, bytes);
    }

    /// Publishes without waiting for an answer. QoS 1 and 2 without a packet identifier get the
    /// next one, which is returned.
    ///
    /// # Panics
    /// If it has no wire form.
    pub fn publish(&self, mut message: Message) -> u16 {
        if message.qos > 0 && message.id == 0 {
            self.next_id.set(self.next_id.get() % u16::MAX + 1);
            message.id = self.next_id.get();
        }
        let topic = (!message.topic.is_empty())
            .then(|| Topic::parse(&message.topic).expect("it is a topic"));
        self.send(&Packet::Publish(mqtt_proto::Publish {
            dup: message.dup,
            qos: message.quality(),
            retain: message.retain,
            topic,
            packet_id: PacketId::new(message.id),
            properties: message.properties.view(),
            payload: &message.payload,
        }));
        message.id
    }

    /// Publishes and goes through the whole handshake; returns the broker's reason code.
    ///
    /// # Panics
    /// If the broker does not answer as the standard says.
    pub fn deliver(&self, message: Message) -> ReasonCode {
        let qos = message.qos;
        let id = self.publish(message);
        match qos {
            0 => ReasonCode::Success,
            1 => self.expect("PUBACK", |packet| match packet {
                Packet::PubAck(ack) if ack.packet_id.get() == id => Some(ack.reason),
                _ => None,
            }),
            _ => {
                let reason = self.expect_pubrec(id);
                if !reason.is_error() {
                    self.pubrel(id);
                    self.expect_pubcomp(id);
                }
                reason
            }
        }
    }

    /// Subscribes to one filter; returns the reason code.
    ///
    /// # Panics
    /// If the answer is not its SUBACK.
    pub fn subscribe(&self, filter: &str, qos: u8) -> ReasonCode {
        let qos = QoS::new(qos).expect("a QoS is 0, 1 or 2");
        let options = SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        };
        self.subscribe_with(filter, options, None)
    }

    /// Subscribes to one filter with options and a subscription identifier.
    ///
    /// # Panics
    /// If the answer is not its SUBACK.
    pub fn subscribe_with(
        &self,
        filter: &str,
        options: SubscriptionOptions,
        identifier: Option<u32>,
    ) -> ReasonCode {
        let mut properties = PropertiesBuf::new();
        if let Some(identifier) = identifier {
            let identifier = VarInt::new(identifier).expect("it fits the wire");
            properties
                .push(Property::SubscriptionIdentifier(identifier))
                .expect("it fits the wire");
        }
        self.send_subscribe(filter, options, properties.view());
        self.expect("SUBACK", |packet| match packet {
            Packet::SubAck(suback) => Some(suback.reasons[0]),
            _ => None,
        })
    }

    /// Sends a SUBSCRIBE at QoS 0 and does not wait for the answer.
    ///
    /// # Panics
    /// If it is no filter.
    pub fn subscribe_blindly(&self, filter: &str) {
        self.send_subscribe(filter, SubscriptionOptions::default(), Properties::EMPTY);
    }

    fn send_subscribe(
        &self,
        filter: &str,
        options: SubscriptionOptions,
        properties: Properties<'_>,
    ) {
        let filter = Filter::parse(filter).expect("it is a filter");
        self.send(&Packet::Subscribe(Subscribe {
            packet_id: id(60_000),
            properties,
            subscriptions: vec![Subscription { filter, options }],
        }));
    }

    /// Unsubscribes from one filter; returns the reason code, success below version 5.
    ///
    /// # Panics
    /// If the answer is not its UNSUBACK.
    pub fn unsubscribe(&self, filter: &str) -> ReasonCode {
        self.send(&Packet::Unsubscribe(Unsubscribe {
            packet_id: id(60_001),
            properties: Properties::EMPTY,
            filters: vec![Filter::parse(filter).expect("it is a filter")],
        }));
        self.expect("UNSUBACK", |packet| match packet {
            Packet::UnsubAck(unsuback) => Some(unsuback.reasons.first().copied()),
            _ => None,
        })
        .unwrap_or(ReasonCode::Success)
    }

    /// Acknowledges QoS 1.
    pub fn puback(&self, packet_id: u16) {
        self.send(&Packet::PubAck(Ack::success(id(packet_id))));
    }

    /// Acknowledges QoS 2, first half.
    pub fn pubrec(&self, packet_id: u16) {
        self.send(&Packet::PubRec(Ack::success(id(packet_id))));
    }

    /// Releases QoS 2.
    pub fn pubrel(&self, packet_id: u16) {
        self.send(&Packet::PubRel(Ack::success(id(packet_id))));
    }

    /// Acknowledges QoS 2, second half.
    pub fn pubcomp(&self, packet_id: u16) {
        self.send(&Packet::PubComp(Ack::success(id(packet_id))));
    }

    /// Acknowledges a message as its QoS asks for.
    ///
    /// # Panics
    /// If the broker does not answer PUBREC with PUBREL at once.
    pub fn ack(&self, message: &Message) {
        match message.qos {
            0 => {}
            1 => self.puback(message.id),
            _ => {
                self.pubrec(message.id);
                self.expect_pubrel(message.id);
                self.pubcomp(message.id);
            }
        }
    }

    /// Says goodbye: the connection ends and the will is forgotten.
    ///
    /// # Panics
    /// If the broker does not close the connection.
    pub fn disconnect(&self) {
        self.leave(ReasonCode::Success, &[]);
    }

    /// Says goodbye with a reason and properties.
    ///
    /// # Panics
    /// If the broker does not close the connection.
    pub fn leave(&self, reason: ReasonCode, properties: &[Property<'_>]) {
        let mut buf = PropertiesBuf::new();
        for &property in properties {
            buf.push(property).expect("it fits the wire");
        }
        self.send(&Packet::Disconnect(Disconnect {
            reason,
            properties: buf.view(),
        }));
        self.expect_closed();
    }

    /// The network fails: neither side says anything. What the broker has sent until now can
    /// still be looked at.
    pub fn cut(&self) {
        self.world.inner.borrow_mut().cut(self.link, None);
    }

    /// Stops reading from the socket after `bytes` more.
    pub fn read_only(&self, bytes: usize) {
        let mut inner = self.world.inner.borrow_mut();
        inner.links[self.link].window = bytes;
        inner.write(self.link);
        inner.settle();
    }

    /// Reads everything again.
    pub fn read_on(&self) {
        self.read_only(usize::MAX);
    }

    /// How many bytes wait in the broker for this client to read.
    pub fn waiting(&self) -> usize {
        let inner = self.world.inner.borrow();
        inner.links[self.link]
            .key
            .map_or(0, |key| inner.engine.outbox(key).len())
    }

    /// Whether the connection is still there.
    pub fn is_open(&self) -> bool {
        self.world.inner.borrow().links[self.link].key.is_some()
    }

    /// Takes the bytes that have come, without looking at them.
    pub fn take_bytes(&self) -> Vec<u8> {
        let mut inner = self.world.inner.borrow_mut();
        let link = &mut inner.links[self.link];
        let seen = std::mem::take(&mut link.seen);
        std::mem::take(&mut link.inbox).split_off(seen)
    }

    /// Takes the next packet, if one has come.
    ///
    /// # Panics
    /// If the broker has sent what is no packet, or one that a server may not send.
    pub fn next<R>(&self, look: impl FnOnce(&Packet<'_>) -> R) -> Option<R> {
        // Taken out so that `look` may use the world.
        let (inbox, seen) = {
            let mut inner = self.world.inner.borrow_mut();
            let link = &mut inner.links[self.link];
            (std::mem::take(&mut link.inbox), link.seen)
        };
        let (result, used) = match decode(&inbox[seen..], self.version, ANY_SIZE) {
            Ok(Some((packet, used))) => (Some(look(&packet)), used),
            Ok(None) => (None, 0),
            Err(error) => panic!("the broker sent what is no packet: {error} in {inbox:x?}"),
        };
        let mut inner = self.world.inner.borrow_mut();
        let link = &mut inner.links[self.link];
        (link.inbox, link.seen) = (inbox, seen + used);
        if link.seen == link.inbox.len() {
            (link.inbox, link.seen) = (Vec::new(), 0);
        }
        result
    }

    /// Takes the next packet, which must be one that `check` has an answer for.
    ///
    /// # Panics
    /// If there is none, or `check` says `None`.
    pub fn expect<R>(&self, what: &str, check: impl FnOnce(&Packet<'_>) -> Option<R>) -> R {
        let found = self.next(|packet| check(packet).ok_or_else(|| format!("{packet:?}")));
        match found {
            Some(Ok(result)) => result,
            Some(Err(packet)) => panic!("expected {what}, got {packet}"),
            None => panic!("expected {what}, got nothing{}", self.log_tail()),
        }
    }

    fn log_tail(&self) -> String {
        let log = self.world.log();
        let tail = log.iter().rev().take(5).rev();
        tail.fold(String::from("; the log ends with"), |text, line| {
            text + "\n  " + &line.to_string()
        })
    }

    /// Takes a CONNACK: session present, reason, properties.
    ///
    /// # Panics
    /// If the next packet is not one.
    pub fn connack(&self) -> (bool, ReasonCode, PropertiesBuf) {
        self.expect("CONNACK", |packet| match packet {
            Packet::ConnAck(connack) => Some((
                connack.session_present,
                connack.reason,
                connack.properties.into(),
            )),
            _ => None,
        })
    }

    /// Takes a PUBLISH.
    ///
    /// # Panics
    /// If the next packet is not one.
    pub fn hear(&self) -> Message {
        self.expect("PUBLISH", |packet| match packet {
            Packet::Publish(publish) => Some(Message::of(publish)),
            _ => None,
        })
    }

    /// Takes everything that has come, which must be PUBLISH packets.
    ///
    /// # Panics
    /// If another packet has come.
    pub fn hear_all(&self) -> Vec<Message> {
        std::iter::from_fn(|| {
            self.next(|packet| match packet {
                Packet::Publish(publish) => Message::of(publish),
                other => panic!("expected PUBLISH, got {other:?}"),
            })
        })
        .collect()
    }

    /// Takes everything that has come, and returns the PUBLISH packets among it.
    pub fn publishes(&self) -> Vec<Message> {
        let of_one = |packet: &Packet<'_>| match packet {
            Packet::Publish(publish) => Some(Message::of(publish)),
            _ => None,
        };
        std::iter::from_fn(|| self.next(of_one)).flatten().collect()
    }

    /// As [`Client::hear_all`]; the payloads as text.
    ///
    /// # Panics
    /// If another packet has come.
    pub fn texts(&self) -> Vec<String> {
        self.hear_all().iter().map(Message::text).collect()
    }

    /// Takes PUBLISH packets and goes through the handshake of each, until no more come; their
    /// payloads as text.
    ///
    /// # Panics
    /// If another packet comes.
    pub fn drain(&self) -> Vec<String> {
        enum Came {
            Release(u16),
            Message(Message),
        }
        let mut all = Vec::new();
        while let Some(came) = self.next(|packet| match packet {
            Packet::PubRel(ack) => Came::Release(ack.packet_id.get()),
            Packet::Publish(publish) => Came::Message(Message::of(publish)),
            other => panic!("expected PUBLISH or PUBREL, got {other:?}"),
        }) {
            match came {
                Came::Release(id) => self.pubcomp(id),
                Came::Message(message) => {
                    all.push(message.text());
                    match message.qos {
                        0 => {}
                        1 => self.puback(message.id),
                        _ => self.pubrec(message.id),
                    }
                }
            }
        }
        all
    }

    /// Takes a PUBACK of this identifier; its reason.
    ///
    /// # Panics
    /// If the next packet is another.
    pub fn expect_puback(&self, id: u16) -> ReasonCode {
        self.expect("PUBACK", |packet| match packet {
            Packet::PubAck(ack) if ack.packet_id.get() == id => Some(ack.reason),
            _ => None,
        })
    }

    /// Takes a PUBREC of this identifier; its reason.
    ///
    /// # Panics
    /// If the next packet is another.
    pub fn expect_pubrec(&self, id: u16) -> ReasonCode {
        self.expect("PUBREC", |packet| match packet {
            Packet::PubRec(ack) if ack.packet_id.get() == id => Some(ack.reason),
            _ => None,
        })
    }

    /// Takes a PUBREL of this identifier.
    ///
    /// # Panics
    /// If the next packet is another.
    pub fn expect_pubrel(&self, id: u16) {
        self.expect(&format!("PUBREL {id}"), |packet| match packet {
            Packet::PubRel(ack) if ack.packet_id.get() == id => Some(()),
            _ => None,
        });
    }

    /// Takes a PUBCOMP of this identifier.
    ///
    /// # Panics
    /// If the next packet is another.
    pub fn expect_pubcomp(&self, id: u16) {
        self.expect(&format!("PUBCOMP {id}"), |packet| match packet {
            Packet::PubComp(ack) if ack.packet_id.get() == id => Some(()),
            _ => None,
        });
    }

    /// Takes a DISCONNECT with this reason, behind which the connection is closed.
    ///
    /// # Panics
    /// If anything else happened.
    pub fn expect_disconnect(&self, expected: ReasonCode) {
        let reason = self.expect("DISCONNECT", |packet| match packet {
            Packet::Disconnect(disconnect) => Some(disconnect.reason),
            _ => None,
        });
        assert_eq!(reason, expected);
        self.expect_closed();
    }

    /// Nothing has come, and the connection is there.
    ///
    /// # Panics
    /// If not.
    pub fn expect_nothing(&self) {
        if let Some(packet) = self.next(|packet| format!("{packet:?}")) {
            panic!("expected nothing, got {packet}");
        }
        assert!(
            self.is_open(),
            "the connection is closed{}",
            self.log_tail()
        );
    }

    /// The broker has closed the connection, without a further word.
    ///
    /// # Panics
    /// If not.
    pub fn expect_closed(&self) {
        if let Some(packet) = self.next(|packet| format!("{packet:?}")) {
            panic!("expected the end, got {packet}");
        }
        assert!(!self.is_open(), "the connection is open{}", self.log_tail());
    }
}

fn id(value: u16) -> PacketId {
    PacketId::new(value).expect("a packet identifier is not 0")
}
