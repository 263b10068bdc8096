//! Random histories against a model: no QoS 1 lost, QoS 2 exactly once, order kept, no panic.
//!
//! Every client is a correct one, with everything that can happen to a correct client: it answers
//! late and in any order, its network fails with packets on the way in both directions, it comes
//! back with other limits, reads slowly, forgets its session, stays away until that expires. The
//! model knows what the broker was given, and when; so it knows what each client must get.
//!
//! `MQTT_SEED` runs one history, `MQTT_HISTORIES` so many.

mod peer;

use mqtt_broker::log::Levels;
use mqtt_proto::{Filter, Packet, Property, Topic, Version};
use mqtt_testkit::fuzz::Random;
use mqtt_testkit::world::{Client, World, message};
use peer::{Due, Peer, Sent};
use std::num::NonZeroU16;

const CLIENTS: usize = 4;
const STEPS: u64 = 250;
const HISTORIES: u64 = 120;
const TOPICS: [&str; 4] = ["a", "a/b", "b", "ά"];
const FILTERS: [&str; 7] = ["a", "a/b", "b", "#", "+", "a/#", "+/b"];

struct History {
    random: Random,
    world: World,
    peers: Vec<Peer>,
    /// How many messages there were, and how often each was routed.
    routed: Vec<usize>,
    now: u64,
}

/// Says which history it was when a test panics.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was MQTT_SEED={}", self.0);
        }
    }
}

#[test]
fn whatever_happens_every_message_comes_as_its_qos_promises() {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|text: String| text.parse().ok())
    };
    let histories = match number("MQTT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..1 + number("MQTT_HISTORIES").unwrap_or(HISTORIES),
    };
    for seed in histories {
        let told = Told(seed);
        let mut history = History::new(seed);
        for _ in 0..STEPS {
            history.step();
        }
        history.finish();
        drop(told);
    }
}

