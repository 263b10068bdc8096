//! What the tests of this workspace share: packets, peers, brokers and the built programs.

pub mod broker;
pub mod certificates;
pub mod fake_broker;
pub mod fuzz;
pub mod peer;
pub mod program;
pub mod relay;
pub mod sample;
pub mod strangers;
pub mod tools;
pub mod witness;
#[cfg(feature = "world")]
pub mod world;
