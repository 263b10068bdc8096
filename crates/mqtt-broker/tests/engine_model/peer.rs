//! A correct client with its half of the session, and what the model expects for it.

use super::TOPICS;
use mqtt_proto::{Packet, Version};
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::world::{Client, Message};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a client has published and not finished.
pub(super) struct Sent {
    pub(super) id: u16,
    pub(super) message: Message,
    pub(super) number: usize,
    /// PUBREC has come.
    pub(super) is_released: bool,
    /// The broker has the PUBLISH of QoS 2 and not its PUBREL.
    pub(super) is_held: bool,
}

/// What a client owes the broker.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Due {
    Ack(u16),
    Rec(u16),
    Rel(u16),
    Comp(u16),
}

/// A client, its half of the session, and what the model expects for it.
pub(super) struct Peer {
    pub(super) id: String,
    pub(super) version: Version,
    pub(super) expiry: u32,
    /// `None`: it is away, since then.
    pub(super) connection: Option<Client>,
    pub(super) away_since: u64,
    pub(super) has_session: bool,
    pub(super) is_stalled: bool,
    pub(super) receive_maximum: usize,
    pub(super) send_maximum: usize,
    pub(super) aliases: HashMap<u16, String>,
    pub(super) subscriptions: BTreeMap<&'static str, u8>,
    pub(super) sent: Vec<Sent>,
    pub(super) next_id: u16,
    pub(super) due: Vec<Due>,
    /// QoS 2 identifiers that were received and not released.
    pub(super) received_ids: BTreeSet<u16>,
    /// PUBLISH packets of this connection that are not acknowledged in full.
    pub(super) in_flight: BTreeSet<u16>,
    /// Acknowledged on this connection before the PUBLISH of this connection was looked at.
    pub(super) early: BTreeSet<u16>,
    /// What must come at QoS 1 or 2, in this order; with the QoS.
    pub(super) expected: Vec<(usize, u8)>,
    /// What has come at QoS 1 or 2: how often it was passed on, in the order of the first time.
    pub(super) heard: Vec<usize>,
    pub(super) times: HashMap<usize, usize>,
    /// What may come at QoS 0.
    pub(super) hoped: Vec<usize>,
    pub(super) heard_0: Vec<usize>,
}

impl Peer {
    pub(super) fn new(n: usize, random: &mut Random) -> Peer {
        let version =
            [Version::V3, Version::V4, Version::V5, Version::V5][random.below(4) as usize];
        let expiry = match random.below(3) {
            0 if version == Version::V5 => 120,
            _ => u32::MAX,
        };
        Peer {
            id: format!("c{n}"),
            version,
            expiry,
            connection: None,
            away_since: 0,
            has_session: false,
            is_stalled: false,
            receive_maximum: 0,
            send_maximum: 0,
            aliases: HashMap::new(),
            subscriptions: BTreeMap::new(),
            sent: Vec::new(),
            next_id: 0,
            due: Vec::new(),
            received_ids: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            early: BTreeSet::new(),
            expected: Vec::new(),
            heard: Vec::new(),
            times: HashMap::new(),
            hoped: Vec::new(),
            heard_0: Vec::new(),
        }
    }

    /// The session is over, at both ends.
    pub(super) fn forget(&mut self) {
        self.has_session = false;
        self.subscriptions.clear();
        self.sent.clear();
        self.due.clear();
        self.received_ids.clear();
        self.expected.clear();
        self.heard.clear();
        self.times.clear();
        self.hoped.clear();
        self.heard_0.clear();
    }

    pub(super) fn handle(&mut self, packet: &Packet<'_>, routed: &[usize]) {
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish, routed),
            Packet::PubAck(ack) => self.sent.retain(|sent| sent.id != ack.packet_id.get()),
            Packet::PubRec(ack) => {
                let id = ack.packet_id.get();
                if let Some(sent) = self.sent.iter_mut().find(|sent| sent.id == id) {
                    sent.is_released = true;
                    self.due.push(Due::Rel(id));
                }
            }
            Packet::PubComp(ack) => self.sent.retain(|sent| sent.id != ack.packet_id.get()),
            Packet::PubRel(ack) => {
                self.received_ids.remove(&ack.packet_id.get());
                self.due.push(Due::Comp(ack.packet_id.get()));
            }
            other => panic!("{} got {other:?}", self.id),
        }
    }

    fn handle_publish(&mut self, publish: &mqtt_proto::Publish<'_>, routed: &[usize]) {
        let text = std::str::from_utf8(publish.payload).expect("payloads are text");
        let number: usize = text
            .split(' ')
            .next()
            .expect("there is one")
            .parse()
            .expect("it is a number");
        let topic = match (publish.topic, publish.properties.topic_alias()) {
            (Some(topic), Some(alias)) => {
                self.aliases.insert(alias, topic.as_str().to_owned());
                topic.as_str()
            }
            (Some(topic), None) => topic.as_str(),
            (None, alias) => &self.aliases[&alias.expect("a topic or an alias")],
        };
        assert!(TOPICS.contains(&topic), "{topic}");
        let Some(id) = publish.packet_id.map(mqtt_proto::PacketId::get) else {
            assert!(
                self.hoped.contains(&number),
                "{} did not ask for {number} at QoS 0",
                self.id
            );
            self.heard_0.push(number);
            return;
        };
        if !self.early.contains(&id) {
            self.in_flight.insert(id);
        }
        assert!(
            self.in_flight.len() <= self.receive_maximum,
            "{} takes {} at once, not {:?}",
            self.id,
            self.receive_maximum,
            self.in_flight,
        );
        let qos = publish.qos as u8;
        assert!(
            self.expected.contains(&(number, qos)),
            "{} did not ask for {number} at QoS {qos}",
            self.id
        );
        let is_new = qos == 1 || self.received_ids.insert(id);
        if is_new {
            let times = self.times.entry(number).or_default();
            *times += 1;
            let is_repeat = *times > 1;
            assert!(
                !is_repeat || publish.dup || routed[number] > 1,
                "{number} again without DUP"
            );
            if !is_repeat {
                self.heard.push(number);
            }
        }
        self.due
            .push(if qos == 1 { Due::Ack(id) } else { Due::Rec(id) });
    }

    /// All of QoS 1 has come, all of QoS 2 once, and all in order.
    pub(super) fn check(&self, routed: &[usize]) {
        let mut expected: Vec<usize> = Vec::new();
        let mut seen = BTreeSet::new();
        for &(number, qos) in &self.expected {
            if seen.insert(number) {
                expected.push(number);
            }
            if qos == 2 {
                assert_eq!(routed[number], 1, "{number} was routed more than once");
                assert_eq!(
                    self.times.get(&number),
                    Some(&1),
                    "{} got {number} not once",
                    self.id
                );
            }
        }
        assert_eq!(
            self.heard, expected,
            "what {} got, and what it should have got",
            self.id
        );
        // Some of QoS 0 may be missing; the rest is in order.
        let mut hoped = self.hoped.iter();
        let is_in_order = self
            .heard_0
            .iter()
            .all(|number| hoped.any(|next| next == number));
        assert!(
            is_in_order,
            "{} at QoS 0: {:?} of {:?}",
            self.id, self.heard_0, self.hoped
        );
    }
}
