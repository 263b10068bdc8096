//! What the command-line clients share: flags, exit codes, terminal output, hints.
//!
//! In the order of a run: [`flags`] turns the command line into what was *said*, and [`options`] that
//! into what is *meant*; [`client`] connects, keeps the session going and hands events to the
//! program; [`trace`] writes the `-d` lines; [`console`] and [`hints`] are the words to the user;
//! [`exit`] is how a run ends.

pub mod ask;
pub mod client;
pub mod console;
pub mod exit;
pub mod flags;
pub mod hints;
pub mod json;
pub mod options;
pub mod payload;
pub mod record;
pub mod screen;
pub mod show;
pub mod signals;
pub mod system;
pub mod trace;
pub mod value;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use console::Console;
use exit::Exit;
use flags::table::Program;
use flags::{Parsed, Said, UsageError};

/// The variable in which a `.cmd` file says by which name it calls a program: on Windows not everybody
/// may make links.
const CALLED_AS: &str = "MQTT_CALLED_AS";

/// Runs a client: reads the command line, finds its `meaning`, and does the `work` on a runtime.
pub fn run<O>(
    program: Program,
    meaning: impl FnOnce(&Said) -> Result<O, UsageError>,
    work: impl AsyncFnOnce(O, Console) -> Exit,
) -> ExitCode {
    let arguments = arguments(program);
    let name = flags::arguments::called_as(arguments.first().map(AsRef::as_ref), program);
    let understood = flags::parse(program, arguments).and_then(|parsed| match parsed {
        Parsed::Said(mut said) => {
            flags::files::add(&mut said, |variable| std::env::var_os(variable))?;
            let console = Console::new(said.has("quiet"));
            said.notes
                .iter()
                .for_each(|note| console.note(&format!("{note}.")));
            meaning(&said).map(|options| Ok((options, console)))
        }
        Parsed::Text(text) => Ok(Err(text)),
    });
    match understood {
        Ok(Ok((options, console))) => on_a_runtime(work(options, console)).into(),
        Ok(Err(text)) => {
            // A closed pipe (`--help | head`) has had enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            Exit::DONE.into()
        }
        Err(error) => {
            let console = Console::new(false);
            console.error(&format!("Error: {}.", error.what()));
            console.hint(&error.hints());
            console.hint(&format!("All options: {name} --help"));
            Exit::USAGE.into()
        }
    }
}

/// The command line, beginning with the name that the program was called by.
fn arguments(program: Program) -> Vec<OsString> {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let model = std::env::var_os(CALLED_AS).filter(|name| {
        name.to_str()
            .is_some_and(|name| Some(name) == program.model())
    });
    if let (Some(first), Some(model)) = (arguments.first_mut(), model) {
        *first = model;
    }
    arguments
}

fn on_a_runtime(work: impl Future<Output = Exit>) -> Exit {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build();
    match runtime {
        Ok(runtime) => {
            let exit = runtime.block_on(work);
            // A name lookup that is still running must not hold up the end.
            runtime.shutdown_background();
            exit
        }
        Err(error) => {
            Console::new(false).error(&format!("Error: The system refuses to start: {error}."));
            Exit::USAGE
        }
    }
}
