//! A broker that was killed and started again is, for a durable client, a broken network cable: the
//! same script is played with either, and each packet that a client gets is the same.

use mqtt_proto::{Packet, PacketId, Property, RetainHandling, SubscriptionOptions, Version};
use mqtt_testkit::world::disk::SimDisk;
use mqtt_testkit::world::{Client, Dial, World, message};
use std::collections::BTreeSet;
use std::num::NonZeroU16;

/// What happens to the clients of the script in its middle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outage {
    /// The connections of all are cut, and the broker goes on.
    Cable,
    /// The broker is killed, and another one starts on its store.
    Kill,
}

/// A script, as it is played with one kind of outage.
struct Play {
    world: World,
    outage: Outage,
    version: Version,
    /// Every packet that a client got, and who.
    heard: Vec<String>,
    /// Identifiers of messages that were sent for the first time after the outage, and to whom. Any
    /// that is free may be given, and a broker that starts anew gives others.
    given: BTreeSet<(String, PacketId)>,
    is_after: bool,
}

impl Play {
    fn new(outage: Outage, version: Version) -> Play {
        let world = World::with_store(&SimDisk::new(), |settings| {
            settings.max_inflight_messages = 20;
            settings.queue_head = 4;
        });
        Play {
            world,
            outage,
            version,
            heard: Vec::new(),
            given: BTreeSet::new(),
            is_after: false,
        }
    }

    fn dial(&self, id: &str) -> Dial {
        self.world.dial(self.version, id).durable()
    }

    fn is_v5(&self) -> bool {
        self.version == Version::V5
    }

    /// For so many seconds nobody is connected.
    fn break_down(&mut self, clients: &[&Client], seconds: u64) {
        self.is_after = true;
        match self.outage {
            Outage::Cable => {
                clients.iter().for_each(|client| client.cut());
                self.world.advance_seconds(seconds);
            }
            Outage::Kill => {
                self.world.restart(SimDisk::kill).expect("the store opens");
                self.world.advance_seconds(seconds);
            }
        }
    }

    /// Writes down what has come for a client, without answering.
    fn listen(&mut self, who: &str, client: &Client) {
        while client.next(|packet| self.note(who, packet)).is_some() {}
    }

    fn note(&mut self, who: &str, packet: &Packet<'_>) {
        let mut words = format!("{who} gets {packet:?}");
        let id = match packet {
            Packet::Publish(publish) => publish.packet_id,
            Packet::PubRel(ack) => Some(ack.packet_id),
            _ => None,
        };
        if let Some(id) = id {
            let given = (who.to_owned(), id);
            match packet {
                Packet::Publish(publish) if self.is_after && !publish.dup => {
                    self.given.insert(given.clone());
                }
                Packet::Publish(_) => {
                    self.given.remove(&given);
                }
                _ => {}
            }
            if self.given.contains(&given) {
                words = words.replace(&format!("{id:?}"), "free");
            }
        }
        self.heard.push(words);
    }

    /// Writes down what comes, and acknowledges it, until nothing more comes.
    fn drain(&mut self, who: &str, client: &Client) {
        enum Due {
            Nothing,
            PubAck(u16),
            PubRec(u16),
            PubComp(u16),
        }
        while let Some(due) = client.next(|packet| {
            self.note(who, packet);
            match packet {
                Packet::Publish(publish) => match (publish.qos as u8, publish.packet_id) {
                    (1, Some(id)) => Due::PubAck(id.get()),
                    (2, Some(id)) => Due::PubRec(id.get()),
                    _ => Due::Nothing,
                },
                Packet::PubRel(ack) => Due::PubComp(ack.packet_id.get()),
                _ => Due::Nothing,
            }
        }) {
            match due {
                Due::Nothing => {}
                Due::PubAck(id) => client.puback(id),
                Due::PubRec(id) => client.pubrec(id),
                Due::PubComp(id) => client.pubcomp(id),
            }
        }
    }

    fn subscribe(&self, client: &Client, filter: &str, qos: u8, identifier: u32) {
        if !self.is_v5() {
            client.subscribe(filter, qos);
            return;
        }
        let options = SubscriptionOptions {
            qos: mqtt_proto::QoS::new(qos).expect("a QoS"),
            retain_as_published: identifier % 2 == 1,
            no_local: identifier % 3 == 1,
            retain_handling: RetainHandling::Send,
        };
        client.subscribe_with(filter, options, Some(identifier));
    }
}

/// Lets something play with both kinds of outage and compares what the clients got.
fn compare(version: Version, script: fn(&mut Play)) {
    let [cable, kill] = [Outage::Cable, Outage::Kill].map(|outage| {
        let mut play = Play::new(outage, version);
        script(&mut play);
        play.heard
    });
    assert!(cable.len() > 3, "{cable:#?}");
    for (at, (cable, kill)) in cable.iter().zip(&kill).enumerate() {
        assert_eq!(kill, cable, "packet {at} in MQTT {version:?}");
    }
    assert_eq!(kill.len(), cable.len(), "{kill:#?}\n{cable:#?}");
}

