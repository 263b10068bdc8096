//! `-l`: lines of input, and a broker that comes and goes.

use crate::*;

#[test]
fn each_line_is_a_message_without_its_end() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t chat/μ -l");
    program.write("one\r\n\nδύο\nlast");
    program.end_input();
    let mut connection = broker.connected(ACCEPTED);
    for line in ["one", "", "δύο", "last"] {
        connection.expect(&publish(0x30, "chat/μ", None, line.as_bytes()));
    }
    connection.expect_disconnect();
    expect_success(&program.finish());
}

/// Notepad writes a byte order mark, and PowerShell 5 UTF-16.
#[test]
fn lines_of_windows_are_read_whatever_their_encoding() {
    let text = "\u{feff}Γειά\r\nσου";
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for input in [text.as_bytes(), &units] {
        let broker = FakeBroker::new();
        let mut program = start(&broker, "-t t -l");
        let mut connection = broker.connected(ACCEPTED);
        program.write(input);
        program.end_input();
        for line in ["Γειά", "σου"] {
            connection.expect(&publish(0x30, "t", None, line.as_bytes()));
        }
        connection.expect_disconnect();
        expect_success(&program.finish());
    }
}

#[test]
fn a_line_leaves_as_soon_as_it_is_typed() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t --stdin-line");
    let mut connection = broker.connected(ACCEPTED);
    for line in ["a", "b"] {
        program.write(format!("{line}\n"));
        connection.expect(&publish(0x30, "t", None, line.as_bytes()));
    }
    program.end_input();
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn no_line_is_a_connection_without_a_message() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -l");
    program.end_input();
    broker.connected(ACCEPTED).expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn at_most_twenty_messages_are_in_flight() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -q 1 -l");
    program.write("x\n".repeat(25));
    program.end_input();
    let mut connection = broker.connected(ACCEPTED);
    for id in 1..=20 {
        connection.expect(&publish(0x32, "t", Some(id), b"x"));
    }
    for id in 1..=25_u8 {
        connection.send(&[0x40, 2, 0, id]);
        if id <= 5 {
            connection.expect(&publish(0x32, "t", Some(u16::from(id) + 20), b"x"));
        }
    }
    connection.expect_disconnect();
    expect_success(&program.finish());
}

#[test]
fn a_broker_that_comes_back_gets_what_it_has_not_confirmed() {
    for (present, first) in [(1, 0x3a), (0, 0x32)] {
        let broker = FakeBroker::new();
        let mut program = start(&broker, "-t t -q 1 -l -c -i lines");
        program.write("a\nb\nc\n");
        let mut connection = broker.connected(ACCEPTED);
        for (id, line) in [(1, "a"), (2, "b"), (3, "c")] {
            connection.expect(&publish(0x32, "t", Some(id), line.as_bytes()));
        }
        connection.send(&[0x40, 2, 0, 1]);
        connection.close();
        program.expect_stderr("Trying to connect again");
        program.write("d\n");
        program.end_input();
        let mut connection = broker.connected(&[0x20, 2, present, 0]);
        // A session that is present gets the same identifiers, marked as repeated; a new one gets new ones.
        let ids = if present == 1 { [2, 3] } else { [4, 5] };
        connection.expect(&publish(first, "t", Some(ids[0]), b"b"));
        connection.expect(&publish(first, "t", Some(ids[1]), b"c"));
        let last = if present == 1 { 4 } else { 6 };
        connection.expect(&publish(0x32, "t", Some(last), b"d"));
        for id in [ids[0], ids[1], last] {
            connection.send(&[0x40, 2, 0, id as u8]);
        }
        connection.expect_disconnect();
        let ended = program.finish();
        assert_eq!(ended.code, 0, "got {}", ended.stderr);
        assert!(
            ended.stderr.contains("Connected again."),
            "got {}",
            ended.stderr
        );
    }
}

