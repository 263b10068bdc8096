//! mqtt-bench as its users see it: what it says, in which form, and what the shell is told.

mod cases {
    mod commands;
    mod comparing;
    mod devices;
    mod faults;
    mod forms;
    mod usage;
}

use mqtt_testkit::broker::BrokerProcess;
use mqtt_testkit::program::{Ended, Program};
use serde_json::Value;

/// Runs mqtt-bench with a line as one would type it; no quoting.
fn run(line: &str) -> Ended {
    start(line).finish()
}

fn start(line: &str) -> Program {
    Program::start(env!("CARGO_BIN_EXE_mqtt-bench"), line.split_whitespace())
}

/// The line with the way to a broker.
fn at(port: u16, line: &str) -> String {
    format!("{line} -h 127.0.0.1 -p {port}")
}

/// A run at a broker of its own, and its result.
#[track_caller]
fn measured(broker: &BrokerProcess, line: &str) -> Value {
    measured_at(broker.port(), line, 0)
}

#[track_caller]
fn measured_at(port: u16, line: &str, code: i32) -> Value {
    let ended = run(&at(port, &format!("{line} --json")));
    assert_eq!(ended.code, code, "{line}: {}{}", ended.stdout, ended.stderr);
    serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{line}: {error} in {}", ended.stdout))
}

/// Says what differs from what is expected of some fields.
#[track_caller]
fn expect(result: &Value, fields: &[(&str, u64)]) {
    for (name, expected) in fields {
        assert_eq!(
            result[*name].as_u64(),
            Some(*expected),
            "{name} in {result:#}"
        );
    }
}
