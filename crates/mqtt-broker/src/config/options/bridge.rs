//! Options of bridges, which connect this broker to another one.

use crate::config::define::{Answer, known};

/// What is said about an option outside of a bridge; inside, `connection` has said it all.
const INSIDE: Answer = Answer::Inside("connection");

known! {
    BRIDGE_KNOWN;
    group "Bridges" {
        /// Opens the section of a bridge and names it.
        "connection" => Answer::Stop(
            "there are no bridges yet. For one direction this does the work: `mqtt-sub -h OTHER -t 'a/#' | mqtt-pub -t b -l`.");
        /// The broker at the other end.
        "address" ("addresses") => INSIDE;
        /// A topic that is carried over, with direction, QoS and prefixes.
        "topic" => INSIDE;
        /// Whether the session at the other end is forgotten on disconnect.
        "cleansession" => INSIDE;
        /// The same for the session here.
        "local_cleansession" => INSIDE;
        /// The keep alive of the connection in seconds.
        "keepalive_interval" => INSIDE;
        /// How long a lazy bridge waits before it disconnects.
        "idle_timeout" => INSIDE;
        /// When the bridge connects.
        "start_type" => INSIDE;
        /// How many messages wake a lazy bridge.
        "threshold" => INSIDE;
        /// How long to wait before connecting again.
        "restart_timeout" => INSIDE;
        /// Whether several addresses are equal.
        "round_robin" => INSIDE;
        /// Whether the other end is told that this is a bridge.
        "try_private" => INSIDE;
        /// Whether the state of the bridge is published.
        "notifications" => INSIDE;
        /// Whether it is published here only.
        "notifications_local_only" => INSIDE;
        /// Where it is published.
        "notification_topic" => INSIDE;
        /// The client id at the other end.
        "remote_clientid" ("clientid") => INSIDE;
        /// The user name at the other end.
        "remote_username" ("username") => INSIDE;
        /// The password at the other end.
        "remote_password" ("password") => INSIDE;
        /// The client id here.
        "local_clientid" => INSIDE;
        /// The user name here.
        "local_username" => INSIDE;
        /// The password here.
        "local_password" => INSIDE;
        /// Whether topics that are no longer listed are unsubscribed.
        "bridge_attempt_unsubscribe" => INSIDE;
        /// The local address of the connection.
        "bridge_bind_address" => INSIDE;
        /// The largest packet.
        "bridge_max_packet_size" => INSIDE;
        /// How many topic aliases are used.
        "bridge_max_topic_alias" => INSIDE;
        /// Whether messages keep their retain flag on the way out.
        "bridge_outgoing_retain" => INSIDE;
        /// The version of MQTT.
        "bridge_protocol_version" => INSIDE;
        /// How many messages may be in flight.
        "bridge_receive_maximum" => INSIDE;
        /// When a reload takes effect.
        "bridge_reload_type" => INSIDE;
        /// How long the session at the other end is kept.
        "bridge_session_expiry_interval" => INSIDE;
        /// The keep alive of TCP.
        "bridge_tcp_keepalive" => INSIDE;
        /// How long TCP waits for an acknowledgement.
        "bridge_tcp_user_timeout" => INSIDE;
        /// Authorities for the other end's certificate.
        "bridge_cafile" => INSIDE;
        /// A folder of such authorities.
        "bridge_capath" => INSIDE;
        /// Our certificate.
        "bridge_certfile" => INSIDE;
        /// Our key.
        "bridge_keyfile" => INSIDE;
        /// The version of TLS.
        "bridge_tls_version" => INSIDE;
        /// Whether the system's authorities are trusted.
        "bridge_tls_use_os_certs" => INSIDE;
        /// Whether the name in the certificate may differ.
        "bridge_insecure" => INSIDE;
        /// The application protocol of TLS.
        "bridge_alpn" => INSIDE;
        /// Names of ciphers.
        "bridge_ciphers" => INSIDE;
        /// The same for TLS 1.3.
        "bridge_ciphers_tls1.3" => INSIDE;
        /// The identity of TLS-PSK.
        "bridge_identity" => INSIDE;
        /// The key of TLS-PSK.
        "bridge_psk" => INSIDE;
        /// Whether a proof against revocation is required.
        "bridge_require_ocsp" => INSIDE;
    }
}
