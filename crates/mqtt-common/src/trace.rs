//! The `-d` lines: one for every packet, in the words that hand-outs show.
//!
//! What is sent is read back from the bytes themselves, so that a line can only say what was sent.

use mqtt_proto::client::MAX_PACKET_SIZE;
use mqtt_proto::{Packet, Publish, QoS, ReasonCode, Version, decode};

use crate::screen::Screen;

/// Writes the lines of one client.
#[derive(Debug)]
pub struct Trace {
    /// Empty as long as the broker has not named the client.
    id: String,
    version: Version,
    /// The last message number. Messages at QoS 0 have none on the wire, but count all the same.
    last: u16,
}

impl Trace {
    /// A trace of the client with this identifier.
    pub fn new(id: &str, version: Version) -> Trace {
        Trace {
            id: id.to_owned(),
            version,
            last: 0,
        }
    }

    /// The name in most lines. The two spellings of "none" are as old as the lines.
    fn name(&self) -> &str {
        if self.id.is_empty() { "null" } else { &self.id }
    }

    /// Lines for everything in `bytes`, which holds whole packets.
    pub fn sent(&mut self, mut bytes: &[u8], screen: &mut Screen) {
        while let Ok(Some((packet, used))) = decode(bytes, self.version, MAX_PACKET_SIZE) {
            self.sent_packet(&packet, screen);
            bytes = &bytes[used..];
        }
    }

    fn sent_packet(&mut self, packet: &Packet<'_>, screen: &mut Screen) {
        let mut say = |text: &str| screen.line(&format!("Client {} sending {text}", self.name()));
        match packet {
            Packet::Publish(publish) => {
                let number = publish
                    .packet_id
                    .map_or(self.last.wrapping_add(1).max(1), mqtt_proto::PacketId::get);
                say(&describe(publish, number));
                self.last = number;
            }
            Packet::PubAck(ack) => say(&format!(
                "PUBACK (m{}, rc{})",
                ack.packet_id,
                ack.reason.value()
            )),
            Packet::PubRec(ack) => say(&format!(
                "PUBREC (m{}, rc{})",
                ack.packet_id,
                ack.reason.value()
            )),
            Packet::PubRel(ack) => say(&format!("PUBREL (m{})", ack.packet_id)),
            Packet::PubComp(ack) => say(&format!("PUBCOMP (m{})", ack.packet_id)),
            Packet::Subscribe(subscribe) => {
                for subscription in &subscribe.subscriptions {
                    let options = subscription.options;
                    say(&format!(
                        "SUBSCRIBE (Mid: {}, Topic: {}, QoS: {}, Options: 0x{:02x})",
                        subscribe.packet_id,
                        subscription.filter,
                        options.qos,
                        options.to_byte() & 0xfc
                    ));
                }
                self.last = subscribe.packet_id.get();
            }
            Packet::Unsubscribe(unsubscribe) => {
                for filter in &unsubscribe.filters {
                    say(&format!(
                        "UNSUBSCRIBE (Mid: {}, Topic: {filter})",
                        unsubscribe.packet_id
                    ));
                }
                self.last = unsubscribe.packet_id.get();
            }
            _ => say(packet.packet_type().name()),
        }
    }

    /// The line for a packet that has come.
    pub fn received(&mut self, packet: &Packet<'_>, screen: &mut Screen) {
        match packet {
            Packet::ConnAck(connack) => {
                let assigned = connack.properties.assigned_client_identifier();
                if let Some(id) = assigned.filter(|_| self.id.is_empty()) {
                    self.id = id.to_owned();
                }
                let code = return_code(self.version, connack.reason);
                let name = if self.id.is_empty() {
                    "(null)"
                } else {
                    &self.id
                };
                screen.line(&format!("Client {name} received CONNACK ({code})"));
            }
            Packet::Disconnect(disconnect) => {
                screen.line(&format!(
                    "Received DISCONNECT ({})",
                    disconnect.reason.value()
                ));
            }
            _ => screen.line(&format!(
                "Client {} received {}",
                self.name(),
                arrival(packet)
            )),
        }
    }

    /// An acknowledgement of something that was never sent, or long ago.
    pub fn unknown(&self, packet: &str, id: u16, screen: &mut Screen) {
        let name = self.name();
        screen.line(&format!(
            "Warning: Received {packet} from {name} for an unknown packet identifier {id}."
        ));
    }
}

/// The number that CONNACK carried.
pub fn return_code(version: Version, reason: ReasonCode) -> u8 {
    if version.is_v5() {
        reason.value()
    } else {
        reason.to_v3_return_code()
    }
}

fn arrival(packet: &Packet<'_>) -> String {
    match packet {
        Packet::Publish(publish) => describe(
            publish,
            publish.packet_id.map_or(0, mqtt_proto::PacketId::get),
        ),
        Packet::PubAck(ack) => {
            format!("PUBACK (Mid: {}, RC:{})", ack.packet_id, ack.reason.value())
        }
        Packet::PubRec(ack) => format!("PUBREC (Mid: {})", ack.packet_id),
        Packet::PubRel(ack) => format!("PUBREL (Mid: {})", ack.packet_id),
        Packet::PubComp(ack) => format!(
            "PUBCOMP (Mid: {}, RC:{})",
            ack.packet_id,
            ack.reason.value()
        ),
        _ => packet.packet_type().name().to_owned(),
    }
}

