//! An MQTT 3.1, 3.1.1 and 5 broker that reads mosquitto.conf.

pub mod config;
pub mod log;
