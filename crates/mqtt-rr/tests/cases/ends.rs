//! How a run ends where no answer comes: time, refusals, lost connections, nonsense, Ctrl-C.

use crate::*;

#[test]
fn time_that_is_over_lets_the_broker_publish_the_will() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x -W 0.1");
    let mut connection = asked(&broker);
    connection.expect(&[0xe0, 1, 4]);
    connection.expect_end();
    let ended = program.finish();
    assert_eq!((ended.code, ended.stderr.as_str()), (27, "Timed out\n"));
}

#[test]
fn a_broker_that_accepts_and_says_nothing_is_left_when_the_time_is_over() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x -W 0.1");
    let mut connection = broker.accept();
    connection.packet();
    connection.expect(&[0xe0, 1, 4]);
    connection.expect_end();
    assert_eq!(program.finish().code, 27);
}

#[test]
fn a_refused_connection_subscription_or_request_ends_with_its_reason() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x");
    broker.connected(&[0x20, 3, 0, 0x87, 0]).expect_end();
    let ended = program.finish();
    assert_eq!(ended.code, 135);
    assert!(
        ended
            .stderr
            .starts_with("Connection error: Not authorized\n")
    );

    let program = start(&broker, "-t q -e a -m x");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(SUBSCRIBE);
    connection.send(&[0x90, 4, 0, 1, 0, 0x87]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 135);
    assert_eq!(
        ended.stderr,
        "Error: The broker refuses the subscription to the response topic: Not authorized.\n"
    );

    let program = start(&broker, "-t q -e a -m x -q 1");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x82\x07\0\x01\0\0\x01a\x01");
    connection.send(SUBACK);
    connection.expect(b"\x32\x0b\0\x01q\0\x02\x04\x08\0\x01ax");
    connection.send(&[0x40, 3, 0, 2, 0x87]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 135);
    assert_eq!(ended.stderr, "Warning: Publish 1 failed: Not authorized.\n");
}

#[test]
fn a_request_that_nobody_hears_is_worth_a_note() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x -q 1");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(b"\x82\x07\0\x01\0\0\x01a\x01");
    connection.send(SUBACK);
    connection.packet();
    connection.send(&[0x40, 3, 0, 2, 0x10]);
    program.expect_stderr("Note: Nobody is subscribed to 'q' at the moment.\n");
    connection.send(b"\x30\x04\0\x01a\0");
    connection.expect_disconnect();
    assert_eq!(program.finish().code, 0);
}

#[test]
fn a_lost_connection_ends_the_waiting() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x");
    asked(&broker).close();
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert_eq!(
        ended.stderr,
        "Error: The connection was lost: the broker closed it.\nError: The answer has not come.\n"
    );
    let program = start(&broker, "-t q -e a -m x --repeat 2");
    let mut connection = broker.connected(ACCEPTED_5);
    connection.expect(SUBSCRIBE);
    connection.close();
    let ended = program.finish();
    assert!(
        ended.stderr.ends_with("Error: 2 answers have not come.\n"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn nonsense_ends_the_run_with_a_clear_message() {
    for (answer, code, words) in [
        (&b"HTTP/1.1 200 OK\r\n"[..], 2, "the answer is not MQTT"),
        (&[0x30, 2, 0, 0], 2, "the answer is not MQTT"),
        (&[0x20, 3, 0, 0, 0, 0xf1, 0], 2, "Protocol error: "),
        (&[0x20, 3, 0, 0, 0, 0x62, 2, 0, 0], 2, "Protocol error: "),
    ] {
        let broker = FakeBroker::new();
        let program = start(&broker, "-t q -e a -m x");
        let _connection = broker.connected(answer);
        let ended = program.finish();
        assert_eq!(ended.code, code, "got {}", ended.stderr);
        assert!(ended.stderr.contains(words), "got {}", ended.stderr);
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_in_good_order() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t q -e a -m x");
    let connection = asked(&broker);
    program.interrupt();
    connection.expect_disconnect();
    assert_eq!(program.finish().code, 0);

    let program = start(&broker, "-t q -e a -m x");
    let mut connection = broker.accept();
    connection.packet();
    program.interrupt();
    assert_eq!(program.finish().code, 255);
}
