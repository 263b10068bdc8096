//! What the access control lists have to say: on publishing, subscribing, sending, and on who
//! has published what is retained.

use super::Engine;
use crate::auth::Action;
use crate::connection_state::ConnectionKey;
use crate::log::Line;
use crate::message::Publication;
use crate::retained::Source;
use crate::session::SessionKey;
use mqtt_proto::{Filter, Topic};
use std::sync::Arc;

impl Engine {
    /// Remembers who has come to a session, and what that client may do.
    pub(super) fn identify(
        &mut self,
        connection: ConnectionKey,
        key: SessionKey,
        username: Option<&str>,
    ) {
        let listener = self.connection(connection).listener;
        let session = self.session_mut(key);
        session.listener = listener;
        session.username = username.map(Arc::from);
        session.denied = None;
        self.grant_rights(key);
    }

    /// Looks up what the list of its listener means for a client.
    pub(super) fn grant_rights(&mut self, key: SessionKey) {
        let session = &mut self.sessions[key.0 as usize];
        let listener = &self.settings.listeners[usize::from(session.listener)];
        session.rights = listener
            .acl
            .as_ref()
            .map(|acl| Box::new(acl.rights(&session.client_id, session.username.as_deref())));
    }

    /// Whether a client may publish to a topic, and logs it if not: for each topic once, not for
    /// each message.
    pub(super) fn may_write(&mut self, key: SessionKey, topic: &Topic) -> bool {
        let session = &mut self.sessions[key.0 as usize];
        let Some(rights) = &session.rights else {
            return true;
        };
        let verdict = rights.may(topic, Action::Write);
        if !verdict.allowed && session.denied.as_deref() != Some(topic) {
            session.denied = Some(topic.into());
            let (client, reason) = (
                session.client_id.clone(),
                rights.reason(verdict).to_string(),
            );
            self.log(Line::AccessDenied {
                client: &client,
                action: "write to",
                topic,
                reason: &reason,
            });
        }
        verdict.allowed
    }

    /// Whether a client may have a message, and logs it if not.
    pub(super) fn may_read(&mut self, key: SessionKey, publication: &Publication<'_>) -> bool {
        let session = &self.sessions[key.0 as usize];
        let Some(rights) = &session.rights else {
            return true;
        };
        let topic = publication.topic;
        let verdict = rights.may(topic, Action::Read);
        if !verdict.allowed && self.settings.log.contains(crate::log::Level::Debug) {
            let (client, reason) = (
                session.client_id.clone(),
                rights.reason(verdict).to_string(),
            );
            self.log(Line::DeniedSend {
                client: &client,
                qos: publication.qos as u8,
                retain: publication.retain,
                topic,
                len: publication.payload.len(),
            });
            self.log(Line::ReadDenied {
                client: &client,
                topic,
                reason: &reason,
            });
        }
        verdict.allowed
    }

    /// Whether anything could ever come through a subscription, and logs it if not.
    pub(super) fn may_subscribe(&mut self, key: SessionKey, filter: &Filter) -> bool {
        let session = &self.sessions[key.0 as usize];
        let Some(rights) = &session.rights else {
            return true;
        };
        let verdict = rights.may_subscribe(filter);
        if !verdict.allowed {
            let (client, reason) = (
                session.client_id.clone(),
                rights.reason(verdict).to_string(),
            );
            self.log(Line::AccessDenied {
                client: &client,
                action: "read",
                topic: filter,
                reason: &reason,
            });
        }
        verdict.allowed
    }

    /// What is remembered of the publisher of a retained message: nothing, unless it may matter.
    pub(super) fn source(&self, publisher: Option<SessionKey>) -> Option<Arc<Source>> {
        if !self.has_acl || !self.settings.check_retain_source {
            return None;
        }
        let session = self.session(publisher?);
        Some(Arc::new(Source {
            client_id: session.client_id.clone(),
            username: session.username.clone(),
            listener: session.listener,
        }))
    }

    /// Whether who has published a retained message might publish it again, and logs it if not.
    pub(super) fn source_may_write(&mut self, source: Option<&Source>, topic: &Topic) -> bool {
        let Some(source) = source.filter(|_| self.settings.check_retain_source) else {
            return true;
        };
        let listener = &self.settings.listeners[usize::from(source.listener)];
        let Some(acl) = &listener.acl else {
            return true;
        };
        let rights = acl.rights(&source.client_id, source.username.as_deref());
        let is_allowed = rights.may(topic, Action::Write).allowed;
        if !is_allowed {
            self.log(Line::SourceDenied {
                source: &source.client_id,
                topic,
            });
        }
        is_allowed
    }
}
