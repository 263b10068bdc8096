//! How MQTT bytes travel: connecting sockets, reading and writing packets.
