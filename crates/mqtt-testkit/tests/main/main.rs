//! Strangers in both directions: other people's clients at our broker, our clients at other
//! people's brokers; and the six base functions of MQTT with our three programs.

#![allow(clippy::unwrap_used, reason = "a test may fail by it")]

mod clients;
mod examples;
#[cfg(unix)]
mod hasty;
#[cfg(unix)]
mod install;
mod kit;
mod mosquitto;
mod paho;
mod rumqttc;
mod rumqttd;
mod six_functions;
mod test_server;
