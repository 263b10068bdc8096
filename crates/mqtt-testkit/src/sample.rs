//! Valid packets of every type and version, made from arbitrary bytes.
//!
//! One generator serves property tests, the seeded fuzz driver and `cargo fuzz`: whatever bytes
//! they come up with are read as a list of choices, and few or small bytes give a small packet,
//! so that shrinking the bytes shrinks the packet.

use mqtt_proto::{
    Ack, Auth, ConnAck, Connect, Disconnect, Filter, Packet, PacketId, PacketType, Place,
    PropertiesBuf, Property, PropertyId, Publish, QoS, ReasonCode, RetainHandling, SubAck,
    Subscribe, Subscription, SubscriptionOptions, Topic, UnsubAck, Unsubscribe, VarInt, Version,
    Will,
};
use std::num::{NonZeroU16, NonZeroU32};

/// Bytes read as choices; when they run out, every choice is the first one.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    /// Choices out of `bytes`, from the front.
    pub const fn new(bytes: &'a [u8]) -> Choices<'a> {
        Choices { rest: bytes }
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else {
            return 0;
        };
        self.rest = rest;
        first
    }

    /// A number below `limit`, which is at most 256 and not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit
    }

    /// Yes or no; no when nothing is left.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A two-byte number.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A four-byte number.
    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    /// One of `options`, which are not empty.
    pub fn one_of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())]
    }

    /// Text of the characters that MQTT allows, at most `most` characters.
    pub fn text(&mut self, most: usize) -> String {
        const LETTERS: [&str; 16] = [
            "a", "b", "c", "0", " ", "α", "ώ", "Ω", "é", "漢", "🦀", "\u{FEFF}", "\u{FFFD}", "$",
            "~", "\"",
        ];
        let length = self.below(most + 1);
        (0..length).map(|_| self.one_of(&LETTERS)).collect()
    }

    /// Bytes: mostly few, now and then as many as make a length field grow.
    pub fn blob(&mut self) -> Vec<u8> {
        let length = match self.byte() {
            n @ 0..=199 => usize::from(n) % 24,
            n @ 200..=249 => 100 + usize::from(n),
            n => 16_300 + usize::from(n - 250) * 24,
        };
        let filler = self.byte();
        let taken = length.min(self.rest.len());
        let (front, rest) = self.rest.split_at(taken);
        self.rest = rest;
        let mut blob = front.to_vec();
        blob.resize(length, filler);
        blob
    }

    /// A topic name.
    pub fn topic(&mut self) -> String {
        let levels: Vec<String> = (0..=self.below(4)).map(|_| self.text(4)).collect();
        let topic = levels.join("/");
        if topic.is_empty() {
            "t".to_owned()
        } else {
            topic
        }
    }

    /// A topic filter, shared now and then.
    pub fn filter(&mut self) -> String {
        let mut levels: Vec<String> = (0..=self.below(4))
            .map(|_| match self.below(4) {
                0 => "+".to_owned(),
                _ => self.text(3),
            })
            .collect();
        if self.below(4) == 3 {
            levels.push("#".to_owned());
        }
        let mut filter = levels.join("/");
        if filter.is_empty() {
            filter.push('+');
        }
        if self.below(8) == 7 {
            filter = format!("$share/g{}/{filter}", self.below(3));
        }
        filter
    }

    fn packet_id(&mut self) -> PacketId {
        PacketId::new(self.u16()).unwrap_or(PacketId::new(u16::MAX).expect("it is not zero"))
    }

    fn qos(&mut self) -> QoS {
        self.one_of(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
    }
}

/// What a sample's packet borrows from.
#[derive(Clone, Debug)]
pub struct Sample {
    version: Version,
    kind: PacketType,
    words: [String; 3],
    topic: String,
    filters: Vec<String>,
    blobs: [Vec<u8>; 2],
    properties: PropertiesBuf,
    will_properties: PropertiesBuf,
    rest: Vec<u8>,
}

impl Sample {
    /// The packet that these choices lead to, of any version and type.
    pub fn new(bytes: &[u8]) -> Sample {
        let mut choices = Choices::new(bytes);
        let version = choices.one_of(&[Version::V5, Version::V4, Version::V3]);
        let kind = choices.one_of(&PacketType::ALL);
        Sample::of(kind, version, choices.rest)
    }