fn compare_both(script: fn(&mut Play)) {
    compare(Version::V4, script);
    compare(Version::V5, script);
}

#[test]
fn messages_on_their_way_to_the_client_in_each_state() {
    compare_both(|play| {
        let client = play.dial("c").connect();
        play.subscribe(&client, "a/+", 2, 7);
        play.subscribe(&client, "a/1", 1, 8);
        let publisher = play.world.v4("p").connect();
        for (n, qos) in [(1, 1), (2, 2), (3, 2), (4, 1), (5, 2), (6, 0), (7, 1)] {
            let to = format!("a/{}", n % 3);
            publisher.deliver(message(&to, n.to_string()).qos(qos));
        }
        let came = client.hear_all();
        let of_qos_2: Vec<_> = came.iter().filter(|m| m.qos == 2).collect();
        // The first waits for PUBREC, the second for PUBCOMP, the third is done; one of QoS 1 is
        // acknowledged out of order.
        client.pubrec(of_qos_2[1].id);
        client.pubrec(of_qos_2[2].id);
        play.listen("c", &client);
        client.pubcomp(of_qos_2[2].id);
        let last = came.iter().rfind(|m| m.qos == 1).expect("there is one");
        client.puback(last.id);
        play.break_down(&[&client, &publisher], 10);
        let client = play.dial("c").connect();
        play.heard
            .push(format!("present: {}", client.session_present));
        play.drain("c", &client);
        let publisher = play.world.v4("p").connect();
        for n in 8..12 {
            publisher.deliver(message("a/1", n.to_string()).qos(n % 3));
        }
        play.drain("c", &client);
    });
}

#[test]
fn a_queue_longer_than_what_may_be_in_flight_and_in_memory() {
    compare_both(|play| {
        let dial = play.dial("c");
        let dial = match play.is_v5() {
            true => dial.with(Property::ReceiveMaximum(
                NonZeroU16::new(3).expect("not zero"),
            )),
            false => dial,
        };
        let client = dial.connect();
        play.subscribe(&client, "a", 2, 1);
        let publisher = play.world.v4("p").connect();
        for n in 0..60_u32 {
            let qos = u8::try_from(n % 2 + 1).expect("1 or 2");
            publisher.deliver(message("a", n.to_string()).qos(qos));
        }
        play.listen("c", &client);
        play.break_down(&[&client, &publisher], 10);
        let client = play.dial("c").connect();
        play.drain("c", &client);
    });
}

#[test]
fn messages_on_their_way_from_the_client_in_each_state() {
    compare_both(|play| {
        let other = play.dial("other").connect();
        play.subscribe(&other, "a/#", 2, 3);
        let client = play.dial("c").connect();
        for n in 1..=4 {
            client.publish(message("a/b", n.to_string()).qos(2).id(n));
        }
        client.pubrel(1);
        client.pubrel(2);
        play.listen("c", &client);
        play.break_down(&[&client, &other], 10);
        let client = play.dial("c").connect();
        // PUBCOMP was lost, PUBREC was lost, both came.
        client.pubrel(2);
        client.publish(message("a/b", "3").qos(2).id(3).again());
        client.pubrel(3);
        client.pubrel(4);
        client.publish(message("a/b", "5").qos(2).id(1));
        client.pubrel(1);
        client.publish(message("a/b", "6").qos(1).id(9));
        play.listen("c", &client);
        let other = play.dial("other").connect();
        play.drain("other", &other);
    });
}

#[test]
fn subscriptions_with_their_options_and_shared_ones() {
    compare_both(|play| {
        let client = play.dial("c").connect();
        for (n, (filter, qos)) in [
            ("a/#", 1),
            ("a/+", 2),
            ("b", 0),
            ("$share/g/s", 1),
            ("gone", 1),
        ]
        .into_iter()
        .enumerate()
        {
            if !play.is_v5() || !filter.starts_with('$') {
                play.subscribe(&client, filter, qos, u32::try_from(n).expect("few") + 1);
            } else {
                client.subscribe(filter, qos);
            }
        }
        let member = play.dial("member").connect();
        member.subscribe("$share/g/s", 1);
        client.unsubscribe("gone");
        play.break_down(&[&client, &member], 10);
        let client = play.dial("c").connect();
        let member = play.dial("member").connect();
        for (topic, qos) in [
            ("a/1", 2),
            ("a/1/2", 2),
            ("b", 1),
            ("gone", 1),
            ("s", 1),
            ("s", 1),
        ] {
            let id = client.publish(message(topic, "own").qos(qos).retained());
            if qos == 2 {
                client.pubrel(id);
            }
            play.drain("c", &client);
        }
        let publisher = play.world.v4("p").connect();
        for topic in ["a/1", "b", "s", "s", "s"] {
            publisher.deliver(message(topic, "other").qos(2).retained());
        }
        play.drain("c", &client);
        play.drain("member", &member);
        member.cut();
        let reasons = [client.unsubscribe("a/#"), client.unsubscribe("gone")];
        play.heard.push(format!("{reasons:?}"));
    });
}

