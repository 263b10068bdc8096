//! Every property of MQTT 5 (2.2.2), once: number, name, type, and the packets that may carry it.

use crate::wire::{Reader, VarInt, put_binary};
use crate::{DecodeError, EncodeError, QoS, Topic};
use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

/// A place for properties: one bit for each packet that has them, and one for the will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(u16);

#[allow(missing_docs)]
impl Place {
    pub const CONNECT: Place = Place(1);
    pub const WILL: Place = Place(1 << 1);
    pub const CONNACK: Place = Place(1 << 2);
    pub const PUBLISH: Place = Place(1 << 3);
    pub const PUBACK: Place = Place(1 << 4);
    pub const PUBREC: Place = Place(1 << 5);
    pub const PUBREL: Place = Place(1 << 6);
    pub const PUBCOMP: Place = Place(1 << 7);
    pub const SUBSCRIBE: Place = Place(1 << 8);
    pub const SUBACK: Place = Place(1 << 9);
    pub const UNSUBSCRIBE: Place = Place(1 << 10);
    pub const UNSUBACK: Place = Place(1 << 11);
    pub const DISCONNECT: Place = Place(1 << 12);
    pub const AUTH: Place = Place(1 << 13);
    const ACKS: Place = Place(0b1111 << 4);
    const ALL: Place = Place((1 << 14) - 1);

    const fn or(self, other: Place) -> Place {
        Place(self.0 | other.0)
    }

    const fn has(self, other: Place) -> bool {
        self.0 & other.0 != 0
    }
}

/// A type that a property's value can have; what it refuses is refused everywhere.
trait Value<'a>: Sized {
    fn decode(from: &mut Reader<'a>) -> Result<Self, DecodeError>;
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
}

impl Value<'_> for bool {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match from.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::protocol(
                "2.2.2.2",
                "a property that is 0 or 1 has another value",
            )),
        }
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(u8::from(self));
        Ok(())
    }
}

impl Value<'_> for QoS {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match from.u8()? {
            0 => Ok(QoS::AtMostOnce),
            1 => Ok(QoS::AtLeastOnce),
            _ => Err(DecodeError::protocol(
                "3.2.2.3.4",
                "the maximum QoS is neither 0 nor 1",
            )),
        }
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(self as u8);
        Ok(())
    }
}

impl Value<'_> for u16 {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.u16()
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&self.to_be_bytes());
        Ok(())
    }
}

impl Value<'_> for u32 {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from.u32()
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.extend_from_slice(&self.to_be_bytes());
        Ok(())
    }
}

const ZERO: DecodeError =
    DecodeError::protocol("2.2.2.2", "a property that may not be zero is zero");

impl Value<'_> for NonZeroU16 {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        NonZeroU16::new(from.u16()?).ok_or(ZERO)
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.get().encode(out)
    }
}

impl Value<'_> for NonZeroU32 {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        NonZeroU32::new(from.u32()?).ok_or(ZERO)
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.get().encode(out)
    }
}

impl Value<'_> for VarInt {
    fn decode(from: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let value = from.var_int()?;
        if value.get() == 0 {
            Err(ZERO)
        } else {
            Ok(value)
        } // 3.8.2.1.2
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        VarInt::encode(self, out);
        Ok(())
    }
}

impl<'a> Value<'a> for &'a str {
    fn decode(from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        from.string()
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_binary(out, self.as_bytes(), "a property")
    }
}

impl<'a> Value<'a> for &'a Topic {
    fn decode(from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Topic::of_wire_string(from.string()?).map_err(|_| {
            DecodeError::protocol("MQTT-3.3.2-14", "the response topic is not a topic name")
        })
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_binary(out, self.as_bytes(), "the response topic")
    }
}

impl<'a> Value<'a> for &'a [u8] {
    fn decode(from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        from.binary()
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        put_binary(out, self, "a property")
    }
}

impl<'a> Value<'a> for (&'a str, &'a str) {
    fn decode(from: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok((from.string()?, from.string()?))
    }
    fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.0.encode(out)?;
        self.1.encode(out)
    }
}

