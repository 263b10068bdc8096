//! Every flag of every client, once: names, value, programs, place in the help, explanation.

/// A client program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// mqtt-pub
    Pub,
    /// mqtt-sub
    Sub,
    /// mqtt-rr
    Rr,
    /// mqtt-bench
    Bench,
}

impl Program {
    /// All of them.
    pub const ALL: [Program; 4] = [Program::Pub, Program::Sub, Program::Rr, Program::Bench];

    /// Its own name, whatever it was called by.
    pub const fn name(self) -> &'static str {
        match self {
            Program::Pub => "mqtt-pub",
            Program::Sub => "mqtt-sub",
            Program::Rr => "mqtt-rr",
            Program::Bench => "mqtt-bench",
        }
    }

    /// What it does, in a few words.
    pub const fn purpose(self) -> &'static str {
        match self {
            Program::Pub => "publish messages to an MQTT broker",
            Program::Sub => "subscribe to topics of an MQTT broker",
            Program::Rr => "send a request through an MQTT broker and wait for the answer",
            Program::Bench => "put load on an MQTT broker, and check and measure what comes back",
        }
    }

    /// The name of Mosquitto's program for the same work, if it has one.
    pub const fn model(self) -> Option<&'static str> {
        match self {
            Program::Pub => Some("mosquitto_pub"),
            Program::Sub => Some("mosquitto_sub"),
            Program::Rr => Some("mosquitto_rr"),
            Program::Bench => None,
        }
    }
}

/// What a user wants to do with a flag; the chapters of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Chapter {
    Broker,
    Load,
    Send,
    Hear,
    Show,
    Compare,
    Stop,
    Identity,
    Tls,
    Session,
    Will,
    Help,
}

impl Chapter {
    /// All chapters, in the order of the help.
    pub const ALL: [Chapter; 12] = [
        Chapter::Broker,
        Chapter::Load,
        Chapter::Send,
        Chapter::Hear,
        Chapter::Show,
        Chapter::Compare,
        Chapter::Stop,
        Chapter::Identity,
        Chapter::Tls,
        Chapter::Session,
        Chapter::Will,
        Chapter::Help,
    ];

    /// The flags of a program that belong here.
    pub fn flags(self, program: Program) -> impl Iterator<Item = &'static Flag> {
        FLAGS
            .iter()
            .filter(move |flag| flag.is_of(program) && flag.chapter == self)
    }

    /// Its heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Chapter::Broker => "Which broker",
            Chapter::Load => "The load",
            Chapter::Send => "What to publish",
            Chapter::Hear => "What to hear",
            Chapter::Show => "How to show it",
            Chapter::Compare => "Comparing brokers",
            Chapter::Stop => "When to stop",
            Chapter::Identity => "Who you are",
            Chapter::Tls => "Encryption: TLS",
            Chapter::Session => "The connection and the session",
            Chapter::Will => {
                "The will: a message that the broker publishes if this client vanishes"
            }
            Chapter::Help => "Watching and help",
        }
    }
}

/// One flag.
#[derive(Debug)]
pub struct Flag {
    /// The long name, without dashes; also the flag's identity.
    pub long: &'static str,
    /// The short name.
    pub short: Option<char>,
    /// How the help writes its value; `None` if it takes none.
    pub value: Option<&'static str>,
    /// Whose flag it is.
    pub programs: &'static [Program],
    /// Where the help explains it.
    pub chapter: Chapter,
    /// What it does, without a full stop at the end.
    pub help: &'static str,
}

impl Flag {
    /// Whether `program` has it.
    pub fn is_of(&self, program: Program) -> bool {
        self.programs.contains(&program)
    }

    /// How many arguments follow it. `-D` is always filled up to four.
    pub fn values(&self) -> usize {
        match (self.value, self.long) {
            (None, _) => 0,
            (Some(_), PROPERTY) => PROPERTY_VALUES,
            (Some(_), _) => 1,
        }
    }

    /// The flag as people type it: the short form if there is one.
    pub fn typed(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}"),
            None => format!("--{}", self.long),
        }
    }
}

/// The one flag that takes several arguments: three, or four if the property is a pair.
pub const PROPERTY: &str = "property";
/// How many arguments `-D` has at most.
pub const PROPERTY_VALUES: usize = 4;
/// The property that is a pair.
pub const USER_PROPERTY: &str = "user-property";
/// The flag that takes all pairs that follow it.
pub const JSON: &str = "json";

