//! What a configuration means for the engine, at the start and when it is read again.

use crate::config::options::DEFAULT_INFLIGHT;
use crate::config::{Config, Listener};
use crate::engine::settings::{CertificateName, ListenerRules, Settings};
use crate::log::Log;
use mqtt_proto::Version;
use std::time::Duration;

/// Towards a client that confirms quickly, unless the configuration has a number.
const QUICK_INFLIGHT: u16 = 1000;

/// The settings of a configuration.
pub(crate) fn settings(config: &Config, log: &Log) -> Settings {
    let or_max = |limit: Option<u32>| limit.map_or(usize::MAX, |limit| limit as usize);
    let seconds =
        |time: Option<Duration>| time.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    Settings {
        log: log.levels(),
        listeners: config.listeners.iter().map(rules).collect(),
        max_packet_size: config.max_packet_size,
        message_size_limit: or_max(config.message_size_limit),
        max_inflight_messages: config.max_inflight_messages.unwrap_or(DEFAULT_INFLIGHT),
        max_inflight_quick: match config.max_inflight_messages {
            None => QUICK_INFLIGHT,
            Some(_) => 0,
        },
        max_inflight_bytes: or_max(config.max_inflight_bytes),
        max_queued_messages: or_max(config.max_queued_messages),
        max_queued_bytes: or_max(config.max_queued_bytes),
        queue_qos0_messages: config.queue_qos0_messages,
        max_keepalive: config.max_keepalive,
        clientid_prefixes: config.clientid_prefixes.as_deref().map(Box::from),
        retain_available: config.retain_available,
        check_retain_source: config.check_retain_source,
        upgrade_outgoing_qos: config.upgrade_outgoing_qos,
        allow_duplicate_messages: config.allow_duplicate_messages,
        persistent_client_expiration: seconds(config.persistent_client_expiration)
            .unwrap_or(u32::MAX),
        global_max_clients: or_max(config.global_max_clients),
        global_max_connections: or_max(config.global_max_connections),
        sys_interval: seconds(config.sys_interval).unwrap_or(0),
        retain_expiry_interval: seconds(config.retain_expiry_interval).unwrap_or(60),
        ..Settings::default()
    }
}

fn rules(listener: &Listener) -> ListenerRules {
    let versions = [Version::V3, Version::V4, Version::V5];
    ListenerRules {
        port: listener.port,
        allow_anonymous: listener.allow_anonymous,
        allow_zero_length_clientid: listener.allow_zero_length_clientid,
        auto_id_prefix: listener.auto_id_prefix.clone(),
        versions: versions
            .into_iter()
            .filter(|&v| listener.accept_protocol_versions.contains(v))
            .collect(),
        max_qos: listener.max_qos,
        max_topic_alias: listener.max_topic_alias,
        max_topic_alias_broker: listener.max_topic_alias_broker,
        max_connections: listener
            .max_connections
            .map_or(usize::MAX, |limit| limit as usize),
        acl: listener.acl.clone(),
        passwords: listener.passwords.clone(),
        certificate_name: certificate_name(listener),
        use_username_as_clientid: listener.use_username_as_clientid,
        mount_point: listener.mount_point.as_deref().map(Box::from),
    }
}

/// Which name in a client's certificate is its user name. Without TLS here, a certificate can only
/// have been shown to a proxy, which tells no more than the common name.
fn certificate_name(listener: &Listener) -> Option<CertificateName> {
    let is_secured = listener.certfile.is_some();
    let is_expected = is_secured || listener.require_certificate;
    if listener.use_identity_as_username && is_expected {
        Some(CertificateName::Identity)
    } else if listener.use_subject_as_username && is_secured {
        Some(CertificateName::Subject)
    } else {
        None
    }
}

/// What a new configuration does to the listeners.
pub(crate) struct Plan {
    /// All listeners by number: those that stand keep theirs, new ones follow. One that is gone is
    /// kept as it was, for the connections that came by it.
    pub(crate) listeners: Vec<Listener>,
    /// The numbers of those whose doors are to be opened.
    pub(crate) opening: Vec<usize>,
    /// The numbers of those whose doors are to be closed.
    pub(crate) closing: Vec<usize>,
}

/// Compares the listeners of a new configuration with those that stand.
pub(crate) fn plan(standing: &[Listener], mut wanted: Vec<Listener>) -> Plan {
    let mut plan = Plan {
        listeners: Vec::with_capacity(standing.len()),
        opening: Vec::new(),
        closing: Vec::new(),
    };
    for (number, old) in standing.iter().enumerate() {
        match wanted.iter().position(|new| new.is_at_the_place_of(old)) {
            Some(at) => {
                if old.is_closed {
                    plan.opening.push(number);
                }
                plan.listeners.push(wanted.remove(at));
            }
            None => {
                if !old.is_closed {
                    plan.closing.push(number);
                }
                plan.listeners.push(Listener {
                    is_closed: true,
                    ..old.clone()
                });
            }
        }
    }
    plan.opening
        .extend(standing.len()..standing.len() + wanted.len());
    plan.listeners.append(&mut wanted);
    plan
}

impl Listener {
    /// Whether the same doors serve both.
    fn is_at_the_place_of(&self, other: &Listener) -> bool {
        let place = |listener: &Listener| {
            (
                listener.port,
                listener.host.clone(),
                listener.unix.clone(),
                listener.bind_interface.clone(),
                listener.socket_domain,
            )
        };
        place(self) == place(other)
    }

    /// Whether both cannot listen at the same time, as far as that can be told beforehand.
    pub(crate) fn is_in_the_way_of(&self, other: &Listener) -> bool {
        (&self.unix, self.port) == (&other.unix, other.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(text: &str) -> Vec<Listener> {
        let config: Config = text.parse().expect("a configuration");
        config.listeners
    }

    #[test]
    fn listeners_are_known_by_their_place() {
        let old = listeners("listener 1883\nlistener 1884 127.0.0.1\nlistener 1885\n");
        let new = listeners(
            "listener 1885\nmax_connections 5\nlistener 1883\nmax_connections 3\nlistener 1884 ::1\n",
        );
        let first = plan(&old, new);
        let found: Vec<_> = first
            .listeners
            .iter()
            .map(|listener| (listener.port, listener.max_connections, listener.is_closed))
            .collect();
        assert_eq!(
            found,
            [
                (1883, Some(3), false),
                (1884, None, true),
                (1885, Some(5), false),
                (1884, None, false)
            ]
        );
        assert_eq!((first.opening, first.closing), (vec![3], vec![1]));
        assert!(first.listeners[3].is_in_the_way_of(&old[1]));
        // What was closed has its number when it comes back.
        let again = plan(&first.listeners, old);
        assert_eq!((again.opening, again.closing), (vec![1], vec![3]));
        assert_eq!(again.listeners.len(), 4);
    }
}
