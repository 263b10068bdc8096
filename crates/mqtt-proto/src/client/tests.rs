//! A session against raw packets: what it writes, what it says, what it keeps.

mod connecting;
mod publishing;
mod receiving;
mod reconnecting;
mod subscribing;

use super::*;
use crate::{Packet, decode};

const V4_CONNACK: &[u8] = &[0x20, 2, 0, 0];
const V4_CONNACK_PRESENT: &[u8] = &[0x20, 2, 1, 0];

/// A session with its clock and what it has written.
struct Bench {
    session: Session,
    out: Vec<u8>,
    now: u64,
}

impl Bench {
    fn new(options: Options) -> Bench {
        Bench {
            session: Session::new(options),
            out: Vec::new(),
            now: 0,
        }
    }

    /// A durable session, connected.
    fn durable(version: Version) -> Bench {
        let mut options = Options::new(version);
        options.client_id = "me".into();
        options.clean_start = false;
        let mut bench = Bench::new(options);
        bench.connect();
        bench.receive(if version.is_v5() {
            &[0x20, 3, 0, 0, 0]
        } else {
            V4_CONNACK
        });
        bench
    }

    fn connect(&mut self) {
        self.session.connect(self.now, &mut self.out).unwrap();
        self.out.clear();
    }

    /// Feeds packets; returns a short form of each event.
    fn receive(&mut self, mut bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        while !bytes.is_empty() {
            let version = self.session.version();
            let (packet, used) = decode(bytes, version, MAX_PACKET_SIZE)
                .unwrap()
                .expect("a whole packet");
            bytes = &bytes[used..];
            match self.session.handle(&packet, self.now, &mut self.out) {
                Ok(event) => events.push(short(&event)),
                Err(violation) => events.push(format!("violation {:#x}", violation.reason.value())),
            }
        }
        events
    }

    fn publish(&mut self, tag: u64, qos: u8, payload: &str) -> Result<(), PublishError> {
        let publish = message(qos, payload);
        self.session.publish(tag, &publish, self.now, &mut self.out)
    }

    #[track_caller]
    fn expect(&mut self, expected: &[&[u8]]) {
        assert_eq!(self.out, expected.concat(), "what was written");
        self.out.clear();
    }

    fn reconnect(&mut self, connack: &[u8]) -> Vec<String> {
        self.session.connection_lost();
        self.connect();
        self.receive(connack)
    }
}

fn message(qos: u8, payload: &str) -> Publish<'_> {
    Publish {
        dup: false,
        qos: QoS::new(qos).unwrap(),
        retain: false,
        topic: Some(Topic::parse("t").unwrap()),
        packet_id: None,
        properties: Properties::EMPTY,
        payload: payload.as_bytes(),
    }
}

fn short(event: &Event<'_>) -> String {
    match event {
        Event::Connected(c) => format!("connected {} {:?}", c.session_present, c.abandoned),
        Event::Refused { reason, .. } => format!("refused {:#x}", reason.value()),
        Event::Message(m) => format!("message {}", String::from_utf8_lossy(m.payload)),
        Event::Released(m) => format!("released {}", String::from_utf8_lossy(m.publish().payload)),
        Event::Published { tag, reason, .. } => format!("published {tag} {:#x}", reason.value()),
        Event::Subscribed { packet_id, reasons } => {
            format!(
                "subscribed {packet_id} {:?}",
                reasons.iter().map(|r| r.value()).collect::<Vec<_>>()
            )
        }
        Event::Unsubscribed { packet_id, .. } => format!("unsubscribed {packet_id}"),
        Event::Disconnected { reason, .. } => format!("disconnected {:#x}", reason.value()),
        Event::UnknownId { packet, packet_id } => format!("unknown {} {packet_id}", packet.name()),
        Event::Nothing => "nothing".into(),
    }
}

fn filters(names: &[&str]) -> Vec<(Box<Filter>, SubscriptionOptions)> {
    names
        .iter()
        .map(|n| {
            (
                Filter::parse(n).unwrap().into(),
                SubscriptionOptions::default(),
            )
        })
        .collect()
}
