//! Password files as Mosquitto writes them: `user:hash`, one a line.
//!
//! The broker checks logins against them, the program `mqtt-passwd` edits them, and both know the
//! forms of a hash from here: [`Hash`] is one hash, [`Book`] is a file that can be edited without
//! losing what people have written into it besides.

pub mod book;
pub mod hash;

pub use book::{Book, BookError};
pub use hash::{Algorithm, Hash, HashError};
