//! The numbers and switches that the engine obeys; the program fills them in from its configuration.

use crate::auth::{Acl, Passwords};
use crate::log::Levels;
use mqtt_proto::{QoS, Version};
use std::sync::Arc;

/// What holds for the whole broker. "No limit" is written as the type's largest value.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which log lines are wanted.
    pub log: Levels,
    /// The listeners, by the number that a connection is opened with.
    pub listeners: Vec<ListenerRules>,
    /// The largest packet in bytes, told to version 5 clients.
    pub max_packet_size: u32,
    /// The largest payload in bytes.
    pub message_size_limit: usize,
    /// QoS 1 and 2 messages in flight in each direction.
    pub max_inflight_messages: u16,
    /// So many towards a client that confirms quickly, if that is more.
    pub max_inflight_quick: u16,
    /// Their bytes, towards the client.
    pub max_inflight_bytes: usize,
    /// QoS 1 and 2 messages that wait for a client besides those in flight.
    pub max_queued_messages: usize,
    /// Their bytes.
    pub max_queued_bytes: usize,
    /// Whether QoS 0 messages wait for absent clients too.
    pub queue_qos0_messages: bool,
    /// The longest keep alive in seconds; 0 is no limit.
    pub max_keepalive: u16,
    /// What client identifiers have to begin with.
    pub clientid_prefixes: Option<Box<str>>,
    /// Whether messages can be retained.
    pub retain_available: bool,
    /// Whether a retained message is only sent while its publisher may still write to its topic.
    pub check_retain_source: bool,
    /// Whether messages go out at the subscription's QoS even if they came with a lower one.
    pub upgrade_outgoing_qos: bool,
    /// Whether overlapping subscriptions of one client get a copy each.
    pub allow_duplicate_messages: bool,
    /// Seconds after which an absent client's session ends in any case; [`u32::MAX`]: never.
    pub persistent_client_expiration: u32,
    /// Sessions, connected or not.
    pub global_max_clients: usize,
    /// Connections in all.
    pub global_max_connections: usize,
    /// Seconds between two rounds of `$SYS`; 0: no `$SYS`.
    pub sys_interval: u32,
    /// Seconds between two looks for retained messages that have expired.
    pub retain_expiry_interval: u32,
    /// Subscriptions of one session.
    pub max_subscriptions: usize,
    /// Seconds that a connection may take until its CONNECT is there.
    pub connect_timeout: u32,
    /// Messages of a queue that are kept in memory where a store has all of them.
    pub queue_head: usize,
    /// Bytes that may wait for a slow reader before nothing more is put behind them; of payloads
    /// that are shared a fixed number may wait besides.
    pub max_outbox_bytes: usize,
    /// Milliseconds that publishers wait for a subscriber for which half of what may wait does;
    /// 0: they do not.
    pub patience_ms: u32,
}

/// What holds for the connections of one listener.
#[derive(Clone, Debug)]
pub struct ListenerRules {
    /// Its port, for the log; 0 for a Unix socket.
    pub port: u16,
    /// Whether clients without a user name may come in.
    pub allow_anonymous: bool,
    /// Whether an empty client identifier is replaced by one of ours.
    pub allow_zero_length_clientid: bool,
    /// What assigned client identifiers begin with.
    pub auto_id_prefix: String,
    /// The protocol versions it speaks.
    pub versions: Vec<Version>,
    /// The highest QoS it takes.
    pub max_qos: QoS,
    /// Topic aliases that a client may use towards us.
    pub max_topic_alias: u16,
    /// Topic aliases that we use towards a client, at most.
    pub max_topic_alias_broker: u16,
    /// Connections.
    pub max_connections: usize,
    /// What its clients may read and write; everything if `None`.
    pub acl: Option<Arc<Acl>>,
    /// Whose user names count; without it every name does, where anonymous clients may come in.
    pub passwords: Option<Arc<Passwords>>,
    /// Where the user name comes from, if not from CONNECT.
    pub certificate_name: Option<CertificateName>,
    /// Whether the user name takes the place of the client identifier.
    pub use_username_as_clientid: bool,
    /// What is put before every topic of its clients, and taken off again towards them.
    pub mount_point: Option<Box<str>>,
}

/// The name in a client's certificate that becomes its user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateName {
    /// The common name.
    Identity,
    /// The whole subject.
    Subject,
}

impl ListenerRules {
    /// Whether the certificate says who a client is, so that no password is asked for.
    pub fn names_by_certificate(&self) -> bool {
        self.certificate_name.is_some()
    }
}

impl Settings {
    /// Whether any listener's clients may not do everything.
    pub fn has_acl(&self) -> bool {
        self.listeners.iter().any(|listener| listener.acl.is_some())
    }

    /// Whether any listener's clients see a part of the topics as the whole.
    pub fn has_mounts(&self) -> bool {
        let mut listeners = self.listeners.iter();
        listeners.any(|listener| listener.mount_point.is_some())
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            log: Levels::NONE,
            listeners: vec![ListenerRules::default()],
            max_packet_size: 2_000_000,
            message_size_limit: usize::MAX,
            max_inflight_messages: 20,
            max_inflight_quick: 0,
            max_inflight_bytes: usize::MAX,
            max_queued_messages: 1000,
            max_queued_bytes: usize::MAX,
            queue_qos0_messages: false,
            max_keepalive: 0,
            clientid_prefixes: None,
            retain_available: true,
            check_retain_source: true,
            upgrade_outgoing_qos: false,
            allow_duplicate_messages: true,
            persistent_client_expiration: u32::MAX,
            global_max_clients: usize::MAX,
            global_max_connections: usize::MAX,
            sys_interval: 10,
            retain_expiry_interval: 60,
            max_subscriptions: 1_000_000,
            connect_timeout: 30,
            queue_head: 10_000,
            max_outbox_bytes: 4 * 1024 * 1024,
            patience_ms: 250,
        }
    }
}

impl Default for ListenerRules {
    fn default() -> ListenerRules {
        ListenerRules {
            port: 1883,
            allow_anonymous: true,
            allow_zero_length_clientid: true,
            auto_id_prefix: "auto-".to_owned(),
            versions: vec![Version::V3, Version::V4, Version::V5],
            max_qos: QoS::ExactlyOnce,
            max_topic_alias: 10,
            max_topic_alias_broker: 10,
            max_connections: usize::MAX,
            acl: None,
            passwords: None,
            certificate_name: None,
            use_username_as_clientid: false,
            mount_point: None,
        }
    }
}