macro_rules! properties {
    ($($name:ident($type:ty) = $id:literal, $text:literal, $getter:ident -> $returns:ty, $($place:ident)|+;)*) => {
        /// The number of a property on the wire (MQTT 5, 2.2.2.2).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum PropertyId {
            $(#[doc = concat!("`", $text, "`")] $name = $id,)*
        }

        impl PropertyId {
            /// Every property, in the order of their numbers.
            pub const ALL: &'static [PropertyId] = &[$(PropertyId::$name),*];

            /// The property with this number.
            pub const fn new(number: u8) -> Option<PropertyId> {
                match number {
                    $($id => Some(PropertyId::$name),)*
                    _ => None,
                }
            }

            /// The name in small letters with hyphens, as command lines spell it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(PropertyId::$name => $text,)*
                }
            }

            /// Whether the standard lets it stand in `place`.
            pub const fn is_allowed_in(self, place: Place) -> bool {
                const ALLOWED: &[(PropertyId, Place)] =
                    &[$((PropertyId::$name, Place(0)$(.or(Place::$place))+)),*];
                let mut at = 0;
                while at < ALLOWED.len() {
                    if ALLOWED[at].0 as u8 == self as u8 {
                        return ALLOWED[at].1.has(place);
                    }
                    at += 1;
                }
                false
            }
        }

        /// A property and its value.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Property<'a> {
            $(#[doc = concat!("`", $text, "`")] $name($type),)*
        }

        impl<'a> Property<'a> {
            /// Which property it is.
            pub const fn id(&self) -> PropertyId {
                match self {
                    $(Property::$name(_) => PropertyId::$name,)*
                }
            }

            fn decode(id: PropertyId, from: &mut Reader<'a>) -> Result<Property<'a>, DecodeError> {
                Ok(match id {
                    $(PropertyId::$name => Property::$name(Value::decode(from)?),)*
                })
            }

            fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
                out.push(self.id() as u8);
                match self {
                    $(Property::$name(value) => Value::encode(value, out),)*
                }
            }
        }

        impl<'a> Properties<'a> {
            $(
                #[doc = concat!("The value of `", $text, "`, the first if there are several.")]
                pub fn $getter(self) -> Option<$returns> {
                    self.iter().find_map(|property| match property {
                        Property::$name(value) => Some(value.into()),
                        _ => None,
                    })
                }
            )*
        }
    };
}

