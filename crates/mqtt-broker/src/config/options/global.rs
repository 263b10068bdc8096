//! Options that hold for the whole broker.

use super::kinds::{Inflight, Sync, SyncPolicy};
use super::log_kinds::{Destinations, TimeFormat, Types};
use super::{Bridge, Listener, LogDestinations};
use crate::config::define::{Answer, known, options};
use crate::config::number::{Age, Bytes, Limit, Number, Period, Short};
use crate::config::value::{Bool, Maybe, Path, Text};
use crate::log::{Level, Levels};
use std::path::PathBuf;
use std::time::Duration;

options! {
    /// What a configuration means, once it is read and checked.
    ///
    /// Every option of the file that holds for the whole broker is a field of the same name;
    /// what belongs to one door is in [`Listener`]. `Config::default()` is a broker that listens
    /// on nothing, with every option at its documented default.
    #[derive(Clone, Debug, PartialEq)]
    pub struct Config, table GLOBAL;

    extra {
        /// The doors, in the order of the file.
        listeners: Vec<Listener> = Vec::new();
        /// The bridges, in the order of the file.
        bridges: Vec<Bridge> = Vec::new();
        /// Whether nobody configured a listener, so that [`Config::listeners`] are the loopback
        /// addresses. In this mode it is enough if one of them can be opened.
        local_only: bool = false;
        /// The file that was read, as it was named.
        path: Option<PathBuf> = None;
        /// Where the secrets of TLS connections are appended, for Wireshark; only a flag can ask
        /// for it.
        tls_keylog: Option<PathBuf> = None;
    }

    group "Sessions" {
        /// How long the session of an absent client is kept.
        /// Unset, a session is kept as long as the client asked for.
        persistent_client_expiration: Option<Duration> = None, Maybe(Age), reload;
        /// The most sessions the broker keeps, connected or not.
        global_max_clients: Option<u32> = None, Limit::MINUS_ONE, reload;
        /// The most connections the broker holds on all listeners together.
        global_max_connections: Option<u32> = None, Limit::MINUS_ONE, reload;
        /// What every client id has to begin with. Others are refused.
        clientid_prefixes: Option<String> = None, Maybe(Text { max: 65535 }), reload,
            deprecated("");
        /// Whether the right of the publisher is checked again when a retained message is
        /// delivered, as an `acl_file` may have changed since. What was retained while no
        /// listener had one is delivered.
        check_retain_source: bool = true, Bool, reload;
    }

    group "Limits and queues" {
        /// The largest packet a client may send, in bytes. A larger one ends the connection.
        max_packet_size: u32 = 2_000_000, Number { min: 20, max: i32::MAX as u32 }, reload;
        /// The longest HTTP request with which a WebSocket may begin, in bytes.
        packet_buffer_size ("websockets_headers_size"): u32 = 4096,
            Number { min: 256, max: 1_048_576 }, reload;
        /// The largest payload a client may publish, in bytes. A larger one is acknowledged and
        /// dropped. `max_packet_size` is the better tool, because the client is told of it.
        message_size_limit: Option<u32> = None, Limit { max: 268_435_455, none: "0" }, reload;
        /// How many QoS 1 and 2 messages may be on their way to one client, or from it, at the
        /// same time. Where this is not set, a client that confirms quickly is sent more: what it
        /// confirms in 50 milliseconds, 1000 at the most.
        max_inflight_messages: Option<u16> = None, Inflight, reload;
        /// The same in bytes of payload.
        max_inflight_bytes: Option<u32> = None, Limit::ZERO, reload;
        /// How many QoS 1 and 2 messages wait for one client, above those in flight.
        /// Further ones are dropped, which is logged and counted.
        max_queued_messages: Option<u32> = Some(1000), Limit::ZERO, reload;
        /// The same in bytes of payload.
        max_queued_bytes: Option<u32> = None, Limit::ZERO, reload;
        /// Whether QoS 0 messages wait for an absent client too.
        queue_qos0_messages: bool = false, Bool, reload;
        /// The longest keep alive a client may have, in seconds; 0 means any. A client of MQTT 5
        /// is told the shorter time, an older one is refused.
        max_keepalive: u16 = 0, Short, reload;
        /// Whether messages may be retained. If not, a client that tries is disconnected.
        retain_available: bool = true, Bool, reload;
        /// How often retained messages whose time is over are swept out.
        /// They are never delivered in any case.
        retain_expiry_interval: Option<Duration> = None,
            Period { unit: 60, name: "minutes", min: 1, max: 10_000_000, capped: true }, reload;
        /// Whether a message goes out with the QoS of the subscription even if it was published
        /// with a lower one. The standard does not allow it.
        upgrade_outgoing_qos: bool = false, Bool, reload;
        /// Whether a client with overlapping subscriptions gets a message once for each of them.
        /// If not, it gets each message once.
        allow_duplicate_messages: bool = true, Bool, reload,
            deprecated("The behaviour will default to true.");
        /// The most memory that the broker's data may take, in bytes. When more is in use, clients
        /// without a session, further subscriptions and messages that would have to be kept are
        /// refused: in MQTT 5 with reason 0x97; older clients are turned away with return code 3, or
        /// disconnected before their message is acknowledged. Messages that only pass through are
        /// delivered. Nothing that was acknowledged is lost. When a tenth of it is free again, all
        /// goes on.
        memory_limit: Option<u64> = None, Bytes, reload;
        /// How often the `$SYS` topics are published.
        sys_interval: Option<Duration> = Some(Duration::from_secs(10)),
            Period { unit: 1, name: "seconds", min: 0, max: 65535, capped: false }, reload;
    }

    group "Logging" {
        /// Where the log goes. Repeat the line for several places; one file at most.
        /// `topic` publishes each line to `$SYS/broker/log/`; `syslog` hands it to the daemon that
        /// keeps the system's log, which Windows does not have.
        log_dest: LogDestinations = LogDestinations::default(), Destinations, reload;
        /// The facility of lines for `syslog`: 0 to 7 stand for `local0` to `local7`.
        /// Unset, it is `daemon`.
        log_facility: Option<u32> = None, Maybe(Number { min: 0, max: 7 }), reload;
        /// Which lines are logged. Repeat the line for several types. `-v` and `-q` win.
        /// Unset, these are error, warning, notice and information.
        log_type: Levels = Levels::DEFAULT, Types, reload;
        /// Whether each line begins with the time.
        log_timestamp: bool = true, Bool, reload;
        /// The form of the time, in the letters of strftime, as `%Y-%m-%dT%H:%M:%S`.
        /// Unset, the time is seconds since 1970, and hours, minutes and seconds on a terminal;
        /// `%s` asks for seconds since 1970 everywhere.
        log_timestamp_format: Option<String> = None, TimeFormat, reload;
        /// Whether the coming and going of clients is logged.
        connection_messages: bool = true, Bool, reload;
    }

    group "Files" {
        /// Whether sessions with a future, their subscriptions and messages, and retained messages
        /// outlive the broker. Whatever a client was told is done is then stored first: not even
        /// a crash of the broker or of the computer loses it.
        persistence ("retained_persistence"): bool = false, Bool;
        /// The folder of the store. Unset, it is the one that the broker is started in.
        /// The environment variable `MOSQUITTO_PERSISTENCE_LOCATION` wins.
        persistence_location: Option<PathBuf> = None, Maybe(Path);
        /// The name of the store's file. A database of Mosquitto is brought over with `--import`.
        persistence_file: PathBuf = PathBuf::from("mosquitto.db"), Path;
        /// When the store is brought to safety from a loss of power: `always` before anything is
        /// acknowledged; `interval 100ms` so often, at the risk of what was acknowledged in
        /// between; `never`, where that is left to the system and a crash of the broker alone
        /// loses nothing.
        persistence_sync: SyncPolicy = SyncPolicy::Always, Sync;
        /// A file that holds the number of the broker's process while it runs.
        pid_file: Option<PathBuf> = None, Maybe(Path);
        /// The user that the broker becomes when it is started by root, once ports and files are
        /// open. Unset, it is `mosquitto`, or `nobody` if there is no such user; `user root` stays
        /// root. In containers the variables `PUID` and `PGID` win. Files that are read again on a
        /// reload must be readable for that user.
        user: Option<String> = None, Maybe(Text { max: 255 });
    }
}

