//! A client's session: what a client must remember and say, as a pure function of packets and time.
//!
//! A [`Session`] does no I/O and has no clock. Its driver owns the connection and keeps this contract:
//!
//! * A new connection: [`Session::connect`]. A lost one: [`Session::connection_lost`].
//! * Each packet that arrives goes to [`Session::handle`], in order, and the [`Event`] it returns is
//!   acted on before the next one.
//! * Every method that takes `out` appends whole packets to it; they are written in that order.
//! * `now` is in milliseconds from any fixed moment, and never goes back. When
//!   [`Session::next_timeout`] has come, [`Session::handle_timeout`] is called.
//!
//! A session outlives its connections: messages at QoS 1 and 2 that nobody has confirmed are sent
//! again over the next one, and so are the subscriptions if the server has forgotten them.

mod inbound;
mod message;
mod outbound;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use crate::flow::{Incoming, Outgoing};
use crate::{
    Connect, DecodeError, Filter, PacketId, PacketType, Properties, PropertiesBuf, Publish, QoS,
    ReasonCode, SubscriptionOptions, Topic, Version, Will,
};

pub use message::Released;
use message::{InFlight, Stored};

/// The largest packet that MQTT can express, in bytes: the limit where a peer has set none.
pub const MAX_PACKET_SIZE: u32 = 268_435_455 + 5;

/// What a session is opened with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The version to speak.
    pub version: Version,
    /// Empty: the server chooses (not below 3.1.1).
    pub client_id: String,
    /// Whether the first connection begins a new session; below version 5 every one then does.
    pub clean_start: bool,
    /// Seconds; 0 switches pings off.
    pub keep_alive: u16,
    /// User name, if any.
    pub username: Option<String>,
    /// Password, if any.
    pub password: Option<Vec<u8>>,
    /// Published by the server if this client vanishes.
    pub will: Option<WillMessage>,
    /// Properties of CONNECT; left out below version 5.
    pub properties: PropertiesBuf,
    /// Properties of the DISCONNECT that [`Session::disconnect`] sends; left out below version 5.
    pub disconnect_properties: PropertiesBuf,
    /// The most messages at QoS 1 and 2 in flight at once; the server may want fewer.
    pub max_in_flight: u16,
    /// Milliseconds that the server has to answer CONNECT.
    pub connect_timeout: u64,
}

impl Options {
    /// A clean session with an id of the server's choice and a keep alive of 60 seconds.
    pub fn new(version: Version) -> Options {
        Options {
            version,
            client_id: String::new(),
            clean_start: true,
            keep_alive: 60,
            username: None,
            password: None,
            will: None,
            properties: PropertiesBuf::new(),
            disconnect_properties: PropertiesBuf::new(),
            max_in_flight: 20,
            connect_timeout: 30_000,
        }
    }
}

/// An owned [`Will`].
#[derive(Clone, Debug)]
pub struct WillMessage {
    /// Where to.
    pub topic: Box<Topic>,
    /// What.
    pub payload: Vec<u8>,
    /// QoS to publish it with.
    pub qos: QoS,
    /// Whether to retain it.
    pub retain: bool,
    /// Left out below version 5.
    pub properties: PropertiesBuf,
}

