//! `-D`: properties of MQTT 5 for the packets of a client, each checked against its packet.

use std::num::{NonZeroU16, NonZeroU32};

use mqtt_proto::{Place, PropertiesBuf, Property, PropertyId, Topic, VarInt};

use crate::flags::table::PROPERTY;
use crate::flags::{Given, Said, UsageError};

/// What `-D` has said, by packet.
#[derive(Debug, Clone, Default)]
pub struct PacketProperties {
    /// For CONNECT.
    pub connect: PropertiesBuf,
    /// For every PUBLISH.
    pub publish: PropertiesBuf,
    /// For every SUBSCRIBE.
    pub subscribe: PropertiesBuf,
    /// For every UNSUBSCRIBE.
    pub unsubscribe: PropertiesBuf,
    /// For the DISCONNECT at the end.
    pub disconnect: PropertiesBuf,
    /// For the will.
    pub will: PropertiesBuf,
}

/// The packets that a client sends with properties of the user's choice.
const PACKETS: [(&str, Place); 6] = [
    ("connect", Place::CONNECT),
    ("publish", Place::PUBLISH),
    ("subscribe", Place::SUBSCRIBE),
    ("unsubscribe", Place::UNSUBSCRIBE),
    ("disconnect", Place::DISCONNECT),
    ("will", Place::WILL),
];

impl PacketProperties {
    /// Judges everything that was said with `-D`. Of a property that may stand once in its packet,
    /// the last one counts.
    ///
    /// # Errors
    /// A packet or property has another name, does not belong together, or has an impossible value.
    pub fn new(said: &Said) -> Result<PacketProperties, UsageError> {
        let all = said
            .all(PROPERTY)
            .map(|given| Words::new(given).map_err(|error| given.locate(error)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut properties = PacketProperties::default();
        for (index, words) in all.iter().enumerate() {
            let again = |later: &Words<'_>| later.place == words.place && later.id == words.id;
            if words.id != PropertyId::UserProperty && all[index + 1..].iter().any(again) {
                continue;
            }
            words
                .push(properties.of(words.place))
                .map_err(|error| words.given.locate(error))?;
        }
        Ok(properties)
    }

    fn of(&mut self, place: Place) -> &mut PropertiesBuf {
        match place {
            Place::CONNECT => &mut self.connect,
            Place::PUBLISH => &mut self.publish,
            Place::SUBSCRIBE => &mut self.subscribe,
            Place::UNSUBSCRIBE => &mut self.unsubscribe,
            Place::DISCONNECT => &mut self.disconnect,
            _ => &mut self.will,
        }
    }
}

/// The words behind one `-D`.
struct Words<'a> {
    given: &'a Given,
    place: Place,
    id: PropertyId,
    value: &'a str,
    /// The second half of a pair.
    second: &'a str,
}

impl<'a> Words<'a> {
    fn new(given: &'a Given) -> Result<Words<'a>, UsageError> {
        let texts = given.texts()?;
        let [packet, name, value, second] = texts[..] else {
            return Err(UsageError::new("-D needs a packet, a property and a value"));
        };
        let place = place(packet)?;
        let id = property(name, place)?;
        Ok(Words {
            given,
            place,
            id,
            value,
            second,
        })
    }

    /// Gives the value the property's type, and appends it.
    fn push(&self, to: &mut PropertiesBuf) -> Result<(), UsageError> {
        use PropertyId as Id;
        let value = self.value;
        let property = match self.id {
            Id::PayloadFormatIndicator => Property::PayloadFormatIndicator(self.truth()?),
            Id::RequestProblemInformation => Property::RequestProblemInformation(self.truth()?),
            Id::RequestResponseInformation => Property::RequestResponseInformation(self.truth()?),
            Id::MessageExpiryInterval => Property::MessageExpiryInterval(self.number(0)?),
            Id::SessionExpiryInterval => Property::SessionExpiryInterval(self.number(0)?),
            Id::WillDelayInterval => Property::WillDelayInterval(self.number(0)?),
            Id::TopicAliasMaximum => Property::TopicAliasMaximum(self.number(0)?),
            // An alias of 0 is not permitted (MQTT 5, 3.3.2.3.4).
            Id::TopicAlias => Property::TopicAlias(self.number(1)?),
            Id::ReceiveMaximum => Property::ReceiveMaximum(self.non_zero(NonZeroU16::new)?),
            Id::MaximumPacketSize => Property::MaximumPacketSize(self.non_zero(NonZeroU32::new)?),
            Id::SubscriptionIdentifier => {
                let number = value.parse().ok().filter(|number| *number > 0);
                let number = number.and_then(VarInt::new);
                Property::SubscriptionIdentifier(
                    number.ok_or_else(|| self.out_of_range(1, LARGEST_ID))?,
                )
            }
            Id::ContentType => Property::ContentType(value),
            Id::AuthenticationMethod => Property::AuthenticationMethod(value),
            Id::AuthenticationData => Property::AuthenticationData(value.as_bytes()),
            Id::CorrelationData => Property::CorrelationData(value.as_bytes()),
            Id::ResponseTopic => Property::ResponseTopic(self.topic()?),
            Id::UserProperty => Property::UserProperty((value, self.second)),
            _ => return Err(misplaced(self.id.name(), self.place)),
        };
        if value.contains('\0') || self.second.contains('\0') {
            return Err(self.wrong("a text without zero bytes"));
        }
        to.push(property)
            .map_err(|error| UsageError::new(format!("{}: {error}", self.id.name())))
    }

    fn truth(&self) -> Result<bool, UsageError> {
        match self.value {
            "0" | "false" => Ok(false),
            "1" | "true" => Ok(true),
            _ => Err(self.wrong("0 or 1")),
        }
    }

    /// A number that its type can hold, and that is not below `least`.
    fn number<T: TryFrom<u32> + Bounded>(&self, least: u32) -> Result<T, UsageError> {
        let number = self.value.parse().ok().filter(|number| *number >= least);
        number
            .and_then(|number: u32| T::try_from(number).ok())
            .ok_or_else(|| self.out_of_range(least, T::LARGEST))
    }

    fn non_zero<T: TryFrom<u32> + Bounded, N>(
        &self,
        new: impl Fn(T) -> Option<N>,
    ) -> Result<N, UsageError> {
        new(self.number(1)?).ok_or_else(|| self.out_of_range(1, T::LARGEST))
    }

    fn topic(&self) -> Result<&'a Topic, UsageError> {
        Topic::parse(self.value).map_err(|error| {
            UsageError::new(format!("Invalid response topic '{}': {error}", self.value))
        })
    }

