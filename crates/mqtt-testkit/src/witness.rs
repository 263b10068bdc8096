//! Clients that keep a record of what a broker has promised them, and hold it to that.
//!
//! A [`Publisher`] numbers its messages and goes on until each is acknowledged, a [`Subscriber`]
//! writes down what comes; a [`Churner`] changes one subscription over and over. All have durable
//! sessions, and survive any number of lost connections. They take and give bytes, so that the
//! same ones serve over sockets and in a simulated world.

use mqtt_proto::{
    Ack, Connect, Packet, PacketId, Properties, PropertiesBuf, Property, Publish, QoS, ReasonCode,
    RetainHandling, Subscribe, Subscription, SubscriptionOptions, Topic, Unsubscribe, Version,
    decode,
};
use std::collections::{BTreeSet, HashMap, VecDeque};

/// What all of them have in common: a connection that comes and goes.
#[derive(Debug)]
struct Line {
    id: String,
    version: Version,
    inbox: Vec<u8>,
    is_connected: bool,
    out: Vec<u8>,
}

/// Anybody who can be connected, fed with bytes, and cut off.
pub trait Witness {
    /// Bytes to begin a connection with.
    fn hello(&mut self) -> Vec<u8>;
    /// Takes what came, in any pieces, and gives what is to be sent.
    fn receive(&mut self, bytes: &[u8]) -> Vec<u8>;
    /// The connection is gone.
    fn lose(&mut self);
    /// Whether CONNACK has come.
    fn is_connected(&self) -> bool;
    /// Whether there is nothing more to wait for.
    fn is_done(&self) -> bool;
    /// The client identifier.
    fn id(&self) -> &str;
    /// The version it speaks.
    fn version(&self) -> Version;
}

impl Line {
    fn new(id: &str, version: Version) -> Line {
        Line {
            id: id.to_owned(),
            version,
            inbox: Vec::new(),
            is_connected: false,
            out: Vec::new(),
        }
    }

    fn send(&mut self, packet: &Packet<'_>) {
        packet
            .encode(self.version, &mut self.out)
            .expect("it fits the wire");
    }

    fn hello(&mut self) -> Vec<u8> {
        self.lose();
        let mut properties = PropertiesBuf::new();
        if self.version.is_v5() {
            properties
                .push(Property::SessionExpiryInterval(u32::MAX))
                .expect("it fits the wire");
        }
        let id = self.id.clone();
        self.send(&Packet::Connect(Connect {
            version: self.version,
            clean_start: false,
            keep_alive: 0,
            client_id: &id,
            will: None,
            username: None,
            password: None,
            properties: properties.view(),
        }));
        std::mem::take(&mut self.out)
    }

    fn lose(&mut self) {
        self.inbox.clear();
        self.out.clear();
        self.is_connected = false;
    }
}

/// Calls `handle` with every whole packet that has come.
macro_rules! receive {
    ($self:ident, $bytes:ident) => {{
        $self.line.inbox.extend_from_slice($bytes);
        let inbox = std::mem::take(&mut $self.line.inbox);
        let mut used = 0;
        while let Some((packet, length)) = decode(&inbox[used..], $self.line.version, u32::MAX)
            .expect("the broker's packets are right")
        {
            used += length;
            match &packet {
                Packet::ConnAck(connack) => {
                    assert_eq!(connack.reason, ReasonCode::Success, "{}", $self.line.id);
                    $self.line.is_connected = true;
                    $self.begin(connack.session_present);
                }
                packet => $self.handle(packet),
            }
        }
        $self.line.inbox = inbox[used..].to_vec();
        std::mem::take(&mut $self.line.out)
    }};
}

macro_rules! witness {
    ($name:ident) => {
        impl Witness for $name {
            fn hello(&mut self) -> Vec<u8> {
                self.line.hello()
            }

            fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
                receive!(self, bytes)
            }

            fn lose(&mut self) {
                self.line.lose();
            }

            fn is_connected(&self) -> bool {
                self.line.is_connected
            }

            fn is_done(&self) -> bool {
                self.is_done()
            }

            fn id(&self) -> &str {
                &self.line.id
            }

            fn version(&self) -> Version {
                self.line.version
            }
        }
    };
}

