//! The laws of the protocol, its rules one by one, and a stranger's opinion.

#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod fuzz;
mod laws;
mod malformed;
mod matching;
mod notation;
mod stranger;
mod tables;
mod targets;
