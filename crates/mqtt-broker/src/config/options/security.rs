//! Options that decide who may do what: global, or per listener with `per_listener_settings`.

use crate::config::define::{Answer, known, options};
use crate::config::value::{Bool, Maybe, Path, Text};
use std::path::PathBuf;

options! {
    /// What the file says about access, for the broker or for one listener.
    ///
    /// What holds in the end stands in [`Listener`](super::Listener).
    #[derive(Clone, Debug, PartialEq)]
    pub struct Security, table SECURITY;

    group "Security" {
        /// Whether clients without a user name may connect.
        /// Unset, they may in local only mode, and may not as soon as there is a listener.
        allow_anonymous: Option<bool> = None, Maybe(Bool), reload;
        /// Whether clients of MQTT 3.1.1 and 5 may leave the client id empty and get a
        /// generated one.
        allow_zero_length_clientid: bool = true, Bool, reload;
        /// What generated client ids begin with. Unset, it is `auto-`.
        auto_id_prefix: Option<String> = None, Maybe(Text { max: 50 }), reload,
            deprecated("Please use 'listener_auto_id_prefix' instead.");
        /// A file of rights on topics, one a line: `topic read weather/#`. A word after `topic`
        /// says which right, `read`, `write`, `readwrite` or `deny`; without one it is
        /// `readwrite`. Lines before any `user NAME` line are for clients without a user name,
        /// lines below one for that user. Lines that begin with `pattern` are for everybody, and
        /// have `%c` or `%u` for a level that is the client id or the user name.
        /// What no line allows is denied. A client's own lines are asked before the patterns,
        /// and of both `deny` first.
        /// A subscription through which nothing could ever come is refused to clients of MQTT 5;
        /// older ones are granted it, as by Mosquitto, and get nothing.
        /// Unset, everybody may read and write everything.
        acl_file: Option<PathBuf> = None, Maybe(Path), reload;
        /// A file of users and the hashes of their passwords, one `user:hash` a line, as
        /// `mqtt-passwd` writes it. A client with a user name needs its password then; whether
        /// clients without one may connect is up to `allow_anonymous`.
        /// Passwords are checked beside the work of the broker, so a login delays nobody. After 15
        /// wrong ones from one address in a short time the answers to further ones are held back,
        /// by a quarter of a second more each time and up to ten seconds; a wrong one is forgotten
        /// every four seconds. Of one address eight logins are looked at at a time.
        /// When a reload finds that a user is gone or has another password, its clients are
        /// disconnected.
        /// Unset, user names are taken as they come, where `allow_anonymous` lets clients in.
        password_file: Option<PathBuf> = None, Maybe(Path), reload;
    }
}

known! {
    SECURITY_KNOWN;
    group "Security" {
        /// A file of keys for TLS-PSK.
        "psk_file" => Answer::Stop("there is no TLS with pre-shared keys. Use certificates: certfile and keyfile, and require_certificate with cafile for clients.");
    }
}