/// A message on its way to the broker.
#[derive(Debug)]
struct Sent {
    id: PacketId,
    number: u64,
    is_received: bool,
}

/// Publishes numbered messages, retained, on a topic of its own, and sends each until it is acknowledged.
#[derive(Debug)]
pub struct Publisher {
    line: Line,
    topic: String,
    qos: QoS,
    window: usize,
    /// How many messages it still has to begin with.
    left: u64,
    sent: VecDeque<Sent>,
    next_id: u16,
    published: u64,
    /// Messages that the broker has acknowledged.
    pub acknowledged: u64,
    /// Messages that the broker has refused because its store takes nothing; they were given up,
    /// and may have been passed on all the same before the connection was lost.
    refused: BTreeSet<u64>,
    had_session: bool,
}

impl Publisher {
    /// One that publishes to `t/ID`, with so many messages on their way at once.
    pub fn new(id: &str, version: Version, qos: QoS, window: usize) -> Publisher {
        Publisher {
            line: Line::new(id, version),
            topic: format!("t/{id}"),
            qos,
            window,
            left: 0,
            sent: VecDeque::new(),
            next_id: 0,
            published: 0,
            acknowledged: 0,
            refused: BTreeSet::new(),
            had_session: false,
        }
    }

    /// So many more messages; returns what is to be sent now.
    pub fn more(&mut self, count: u64) -> Vec<u8> {
        self.left += count;
        if self.line.is_connected {
            self.publish();
        }
        std::mem::take(&mut self.line.out)
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// How many messages it has begun with.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Holds what is retained of its topic against what it was promised: the last message that was
    /// taken, or one behind it that was refused too late.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check_retained(&self, found: Option<&str>) -> Result<(), String> {
        let mut taken = (1..=self.published).filter(|n| !self.refused.contains(n));
        let last = taken.next_back().unwrap_or(0);
        let number = found.map_or(Some(0), |text| text.parse().ok());
        match number {
            Some(number) if number == last => Ok(()),
            Some(number) if number > last && self.refused.contains(&number) => Ok(()),
            _ => Err(format!("{} has retained {found:?}, not {last}", self.topic)),
        }
    }

    fn is_done(&self) -> bool {
        self.left == 0 && self.sent.is_empty()
    }

    fn begin(&mut self, session_present: bool) {
        assert!(
            session_present || !self.had_session,
            "{} has lost its session",
            self.line.id
        );
        self.had_session = true;
        let sent: Vec<_> = self
            .sent
            .iter()
            .map(|sent| (sent.id, sent.number, sent.is_received))
            .collect();
        for (id, number, is_received) in sent {
            match is_received {
                true => self.line.send(&Packet::PubRel(Ack::success(id))),
                false => self.send(id, number, true),
            }
        }
        self.publish();
    }

    fn publish(&mut self) {
        while self.left > 0 && self.sent.len() < self.window {
            self.left -= 1;
            self.next_id = self.next_id % u16::MAX + 1;
            let id = PacketId::new(self.next_id).expect("it is not 0");
            self.published += 1;
            let number = self.published;
            self.sent.push_back(Sent {
                id,
                number,
                is_received: false,
            });
            self.send(id, number, false);
        }
    }

    fn send(&mut self, id: PacketId, number: u64, dup: bool) {
        let (topic, payload) = (self.topic.clone(), number.to_string());
        self.line.send(&Packet::Publish(Publish {
            dup,
            qos: self.qos,
            retain: true,
            topic: Some(Topic::parse(&topic).expect("it is a topic")),
            packet_id: Some(id),
            properties: Properties::EMPTY,
            payload: payload.as_bytes(),
        }));
    }

