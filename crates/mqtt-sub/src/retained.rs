//! `--remove-retained`: every retained message that comes is removed from the broker.

use mqtt_common::client::Link;
use mqtt_common::console::Console;
use mqtt_common::exit::Exit;
use mqtt_proto::{Properties, Publish, QoS, ReasonCode};

use crate::options::Retained;

/// What has become of them.
#[derive(Debug)]
pub struct Remover {
    what: Retained,
    asked: u64,
    refused: Vec<ReasonCode>,
}

impl Remover {
    /// Nothing has come yet.
    pub fn new(what: Retained) -> Remover {
        Remover {
            what,
            asked: 0,
            refused: Vec::new(),
        }
    }

    /// A wanted message has come: an empty retained one takes its place on the broker.
    ///
    /// # Errors
    /// The broker takes no such message, in a sentence without its full stop.
    pub fn message(&mut self, message: &Publish<'_>, link: &mut Link<'_>) -> Result<(), String> {
        if !message.retain || self.what == Retained::Keep {
            return Ok(());
        }
        self.asked += 1;
        if self.what == Retained::CountOnly {
            return Ok(());
        }
        let nothing = Publish {
            dup: false,
            // So that it is known when it is gone, and whether it was allowed.
            qos: QoS::AtLeastOnce,
            retain: true,
            topic: message.topic,
            packet_id: None,
            properties: Properties::EMPTY,
            payload: &[],
        };
        link.publish(self.asked, &nothing)
            .map_err(|error| format!("The retained messages cannot be removed: {error}"))
    }

    /// The broker has answered.
    pub fn answered(&mut self, reason: ReasonCode) {
        if reason.is_error() {
            self.refused.push(reason);
        }
    }

    /// Says what was done; the exit code is `exit` unless something was refused.
    pub fn end(&self, exit: Exit, console: &Console) -> Exit {
        let messages = |count: u64| match count {
            1 => "1 retained message".to_owned(),
            _ => format!("{count} retained messages"),
        };
        let refused = self.refused.len() as u64;
        match self.what {
            Retained::Keep => {}
            Retained::Remove => {
                console.note(&format!("Removed {}.", messages(self.asked - refused)));
            }
            Retained::CountOnly => {
                console.note(&format!("This would remove {}.", messages(self.asked)));
            }
        }
        match self.refused.first() {
            Some(reason) => {
                console.error(&format!(
                    "Error: The broker does not let {} be removed: {}.",
                    messages(refused),
                    reason.name()
                ));
                Exit(reason.value())
            }
            None => exit,
        }
    }
}
