//! What the broker counts, in the forms of the HTTP API and of Prometheus.

use crate::config::{Config, Listener, Protocol};
use crate::sys::Figure;
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Figures that Mosquitto's API leaves out: they are others by another name.
const LEFT_OUT: [&str; 3] = [
    "$SYS/broker/clients/active",
    "$SYS/broker/clients/inactive",
    "$SYS/broker/store/messages/count",
];

/// `/api/v1/systree`: every figure by its topic.
pub(super) fn systree(figures: &[Figure]) -> String {
    let tree: Map<String, Value> = figures
        .iter()
        .filter(|figure| !LEFT_OUT.contains(&figure.topic))
        .map(|figure| (figure.topic.to_owned(), figure.value.into()))
        .collect();
    Value::Object(tree).to_string()
}

/// `/api/v1/listeners`.
pub(super) fn listeners(config: &Config) -> String {
    let listeners: Vec<Value> = config.listeners.iter().map(listener).collect();
    json!({ "listeners": listeners }).to_string()
}

fn listener(listener: &Listener) -> Value {
    let protocol = match listener.protocol {
        Protocol::Mqtt => "mqtt",
        Protocol::WebSockets => "websockets",
        Protocol::HttpApi => "httpapi",
    };
    let mut shown = json!({
        "protocol": protocol,
        "tls": listener.certfile.is_some() && listener.keyfile.is_some(),
        "mtls": listener.require_certificate,
        "allow_anonymous": listener.allow_anonymous,
    });
    match &listener.unix {
        Some(path) => shown["path"] = path.display().to_string().into(),
        None => shown["port"] = listener.port.into(),
    }
    shown
}

/// `/metrics`: every figure in the text format of Prometheus.
pub(super) fn metrics(figures: &[Figure]) -> String {
    let mut text = String::new();
    for figure in figures {
        let name = figure.topic.trim_start_matches("$SYS/broker/");
        let name = name.replace(['/', ' '], "_");
        let (kind, ending) = if figure.only_grows {
            ("counter", "_total")
        } else {
            ("gauge", "")
        };
        let value = figure.value;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# TYPE mqtt_broker_{name}{ending} {kind}\nmqtt_broker_{name}{ending} {value}"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: [Figure; 3] = [
        Figure {
            topic: "$SYS/broker/bytes/received",
            value: 7,
            only_grows: true,
        },
        Figure {
            topic: "$SYS/broker/retained messages/count",
            value: 2,
            only_grows: false,
        },
        Figure {
            topic: "$SYS/broker/clients/active",
            value: 1,
            only_grows: false,
        },
    ];

    #[test]
    fn prometheus_reads_names_without_blanks_and_knows_counters() {
        assert_eq!(
            metrics(&FIGURES[..2]),
            "# TYPE mqtt_broker_bytes_received_total counter\n\
             mqtt_broker_bytes_received_total 7\n\
             # TYPE mqtt_broker_retained_messages_count gauge\n\
             mqtt_broker_retained_messages_count 2\n"
        );
    }

    #[test]
    fn the_tree_is_json_by_topic() {
        let tree: Value = serde_json::from_str(&systree(&FIGURES)).expect("JSON");
        let expected = json!({
            "$SYS/broker/bytes/received": 7,
            "$SYS/broker/retained messages/count": 2,
        });
        assert_eq!(tree, expected);
    }

    #[test]
    fn listeners_say_where_and_how() {
        let config: Config = "listener 1883\nallow_anonymous true\n"
            .parse()
            .expect("a listener");
        let shown: Value = serde_json::from_str(&listeners(&config)).expect("JSON");
        let expected = json!({ "listeners": [{
            "port": 1883, "protocol": "mqtt", "tls": false, "mtls": false, "allow_anonymous": true,
        }] });
        assert_eq!(shown, expected);
    }
}