    fn handle(&mut self, packet: &Packet<'_>) {
        match packet {
            Packet::PubAck(ack) | Packet::PubRec(ack) if ack.reason.is_error() => {
                assert_eq!(ack.reason, ReasonCode::QuotaExceeded, "{}", self.line.id);
                let at = self.sent.iter().position(|s| s.id == ack.packet_id);
                let sent = at.and_then(|at| self.sent.remove(at));
                self.refused.extend(sent.map(|sent| sent.number));
                self.publish();
            }
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                let before = self.sent.len();
                self.sent.retain(|sent| sent.id != ack.packet_id);
                self.acknowledged += (before - self.sent.len()) as u64;
                self.publish();
            }
            Packet::PubRec(ack) => {
                let sent = self.sent.iter_mut().find(|sent| sent.id == ack.packet_id);
                if let Some(sent) = sent {
                    sent.is_received = true;
                }
                self.line.send(&Packet::PubRel(Ack::success(ack.packet_id)));
            }
            other => panic!("a publisher got {other:?}"),
        }
    }
}

witness!(Publisher);

/// Subscribes to `t/#` with QoS 2, once, and writes down what comes.
#[derive(Debug)]
pub struct Subscriber {
    line: Line,
    is_subscribed: bool,
    /// Of QoS 2: received and not released.
    received: BTreeSet<PacketId>,
    /// The numbers that came, by topic, in their order.
    pub heard: HashMap<String, Vec<u64>>,
    had_session: bool,
}

impl Subscriber {
    /// One that has not subscribed yet.
    pub fn new(id: &str, version: Version) -> Subscriber {
        Subscriber {
            line: Line::new(id, version),
            is_subscribed: false,
            received: BTreeSet::new(),
            heard: HashMap::new(),
            had_session: false,
        }
    }

    fn is_done(&self) -> bool {
        self.is_subscribed
    }

    fn begin(&mut self, session_present: bool) {
        assert!(
            session_present || !self.had_session,
            "{} has lost its session",
            self.line.id
        );
        self.had_session = true;
        if !self.is_subscribed {
            subscribe(&mut self.line, "t/#", QoS::ExactlyOnce);
        }
    }

    fn handle(&mut self, packet: &Packet<'_>) {
        match packet {
            Packet::SubAck(_) => self.is_subscribed = true,
            Packet::Publish(publish) => {
                let id = publish.packet_id;
                let is_new = match (publish.qos, id) {
                    (QoS::ExactlyOnce, Some(id)) => {
                        self.line.send(&Packet::PubRec(Ack::success(id)));
                        self.received.insert(id)
                    }
                    (_, Some(id)) => {
                        self.line.send(&Packet::PubAck(Ack::success(id)));
                        true
                    }
                    (_, None) => true,
                };
                // What was retained before the subscription is told from what came for it.
                if is_new && !publish.retain {
                    let topic = publish.topic.expect("no aliases were asked for");
                    let text = std::str::from_utf8(publish.payload).expect("it is text");
                    let number = text.parse().expect("it is a number");
                    let heard = self.heard.entry(topic.to_string()).or_default();
                    heard.push(number);
                }
            }
            Packet::PubRel(ack) => {
                self.received.remove(&ack.packet_id);
                self.line
                    .send(&Packet::PubComp(Ack::success(ack.packet_id)));
            }
            other => panic!("a subscriber got {other:?}"),
        }
    }

    /// Whether all messages of a publisher have come that were not refused.
    pub fn has_all_of(&self, publisher: &Publisher) -> bool {
        let heard = self.heard.get(&publisher.topic);
        let heard: BTreeSet<u64> = heard.into_iter().flatten().copied().collect();
        let mut expected = (1..=publisher.published).filter(|n| !publisher.refused.contains(n));
        expected.all(|n| heard.contains(&n))
    }

