//! What a terminal sees, `--watch` and `--message-rate`.

use crate::*;

fn messages() -> Vec<u8> {
    [
        publish(0x30, "a", None, b"1"),
        publish(0x30, "b", None, b"2"),
        publish(0x30, "a", None, b"3"),
    ]
    .concat()
}

#[test]
fn each_topic_has_its_line_of_the_screen() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -w -C 3");
    let mut connection = subscribed(&broker);
    connection.send(&messages());
    connection.expect_disconnect();
    expect_output(
        &program.finish(),
        "\x1b[2J\x1b[1;1HBroker: 127.0.0.1\n\
         \x1b[2;1H1\n\x1b[2;1H\n\x1b[3;1H2\n\x1b[3;1H\n\x1b[2;1H3\n\x1b[3;1H\n",
    );
}

#[test]
fn a_line_of_the_screen_can_have_a_format() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t --watch -C 1 -F %t=%p");
    let mut connection = subscribed(&broker);
    connection.send(&messages());
    connection.expect_disconnect();
    expect_output(
        &program.finish(),
        "\x1b[2J\x1b[1;1HBroker: 127.0.0.1\n\x1b[2;1Ha=1\n\x1b[2;1H\n",
    );
}

#[test]
fn the_rate_is_shown_every_second_instead_of_the_messages() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t --message-rate -w");
    let mut connection = subscribed(&broker);
    connection.send(&messages());
    program.expect_stdout("3 msgs/s\n");
    program.expect_stdout("0 msgs/s\n");
    drop(connection);
}

/// Starts mqtt-sub on a terminal of its own; `None` where the program that makes one is missing.
#[cfg(target_os = "linux")]
fn start_on_terminal(
    broker: &FakeBroker,
    line: &str,
    environment: &[(&str, &str)],
) -> Option<Program> {
    let script = mqtt_testkit::strangers::stranger("script", "bsdutils")?;
    let mut command = std::process::Command::new(script);
    let (program, port) = (env!("CARGO_BIN_EXE_mqtt-sub"), broker.port());
    let line = format!("'{program}' -h 127.0.0.1 -p {port} {line}");
    command.args(["-qec", &line, "/dev/null"]);
    command
        .env("TERM", "xterm")
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .env_remove("NO_COLOR")
        .envs(environment.iter().copied());
    Some(Program::of(command))
}

#[cfg(target_os = "linux")]
#[track_caller]
fn check_terminal(line: &str, environment: &[(&str, &str)], sent: &[u8], expected: &[&str]) {
    let broker = FakeBroker::new();
    let Some(program) = start_on_terminal(&broker, line, environment) else {
        return;
    };
    let mut connection = broker.connected(ACCEPTED);
    connection.packet();
    connection.send(SUBACK);
    connection.send(sent);
    for part in expected {
        program.expect_stdout(part);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_several_topics_are_shown_with_time_and_topic_in_colour() {
    let binary = publish(0x31, "b", None, &[0x1b, b'[', b'm', 0xff]);
    let messages = [publish(0x30, "a", None, "Γειά".as_bytes()), binary].concat();
    check_terminal(
        "-t '#'",
        &[],
        &messages,
        &[
            "\x1b[36ma\x1b[0m Γειά\r\n",
            "\x1b[36mb\x1b[0m \x1b[2m(retained)\x1b[0m (4 bytes)\r\n  000000  1b 5b 6d ff  ",
        ],
    );
    check_terminal(
        "-t '#'",
        &[("NO_COLOR", "1")],
        &messages,
        &[" a Γειά\r\n", " b (retained) (4 bytes)\r\n"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_one_topic_is_shown_as_ever() {
    check_terminal(
        "-t t",
        &[],
        &publish(0x30, "t", None, b"only this"),
        &["only this\r\n"],
    );
    check_terminal(
        "-t '#' -F %t:%p",
        &[],
        &publish(0x30, "t", None, b"x"),
        &["t:x\r\n"],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_a_watched_topic_keeps_to_its_line() {
    check_terminal(
        "-t t -w",
        &[("NO_COLOR", "1")],
        &publish(0x30, "t", None, b"two\nlines"),
        &[
            "Broker: 127.0.0.1\r\n",
            "\x1b[2;1H\x1b[2K\x1b[?7l",
            " t two lines\x1b[?7h\x1b[3;1H",
        ],
    );
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_the_rate_is_one_line_that_changes() {
    check_terminal(
        "-t t --message-rate",
        &[],
        &messages(),
        &["\r\x1b[K3 msgs/s\r\x1b[K0 msgs/s"],
    );
}
