//! How many messages of QoS 1 and 2 are on their way to a client at once: more to one that confirms
//! quickly.
//!
//! With a fixed number, a client on the same machine or network spends its time waiting: it has
//! confirmed all that it was sent before the next can be there. So the number follows the client: it
//! is what it confirms in [`SPAN`], between the two that the settings name. What lies in front of a
//! message is then no more than the client takes in that time, and a slow client, or one of a shared
//! subscription, holds no more messages than it would have otherwise.

use super::Engine;
use crate::connection_state::ConnectionKey;
use crate::session::{Session, SessionKey};
use crate::time::Time;

/// What a client confirms in so many milliseconds may be on its way to it: enough for the way to a client
/// in a wireless network and back, and for one of many that have their turn one after the other.
const SPAN: u32 = 50;

/// How many messages one client gets at once, and what that follows from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// So many, if that is more than anybody gets.
    width: u16,
    /// Messages confirmed since then: milliseconds, of which only the difference to others counts.
    landed: u16,
    since: u32,
}

impl Window {
    /// The client has confirmed further messages.
    fn note_landed(&mut self, now: Time, count: u16, most: u16) {
        // The lower half of a time is enough for a difference; one that is too long counts as any.
        let now = now.0 as u32;
        self.landed = self.landed.saturating_add(count);
        let elapsed = now.wrapping_sub(self.since);
        if elapsed >= SPAN {
            let pace = u64::from(self.landed) * u64::from(SPAN) / u64::from(elapsed);
            self.width = u16::try_from(pace).unwrap_or(most).min(most);
            (self.landed, self.since) = (0, now);
        } else {
            // It is quicker than was known.
            self.width = self.width.max(self.landed).min(most);
        }
    }
}

impl Engine {
    /// How many more QoS 1 and 2 messages the client of a session takes now.
    pub(super) fn window(&self, key: SessionKey) -> usize {
        let session = self.session(key);
        let Some(connection) = session.connection.map(|key| self.connection(key)) else {
            return 0;
        };
        let unsent = u16::try_from(session.resend.len()).unwrap_or(u16::MAX);
        let granted = self.settings.max_inflight_messages;
        let maximum = connection
            .receive_maximum
            .min(granted.max(connection.window.width));
        // What waits to be sent again holds its identifier but not the client's attention.
        session.outgoing.room(maximum.saturating_add(unsent))
    }

    /// Whether the client takes one more QoS 1 or 2 message.
    pub(super) fn has_window(&self, key: SessionKey) -> bool {
        let connection = self.session(key).connection;
        self.window(key) > 0
            && self.has_in_flight_bytes(key)
            && connection.is_some_and(|connection| {
                self.connection(connection)
                    .has_room(self.settings.max_outbox_bytes)
            })
    }

    /// Whether `max_inflight_bytes` permits one more message.
    pub(super) fn has_in_flight_bytes(&self, key: SessionKey) -> bool {
        self.settings.max_inflight_bytes == usize::MAX || {
            let session = self.session(key);
            session.outgoing.is_empty()
                || in_flight_bytes(session) < self.settings.max_inflight_bytes
        }
    }

    /// A client has confirmed messages, one behind the other.
    pub(super) fn widen_window(&mut self, now: Time, key: ConnectionKey, count: u16) {
        let most = self.settings.max_inflight_quick;
        if most > self.settings.max_inflight_messages {
            let connection = &mut self.connections[key.0 as usize];
            connection.window.note_landed(now, count, most);
        }
    }
}

fn in_flight_bytes(session: &Session) -> usize {
    let messages = session
        .outgoing
        .iter()
        .filter_map(|entry| entry.message.as_ref());
    messages
        .map(|delivery| delivery.message.payload.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The window of a client that confirms so many messages together, so often.
    fn width(count: u16, every: u64) -> u16 {
        let mut window = Window::default();
        for n in 0..100 {
            window.note_landed(Time(1_000_000 + n * every), count, 1000);
        }
        window.width
    }

    #[test]
    fn a_client_gets_what_it_confirms_in_fifty_milliseconds() {
        assert_eq!(width(10, 1), 500);
        assert_eq!(width(1, 1), 50);
        assert_eq!(width(20, 100), 10);
        assert_eq!(width(900, 25), 1000);
        assert_eq!(width(65_000, 1), 1000);
    }

    #[test]
    fn a_quick_client_is_recognised_at_once_and_a_slow_one_soon() {
        let mut window = Window::default();
        let start = u64::from(u32::MAX) - 3;
        for n in 1..10 {
            window.note_landed(Time(start), 20, 1000);
            assert!(n == 1 || window.width == 20 * (n - 1), "{window:?}");
        }
        window.note_landed(Time(start + 100), 1, 1000);
        assert!(window.width < 100, "{window:?}");
        window.note_landed(Time(start + 200), 1, 1000);
        assert_eq!(window.width, 0);
    }
}
