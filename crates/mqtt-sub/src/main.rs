//! Subscribes to topics of an MQTT broker and prints what arrives.

fn main() {}
