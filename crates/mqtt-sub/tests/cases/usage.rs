//! Mistakes on the command line, and help.

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
        "Error: There is nothing to hear.\n  Add a topic: -t topic/# hears everything below topic.\n",
    );
    check_error("-t a/#/b", "Error: Invalid subscription topic 'a/#/b'");
    check_error("-t a+", "Error: Invalid subscription topic 'a+'");
    check_error("-U a#", "Error: Invalid unsubscribe topic 'a#'");
    check_error("-t a -T b#", "Error: Invalid filter-out topic 'b#'");
    check_error("-t a -C 0", "-C needs a number of at least 1");
    check_error("-t a -W 0", "-W '0' is no time at all");
    check_error("-t a -W soon", "-W needs a time");
    check_error("-t a -c", "needs a client identifier");
    check_error("-t a -x -1", "needs a client identifier");
    check_error("-t a -m x", "Unknown option '-m'.\n  mqtt-pub has it");
    check_error(
        "-t",
        "-t is the last argument, and its value is missing.\n  Type: -t FILTER\n",
    );
    check_error("one two -t a", "'two' is one argument too many");
    check_error("-t a -q x", "Error: Invalid QoS given: x.");
    check_error("", "All options: mqtt-sub --help\n");
    check_error(
        "-t a -F %t%z",
        "Error: In the format of -F there is no field 'z'.\n  %t%z\n    ^^\n",
    );
    check_error("-t a --format xml", "--format 'xml' is no form");
    check_error("-t a -R --retained-only", "leave nothing to hear");
    check_error("-t a --retain-handling soon", "Type always, new");
    check_error("-t a --no-local", "--no-local needs MQTT 5");
    check_error("-t a --dry-run", "It belongs to --remove-retained");
    for percent in ["0", "101", "-1", "NaN", "half"] {
        check_error(
            &format!("-t a --random-filter {percent}"),
            "is not between 0.1 and 100 percent",
        );
    }
    check_error(
        "-t a --record /no/such/folder/f.jsonl",
        "Error: /no/such/folder/f.jsonl cannot be written: ",
    );
}

#[test]
fn help_and_version_go_to_stdout_and_are_no_failure() {
    let help = start_with(["--help"]).finish();
    expect_output(&help, &help.stdout);
    for part in [
        "Usage: mqtt-sub",
        "Examples:",
        "-W, --timeout TIME",
        "Exit codes:",
    ] {
        assert!(
            help.stdout.contains(part),
            "expected '{part}' in {}",
            help.stdout
        );
    }
    let version = start_with(["--version"]).finish();
    expect_output(
        &version,
        &format!("mqtt-sub {}\n", env!("CARGO_PKG_VERSION")),
    );
}

#[test]
fn a_broker_that_is_not_there_ends_the_run() {
    let port = FakeBroker::new().port().to_string();
    let ended = start_with(["-h", "127.0.0.1", "-p", &port, "-t", "t"]).finish();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("connection refused") && ended.stderr.contains("mqtt-broker -v"),
        "got {}",
        ended.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_topic_that_is_not_unicode_is_refused() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let line = [OsString::from("-t"), OsString::from_vec(vec![b'a', 0xff])];
    let ended = Program::start(env!("CARGO_BIN_EXE_mqtt-sub"), line).finish();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("The value of -t is not Unicode text"),
        "got {}",
        ended.stderr
    );
}