fn describe(publish: &Publish<'_>, number: u16) -> String {
    format!(
        "PUBLISH (d{}, q{}, r{}, m{number}, '{}', ... ({} bytes))",
        u8::from(publish.dup),
        publish.qos as u8,
        u8::from(publish.retain),
        publish.topic.map_or("(null)", |topic| topic.as_str()),
        publish.payload.len()
    )
}

/// The line that a client prints when its subscriptions are answered.
pub fn subscribed(id: u16, granted: &[ReasonCode]) -> String {
    let codes: Vec<String> = granted
        .iter()
        .map(|reason| reason.value().to_string())
        .collect();
    format!("Subscribed (mid: {id}): {}", codes.join(", "))
}

/// Whether this answer to a subscription is a refusal.
pub fn is_denied(reason: ReasonCode) -> bool {
    QoS::new(reason.value()).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packets as bytes, with the direction in front: `>` sent, `<` received.
    #[track_caller]
    fn check(id: &str, version: Version, packets: &[(char, &[u8])], expected: &str) {
        let (mut trace, mut screen) = (Trace::new(id, version), Screen::default());
        for (direction, bytes) in packets {
            if *direction == '>' {
                trace.sent(bytes, &mut screen);
            } else {
                let (packet, _) = decode(bytes, version, MAX_PACKET_SIZE).unwrap().unwrap();
                trace.received(&packet, &mut screen);
            }
        }
        assert_eq!(String::from_utf8_lossy(screen.buffer()), expected);
    }

    #[test]
    fn a_client_without_a_name_is_null_in_two_spellings() {
        check(
            "",
            Version::V4,
            &[
                ('>', b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0"),
                ('<', &[0x20, 2, 0, 0]),
                ('>', &[0xe0, 0]),
            ],
            "Client null sending CONNECT\nClient (null) received CONNACK (0)\nClient null sending DISCONNECT\n",
        );
    }

    #[test]
    fn an_assigned_name_is_used_from_its_connack_on() {
        check(
            "",
            Version::V5,
            &[
                ('<', b"\x20\x08\0\0\x05\x12\0\x02id"),
                ('>', &[0xc0, 0]),
                ('<', &[0xd0, 0]),
                ('<', &[0xe0, 1, 0x8e]),
            ],
            "Client id received CONNACK (0)\nClient id sending PINGREQ\nClient id received PINGRESP\n\
             Received DISCONNECT (142)\n",
        );
    }

    #[test]
    fn messages_out_count_from_one_even_at_qos_0() {
        let retained = [&[0x31, 6, 0, 3][..], "π".as_bytes(), b"/x"].concat();
        check(
            "c",
            Version::V4,
            &[
                ('>', &retained[..7]),
                ('>', &[0x30, 3, 0, 1, b't']),
                ('>', &[0x30, 3, 0, 1, b't']),
            ],
            "Client c sending PUBLISH (d0, q0, r0, m1, 't', ... (0 bytes))\n\
             Client c sending PUBLISH (d0, q0, r0, m2, 't', ... (0 bytes))\n",
        );
        check(
            "c",
            Version::V4,
            &[
                ('>', &[0x3a, 6, 0, 1, b't', 0, 9, b'x']),
                ('<', &[0x40, 2, 0, 9]),
            ],
            "Client c sending PUBLISH (d1, q1, r0, m9, 't', ... (1 bytes))\nClient c received PUBACK (Mid: 9, RC:0)\n",
        );
    }

    #[test]
    fn qos_2_has_a_line_for_each_step() {
        check(
            "c",
            Version::V5,
            &[
                ('<', &[0x50, 2, 0, 1]),
                ('>', &[0x62, 2, 0, 1]),
                ('<', &[0x70, 2, 0, 1]),
                ('<', &[0x35, 7, 0, 1, b't', 0, 2, 0, b'x']),
                ('>', &[0x50, 2, 0, 2]),
                ('<', &[0x62, 2, 0, 2]),
                ('>', &[0x70, 2, 0, 2]),
                ('>', &[0x40, 2, 0, 3]),
            ],
            "Client c received PUBREC (Mid: 1)\nClient c sending PUBREL (m1)\n\
             Client c received PUBCOMP (Mid: 1, RC:0)\n\
             Client c received PUBLISH (d0, q2, r1, m2, 't', ... (1 bytes))\n\
             Client c sending PUBREC (m2, rc0)\nClient c received PUBREL (Mid: 2)\n\
             Client c sending PUBCOMP (m2)\nClient c sending PUBACK (m3, rc0)\n",
        );
    }

    #[test]
    fn each_filter_has_its_line_and_all_share_a_number() {
        check(
            "s",
            Version::V5,
            &[
                ('>', b"\x82\x0d\0\x01\0\0\x03a/#\x02\0\x01b\x2c"),
                ('<', &[0x90, 5, 0, 1, 0, 2, 0]),
                ('>', b"\xa2\x08\0\x02\0\0\x03x/y"),
                ('<', &[0xb0, 4, 0, 2, 0, 0]),
            ],
            "Client s sending SUBSCRIBE (Mid: 1, Topic: a/#, QoS: 2, Options: 0x00)\n\
             Client s sending SUBSCRIBE (Mid: 1, Topic: b, QoS: 0, Options: 0x2c)\n\
             Client s received SUBACK\nClient s sending UNSUBSCRIBE (Mid: 2, Topic: x/y)\n\
             Client s received UNSUBACK\n",
        );
        let granted = [ReasonCode::GrantedQoS2, ReasonCode::UnspecifiedError];
        assert_eq!(subscribed(1, &granted), "Subscribed (mid: 1): 2, 128");
    }
}
