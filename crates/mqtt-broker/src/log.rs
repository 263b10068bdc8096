//! The broker's log: what can be said, which of it is wanted, and where it goes.

pub mod levels;
pub mod lines;

pub use levels::{Level, Levels};
pub use lines::{Ending, Line};
