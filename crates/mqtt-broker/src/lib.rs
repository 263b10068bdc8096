//! An MQTT 3.1, 3.1.1 and 5 broker that reads mosquitto.conf.

pub mod config;
pub mod log;

mod connection_state;
pub mod engine;
mod message;
mod outbox;
mod retained;
mod session;
mod sys;
mod time;
mod topics;
mod trie;
