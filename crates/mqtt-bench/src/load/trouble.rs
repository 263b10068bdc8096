//! Why a client could not do its work, in the words that all programs share.

use std::io;

use mqtt_common::client::Lost;
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_common::hints;
use mqtt_common::options::Common;
use mqtt_net::ConnectError;
use mqtt_proto::{ReasonCode, Version};

/// Why a client could not do its work.
#[derive(Debug)]
pub enum Trouble {
    /// There is no connection.
    Unreachable(ConnectError),
    /// There was one.
    Lost {
        /// Why it ended.
        lost: Lost,
        /// The client identifier.
        id: String,
        /// Whether the broker had accepted the client.
        was_open: bool,
    },
    /// The broker refuses a subscription.
    Subscription(ReasonCode),
    /// The broker does not answer.
    Silent(&'static str),
    /// What the places in a topic were filled with makes none.
    Topic(mqtt_proto::TopicError),
    /// A packet cannot be written.
    Encode(mqtt_proto::EncodeError),
}

impl Trouble {
    /// How the program ends because of it.
    pub fn exit(&self, common: &Common) -> Exit {
        match self {
            Trouble::Unreachable(error) => Exit::unreachable(error),
            Trouble::Lost { lost, .. } => lost.exit(common.session.version),
            Trouble::Subscription(reason) => Exit(reason.value()),
            Trouble::Silent(_) => Exit::KEEP_ALIVE,
            Trouble::Topic(_) | Trouble::Encode(_) => Exit::USAGE,
        }
    }

    /// Whether it is this computer that lets nothing more be opened.
    pub fn is_limit_of_files(&self) -> bool {
        let is_limit = |error: &io::Error| matches!(error.raw_os_error(), Some(23 | 24));
        match self {
            Trouble::Unreachable(error) => error.attempts().iter().any(|it| is_limit(&it.cause)),
            _ => false,
        }
    }

    /// What happened, in a few words, for a table.
    pub fn sentence(&self) -> String {
        let sentence = match self {
            Trouble::Unreachable(error) => error.to_string(),
            Trouble::Lost { lost, was_open, .. } => {
                lost.sentence(Version::V5, *was_open).unwrap_or_default()
            }
            Trouble::Subscription(reason) => format!("subscription refused: {}", reason.name()),
            Trouble::Silent(step) => format!("no answer to {step}"),
            Trouble::Topic(error) => error.to_string(),
            Trouble::Encode(error) => error.to_string(),
        };
        let bare = sentence.strip_prefix("Error: ").unwrap_or(&sentence);
        bare.trim_end_matches('.').to_owned()
    }

    /// Says what happened, and what to try.
    pub fn explain(&self, common: &Common, console: &Console) {
        match self {
            Trouble::Unreachable(error) => {
                let (sentence, hint) = hints::failure(error, &common.way);
                console.error(&sentence);
                if self.is_limit_of_files() {
                    console.hint("This computer lets a program open only so many connections: see ulimit -n.");
                } else {
                    console.hint(&hint);
                }
            }
            Trouble::Lost { lost, id, was_open } => {
                let session = &common.session;
                if let Some(sentence) = lost.sentence(session.version, *was_open) {
                    console.error(&sentence);
                }
                console.hint(&lost.hint(id, session.username.is_some(), *was_open));
            }
            Trouble::Subscription(reason) => console.error(&format!(
                "Error: The broker refuses the subscription: {}.",
                reason.name()
            )),
            Trouble::Silent(step) => {
                console.error(&format!(
                    "Error: The broker does not answer {step} in time."
                ));
                console.hint("Is it very busy? --wait TIME gives it longer.");
            }
            Trouble::Topic(error) => console.error(&format!("Error: Invalid topic: {error}.")),
            Trouble::Encode(error) => console.error(&format!("Error: {error}.")),
        }
    }
}

impl From<ConnectError> for Trouble {
    fn from(error: ConnectError) -> Trouble {
        Trouble::Unreachable(error)
    }
}

impl From<mqtt_proto::EncodeError> for Trouble {
    fn from(error: mqtt_proto::EncodeError) -> Trouble {
        Trouble::Encode(error)
    }
}
