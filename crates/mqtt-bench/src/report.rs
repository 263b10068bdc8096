//! What comes of a run, for people and for programs.

pub mod data;
pub mod plot;
pub mod text;

use std::path::Path;

use mqtt_common::console::Console;

use crate::load::run::Outcome;
use crate::options::Options;
use crate::plan::Plan;
use crate::say::{say, say_line};

/// In which form the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON object.
    Json,
    /// A line of names and a line of values.
    Csv,
}

/// Prints the result of a run of messages, and draws it if that was asked for; false if the picture could
/// not be written.
pub fn tell(options: &Options, plan: &Plan, outcome: &Outcome, console: &Console) -> bool {
    match options.form {
        Form::Text => say!("{}", text::summary(plan, outcome)),
        Form::Json => say_line!("{}", data::json(options.command, plan, outcome)),
        Form::Csv => say!("{}", data::csv(options.command, plan, outcome)),
    }
    options
        .plot
        .as_deref()
        .is_none_or(|path| draw(path, options, outcome, console))
}

fn draw(path: &Path, options: &Options, outcome: &Outcome, console: &Console) -> bool {
    let drawn = plot::draw(&text::intro(options), &outcome.samples)
        .and_then(|picture| std::fs::write(path, picture).map_err(anyhow::Error::from));
    if let Err(error) = &drawn {
        console.error(&format!(
            "Error: '{}' cannot be written: {error}.",
            path.display()
        ));
    }
    drawn.is_ok()
}
