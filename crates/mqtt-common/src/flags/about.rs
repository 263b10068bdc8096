//! What the help and the manual pages say beside the flags: purpose, examples, exit codes, places.

use super::table::Program;

/// A row of a short table: what is typed or seen, and what it means.
pub type Row = (&'static str, &'static str);

/// What the program is for, in a sentence or two.
pub const fn intro(program: Program) -> &'static str {
    match program {
        Program::Pub => "Publishes messages to an MQTT broker, and ends when the broker has them.",
        Program::Sub => {
            "Subscribes to topics of an MQTT broker and prints every message. Ctrl-C ends it."
        }
        Program::Rr => {
            "Publishes a request to an MQTT broker, waits for the answer, and prints it."
        }
        Program::Bench => {
            "Puts load on an MQTT broker, and tells how fast messages come and whether any is lost."
        }
    }
}

/// What stands behind the program's name.
pub const fn usage(program: Program) -> &'static str {
    match program {
        Program::Pub => "[-h HOST] -t TOPIC {-m TEXT | -f FILE | -l | -s | -n} [options]",
        Program::Sub => "[-h HOST] -t FILTER [-t FILTER ...] [options]",
        Program::Rr => {
            "[-h HOST] -t TOPIC -e RESPONSE-TOPIC {-m TEXT | -f FILE | -s | -n} [options]"
        }
        Program::Bench => {
            "COMMAND [-h HOST] [-c CLIENTS] [-n MESSAGES | --duration TIME] [options]"
        }
    }
}

/// Arguments, and what they do.
pub const fn examples(program: Program) -> &'static [Row] {
    match program {
        Program::Pub => PUB_EXAMPLES,
        Program::Sub => SUB_EXAMPLES,
        Program::Rr => RR_EXAMPLES,
        Program::Bench => BENCH_EXAMPLES,
    }
}

const PUB_EXAMPLES: &[Row] = &[
    (
        "-h localhost -t topic/pub -m \"hello\" -d",
        "one message, with every packet shown",
    ),
    (
        "-h 192.168.1.23 -t room/1/temp -m 21.5 -q 1 -r",
        "certain to arrive, and kept for later subscribers",
    ),
    (
        "-h 192.168.1.23 -t chat/maria -l",
        "a chat: every line you type is a message",
    ),
    (
        "-t room/1 --json temp=21.5 on=true room=A1",
        "an object, without quotes that a shell could take away",
    ),
    (
        "-h localhost -t room/1/temp -n -r",
        "removes the kept message",
    ),
    (
        "-L mqtts://maria@broker.example.org/room/1/temp -P - -m 21.5",
        "through TLS, with a password that is asked for",
    ),
];

const SUB_EXAMPLES: &[Row] = &[
    (
        "-h localhost -t topic/# -d",
        "everything below topic, with every packet shown",
    ),
    (
        "-h 192.168.1.23 -t room/+/temp -v",
        "one level of any name, topics shown",
    ),
    (
        "-h localhost -t door -C 1 -W 10",
        "waits 10 seconds for one message",
    ),
    (
        "-h localhost -t door -q 1 -c -i house",
        "messages are kept while this client is away",
    ),
    (
        "-t alarm -q 2 -t temp/# -q 0",
        "two topics, each with its own QoS",
    ),
    (
        "-t room/# --record day.jsonl",
        "all messages into a file that mqtt-pub --replay publishes again",
    ),
];

const RR_EXAMPLES: &[Row] = &[
    (
        "-h localhost -t lamp/1/get -e lamp/1/state -m now",
        "asks, and prints the first answer",
    ),
    (
        "-h 192.168.1.23 -t echo -e answers/maria -m hello -W 5 --latency",
        "waits 5 seconds at most, and shows how long it took",
    ),
];

const BENCH_EXAMPLES: &[Row] = &[
    (
        "pair -c 10 -n 100000",
        "10 publishers send 100,000 messages, each to a subscriber of its own, as fast as possible",
    ),
    (
        "fan-in -h 192.168.1.23 -c 50 -q 1 --rate 1000 --duration 30s",
        "50 sensors send 1,000 messages a second for half a minute to one subscriber",
    ),
    (
        "fan-out -c 500 -s 1k",
        "one publisher, 500 subscribers, 1,024 bytes a message",
    ),
    (
        "latency -q 1",
        "how long one message takes that is alone on its way",
    ),
    (
        "conn -c 10000 -A 127.0.0.2-5 --duration 1m",
        "10,000 connections that are open for a minute",
    ),
    (
        "retained -n 100000",
        "how fast a new subscriber gets 100,000 retained messages",
    ),
    (
        "simulate hvac -c 50 -u lab%i",
        "50 rooms with sensors and relays; mqtt-pub -t hvac/room1/relay/1/set -m ON heats the first",
    ),
    (
        "compare --scenario fan-in --rounds 5",
        "50 publishers and a subscriber, with each broker of this computer in turn",
    ),
];

