//! Options of bridges, which connect this broker to another one.

use super::bridge_kinds::{
    Address, Addresses, BridgeTopic, Clamped, Restart, Restarts, TcpKeepalive, Topics,
};
use crate::config::define::{Answer, known, options};
use crate::config::number::{Limit, Number, Short};
use crate::config::value::{Bool, Choice, Maybe, Path, Text};
use mqtt_proto::Version;
use std::path::PathBuf;

/// When a bridge connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartType {
    /// At once, and again whenever the connection is lost.
    Automatic,
    /// When enough messages wait, and until nothing is left to send.
    Lazy,
    /// At once, and not again.
    Once,
}

/// When a reload takes effect on a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadType {
    /// When it connects the next time.
    Lazy,
    /// At once.
    Immediate,
}

options! {
    /// A connection to another broker, over which topics are carried.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Bridge, table BRIDGE;

    extra {
        /// What stands behind `connection`.
        name: String = String::new();
    }

    group "Bridges" {
        /// The brokers at the other end, the first that answers is taken.
        address ("addresses"): Vec<Address> = Vec::new(), Addresses;
        /// A topic that is carried over: pattern, direction, QoS, prefix here, prefix there.
        topic: Vec<BridgeTopic> = Vec::new(), Topics;
        /// Whether the session at the other end is forgotten on disconnect.
        cleansession: bool = false, Bool;
        /// The same for the session here. Unset, it is as `cleansession`.
        local_cleansession: Option<bool> = None, Maybe(Bool);
        /// The keep alive of the connection in seconds.
        keepalive_interval: u32 = 60, Clamped { min: 5, max: 65535 };
        /// How many seconds a lazy bridge waits before it disconnects.
        idle_timeout: u32 = 60, Clamped { min: 1, max: i32::MAX as u32 };
        /// When the bridge connects: `automatic` at once, `lazy` when messages wait, `once` not
        /// again.
        start_type: StartType = StartType::Automatic, Choice(&[
            ("automatic", StartType::Automatic), ("lazy", StartType::Lazy), ("once", StartType::Once)]);
        /// How many messages wake a lazy bridge.
        threshold: u32 = 10, Clamped { min: 1, max: i32::MAX as u32 };
        /// How many seconds to wait before connecting again: the first time, and the longest.
        restart_timeout: Restart = Restart::DEFAULT, Restarts;
        /// Whether several addresses are equal, instead of the first being the best.
        round_robin: bool = false, Bool;
        /// Whether the other end is told that this is a bridge.
        try_private: bool = true, Bool;
        /// Whether the state of the bridge is published.
        notifications: bool = true, Bool;
        /// Whether it is published here only.
        notifications_local_only: bool = false, Bool;
        /// Where it is published. Unset, it is `$SYS/broker/connection/ID/state`.
        notification_topic: Option<String> = None, Maybe(Text { max: 65535 });
        /// The client id at the other end. Unset, it is the computer's name and the bridge's.
        remote_clientid ("clientid"): Option<String> = None, Maybe(Text { max: 65535 });
        /// The user name at the other end.
        remote_username ("username"): Option<String> = None, Maybe(Text { max: 65535 });
        /// The password at the other end.
        remote_password ("password"): Option<String> = None, Maybe(Text { max: 65535 });
        /// The client id here. Unset, it is `local.` and the one at the other end.
        local_clientid: Option<String> = None, Maybe(Text { max: 65535 });
        /// The user name here.
        local_username: Option<String> = None, Maybe(Text { max: 65535 });
        /// The password here.
        local_password: Option<String> = None, Maybe(Text { max: 65535 });
        /// Whether topics that are no longer listed are unsubscribed.
        bridge_attempt_unsubscribe: bool = true, Bool;
        /// The local address of the connection.
        bridge_bind_address: Option<String> = None, Maybe(Text { max: 255 });
        /// The largest packet in bytes.
        bridge_max_packet_size: Option<u32> = None, Limit::ZERO;
        /// How many topic aliases are used.
        bridge_max_topic_alias: u16 = 10, Short;
        /// Whether messages keep their retain flag on the way out.
        bridge_outgoing_retain: bool = true, Bool;
        /// The version of MQTT.
        bridge_protocol_version: Version = Version::V4, Choice(&[
            ("mqttv31", Version::V3), ("mqttv311", Version::V4), ("mqttv50", Version::V5)]);
        /// How many messages may be in flight.
        bridge_receive_maximum: u32 = 20, Number { min: 1, max: 65535 };
        /// When a reload takes effect: when the bridge connects the next time, or at once.
        bridge_reload_type: ReloadType = ReloadType::Lazy, Choice(&[
            ("lazy", ReloadType::Lazy), ("immediate", ReloadType::Immediate)]);
        /// How many seconds the session at the other end is kept (MQTT 5).
        bridge_session_expiry_interval: u32 = 0, Number { min: 0, max: i32::MAX as u32 };
        /// The keep alive of TCP: seconds until the first probe, between probes, and how many.
        bridge_tcp_keepalive: Option<[u32; 3]> = None, TcpKeepalive;
        /// How many milliseconds TCP waits for an acknowledgement. Unset, the system decides.
        bridge_tcp_user_timeout: Option<u32> = None, Maybe(Number { min: 0, max: i32::MAX as u32 });
        /// Authorities for the other end's certificate.
        bridge_cafile: Option<PathBuf> = None, Maybe(Path);
        /// A folder of such authorities.
        bridge_capath: Option<PathBuf> = None, Maybe(Path);
        /// Our certificate.
        bridge_certfile: Option<PathBuf> = None, Maybe(Path);
        /// Our key.
        bridge_keyfile: Option<PathBuf> = None, Maybe(Path);
        /// The lowest version of TLS, `tlsv1.2` or `tlsv1.3`.
        bridge_tls_version: Option<String> = None, Maybe(Text { max: 16 });
        /// Whether the system's authorities are trusted.
        bridge_tls_use_os_certs: bool = false, Bool;
        /// Whether the name in the certificate may differ.
        bridge_insecure: bool = false, Bool;
        /// The application protocol of TLS.
        bridge_alpn: Option<String> = None, Maybe(Text { max: 255 });
        /// Whether a proof against revocation is required.
        bridge_require_ocsp: bool = false, Bool;
    }
}

impl Bridge {
    /// What is missing or does not go together, as the end of a sentence about the bridge.
    pub(in crate::config) fn flaw(&self) -> Option<&'static str> {
        if self.address.is_empty() {
            return Some("has no address. Add a line below it: address HOST:PORT");
        }
        if self.topic.is_empty() {
            return Some("carries no topic. Add a line below it: topic # both 0");
        }
        if self.bridge_certfile.is_some() != self.bridge_keyfile.is_some() {
            return Some("needs both bridge_certfile and bridge_keyfile, or neither");
        }
        None
    }
}

/// What is said about an option outside of a bridge; inside, it has no use.
const INSIDE: Answer = Answer::Inside("connection");

known! {
    BRIDGE_KNOWN;
    group "Bridges" {
        /// Names of ciphers, in the words of OpenSSL. The library in use here has safe ones only.
        "bridge_ciphers" => INSIDE;
        /// The same for TLS 1.3.
        "bridge_ciphers_tls1.3" => INSIDE;
        /// The identity of TLS-PSK.
        "bridge_identity" => Answer::Stop("there is no TLS with pre-shared keys.");
        /// The key of TLS-PSK.
        "bridge_psk" => Answer::Stop("there is no TLS with pre-shared keys.");
    }
}
