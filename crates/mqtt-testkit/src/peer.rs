//! A client made by hand: it sends any bytes, and says exactly what comes back.

use mqtt_proto::{Ack, Connect, Packet, PacketId, Properties, QoS, Topic, Version, decode};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No answer takes longer than this, on a busy machine either.
const LIMIT: Duration = Duration::from_secs(60);

/// One connection to a broker, with blocking calls.
#[derive(Debug)]
pub struct RawPeer {
    stream: TcpStream,
    version: Version,
    read: Vec<u8>,
}

impl RawPeer {
    /// Opens a connection and sends nothing.
    ///
    /// # Panics
    /// If nobody listens there.
    #[track_caller]
    pub fn open(address: SocketAddr, version: Version) -> RawPeer {
        let stream = TcpStream::connect(address).expect("the broker listens");
        stream.set_nodelay(true).expect("TCP has this option");
        stream
            .set_read_timeout(Some(LIMIT))
            .expect("the limit is not zero");
        RawPeer {
            stream,
            version,
            read: Vec::new(),
        }
    }

    /// Opens a connection, begins a clean session, and expects to be accepted.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    pub fn connect(address: SocketAddr, version: Version, client_id: &str) -> RawPeer {
        let connect = RawPeer::hello(version, client_id);
        let (peer, _) = RawPeer::connect_with(address, &connect);
        peer
    }

    /// The CONNECT of [`connect`](Self::connect), to be changed.
    pub fn hello(version: Version, client_id: &str) -> Connect<'_> {
        Connect {
            version,
            clean_start: true,
            keep_alive: 60,
            client_id,
            will: None,
            username: None,
            password: None,
            properties: Properties::EMPTY,
        }
    }

    /// Opens a connection with this CONNECT; also says whether the broker has kept a session.
    ///
    /// # Panics
    /// If it is refused.
    #[track_caller]
    pub fn connect_with(address: SocketAddr, connect: &Connect<'_>) -> (RawPeer, bool) {
        let mut peer = RawPeer::open(address, connect.version);
        peer.send(&Packet::Connect(*connect));
        let session_present = peer.receive(|packet| match packet {
            Packet::ConnAck(connack) if !connack.reason.is_error() => connack.session_present,
            other => panic!("expected an accepting CONNACK, got {other:?}"),
        });
        (peer, session_present)
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// If the broker has closed the connection.
    #[track_caller]
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("the connection is open");
    }

    /// Sends a packet.
    ///
    /// # Panics
    /// If it has no wire form, or the broker has closed the connection.
    #[track_caller]
    pub fn send(&mut self, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet
            .encode(self.version, &mut bytes)
            .expect("the packet can be sent");
        self.send_bytes(&bytes);
    }

    /// Waits for the next packet and hands it to `look`.
    ///
    /// # Panics
    /// If the connection ends, nothing comes, or what comes is malformed.
    #[track_caller]
    pub fn receive<R>(&mut self, look: impl FnOnce(Packet<'_>) -> R) -> R {
        let used = self.fill_packet();
        let (packet, _) = decode(&self.read, self.version, u32::MAX)
            .expect("it was decoded before")
            .expect("it was whole before");
        let seen = look(packet);
        self.read.drain(..used);
        seen
    }

    #[track_caller]
    fn fill_packet(&mut self) -> usize {
        loop {
            match decode(&self.read, self.version, u32::MAX) {
                Ok(Some((_, used))) => return used,
                Ok(None) => {}
                Err(error) => panic!("the broker sent {}: {error}", show(&self.read)),
            }
            let count = self.read_more();
            assert!(
                count > 0,
                "the connection has ended; not a whole packet: {}",
                show(&self.read)
            );
        }
    }

    /// Waits for more; 0 is the end, a reset connection's too.
    #[track_caller]
    fn read_more(&mut self) -> usize {
        let mut block = [0; 4096];
        match self.stream.read(&mut block) {
            Ok(count) => {
                self.read.extend_from_slice(&block[..count]);
                count
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("nothing comes: {error}; so far {}", show(&self.read)),
        }
    }

    /// Waits for exactly this packet.
    ///
    /// # Panics
    /// If another comes, or none.
    #[track_caller]
    pub fn expect(&mut self, expected: &Packet<'_>) {
        self.receive(|got| assert_eq!(&got, expected, "left: what came, right: what should"));
    }

    /// Waits for exactly these bytes.
    ///
    /// # Panics
    /// If others come, or too few.
    #[track_caller]
    pub fn expect_bytes(&mut self, expected: &[u8]) {
        while self.read.len() < expected.len() && self.read_more() > 0 {}
        let count = expected.len().min(self.read.len());
        let got: Vec<u8> = self.read.drain(..count).collect();
        assert_eq!(
            show(&got),
            show(expected),
            "left: what came, right: what should"
        );
    }

    /// Waits until the broker closes the connection without sending anything more.
    ///
    /// # Panics
    /// If it sends something, or does not close.
    #[track_caller]
    pub fn expect_closed(&mut self) {
        while self.read_more() > 0 {}
        assert_eq!(show(&self.read), "", "the broker sent this (left)");
    }

    /// Whether anything comes within `limit`, or has come: for peers of which silence is expected.
    ///
    /// # Panics
    /// If the system refuses the limit, which it does only if it is zero.
    pub fn is_answered(&mut self, limit: Duration) -> bool {
        self.stream
            .set_read_timeout(Some(limit))
            .expect("the limit is not zero");
        let mut block = [0; 4096];
        let count = self.stream.read(&mut block).unwrap_or(0);
        self.read.extend_from_slice(&block[..count]);
        self.stream
            .set_read_timeout(Some(LIMIT))
            .expect("the limit is not zero");
        !self.read.is_empty()
    }

    /// Sends PINGREQ and expects PINGRESP to be the next that comes: nothing else was on its way.
    ///
    /// # Panics
    /// If something else comes first.
    #[track_caller]
    pub fn expect_nothing(&mut self) {
        self.send(&Packet::PingReq);
        self.expect(&Packet::PingResp);
    }

    /// Subscribes to one filter with packet identifier 1, and expects to be granted the QoS.
    ///
    /// # Panics
    /// If it is refused, or granted less.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str, qos: QoS) {
        let filter = mqtt_proto::Filter::parse(filter).expect("the test subscribes to a filter");
        let options = mqtt_proto::SubscriptionOptions {
            qos,
            ..Default::default()
        };
        self.send(&Packet::Subscribe(mqtt_proto::Subscribe {
            packet_id: FIRST,
            properties: Properties::EMPTY,
            subscriptions: vec![mqtt_proto::Subscription { filter, options }],
        }));
        self.receive(|packet| match packet {
            Packet::SubAck(suback) => assert_eq!(
                suback.reasons.iter().map(|r| r.value()).collect::<Vec<_>>(),
                [qos as u8]
            ),
            other => panic!("expected SUBACK, got {other:?}"),
        });
    }

    /// Publishes and sees the message acknowledged as its QoS wants it.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, payload: &[u8], qos: QoS, retain: bool) {
        self.send(&Packet::Publish(mqtt_proto::Publish {
            dup: false,
            qos,
            retain,
            topic: Some(Topic::parse(topic).expect("the test publishes to a topic")),
            packet_id: (qos != QoS::AtMostOnce).then_some(FIRST),
            properties: Properties::EMPTY,
            payload,
        }));
        let id_of = |packet: Packet<'_>| match packet {
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => ack.packet_id,
            other => panic!("expected an acknowledgement, got {other:?}"),
        };
        if qos != QoS::AtMostOnce {
            assert_eq!(self.receive(id_of), FIRST);
        }
        if qos == QoS::ExactlyOnce {
            self.send(&Packet::PubRel(Ack::success(FIRST)));
            assert_eq!(self.receive(id_of), FIRST);
        }
    }

    /// Closes the connection with a reset, as the system does where a program ends and leaves
    /// bytes unread.
    ///
    /// # Panics
    /// If the system has no such way to close.
    pub fn reset(self) {
        socket2::SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .expect("TCP has this option");
    }

    /// Says goodbye, and waits until the broker has closed the connection.
    ///
    /// # Panics
    /// If it sends something instead, or does not close.
    #[track_caller]
    pub fn disconnect(mut self) {
        self.send(&Packet::Disconnect(mqtt_proto::Disconnect {
            reason: mqtt_proto::ReasonCode::Success,
            properties: Properties::EMPTY,
        }));
        self.expect_closed();
    }
}

const FIRST: PacketId = match PacketId::new(1) {
    Some(id) => id,
    None => unreachable!(),
};

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
