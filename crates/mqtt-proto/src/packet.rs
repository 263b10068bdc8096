//! The fifteen packets of MQTT as views: names and payloads are borrowed, never copied.

use crate::{Filter, PacketId, Properties, QoS, ReasonCode, Topic, VarInt, Version};

/// The type of a packet, by the number in its first byte (MQTT 5, 2.1.2).
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// Every type, in the order of their numbers.
    pub const ALL: [PacketType; 15] = [
        PacketType::Connect,
        PacketType::ConnAck,
        PacketType::Publish,
        PacketType::PubAck,
        PacketType::PubRec,
        PacketType::PubRel,
        PacketType::PubComp,
        PacketType::Subscribe,
        PacketType::SubAck,
        PacketType::Unsubscribe,
        PacketType::UnsubAck,
        PacketType::PingReq,
        PacketType::PingResp,
        PacketType::Disconnect,
        PacketType::Auth,
    ];

    /// The type that a packet with this first byte has; `None` for the forbidden 0.
    pub fn of_first_byte(byte: u8) -> Option<PacketType> {
        let number = usize::from(byte >> 4);
        PacketType::ALL.get(number.wrapping_sub(1)).copied()
    }

    /// The name in capitals, as the standard and every log write it.
    pub const fn name(self) -> &'static str {
        match self {
            PacketType::Connect => "CONNECT",
            PacketType::ConnAck => "CONNACK",
            PacketType::Publish => "PUBLISH",
            PacketType::PubAck => "PUBACK",
            PacketType::PubRec => "PUBREC",
            PacketType::PubRel => "PUBREL",
            PacketType::PubComp => "PUBCOMP",
            PacketType::Subscribe => "SUBSCRIBE",
            PacketType::SubAck => "SUBACK",
            PacketType::Unsubscribe => "UNSUBSCRIBE",
            PacketType::UnsubAck => "UNSUBACK",
            PacketType::PingReq => "PINGREQ",
            PacketType::PingResp => "PINGRESP",
            PacketType::Disconnect => "DISCONNECT",
            PacketType::Auth => "AUTH",
        }
    }
}

/// Any packet of any version.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    Connect(Connect<'a>),
    ConnAck(ConnAck<'a>),
    Publish(Publish<'a>),
    PubAck(Ack<'a>),
    PubRec(Ack<'a>),
    PubRel(Ack<'a>),
    PubComp(Ack<'a>),
    Subscribe(Subscribe<'a>),
    SubAck(SubAck<'a>),
    Unsubscribe(Unsubscribe<'a>),
    UnsubAck(UnsubAck<'a>),
    PingReq,
    PingResp,
    Disconnect(Disconnect<'a>),
    Auth(Auth<'a>),
}

impl Packet<'_> {
    /// Its type.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Packet::Connect(_) => PacketType::Connect,
            Packet::ConnAck(_) => PacketType::ConnAck,
            Packet::Publish(_) => PacketType::Publish,
            Packet::PubAck(_) => PacketType::PubAck,
            Packet::PubRec(_) => PacketType::PubRec,
            Packet::PubRel(_) => PacketType::PubRel,
            Packet::PubComp(_) => PacketType::PubComp,
            Packet::Subscribe(_) => PacketType::Subscribe,
            Packet::SubAck(_) => PacketType::SubAck,
            Packet::Unsubscribe(_) => PacketType::Unsubscribe,
            Packet::UnsubAck(_) => PacketType::UnsubAck,
            Packet::PingReq => PacketType::PingReq,
            Packet::PingResp => PacketType::PingResp,
            Packet::Disconnect(_) => PacketType::Disconnect,
            Packet::Auth(_) => PacketType::Auth,
        }
    }
}

/// CONNECT: a client asks for a session (MQTT 5, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect<'a> {
    /// The protocol version that the connection will speak.
    pub version: Version,
    /// Whether an earlier session is to be forgotten; below version 5 also whether this one is
    /// to end with the connection (`clean session`).
    pub clean_start: bool,
    /// Seconds; 0 switches it off.
    pub keep_alive: u16,
    /// Empty: the server is to choose one.
    pub client_id: &'a str,
    /// What the server publishes if the client vanishes.
    pub will: Option<Will<'a>>,
    /// User name, if any.
    pub username: Option<&'a str>,
    /// Password, if any: bytes, not text.
    pub password: Option<&'a [u8]>,
    /// Empty below version 5.
    pub properties: Properties<'a>,
}

/// The will in a CONNECT (MQTT 5, 3.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// QoS to publish it with.
    pub qos: QoS,
    /// Whether to retain it.
    pub retain: bool,
    /// Where to.
    pub topic: &'a Topic,
    /// What.
    pub payload: &'a [u8],
    /// Empty below version 5.
    pub properties: Properties<'a>,
}

/// CONNACK: the server's answer to CONNECT (MQTT 5, 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnAck<'a> {
    /// Whether the server had kept a session for the client. MQTT 3.1 cannot say.
    pub session_present: bool,
    /// Below version 5 one of the six return codes, under its name in version 5.
    pub reason: ReasonCode,
    /// Empty below version 5.
    pub properties: Properties<'a>,
}

/// PUBLISH: a message (MQTT 5, 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Whether it may have been sent before.
    pub dup: bool,
    /// Its QoS.
    pub qos: QoS,
    /// Whether it is to be retained, or was.
    pub retain: bool,
    /// `None` where a topic alias stands for it.
    pub topic: Option<&'a Topic>,
    /// There exactly if the QoS is not 0.
    pub packet_id: Option<PacketId>,
    /// Empty below version 5.
    pub properties: Properties<'a>,
    /// The message itself.
    pub payload: &'a [u8],
}

/// PUBACK, PUBREC, PUBREL or PUBCOMP (MQTT 5, 3.4 to 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Which PUBLISH it is about.
    pub packet_id: PacketId,
    /// [`ReasonCode::Success`] below version 5.
    pub reason: ReasonCode,
    /// Empty below version 5.
    pub properties: Properties<'a>,
}

impl Ack<'static> {
    /// Success, without properties.
    pub const fn success(packet_id: PacketId) -> Ack<'static> {
        Ack {
            packet_id,
            reason: ReasonCode::Success,
            properties: Properties::EMPTY,
        }
    }
}

/// What happens to retained messages when a subscription is made (MQTT 5, 3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// They are sent.
    #[default]
    Send = 0,
    /// They are sent only if the subscription did not exist.
    SendIfNew = 1,
    /// They are not sent.
    DoNotSend = 2,
}