/// What a packet from the server meant.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// CONNACK with success: the connection is open.
    Connected(Connected<'a>),
    /// CONNACK with a refusal: the connection is of no more use.
    Refused {
        /// Why.
        reason: ReasonCode,
        /// With the reason string, if the server gave one.
        properties: Properties<'a>,
    },
    /// A message at QoS 0 or 1. At QoS 1 its PUBACK is in `out`.
    Message(Publish<'a>),
    /// A message at QoS 2, at the moment at which it may be used: once, whatever was repeated. Also
    /// one at QoS 0 or 1 whose topic was only an alias: it holds the topic that the alias stands for.
    Released(Released),
    /// A message of ours has ended: delivered, or refused if the reason is an error.
    Published {
        /// The tag given to [`Session::publish`].
        tag: u64,
        /// Success below version 5.
        reason: ReasonCode,
        /// With the reason string, if the server gave one.
        properties: Properties<'a>,
    },
    /// SUBACK.
    Subscribed {
        /// That of the SUBSCRIBE.
        packet_id: PacketId,
        /// One for each filter, in its order.
        reasons: Vec<ReasonCode>,
    },
    /// UNSUBACK.
    Unsubscribed {
        /// That of the UNSUBSCRIBE.
        packet_id: PacketId,
        /// One for each filter; empty below version 5.
        reasons: Vec<ReasonCode>,
    },
    /// The server closes the connection and says why (version 5).
    Disconnected {
        /// Why.
        reason: ReasonCode,
        /// With the reason string or another server's name.
        properties: Properties<'a>,
    },
    /// An acknowledgement of something that is not in flight. It changes nothing.
    UnknownId {
        /// Its type.
        packet: PacketType,
        /// Its packet identifier.
        packet_id: PacketId,
    },
    /// Nothing that a program needs to know.
    Nothing,
}

/// The server's side of an opened connection.
#[derive(Debug)]
pub struct Connected<'a> {
    /// Whether the server had kept this session.
    pub session_present: bool,
    /// All that CONNACK says.
    pub properties: Properties<'a>,
    /// Messages that ended with the server's memory of the session.
    pub abandoned: Vec<Abandoned>,
}

/// A message that will not be sent again, and not be confirmed either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// The tag given to [`Session::publish`].
    pub tag: u64,
    /// Why.
    pub cause: Cause,
}

/// Why a message was abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// At QoS 2 the server had taken the message (PUBREC), then forgot the session before completing
    /// it. It may or may not have been passed on; sending it again could deliver it twice.
    SessionLost,
    /// The server that answered this time does not take such a message.
    Unpublishable(PublishError),
}

/// Why a message cannot be published here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// QoS 0 is for now or never, and there is no connection.
    #[error("there is no connection")]
    NotConnected,
    /// The packet exceeds the server's maximum packet size (version 5).
    #[error("the message takes {size} bytes, and the broker takes {limit} at most")]
    TooLarge {
        /// Bytes of the whole packet.
        size: usize,
        /// The server's limit in bytes.
        limit: u32,
    },
    /// The server takes fewer topic aliases (version 5).
    #[error("the topic alias is {alias}, and {}", match .limit {
        0 => "the broker takes none".to_owned(),
        limit => format!("the broker takes 1 to {limit}"),
    })]
    TopicAlias {
        /// The alias in the message.
        alias: u16,
        /// The server's highest.
        limit: u16,
    },
    /// The server does not offer this QoS (version 5).
    #[error("the broker offers at most QoS {0}")]
    QoSNotSupported(QoS),
    /// The server keeps no retained messages (version 5).
    #[error("the broker does not keep retained messages")]
    RetainNotSupported,
    /// The packet has no wire form.
    #[error(transparent)]
    Encode(#[from] crate::EncodeError),
}

/// The server broke a rule of the protocol; the connection must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} [{clause}]")]
pub struct Violation {
    /// What DISCONNECT says about it in version 5.
    pub reason: ReasonCode,
    /// The standard's clause or section.
    pub clause: &'static str,
    /// What is wrong, in words.
    pub what: &'static str,
}

impl From<DecodeError> for Violation {
    fn from(error: DecodeError) -> Violation {
        Violation {
            reason: error.reason,
            clause: error.clause,
            what: error.what,
        }
    }
}

/// What did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Timeout {
    /// CONNACK.
    #[error("the broker did not answer CONNECT")]
    ConnAck,
    /// PINGRESP, or anything else.
    #[error("the broker did not answer PINGREQ")]
    PingResp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No connection, or one that is of no more use.
    Closed,
    /// CONNECT is sent.
    Connecting,
    /// CONNACK has come.
    Open,
}

/// What the server's CONNACK allows.
#[derive(Clone, Copy, Debug)]
struct Limits {
    receive_maximum: u16,
    max_packet_size: u32,
    max_qos: QoS,
    retain: bool,
    topic_alias_maximum: u16,
}

impl Limits {
    const NONE: Limits = Limits {
        receive_maximum: u16::MAX,
        max_packet_size: MAX_PACKET_SIZE,
        max_qos: QoS::ExactlyOnce,
        retain: true,
        topic_alias_maximum: u16::MAX,
    };
}

