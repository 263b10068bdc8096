//! What is said on stdout, where perhaps nobody reads any more, as behind `| head`.

use std::io::{self, Write};
use std::sync::OnceLock;

use mqtt_common::console::Console;
use mqtt_common::exit::Exit;

/// Why something could not be written that somebody waits for.
static FAILED: OnceLock<io::Error> = OnceLock::new();

/// As `print!`, without a panic.
macro_rules! say {
    ($($part:tt)*) => { $crate::say::write(&format!($($part)*)) };
}

/// As `println!`, without a panic.
macro_rules! say_line {
    ($($part:tt)*) => { $crate::say::write(&(format!($($part)*) + "\n")) };
}

pub(crate) use {say, say_line};

/// Writes text. Whoever has closed stdout has read enough; any other error is told at the end.
pub fn write(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        // The first error is the one that is told.
        let _ = FAILED.set(error);
    }
}

/// Tells what could not be written; the exit code of a run that would otherwise end with this one.
pub fn judge(exit: Exit, console: &Console) -> Exit {
    let Some(error) = FAILED.get() else {
        return exit;
    };
    console.error(&format!("Error: Standard output: {error}."));
    if exit == Exit::DONE {
        Exit::USAGE
    } else {
        exit
    }
}
