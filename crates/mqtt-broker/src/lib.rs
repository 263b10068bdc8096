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

mod accept;
mod arrival;
pub mod auth;
mod broker;
mod connection;
mod connection_state;
mod crowd;
pub mod engine;
mod gate;
mod http;
pub mod journal;
mod listener;
mod memory;
pub mod message;
mod outbox;
mod password_check;
mod payload;
pub mod peer;
mod retained;
mod routes;
mod rules;
mod seldom;
mod session;
mod spent;
mod storage;
pub mod store;
mod sys;
pub mod time;
mod tls;
mod topics;
mod trie;

pub use broker::{Broker, Request, Running, runtime};
pub use listener::StartError;
pub use storage::import;