    fn out_of_range(&self, least: u32, most: u32) -> UsageError {
        self.wrong(&format!("a whole number from {least} to {most}"))
    }

    fn wrong(&self, expected: &str) -> UsageError {
        let name = self.id.name();
        let value = if self.second.contains('\0') {
            self.second
        } else {
            self.value
        };
        UsageError::new(format!(
            "-D: {name} needs {expected}, and '{}' is none",
            value.escape_debug()
        ))
    }
}

/// The largest subscription identifier (MQTT 5, 3.8.2.1.2).
const LARGEST_ID: u32 = 268_435_455;

/// The integers that properties have.
trait Bounded {
    const LARGEST: u32;
}

impl Bounded for u16 {
    const LARGEST: u32 = u16::MAX as u32;
}

impl Bounded for u32 {
    const LARGEST: u32 = u32::MAX;
}

fn place(packet: &str) -> Result<Place, UsageError> {
    let known = PACKETS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(packet));
    known.map(|(_, place)| *place).ok_or_else(|| {
        UsageError::new(format!(
            "-D: '{packet}' is no packet that takes properties here"
        ))
        .hint("Type connect, publish, subscribe, unsubscribe, disconnect or will: -D publish content-type text/plain")
    })
}

fn property(name: &str, place: Place) -> Result<PropertyId, UsageError> {
    let known = PropertyId::ALL.iter().find(|id| id.name() == name);
    match known {
        Some(id) if settable(*id, place) => Ok(*id),
        Some(id) => Err(misplaced(id.name(), place)),
        None => Err(
            UsageError::new(format!("-D: there is no property '{name}'")).hint(names_for(place)),
        ),
    }
}

/// Whether a client may set it: subscription identifiers in PUBLISH come from brokers only
/// [MQTT-3.3.4-6], and so do server references.
fn settable(id: PropertyId, place: Place) -> bool {
    let of_brokers = matches!(
        (id, place),
        (PropertyId::SubscriptionIdentifier, Place::PUBLISH) | (PropertyId::ServerReference, _)
    );
    id.is_allowed_in(place) && !of_brokers
}

/// What a client can set, packet by packet, for the manual.
pub fn properties_of() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    PACKETS.iter().map(|(packet, place)| {
        let names = PropertyId::ALL.iter().filter(|id| settable(**id, *place));
        (*packet, names.map(|id| id.name()).collect())
    })
}

fn misplaced(name: &str, place: Place) -> UsageError {
    let packet = packet_name(place);
    UsageError::new(format!("-D: {name} is not a property of {packet}")).hint(names_for(place))
}

fn names_for(place: Place) -> String {
    let names: Vec<_> = PropertyId::ALL
        .iter()
        .filter(|id| settable(**id, place))
        .map(|id| id.name())
        .collect();
    format!("Those of {}: {}", packet_name(place), names.join(", "))
}