    /// A packet of this type and version; there is no AUTH below version 5, so PINGREQ is made.
    pub fn of(kind: PacketType, version: Version, bytes: &[u8]) -> Sample {
        let kind = match kind {
            PacketType::Auth if !version.is_v5() => PacketType::PingReq,
            kind => kind,
        };
        let mut choices = Choices::new(bytes);
        let mut properties = PropertiesBuf::new();
        let mut will_properties = PropertiesBuf::new();
        if version.is_v5() {
            if let Some(place) = place(kind) {
                properties = properties_of(place, &mut choices);
            }
            if kind == PacketType::Connect {
                will_properties = properties_of(Place::WILL, &mut choices);
            }
        }
        Sample {
            version,
            kind,
            words: [choices.text(20), choices.text(20), choices.text(20)],
            topic: choices.topic(),
            filters: (0..=choices.below(5)).map(|_| choices.filter()).collect(),
            blobs: [choices.blob(), choices.blob()],
            properties,
            will_properties,
            rest: choices.rest.to_vec(),
        }
    }

    /// The version to encode the packet for.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The packet: valid, and in the form that decoding gives it.
    pub fn packet(&self) -> Packet<'_> {
        let mut choices = Choices::new(&self.rest);
        let choices = &mut choices;
        match self.kind {
            PacketType::Connect => Packet::Connect(self.connect(choices)),
            PacketType::ConnAck => Packet::ConnAck(self.connack(choices)),
            PacketType::Publish => Packet::Publish(self.publish(choices)),
            PacketType::PubAck => Packet::PubAck(self.ack(choices)),
            PacketType::PubRec => Packet::PubRec(self.ack(choices)),
            PacketType::PubRel => Packet::PubRel(self.ack(choices)),
            PacketType::PubComp => Packet::PubComp(self.ack(choices)),
            PacketType::Subscribe => Packet::Subscribe(self.subscribe(choices)),
            PacketType::SubAck => Packet::SubAck(self.suback(choices)),
            PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe {
                packet_id: choices.packet_id(),
                properties: self.properties.view(),
                filters: self.filters().collect(),
            }),
            PacketType::UnsubAck => Packet::UnsubAck(self.unsuback(choices)),
            PacketType::PingReq => Packet::PingReq,
            PacketType::PingResp => Packet::PingResp,
            PacketType::Disconnect => Packet::Disconnect(Disconnect {
                reason: self.reason(choices),
                properties: self.properties.view(),
            }),
            PacketType::Auth => Packet::Auth(Auth {
                reason: self.reason(choices),
                properties: self.properties.view(),
            }),
        }
    }

    fn topic(&self) -> &Topic {
        Topic::parse(&self.topic).expect("it was put together as a topic name")
    }

    fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.filters
            .iter()
            .map(|text| Filter::parse(text).expect("it was put together as a filter"))
    }

    fn reason(&self, choices: &mut Choices<'_>) -> ReasonCode {
        if !self.version.is_v5() {
            return ReasonCode::Success;
        }
        let allowed: Vec<ReasonCode> = ReasonCode::ALL
            .iter()
            .copied()
            .filter(|code| code.is_allowed_in(self.kind))
            .collect();
        choices.one_of(&allowed)
    }

    fn connect(&self, choices: &mut Choices<'_>) -> Connect<'_> {
        let will = choices.flag().then(|| Will {
            qos: choices.qos(),
            retain: choices.flag(),
            topic: self.topic(),
            payload: &self.blobs[0],
            properties: self.will_properties.view(),
        });
        let username = choices.flag().then_some(self.words[1].as_str());
        let may_have_password = username.is_some() || self.version.is_v5();
        Connect {
            version: self.version,
            clean_start: choices.flag(),
            keep_alive: choices.u16(),
            client_id: &self.words[0],
            will,
            username,
            password: (choices.flag() && may_have_password).then_some(self.blobs[1].as_slice()),
            properties: self.properties.view(),
        }
    }

    fn connack(&self, choices: &mut Choices<'_>) -> ConnAck<'_> {
        let reason = if self.version.is_v5() {
            self.reason(choices)
        } else {
            ReasonCode::from_v3_return_code(choices.below(6) as u8)
                .expect("the six return codes are defined")
        };
        ConnAck {
            session_present: choices.flag() && self.version != Version::V3,
            reason,
            properties: self.properties.view(),
        }
    }

    fn publish(&self, choices: &mut Choices<'_>) -> Publish<'_> {
        let qos = choices.qos();
        let by_alias = self.properties.view().topic_alias().is_some() && choices.flag();
        Publish {
            dup: choices.flag() && qos != QoS::AtMostOnce,
            qos,
            retain: choices.flag(),
            topic: (!by_alias).then(|| self.topic()),
            packet_id: (qos != QoS::AtMostOnce).then(|| choices.packet_id()),
            properties: self.properties.view(),
            payload: &self.blobs[0],
        }
    }

    fn ack(&self, choices: &mut Choices<'_>) -> Ack<'_> {
        Ack {
            packet_id: choices.packet_id(),
            reason: self.reason(choices),
            properties: self.properties.view(),
        }
    }

    fn subscribe(&self, choices: &mut Choices<'_>) -> Subscribe<'_> {
        let v5 = self.version.is_v5();
        Subscribe {
            packet_id: choices.packet_id(),
            properties: self.properties.view(),
            subscriptions: self
                .filters()
                .map(|filter| Subscription {
                    filter,
                    options: SubscriptionOptions {
                        qos: choices.qos(),
                        no_local: v5 && choices.flag() && filter.share().is_none(),
                        retain_as_published: v5 && choices.flag(),
                        retain_handling: choices.one_of(if v5 {
                            &[
                                RetainHandling::Send,
                                RetainHandling::SendIfNew,
                                RetainHandling::DoNotSend,
                            ]
                        } else {
                            &[RetainHandling::Send]
                        }),
                    },
                })
                .collect(),
        }
    }

    fn suback(&self, choices: &mut Choices<'_>) -> SubAck<'_> {
        const OLD: [ReasonCode; 4] = [
            ReasonCode::Success,
            ReasonCode::GrantedQoS1,
            ReasonCode::GrantedQoS2,
            ReasonCode::UnspecifiedError,
        ];
        SubAck {
            packet_id: choices.packet_id(),
            properties: self.properties.view(),
            reasons: (0..self.filters.len())
                .map(|_| {
                    if self.version.is_v5() {
                        self.reason(choices)
                    } else {
                        choices.one_of(&OLD)
                    }
                })
                .collect(),
        }
    }

    fn unsuback(&self, choices: &mut Choices<'_>) -> UnsubAck<'_> {
        let count = if self.version.is_v5() {
            self.filters.len()
        } else {
            0
        };
        UnsubAck {
            packet_id: choices.packet_id(),
            properties: self.properties.view(),
            reasons: (0..count).map(|_| self.reason(choices)).collect(),
        }
    }
}

/// Where the properties of a packet of this type stand, if it has any.
pub fn place(kind: PacketType) -> Option<Place> {
    Some(match kind {
        PacketType::Connect => Place::CONNECT,
        PacketType::ConnAck => Place::CONNACK,
        PacketType::Publish => Place::PUBLISH,
        PacketType::PubAck => Place::PUBACK,
        PacketType::PubRec => Place::PUBREC,
        PacketType::PubRel => Place::PUBREL,
        PacketType::PubComp => Place::PUBCOMP,
        PacketType::Subscribe => Place::SUBSCRIBE,
        PacketType::SubAck => Place::SUBACK,
        PacketType::Unsubscribe => Place::UNSUBSCRIBE,
        PacketType::UnsubAck => Place::UNSUBACK,
        PacketType::Disconnect => Place::DISCONNECT,
        PacketType::Auth => Place::AUTH,
        PacketType::PingReq | PacketType::PingResp => return None,
    })
}

fn properties_of(place: Place, choices: &mut Choices<'_>) -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    for &id in PropertyId::ALL {
        let times = match id {
            // AUTH is nothing without it, and authentication data neither.
            PropertyId::AuthenticationMethod if place == Place::AUTH => 1,
            PropertyId::AuthenticationData
                if properties.view().authentication_method().is_none() =>
            {
                0
            }
            PropertyId::UserProperty => choices.below(4).saturating_sub(1),
            PropertyId::SubscriptionIdentifier if place == Place::PUBLISH => {
                choices.below(5).saturating_sub(2)
            }
            _ => choices.below(3) / 2,
        };
        if id.is_allowed_in(place) {
            for _ in 0..times {
                push(&mut properties, id, choices);
            }
        }
    }
    properties
}

fn push(properties: &mut PropertiesBuf, id: PropertyId, choices: &mut Choices<'_>) {
    let (text, more, blob, topic) = (
        choices.text(10),
        choices.text(4),
        choices.blob(),
        choices.topic(),
    );
    let property = property(id, choices, (&text, &more), &blob, &topic);
    properties
        .push(property)
        .expect("no value is longer than its length field can say");
}

/// A property with any value that is allowed for it.
fn property<'a>(
    id: PropertyId,
    choices: &mut Choices<'_>,
    (text, more): (&'a str, &'a str),
    blob: &'a [u8],
    topic: &'a str,
) -> Property<'a> {
    let flag = choices.flag();
    let number = choices.u32();
    let small = number as u16;
    let not_zero = NonZeroU16::new(small).unwrap_or(NonZeroU16::MAX);
    match id {
        PropertyId::PayloadFormatIndicator => Property::PayloadFormatIndicator(flag),
        PropertyId::MessageExpiryInterval => Property::MessageExpiryInterval(number),
        PropertyId::ContentType => Property::ContentType(text),
        PropertyId::ResponseTopic => {
            Property::ResponseTopic(Topic::parse(topic).expect("it was put together as a topic"))
        }
        PropertyId::CorrelationData => Property::CorrelationData(blob),
        PropertyId::SubscriptionIdentifier => Property::SubscriptionIdentifier(
            VarInt::new((number & 0x0FFF_FFFF).max(1)).expect("it has at most 28 bits"),
        ),
        PropertyId::SessionExpiryInterval => Property::SessionExpiryInterval(number),
        PropertyId::AssignedClientIdentifier => Property::AssignedClientIdentifier(text),
        PropertyId::ServerKeepAlive => Property::ServerKeepAlive(small),
        PropertyId::AuthenticationMethod => Property::AuthenticationMethod(text),
        PropertyId::AuthenticationData => Property::AuthenticationData(blob),
        PropertyId::RequestProblemInformation => Property::RequestProblemInformation(flag),
        PropertyId::WillDelayInterval => Property::WillDelayInterval(number),
        PropertyId::RequestResponseInformation => Property::RequestResponseInformation(flag),
        PropertyId::ResponseInformation => Property::ResponseInformation(text),
        PropertyId::ServerReference => Property::ServerReference(text),
        PropertyId::ReasonString => Property::ReasonString(text),
        PropertyId::ReceiveMaximum => Property::ReceiveMaximum(not_zero),
        PropertyId::TopicAliasMaximum => Property::TopicAliasMaximum(small),
        PropertyId::TopicAlias => Property::TopicAlias(not_zero.get()),
        PropertyId::MaximumQoS => Property::MaximumQoS(if flag {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        }),
        PropertyId::RetainAvailable => Property::RetainAvailable(flag),
        PropertyId::UserProperty => Property::UserProperty((text, more)),
        PropertyId::MaximumPacketSize => {
            Property::MaximumPacketSize(NonZeroU32::new(number).unwrap_or(NonZeroU32::MAX))
        }
        PropertyId::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(flag),
        PropertyId::SubscriptionIdentifierAvailable => {
            Property::SubscriptionIdentifierAvailable(flag)
        }
        PropertyId::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(flag),
    }
}

/// One property with a value that is allowed for it, chosen by `bytes`.
pub fn some_property(id: PropertyId, bytes: &[u8]) -> PropertiesBuf {
    let mut properties = PropertiesBuf::new();
    push(&mut properties, id, &mut Choices::new(bytes));
    properties
}
