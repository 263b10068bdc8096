//! rumqttc at our broker, in 3.1.1 and 5: every QoS, retained messages, wills, sessions.

use mqtt_testkit::broker::BrokerProcess;
use std::collections::VecDeque;
use std::time::Duration;

/// No answer takes longer than this, on a busy machine either.
const LIMIT: Duration = Duration::from_secs(30);

/// What a client has been told.
#[derive(Clone, Debug, PartialEq)]
enum Heard {
    /// With whether the broker has kept a session.
    Connected(bool),
    Subscribed,
    /// A message of ours has gone out at QoS 0, or is acknowledged.
    Published,
    Message(Message),
    Disconnected,
}

#[derive(Clone, Debug, PartialEq)]
struct Message {
    topic: String,
    payload: String,
    qos: u8,
    retain: bool,
}

fn message(topic: &str, payload: &str, qos: u8, retain: bool) -> Message {
    Message {
        topic: topic.to_owned(),
        payload: payload.to_owned(),
        qos,
        retain,
    }
}

/// How to connect.
#[derive(Clone, Copy)]
struct Options {
    port: u16,
    id: &'static str,
    durable: bool,
    /// The topic of a will that says "gone".
    will: Option<&'static str>,
}

/// Both of rumqttc's clients, which share no types.
trait Client: Sized {
    fn start(options: Options) -> Self;
    fn ask_subscribe(&self, filter: &str, qos: u8);
    fn ask_publish(&self, message: &Message);
    fn ask_disconnect(&self);
    /// The next event that tells something.
    fn next(&mut self) -> Heard;
}

/// Implements [`Client`] with the types of one version, which the module around it names.
macro_rules! client {
    () => {
        pub struct Stranger {
            client: Client,
            connection: Connection,
        }

        impl super::Client for Stranger {
            fn start(options: Options) -> Stranger {
                let (client, connection) = Client::new(mqtt_options(options), 10);
                Stranger { client, connection }
            }

            fn ask_subscribe(&self, filter: &str, qos: u8) {
                self.client
                    .subscribe(filter, QOS[usize::from(qos)])
                    .unwrap();
            }

            fn ask_publish(&self, message: &Message) {
                let Message {
                    topic,
                    payload,
                    qos,
                    retain,
                } = message;
                let qos = QOS[usize::from(*qos)];
                self.client
                    .publish(topic, qos, *retain, payload.clone())
                    .unwrap();
            }

            fn ask_disconnect(&self) {
                self.client.disconnect().unwrap();
            }

            fn next(&mut self) -> Heard {
                loop {
                    let event = self.connection.recv_timeout(LIMIT).expect("an event");
                    match event.expect("the connection holds") {
                        Event::Incoming(Packet::ConnAck(connack)) => {
                            return Heard::Connected(connack.session_present);
                        }
                        Event::Incoming(Packet::SubAck(_)) => return Heard::Subscribed,
                        Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))
                        | Event::Outgoing(Outgoing::Publish(0)) => return Heard::Published,
                        Event::Incoming(Packet::Publish(publish)) => {
                            return Heard::Message(Message {
                                topic: text(publish.topic),
                                payload: text(publish.payload),
                                qos: publish.qos as u8,
                                retain: publish.retain,
                            });
                        }
                        Event::Outgoing(Outgoing::Disconnect) => return Heard::Disconnected,
                        _ => {}
                    }
                }
            }
        }

        const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

        fn text(bytes: impl Into<Vec<u8>>) -> String {
            String::from_utf8(bytes.into()).unwrap()
        }
    };
}

mod v4 {
    use super::{Heard, LIMIT, Message, Options};
    use ::rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Outgoing, Packet, QoS};

    client!();

    fn mqtt_options(options: Options) -> MqttOptions {
        let mut all = MqttOptions::new(options.id, "127.0.0.1", options.port);
        all.set_clean_session(!options.durable);
        if let Some(topic) = options.will {
            all.set_last_will(LastWill::new(topic, "gone", QoS::AtLeastOnce, false));
        }
        all
    }
}

mod v5 {
    use super::{Heard, LIMIT, Message, Options};
    use ::rumqttc::Outgoing;
    use ::rumqttc::v5::mqttbytes::QoS;
    use ::rumqttc::v5::mqttbytes::v5::{LastWill, Packet};
    use ::rumqttc::v5::{Client, Connection, Event, MqttOptions};

    client!();

    fn mqtt_options(options: Options) -> MqttOptions {
        let mut all = MqttOptions::new(options.id, "127.0.0.1", options.port);
        all.set_clean_start(!options.durable);
        if options.durable {
            all.set_session_expiry_interval(Some(100));
        }
        if let Some(topic) = options.will {
            let will = LastWill::new(topic, "gone", QoS::AtLeastOnce, false, None);
            all.set_last_will(will);
        }
        all
    }
}

/// A client with what it has heard while it was waiting for something else.
struct Session<C> {
    client: C,
    messages: VecDeque<Message>,
}

impl<C: Client> Session<C> {
    /// Connects; also says whether the broker has kept a session.
    fn connect(options: Options) -> (Session<C>, bool) {
        let mut client = C::start(options);
        let Heard::Connected(session_present) = client.next() else {
            panic!("CONNACK comes first");
        };
        let messages = VecDeque::new();
        (Session { client, messages }, session_present)
    }

