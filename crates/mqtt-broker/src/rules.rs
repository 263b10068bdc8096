//! What a configuration means for the engine, at the start and when it is read again.

use crate::config::{Config, Listener};
use crate::engine::settings::{ListenerRules, Settings};
use crate::log::Log;
use mqtt_proto::Version;
use std::time::Duration;

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
        max_inflight_messages: config.max_inflight_messages,
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
        certificate_name: None,
        use_username_as_clientid: listener.use_username_as_clientid,
        mount_point: listener.mount_point.as_deref().map(Box::from),
    }
}

/// The listeners of a new configuration in the order of those that stand, and what has to wait
/// for the next start: doors are neither opened nor closed while the broker runs.
pub(crate) fn matched(
    standing: &[Listener],
    mut wanted: Vec<Listener>,
) -> (Vec<Listener>, Vec<String>) {
    let mut warnings = Vec::new();
    let mut listeners = Vec::with_capacity(standing.len());
    for old in standing {
        let is_same = |new: &Listener| {
            (new.port, &new.host, new.socket_domain) == (old.port, &old.host, old.socket_domain)
        };
        match wanted.iter().position(is_same) {
            Some(at) => listeners.push(wanted.remove(at)),
            None => {
                warnings.push(format!(
                    "the listener on {} is not in the configuration any more. It stays as it was until the broker is started again.",
                    door(old)
                ));
                listeners.push(old.clone());
            }
        }
    }
    warnings.extend(wanted.iter().map(|new| {
        format!(
            "the listener on {} is new. It opens when the broker is started again.",
            door(new)
        )
    }));
    (listeners, warnings)
}

/// Where a listener is: its port, and its address if it has one.
fn door(listener: &Listener) -> String {
    match &listener.host {
        Some(host) => format!("port {} of {host}", listener.port),
        None => format!("port {}", listener.port),
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
    fn listeners_are_known_by_their_port_and_address() {
        let old = listeners("listener 1883\nlistener 1884 127.0.0.1\nlistener 1885\n");
        let new = listeners(
            "listener 1885\nmax_connections 5\nlistener 1883\nmax_connections 3\nlistener 1884 ::1\n",
        );
        let (matched, warnings) = matched(&old, new);
        let found: Vec<_> = matched
            .iter()
            .map(|listener| (listener.port, listener.max_connections))
            .collect();
        assert_eq!(found, [(1883, Some(3)), (1884, None), (1885, Some(5))]);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(
            warnings[0].contains("port 1884 of 127.0.0.1 is not"),
            "{warnings:?}"
        );
        assert!(
            warnings[1].contains("port 1884 of ::1 is new"),
            "{warnings:?}"
        );
    }
}
