//! Messages of QoS 2 that have come and are not released yet: one bit for each packet identifier.
//!
//! Some thousands of them come and go in a millisecond. A map would hash each of them twice.

use mqtt_proto::PacketId;

/// The identifiers that the broker may not use for another message yet.
#[derive(Debug, Default)]
pub struct Held {
    /// A bit for each, up to the highest that was ever used: brokers give the low ones again.
    words: Vec<u64>,
}

/// Where the bit of an identifier lies: its word, and that word with this bit alone.
#[inline]
fn place(id: PacketId) -> (usize, u64) {
    let id = usize::from(id.get());
    (id / 64, 1 << (id % 64))
}

impl Held {
    /// PUBLISH has come: `true` if the message is new, and not one that was sent again [MQTT-4.3.3-10].
    #[inline]
    pub fn take(&mut self, id: PacketId) -> bool {
        let (at, bit) = place(id);
        if at >= self.words.len() {
            self.words.resize(at + 1, 0);
        }
        let is_new = self.words[at] & bit == 0;
        self.words[at] |= bit;
        is_new
    }

    /// PUBREL has come: the next message with this identifier is another one.
    #[inline]
    pub fn release(&mut self, id: PacketId) {
        let (at, bit) = place(id);
        if let Some(word) = self.words.get_mut(at) {
            *word &= !bit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_new_once_until_it_is_released() {
        let mut held = Held::default();
        for id in [1, 63, 64, 65_535, 2].map(|id| PacketId::new(id).unwrap()) {
            held.release(id);
            assert!(held.take(id) && !held.take(id));
        }
        let id = PacketId::new(64).unwrap();
        held.release(id);
        assert!(held.take(id) && !held.take(id));
        assert!(!held.take(PacketId::new(63).unwrap()));
    }
}
