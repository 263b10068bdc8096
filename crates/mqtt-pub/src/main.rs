//! Publishes messages to an MQTT broker.

mod encoding;
mod input;
mod options;
mod outgoing;
mod publisher;
mod replay;
mod report;
mod source;
mod window;

use std::process::ExitCode;

use mqtt_common::flags::table::Program;

fn main() -> ExitCode {
    mqtt_common::run(Program::Pub, options::Options::new, publisher::run)
}