properties! {
    PayloadFormatIndicator(bool) = 0x01, "payload-format-indicator", payload_format_indicator -> bool, PUBLISH | WILL;
    MessageExpiryInterval(u32) = 0x02, "message-expiry-interval", message_expiry_interval -> u32, PUBLISH | WILL;
    ContentType(&'a str) = 0x03, "content-type", content_type -> &'a str, PUBLISH | WILL;
    ResponseTopic(&'a Topic) = 0x08, "response-topic", response_topic -> &'a Topic, PUBLISH | WILL;
    CorrelationData(&'a [u8]) = 0x09, "correlation-data", correlation_data -> &'a [u8], PUBLISH | WILL;
    SubscriptionIdentifier(VarInt) = 0x0B, "subscription-identifier", subscription_identifier -> VarInt, PUBLISH | SUBSCRIBE;
    SessionExpiryInterval(u32) = 0x11, "session-expiry-interval", session_expiry_interval -> u32, CONNECT | CONNACK | DISCONNECT;
    AssignedClientIdentifier(&'a str) = 0x12, "assigned-client-identifier", assigned_client_identifier -> &'a str, CONNACK;
    ServerKeepAlive(u16) = 0x13, "server-keep-alive", server_keep_alive -> u16, CONNACK;
    AuthenticationMethod(&'a str) = 0x15, "authentication-method", authentication_method -> &'a str, CONNECT | CONNACK | AUTH;
    AuthenticationData(&'a [u8]) = 0x16, "authentication-data", authentication_data -> &'a [u8], CONNECT | CONNACK | AUTH;
    RequestProblemInformation(bool) = 0x17, "request-problem-information", request_problem_information -> bool, CONNECT;
    WillDelayInterval(u32) = 0x18, "will-delay-interval", will_delay_interval -> u32, WILL;
    RequestResponseInformation(bool) = 0x19, "request-response-information", request_response_information -> bool, CONNECT;
    ResponseInformation(&'a str) = 0x1A, "response-information", response_information -> &'a str, CONNACK;
    ServerReference(&'a str) = 0x1C, "server-reference", server_reference -> &'a str, CONNACK | DISCONNECT;
    ReasonString(&'a str) = 0x1F, "reason-string", reason_string -> &'a str, CONNACK | ACKS | SUBACK | UNSUBACK | DISCONNECT | AUTH;
    ReceiveMaximum(NonZeroU16) = 0x21, "receive-maximum", receive_maximum -> u16, CONNECT | CONNACK;
    TopicAliasMaximum(u16) = 0x22, "topic-alias-maximum", topic_alias_maximum -> u16, CONNECT | CONNACK;
    TopicAlias(u16) = 0x23, "topic-alias", topic_alias -> u16, PUBLISH;
    MaximumQoS(QoS) = 0x24, "maximum-qos", maximum_qos -> QoS, CONNACK;
    RetainAvailable(bool) = 0x25, "retain-available", retain_available -> bool, CONNACK;
    UserProperty((&'a str, &'a str)) = 0x26, "user-property", user_property -> (&'a str, &'a str), ALL;
    MaximumPacketSize(NonZeroU32) = 0x27, "maximum-packet-size", maximum_packet_size -> u32, CONNECT | CONNACK;
    WildcardSubscriptionAvailable(bool) = 0x28, "wildcard-subscription-available", wildcard_subscription_available -> bool, CONNACK;
    SubscriptionIdentifierAvailable(bool) = 0x29, "subscription-identifier-available", subscription_identifier_available -> bool, CONNACK;
    SharedSubscriptionAvailable(bool) = 0x2A, "shared-subscription-available", shared_subscription_available -> bool, CONNACK;
}

impl PropertyId {
    /// Whether it may stand more than once in `place`.
    fn repeats_in(self, place: Place) -> bool {
        match self {
            PropertyId::UserProperty => true,
            // One for each subscription that a message is for (MQTT 5, 3.3.4).
            PropertyId::SubscriptionIdentifier => place == Place::PUBLISH,
            _ => false,
        }
    }
}

/// The properties of one packet: a view of bytes that have been checked.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Properties<'a> {
    raw: &'a [u8],
}

impl<'a> Properties<'a> {
    /// No properties.
    pub const EMPTY: Properties<'static> = Properties { raw: &[] };

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.raw.is_empty()
    }

    /// The properties in the order of the packet.
    pub const fn iter(self) -> PropertyIter<'a> {
        PropertyIter {
            rest: Reader::new(self.raw),
        }
    }

    /// The bytes behind the property length.
    pub const fn as_bytes(self) -> &'a [u8] {
        self.raw
    }

    /// How many bytes they take in a packet, with the length in front.
    pub fn wire_len(self) -> usize {
        length_prefix(self.raw.len()).map_or(usize::MAX, |n| n.encoded_len() + self.raw.len())
    }

    /// Reads back what [`as_bytes`](Self::as_bytes) of a PUBLISH's properties has given.
    ///
    /// # Errors
    /// These bytes are not the properties of a PUBLISH.
    pub fn of_publish(raw: &'a [u8]) -> Result<Properties<'a>, DecodeError> {
        check(raw, Place::PUBLISH)?;
        Ok(Properties { raw })
    }

    /// Reads the length and the properties of `place` (MQTT 5, 2.2.2).
    pub(crate) fn decode(
        from: &mut Reader<'a>,
        place: Place,
    ) -> Result<Properties<'a>, DecodeError> {
        let length = from.var_int()?;
        let raw = from.bytes(length.get() as usize)?;
        if !raw.is_empty() {
            check(raw, place)?;
        }
        Ok(Properties { raw })
    }

    pub(crate) fn encode(self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        length_prefix(self.raw.len())
            .ok_or(EncodeError::PacketTooLong)?
            .encode(out);
        out.extend_from_slice(self.raw);
        Ok(())
    }
}

fn length_prefix(length: usize) -> Option<VarInt> {
    VarInt::new(u32::try_from(length).ok()?)
}

fn check(raw: &[u8], place: Place) -> Result<(), DecodeError> {
    let mut rest = Reader::new(raw);
    let mut seen = 0u64;
    while !rest.is_empty() {
        let number = rest.var_int()?.get();
        let id =
            u8::try_from(number)
                .ok()
                .and_then(PropertyId::new)
                .ok_or(DecodeError::malformed(
                    "2.2.2.2",
                    "a property has an unknown number",
                ))?;
        // Read before it is judged: a property that is cut short is malformed wherever it stands.
        Property::decode(id, &mut rest)?;
        if !id.is_allowed_in(place) {
            return Err(misplaced(place));
        }
        let bit = 1 << id as u8;
        if seen & bit != 0 && !id.repeats_in(place) {
            return Err(DecodeError::protocol(
                "2.2.2.2",
                "a property that may stand once stands twice",
            ));
        }
        seen |= bit;
    }
    Ok(())
}

/// The standard calls a property in the wrong packet malformed (2.2.2.2) and one that stands
/// twice a protocol error; Mosquitto, whose answers people's tests know, says protocol error
/// to both but in SUBSCRIBE and UNSUBSCRIBE.
fn misplaced(place: Place) -> DecodeError {
    const WHAT: &str = "a property stands in a packet that cannot have it";
    if place == Place::SUBSCRIBE || place == Place::UNSUBSCRIBE {
        DecodeError::malformed("2.2.2.2", WHAT)
    } else {
        DecodeError::protocol("2.2.2.2", WHAT)
    }
}

impl fmt::Debug for Properties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Properties<'a> {
    type Item = Property<'a>;
    type IntoIter = PropertyIter<'a>;
    fn into_iter(self) -> PropertyIter<'a> {
        self.iter()
    }
}

/// Goes through [`Properties`] in their order.
#[derive(Clone, Debug)]
pub struct PropertyIter<'a> {
    rest: Reader<'a>,
}

impl<'a> Iterator for PropertyIter<'a> {
    type Item = Property<'a>;

    fn next(&mut self) -> Option<Property<'a>> {
        // Checked when the view was made, so nothing here fails before the end.
        let id = PropertyId::new(self.rest.u8().ok()?)?;
        Property::decode(id, &mut self.rest).ok()
    }
}

/// Properties that are being put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PropertiesBuf {
    raw: Vec<u8>,
}

