//! From a message to the connections of those who hear it: routing, queues, and what is written.

use super::Engine;
use super::write::{Head, encode_form};
use crate::auth::Action;
use crate::connection_state::ConnectionKey;
use crate::log::{Level, Line};
use crate::message::{Delivery, Identifiers, Message, Publication};
use crate::outbox::SHARE_FROM;
use crate::routes::Route;
use crate::session::SessionKey;
use crate::spent::Spent;
use crate::time::Time;
use crate::topics::{Readiness, Target, Topics};
use mqtt_proto::{PacketId, QoS, Topic};
use std::ops::Range;
use std::sync::Arc;

/// One message while it is given to its subscribers, with what they can share.
pub(super) struct Outgoing<'a> {
    publication: Publication<'a>,
    /// What is known of its topic.
    route: Route,
    /// The message as it is kept, made when the first of them needs it.
    kept: Option<Arc<Message>>,
    /// Whether nobody comes behind the present one, who may then have the message for himself.
    is_last: bool,
    /// Where in the engine's scratch buffer its QoS 0 packets lie, by version and retain flag.
    forms: [Option<Range<usize>>; 4],
}

/// See [`Engine::sole_taker`].
enum Sole {
    /// There may be several, or none, or one that needs more.
    Unknown,
    /// The only one does not want it, or may not have it.
    Nobody,
    /// This one, with this QoS and these subscription identifiers.
    Session(SessionKey, QoS, Identifiers),
}

