//! The end of a connection: why, whether another may do better, and what to tell the user.

use std::io;

use mqtt_net::tls::TlsError;
use mqtt_proto::client::{Event, Timeout};
use mqtt_proto::{DecodeError, Properties, ReasonCode, Version};

use super::Client;
use crate::console::Console;
use crate::exit::Exit;
use crate::hints;

/// Why a connection is of no more use.
#[derive(Debug)]
pub enum Lost {
    /// The broker closed it without a word.
    Closed,
    /// The system reported an error.
    Io(io::Error),
    /// The broker is silent.
    Timeout(Timeout),
    /// The broker broke the protocol, or is no broker.
    Violation {
        /// What is wrong, in words.
        what: String,
        /// Whether a packet was larger than we take.
        too_large: bool,
    },
    /// CONNECT was refused.
    Refused {
        /// Why.
        reason: ReasonCode,
        /// The broker's own words, if it gave any.
        text: Option<String>,
    },
    /// The broker said good-bye (version 5).
    Disconnected {
        /// Why.
        reason: ReasonCode,
        /// The broker's own words, if it gave any.
        text: Option<String>,
    },
    /// Stdout takes nothing more.
    Screen(io::Error),
}

impl Lost {
    /// Whether a broker's first bytes can be its first packet: CONNACK, DISCONNECT or AUTH. Waiting for
    /// the rest of anything else could take for ever.
    ///
    /// # Errors
    /// They cannot.
    pub fn check_first(bytes: &[u8]) -> Result<(), Lost> {
        match bytes.first() {
            Some(byte) if !matches!(byte >> 4, 2 | 14 | 15) => Err(not_mqtt(bytes)),
            _ => Ok(()),
        }
    }

    /// What bytes mean that are no packet: perhaps the peer is no MQTT broker, or an old one.
    pub fn undecodable(is_open: bool, bytes: &[u8], error: &DecodeError) -> Lost {
        // A broker without version 5 refuses in the form of 3.1.1, which is no CONNACK of version 5.
        if !is_open && matches!(bytes, [0x20, 2, _, 1, ..]) {
            return Lost::Refused {
                reason: ReasonCode::UnsupportedProtocolVersion,
                text: None,
            };
        }
        let too_large = error.reason == ReasonCode::PacketTooLarge;
        let what = if is_open {
            error.to_string()
        } else {
            format!("the answer is not MQTT: {error}")
        };
        Lost::Violation { what, too_large }
    }

    /// Whether another connection may do better.
    pub fn is_temporary(&self) -> bool {
        match self {
            Lost::Closed | Lost::Io(_) | Lost::Timeout(_) => true,
            Lost::Violation { .. } | Lost::Screen(_) => false,
            Lost::Refused { reason, .. } => {
                matches!(
                    reason,
                    ReasonCode::ServerUnavailable | ReasonCode::ServerBusy
                )
            }
            Lost::Disconnected { reason, .. } => !matches!(
                reason,
                ReasonCode::NotAuthorized
                    | ReasonCode::Banned
                    | ReasonCode::ProtocolError
                    | ReasonCode::MalformedPacket
                    | ReasonCode::PacketTooLarge
                    | ReasonCode::UseAnotherServer
                    | ReasonCode::ServerMoved
            ),
        }
    }