const ALL: &[Program] = &Program::ALL;
const CLIENTS: &[Program] = &[Program::Pub, Program::Sub, Program::Rr];
const BENCH: &[Program] = &[Program::Bench];
const PUB_BENCH: &[Program] = &[Program::Pub, Program::Bench];
const PUB_SUB_BENCH: &[Program] = &[Program::Pub, Program::Sub, Program::Bench];
const PUB: &[Program] = &[Program::Pub];
const SUB: &[Program] = &[Program::Sub];
const RR: &[Program] = &[Program::Rr];
const PUB_RR: &[Program] = &[Program::Pub, Program::Rr];
const PUB_SUB: &[Program] = &[Program::Pub, Program::Sub];
const SUB_RR: &[Program] = &[Program::Sub, Program::Rr];

macro_rules! flags {
    ($($long:literal $(, $short:literal)? $(= $value:literal)?, $programs:ident, $chapter:ident, $help:literal;)*) => {
        /// Every flag of every client.
        pub const FLAGS: &[Flag] = &[$(Flag {
            long: $long,
            short: [$(Some($short),)? None][0],
            value: [$(Some($value),)? None][0],
            programs: $programs,
            chapter: Chapter::$chapter,
            help: $help,
        },)*];
    };
}

flags! {
    "host", 'h' = "HOST", ALL, Broker, "the broker's name or address, also as HOST:PORT (default: localhost)";
    "port", 'p' = "PORT", ALL, Broker, "the broker's port (default: 1883; 8883 with TLS, 80 and 443 with WebSockets in a URL)";
    "url", 'L' = "URL", ALL, Broker, "broker, user and topic in one: mqtt://NAME:PASSWORD@HOST:PORT/TOPIC, also mqtts://, ws://, wss://";
    "unix" = "PATH", ALL, Broker, "the broker's Unix socket, instead of a host";
    "srv", 'S', ALL, Broker, "ask the name service for the broker of the domain that -h names (SRV records)";
    "bind-address", 'A' = "ADDRESS", CLIENTS, Broker, "connect from this address of this computer";
    "bind-address", 'A' = "ADDRESS[,ADDRESS ...]", BENCH, Broker, "connect from these addresses of this computer in turn; 127.0.0.2-9 means all from .2 to .9. One address has about 28,000 ports to connect from";
    "ws", ALL, Broker, "speak MQTT through WebSockets";
    "ws-path" = "PATH", ALL, Broker, "the path of the WebSocket (default: /mqtt). Implies --ws";
    "ws-header" = "NAME:VALUE", ALL, Broker, "another header line for the WebSocket's request. May be repeated. Implies --ws";
    "proxy" = "URL", ALL, Broker, "go through a SOCKS5 proxy: socks5h://NAME:PASSWORD@HOST:PORT (default port: 1080)";
    "nodelay", ALL, Broker, "send small packets at once; they always are, the flag is there for old scripts";

    "clients", 'c' = "COUNT", BENCH, Load, "how many clients: publishers, subscribers, pairs or connections, as the command says (default: 1)";
    "publishers" = "COUNT", BENCH, Load, "fan-out: how many clients publish (default: 1)";
    "subscribers" = "COUNT", BENCH, Load, "fan-in: how many clients subscribe, each to everything (default: 1)";
    "messages", 'n' = "COUNT", BENCH, Load, "stop after this many messages, of all clients together. Of sub: received ones; of conn: connections";
    "duration" = "TIME", BENCH, Load, "stop after this time (default, without -n: 10 seconds)";
    "rate" = "COUNT", BENCH, Load, "publish this many messages a second, all clients together (default: as fast as possible)";
    "connect-rate" = "COUNT", BENCH, Load, "open this many connections a second (default: as fast as possible)";
    "window" = "COUNT", BENCH, Load, "the most messages of one publisher on their way at once: not yet confirmed at QoS 1 and 2, not yet received by the subscribers of this run (default: 1000 at QoS 0, 100 at QoS 1, 20 at QoS 2; 0: no limit)";
    "topics" = "COUNT", BENCH, Load, "how many topics each publisher uses in turn; %n in the topic is their number (default: 1)";
    "wait" = "TIME", BENCH, Load, "how long to wait for an answer, and in the end for messages that are still missing (default: 5 seconds)";

    "topic", 't' = "TOPIC", PUB, Send, "the topic to publish to; nothing has to be created first. May be repeated";
    "topic", 't' = "TOPIC", BENCH, Send, "the topic: %i in it is the publisher's number from 0, %c its client identifier, %u its user name, %n the number of the topic (default: bench/%i, or what the command needs)";
    "topic", 't' = "TOPIC", RR, Send, "the topic of the request";
    "response-topic", 'e' = "TOPIC", RR, Send, "the topic where the answer is expected";
    "message", 'm' = "TEXT", PUB_RR, Send, "the message";
    "file", 'f' = "FILE", PUB_RR, Send, "send a whole file as one message";
    "stdin-line", 'l', PUB, Send, "send each line of standard input as a message: type and press Enter";
    "topic-separator" = "TEXT", PUB, Send, "with -l: each line is a topic, this text, and the message";
    "stdin-file", 's', PUB_RR, Send, "send all of standard input as one message";
    "null-message", 'n', PUB, Send, "send an empty message; with -r this removes the retained one";
    "null-message", 'n', RR, Send, "send an empty message";
    "json" = "NAME=VALUE ...", PUB_RR, Send, "send an object made of these: --json temp=21.5 on=true room=A1";
    "size", 's' = "BYTES", BENCH, Send, "the size of each message's payload: 64, 4k, 1MiB (default: 64; at least 24, which is what it takes to recognise a message)";
    "payload" = "TEXT", BENCH, Send, "send this text instead: %i, %c and %u are filled in as in topics, and %m with 48 digits by which the message is recognised. Without %m messages are only counted";
    "format" = "numbers|json", BENCH, Send, "simulate: each value on its own topic (default), or all of them in one object";
    "interval" = "TIME", BENCH, Send, "simulate: how often a device measures (default: 5 seconds)";
    "seed" = "NUMBER", BENCH, Send, "simulate: another one gives other values, the same one the same (default: 1)";
    "format" = "text|hex|base64", PUB_RR, Send, "how the message is written: as it is (default), or in hexadecimal or base64 digits for its bytes";
    "replay" = "FILE", PUB, Send, "publish what mqtt-sub --record has written, with the same pauses";
    "speed" = "FACTOR", PUB, Send, "with --replay: this many times as fast (default: 1)";
    "retain", 'r', PUB_BENCH, Send, "let the broker keep the message and give it to everyone who subscribes later";
    "qos", 'q' = "QOS", PUB_SUB, Session, "0: sent once (default), 1: arrives at least once, 2: arrives exactly once. Counts for all topics; given several times, each for the topics in front of it";
    "qos", 'q' = "QOS", BENCH, Send, "the QoS to publish and to subscribe with: 0: sent once (default), 1: arrives at least once, 2: arrives exactly once";
    "subscribe-qos" = "QOS", BENCH, Send, "another QoS to subscribe with";
    "qos", 'q' = "QOS", RR, Session, "0: sent once (default), 1: arrives at least once, 2: arrives exactly once";
    "repeat" = "COUNT", PUB_RR, Send, "send the message this often";
    "repeat-delay" = "TIME", PUB_RR, Send, "wait this long between two of them: seconds, or 500ms, 2m";

    "topic", 't' = "FILTER", SUB, Hear, "hear this topic; '+' stands for one level, '#' at the end for all the rest. May be repeated";
    "unsubscribe", 'U' = "FILTER", SUB, Hear, "stop hearing this topic in a session that is kept (-c). May be repeated";
    "filter-out", 'T' = "FILTER", SUB, Hear, "do not show messages on these topics. May be repeated";
    "no-retained", 'R', SUB_RR, Hear, "do not show retained messages, only what is published from now on";
    "retained-only", SUB, Hear, "show retained messages only, and end at the first other one";
    "retain-as-published", SUB_RR, Hear, "let the retain flag of messages be as their publishers set it (version 5)";
    "retain-handling" = "always|new|never", SUB_RR, Hear, "when the broker sends retained messages: at every subscription (default), at new ones, or never (version 5)";
    "no-local", SUB, Hear, "do not hear what this very client publishes (version 5)";
    "remove-retained", SUB, Hear, "remove every retained message that comes";
    "dry-run", SUB, Hear, "with --remove-retained: only show what would be removed";
    "random-filter" = "PERCENT", SUB, Hear, "show each message only with this probability";

    "json", BENCH, Show, "print the result as a JSON object, with the run in tenths of a second";
    "csv", BENCH, Show, "print the result as a line of names and a line of values";
    "plot" = "FILE", BENCH, Show, "draw rates and times of the run into this file (SVG)";

    "scenario" = "NAME", BENCH, Compare, "what to do with each broker: all (default), or one of fan-in, fan-out, pairs (each also as -q0, -q1, -q2), subscriptions, retained, offline, offline-durable, large, connect, latency, idle, idle-bare. May be repeated";
    "rounds" = "COUNT", BENCH, Compare, "how often each broker has its turn (default: 3); medians are shown";
    "pause" = "TIME", BENCH, Compare, "rest before each run, for example 15s (default: 0): a host that lends its processors to a virtual machine by the minute lets short runs have them whole";
    "broker" = "NAME=COMMAND", BENCH, Compare, "another broker; {port} in the command is the port to listen on at 127.0.0.1, {folder} an empty folder. May be repeated";
    "tuned", BENCH, Compare, "let Mosquitto run a second time, with set_tcp_nodelay true and max_inflight_messages 100";
    "only" = "NAME,...", BENCH, Compare, "only these of the brokers; ratios are to the first that is left";

    "verbose", 'v', SUB_RR, Show, "show the topic in front of each message";
    "output-format", 'F' = "FORMAT", SUB_RR, Show, "show messages in this form: %t topic, %p payload, %x in hexadecimal, %q QoS, %r retain, %j JSON, %I time and more";
    "format" = "text|hex|base64|json", SUB, Show, "show payloads as they are (default), as digits, or each message as a JSON object";
    "pretty", SUB_RR, Show, "JSON of %j and %J on several lines";
    "time", SUB, Show, "show when each message came";
    "no-newline", 'N', SUB_RR, Show, "no new line after each message";
    "watch", 'w', SUB, Show, "one line of the screen for each topic, with its latest message";
    "message-rate", SUB, Show, "show how many messages come in a second, instead of the messages";
    "latency", RR, Show, "show how long the answer took";
    "record" = "FILE", SUB, Show, "write all messages to a file of JSON lines that mqtt-pub --replay can publish again";

    "count", 'C' = "COUNT", SUB, Stop, "stop after this many messages";
    "timeout", 'W' = "TIME", SUB_RR, Stop, "stop after this time, with exit code 27: seconds, or 90s, 2m";
    "exit-after-subscribe", 'E', SUB, Stop, "stop when the broker has accepted the subscriptions";

    "id", 'i' = "ID", BENCH, Identity, "the client identifiers; %i in it is the number of the client (default: one that says what the client does)";
    "id", 'i' = "ID", CLIENTS, Identity, "the client identifier: the name under which the broker knows this client. Two with one name push each other out";
    "id-prefix", 'I' = "PREFIX", BENCH, Identity, "make the client identifiers from this text and the numbers of the clients";
    "id-prefix", 'I' = "PREFIX", CLIENTS, Identity, "make the client identifier from this text and the process number";
    "username", 'u' = "NAME", BENCH, Identity, "the user name, where the broker asks for one; %i in it is the number of the client";
    "username", 'u' = "NAME", CLIENTS, Identity, "the user name, where the broker asks for one";
    "pw", 'P' = "PASSWORD", ALL, Identity, "the password for it; -P - asks for it. Others can see it on a command line; MQTT_PASSWORD in the environment hides it";
    "password-file" = "FILE", ALL, Identity, "read the password from the first line of a file";

    "cafile" = "FILE", ALL, Tls, "trust brokers whose certificate one of these authorities has signed (PEM). Turns TLS on";
    "capath" = "DIR", ALL, Tls, "the same with a folder of such files";
    "tls-use-os-certs", ALL, Tls, "trust the authorities that the system trusts; this is so on port 8883";
    "cert" = "FILE", ALL, Tls, "this client's certificate, where the broker asks for one (PEM)";
    "key" = "FILE", ALL, Tls, "the private key for it (PEM); if it is encrypted, its passphrase is asked for";
    "insecure", ALL, Tls, "do not check the broker's certificate at all: anyone could be at the other end";
    "no-tls", ALL, Tls, "no TLS, whatever else is said, also on port 8883";
    "tls-version" = "tlsv1.2|tlsv1.3", ALL, Tls, "the lowest version of TLS (default: tlsv1.2)";
    "tls-alpn" = "PROTOCOL", ALL, Tls, "the protocol to name in the TLS handshake, where the broker asks for one";
    "ciphers" = "LIST", ALL, Tls, "the ciphers to offer, with colons between them";
    "tls-keylog" = "FILE", ALL, Tls, "append the keys of the connection to a file, so that Wireshark can read along";
    "psk" = "HEX", ALL, Tls, "a key known to both sides: not supported, use certificates";
    "psk-identity" = "NAME", ALL, Tls, "the name of such a key: not supported";
    "keyform" = "pem|engine", ALL, Tls, "the form of the private key; only pem is supported";
    "tls-engine" = "ENGINE", ALL, Tls, "OpenSSL engines are not supported";
    "tls-engine-kpass-sha1" = "HASH", ALL, Tls, "OpenSSL engines are not supported";

    "protocol-version", 'V' = "5|311|31", PUB_SUB_BENCH, Session, "the MQTT version: 311 (3.1.1, default), 5, or 31";
    "protocol-version", 'V' = "5|311|31", RR, Session, "the MQTT version: 5 (default), 311 (3.1.1), or 31";
    "keepalive", 'k' = "TIME", ALL, Session, "how long the connection may be silent before it is tested (default: 60 seconds)";
    "disable-clean-session", 'c', CLIENTS, Session, "keep the session: the broker collects messages at QoS 1 and 2 while this client is away. Needs -i";
    "disable-clean-session", BENCH, Session, "keep the sessions of all clients, as a client of 3.1.1 can ask for (for version 5 there is -x). Needs -i";
    "session-expiry", 'x' = "TIME", ALL, Session, "how long the broker keeps the session, in seconds, as 1h, or -1 for ever. Selects version 5";
    "max-inflight", 'M' = "COUNT", BENCH, Session, "the same as --window, for who is used to it";
    "max-inflight", 'M' = "COUNT", CLIENTS, Session, "how many messages at QoS 1 and 2 may be on their way at once (default: 20)";
    "property", 'D' = "PACKET NAME [KEY] VALUE", ALL, Session, "a property for connect, publish, subscribe, unsubscribe, disconnect or will: -D publish content-type text/plain. May be repeated. Selects version 5";
    "no-reconnect", PUB_SUB, Session, "end when the connection is lost, instead of connecting again";
    "reconnect-delay" = "TIME", PUB_SUB, Session, "wait this long before connecting again (default: 1 second)";
    "reconnect-timeout" = "TIME", PUB_SUB, Session, "give up when the broker has been away this long";

    "will-topic" = "TOPIC", ALL, Will, "the topic of the will";
    "will-payload" = "TEXT", ALL, Will, "its message (default: empty)";
    "will-qos" = "QOS", ALL, Will, "its QoS (default: 0)";
    "will-retain", ALL, Will, "let the broker keep it";

    "debug", 'd', CLIENTS, Help, "show every packet that is sent and received";
    "quiet", ALL, Help, "no errors and notes";
    "options-file", 'o' = "FILE", ALL, Help, "read options from this file, one a line as typed here, instead of from the default one";
    "completion" = "bash|zsh|fish|powershell", ALL, Help, "print a script that lets your shell complete these options";
    "man", ALL, Help, "print the manual page in the form that man reads";
    "help", ALL, Help, "this text";
    "version", ALL, Help, "the version of this program";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_program_has_two_flags_of_one_name() {
        for program in Program::ALL {
            let flags: Vec<_> = FLAGS.iter().filter(|flag| flag.is_of(program)).collect();
            for (index, flag) in flags.iter().enumerate() {
                for other in &flags[index + 1..] {
                    assert_ne!(flag.long, other.long, "{program:?}");
                    assert!(
                        flag.short.is_none() || flag.short != other.short,
                        "{program:?}: {flag:?} and {other:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn explanations_are_half_sentences() {
        for flag in FLAGS {
            assert!(
                !flag.help.ends_with('.') && !flag.help.is_empty(),
                "{flag:?}"
            );
        }
    }
}