/// The options of one subscription (MQTT 5, 3.8.3.1); below version 5 only the QoS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SubscriptionOptions {
    /// The highest QoS to deliver with.
    pub qos: QoS,
    /// Do not send back what this client itself published.
    pub no_local: bool,
    /// Forward the retain flag as it was published.
    pub retain_as_published: bool,
    /// What to do with retained messages now.
    pub retain_handling: RetainHandling,
}

impl SubscriptionOptions {
    /// The options byte of SUBSCRIBE.
    pub const fn to_byte(self) -> u8 {
        self.qos as u8
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }

    /// Reads the options byte; `None` where a bit is reserved or a value is not defined.
    pub fn from_byte(byte: u8) -> Option<SubscriptionOptions> {
        if byte & 0xC0 != 0 {
            return None;
        }
        Some(SubscriptionOptions {
            qos: QoS::new(byte & 3)?,
            no_local: byte & 4 != 0,
            retain_as_published: byte & 8 != 0,
            retain_handling: match byte >> 4 {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => return None,
            },
        })
    }
}

/// One filter of a SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscription<'a> {
    /// What to hear.
    pub filter: &'a Filter,
    /// How.
    pub options: SubscriptionOptions,
}

/// SUBSCRIBE (MQTT 5, 3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// SUBACK will carry it.
    pub packet_id: PacketId,
    /// Empty below version 5.
    pub properties: Properties<'a>,
    /// At least one.
    pub subscriptions: Vec<Subscription<'a>>,
}

impl Subscribe<'_> {
    /// The subscription identifier of all its filters, if there is one (MQTT 5, 3.8.2.1.2).
    pub fn subscription_id(&self) -> Option<VarInt> {
        self.properties.subscription_identifier()
    }
}

/// SUBACK (MQTT 5, 3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubAck<'a> {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// Empty below version 5.
    pub properties: Properties<'a>,
    /// One for each filter. Below version 5 every refusal is 0x80.
    pub reasons: Vec<ReasonCode>,
}

/// UNSUBSCRIBE (MQTT 5, 3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe<'a> {
    /// UNSUBACK will carry it.
    pub packet_id: PacketId,
    /// Empty below version 5.
    pub properties: Properties<'a>,
    /// At least one.
    pub filters: Vec<&'a Filter>,
}

/// UNSUBACK (MQTT 5, 3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsubAck<'a> {
    /// That of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// Empty below version 5.
    pub properties: Properties<'a>,
    /// One for each filter; empty below version 5.
    pub reasons: Vec<ReasonCode>,
}

/// DISCONNECT (MQTT 5, 3.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// [`ReasonCode::Success`] below version 5.
    pub reason: ReasonCode,
    /// Empty below version 5.
    pub properties: Properties<'a>,
}

/// AUTH: version 5 only (MQTT 5, 3.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, continue or re-authenticate.
    pub reason: ReasonCode,
    /// With the authentication method and data.
    pub properties: Properties<'a>,
}