    /// The exit code if it is the end.
    pub fn exit(&self, version: Version) -> Exit {
        match self {
            Lost::Closed | Lost::Io(_) | Lost::Disconnected { .. } => Exit::LOST,
            Lost::Timeout(_) => Exit::KEEP_ALIVE,
            Lost::Violation {
                too_large: true, ..
            } => Exit::PACKET_TOO_LARGE,
            Lost::Violation { .. } => Exit::PROTOCOL,
            Lost::Refused { reason, .. } => Exit::refused(version, *reason),
            Lost::Screen(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::DONE,
            Lost::Screen(_) => Exit::USAGE,
        }
    }

    /// What happened, in a sentence; `None` if nobody needs to be told.
    pub fn sentence(&self, version: Version, was_open: bool) -> Option<String> {
        let quoted =
            |text: &Option<String>| text.as_ref().map_or(String::new(), |t| format!(" ({t})"));
        Some(match self {
            Lost::Closed if was_open => {
                "Error: The connection was lost: the broker closed it.".into()
            }
            Lost::Closed => {
                "Error: The connection was lost: the broker closed it without an answer to CONNECT."
                    .into()
            }
            Lost::Io(error) => format!("Error: The connection was lost: {error}."),
            Lost::Timeout(timeout) => {
                format!("Error: The connection was lost: {timeout} in time.")
            }
            Lost::Violation { what, .. } => format!("Error: Protocol error: {what}."),
            Lost::Refused { reason, text } => {
                format!("{}{}", hints::refusal(version, *reason), quoted(text))
            }
            Lost::Disconnected { reason, text } => {
                let (reason, text) = (reason.name(), quoted(text));
                format!("Error: The broker ended the connection: {reason}{text}.")
            }
            Lost::Screen(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Lost::Screen(error) => format!("Error: Standard output: {error}."),
        })
    }

    /// What to try next; empty if there is nothing to suggest.
    pub fn hint(&self, id: &str, has_username: bool, was_open: bool) -> String {
        match self {
            Lost::Closed if !was_open => {
                "Is this port MQTT without TLS? With TLS it needs --cafile FILE or --tls-use-os-certs. Does the broker speak this version (-V)?".into()
            }
            // Below version 5 a broker cannot say that it was this.
            Lost::Closed if !id.is_empty() => format!(
                "If another client has the identifier '{id}' too, the two push each other out; choose another one with -i."
            ),
            Lost::Io(error) => match TlsError::behind(error) {
                Some(reason) => reason.advice().unwrap_or_default().into(),
                // Whoever expects TLS hangs up on somebody who does not speak it.
                None if !was_open && error.kind() == io::ErrorKind::ConnectionReset => {
                    "Does this port want TLS? Then add --cafile FILE, or --tls-use-os-certs.".into()
                }
                None => String::new(),
            },
            Lost::Timeout(Timeout::ConnAck) => {
                "Is this the port of an MQTT broker, without TLS?".into()
            }
            Lost::Refused { reason, .. } => hints::refused_because(*reason, has_username).into(),
            Lost::Disconnected {
                reason: ReasonCode::SessionTakenOver,
                ..
            } => format!(
                "Another client has connected with the identifier '{id}'; choose another one with -i."
            ),
            _ => String::new(),
        }
    }

    /// Says what happened, and what to try.
    pub(super) fn explain(&self, client: &Client, console: &Console) {
        let session = &client.session;
        if let Some(sentence) = self.sentence(session.version(), client.ever_open) {
            console.error(&sentence);
        }
        let has_username = client.options.session.username.is_some();
        console.hint(&self.hint(session.client_id(), has_username, client.ever_open));
    }
}

/// Events that end a connection become its [`Lost`].
pub(super) fn check(event: Event<'_>) -> Result<Event<'_>, Lost> {
    let text = |properties: Properties<'_>| properties.reason_string().map(str::to_owned);
    match event {
        Event::Refused { reason, properties } => Err(Lost::Refused {
            reason,
            text: text(properties),
        }),
        Event::Disconnected { reason, properties } => Err(Lost::Disconnected {
            reason,
            text: text(properties),
        }),
        event => Ok(event),
    }
}

pub(super) fn violated(what: String) -> Lost {
    Lost::Violation {
        what,
        too_large: false,
    }
}

/// What an answer is instead of MQTT, as far as its first bytes tell.
fn not_mqtt(answer: &[u8]) -> Lost {
    violated(match answer {
        // A server that speaks TLS says so in an alert (RFC 8446, 5.1 and 6).
        [0x15, 3, ..] => {
            "the answer is not MQTT but TLS: add --cafile FILE, or --tls-use-os-certs".into()
        }
        _ if answer.starts_with(b"HTTP/") => {
            "the answer is not MQTT but HTTP: add --ws if it is a port for WebSockets".into()
        }
        _ => "the answer is not MQTT".into(),
    })
}
