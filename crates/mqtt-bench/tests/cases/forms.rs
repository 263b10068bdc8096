//! The result as text, JSON, CSV and a picture.

use crate::*;
use mqtt_testkit::program::spawn;
use std::process::{Command, Stdio};

#[test]
fn text_has_units_and_no_riddles() {
    let broker = BrokerProcess::open();
    let ended = run(&at(broker.port(), "pair -c 2 -n 2000 -q 1"));
    let port = broker.port();
    let head = format!(
        "pair: 2 publishers, 2 subscribers, QoS 1, 64 bytes a message, at 127.0.0.1 port {port}\n"
    );
    assert!(ended.stdout.starts_with(&head), "{}", ended.stdout);
    for part in [
        "  published             2,000 messages in ",
        "  confirmed             2,000\n",
        "  received              2,000 messages: ",
        "  lost                  none\n",
        "  received twice        none\n",
        "  out of order          none\n",
        "  time on the way       half within ",
        "99.9 % within ",
        "longest ",
    ] {
        assert!(ended.stdout.contains(part), "'{part}' in {}", ended.stdout);
    }
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
}

#[test]
fn json_has_the_run_in_tenths_of_a_second() {
    let broker = BrokerProcess::open();
    let result = measured(&broker, "pair --duration 350ms --rate 1000");
    let samples = result["samples"].as_array().unwrap();
    assert!(samples.len() >= 3, "{result:#}");
    let sum: u64 = samples
        .iter()
        .map(|it| it["published"].as_u64().unwrap())
        .sum();
    assert_eq!(Some(sum), result["published"].as_u64());
    for name in [
        "p50_us", "p90_us", "p99_us", "p99.9_us", "max_us", "seconds",
    ] {
        assert!(
            result[name].as_f64().is_some_and(|value| value > 0.0),
            "{name} in {result:#}"
        );
    }
}

#[test]
fn csv_has_as_many_values_as_names() {
    let broker = BrokerProcess::open();
    for line in [
        "pair -n 10",
        "conn -n 5",
        "conn -c 2 --duration 10ms",
        "retained -n 5",
    ] {
        let ended = run(&at(broker.port(), &format!("{line} --csv")));
        let lines: Vec<Vec<&str>> = ended
            .stdout
            .lines()
            .map(|it| it.split(',').collect())
            .collect();
        assert_eq!(lines.len(), 2, "{line}: {}", ended.stdout);
        assert_eq!(lines[0].len(), lines[1].len(), "{line}: {}", ended.stdout);
        assert_eq!(lines[0][0], "command", "{line}");
    }
}

#[test]
fn a_picture_is_drawn() {
    let broker = BrokerProcess::open();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.svg");
    let line = format!(
        "pair --duration 300ms --rate 500 --quiet --plot {}",
        path.display()
    );
    let ended = run(&at(broker.port(), &line));
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let picture = std::fs::read_to_string(&path).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("messages a second"));
    let line = "pair -n 1 --plot /no/such/folder/run.svg";
    let ended = run(&at(broker.port(), line));
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("cannot be written"),
        "{}",
        ended.stderr
    );
}

#[test]
fn who_reads_no_more_does_not_disturb_a_run() {
    let broker = BrokerProcess::open();
    let line = at(broker.port(), "fan-in -c 2 -n 10 -q 1");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-bench"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = spawn(&mut command).expect("it can be started");
    drop(program.stdout.take());
    let ended = program.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!((ended.status.code(), &*said), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let broker = BrokerProcess::open();
    let line = at(broker.port(), "fan-in -c 2 -n 10 -q 1");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-bench"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command.stdout(full.expect("Linux has it"));
    let ended = command.output().expect("it can be started");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.starts_with("Error: Standard output: "), "{said}");
    assert_eq!(ended.status.code(), Some(1));
}