/// One subscription that is to hold for as long as the session does.
#[derive(Clone, Debug)]
struct Wanted {
    filters: Vec<(Box<Filter>, SubscriptionOptions)>,
    properties: PropertiesBuf,
    /// Whether the server's present session knows it.
    confirmed: bool,
}

/// Filters to give up, until the server has confirmed it.
#[derive(Clone, Debug)]
struct Unwanted {
    filters: Vec<Box<Filter>>,
    properties: PropertiesBuf,
}

/// A client's session; see the module for how it is driven.
#[derive(Debug)]
pub struct Session {
    options: Options,
    state: State,
    limits: Limits,
    /// Seconds; the server may have chosen another value than the options.
    keep_alive: u16,
    /// Whether CONNACK has ever come: from then on the session is to be resumed.
    established: bool,

    /// Everything that holds a packet identifier: PUBLISH, SUBSCRIBE, UNSUBSCRIBE share one pool.
    in_flight: Outgoing<InFlight>,
    /// How many of those are not messages; the server's receive maximum does not count them.
    requests: u16,
    /// Tags of messages at QoS 2 whose PUBREC has come.
    releasing: HashMap<PacketId, u64>,
    /// Messages in flight that this connection has not carried yet, oldest first.
    unsent: VecDeque<PacketId>,
    /// Messages for which the server's receive maximum has no room yet.
    waiting: VecDeque<Stored>,

    /// The server's messages at QoS 2 that wait for PUBREL, in their wire form.
    incoming: Incoming<Box<[u8]>>,
    /// What the server's topic aliases stand for on this connection, from alias 1 on.
    aliases: Vec<Option<Box<Topic>>>,

    wanted: Vec<Wanted>,
    unwanted: Vec<Unwanted>,

    /// When CONNECT was sent, when anything was sent or received last, when PINGREQ was sent.
    connecting_since: u64,
    last_out: u64,
    last_in: u64,
    ping: Option<u64>,
}

impl Session {
    /// A session that has no connection yet.
    pub fn new(options: Options) -> Session {
        Session {
            keep_alive: options.keep_alive,
            options,
            state: State::Closed,
            limits: Limits::NONE,
            established: false,
            in_flight: Outgoing::default(),
            requests: 0,
            releasing: HashMap::new(),
            unsent: VecDeque::new(),
            waiting: VecDeque::new(),
            incoming: Incoming::default(),
            aliases: Vec::new(),
            wanted: Vec::new(),
            unwanted: Vec::new(),
            connecting_since: 0,
            last_out: 0,
            last_in: 0,
            ping: None,
        }
    }

    /// The version it speaks.
    pub fn version(&self) -> Version {
        self.options.version
    }

    /// The largest packet that the server may send, in bytes [MQTT-3.1.2-24].
    pub fn max_receive_size(&self) -> u32 {
        let allowed = self.options.properties.view().maximum_packet_size();
        allowed
            .filter(|_| self.options.version.is_v5())
            .unwrap_or(MAX_PACKET_SIZE)
    }

    /// The client identifier, the server's choice included once it is known.
    pub fn client_id(&self) -> &str {
        &self.options.client_id
    }

    /// Whether CONNACK has come over the present connection.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// How many messages at QoS 1 and 2 have no room in the server's receive maximum yet; what
    /// bounds the memory of a fast producer.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// How many messages at QoS 1 and 2 are sent and have not ended.
    pub fn in_flight(&self) -> u16 {
        self.in_flight.len() - self.requests
    }

