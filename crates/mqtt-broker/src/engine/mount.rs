//! Mount points: clients of such a listener live in a part of the topics and see it as the whole.
//!
//! What they name gets the prefix when it comes in, so that rules, subscriptions and retained
//! messages know whole topics only; what they are sent loses it.

use super::{Close, Engine};
use crate::connection_state::ConnectionKey;
use crate::log::Ending;
use crate::session::SessionKey;
use mqtt_proto::{Filter, ReasonCode, Topic};

/// A topic behind a prefix; `None` if that is longer than a topic can be.
pub(super) fn mounted_topic(prefix: &str, topic: &Topic) -> Option<Box<Topic>> {
    let text = format!("{prefix}{topic}");
    Topic::parse(&text).ok().map(Box::from)
}

/// A filter behind a prefix; that of a shared subscription behind the name of its group.
fn mounted_filter(prefix: &str, filter: &Filter) -> Option<Box<Filter>> {
    let text = match filter.share() {
        Some((group, plain)) => format!("$share/{group}/{prefix}{plain}"),
        None => format!("{prefix}{filter}"),
    };
    Filter::parse(&text).ok().map(Box::from)
}

/// What a filter means at a listener.
pub(super) enum Mounted {
    /// It has no mount point.
    Same,
    Behind(Box<Filter>),
    /// It would be too long.
    Nothing,
}

impl Mounted {
    pub(super) fn as_filter<'a>(&'a self, own: &'a Filter) -> Option<&'a Filter> {
        match self {
            Mounted::Same => Some(own),
            Mounted::Behind(filter) => Some(filter),
            Mounted::Nothing => None,
        }
    }
}

impl Engine {
    /// The topic that a client's topic stands for, if that is another one.
    pub(super) fn mount_topic(
        &self,
        key: ConnectionKey,
        topic: &Topic,
    ) -> Result<Option<Box<Topic>>, Close<'static>> {
        if !self.has_mounts {
            return Ok(None);
        }
        let Some(prefix) = &self.rules(key).mount_point else {
            return Ok(None);
        };
        match mounted_topic(prefix, topic) {
            Some(mounted) => Ok(Some(mounted)),
            None => Err(Close::told(
                ReasonCode::TopicNameInvalid,
                Ending::MalformedPacket,
            )),
        }
    }

    /// The filter that a client's filter stands for.
    pub(super) fn mount_filter(&self, key: ConnectionKey, filter: &Filter) -> Mounted {
        match &self.rules(key).mount_point {
            None => Mounted::Same,
            Some(prefix) => {
                mounted_filter(prefix, filter).map_or(Mounted::Nothing, Mounted::Behind)
            }
        }
    }

    /// The mount point of the listener that a session's client came to.
    pub(super) fn mount_point(&self, key: SessionKey) -> Option<&str> {
        if !self.has_mounts {
            return None;
        }
        let listener = usize::from(self.session(key).listener);
        let rules = self.settings.listeners.get(listener)?;
        rules.mount_point.as_deref()
    }

    /// A topic as a client knows it; `None` if it lies outside of what the client may see, as
    /// after it has changed listeners with its session.
    pub(super) fn unmounted<'a>(&self, key: SessionKey, topic: &'a Topic) -> Option<&'a Topic> {
        match self.mount_point(key) {
            None => Some(topic),
            Some(prefix) => Topic::parse(topic.strip_prefix(prefix)?).ok(),
        }
    }
}
