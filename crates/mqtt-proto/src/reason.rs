//! Every reason code of MQTT 5 (2.4), once, with its name and the packets that may carry it.

use crate::PacketType;

macro_rules! reason_codes {
    ($($name:ident = $value:literal, $text:literal, [$($packet:ident)*];)*) => {
        /// Why something was done or refused (MQTT 5, 2.4).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum ReasonCode {
            $(#[doc = $text] $name = $value,)*
        }

        impl ReasonCode {
            /// Every reason code, in the order of their values.
            pub const ALL: &'static [ReasonCode] = &[$(ReasonCode::$name),*];

            /// The code with this value, or `None` where the standard has none.
            pub const fn new(value: u8) -> Option<ReasonCode> {
                match value {
                    $($value => Some(ReasonCode::$name),)*
                    _ => None,
                }
            }

            /// The standard's name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(ReasonCode::$name => $text,)*
                }
            }

            /// Whether the standard lets `packet` carry this code.
            pub fn is_allowed_in(self, packet: PacketType) -> bool {
                match self {
                    $(ReasonCode::$name => [$(PacketType::$packet),*].contains(&packet),)*
                }
            }
        }
    };
}

reason_codes! {
    Success = 0x00, "Success", [ConnAck PubAck PubRec PubRel PubComp SubAck UnsubAck Disconnect Auth];
    GrantedQoS1 = 0x01, "Granted QoS 1", [SubAck];
    GrantedQoS2 = 0x02, "Granted QoS 2", [SubAck];
    DisconnectWithWill = 0x04, "Disconnect with Will Message", [Disconnect];
    NoMatchingSubscribers = 0x10, "No matching subscribers", [PubAck PubRec];
    NoSubscriptionExisted = 0x11, "No subscription existed", [UnsubAck];
    ContinueAuthentication = 0x18, "Continue authentication", [Auth];
    ReAuthenticate = 0x19, "Re-authenticate", [Auth];
    UnspecifiedError = 0x80, "Unspecified error", [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    MalformedPacket = 0x81, "Malformed Packet", [ConnAck Disconnect];
    ProtocolError = 0x82, "Protocol Error", [ConnAck Disconnect];
    ImplementationSpecificError = 0x83, "Implementation specific error", [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    UnsupportedProtocolVersion = 0x84, "Unsupported Protocol Version", [ConnAck];
    ClientIdentifierNotValid = 0x85, "Client Identifier not valid", [ConnAck];
    BadUserNameOrPassword = 0x86, "Bad User Name or Password", [ConnAck];
    NotAuthorized = 0x87, "Not authorized", [ConnAck PubAck PubRec SubAck UnsubAck Disconnect];
    ServerUnavailable = 0x88, "Server unavailable", [ConnAck];
    ServerBusy = 0x89, "Server busy", [ConnAck Disconnect];
    Banned = 0x8A, "Banned", [ConnAck];
    ServerShuttingDown = 0x8B, "Server shutting down", [Disconnect];
    BadAuthenticationMethod = 0x8C, "Bad authentication method", [ConnAck Disconnect];
    KeepAliveTimeout = 0x8D, "Keep Alive timeout", [Disconnect];
    SessionTakenOver = 0x8E, "Session taken over", [Disconnect];
    TopicFilterInvalid = 0x8F, "Topic Filter invalid", [SubAck UnsubAck Disconnect];
    TopicNameInvalid = 0x90, "Topic Name invalid", [ConnAck PubAck PubRec Disconnect];
    PacketIdentifierInUse = 0x91, "Packet Identifier in use", [PubAck PubRec SubAck UnsubAck];
    PacketIdentifierNotFound = 0x92, "Packet Identifier not found", [PubRel PubComp];
    ReceiveMaximumExceeded = 0x93, "Receive Maximum exceeded", [Disconnect];
    TopicAliasInvalid = 0x94, "Topic Alias invalid", [Disconnect];
    // The standard has it in two packets. Mosquitto answers a message above its
    // message_size_limit with it in PUBACK and PUBREC as well, and clients understand it there.
    PacketTooLarge = 0x95, "Packet too large", [ConnAck PubAck PubRec Disconnect];
    MessageRateTooHigh = 0x96, "Message rate too high", [Disconnect];
    QuotaExceeded = 0x97, "Quota exceeded", [ConnAck PubAck PubRec SubAck Disconnect];
    AdministrativeAction = 0x98, "Administrative action", [Disconnect];
    PayloadFormatInvalid = 0x99, "Payload format invalid", [ConnAck PubAck PubRec Disconnect];
    RetainNotSupported = 0x9A, "Retain not supported", [ConnAck Disconnect];
    QoSNotSupported = 0x9B, "QoS not supported", [ConnAck Disconnect];
    UseAnotherServer = 0x9C, "Use another server", [ConnAck Disconnect];
    ServerMoved = 0x9D, "Server moved", [ConnAck Disconnect];
    SharedSubscriptionsNotSupported = 0x9E, "Shared Subscriptions not supported", [SubAck Disconnect];
    ConnectionRateExceeded = 0x9F, "Connection rate exceeded", [ConnAck Disconnect];
    MaximumConnectTime = 0xA0, "Maximum connect time", [Disconnect];
    SubscriptionIdentifiersNotSupported = 0xA1, "Subscription Identifiers not supported", [SubAck Disconnect];
    WildcardSubscriptionsNotSupported = 0xA2, "Wildcard Subscriptions not supported", [SubAck Disconnect];
}

impl ReasonCode {
    /// The number on the wire.
    pub const fn value(self) -> u8 {
        self as u8
    }

    /// Whether it refuses something: 0x80 and above (MQTT 5, 2.4).
    pub const fn is_error(self) -> bool {
        self.value() >= 0x80
    }

    /// The return code of a CONNACK below version 5 (MQTT 3.1.1, 3.2.2.3).
    ///
    /// The older versions have five refusals; what they cannot say becomes "server unavailable".
    pub const fn to_v3_return_code(self) -> u8 {
        match self {
            ReasonCode::Success => 0,
            ReasonCode::UnsupportedProtocolVersion => 1,
            ReasonCode::ClientIdentifierNotValid => 2,
            ReasonCode::BadUserNameOrPassword => 4,
            ReasonCode::NotAuthorized
            | ReasonCode::Banned
            | ReasonCode::BadAuthenticationMethod => 5,
            _ => 3,
        }
    }

    /// The meaning of a return code of a CONNACK below version 5, or `None` above 5.
    pub const fn from_v3_return_code(code: u8) -> Option<ReasonCode> {
        Some(match code {
            0 => ReasonCode::Success,
            1 => ReasonCode::UnsupportedProtocolVersion,
            2 => ReasonCode::ClientIdentifierNotValid,
            3 => ReasonCode::ServerUnavailable,
            4 => ReasonCode::BadUserNameOrPassword,
            5 => ReasonCode::NotAuthorized,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_each_code_once_and_knows_it_by_value() {
        assert_eq!(ReasonCode::ALL.len(), 43);
        assert!(ReasonCode::ALL.windows(2).all(|w| w[0] < w[1]));
        for &code in ReasonCode::ALL {
            assert_eq!(ReasonCode::new(code.value()), Some(code));
            assert!(!code.name().is_empty());
        }
        assert_eq!(
            (0..=255).filter_map(ReasonCode::new).count(),
            ReasonCode::ALL.len()
        );
    }

    #[test]
    fn v3_return_codes_come_back_as_they_went() {
        for code in 0..=5 {
            assert_eq!(
                ReasonCode::from_v3_return_code(code)
                    .unwrap()
                    .to_v3_return_code(),
                code
            );
        }
        assert_eq!(ReasonCode::from_v3_return_code(6), None);
    }
}
