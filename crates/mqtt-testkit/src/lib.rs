//! What the tests of this workspace share: packets, peers, brokers and the built programs.

pub mod fuzz;
pub mod sample;
