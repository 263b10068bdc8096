//! The program: flags, configuration, log, and then the broker until somebody stops it.

mod flags;
mod identity;

use flags::{Flags, Wish};
use mqtt_broker::config::{Faults, Loaded};
use mqtt_broker::log::{Level, Levels, Line, Log};
use std::process::ExitCode;

/// The command line or the configuration is wrong.
const WRONG_CONFIGURATION: u8 = 3;

fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    match flags::parse(arguments, |note| eprintln!("{note}")) {
        Ok(Wish::Run(flags)) => start(&flags),
        Ok(Wish::Print(text)) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(text) => {
            eprintln!("{text}");
            ExitCode::from(WRONG_CONFIGURATION)
        }
    }
}

fn start(flags: &Flags) -> ExitCode {
    let loaded = match load(flags) {
        Ok(loaded) => loaded,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(WRONG_CONFIGURATION);
        }
    };
    let user = identity::current();
    if let Err(text) = identity::check(loaded.config.user.as_deref(), user.as_ref()) {
        eprintln!("{text}");
        return ExitCode::from(WRONG_CONFIGURATION);
    }
    if flags.test_config {
        let mut log = Log::open(&mqtt_broker::config::Config::default());
        write_notes(&mut log, &loaded.notes);
        log.line(Line::ConfigOk);
        return ExitCode::SUCCESS;
    }
    ExitCode::SUCCESS
}

/// The configuration of the file, of `--lan`, or of neither.
fn load(flags: &Flags) -> Result<Loaded, Faults> {
    let mut loaded = match &flags.config {
        Some(path) => Loaded::from_file(path, &flags.ports)?,
        None if flags.lan => Loaded::from_text("--lan", &lan(&flags.ports), &[])?,
        None => Loaded::from_text("", "", &flags.ports)?,
    };
    if flags.quiet {
        loaded.config.log_type = Levels::NONE;
    } else if flags.verbose {
        loaded.config.log_type = Levels::ALL;
    }
    Ok(loaded)
}

/// Logs what the reader of the configuration wants to have seen.
fn write_notes(log: &mut Log, notes: &[(Level, String)]) {
    for (level, text) in notes {
        log.write(*level, text);
    }
}

/// What `--lan` stands for.
fn lan(ports: &[u16]) -> String {
    let ports = if ports.is_empty() { &[1883] } else { ports };
    let mut text = String::from("allow_anonymous true\n");
    for port in ports {
        text.push_str(&format!("listener {port}\n"));
    }
    text
}