#[test]
fn qos_2_goes_on_where_it_stopped() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -q 2 -l -c -i lines");
    program.write("a\nb\n");
    program.end_input();
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x34, "t", Some(1), b"a"));
    connection.expect(&publish(0x34, "t", Some(2), b"b"));
    connection.send(&[0x50, 2, 0, 1]);
    connection.expect(&[0x62, 2, 0, 1]);
    connection.close();
    let mut connection = broker.connected(&[0x20, 2, 1, 0]);
    connection.expect(&[0x62, 2, 0, 1]);
    connection.expect(&publish(0x3c, "t", Some(2), b"b"));
    connection.send(&[0x70, 2, 0, 1, 0x50, 2, 0, 2]);
    connection.expect(&[0x62, 2, 0, 2]);
    connection.send(&[0x70, 2, 0, 2]);
    connection.expect_disconnect();
    assert_eq!(program.finish().code, 0);
}

#[test]
fn a_message_at_qos_2_that_the_broker_has_forgotten_half_way_is_reported() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -q 2 -l");
    program.write("a\nb\n");
    program.end_input();
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x34, "t", Some(1), b"a"));
    connection.expect(&publish(0x34, "t", Some(2), b"b"));
    connection.send(&[0x50, 2, 0, 1]);
    connection.expect(&[0x62, 2, 0, 1]);
    connection.close();
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x34, "t", Some(3), b"b"));
    connection.send(&[0x50, 2, 0, 3]);
    connection.expect(&[0x62, 2, 0, 3]);
    connection.send(&[0x70, 2, 0, 3]);
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert!(
        ended.stderr.contains("Error: Line 1 is not certain"),
        "got {}",
        ended.stderr
    );
}

#[test]
fn lines_that_had_not_left_at_qos_0_are_sent_over_the_next_connection() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -l");
    let mut first = broker.connected(ACCEPTED);
    // More than all buffers between the two hold, so that much of it cannot have left.
    let line = "x".repeat(1 << 20);
    let writer = std::thread::spawn(move || {
        for number in 0..40 {
            program.write(format!("{number} {line}\n"));
        }
        program.end_input();
        program
    });
    let seen = first.packet();
    assert!(seen.starts_with(&publish(0x30, "t", None, &[b'x'; 1 << 20])[..1]));
    first.close();
    let mut second = broker.connected(ACCEPTED);
    let mut numbers = Vec::new();
    while numbers.last() != Some(&39) {
        let packet = second.packet();
        let text = String::from_utf8_lossy(&packet[5 + 2..]).into_owned();
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        numbers.push(digits.parse::<u32>().unwrap());
    }
    // No gap: what had not wholly left comes again, in order.
    assert!(
        numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]),
        "got {numbers:?}"
    );
    second.expect_disconnect();
    let ended = writer.join().unwrap().finish();
    assert_eq!(ended.code, 0, "got {}", ended.stderr);
}

#[cfg(unix)]
#[test]
fn an_interrupt_reports_what_was_not_confirmed() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -q 1 -l -d");
    program.write("a\nb\nc\n");
    let mut connection = broker.connected(ACCEPTED);
    for id in 1..=3 {
        connection.expect(&publish(
            0x32,
            "t",
            Some(id),
            &[b"abc"[usize::from(id) - 1]],
        ));
    }
    connection.send(&[0x40, 2, 0, 2, 0xd0, 0]);
    program.expect_stdout("received PUBACK (Mid: 2, RC:0)");
    program.write("d\n");
    connection.expect(&publish(0x32, "t", Some(4), b"d"));
    program.interrupt();
    connection.expect_disconnect();
    let ended = program.finish();
    assert_eq!(ended.code, 7);
    assert!(
        ended
            .stderr
            .contains("Error: Lines 1, 3-4 were not confirmed by the broker."),
        "got {}",
        ended.stderr
    );
}

#[test]
fn a_refusal_on_the_way_back_ends_the_run_with_a_report() {
    let broker = FakeBroker::new();
    let mut program = start(&broker, "-t t -q 1 -l");
    program.write("a\n");
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x32, "t", Some(1), b"a"));
    connection.close();
    broker.connected(&[0x20, 2, 0, 5]).expect_end();
    let ended = program.finish();
    assert_eq!(ended.code, 5);
    assert!(
        ended
            .stderr
            .contains("Error: Line 1 was not confirmed by the broker."),
        "got {}",
        ended.stderr
    );
}
