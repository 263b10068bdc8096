//! When the system acknowledges what it has received: once the messages have been passed on, not before.
//!
//! Whoever sends without being answered, such as a publisher at QoS 0, is acknowledged by Linux inside the
//! call that reads, and the messages wait for that packet to be sent. Left to the delay of 40 ms, a client
//! with Nagle's algorithm would hold back its next message as long. So acknowledgements of such
//! a connection are delayed, and asked for when nothing more is to be read: those for whom
//! the messages are have had their turn then.

use socket2::Socket;

/// After so many readings without an answer, a connection is one that only sends.
const READINGS: u8 = 4;

/// What one connection is owed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TcpAck {
    /// Readings since something was last written, up to [`READINGS`].
    unanswered: u8,
    /// Whether something has been read since acknowledgements were last asked for.
    is_owed: bool,
    /// Whether acknowledgements are delayed.
    is_delayed: bool,
}

impl TcpAck {
    pub(super) fn note_read(&mut self) {
        self.unanswered = READINGS.min(self.unanswered + 1);
        self.is_owed = self.unanswered == READINGS;
    }

    /// What is written carries the acknowledgement with it.
    pub(super) fn note_written(&mut self) {
        (self.unanswered, self.is_owed) = (0, false);
    }

    /// All that was to be read has been passed on.
    pub(super) fn pay(&mut self, socket: &Socket) {
        if !std::mem::take(&mut self.is_owed) {
            return;
        }
        if std::mem::replace(&mut self.is_delayed, true) {
            set_quick_ack(socket, true);
        }
        set_quick_ack(socket, false);
    }
}

/// Switched on, what is owed is acknowledged at once; switched off, what comes from now on is
/// acknowledged with what is written, or after a while.
#[cfg(target_os = "linux")]
fn set_quick_ack(socket: &Socket, is_on: bool) {
    // A Unix socket does not know it, and needs nothing of it.
    let _ = socket.set_tcp_quickack(is_on);
}

#[cfg(not(target_os = "linux"))]
fn set_quick_ack(_socket: &Socket, _is_on: bool) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_sends_without_being_answered_is_owed() {
        let mut ack = TcpAck::default();
        for _ in 0..2 {
            for _ in 1..READINGS {
                ack.note_read();
                assert!(!ack.is_owed, "{ack:?}");
            }
            ack.note_written();
        }
        for _ in 0..300 {
            ack.note_read();
        }
        assert!(ack.is_owed, "{ack:?}");
        ack.note_written();
        assert_eq!(ack, TcpAck::default());
    }
}
