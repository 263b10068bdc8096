//! The exit codes of the clients, in one place.
//!
//! They are Mosquitto's, so that scripts can keep their checks, with two exceptions that scripts
//! asked for: `--help` and `--version` end with 0, and a message or all subscriptions refused by the
//! broker end with the broker's reason.

use mqtt_net::ConnectError;
use mqtt_proto::{ReasonCode, Version};

/// How a run ended, as the number that the shell sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// Everything was done; also a stop by Ctrl-C, and output that nobody reads any more.
    pub const DONE: Exit = Exit(0);
    /// The command line, a file, the host's name or the connection attempt was at fault.
    pub const USAGE: Exit = Exit(1);
    /// The broker broke the protocol.
    pub const PROTOCOL: Exit = Exit(2);
    /// The connection was lost and not, or not in time, regained.
    pub const LOST: Exit = Exit(7);
    /// There is no TLS with the broker.
    pub const TLS: Exit = Exit(8);
    /// A message is larger than MQTT or the broker allows.
    pub const TOO_LARGE: Exit = Exit(9);
    /// The proxy did not make the connection.
    pub const PROXY: Exit = Exit(16);
    /// The broker stopped answering.
    pub const KEEP_ALIVE: Exit = Exit(19);
    /// A packet from the broker is larger than we take.
    pub const PACKET_TOO_LARGE: Exit = Exit(25);
    /// The time given with `-W` is over.
    pub const TIMED_OUT: Exit = Exit(27);
    /// Stopped, by a signal or by `-W`, before the broker had answered at all.
    pub const INTERRUPTED: Exit = Exit(255);

    /// No connection came about.
    pub fn unreachable(error: &ConnectError) -> Exit {
        match error {
            ConnectError::Tls { .. } => Exit::TLS,
            ConnectError::Proxy { .. } => Exit::PROXY,
            _ => Exit::USAGE,
        }
    }

    /// The broker refused: 1 to 5 below version 5, 128 and more from then on.
    pub fn refused(version: Version, reason: ReasonCode) -> Exit {
        Exit(if version.is_v5() {
            reason.value()
        } else {
            reason.to_v3_return_code()
        })
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        exit.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_end_with_the_code_of_their_version() {
        assert_eq!(
            Exit::refused(Version::V4, ReasonCode::NotAuthorized),
            Exit(5)
        );
        assert_eq!(
            Exit::refused(Version::V3, ReasonCode::UnsupportedProtocolVersion),
            Exit(1)
        );
        assert_eq!(
            Exit::refused(Version::V5, ReasonCode::NotAuthorized),
            Exit(135)
        );
    }
}