#[test]
fn what_expires_does_so_during_the_outage_too() {
    compare(Version::V5, |play| {
        let expiring = |text: &str, seconds| {
            message("a/e", text)
                .qos(1)
                .with(Property::MessageExpiryInterval(seconds))
        };
        let client = play.dial("c").connect();
        play.subscribe(&client, "a/#", 1, 1);
        let brief = play.world.v5("brief");
        let brief = brief
            .resuming()
            .with(Property::SessionExpiryInterval(5))
            .connect();
        brief.subscribe("a/#", 1);
        brief.disconnect();
        let publisher = play.world.v5("p").connect();
        publisher.deliver(expiring("in flight", 5));
        play.listen("c", &client);
        client.cut();
        publisher.deliver(expiring("too short", 5));
        publisher.deliver(expiring("long enough", 100));
        for (topic, seconds) in [("r/1", 5), ("r/2", 100)] {
            let retained = message(topic, topic)
                .qos(1)
                .retained()
                .with(Property::MessageExpiryInterval(seconds));
            publisher.deliver(retained);
        }
        play.break_down(&[&publisher], 10);
        let client = play.dial("c").connect();
        play.drain("c", &client);
        let late = play.world.v5("late").connect();
        late.subscribe("r/#", 1);
        play.drain("late", &late);
        let brief = play.world.v5("brief").resuming().connect();
        play.heard
            .push(format!("brief present: {}", brief.session_present));
        play.drain("brief", &brief);
    });
}

#[test]
fn wills_of_those_who_stay_away_and_of_those_who_come_back() {
    compare(Version::V5, |play| {
        let reader = play.dial("reader").connect();
        play.subscribe(&reader, "will/#", 1, 1);
        let dial = |play: &Play, id: &str, delay: u32| {
            let will = message(&format!("will/{id}"), "lost").qos(1).retained();
            let will = match delay {
                0 => will,
                delay => will.with(Property::WillDelayInterval(delay)),
            };
            play.dial(id).will(will).connect()
        };
        let clients =
            [("at-once", 0), ("later", 30), ("back", 30)].map(|(id, delay)| dial(play, id, delay));
        let gone = dial(play, "gone-before", 60);
        gone.cut();
        let left = dial(play, "left", 0);
        left.disconnect();
        let [a, b, c] = &clients;
        play.break_down(&[&reader, a, b, c], 10);
        let reader = play.dial("reader").connect();
        play.drain("reader", &reader);
        let back = play.dial("back").connect();
        play.drain("back", &back);
        for _ in 0..10 {
            play.world.advance_seconds(10);
            play.drain("reader", &reader);
        }
        let late = play.world.v5("late").connect();
        late.subscribe("will/#", 1);
        play.drain("late", &late);
    });
}

#[test]
fn retained_messages_that_were_still_to_be_sent_for_a_new_subscription() {
    compare_both(|play| {
        let publisher = play.world.v4("p").connect();
        for n in 0..50_u32 {
            let qos = u8::try_from(n % 2 + 1).expect("1 or 2");
            publisher.deliver(
                message(&format!("r/{n:02}"), n.to_string())
                    .qos(qos)
                    .retained(),
            );
        }
        publisher.deliver(message("r/10", "").qos(1).retained());
        let client = play.dial("c").connect();
        play.subscribe(&client, "r/#", 2, 5);
        play.listen("c", &client);
        play.break_down(&[&client, &publisher], 10);
        let client = play.dial("c").connect();
        play.drain("c", &client);
    });
}

#[test]
fn topic_aliases_begin_anew() {
    compare(Version::V5, |play| {
        let dial = |play: &Play| {
            play.dial("c")
                .with(Property::TopicAliasMaximum(5))
                .connect()
        };
        let client = dial(play);
        play.subscribe(&client, "a/#", 1, 1);
        let publisher = play.world.v4("p").connect();
        publisher.deliver(message("a/1", "1").qos(1));
        publisher.deliver(message("a/1", "2").qos(1));
        play.listen("c", &client);
        play.break_down(&[&client, &publisher], 10);
        let client = dial(play);
        play.drain("c", &client);
        let publisher = play.world.v4("p").connect();
        publisher.deliver(message("a/1", "3").qos(1));
        play.drain("c", &client);
    });
}
