//! Words to the user, on stderr: errors, hints and notes, coloured only on a terminal.

use std::io::{self, IsTerminal, Write};

use colored::Colorize;

use crate::system;

/// Where errors and notes go.
#[derive(Debug, Clone)]
pub struct Console {
    quiet: bool,
    colour: bool,
}

impl Console {
    /// A console that says everything, or with `quiet` nothing.
    pub fn new(quiet: bool) -> Console {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let (stderr, stdout) = (io::stderr().is_terminal(), io::stdout().is_terminal());
        // Asked for `--watch`, too, which needs more than colours.
        let escapes = (stderr || stdout) && system::understands_escapes();
        let colour = stderr && escapes && !no_color;
        // The crate looks at stdout on its own, and either may be a pipe while the other is a
        // terminal. Who writes to a pipe uses no colours.
        colored::control::set_override(!no_color && escapes);
        Console { quiet, colour }
    }

    /// Something failed: a whole sentence that begins with `Error:` or another such word.
    pub fn error(&self, sentence: &str) {
        let painted = match sentence.split_once(':') {
            Some((head, rest)) if self.colour => format!("{}:{rest}", head.red().bold()),
            _ => sentence.to_owned(),
        };
        self.line(&painted);
    }

    /// What to try next; each line of `text` is one suggestion.
    pub fn hint(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("  {line}"));
        }
    }

    /// Something worth knowing that is no failure.
    pub fn note(&self, sentence: &str) {
        let head = if self.colour {
            "Note:".yellow().to_string()
        } else {
            "Note:".into()
        };
        self.line(&format!("{head} {sentence}"));
    }

    fn line(&self, text: &str) {
        if !self.quiet {
            // Nobody is left to be told that stderr is closed.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}