    fn wait(&mut self, wanted: &Heard) {
        loop {
            match self.client.next() {
                heard if heard == *wanted => return,
                Heard::Message(message) => self.messages.push_back(message),
                other => panic!("expected {wanted:?}, got {other:?}"),
            }
        }
    }

    fn subscribe(&mut self, filter: &str, qos: u8) {
        self.client.ask_subscribe(filter, qos);
        self.wait(&Heard::Subscribed);
    }

    fn publish(&mut self, message: &Message) {
        self.client.ask_publish(message);
        self.wait(&Heard::Published);
    }

    fn message(&mut self) -> Message {
        if let Some(message) = self.messages.pop_front() {
            return message;
        }
        match self.client.next() {
            Heard::Message(message) => message,
            other => panic!("expected a message, got {other:?}"),
        }
    }

    fn leave(mut self) {
        self.client.ask_disconnect();
        self.wait(&Heard::Disconnected);
    }
}

fn options(broker: &BrokerProcess, id: &'static str) -> Options {
    Options {
        port: broker.port(),
        id,
        durable: false,
        will: None,
    }
}

fn check_qos<C: Client>() {
    let broker = BrokerProcess::open();
    let (mut publisher, _) = Session::<C>::connect(options(&broker, "pub"));
    for granted in 0..3 {
        let (mut subscriber, _) = Session::<C>::connect(options(&broker, "sub"));
        subscriber.subscribe("αίθουσα/+", granted);
        for sent in 0..3 {
            let message = message("αίθουσα/ένα", "κείμενο", sent, false);
            publisher.publish(&message);
            let expected = Message {
                qos: sent.min(granted),
                ..message
            };
            assert_eq!(subscriber.message(), expected, "{sent} to {granted}");
        }
        subscriber.leave();
    }
}

fn check_retained<C: Client>() {
    let broker = BrokerProcess::open();
    let (mut publisher, _) = Session::<C>::connect(options(&broker, "pub"));
    publisher.publish(&message("state", "old", 1, true));
    publisher.publish(&message("state", "new", 1, true));
    let (mut subscriber, _) = Session::<C>::connect(options(&broker, "sub"));
    subscriber.subscribe("state", 1);
    assert_eq!(subscriber.message(), message("state", "new", 1, true));
    publisher.publish(&message("state", "", 1, true));
    assert_eq!(subscriber.message(), message("state", "", 1, false));
    let (mut late, _) = Session::<C>::connect(options(&broker, "late"));
    late.subscribe("state", 1);
    publisher.publish(&message("state", "live", 1, false));
    assert_eq!(late.message(), message("state", "live", 1, false));
}

fn check_sessions<C: Client>() {
    let broker = BrokerProcess::open();
    let durable = Options {
        durable: true,
        ..options(&broker, "owner")
    };
    let (mut owner, present) = Session::<C>::connect(durable);
    assert!(!present, "nothing was kept yet");
    owner.subscribe("t", 2);
    owner.leave();
    broker.expect_log("Received DISCONNECT from owner\n");
    let (mut publisher, _) = Session::<C>::connect(options(&broker, "pub"));
    let sent: Vec<Message> = (0..6)
        .map(|n| message("t", &n.to_string(), 1 + n % 2, false))
        .collect();
    for message in &sent {
        publisher.publish(message);
    }
    let (mut owner, present) = Session::<C>::connect(durable);
    assert!(present, "the session was to be kept");
    for message in sent {
        assert_eq!(owner.message(), message);
    }
    owner.leave();
    let (owner, present) = Session::<C>::connect(options(&broker, "owner"));
    assert!(!present, "a clean start ends a session");
    owner.leave();
    let (_, present) = Session::<C>::connect(durable);
    assert!(!present, "the clean start has ended it");
}

fn check_will<C: Client>() {
    let broker = BrokerProcess::open();
    let (mut watcher, _) = Session::<C>::connect(options(&broker, "watcher"));
    watcher.subscribe("state", 1);
    let with_will = Options {
        will: Some("state"),
        ..options(&broker, "owner")
    };
    let (owner, _) = Session::<C>::connect(with_will);
    owner.leave();
    broker.expect_log("Received DISCONNECT from owner\n");
    let (owner, _) = Session::<C>::connect(with_will);
    // The first one's will would come before this.
    watcher.publish(&message("state", "marker", 1, false));
    drop(owner);
    assert_eq!(watcher.message(), message("state", "marker", 1, false));
    assert_eq!(watcher.message(), message("state", "gone", 1, false));
}

/// A test for each version.
macro_rules! tests {
    ($($check:ident: $v4:ident, $v5:ident;)*) => {
        $(
            #[test]
            fn $v4() {
                $check::<v4::Stranger>();
            }

            #[test]
            fn $v5() {
                $check::<v5::Stranger>();
            }
        )*
    };
}

tests! {
    check_qos: rumqttc_3_1_1_exchanges_messages_of_every_qos, rumqttc_5_exchanges_messages_of_every_qos;
    check_retained: rumqttc_3_1_1_finds_retained_messages, rumqttc_5_finds_retained_messages;
    check_sessions: rumqttc_3_1_1_comes_back_to_its_session, rumqttc_5_comes_back_to_its_session;
    check_will: rumqttc_3_1_1_leaves_a_will, rumqttc_5_leaves_a_will;
}
