//! An MQTT 3.1, 3.1.1 and 5 broker that reads mosquitto.conf.
//!
//! A [`listener`](Broker) lets connections in; a connection turns bytes into packets for the
//! [`engine`], and writes what the engine has put into its outbox. The engine owns sessions,
//! topics and retained messages, does no I/O and has no clock. All of it runs in one thread:
//!
//! ```text
//! socket ─ listener ─ connection ── decode ──► engine ─► session ─► topics, retained
//!    ▲                                                                    │
//!    └────────────────── connection ◄── outbox ◄── sessions ◄─────────────┘
//! ```
//! A program of its own can run one: [`Broker::start`] with a [`config::Config`].

pub mod config;
pub mod log;

mod broker;
mod listener;
mod connection;
pub mod engine;
mod connection_state;
mod outbox;
mod session;
mod topics;
mod retained;
mod trie;
mod message;
mod sys;
mod memory;
pub mod time;

pub use broker::{Broker, Running, runtime};
pub use listener::StartError;
