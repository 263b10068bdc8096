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
    }
}

known! {
    SECURITY_KNOWN;
    group "Security" {
        /// A file of users and password hashes.
        "password_file" => Answer::Stop(
            "users and passwords cannot be checked. Without them every client would be let in or none: `allow_anonymous true` or `allow_anonymous false`.");
        /// A file of keys for TLS-PSK.
        "psk_file" => Answer::Stop("there is no TLS with pre-shared keys.");
        /// Only client ids that begin with this are let in.
        "clientid_prefixes" => Answer::Stop("client ids cannot be restricted, so every id would be let in.");
    }
}
