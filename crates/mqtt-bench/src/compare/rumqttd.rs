//! rumqttd, embedded: this program as that broker, in a process of its own so that it can be measured.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};

/// The argument that makes this program rumqttd; the port follows.
pub const FLAG: &str = "--serve-as-rumqttd";
/// The version that is embedded.
pub const VERSION: &str = "0.20.0";

/// Serves until the process is ended.
pub fn serve(port: Option<&str>) -> ExitCode {
    let Some(port) = port.and_then(|port| port.parse().ok()) else {
        eprintln!("Error: {FLAG} needs a port.");
        return ExitCode::FAILURE;
    };
    match Broker::new(config(port)).start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: rumqttd ends: {error}.");
            ExitCode::FAILURE
        }
    }
}

/// The settings that it is shipped with, and room for many clients and large messages.
fn config(port: u16) -> Config {
    let settings = ServerSettings {
        name: "compare".to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        tls: None,
        next_connection_delay_ms: 1,
        connections: ConnectionSettings {
            connection_timeout_ms: 60_000,
            max_payload_size: 64 * 1024 * 1024,
            max_inflight_count: 500,
            auth: None,
            external_auth: None,
            dynamic_filters: true,
        },
    };
    Config {
        router: RouterConfig {
            max_connections: 20_000,
            max_outgoing_packet_count: 200,
            max_segment_size: 100 * 1024 * 1024,
            max_segment_count: 10,
            ..RouterConfig::default()
        },
        v4: Some(HashMap::from([("compare".to_owned(), settings)])),
        ..Config::default()
    }
}
