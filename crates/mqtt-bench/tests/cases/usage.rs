//! Mistakes on the command line, help and version.

use crate::*;

#[test]
fn mistakes_end_with_1_and_say_what_to_type() {
    for (line, expected) in [
        ("", "What is mqtt-bench to do? The command is missing"),
        (
            "pubb",
            "There is no command 'pubb'.\n  Type one of these first: pub, sub",
        ),
        ("pub -c 0", "-c needs a number of at least 1, and got '0'"),
        ("pub -s 5", "-s 5 is too small"),
        ("pair -q 3", "Invalid QoS given: 3"),
        ("pair --duration x", "--duration needs a time"),
        ("pub -d", "Unknown option '-d'"),
        ("fan-out --subscribers 2", "--subscribers belongs to fan-in"),
        ("pair -t a/#", "Invalid topic 'a/#'"),
        (
            "simulate",
            "simulate needs a word behind it.\n  Type: mqtt-bench simulate hvac|dht22",
        ),
        ("pub one two", "'two' is one argument too many"),
    ] {
        let ended = run(line);
        assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{line}");
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("All options: mqtt-bench --help"),
            "{line}"
        );
    }
}

#[test]
fn help_manual_and_version_go_to_stdout() {
    for (line, part) in [
        ("--help", "Commands:\n"),
        ("pub --help", "Usage: mqtt-bench COMMAND"),
        ("--version", "mqtt-bench 0."),
        ("--man", ".TH MQTT-BENCH"),
        ("--completion bash", "mqtt-bench"),
    ] {
        let ended = run(line);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{line}");
        assert!(ended.stdout.contains(part), "{line}: {}", ended.stdout);
    }
}

#[test]
fn a_lone_word_behind_the_command_is_the_host() {
    let port = mqtt_testkit::broker::free_port();
    let ended = run(&format!("pair 127.0.0.1 -p {port} -n 1"));
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("'127.0.0.1' was taken as the host"),
        "{}",
        ended.stderr
    );
}
