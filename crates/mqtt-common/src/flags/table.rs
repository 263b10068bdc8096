//! Every flag of every client, once: names, value, programs, place in the help, explanation.

/// A client program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// mqtt-pub
    Pub,
    /// mqtt-sub
    Sub,
}

impl Program {
    /// Its own name, whatever it was called by.
    pub const fn name(self) -> &'static str {
        match self {
            Program::Pub => "mqtt-pub",
            Program::Sub => "mqtt-sub",
        }
    }
}

/// What a user wants to do with a flag; the chapters of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Chapter {
    Broker,
    Send,
    Hear,
    Show,
    Stop,
    Identity,
    Session,
    Will,
    Help,
}

impl Chapter {
    /// All chapters, in the order of the help.
    pub const ALL: [Chapter; 9] = [
        Chapter::Broker,
        Chapter::Send,
        Chapter::Hear,
        Chapter::Show,
        Chapter::Stop,
        Chapter::Identity,
        Chapter::Session,
        Chapter::Will,
        Chapter::Help,
    ];

    /// Its heading.
    pub const fn heading(self) -> &'static str {
        match self {
            Chapter::Broker => "Which broker",
            Chapter::Send => "What to publish",
            Chapter::Hear => "What to hear",
            Chapter::Show => "How to show it",
            Chapter::Stop => "When to stop",
            Chapter::Identity => "Who you are",
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

    /// The flag as people type it: the short form if there is one.
    pub fn typed(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}"),
            None => format!("--{}", self.long),
        }
    }
}

const ALL: &[Program] = &[Program::Pub, Program::Sub];
const PUB: &[Program] = &[Program::Pub];
const SUB: &[Program] = &[Program::Sub];

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
    "port", 'p' = "PORT", ALL, Broker, "the broker's port (default: 1883)";

    "topic", 't' = "TOPIC", PUB, Send, "the topic to publish to; nothing has to be created first";
    "message", 'm' = "TEXT", PUB, Send, "the message";
    "file", 'f' = "FILE", PUB, Send, "send a whole file as one message";
    "stdin-line", 'l', PUB, Send, "send each line of standard input as a message: type and press Enter";
    "stdin-file", 's', PUB, Send, "send all of standard input as one message";
    "null-message", 'n', PUB, Send, "send an empty message; with -r this removes the retained one";
    "retain", 'r', PUB, Send, "let the broker keep the message and give it to everyone who subscribes later";
    "qos", 'q' = "QOS", ALL, Session, "0: sent once (default), 1: arrives at least once, 2: arrives exactly once";
    "repeat" = "COUNT", PUB, Send, "send the message this often";
    "repeat-delay" = "TIME", PUB, Send, "wait this long between two of them: seconds, or 500ms, 2m";

    "topic", 't' = "FILTER", SUB, Hear, "hear this topic; '+' stands for one level, '#' at the end for all the rest. May be repeated";
    "unsubscribe", 'U' = "FILTER", SUB, Hear, "stop hearing this topic in a session that is kept (-c). May be repeated";
    "filter-out", 'T' = "FILTER", SUB, Hear, "do not show messages on these topics. May be repeated";
    "no-retained", 'R', SUB, Hear, "do not show retained messages, only what is published from now on";
    "verbose", 'v', SUB, Show, "show the topic in front of each message";
    "no-newline", 'N', SUB, Show, "no new line after each message";
    "count", 'C' = "COUNT", SUB, Stop, "stop after this many messages";
    "timeout", 'W' = "TIME", SUB, Stop, "stop after this time, with exit code 27: seconds, or 90s, 2m";

    "id", 'i' = "ID", ALL, Identity, "the client identifier: the name under which the broker knows this client. Two with one name push each other out";
    "id-prefix", 'I' = "PREFIX", ALL, Identity, "make the client identifier from this text and the process number";
    "username", 'u' = "NAME", ALL, Identity, "the user name, where the broker asks for one";
    "pw", 'P' = "PASSWORD", ALL, Identity, "the password for it";

    "protocol-version", 'V' = "VERSION", ALL, Session, "the MQTT version: 311 (3.1.1, default), 5, or 31";
    "keepalive", 'k' = "TIME", ALL, Session, "how long the connection may be silent before it is tested (default: 60 seconds)";
    "disable-clean-session", 'c', ALL, Session, "keep the session: the broker collects messages at QoS 1 and 2 while this client is away. Needs -i";
    "session-expiry", 'x' = "TIME", ALL, Session, "how long the broker keeps the session, in seconds, as 1h, or -1 for ever. Selects version 5";

    "will-topic" = "TOPIC", ALL, Will, "the topic of the will";
    "will-payload" = "TEXT", ALL, Will, "its message (default: empty)";
    "will-qos" = "QOS", ALL, Will, "its QoS (default: 0)";
    "will-retain", ALL, Will, "let the broker keep it";

    "debug", 'd', ALL, Help, "show every packet that is sent and received";
    "quiet", ALL, Help, "no errors and notes";
    "help", ALL, Help, "this text";
    "version", ALL, Help, "the version of this program";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_program_has_two_flags_of_one_name() {
        for program in [Program::Pub, Program::Sub] {
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
