//! Subscribes to topics of an MQTT broker and prints what arrives.

mod options;
mod output;
mod subscriber;

use std::process::ExitCode;

use mqtt_common::flags::table::Program;

fn main() -> ExitCode {
    mqtt_common::run(Program::Sub, options::Options::new, subscriber::run)
}