    /// Whether every message given to [`Session::publish`] has ended.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.in_flight.len() == self.requests
    }

    /// The tags of all messages that have not ended, oldest first.
    pub fn unconfirmed(&self) -> impl Iterator<Item = u64> {
        let in_flight = self
            .in_flight
            .iter()
            .filter_map(|entry| match &entry.message {
                Some(InFlight::Message(message)) => Some(message.tag),
                Some(_) => None,
                None => self.releasing.get(&entry.id).copied(),
            });
        in_flight.chain(self.waiting.iter().map(|message| message.tag))
    }

    /// A connection is there: sends CONNECT.
    ///
    /// # Errors
    /// A field of the options is too long for the wire.
    pub fn connect(&mut self, now: u64, out: &mut Vec<u8>) -> Result<(), crate::EncodeError> {
        let options = &self.options;
        let will = options.will.as_ref().map(|will| Will {
            qos: will.qos,
            retain: will.retain,
            topic: &will.topic,
            payload: &will.payload,
            properties: will.properties.view(),
        });
        let connect = Connect {
            version: options.version,
            // A version 5 session with an expiry outlives the connection: it is resumed. Below, a
            // clean session ends with its connection, so that every one begins anew.
            clean_start: options.clean_start && !(self.established && options.version.is_v5()),
            keep_alive: options.keep_alive,
            client_id: &options.client_id,
            will,
            username: options.username.as_deref(),
            password: options.password.as_deref(),
            properties: options.properties.view(),
        };
        crate::Packet::Connect(connect).encode(options.version, out)?;
        self.state = State::Connecting;
        self.aliases.clear(); // [MQTT-3.3.2-7]
        self.limits = Limits::NONE;
        self.ping = None;
        self.connecting_since = now;
        self.last_in = now;
        self.last_out = now;
        Ok(())
    }

    /// The connection is gone. What has not ended waits for the next one.
    pub fn connection_lost(&mut self) {
        self.state = State::Closed;
        self.ping = None;
    }

    /// Lets this many messages be in flight from now on, in place of what the options said. What is
    /// in flight already stays so.
    pub fn set_max_in_flight(&mut self, count: u16) {
        self.options.max_in_flight = count;
    }

    /// Says good-bye, with the properties of the options; nothing may be sent after it. The server
    /// then drops the will, unless `reason` is [`ReasonCode::DisconnectWithWill`]. A client need not
    /// wait for CONNACK to say it (3.1.4): its will is in the server's hands from CONNECT on.
    pub fn disconnect(&mut self, reason: ReasonCode, out: &mut Vec<u8>) {
        let properties = std::mem::take(&mut self.options.disconnect_properties);
        self.end(reason, properties.view(), out);
        self.options.disconnect_properties = properties;
    }

    fn end(&mut self, reason: ReasonCode, properties: Properties<'_>, out: &mut Vec<u8>) {
        if self.state != State::Closed {
            let disconnect = crate::Disconnect { reason, properties };
            let encoded = crate::Packet::Disconnect(disconnect).encode(self.options.version, out);
            debug_assert!(encoded.is_ok(), "no command line fills a DISCONNECT");
        }
        self.state = State::Closed;
    }

    /// The bytes that arrived are no packet: tells the server why, as far as the version can.
    pub fn reject(&mut self, violation: &Violation, out: &mut Vec<u8>) {
        // What has not even answered CONNECT may be no server at all.
        if self.options.version.is_v5() && self.state == State::Open {
            self.end(violation.reason, Properties::EMPTY, out);
        }
        self.state = State::Closed;
    }

    /// When [`Session::handle_timeout`] is to be called, if nothing happens before.
    pub fn next_timeout(&self) -> Option<u64> {
        match self.state {
            State::Closed => None,
            State::Connecting => Some(self.connecting_since + self.options.connect_timeout),
            State::Open if self.keep_alive == 0 => None,
            State::Open => Some(match self.ping {
                Some(sent) => sent.max(self.last_in) + self.keep_alive_ms() / 2,
                // Also when we send all the time: only the server's answers show that it is there.
                None => self.last_out.min(self.last_in) + self.keep_alive_ms(),
            }),
        }
    }

    /// Time has passed: sends PINGREQ if it is due.
    ///
    /// # Errors
    /// The server has been silent for too long; the connection must be closed.
    pub fn handle_timeout(&mut self, now: u64, out: &mut Vec<u8>) -> Result<(), Timeout> {
        if self.next_timeout().is_none_or(|due| now < due) {
            return Ok(());
        }
        match (self.state, self.ping) {
            (State::Connecting, _) => Err(Timeout::ConnAck),
            (_, Some(_)) => Err(Timeout::PingResp),
            (_, None) => {
                out.extend_from_slice(&[0xC0, 0]); // [MQTT-3.1.2-20]
                self.ping = Some(now);
                self.last_out = now;
                Ok(())
            }
        }
    }

    fn keep_alive_ms(&self) -> u64 {
        u64::from(self.keep_alive) * 1000
    }
}