impl History {
    fn new(seed: u64) -> History {
        let mut random = Random::new(seed);
        let world = World::with(|settings| {
            settings.allow_duplicate_messages = false;
            settings.max_inflight_messages = 1 + random.below(20) as u16;
            settings.max_queued_messages = usize::MAX;
            settings.max_outbox_bytes = 200 + random.below(5000) as usize;
            if random.below(2) == 0 {
                settings.log = Levels::ALL;
            }
        });
        let peers = (0..CLIENTS).map(|n| Peer::new(n, &mut random)).collect();
        History {
            random,
            world,
            peers,
            routed: Vec::new(),
            now: 0,
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.random.below(one_in) == 0
    }

    fn step(&mut self) {
        let at = self.random.below(CLIENTS as u64) as usize;
        if self.peers[at].connection.is_none() {
            if self.chance(3) {
                let is_clean = self.chance(10);
                self.connect(at, is_clean);
            } else {
                let seconds = self.random.below(30);
                self.now += seconds;
                self.world.advance_seconds(seconds);
            }
            return;
        }
        if self.peers[at].is_stalled {
            match self.random.below(4) {
                0 => self.unstall(at),
                1 => self.cut(at),
                _ => self.nibble(at),
            }
            return;
        }
        match self.random.below(20) {
            0..6 => self.publish(at),
            6..11 => self.answer(at),
            11..14 => self.listen(at),
            14 | 15 => self.subscribe(at),
            16 => self.unsubscribe(at),
            17 => self.cut(at),
            18 => {
                self.peers[at].is_stalled = true;
                self.nibble(at);
            }
            _ => self.disconnect(at),
        }
    }

    fn client(&self, at: usize) -> &Client {
        self.peers[at].connection.as_ref().expect("it is connected")
    }

    fn nibble(&mut self, at: usize) {
        let bytes = self.random.below(300) as usize;
        self.client(at).read_only(bytes);
    }

    fn unstall(&mut self, at: usize) {
        self.peers[at].is_stalled = false;
        self.client(at).read_on();
    }

    fn connect(&mut self, at: usize, is_clean: bool) {
        let receive_maximum = 1 + self.random.below(12) as u16;
        let alias_maximum = self.random.below(4) as u16;
        let peer = &mut self.peers[at];
        let gone = u64::from(peer.expiry).saturating_add(peer.away_since) <= self.now;
        if is_clean || (gone && peer.has_session) {
            peer.forget();
        }
        let mut dial = self.world.dial(peer.version, &peer.id);
        let is_v5 = peer.version == Version::V5;
        if is_v5 {
            let maximum = NonZeroU16::new(receive_maximum).expect("it is not 0");
            dial = dial
                .with(Property::SessionExpiryInterval(peer.expiry))
                .with(Property::ReceiveMaximum(maximum))
                .with(Property::TopicAliasMaximum(alias_maximum));
        }
        let client = match is_clean {
            true => dial.connect(),
            false => dial.resuming().connect(),
        };
        if is_clean && !is_v5 {
            // This session would not outlive its connection: it is there to forget the other.
            client.disconnect();
            peer.away_since = self.now;
            return;
        }
        // Version 3.1 cannot say.
        let is_known = peer.has_session && peer.version != Version::V3;
        assert_eq!(client.session_present, is_known, "session present");
        peer.has_session = true;
        peer.is_stalled = false;
        peer.in_flight.clear();
        peer.early.clear();
        peer.aliases.clear();
        peer.receive_maximum = if is_v5 {
            usize::from(receive_maximum)
        } else {
            usize::MAX
        };
        peer.send_maximum = usize::from(client.connack.view().receive_maximum().unwrap_or(1000));
        peer.connection = Some(client);
        self.send_again(at);
    }

    /// After a reconnect a client sends again what is not finished, in order [MQTT-4.4.0-1].
    fn send_again(&mut self, at: usize) {
        let unfinished: Vec<(u16, bool)> = self.peers[at]
            .sent
            .iter()
            .map(|sent| (sent.id, sent.is_released))
            .collect();
        for (id, is_released) in unfinished {
            if is_released {
                self.release(at, id);
            } else {
                self.send_publish(at, id, true);
            }
        }
    }

    fn cut(&mut self, at: usize) {
        self.client(at).cut();
        self.lose(at);
    }

    fn disconnect(&mut self, at: usize) {
        self.client(at)
            .send(&Packet::Disconnect(mqtt_proto::Disconnect {
                reason: mqtt_proto::ReasonCode::Success,
                properties: mqtt_proto::Properties::EMPTY,
            }));
        assert!(!self.client(at).is_open());
        self.lose(at);
    }

    /// The connection is gone, and perhaps with it what had come and was not looked at.
    fn lose(&mut self, at: usize) {
        if self.chance(2) {
            self.look(at);
        }
        let forgets = !self.chance(3);
        let peer = &mut self.peers[at];
        peer.connection = None;
        peer.away_since = self.now;
        if forgets {
            peer.due.clear();
        } else {
            // Acknowledgements that an application may still make when it is back.
            peer.due
                .retain(|due| matches!(due, Due::Ack(_) | Due::Rec(_)));
        }
    }

    fn publish(&mut self, at: usize) {
        let qos = self.random.below(3) as u8;
        let topic = TOPICS[self.random.below(TOPICS.len() as u64) as usize];
        let padding = ".".repeat(self.random.below(200) as usize);
        let number = self.routed.len();
        let peer = &mut self.peers[at];
        if qos > 0 && peer.sent.len() >= peer.send_maximum.min(30) {
            return;
        }
        self.routed.push(0);
        let mut message = message(topic, format!("{number} {padding}")).qos(qos);
        if qos == 0 {
            self.client(at).publish(message);
            self.route(topic, number, qos);
            return;
        }
        while {
            peer.next_id = peer.next_id % u16::MAX + 1;
            peer.sent.iter().any(|sent| sent.id == peer.next_id)
        } {}
        let id = peer.next_id;
        message.id = id;
        peer.sent.push(Sent {
            id,
            message,
            number,
            is_released: false,
            is_held: false,
        });
        if self.chance(12) {
            // It is lost on its way, and the connection with it.
            self.cut(at);
        } else {
            self.send_publish(at, id, false);
        }
    }

    fn send_publish(&mut self, at: usize, id: u16, again: bool) {
        let peer = &mut self.peers[at];
        let client = peer.connection.as_ref().expect("it is connected");
        let sent = peer
            .sent
            .iter_mut()
            .find(|sent| sent.id == id)
            .expect("it was sent");
        let message = sent.message.clone();
        sent.is_held |= message.qos == 2;
        let (number, qos, topic) = (sent.number, message.qos, message.topic.clone());
        client.publish(if again { message.again() } else { message });
        if qos == 1 {
            self.route(&topic, number, qos);
        }
    }

    fn release(&mut self, at: usize, id: u16) {
        let peer = &mut self.peers[at];
        peer.connection
            .as_ref()
            .expect("it is connected")
            .pubrel(id);
        let Some(sent) = peer.sent.iter_mut().find(|sent| sent.id == id) else {
            return;
        };
        if std::mem::take(&mut sent.is_held) {
            let (number, topic) = (sent.number, sent.message.topic.clone());
            self.route(&topic, number, 2);
        }
    }

    /// The broker has taken a message: who must get it?
    fn route(&mut self, topic: &str, number: usize, published: u8) {
        self.routed[number] += 1;
        let topic = Topic::parse(topic).expect("it is a topic");
        for peer in &mut self.peers {
            if peer.connection.is_none()
                && u64::from(peer.expiry).saturating_add(peer.away_since) <= self.now
            {
                continue;
            }
            let matching = peer.subscriptions.iter().filter(|(filter, _)| {
                Filter::parse(filter)
                    .expect("it is a filter")
                    .matches(topic)
            });
            let Some(subscribed) = matching.map(|(_, qos)| *qos).max() else {
                continue;
            };
            match published.min(subscribed) {
                0 => peer.hoped.push(number),
                qos => peer.expected.push((number, qos)),
            }
        }
    }

    fn subscribe(&mut self, at: usize) {
        let filter = FILTERS[self.random.below(FILTERS.len() as u64) as usize];
        let qos = self.random.below(3) as u8;
        self.look(at);
        // What has come in the meantime is looked at first, so that SUBACK is next.
        assert_eq!(self.client(at).subscribe(filter, qos).value(), qos);
        self.peers[at].subscriptions.insert(filter, qos);
    }

    fn unsubscribe(&mut self, at: usize) {
        let filter = FILTERS[self.random.below(FILTERS.len() as u64) as usize];
        self.look(at);
        let existed = self.peers[at].subscriptions.remove(filter).is_some();
        let code = self.client(at).unsubscribe(filter).value();
        if self.peers[at].version == Version::V5 {
            assert_eq!(code == 0, existed, "UNSUBACK {code:x}");
        }
    }

    fn listen(&mut self, at: usize) {
        self.look(at);
    }

    /// Looks at everything that has come.
    fn look(&mut self, at: usize) {
        let History { peers, routed, .. } = self;
        let peer = &mut peers[at];
        let client = peer.connection.take().expect("it is connected");
        while client.next(|packet| peer.handle(packet, routed)).is_some() {}
        peer.connection = Some(client);
    }

    /// Gives one of the answers that are due, whichever.
    fn answer(&mut self, at: usize) {
        if self.peers[at].due.is_empty() {
            return;
        }
        let which = self.random.below(self.peers[at].due.len() as u64) as usize;
        let due = self.peers[at].due.remove(which);
        let client = self.client(at);
        match due {
            Due::Ack(id) => client.puback(id),
            Due::Rec(id) => client.pubrec(id),
            Due::Comp(id) => client.pubcomp(id),
            Due::Rel(id) => return self.release(at, id),
        }
        if let Due::Ack(id) | Due::Comp(id) = due {
            let peer = &mut self.peers[at];
            if !peer.in_flight.remove(&id) {
                peer.early.insert(id);
            }
        }
    }

    /// Everybody comes back and answers everything.
    fn finish(mut self) {
        for at in 0..CLIENTS {
            if self.peers[at].connection.is_none() {
                self.connect(at, false);
            } else if self.peers[at].is_stalled {
                self.unstall(at);
            }
        }
        loop {
            let mut is_quiet = true;
            for at in 0..CLIENTS {
                self.look(at);
                while !self.peers[at].due.is_empty() {
                    is_quiet = false;
                    self.answer(at);
                    self.look(at);
                }
            }
            if is_quiet {
                break;
            }
        }
        for peer in &self.peers {
            peer.check(&self.routed);
        }
        let census = self.world.engine(|engine, now| engine.census(now));
        assert_eq!(
            census.stored, census.retained,
            "something is left in a session"
        );
    }
}
