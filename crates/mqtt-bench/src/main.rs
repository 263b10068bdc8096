//! Puts load on MQTT brokers, checks what arrives, and tells how long it took.
//!
//! [`options`] turn the command line into a [`plan`]; [`load`] carries it out; [`report`] tells what came
//! of it. The commands that are more than one run have files of their own.

mod connections;
mod exit;
mod figures;
mod load;
mod names;
mod options;
mod plan;
mod processor;
mod report;
mod stored;

use std::process::ExitCode;

use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::flags::table::Program;
use mqtt_common::signals::Signals;

use load::run::Unwatched;
use options::{Options, Task};

fn main() -> ExitCode {
    mqtt_common::run(Program::Bench, Options::new, work)
}

async fn work(options: Options, console: Console) -> Exit {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            console.error(&format!(
                "Error: The system does not let us listen for Ctrl-C: {error}."
            ));
            return Exit::USAGE;
        }
    };
    processor::raise_open_files();
    if !options.quiet {
        println!("{}", report::text::intro(&options));
    }
    match options.task {
        Task::Load => {
            let outcome = load::run::run(&options.plan, &mut Unwatched, &mut signals).await;
            if let Some(trouble) = &outcome.trouble {
                trouble.explain(&options.plan.common, &console);
            }
            if outcome.sent + outcome.delivered > 0 {
                print!("{}", report::text::summary(&options.plan, &outcome));
            }
            exit::of(&options.plan, &outcome)
        }
        Task::Connections => connections::run(&options, &console, &mut signals).await,
        Task::Retained => stored::retained(&options, &console, &mut signals).await,
        Task::Offline => stored::offline(&options, &console, &mut signals).await,
    }
}
