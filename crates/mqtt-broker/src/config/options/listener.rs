//! Options that belong to one listener, a door of the broker.

use super::kinds::{
    AcceptedVersions, MountPoint, Origins, Protocols, ProxyVersions, Qos, Versions,
};
use super::{Protocol, SocketDomain};
use crate::auth::{Acl, Passwords};
use crate::config::define::{Answer, known, options};
use crate::config::number::{Limit, Short};
use crate::config::value::{Bool, Choice, Maybe, Path, Text};
use mqtt_net::ProxyVersion;
use mqtt_proto::QoS;
use std::path::PathBuf;
use std::sync::Arc;

options! {
    /// One door of the broker and the rules at it.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Listener, table LISTENER;

    extra {
        /// The TCP port; 0 lets the system choose one, which only a program can ask for.
        port: u16 = 1883;
        /// The address or host name to listen on; all interfaces if unset.
        host: Option<String> = None;
        /// The path of a Unix socket, which then takes the place of port and host.
        unix: Option<PathBuf> = None;
        /// Whether a reload has closed this door. The connections that came by it stay.
        is_closed: bool = false;
        /// Whether clients without a user name may connect here, all options taken together.
        allow_anonymous: bool = false;
        /// Whether an empty client id is answered with a generated one here.
        allow_zero_length_clientid: bool = true;
        /// What generated client ids begin with here.
        auto_id_prefix: String = "auto-".into();
        /// What clients may read and write here; everything if unset.
        acl: Option<Arc<Acl>> = None;
        /// Whose passwords are asked for here; nobody's if unset.
        passwords: Option<Arc<Passwords>> = None;
    }

    group "Listeners" {
        /// What is spoken at this door. `http_api` answers `/api/v1/systree`, `/api/v1/listeners`
        /// and `/api/v1/version` as Mosquitto does, `/metrics` in the words of Prometheus, and
        /// `/healthz`, which alone asks nobody for a name. Who may come in is decided as for MQTT,
        /// with HTTP's basic authentication; an `acl_file` sees the path as a topic to be read, and
        /// the client as `http-api`.
        protocol: Protocol = Protocol::Mqtt, Protocols, reload;
        /// A folder of files for browsers, at a door with `protocol http_api`. What lies outside of
        /// it is not served, whatever a path or a link in it says.
        http_dir: Option<PathBuf> = None, Maybe(Path), reload;
        /// Web pages that may connect by WebSocket, by their origin: programs that are no browsers
        /// send none, and may always. Without this option all pages may.
        websockets_origin: Vec<String> = Vec::new(), Origins, reload, own_listener;
        /// The network interface whose addresses to listen on, by its name (`eth0`).
        bind_interface: Option<String> = None, Maybe(Text { max: 64 });
        /// Expects the PROXY protocol of load balancers in front of every connection, and takes the
        /// client's address from it. Whoever connects without it is turned away; so keep the port
        /// closed to all but the proxy, which is believed.
        enable_proxy_protocol: Option<ProxyVersion> = None, ProxyVersions, reload, own_listener;
        /// Whether clients must have come to the proxy by TLS (version 2 of the PROXY protocol).
        proxy_protocol_v2_require_tls: bool = false, Bool, reload, own_listener;
        /// Whether to listen on IPv4 or IPv6 alone. Unset, both are used.
        socket_domain: Option<SocketDomain> = None,
            Maybe(Choice(&[("ipv4", SocketDomain::Ipv4), ("ipv6", SocketDomain::Ipv6)]));
        /// The versions of MQTT that are let in: 3 is 3.1, 4 is 3.1.1, 5 is 5.
        accept_protocol_versions: AcceptedVersions = AcceptedVersions::ALL, Versions, reload,
            own_listener;
        /// The most connections at this door at the same time.
        max_connections: Option<u32> = None, Limit::MINUS_ONE, reload;
        /// The highest QoS clients may publish with. A higher one ends the connection.
        max_qos ("maximum_qos"): QoS = QoS::ExactlyOnce, Qos, reload;
        /// How many topic aliases a client of MQTT 5 may use.
        max_topic_alias: u16 = 10, Short, reload, own_listener;
        /// How many topic aliases the broker uses towards a client of MQTT 5.
        max_topic_alias_broker: u16 = 10, Short, reload, own_listener;
        /// What is put before every topic that clients of this door name, and taken off again
        /// from what they are sent: they live in a part of the topics and see it as the whole,
        /// `$SYS` and all. Write the slash at its end: `mount_point house1/`. Rights in an
        /// `acl_file` are on whole topics, with the prefix.
        mount_point: Option<String> = None, Maybe(MountPoint), reload;
        /// Whether the user name takes the place of the client id. Clients without one are refused.
        use_username_as_clientid: bool = false, Bool, reload;
        /// `allow_anonymous` for this door alone.
        listener_allow_anonymous: Option<bool> = None, Maybe(Bool), reload, own_listener;
        /// `auto_id_prefix` for this door alone.
        listener_auto_id_prefix: Option<String> = None, Maybe(Text { max: 50 }), reload,
            own_listener;
    }

    group "TLS of listeners" {
        /// The server's certificate (PEM), followed by those between it and its authority.
        /// With `keyfile` it turns TLS on. It is read anew on a reload; clients stay connected.
        certfile: Option<PathBuf> = None, Maybe(Path), reload;
        /// The private key of the certificate (PEM): RSA, ECDSA or Ed25519. If it is encrypted, its
        /// passphrase is asked for at the start.
        keyfile: Option<PathBuf> = None, Maybe(Path), reload;
        /// The authorities whose certificates clients may show (PEM).
        cafile: Option<PathBuf> = None, Maybe(Path), reload, own_listener;
        /// A folder of such files; all of them are read.
        capath: Option<PathBuf> = None, Maybe(Path), reload;
        /// Whether clients must show a certificate. If not, they are not asked for one.
        require_certificate: bool = false, Bool, reload;
        /// Certificates of clients that were taken back, as a list of their authority (PEM). A
        /// client whose authority has no list there is turned away.
        crlfile: Option<PathBuf> = None, Maybe(Path), reload;
        /// Whether the common name in the client's certificate is its user name.
        use_identity_as_username: bool = false, Bool, reload;
        /// Whether the whole subject of the client's certificate is its user name:
        /// `CN=sensor,O=Lab,C=GR`.
        use_subject_as_username: bool = false, Bool, reload;
        /// The lowest version of TLS: `tlsv1.2` or `tlsv1.3`. Unset, it is 1.2.
        tls_version: Option<String> = None, Maybe(Text { max: 16 }), reload, own_listener;
        /// The ciphers to agree to for TLS 1.2, by OpenSSL's names and with colons between them.
        /// Unset, all that are there, which are all good.
        ciphers: Option<String> = None, Maybe(Text { max: 4096 }), reload;
        /// The same for TLS 1.3.
        ciphers_tls13 ("ciphers_tls1.3"): Option<String> = None, Maybe(Text { max: 4096 }), reload;
        /// Whether certificates of clients count before and after their time, too. For devices
        /// without a clock.
        disable_client_cert_date_checks: bool = false, Bool, reload, own_listener;
    }
}

known! {
    LISTENER_KNOWN;
    group "TLS of listeners" {
        /// The hint of TLS-PSK.
        "psk_hint" => Answer::Stop("there is no TLS with pre-shared keys.");
        /// A hardware key store of OpenSSL.
        "tls_engine" => Answer::Stop("there is no OpenSSL here, and so no engines.");
        /// The engine's password.
        "tls_engine_kpass_sha1" => Answer::Stop("there is no OpenSSL here, and so no engines.");
        /// The form of the key file.
        "tls_keyform" => Answer::Warn("keys are always read from PEM files.");
        /// Parameters of an old key exchange.
        "dhparamfile" => Answer::Gone;
    }
}