fn packet_name(place: Place) -> &'static str {
    PACKETS
        .iter()
        .find(|(_, known)| *known == place)
        .map_or("this packet", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::Program;
    use crate::flags::{Parsed, parse};

    fn properties(line: &[&str]) -> Result<PacketProperties, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.iter().copied())
            .map(Into::into);
        match parse(Program::Sub, argv)? {
            Parsed::Said(said) => PacketProperties::new(&said),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[track_caller]
    fn check(line: &str, place: Place, expected: Property<'_>) {
        let mut all = properties(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let found: Vec<_> = all.of(place).view().iter().collect();
        assert_eq!(found, [expected], "{line}");
    }

    #[track_caller]
    fn check_error(line: &str, expected: &str) {
        let error = properties(&line.split(' ').collect::<Vec<_>>())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(expected),
            "{line}: expected '{expected}' in '{error}'"
        );
    }

    #[test]
    fn every_packet_takes_its_properties() {
        use Property as P;
        check(
            "-D connect authentication-method m",
            Place::CONNECT,
            P::AuthenticationMethod("m"),
        );
        check(
            "-D connect authentication-data d",
            Place::CONNECT,
            P::AuthenticationData(b"d"),
        );
        check(
            "-D connect maximum-packet-size 5",
            Place::CONNECT,
            P::MaximumPacketSize(NonZeroU32::new(5).unwrap()),
        );
        check(
            "-D connect receive-maximum 65535",
            Place::CONNECT,
            P::ReceiveMaximum(NonZeroU16::MAX),
        );
        check(
            "-D connect request-problem-information 0",
            Place::CONNECT,
            P::RequestProblemInformation(false),
        );
        check(
            "-D CONNECT request-response-information 1",
            Place::CONNECT,
            P::RequestResponseInformation(true),
        );
        check(
            "-D connect topic-alias-maximum 0",
            Place::CONNECT,
            P::TopicAliasMaximum(0),
        );
        check(
            "-D publish content-type text/plain",
            Place::PUBLISH,
            P::ContentType("text/plain"),
        );
        check(
            "-D publish correlation-data 12",
            Place::PUBLISH,
            P::CorrelationData(b"12"),
        );
        check(
            "-D publish message-expiry-interval 4294967295",
            Place::PUBLISH,
            P::MessageExpiryInterval(u32::MAX),
        );
        check(
            "-D publish payload-format-indicator 1",
            Place::PUBLISH,
            P::PayloadFormatIndicator(true),
        );
        check(
            "-D publish response-topic a/b",
            Place::PUBLISH,
            P::ResponseTopic(Topic::parse("a/b").unwrap()),
        );
        check("-D publish topic-alias 4", Place::PUBLISH, P::TopicAlias(4));
        check(
            "-D subscribe subscription-identifier 268435455",
            Place::SUBSCRIBE,
            P::SubscriptionIdentifier(VarInt::new(LARGEST_ID).unwrap()),
        );
        check(
            "-D unsubscribe user-property k v",
            Place::UNSUBSCRIBE,
            P::UserProperty(("k", "v")),
        );
        check(
            "-D disconnect session-expiry-interval 7",
            Place::DISCONNECT,
            P::SessionExpiryInterval(7),
        );
        check(
            "-D Will will-delay-interval 7",
            Place::WILL,
            P::WillDelayInterval(7),
        );
    }

    #[test]
    fn of_a_property_that_stands_once_the_last_counts_and_pairs_add_up() {
        check(
            "-D publish content-type a -D will content-type w -D publish content-type b",
            Place::PUBLISH,
            Property::ContentType("b"),
        );
        let line = "-D publish user-property k 1 -D publish user-property k 2";
        let all = properties(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let pairs: Vec<_> = all.publish.view().iter().collect();
        assert_eq!(
            pairs,
            [
                Property::UserProperty(("k", "1")),
                Property::UserProperty(("k", "2"))
            ]
        );
    }

    #[test]
    fn mistakes_name_what_would_be_right() {
        check_error("-D puback reason-string x", "'puback' is no packet");
        check_error("-D auth user-property a b", "'auth' is no packet");
        check_error(
            "-D publish nosuch x",
            "there is no property 'nosuch'\nThose of publish: ",
        );
        check_error(
            "-D connect content-type x",
            "content-type is not a property of connect\nThose of connect: session-expiry-interval",
        );
        check_error(
            "-D publish subscription-identifier 1",
            "is not a property of publish",
        );
        check_error(
            "-D publish topic-alias 0",
            "a whole number from 1 to 65535, and '0'",
        );
        check_error(
            "-D publish topic-alias 65536",
            "a whole number from 1 to 65535",
        );
        check_error(
            "-D publish message-expiry-interval -1",
            "from 0 to 4294967295, and '-1'",
        );
        check_error(
            "-D publish payload-format-indicator 2",
            "needs 0 or 1, and '2'",
        );
        check_error("-D connect receive-maximum 0", "from 1 to 65535, and '0'");
        check_error(
            "-D subscribe subscription-identifier 268435456",
            "from 1 to 268435455",
        );
        check_error(
            "-D subscribe subscription-identifier -1",
            "from 1 to 268435455, and '-1'",
        );
        check_error(
            "-D publish response-topic a/#",
            "Invalid response topic 'a/#'",
        );
    }
}