impl Config {
    /// The lines that are wanted, all log options taken together.
    pub fn levels(&self) -> Levels {
        if self.log_dest.is_none() {
            return Levels::NONE;
        }
        if self.connection_messages {
            self.log_type
        } else {
            self.log_type.without(Level::Connection)
        }
    }
}

known! {
    GLOBAL_KNOWN;
    group "Limits and queues" {
        /// Whether small packets are sent at once. They always are: what belongs together is
        /// gathered before it is handed to the system.
        "set_tcp_nodelay" => Answer::Accept;
        /// A message is sent again only after a reconnect, as the standard says.
        "retry_interval" => Answer::Gone;
    }
    group "Logging" {
        /// The chattiness of the libwebsockets library, which is not in use here.
        "websockets_log_level" => Answer::Accept;
    }
    group "Files" {
        /// How often the state is written. What was acknowledged is stored before it is
        /// acknowledged, and what nobody waits for within a second, so there is nothing to wait for.
        "autosave_interval" => Answer::Accept;
        /// Whether `autosave_interval` counts changes. It makes no difference, as above.
        "autosave_on_changes" => Answer::Accept;
    }
    group "Plugins" {
        /// A plugin of Mosquitto, a library in C.
        "plugin" ("auth_plugin", "global_plugin", "plugin_load") => Answer::Stop(
            "plugins written for Mosquitto cannot be loaded. What the two that come with it do is done here by `password_file FILE` and `acl_file FILE`.");
        /// A plugin for one listener.
        "plugin_use" => Answer::Inside("plugin_load");
        /// Options of a plugin.
        "plugin_opt_*" ("auth_opt_*") => Answer::Inside("plugin");
        /// Whether user names with wildcards are refused by a plugin.
        "auth_plugin_deny_special_chars" => Answer::Inside("plugin");
        /// Control of the broker by messages to `$CONTROL`.
        "enable_control_api" => Answer::Warn("there is no control by messages.");
    }
}
