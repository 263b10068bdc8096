//! Values that only one option takes.

use crate::config::number::integer;
use crate::config::value::{Kind, Wrong, nearest};
use mqtt_net::ProxyVersion;
use mqtt_proto::{QoS, Topic, Version};
use std::time::Duration;

/// What is spoken at a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT over TCP.
    Mqtt,
    /// MQTT inside of WebSocket frames.
    WebSockets,
    /// Figures, health and files over HTTP.
    HttpApi,
}

/// The one family of addresses a listener keeps to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocketDomain {
    /// IPv4 alone.
    #[default]
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// The kind of `protocol`.
pub struct Protocols;

impl Kind for Protocols {
    type Value = Protocol;

    fn apply(&self, slot: &mut Protocol, text: &str, _again: bool) -> Result<(), Wrong> {
        *slot = match text {
            "mqtt" => Protocol::Mqtt,
            "websockets" => Protocol::WebSockets,
            "http_api" => Protocol::HttpApi,
            _ => return Err(Wrong::Value),
        };
        Ok(())
    }

    fn takes(&self) -> String {
        "mqtt, websockets or http_api".into()
    }

    fn show(&self, value: &Protocol) -> String {
        match value {
            Protocol::Mqtt => "mqtt".into(),
            Protocol::WebSockets => "websockets".into(),
            Protocol::HttpApi => "http_api".into(),
        }
    }

    fn suggest(&self, text: &str) -> Option<String> {
        nearest(text, ["mqtt", "websockets"].into_iter()).map(Into::into)
    }
}

/// The kind of `enable_proxy_protocol`.
pub struct ProxyVersions;

impl Kind for ProxyVersions {
    type Value = Option<ProxyVersion>;

    fn apply(&self, slot: &mut Self::Value, text: &str, _again: bool) -> Result<(), Wrong> {
        *slot = Some(match integer(text)? {
            1 => ProxyVersion::V1,
            2 => ProxyVersion::V2,
            _ => return Err(Wrong::Value),
        });
        Ok(())
    }

    fn takes(&self) -> String {
        "1 or 2, the version of the protocol".into()
    }

    fn show(&self, value: &Self::Value) -> String {
        match value {
            None => String::new(),
            Some(ProxyVersion::V1) => "1".into(),
            Some(ProxyVersion::V2) => "2".into(),
        }
    }
}

/// The kind of `websockets_origin`: each line adds one.
pub struct Origins;

impl Kind for Origins {
    type Value = Vec<String>;

    fn apply(&self, slot: &mut Vec<String>, text: &str, _again: bool) -> Result<(), Wrong> {
        if text.contains(char::is_whitespace) {
            return Err(Wrong::Because(
                "takes one origin a line, such as https://example.org".into(),
            ));
        }
        slot.push(text.into());
        Ok(())
    }

    fn takes(&self) -> String {
        "an origin as browsers send it, such as https://example.org; repeat the line for more"
            .into()
    }

    fn show(&self, value: &Vec<String>) -> String {
        value.first().cloned().unwrap_or_default()
    }

    fn whole_line(&self) -> bool {
        true
    }
}

/// The versions of MQTT a listener lets in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptedVersions {
    v3: bool,
    v4: bool,
    v5: bool,
}

impl AcceptedVersions {
    /// Every version.
    pub const ALL: Self = Self {
        v3: true,
        v4: true,
        v5: true,
    };

    /// Whether clients of `version` are let in.
    pub fn contains(self, version: Version) -> bool {
        match version {
            Version::V3 => self.v3,
            Version::V4 => self.v4,
            Version::V5 => self.v5,
        }
    }
}

/// The kind of `accept_protocol_versions`.
pub struct Versions;

impl Kind for Versions {
    type Value = AcceptedVersions;

    fn apply(&self, slot: &mut AcceptedVersions, text: &str, _again: bool) -> Result<(), Wrong> {
        let mut accepted = AcceptedVersions {
            v3: false,
            v4: false,
            v5: false,
        };
        for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
            match word {
                "3" => accepted.v3 = true,
                "4" => accepted.v4 = true,
                "5" => accepted.v5 = true,
                _ if word.starts_with('#') => break,
                _ => return Err(Wrong::Value),
            }
        }
        *slot = accepted;
        Ok(())
    }

    fn takes(&self) -> String {
        "some of 3, 4 and 5 with commas between, where 3 is MQTT 3.1 and 4 is MQTT 3.1.1".into()
    }

    fn show(&self, value: &AcceptedVersions) -> String {
        let versions = [(value.v3, "3"), (value.v4, "4"), (value.v5, "5")];
        let words: Vec<_> = versions.iter().filter(|(on, _)| *on).collect();
        words
            .iter()
            .map(|(_, word)| *word)
            .collect::<Vec<_>>()
            .join(",")
    }

    fn whole_line(&self) -> bool {
        true
    }

    fn suggest(&self, text: &str) -> Option<String> {
        text.contains("3.1.1").then(|| "4".into())
    }
}

