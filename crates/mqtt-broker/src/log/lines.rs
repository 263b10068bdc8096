//! Every line the broker can log, once: its name, its fields, its level and its wording.
//!
//! The shapes are those of Mosquitto 2.1, because scripts and hand-outs read them.
//! A line is cheap to make and to drop: it borrows its fields and is formatted only by
//! [`Display`](fmt::Display), after its [`Line::level`] has passed the mask.

use super::levels::Level;
use std::fmt;

macro_rules! lines {
    ($(
        $(#[$doc:meta])*
        $name:ident $({ $($field:ident: $type:ty),+ $(,)? })? = $level:ident, $format:literal $(, $argument:expr)* $(,)?;
    )+) => {
        /// One log line, before it is text.
        ///
        /// `peer` is the remote address with its port (`127.0.0.1:45496`), `address` the same
        /// without the port; `client` is the client id, or the address as long as there is none.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // The fields' names are the words of the line.
        pub enum Line<'a> {
            $( $(#[$doc])* $name $({ $($field: $type),+ })? ),+
        }

        impl Line<'_> {
            /// The level that decides whether this line is wanted.
            #[inline]
            pub fn level(&self) -> Level {
                match self { $( Self::$name $({ $($field: _),+ })? => Level::$level ),+ }
            }
        }

        impl fmt::Display for Line<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $( Self::$name $({ $($field),+ })? => write!(f, $format $(, $argument)*) ),+
                }
            }
        }
    };
}