/// Exit codes, and when the program ends with them.
pub const fn exit_codes(program: Program) -> &'static [Row] {
    match program {
        Program::Pub => &[
            ("0", "everything was delivered; also a stop by Ctrl-C"),
            (
                "1",
                "the command line, a file, the host or the connection attempt is at fault",
            ),
            ("1-5, 128-159", "the broker refused: its reason"),
            ("7", "the connection was lost"),
            ("8, 16", "no TLS with the broker; the proxy does not help"),
            (
                "2, 9, 19",
                "the broker broke the protocol; too large; silent",
            ),
            ("255", "stopped before the broker answered"),
        ],
        Program::Bench => &[
            (
                "0",
                "everything arrived, once and in order; also a stop by Ctrl-C if so",
            ),
            (
                "1",
                "the command line, a file, the host or the connection attempt is at fault",
            ),
            ("1-5, 128-159", "the broker refused: its reason"),
            ("7", "a connection was lost"),
            ("8, 16", "no TLS with the broker; the proxy does not help"),
            ("2, 19", "the broker broke the protocol; silent"),
            ("40", "messages were lost"),
            (
                "41",
                "nothing was lost, but at QoS 2 a message came twice, or messages came out of order",
            ),
        ],
        Program::Sub | Program::Rr => &[
            ("0", "done, or stopped by Ctrl-C"),
            (
                "1",
                "the command line, a file, the host or the connection attempt is at fault",
            ),
            ("1-5, 128-159", "the broker refused: its reason"),
            ("7", "the connection was lost, and not to be regained"),
            ("8, 16", "no TLS with the broker; the proxy does not help"),
            (
                "2, 19, 25",
                "the broker broke the protocol; silent; too large",
            ),
            ("27", "the time of -W is over"),
            ("255", "stopped before the broker answered"),
        ],
    }
}

/// Environment variables.
pub const ENVIRONMENT: &[Row] = &[
    (
        "MQTT_PASSWORD",
        "the password, where there is a user name and no other password",
    ),
    (
        "XDG_CONFIG_HOME, HOME",
        "where the default options file lies (on Windows APPDATA, USERPROFILE)",
    ),
    ("NO_COLOR", "if it is set, there are no colours"),
];

/// How options files work, in paragraphs.
pub fn options_files(program: Program) -> [String; 3] {
    let own = program.name();
    let (model, windows_model) = match program.model() {
        Some(model) => (
            format!(", $XDG_CONFIG_HOME/{model}"),
            format!(", %USERPROFILE%\\{model}.conf"),
        ),
        None => Default::default(),
    };
    [
        format!(
            "Options that are always the same can stand in a file. It is the first of these that \
             exists: $XDG_CONFIG_HOME/{own}{model}; without XDG_CONFIG_HOME they \
             lie in $HOME/.config. On Windows: %APPDATA%\\{own}.conf, %USERPROFILE%\\{own}.conf{windows_model}. With -o FILE it is that file and no other."
        ),
        "Each line is an option as on the command line, a blank, and its value, which reaches to the \
         end of the line; there are no quotes. Lines that begin with # are comments. The file may be \
         UTF-8 or UTF-16, its lines may end as on Windows."
            .to_owned(),
        "Options of the command line come after those of the file: they win, or add to them where \
         an option may be repeated."
            .to_owned(),
    ]
}

/// How passwords are given, in a paragraph.
pub const PASSWORDS: &str = "A password on the command line can be seen by other users of the \
computer, and stays in the history of the shell. Three ways around it: -P - asks for it, \
--password-file FILE reads the first line of a file, and MQTT_PASSWORD holds it in the environment. \
The last one that is given counts, the environment after all others.";

/// How quoting differs, in a paragraph.
pub const QUOTING: &str = "Texts with blanks need quotes. In cmd.exe only double quotes work, and a % \
in a batch file is written %%. PowerShell puts its own meaning on $ inside of double quotes: write \
'$SYS/#' there. In bash, # and * are best quoted.";

/// What `-F` understands; a letter, and what it stands for.
pub const FORMATS: &[Row] = &[
    ("%t", "topic"),
    ("%p", "payload, as it came"),
    ("%x, %X", "payload in hexadecimal digits, small or capital"),
    ("%l", "length of the payload in bytes"),
    ("%q, %r, %m", "QoS; retain flag (0 or 1); packet identifier"),
    (
        "%f, %d",
        "payload as a number of 4 or 8 bytes in the computer's own form",
    ),
    (
        "%j, %J",
        "all of the message as JSON; with %J the payload must be JSON itself",
    ),
    (
        "%I, %U",
        "time of arrival: 2026-11-22T16:33:21+0000; in seconds since 1970",
    ),
    (
        "%A %C %D %E %F %P %R %S",
        "version 5: topic alias, content type, correlation data, expiry, payload format, user \
         properties, response topic, subscription identifier",
    ),
    (
        "@Y @m @d @H @M @S @N",
        "parts of the time, as in strftime; @N: nanoseconds",
    ),
    ("%% @@ \\n \\t \\r \\0 \\a \\e \\v \\\\", "these characters"),
    (
        "%20t %-20t %020l %.5t",
        "at least 20 wide, on the left, with zeros; at most 5 long",
    ),
    (
        "%.2:x",
        "a colon behind every two digits; also , . - and a blank",
    ),
];