impl PropertiesBuf {
    /// None yet.
    pub const fn new() -> PropertiesBuf {
        PropertiesBuf { raw: Vec::new() }
    }

    /// Gives up what it has, and takes these.
    pub fn replace(&mut self, properties: Properties<'_>) {
        self.raw.clear();
        self.raw.extend_from_slice(properties.raw);
    }

    /// Appends one.
    ///
    /// # Errors
    /// [`EncodeError::FieldTooLong`] where a string or binary value exceeds 65,535 bytes; the
    /// properties are then as they were.
    pub fn push(&mut self, property: Property<'_>) -> Result<(), EncodeError> {
        let before = self.raw.len();
        let done = property.encode(&mut self.raw);
        if done.is_err() {
            self.raw.truncate(before);
        }
        done
    }

    /// Appends all of `others`, in their order.
    pub fn append(&mut self, others: Properties<'_>) {
        self.raw.extend_from_slice(others.raw);
    }

    /// Takes all away, and keeps the room.
    pub fn clear(&mut self) {
        self.raw.clear();
    }

    /// What a packet is made with.
    pub fn view(&self) -> Properties<'_> {
        Properties { raw: &self.raw }
    }
}

impl From<Properties<'_>> for PropertiesBuf {
    fn from(view: Properties<'_>) -> PropertiesBuf {
        PropertiesBuf {
            raw: view.raw.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_each_property_once() {
        assert_eq!(PropertyId::ALL.len(), 27);
        assert!(
            PropertyId::ALL
                .windows(2)
                .all(|w| (w[0] as u8) < w[1] as u8)
        );
        assert_eq!((0..=255).filter_map(PropertyId::new).count(), 27);
    }

    #[test]
    fn what_was_pushed_is_read_back_in_order() {
        let mut buf = PropertiesBuf::new();
        let all = [
            Property::UserProperty(("κλειδί", "τιμή")),
            Property::MessageExpiryInterval(7),
            Property::SubscriptionIdentifier(VarInt::new(128).unwrap()),
            Property::UserProperty(("", "")),
            Property::ResponseTopic(Topic::parse("a/b").unwrap()),
            Property::CorrelationData(&[0, 255]),
        ];
        for property in all {
            buf.push(property).unwrap();
        }
        let mut bytes = Vec::new();
        buf.view().encode(&mut bytes).unwrap();
        assert_eq!(bytes.len(), buf.view().wire_len());
        let read = Properties::decode(&mut Reader::new(&bytes), Place::PUBLISH).unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), all);
        assert_eq!(read.message_expiry_interval(), Some(7));
        assert_eq!(read.topic_alias(), None);
    }

    #[track_caller]
    fn refused(raw: &[u8], place: Place, reason: u8) {
        let error = check(raw, place).unwrap_err();
        assert_eq!(error.reason.value(), reason, "{raw:x?}: {error}");
    }

    #[test]
    fn bad_properties_are_refused_with_their_reason() {
        refused(&[0x00, 1], Place::PUBLISH, 0x81);
        refused(&[0x7F, 1], Place::PUBLISH, 0x81);
        refused(&[0x80, 0x00, 1], Place::PUBLISH, 0x81);
        refused(&[0x02, 0, 0], Place::PUBLISH, 0x81);
        refused(&[0x01, 2], Place::PUBLISH, 0x82);
        refused(&[0x01, 1, 0x01, 1], Place::PUBLISH, 0x82);
        refused(&[0x11, 0, 0, 0, 1], Place::PUBLISH, 0x82);
        refused(&[0x11, 0, 0, 0, 1], Place::SUBSCRIBE, 0x81);
        refused(&[0x21, 0, 0], Place::CONNECT, 0x82);
        refused(&[0x27, 0, 0, 0, 0], Place::CONNECT, 0x82);
        refused(&[0x0B, 0], Place::SUBSCRIBE, 0x82);
        refused(&[0x0B, 1, 0x0B, 2], Place::SUBSCRIBE, 0x82);
        refused(&[0x08, 0, 1, b'#'], Place::WILL, 0x82);
        refused(&[0x24, 2], Place::CONNACK, 0x82);
    }
}
