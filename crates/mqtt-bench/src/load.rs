//! The generator: many clients in one thread, driven through the phases of a run.
//!
//! [`run`](run::run) opens all clients, lets publishers go, waits for what is on its way, and lets
//! everybody leave. Each [`client`] is a task with large reads and writes; [`publisher`] says what it may
//! send, [`check`] what it has heard; [`shared`] is what they know of each other.

pub mod check;
pub mod client;
pub mod clock;
pub mod door;
pub mod flight;
pub mod held;
pub mod payload;
pub mod publisher;
pub mod run;
pub mod shared;
pub mod stamp;
pub mod trouble;
