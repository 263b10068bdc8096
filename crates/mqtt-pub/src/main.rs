//! Publishes messages to an MQTT broker.

fn main() {}
