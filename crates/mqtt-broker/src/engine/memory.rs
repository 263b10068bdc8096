//! What is refused while memory is short, so that what was acknowledged can be kept.
//!
//! What is there goes on, and clients that have a session come back to it: only by being read do
//! queues become shorter.

use super::Engine;
use super::refusal::Refusal;
use crate::log::Ending;
use crate::message::Publication;
use crate::routes::Route;
use crate::session::SessionKey;
use crate::topics::{Readiness, Subscriber};
use mqtt_proto::{PacketId, QoS, ReasonCode};

impl Engine {
    /// Says whether the process has more memory in use than it may.
    ///
    /// While it has, clients without a session, further subscriptions and messages that would have
    /// to be kept are refused, with [`ReasonCode::QuotaExceeded`] where the version has it. What
    /// only passes through is delivered as ever.
    pub fn handle_memory(&mut self, is_full: bool) {
        self.is_full = is_full;
    }

    /// A client that has no session yet would need memory for one.
    pub(super) fn check_memory(&self, client_id: &str) -> Result<(), Refusal> {
        if self.is_full && !self.clients.contains_key(client_id) {
            return Err(Refusal::new(
                ReasonCode::QuotaExceeded,
                Ending::QuotaExceeded,
            ));
        }
        Ok(())
    }

    /// Whether a message would take memory beyond the moment in which it is handled.
    pub(super) fn needs_memory(
        &self,
        session: SessionKey,
        id: Option<PacketId>,
        publication: &Publication<'_>,
    ) -> bool {
        if publication.retain && !publication.payload.is_empty() {
            return true;
        }
        if publication.qos == QoS::ExactlyOnce {
            // One that is here already takes no more.
            let mut incoming = self.session(session).incoming.iter();
            return !incoming.any(|(known, _)| Some(known) == id);
        }
        let upgrade = self.settings.upgrade_outgoing_qos;
        if publication.qos == QoS::AtMostOnce && !upgrade {
            return false;
        }
        let mut targets = Vec::new();
        let any = |_: &Subscriber| Readiness::Ready;
        self.topics
            .collect(publication.topic, Route::New, any, &mut targets);
        targets
            .iter()
            .any(|target| target.options.qos > QoS::AtMostOnce)
    }
}
