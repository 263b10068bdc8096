//! Subscribes to topics of an MQTT broker and prints what arrives.

mod options;
mod output;
mod rate;
mod recorder;
mod retained;
mod selection;
mod subscriber;
mod watch;

use std::process::ExitCode;

use mqtt_common::flags::table::Program;

fn main() -> ExitCode {
    mqtt_common::run(Program::Sub, options::Options::new, subscriber::run)
}