impl<'a> Outgoing<'a> {
    fn new(publication: Publication<'a>) -> Outgoing<'a> {
        Outgoing {
            publication,
            route: Route::New,
            kept: None,
            is_last: false,
            forms: [None, None, None, None],
        }
    }

    /// A message that is kept already.
    pub(super) fn of_message(message: &'a Arc<Message>) -> Outgoing<'a> {
        Outgoing {
            kept: Some(message.clone()),
            ..Outgoing::new(Publication::of(message))
        }
    }

    fn kept(&mut self, topics: &Topics, spent: &mut Spent) -> Arc<Message> {
        let kept = self.kept.take().unwrap_or_else(|| {
            let topic = topics.known_name(self.route);
            spent.keep(&self.publication, topic)
        });
        if !self.is_last {
            self.kept = Some(kept.clone());
        }
        kept
    }
}

impl Engine {
    /// Gives a message to every subscription it is for; returns whether there was one.
    pub(crate) fn route(
        &mut self,
        now: Time,
        publisher: Option<SessionKey>,
        publication: Publication<'_>,
    ) -> bool {
        let route = self.topics.route(publication.topic);
        self.route_by(now, publisher, publication, route)
    }

    /// The same where it is known what is known of its topic.
    pub(super) fn route_by(
        &mut self,
        now: Time,
        publisher: Option<SessionKey>,
        publication: Publication<'_>,
        route: Route,
    ) -> bool {
        match self.sole_taker(publisher, &publication, route) {
            Sole::Unknown => {
                let mut outgoing = Outgoing::new(publication);
                outgoing.route = route;
                return self.give(now, publisher, outgoing);
            }
            Sole::Nobody => {}
            Sole::Session(session, qos, identifiers) => {
                let name = self.topics.known_name(route);
                let message = self.spent.keep(&publication, name);
                let delivery = Delivery::new(message, qos, false).through(identifiers, None);
                self.send_or_enqueue(now, session, delivery);
            }
        }
        true
    }

    /// The same with a message that is kept already; the route of its topic had this slot before.
    pub(super) fn route_message(
        &mut self,
        now: Time,
        publisher: SessionKey,
        message: Arc<Message>,
        slot: u16,
    ) {
        let route = self.topics.route_near(slot, &message.topic);
        let publication = Publication::of(&message);
        match self.sole_taker(Some(publisher), &publication, route) {
            Sole::Unknown => {
                let mut outgoing = Outgoing::of_message(&message);
                outgoing.route = route;
                self.give(now, Some(publisher), outgoing);
                self.spent.put(message);
            }
            Sole::Nobody => self.spent.put(message),
            Sole::Session(session, qos, identifiers) => {
                let delivery = Delivery::new(message, qos, false).through(identifiers, None);
                self.send_or_enqueue(now, session, delivery);
            }
        }
    }

    /// Who alone takes a message that has a QoS above 0 there and is not retained: such a message needs
    /// nothing that several would share.
    #[inline]
    fn sole_taker(
        &mut self,
        publisher: Option<SessionKey>,
        publication: &Publication<'_>,
        route: Route,
    ) -> Sole {
        if publication.retain {
            return Sole::Unknown;
        }
        let Some(target) = self.topics.only(route) else {
            return Sole::Unknown;
        };
        let qos = self.outgoing_qos(publication.qos, target.options.qos);
        if qos == QoS::AtMostOnce {
            return Sole::Unknown;
        }
        if !is_wanted(&target, publisher)
            || (self.has_acl && !self.may_read(target.session, publication))
        {
            return Sole::Nobody;
        }
        Sole::Session(target.session, qos, target.identifier.into())
    }

    fn give(
        &mut self,
        now: Time,
        publisher: Option<SessionKey>,
        mut outgoing: Outgoing<'_>,
    ) -> bool {
        let (publication, route) = (outgoing.publication, outgoing.route);
        if publication.retain {
            self.retain(&mut outgoing, publisher);
        }
        self.scratch.clear();
        if let Some(target) = self.topics.only(route) {
            outgoing.is_last = true;
            if is_wanted(&target, publisher)
                && (!self.has_acl || self.may_read(target.session, &publication))
            {
                self.deliver(now, &target, &mut outgoing);
            }
            return true;
        }
        let mut targets = std::mem::take(&mut self.targets);
        let (topic, qos) = (publication.topic, publication.qos);
        self.topics.collect(
            topic,
            route,
            |subscriber| {
                let qos = self.outgoing_qos(qos, subscriber.options.qos);
                self.readiness(subscriber.session, qos, topic)
            },
            &mut targets,
        );
        // A subscription that does not want its own messages is a matching one all the same.
        let has_subscribers = !targets.is_empty();
        targets.retain(|target| is_wanted(target, publisher));
        if self.has_acl {
            targets.retain(|target| self.may_read(target.session, &publication));
        }
        if self.settings.allow_duplicate_messages || targets.len() < 2 {
            for target in targets.drain(..) {
                self.deliver(now, &target, &mut outgoing);
            }
        } else {
            self.deliver_merged(now, &mut targets, &mut outgoing);
        }
        targets.clear();
        self.targets = targets;
        has_subscribers
    }

    fn retain(&mut self, outgoing: &mut Outgoing<'_>, publisher: Option<SessionKey>) {
        if outgoing.publication.payload.is_empty() {
            match self.retained.clear(outgoing.publication.topic) {
                Some(old) => self.note_cleared(&old), // [MQTT-3.3.1-6]
                None => self.doubt(),
            }
        } else {
            let (message, source) = (
                outgoing.kept(&self.topics, &mut self.spent),
                self.source(publisher),
            );
            let old = self.retained.set(message.clone(), source.clone()); // [MQTT-3.3.1-5]
            self.note_retained(&message, source.as_deref(), old);
        }
    }

    /// Overlapping subscriptions of one client get one message: the highest QoS, all
    /// identifiers (MQTT 5, 3.3.4).
    fn deliver_merged(
        &mut self,
        now: Time,
        targets: &mut Vec<Target>,
        outgoing: &mut Outgoing<'_>,
    ) {
        // A shared subscription is a subscription of its own.
        targets.sort_by_key(|target| (target.share.is_some(), target.session));
        let mut rest = targets.drain(..).peekable();
        while let Some(mut target) = rest.next() {
            let mut identifiers = Identifiers::from(target.identifier);
            while let Some(next) = rest.next_if(|next| {
                next.session == target.session && next.share.is_none() && target.share.is_none()
            }) {
                target.options.qos = target.options.qos.max(next.options.qos);
                target.options.retain_as_published |= next.options.retain_as_published;
                if let Some(id) = next.identifier {
                    identifiers.push(id);
                }
            }
            self.deliver_with(now, &target, identifiers, outgoing);
        }
    }

    /// Gives a message to one subscription.
    pub(super) fn deliver(&mut self, now: Time, target: &Target, outgoing: &mut Outgoing<'_>) {
        self.deliver_with(now, target, target.identifier.into(), outgoing);
    }

    fn deliver_with(
        &mut self,
        now: Time,
        target: &Target,
        identifiers: Identifiers,
        outgoing: &mut Outgoing<'_>,
    ) {
        let publication = &outgoing.publication;
        let qos = self.outgoing_qos(publication.qos, target.options.qos);
        let retain = publication.retain && target.options.retain_as_published; // [MQTT-3.3.1-12]
        if qos == QoS::AtMostOnce
            && self.send_at_most_once(now, target.session, retain, &identifiers, outgoing)
        {
            return;
        }
        let delivery = Delivery::new(outgoing.kept(&self.topics, &mut self.spent), qos, retain)
            .through(identifiers, target.share.clone());
        self.send_or_enqueue(now, target.session, delivery);
    }

    /// Sends a delivery if its session may send it now, and puts it into its queue otherwise.
    fn send_or_enqueue(&mut self, now: Time, key: SessionKey, delivery: Delivery) {
        match self.session(key).connection {
            Some(connection) if delivery.qos > QoS::AtMostOnce && self.can_send(key) => {
                self.send_in_flight(now, connection, key, delivery);
            }
            _ => self.enqueue(now, key, delivery),
        }
    }

    /// Handles the common case; `false` if the message has to be queued.
    fn send_at_most_once(
        &mut self,
        now: Time,
        session_key: SessionKey,
        retain: bool,
        identifiers: &Identifiers,
        outgoing: &mut Outgoing<'_>,
    ) -> bool {
        let session = &self.sessions[session_key.0 as usize];
        let Some(key) = session.connection else {
            return !self.settings.queue_qos0_messages;
        };
        if session.queued_qos0 > 0 || !session.scans.is_empty() {
            return false;
        }
        let connection = &mut self.connections[key.0 as usize];
        if !connection.has_room(self.settings.max_outbox_bytes) {
            self.note_dropped(session_key);
            return true;
        }
        let publication = &outgoing.publication;
        let is_plain = identifiers.is_none()
            && connection.alias_maximum == 0
            && publication.expires_at.is_none();
        if is_plain
            && publication.payload.len() < SHARE_FROM
            && !self.settings.log.contains(Level::Debug)
            && !self.has_mounts
        {
            let form = usize::from(connection.version.is_v5()) * 2 + usize::from(retain);
            let range = match &outgoing.forms[form] {
                Some(range) => range.clone(),
                None => {
                    let range =
                        encode_form(publication, connection.version, retain, &mut self.scratch);
                    outgoing.forms[form] = Some(range.clone());
                    range
                }
            };
            if range.len() > connection.max_packet_size as usize {
                self.note_too_large(session_key, range.len());
                return true;
            }
            let packet = &self.scratch[range];
            connection
                .outbox
                .append(&mut self.spare, |out| out.extend_from_slice(packet));
            if !connection.is_dirty {
                connection.is_dirty = true;
                self.dirty.push(key);
            }
            self.counters.note_publish_sent(publication.payload.len());
            if !connection.has_room(self.settings.max_outbox_bytes / 2) {
                self.look_at_pace(now, session_key);
            }
            return true;
        }
        let shared = (publication.payload.len() >= SHARE_FROM).then(|| {
            let kept = outgoing.kept(&self.topics, &mut self.spent);
            kept.payload.to_shared()
        });
        let head = Head {
            qos: QoS::AtMostOnce,
            retain,
            dup: false,
            packet_id: None,
            identifiers: identifiers.as_slice(),
        };
        self.write_publish(now, key, session_key, &outgoing.publication, shared, head);
        self.look_at_pace(now, session_key);
        true
    }

    /// The QoS that a message goes out with.
    pub(super) fn outgoing_qos(&self, published: QoS, subscribed: QoS) -> QoS {
        if self.settings.upgrade_outgoing_qos {
            subscribed
        } else {
            published.min(subscribed) // [MQTT-3.8.4-8]
        }
    }

    /// How ready a session is to take a message of this QoS.
    pub(super) fn readiness(&self, key: SessionKey, qos: QoS, topic: &Topic) -> Readiness {
        let session = self.session(key);
        if let Some(rights) = &session.rights
            && !rights.may(topic, Action::Read).allowed
        {
            return Readiness::Never;
        }
        match session.connection {
            None if qos > QoS::AtMostOnce || self.settings.queue_qos0_messages => Readiness::Absent,
            None => Readiness::Never,
            Some(connection) => {
                let is_ready = match qos {
                    QoS::AtMostOnce => self
                        .connection(connection)
                        .has_room(self.settings.max_outbox_bytes),
                    _ => self.can_send(key),
                };
                if is_ready {
                    Readiness::Ready
                } else {
                    Readiness::Busy
                }
            }
        }
    }

    /// Whether a QoS 1 or 2 message may go out at once: nothing waits in front of it, and the
    /// client takes one more.
    fn can_send(&self, key: SessionKey) -> bool {
        let session = self.session(key);
        !session.has_queue()
            && session.scans.is_empty()
            && session.resend.is_empty()
            && self.has_window(key)
    }

    /// Sends a message of QoS 1 or 2; whether it is in flight then.
    pub(super) fn send_in_flight(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session_key: SessionKey,
        mut delivery: Delivery,
    ) -> bool {
        let session = &self.sessions[session_key.0 as usize];
        let id = session.outgoing.next_id();
        self.note_in_flight(key, session_key, id, &mut delivery);
        let head = Head {
            qos: delivery.qos,
            retain: delivery.retain,
            dup: false,
            packet_id: Some(id),
            identifiers: delivery.identifiers(),
        };
        let is_sent = self.write_message(now, key, session_key, &delivery.message, head);
        let session = &mut self.sessions[session_key.0 as usize];
        session.outgoing.send(delivery.qos, delivery);
        if !is_sent {
            // Too large for this client: as if it had been delivered [MQTT-3.1.2-25].
            self.abandon(session_key, id);
        }
        is_sent
    }

    /// Takes a message out of flight that cannot or may not be sent.
    pub(super) fn abandon(&mut self, key: SessionKey, id: PacketId) {
        if let Some(delivery) = self.session_mut(key).outgoing.remove(id) {
            self.note_landed(key, id, Some(&delivery));
        }
    }

    /// Drops what has expired from a session's queue.
    pub(super) fn drop_expired(&mut self, now: Time, key: SessionKey) {
        for delivery in self.session_mut(key).drop_expired(now) {
            self.note_unqueued(key, &delivery);
        }
    }

    /// Queues a delivery, if there is room and the session will ever ask for it.
    fn enqueue(&mut self, now: Time, key: SessionKey, mut delivery: Delivery) {
        let (limit, limit_bytes) = (
            self.settings.max_queued_messages,
            self.settings.max_queued_bytes,
        );
        let size = delivery.message.size();
        let is_full = |session: &crate::session::Session| {
            let bytes = session.queued_bytes + session.behind.bytes;
            session.queue_len() >= limit || bytes.saturating_add(size) > limit_bytes
        };
        if self.is_full && delivery.qos == QoS::AtMostOnce {
            self.note_dropped(key);
            return;
        }
        if is_full(self.session(key)) {
            self.drop_expired(now, key);
            if is_full(self.session(key)) {
                self.note_dropped(key);
                return;
            }
        }
        self.note_queued(key, &mut delivery);
        if self.is_far_back(key) {
            self.leave_behind(key, &delivery);
        } else {
            self.session_mut(key).push(delivery);
        }
        self.look_at_pace(now, key);
    }

    pub(super) fn note_dropped(&mut self, key: SessionKey) {
        self.counters.publish_dropped += 1;
        let session = self.session_mut(key);
        if !session.is_dropping {
            session.is_dropping = true;
            self.log_client(key, |client| Line::Dropping { client });
        }
    }

    pub(super) fn note_too_large(&mut self, key: SessionKey, len: usize) {
        self.counters.publish_dropped += 1;
        self.log_client(key, |client| Line::TooLargeSend { client, len });
    }

    /// Whether a client may publish here: `$SYS` is ours but for the states of bridges, and
    /// what looks like a shared subscription is nobody's.
    pub(super) fn may_publish_to(&self, topic: &str) -> bool {
        match topic.strip_prefix('$') {
            None => true,
            Some(rest) if rest.starts_with("SYS/") => rest
                .strip_prefix("SYS/broker/connection/")
                .is_some_and(|rest| rest.ends_with("/state")),
            Some(rest) => !rest.starts_with("share/") && !rest.starts_with("CONTROL/"),
        }
    }
}

/// Whether a subscription is for messages of this publisher [MQTT-3.8.3-3].
fn is_wanted(target: &Target, publisher: Option<SessionKey>) -> bool {
    !(target.options.no_local && Some(target.session) == publisher)
}
