//! What the connections of one listener pass before they speak MQTT: proxy, TLS, WebSocket.

use crate::config::{Config, Listener, Protocol};
use crate::http::Served;
use mqtt_net::ProxyVersion;
use mqtt_net::tls;
use mqtt_net::websocket::ServerRules;

/// A listener's way in. It is replaced on a reload; connections keep the one they came by.
pub(crate) struct Gate {
    /// The listener's number in the engine.
    pub(crate) listener: usize,
    /// Which PROXY header is in front, if any.
    pub(crate) proxy: Option<ProxyVersion>,
    /// Whether the proxy must have spoken TLS with the client.
    pub(crate) needs_proxied_tls: bool,
    /// Whether the client must have shown the proxy a certificate.
    pub(crate) needs_proxied_certificate: bool,
    /// TLS, if the listener has it.
    pub(crate) tls: Option<tls::ServerConfig>,
    /// Who may open a WebSocket, if the listener is for those.
    pub(crate) websocket: Option<ServerRules>,
    /// What is served over HTTP, if the listener is for that.
    pub(crate) http: Option<Served>,
}

impl Gate {
    /// The gate of listener number `number`, with the TLS that its files have come to.
    pub(crate) fn of(
        config: &Config,
        listener: &Listener,
        number: usize,
        tls: Option<tls::ServerConfig>,
    ) -> Gate {
        let websocket = match listener.protocol {
            Protocol::Mqtt | Protocol::HttpApi => None,
            Protocol::WebSockets => Some(ServerRules {
                origins: listener.websockets_origin.clone(),
                longest_head: config.packet_buffer_size as usize,
            }),
        };
        Gate {
            listener: number,
            proxy: listener.enable_proxy_protocol,
            needs_proxied_tls: listener.proxy_protocol_v2_require_tls,
            needs_proxied_certificate: listener.require_certificate,
            tls,
            websocket,
            http: (listener.protocol == Protocol::HttpApi).then(|| Served {
                folder: listener.http_dir.clone(),
            }),
        }
    }

    /// Whether MQTT begins with the first byte.
    pub(crate) fn is_open(&self) -> bool {
        self.proxy.is_none()
            && self.tls.is_none()
            && self.websocket.is_none()
            && self.http.is_none()
    }
}
