//! Mistakes on the command line, help and version.

use crate::*;

#[test]
fn mistakes_end_with_1_and_say_what_to_type() {
    for (line, expected) in [
        (
            "-e a -m x",
            "Error: All of topic, message, and response topic must be supplied; \
             the topic of the request is missing.\n  Add it: -t lamp/get\n",
        ),
        ("-t q -m x", "the response topic is missing.\n  Add a topic"),
        ("-t q -e a", "the message is missing"),
        ("-t q -e a -m x -n", "not -m and -n"),
        ("-t q -e a -l", "Unknown option '-l'.\n  mqtt-pub has it"),
        ("-t q/# -e a -m x", "Invalid request topic 'q/#'"),
        ("-t q -e a/+ -m x", "Invalid response topic 'a/+'"),
        ("-t q -e a -m x -W soon", "-W needs a time"),
        ("-t q -e a -m x -F %z", "'z'"),
        (
            "-t q -e a -m x --repeat 0",
            "--repeat needs a number of at least 1",
        ),
        (
            "-t q -e a -m x -D publish response-topic b",
            "The response topic is there twice",
        ),
        (
            "-t q -e a -f /no/such",
            "Unable to read the file '/no/such'",
        ),
        ("", "All options: mqtt-rr --help\n"),
    ] {
        let ended = start_with(line.split_whitespace()).finish();
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{line}");
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
    }
}

#[test]
fn help_and_version_go_to_stdout_and_are_no_failure() {
    let help = start_with(["--help"]).finish();
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for part in ["Usage: mqtt-rr", "Examples:", "--response-topic TOPIC"] {
        assert!(help.stdout.contains(part), "'{part}' in {}", help.stdout);
    }
    let version = start_with(["--version"]).finish();
    let expected = format!("mqtt-rr {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((version.code, version.stdout), (0, expected));
}

#[test]
fn quiet_says_nothing() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x --quiet -W 1");
    let _connection = asked(&broker);
    let ended = program.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (27, ""));
}