lines! {
    // The program.

    /// The first line of a run.
    Starting { program: &'a str, version: &'a str } = Information, "{program} version {version} starting";
    /// All listeners stand.
    Running { program: &'a str, version: &'a str } = Information, "{program} version {version} running";
    /// The last line of a run.
    Terminating { program: &'a str, version: &'a str } = Information, "{program} version {version} terminating";
    /// Which user the broker runs as (Unix).
    RunningAs { program: &'a str, user: &'a str } = Information, "Info: running {program} as user: {user}.";
    /// No file was named.
    DefaultConfig = Information, "Using default config.";
    /// A file was named and read.
    ConfigLoaded { path: &'a str } = Information, "Config loaded from {path}.";
    /// A file of `include_dir` is read next.
    LoadingConfigFile { path: &'a str } = Information, "Loading config file '{path}'";
    /// `--test-config` found nothing to say.
    ConfigOk = Information, "Configuration file is OK.";
    /// The operator asked to read the configuration again.
    Reloading = Information, "Reloading config.";
    /// One of the five features a build may lack: Bridge, Persistence, TLS, TLS-PSK, Websockets.
    Feature { name: &'a str, available: bool } = Information,
        "{name} support {}available.", if available { "" } else { "NOT " };
    /// What was restored at the start, one line for each kind of thing.
    Restored { count: usize, what: &'a str } = Information, "Restored {count} {what}";
    /// The broker ends and stores what is left.
    Saving { path: &'a str } = Information, "Saving in-memory database to {path}.";
    /// First of three lines when no listener is configured.
    LocalOnly = Warning,
        "Starting in local only mode. Connections will only be possible from clients running on this machine.";
    /// Second of the three.
    LocalOnlyAdvice = Warning, "Create a configuration file which defines a listener to allow remote access.";
    /// Third of the three.
    LocalOnlyReference = Warning,
        "For more details see https://mosquitto.org/documentation/authentication-methods/";
    /// An option that works but is on its way out.
    Deprecated { option: &'a str, advice: &'a str } = Notice,
        "The '{option}' option is now deprecated and will be removed in version 3.0. {advice}";
    /// An option that does nothing any more.
    NoLongerAvailable { option: &'a str } = Warning, "Warning: The '{option}' option is no longer available.";
    /// A listener's option stood before any `listener` line.
    DefaultListener { option: &'a str } = Information, "Creating default listener due to '{option}' option.";
    /// What to do about it.
    DefaultListenerAdvice { option: &'a str } = Information,
        "It is best practice to define a 'listener' first. Using the '{option}' option without a listener will be disabled in the future.";
    /// The log file of `log_dest file` could not be opened.
    LogFileError { path: &'a str } = Error, "Error: Unable to open log file {path} for writing.";
    /// Anything else that went wrong, said by the place that knows.
    Failure { what: &'a str } = Error, "Error: {what}";
    /// Anything else worth a warning.
    Caution { what: &'a str } = Warning, "Warning: {what}";
    /// Advice in our own words, for lines that Mosquitto does not have.
    Advice { what: &'a str } = Information, "{what}";

    // Listeners and connections.

    /// A TCP socket is about to listen; `family` is `ipv4` or `ipv6`.
    Listening { family: &'a str, port: u16 } = Information, "Opening {family} listen socket on port {port}.";
    /// A TCP socket for HTTP is about to listen.
    ListeningHttp { port: u16 } = Information, "Opening http api listen socket on port {port}.";
    /// A Unix socket is about to listen.
    ListeningUnix { path: &'a str } = Information, "Opening unix listen socket on path {path}.";
    /// A connection was accepted.
    NewConnection { peer: &'a str, port: u16 } = Connection, "New connection from {peer} on port {port}.";
    /// The listener's `max_connections` or the broker's `global_max_connections` is reached.
    TooManyConnections { address: &'a str } = Notice,
        "Client connection from {address} denied: max_connections exceeded.";
    /// A connection is turned away because of what its PROXY header says or lacks.
    Rejected { peer: &'a str, why: &'a str } = Notice, "Connection from {peer} rejected, {why}.";
    /// The same where the header does not even tell for whom it comes.
    RejectedUnknown { why: &'a str } = Notice, "Connection rejected, {why}.";
    /// A proxy has spoken TLS with its client.
    ProxyNegotiated { peer: &'a str, version: &'a str, cipher: &'a str } = Notice,
        "Connection from {peer} negotiated {version} cipher {cipher}";
    /// The operating system has no more sockets for us.
    OutOfSockets = Warning,
        "Unable to accept new connection, system socket count has been exceeded. Try increasing \"ulimit -n\" or equivalent.";
    /// A TLS greeting on a plain listener.
    TlsOnPlainListener { peer: &'a str } = Notice,
        "Client from {peer} appears to be using TLS to connect to a non-TLS listener.";
    /// A TLS connection stands.
    TlsNegotiated { client: &'a str, version: &'a str, cipher: &'a str } = Connection,
        "Client {client} negotiated {version} cipher {cipher}";

    // CONNECT.

    /// A client is in. `version` is MQTT's number: 3, 4 or 5.
    ClientConnected { peer: &'a str, client: &'a str, version: u8, clean_start: bool, keep_alive: u16, username: Option<&'a str> } = Connection,
        "New client connected from {peer} as {client} (p{version}, c{}, k{keep_alive}{}).", u8::from(clean_start), User(username);
    /// The same for a bridge.
    BridgeConnected { peer: &'a str, client: &'a str, version: u8, clean_start: bool, keep_alive: u16, username: Option<&'a str> } = Connection,
        "New bridge connected from {peer} as {client} (p{version}, c{}, k{keep_alive}{}).", u8::from(clean_start), User(username);
    /// A client that was connected is so from elsewhere now: two devices with one name?
    TakeOver { client: &'a str, old: &'a str, new: &'a str } = Connection,
        "Client {client} connects from {new} and so loses its connection from {old}; two clients need two ids.";
    /// CONNECT carried no will.
    NoWill = Debug, "No will message specified.";
    /// CONNECT carried a will; [`Line::WillTopic`] follows.
    Will { len: usize, retain: bool, qos: u8 } = Debug,
        "Will message specified ({len} bytes) (r{}, q{qos}).", u8::from(retain);
    /// The topic of the will.
    WillTopic { topic: &'a str } = Debug, "\t{topic}";
    /// The will is larger than `max_packet_size` or `message_size_limit` allow.
    WillTooLarge { client: &'a str } = Debug, "Client {client} connected with too large Will payload";
    /// The answer to CONNECT.
    SendingConnack { client: &'a str, session_present: bool, reason: u8 } = Debug,
        "Sending CONNACK to {client} ({}, {reason})", u8::from(session_present);
    /// A wrong password; `count` is how many there were lately from this address, `delay` how many
    /// milliseconds the answer is held back.
    LoginFailed { peer: &'a str, user: &'a str, is_known: bool, count: u64, delay: u64 } = Notice,
        "Login from {peer} failed: {}.{}", Named(user, is_known), Delayed(count, delay);
    /// The same over HTTP.
    HttpLoginFailed { host: &'a str, count: u64, delay: u64 } = Notice,
        "Login over HTTP from {host} failed: wrong name or password.{}", Delayed(count, delay);
    /// CONNECT on a connection that is connected already.
    SecondConnect { peer: &'a str } = Notice, "Bad client {peer} sending multiple CONNECT messages.";

    // PUBLISH and its acknowledgements. `mid` is the packet identifier, 0 at QoS 0.

    /// A message came in.
    ReceivedPublish { client: &'a str, dup: bool, qos: u8, retain: bool, mid: u16, topic: &'a str, len: usize } = Debug,
        "Received PUBLISH from {client} (d{}, q{qos}, r{}, m{mid}, '{topic}', ... ({len} bytes))", u8::from(dup), u8::from(retain);
    /// A message came in that its sender may not publish.
    DeniedPublish { client: &'a str, dup: bool, qos: u8, retain: bool, mid: u16, topic: &'a str, len: usize } = Debug,
        "Denied PUBLISH from {client} (d{}, q{qos}, r{}, m{mid}, '{topic}', ... ({len} bytes))", u8::from(dup), u8::from(retain);
    /// A message came in that is larger than `message_size_limit`.
    TooLargePublish { client: &'a str, dup: bool, qos: u8, retain: bool, mid: u16, topic: &'a str, len: usize } = Debug,
        "Dropped too large PUBLISH from {client} (d{}, q{qos}, r{}, m{mid}, '{topic}', ... ({len} bytes))", u8::from(dup), u8::from(retain);
    /// A message was refused because a quota is used up.
    QuotaExceeded { client: &'a str } = Debug, "Rejected PUBLISH from {client}, quota exceeded.";
    /// A message goes out.
    SendingPublish { client: &'a str, dup: bool, qos: u8, retain: bool, mid: u16, topic: &'a str, len: usize } = Debug,
        "Sending PUBLISH to {client} (d{}, q{qos}, r{}, m{mid}, '{topic}', ... ({len} bytes))", u8::from(dup), u8::from(retain);
    /// A message is not sent because its receiver may not read it.
    DeniedSend { client: &'a str, qos: u8, retain: bool, topic: &'a str, len: usize } = Debug,
        "Denied PUBLISH to {client} (q{qos}, r{}, '{topic}', ... ({len} bytes))", u8::from(retain);
    /// Why a client may not publish to a topic, or subscribe to a filter, in our own words;
    /// `action` is `write to` or `read`, `reason` names the line of the ACL file.
    AccessDenied { client: &'a str, action: &'a str, topic: &'a str, reason: &'a str } = Notice,
        "Client {client} may not {action} '{topic}': {reason}.";
    /// Why a client is not sent a message, in our own words; after [`Line::DeniedSend`].
    ReadDenied { client: &'a str, topic: &'a str, reason: &'a str } = Debug,
        "Client {client} may not read '{topic}': {reason}.";
    /// Why a retained message is not sent: its publisher has lost the right to it.
    SourceDenied { source: &'a str, topic: &'a str } = Debug,
        "The retained message of '{topic}' is held back: client {source}, who published it, may not write to it any more.";
    /// A message is not sent because it exceeds the client's maximum packet size.
    TooLargeSend { client: &'a str, len: usize } = Notice,
        "Dropping too large outgoing PUBLISH for {client} ({len} bytes)";
    /// The client's queue is full.
    Dropping { client: &'a str } = Notice, "Outgoing messages are being dropped for client {client}.";
    /// More QoS 1 and 2 messages in flight than the broker granted.
    ReceiveMaximumExceeded { client: &'a str } = Warning,
        "Client {client} has exceeded its receive-maximum quota. This behaviour must be fixed on the client.";
    /// A QoS 2 packet identifier was used again for another message.
    ReusedPacketId { client: &'a str, mid: u16 } = Warning,
        "Reused message ID {mid} from {client} detected. Clearing from storage.";
    /// QoS 0 with DUP.
    DupAtQos0 { client: &'a str } = Information, "Invalid PUBLISH (QoS=0 and DUP=1) from {client}, disconnecting.";
    /// QoS 3.
    InvalidPublishQos { client: &'a str } = Information, "Invalid QoS in PUBLISH from {client}, disconnecting.";
    /// QoS above the listener's `max_qos`.
    PublishQosTooHigh { client: &'a str } = Information, "Too high QoS in PUBLISH from {client}, disconnecting.";
    /// QoS 1 acknowledged to the sender.
    SendingPuback { client: &'a str, mid: u16, reason: u8 } = Debug, "Sending PUBACK to {client} (m{mid}, rc{reason})";
    /// QoS 2, first answer to the sender.
    SendingPubrec { client: &'a str, mid: u16, reason: u8 } = Debug, "Sending PUBREC to {client} (m{mid}, rc{reason})";
    /// QoS 2, second half to the receiver.
    SendingPubrel { client: &'a str, mid: u16 } = Debug, "Sending PUBREL to {client} (m{mid})";
    /// QoS 2, last answer to the sender.
    SendingPubcomp { client: &'a str, mid: u16 } = Debug, "Sending PUBCOMP to {client} (m{mid})";
    /// QoS 1 acknowledged by the receiver.
    ReceivedPuback { client: &'a str, mid: u16, reason: u8 } = Debug, "Received PUBACK from {client} (Mid: {mid}, RC:{reason})";
    /// QoS 2, first answer of the receiver.
    ReceivedPubrec { client: &'a str, mid: u16 } = Debug, "Received PUBREC from {client} (Mid: {mid})";
    /// QoS 2, second half of the sender.
    ReceivedPubrel { client: &'a str, mid: u16 } = Debug, "Received PUBREL from {client} (Mid: {mid})";
    /// QoS 2, last answer of the receiver.
    ReceivedPubcomp { client: &'a str, mid: u16, reason: u8 } = Debug, "Received PUBCOMP from {client} (Mid: {mid}, RC:{reason})";
    /// An acknowledgement of nothing; `packet` is `PUBACK`, `PUBREC` or `PUBCOMP`.
    UnknownPacketId { packet: &'a str, client: &'a str, mid: u16 } = Warning,
        "Warning: Received {packet} from {client} for an unknown packet identifier {mid}.";

    // SUBSCRIBE and UNSUBSCRIBE.

    /// One line, then a [`Line::Filter`] or [`Line::FilterDenied`] for each filter.
    ReceivedSubscribe { client: &'a str } = Debug, "Received SUBSCRIBE from {client}";
    /// A filter that was granted.
    Filter { filter: &'a str, qos: u8 } = Debug, "\t{filter} (QoS {qos})";
    /// A filter that was refused.
    FilterDenied { filter: &'a str } = Debug, "\t{filter} (denied)";
    /// The line of `log_type subscribe`.
    Subscribed { client: &'a str, qos: u8, filter: &'a str } = Subscribe, "{client} {qos} {filter}";
    /// The answer.
    SendingSuback { client: &'a str } = Debug, "Sending SUBACK to {client}";
    /// A filter of no characters.
    EmptySubscription { client: &'a str } = Information, "Empty subscription string from {client}, disconnecting.";
    /// A filter against the rules.
    InvalidSubscription { client: &'a str } = Information, "Invalid subscription string from {client}, disconnecting.";
    /// Subscription options against the rules.
    InvalidSubscriptionQos { client: &'a str } = Information, "Invalid QoS in subscription command from {client}, disconnecting.";
    /// One line, then a [`Line::UnsubscribeFilter`] for each filter.
    ReceivedUnsubscribe { client: &'a str } = Debug, "Received UNSUBSCRIBE from {client}";
    /// A filter to give up.
    UnsubscribeFilter { filter: &'a str } = Debug, "\t{filter}";
    /// The line of `log_type unsubscribe`.
    Unsubscribed { client: &'a str, filter: &'a str } = Unsubscribe, "{client} {filter}";
    /// The answer.
    SendingUnsuback { client: &'a str } = Debug, "Sending UNSUBACK to {client}";
    /// A filter of no characters.
    EmptyUnsubscription { client: &'a str } = Information, "Empty unsubscription string from {client}, disconnecting.";
    /// A filter against the rules.
    InvalidUnsubscription { client: &'a str } = Information, "Invalid unsubscription string from {client}, disconnecting.";

    // The rest of the packets, and the end.

    /// The client is alive.
    ReceivedPingreq { client: &'a str } = Debug, "Received PINGREQ from {client}";
    /// So are we.
    SendingPingresp { client: &'a str } = Debug, "Sending PINGRESP to {client}";
    /// A step of enhanced authentication.
    ReceivedAuth { client: &'a str, reason: u8, method: &'a str } = Debug, "Received AUTH from {client} (rc{reason}, {method})";
    /// Our step.
    SendingAuth { client: &'a str, reason: u8, method: &'a str } = Debug, "Sending AUTH to {client} (rc{reason}, {method})";
    /// The client says goodbye.
    ReceivedDisconnect { client: &'a str } = Debug, "Received DISCONNECT from {client}";
    /// We do (MQTT 5 only).
    SendingDisconnect { client: &'a str, reason: u8 } = Debug, "Sending DISCONNECT to {client} (rc{reason})";
    /// A packet against the standard; `what` has no final full stop.
    ProtocolError { client: &'a str, what: &'a str } = Information, "Protocol error from {client}: {what}.";
    /// The connection is gone.
    Disconnected { client: &'a str, peer: &'a str, ending: Ending<'a> } = Connection, "Client {client} [{peer}] disconnected{ending}";
    /// A session's time is over.
    SessionExpired { client: &'a str } = Notice, "Expiring client {client} due to timeout.";
}

/// `, u'alice'`, or nothing.
struct User<'a>(Option<&'a str>);

impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |name| write!(f, ", u'{name}'"))
    }
}

/// What is wrong with a login. A name that nobody has is not shown: it may be a password that was
/// typed into the wrong field.
struct Named<'a>(&'a str, bool);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Named(name, true) => write!(f, "wrong password for '{name}'"),
            Named(_, false) => f.write_str("there is no such user"),
        }
    }
}

/// How long an answer is held back, if it is.
struct Delayed(u64, u64);

impl fmt::Display for Delayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Delayed(_, 0) => Ok(()),
            Delayed(count, delay) => write!(
                f,
                " These are {count} from this address; the answer is held back for {delay} ms."
            ),
        }
    }
}

macro_rules! endings {
    ($( $(#[$doc:meta])* $name:ident = $words:literal; )+) => {
        /// Why a connection ended.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Ending<'a> {
            /// The client sent DISCONNECT.
            Clean,
            /// The operating system's words about the socket, as `Broken pipe`.
            Io(&'a str),
            $( $(#[$doc])* $name ),+
        }

        impl fmt::Display for Ending<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Clean => f.write_str("."),
                    Self::Io(text) => write!(f, ": {text}."),
                    $( Self::$name => f.write_str(concat!(": ", $words, ".")) ),+
                }
            }
        }
    };
}

endings! {
    /// The socket was closed without a DISCONNECT.
    ClosedByClient = "connection closed by client";
    /// Another connection came with the same client id.
    TakenOver = "session taken over";
    /// Nothing was heard for one and a half times the keep alive.
    Timeout = "exceeded timeout";
    /// The client may not connect, or not do what it did.
    NotAuthorised = "not authorised";
    /// A packet against the order of things.
    ProtocolError = "protocol error";
    /// Bytes that are no packet.
    MalformedPacket = "malformed packet";
    /// A packet above `max_packet_size`.
    OversizePacket = "oversize packet";
    /// A payload above `message_size_limit`.
    OversizePayload = "oversize payload";
    /// Something CONNACK said is not to be had here.
    DisallowedFeature = "used disallowed feature (QoS too high, retain not supported, or bad AUTH method)";
    /// The broker stops, or an operator ended the session.
    Administrative = "administrative action";
    /// `memory_limit` is reached.
    OutOfMemory = "out of memory";
    /// More messages in flight than granted.
    ReceiveMaximum = "receive maximum exceeded";
    /// Reason code 0x83.
    ImplementationSpecific = "implementation specific error";
    /// Reason code 0x85.
    ClientIdNotValid = "client identifier not valid";
    /// Reason code 0x86.
    BadCredentials = "bad username or password";
    /// Reason code 0x88.
    ServerUnavailable = "server unavailable";
    /// Reason code 0x89.
    ServerBusy = "server busy";
    /// Reason code 0x8A.
    Banned = "client banned";
    /// Reason code 0x8C.
    BadAuthenticationMethod = "bad authentication method";
    /// Reason code 0x97.
    QuotaExceeded = "quota exceeded";
    /// Reason code 0x9F.
    ConnectionRate = "connection rate exceeded";
    /// Reason code 0x94.
    TopicAliasInvalid = "topic alias invalid";
    /// A browser's page that `websockets_origin` does not name.
    HttpOrigin = "non-matching http origin";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: Line<'_>, level: Level, expected: &str) {
        assert_eq!(line.to_string(), expected);
        assert_eq!(line.level(), level, "{expected}");
    }

    #[test]
    fn a_publisher_of_the_lab_leaves_these_seven_lines() {
        let (peer, client) = ("127.0.0.1:45496", "client");
        let topic = "topic/pub";
        check(
            Line::NewConnection { peer, port: 1883 },
            Level::Connection,
            "New connection from 127.0.0.1:45496 on port 1883.",
        );
        check(
            Line::ClientConnected {
                peer,
                client,
                version: 4,
                clean_start: true,
                keep_alive: 60,
                username: None,
            },
            Level::Connection,
            "New client connected from 127.0.0.1:45496 as client (p4, c1, k60).",
        );
        check(Line::NoWill, Level::Debug, "No will message specified.");
        check(
            Line::SendingConnack {
                client,
                session_present: false,
                reason: 0,
            },
            Level::Debug,
            "Sending CONNACK to client (0, 0)",
        );
        check(
            Line::ReceivedPublish {
                client,
                dup: false,
                qos: 0,
                retain: true,
                mid: 0,
                topic,
                len: 19,
            },
            Level::Debug,
            "Received PUBLISH from client (d0, q0, r1, m0, 'topic/pub', ... (19 bytes))",
        );
        check(
            Line::ReceivedDisconnect { client },
            Level::Debug,
            "Received DISCONNECT from client",
        );
        check(
            Line::Disconnected {
                client,
                peer,
                ending: Ending::Clean,
            },
            Level::Connection,
            "Client client [127.0.0.1:45496] disconnected.",
        );
    }

    #[test]
    fn a_user_name_stands_in_quotes() {
        check(
            Line::ClientConnected {
                peer: "127.0.0.1:1",
                client: "x",
                version: 5,
                clean_start: false,
                keep_alive: 0,
                username: Some("alice"),
            },
            Level::Connection,
            "New client connected from 127.0.0.1:1 as x (p5, c0, k0, u'alice').",
        );
    }

    #[test]
    fn endings_follow_a_colon_and_end_with_a_full_stop() {
        for (ending, expected) in [
            (Ending::TakenOver, ": session taken over."),
            (Ending::Io("Broken pipe"), ": Broken pipe."),
            (Ending::Clean, "."),
        ] {
            assert_eq!(ending.to_string(), expected);
        }
    }

    #[test]
    fn missing_features_say_so() {
        check(
            Line::Feature {
                name: "TLS",
                available: false,
            },
            Level::Information,
            "TLS support NOT available.",
        );
        check(
            Line::Feature {
                name: "TLS",
                available: true,
            },
            Level::Information,
            "TLS support available.",
        );
    }

    #[test]
    fn protocol_errors_name_the_client_and_the_fault() {
        check(
            Line::ProtocolError {
                client: "127.0.0.1:52348",
                what: "First packet not CONNECT (47)",
            },
            Level::Information,
            "Protocol error from 127.0.0.1:52348: First packet not CONNECT (47).",
        );
    }
}
