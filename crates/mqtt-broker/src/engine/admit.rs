//! Who a client is and whether it may come in: certificates, passwords, rules on identifiers.

use super::Engine;
use super::refusal::Refusal;
use super::settings::CertificateName;
use crate::connection_state::ConnectionKey;
use crate::log::Ending;
use mqtt_proto::{Connect, ReasonCode};
use std::sync::Arc;

/// What is known of the password of a CONNECT.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer {
    /// Nothing yet.
    Unasked,
    /// It is right.
    Right,
    /// The client may not come in, for this reason.
    Refused(ReasonCode, Ending<'static>),
}

impl Engine {
    /// The user name that the client's certificate gives it, where that is asked for.
    pub(super) fn certified_name(&self, key: ConnectionKey) -> Result<Option<String>, Refusal> {
        let Some(which) = self.rules(key).certificate_name else {
            return Ok(None);
        };
        let shown = self.connection(key).peer.secured.as_deref();
        let name = shown.and_then(|shown| match which {
            CertificateName::Identity => shown.identity.clone(),
            CertificateName::Subject => shown.subject.clone(),
        });
        match name {
            Some(name) => Ok(Some(name)),
            None => Err(Refusal::new(
                ReasonCode::BadUserNameOrPassword,
                Ending::NotAuthorised,
            )),
        }
    }

    /// The client identifier after the rules on identifiers have had their say.
    pub(super) fn effective_id(
        &self,
        key: ConnectionKey,
        connect: &Connect<'_>,
        client_id: Arc<str>,
    ) -> Result<Arc<str>, Refusal> {
        let refused = || Refusal::new(ReasonCode::NotAuthorized, Ending::NotAuthorised);
        if let Some(prefix) = &self.settings.clientid_prefixes
            && !client_id.starts_with(&**prefix)
        {
            return Err(
                refused().because("CONNECT with a client id that clientid_prefixes does not allow")
            );
        }
        if !self.rules(key).use_username_as_clientid {
            return Ok(client_id);
        }
        match connect.username {
            Some(name) if !name.is_empty() => Ok(Arc::from(name)),
            _ => Err(refused()),
        }
    }

    /// Whether the client may come in, as far as that can be told without a password.
    pub(super) fn authorize(
        &self,
        key: ConnectionKey,
        connect: &Connect<'_>,
        answer: Answer,
    ) -> Result<(), Refusal> {
        let rules = self.rules(key);
        match answer {
            Answer::Refused(reason, ending) => Err(Refusal::new(reason, ending)),
            Answer::Right => Ok(()),
            Answer::Unasked if rules.names_by_certificate() => Ok(()),
            Answer::Unasked if connect.username.is_some() && rules.passwords.is_some() => Ok(()),
            Answer::Unasked if rules.allow_anonymous => Ok(()),
            Answer::Unasked => Err(Refusal::new(
                ReasonCode::NotAuthorized,
                Ending::NotAuthorised,
            )),
        }
    }

    /// Whether somebody has to look at the password first.
    pub(super) fn needs_password(
        &self,
        key: ConnectionKey,
        connect: &Connect<'_>,
        answer: Answer,
    ) -> bool {
        let rules = self.rules(key);
        matches!(answer, Answer::Unasked)
            && connect.username.is_some()
            && rules.passwords.is_some()
            && !rules.names_by_certificate()
    }
}
