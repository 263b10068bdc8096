//! `--watch` and `--message-rate`.

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
