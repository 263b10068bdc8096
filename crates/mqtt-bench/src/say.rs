//! What is said on stdout, where perhaps nobody reads any more, as behind `| head`.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use mqtt_common::exit::Exit;

/// Whether something could not be written that somebody waits for.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// As `print!`, without a panic.
macro_rules! say {
    ($($part:tt)*) => { $crate::say::write(&format!($($part)*)) };
}

/// As `println!`, without a panic.
macro_rules! say_line {
    ($($part:tt)*) => { $crate::say::write(&(format!($($part)*) + "\n")) };
}

pub(crate) use {say, say_line};

/// Writes text. Whoever has closed stdout has read enough; any other error is told once.
pub fn write(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    if let Err(error) = written
        && error.kind() != io::ErrorKind::BrokenPipe
        && !HAS_FAILED.swap(true, Ordering::Relaxed)
    {
        eprintln!("Error: Standard output: {error}.");
    }
}

/// The exit code of a run that would end with this one if all that it said has been written.
pub fn judge(exit: Exit) -> Exit {
    if exit == Exit::DONE && HAS_FAILED.load(Ordering::Relaxed) {
        Exit::USAGE
    } else {
        exit
    }
}
