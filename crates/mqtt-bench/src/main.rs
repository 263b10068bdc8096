//! Puts load on MQTT brokers, checks what arrives, and tells how long it took.
//!
//! [`options`] turn the command line into a [`plan`]; [`load`] carries it out; [`report`] tells what came
//! of it. The commands that are more than one run have files of their own.

mod compare;
mod connections;
mod exit;
mod figures;
mod live;
mod load;
mod names;
mod options;
mod plan;
mod processor;
mod report;
mod say;
mod simulate;
mod stored;

use std::ffi::OsStr;
use std::process::ExitCode;

use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::flags::table::Program;
use mqtt_common::signals::Signals;

use compare::rumqttd;
use live::Live;
use options::{Options, Task};
use report::Form;
use say::say_line;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == rumqttd::FLAG) {
        let port = arguments.next();
        return rumqttd::serve(port.as_deref().and_then(OsStr::to_str));
    }
    mqtt_common::run(Program::Bench, Options::new, async |options, console| {
        say::judge(work(options, &console).await, &console)
    })
}

async fn work(options: Options, console: &Console) -> Exit {
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
    let has_own_words = matches!(options.task, Task::Compare | Task::Simulate);
    if !options.quiet && options.form == Form::Text && !has_own_words {
        say_line!("{}", report::text::intro(&options));
    }
    match options.task {
        Task::Load => {
            let mut live = Live::new(&options.plan, !options.quiet);
            let outcome = load::run::run(&options.plan, &mut live, &mut signals).await;
            if let Some(trouble) = &outcome.trouble {
                trouble.explain(&options.plan.common, console);
            }
            let exit = exit::of(&options.plan, &outcome);
            let is_told =
                outcome.opened == 0 || report::tell(&options, &options.plan, &outcome, console);
            if is_told || exit != Exit::DONE {
                exit
            } else {
                Exit::USAGE
            }
        }
        Task::Connections => connections::run(&options, console, &mut signals).await,
        Task::Compare => match &options.comparison {
            Some(comparison) => compare::run(&options, comparison, console, &mut signals).await,
            None => Exit::USAGE,
        },
        Task::Simulate => match &options.simulation {
            Some(simulation) => simulate::run(simulation, console, &mut signals).await,
            None => Exit::USAGE,
        },
        Task::Retained => stored::retained(&options, console, &mut signals).await,
        Task::Offline => stored::offline(&options, console, &mut signals).await,
    }
}