    /// Holds what came against what a publisher was promised: all of it, in order, and of QoS 2
    /// each message once. What was refused may be missing.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self, publisher: &Publisher) -> Result<(), String> {
        let empty = Vec::new();
        let heard = self.heard.get(&publisher.topic).unwrap_or(&empty);
        let mut seen = BTreeSet::new();
        let firsts: Vec<u64> = heard.iter().copied().filter(|n| seen.insert(*n)).collect();
        let expected = 1..=publisher.published;
        let expected = expected.filter(|n| seen.contains(n) || !publisher.refused.contains(n));
        let expected: Vec<u64> = expected.collect();
        if firsts != expected {
            let lost: Vec<_> = expected.iter().filter(|n| !seen.contains(n)).collect();
            return Err(match lost.is_empty() {
                true => format!("{} came out of order: {firsts:?}", publisher.topic),
                false => format!("{} lost {lost:?}", publisher.topic),
            });
        }
        if publisher.qos == QoS::ExactlyOnce && heard.len() > firsts.len() {
            return Err(format!("{} came twice: {heard:?}", publisher.topic));
        }
        Ok(())
    }
}

witness!(Subscriber);

/// Makes a subscription and gives it up again, over and over, each time until it is confirmed.
#[derive(Debug)]
pub struct Churner {
    line: Line,
    /// Whether the last thing confirmed was the subscription.
    is_subscribed: bool,
    /// Whether what it asks for was asked for on an earlier connection already.
    is_repeated: bool,
    /// Changes that were confirmed.
    pub confirmed: u64,
}

impl Churner {
    /// One that has not subscribed yet.
    pub fn new(id: &str, version: Version) -> Churner {
        Churner {
            line: Line::new(id, version),
            is_subscribed: false,
            is_repeated: false,
            confirmed: 0,
        }
    }

    fn is_done(&self) -> bool {
        true
    }

    fn begin(&mut self, session_present: bool) {
        self.is_repeated = session_present;
        self.change();
    }

    fn change(&mut self) {
        if !self.is_subscribed {
            subscribe(&mut self.line, "churn/#", QoS::AtLeastOnce);
            return;
        }
        let filters = vec![mqtt_proto::Filter::parse("churn/#").expect("it is a filter")];
        self.line.send(&Packet::Unsubscribe(Unsubscribe {
            packet_id: PacketId::new(1).expect("it is not 0"),
            properties: Properties::EMPTY,
            filters,
        }));
    }

    fn handle(&mut self, packet: &Packet<'_>) {
        match packet {
            Packet::SubAck(suback) if refuses(&suback.reasons) => return self.change(),
            Packet::UnsubAck(unsuback) if refuses(&unsuback.reasons) => return self.change(),
            Packet::SubAck(_) => self.is_subscribed = true,
            Packet::UnsubAck(unsuback) => {
                let existed = unsuback.reasons.first() != Some(&ReasonCode::NoSubscriptionExisted);
                // What was asked for before the connection was lost may have been heard.
                assert!(
                    existed || self.is_repeated,
                    "{} has lost its subscription",
                    self.line.id
                );
                self.is_subscribed = false;
            }
            other => panic!("a churner got {other:?}"),
        }
        self.confirmed += 1;
        self.is_repeated = false;
        self.change();
    }
}

witness!(Churner);

/// Whether the broker's store takes nothing at the moment; there is no other reason to refuse.
fn refuses(reasons: &[ReasonCode]) -> bool {
    let mut errors = reasons.iter().filter(|reason| reason.is_error());
    let is_refused = errors.next().is_some();
    assert!(
        !is_refused || reasons.contains(&ReasonCode::QuotaExceeded),
        "{reasons:?}"
    );
    is_refused
}

fn subscribe(line: &mut Line, filter: &str, qos: QoS) {
    let subscriptions = vec![Subscription {
        filter: mqtt_proto::Filter::parse(filter).expect("it is a filter"),
        options: SubscriptionOptions {
            qos,
            retain_handling: RetainHandling::Send,
            ..SubscriptionOptions::default()
        },
    }];
    line.send(&Packet::Subscribe(Subscribe {
        packet_id: PacketId::new(1).expect("it is not 0"),
        properties: Properties::EMPTY,
        subscriptions,
    }));
}
