//! Publishes messages to an MQTT broker.

mod options;
mod publisher;
mod source;

use std::process::ExitCode;

use mqtt_common::flags::table::Program;

fn main() -> ExitCode {
    mqtt_common::run(Program::Pub, options::Options::new, publisher::run)
}
