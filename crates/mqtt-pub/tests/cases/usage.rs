//! Mistakes on the command line, help, and what hand-outs and word processors make of commands.

use crate::*;

#[track_caller]
fn check_error(line: &str, expected: &str) {
    let ended = start_with(line.split_whitespace()).finish();
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{line}");
    assert!(
        ended.stderr.contains(expected),
        "{line}: expected '{expected}' in '{}'",
        ended.stderr
    );
}

#[test]
fn mistakes_end_with_1_and_say_what_to_type() {
    check_error(
        "",
        "Error: Both topic and message must be supplied; the topic is missing.\n  Add a topic: -t topic/pub\n",
    );
    check_error("-t t", "the message is missing");
    check_error(
        "-t t -m a -l",
        "Error: Only one type of message can be sent at once, not -m and -l.",
    );
    check_error("-t a/# -m x", "Error: Invalid publish topic 'a/#'");
    check_error("-t t -m x -q 3", "Error: Invalid QoS given: 3.");
    check_error("-t t -m x -p 99999", "Error: Invalid port given: 99999.");
    check_error("-t t -m x -p abc", "Error: Invalid port given: abc.");
    check_error("-t t -m x -k 4", "is not between 5 and 65535 whole seconds");
    check_error("-t t -m x -V 4", "There is no MQTT version '4'");
    check_error("-t t -m x -c", "needs a client identifier");
    check_error("-t t -m x -i a -I b", "-i and -I cannot be used together");
    check_error("-t t -m x -P pw", "Add the user name: -u NAME -P PASSWORD");
    check_error(
        "-t t -m x --will-payload x",
        "--will-payload is there, but no topic for the will",
    );
    check_error(
        "-t t -m x --repeat 0",
        "--repeat needs a number of at least 1",
    );
    check_error(
        "-t t -m x --repeat-delay soon",
        "--repeat-delay needs a time",
    );
    check_error(
        "-t t -m x -x later",
        "is not between 0 and 4294967295 seconds",
    );
    check_error(
        "-t t -m",
        "-m is the last argument, and its value is missing",
    );
    check_error("-t t -m x -C 1", "Unknown option '-C'.\n  mqtt-sub has it");
    check_error("-t t -m x --retian", "Did you mean --retain?");
    check_error("-h localhost -t t -m two words", "'words' stands alone");
    check_error("-h Χ.Χ.Χ.Χ -t t -m x", "'Χ.Χ.Χ.Χ' is not a host name");
    check_error("-h localhost:1883x -t t -m x", "Invalid port given: 1883x");
    check_error(
        "-t t -f /no/such/file",
        "Error: Unable to read the file '/no/such/file'",
    );
    check_error("-t t -s", "Error: Zero length input");
    check_error("", "All options: mqtt-pub --help\n");
}

#[test]
fn help_and_version_go_to_stdout_and_are_no_failure() {
    let help = start_with(["--help"]).finish();
    expect_success(&help);
    for part in [
        "Usage: mqtt-pub",
        "Examples:",
        "--will-topic TOPIC",
        "Exit codes:",
    ] {
        assert!(
            help.stdout.contains(part),
            "expected '{part}' in {}",
            help.stdout
        );
    }
    let version = start_with(["--version"]).finish();
    expect_success(&version);
    assert_eq!(
        version.stdout,
        format!("mqtt-pub {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn long_dashes_and_a_lone_host_are_understood_with_a_note() {
    let broker = FakeBroker::new();
    let host = format!("127.0.0.1:{}", broker.port());
    let program = start_with([host.as_str(), "–t", "t", "—message", "x"]);
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x30, "t", None, b"x"));
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 0);
    assert_eq!(
        ended.stderr,
        format!(
            "Note: '–t' was read as '-t': its dash is not the one of the keyboard.\n\
             Note: '—message' was read as '--message': its dash is not the one of the keyboard.\n\
             Note: '{host}' was taken as the host, as if you had typed: -h {host}.\n"
        )
    );
}

#[test]
fn quiet_says_nothing() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -n --quiet");
    broker.connected(&[0x20, 2, 0, 5]).expect_end();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (5, ""));
}

#[test]
fn a_broker_that_is_not_there_is_named_with_the_next_step() {
    let port = FakeBroker::new().port().to_string();
    let ended = start_with(["-h", "127.0.0.1", "-p", &port, "-t", "t", "-m", "x"]).finish();
    assert_eq!(ended.code, 1);
    assert_eq!(
        ended.stderr,
        format!(
            "Error: Unable to connect to 127.0.0.1 port {port}: 127.0.0.1:{port}: connection refused.\n  \
             No broker listens on port {port} of this computer. Start one in another window: mqtt-broker -v\n"
        )
    );
    let ended = start_with(["-h", "X.X.X.X", "-t", "t", "-m", "x"]).finish();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.starts_with("Unable to connect (Lookup error)"),
        "got {}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("stands for an address"),
        "got {}",
        ended.stderr
    );
}
