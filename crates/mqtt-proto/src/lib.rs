//! What MQTT 3.1, 3.1.1 and 5 are: packets, topics, flows; no I/O and no clock.