/// The kind of `max_qos`.
pub struct Qos;

impl Kind for Qos {
    type Value = QoS;

    fn apply(&self, slot: &mut QoS, text: &str, _again: bool) -> Result<(), Wrong> {
        let number = u8::try_from(integer(text)?).map_err(|_| Wrong::Value)?;
        *slot = QoS::new(number).ok_or(Wrong::Value)?;
        Ok(())
    }

    fn takes(&self) -> String {
        "0, 1 or 2".into()
    }

    fn show(&self, value: &QoS) -> String {
        value.to_string()
    }
}

/// The kind of `mount_point`: the beginning of a topic.
pub struct MountPoint;

impl Kind for MountPoint {
    type Value = String;

    fn apply(&self, slot: &mut String, text: &str, again: bool) -> Result<(), Wrong> {
        if again {
            return Err(Wrong::Again);
        }
        if let Err(error) = Topic::parse(text) {
            return Err(Wrong::Because(format!(
                "is not a prefix of topics: {error}"
            )));
        }
        *slot = text.into();
        Ok(())
    }

    fn takes(&self) -> String {
        "the beginning of topics, to the end of the line".into()
    }

    fn show(&self, value: &String) -> String {
        value.clone()
    }

    fn whole_line(&self) -> bool {
        true
    }

    fn once(&self) -> bool {
        true
    }
}

/// What `max_inflight_messages` is where nothing is said.
pub const DEFAULT_INFLIGHT: u16 = 20;

/// The kind of `max_inflight_messages`: no limit is the standard's own, 65535.
pub struct Inflight;

impl Kind for Inflight {
    type Value = Option<u16>;

    fn apply(&self, slot: &mut Option<u16>, text: &str, _again: bool) -> Result<(), Wrong> {
        let number = integer(text)?;
        *slot = Some(match u16::try_from(number) {
            Ok(0) => u16::MAX,
            Ok(number) => number,
            Err(_) if number < 0 => u16::MAX,
            Err(_) => return Err(Wrong::Value),
        });
        Ok(())
    }

    fn takes(&self) -> String {
        "a number up to 65535; 0 means no limit".into()
    }

    fn show(&self, value: &Option<u16>) -> String {
        match value.unwrap_or(DEFAULT_INFLIGHT) {
            u16::MAX => "0".into(),
            value => value.to_string(),
        }
    }
}

/// When the store is brought to safety: the value of `persistence_sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Before anything is acknowledged.
    Always,
    /// So often.
    Interval(Duration),
    /// When the system likes to.
    Never,
}

/// The kind of `persistence_sync`.
pub struct Sync;

impl Kind for Sync {
    type Value = SyncPolicy;

    fn apply(&self, slot: &mut SyncPolicy, text: &str, _again: bool) -> Result<(), Wrong> {
        *slot = match text.split_once([' ', '\t']).unwrap_or((text, "")) {
            ("always", "") => SyncPolicy::Always,
            ("never", "") => SyncPolicy::Never,
            ("interval", time) => {
                let time = humantime::parse_duration(time.trim()).map_err(|_| Wrong::Value)?;
                if time.is_zero() {
                    return Err(Wrong::Value);
                }
                SyncPolicy::Interval(time)
            }
            _ => return Err(Wrong::Value),
        };
        Ok(())
    }

    fn takes(&self) -> String {
        "always, never, or interval with a time, as interval 100ms".into()
    }

    fn show(&self, value: &SyncPolicy) -> String {
        match value {
            SyncPolicy::Always => "always".into(),
            SyncPolicy::Never => "never".into(),
            SyncPolicy::Interval(time) => format!("interval {}", humantime::format_duration(*time)),
        }
    }

    fn whole_line(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_listed_by_their_numbers_on_the_wire() {
        let mut value = AcceptedVersions::ALL;
        Versions.apply(&mut value, "4, 5", false).expect("two");
        assert!(!value.contains(Version::V3));
        assert!(value.contains(Version::V4) && value.contains(Version::V5));
        assert_eq!(Versions.show(&value), "4,5");
        assert!(Versions.apply(&mut value, "3.1.1", false).is_err());
    }

    #[test]
    fn no_limit_in_flight_is_the_limit_of_the_standard() {
        for (text, expected) in [("0", 65535), ("-3", 65535), ("5", 5), ("65535", 65535)] {
            let mut value = None;
            Inflight.apply(&mut value, text, false).expect(text);
            assert_eq!(value, Some(expected), "{text}");
        }
        let too_many = Inflight.apply(&mut None, "65536", false);
        assert_eq!(too_many, Err(Wrong::Value));
    }
}
