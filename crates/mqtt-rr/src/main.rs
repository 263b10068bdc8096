//! Publishes requests to an MQTT broker and prints the answers.

mod answers;
mod options;
mod requester;

use std::process::ExitCode;

use mqtt_common::flags::table::Program;

fn main() -> ExitCode {
    mqtt_common::run(Program::Rr, options::Options::new, requester::run)
}
