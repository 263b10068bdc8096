//! The command line from outside: laws that hold for any input, and flags that nobody has forgotten.

#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod fuzz;
mod tidiness;
