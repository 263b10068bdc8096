//! SUBSCRIBE and UNSUBSCRIBE.

use super::{Engine, Handled};
use crate::connection_state::ConnectionKey;
use crate::log::Line;
use crate::session::{RetainedScan, SessionKey};
use crate::time::Time;
use crate::topics::Subscriber;
use mqtt_proto::{
    Packet, Properties, QoS, ReasonCode, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck,
    Unsubscribe, VarInt,
};

impl Engine {
    pub(super) fn handle_subscribe(
        &mut self,
        now: Time,
        key: ConnectionKey,
        session: SessionKey,
        subscribe: &Subscribe<'_>,
    ) -> Handled {
        self.log_client(session, |client| Line::ReceivedSubscribe { client });
        self.begin();
        let identifier = subscribe.subscription_id();
        let mut reasons = Vec::with_capacity(subscribe.subscriptions.len());
        let is_refused = self.is_failing() && self.session(session).is_durable;
        for subscription in &subscribe.subscriptions {
            reasons.push(match is_refused {
                true => ReasonCode::QuotaExceeded,
                false => self.subscribe(key, session, subscription, identifier),
            });
        }
        self.log_client(session, |client| Line::SendingSuback { client });
        let suback = SubAck {
            packet_id: subscribe.packet_id,
            properties: Properties::EMPTY,
            reasons,
        };
        self.promise(key);
        self.send(key, &Packet::SubAck(suback));
        self.send_waiting(now, session);
        Ok(())
    }

    fn subscribe(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        subscription: &Subscription<'_>,
        identifier: Option<VarInt>,
    ) -> ReasonCode {
        let mounted = self.mount_filter(key, subscription.filter);
        let Some(filter) = mounted.as_filter(subscription.filter) else {
            return ReasonCode::TopicFilterInvalid;
        };
        let mut options = subscription.options;
        options.qos = options.qos.min(self.rules(key).max_qos);
        let qos = options.qos;
        let has_room = self.session(session).places.len() < self.settings.max_subscriptions;
        if (self.is_full || !has_room) && self.topics.place(filter, session).is_none() {
            self.log_client(session, |_| Line::FilterDenied { filter });
            return ReasonCode::QuotaExceeded;
        }
        if !self.may_subscribe(session, filter) && self.connection(key).version.is_v5() {
            self.log_client(session, |_| Line::FilterDenied { filter });
            return ReasonCode::NotAuthorized;
        }
        self.log_client(session, |_| Line::Filter {
            filter,
            qos: qos as u8,
        });
        let (place, is_new) = self.topics.subscribe(
            filter,
            Subscriber {
                session,
                options,
                identifier,
            },
        );
        self.session_mut(session).add_place(place);
        self.log_client(session, |client| Line::Subscribed {
            client,
            qos: qos as u8,
            filter,
        });
        let wants_retained = match options.retain_handling {
            RetainHandling::Send => true,        // [MQTT-3.3.1-9]
            RetainHandling::SendIfNew => is_new, // [MQTT-3.3.1-10]
            RetainHandling::DoNotSend => false,  // [MQTT-3.3.1-11]
        };
        if wants_retained && filter.share().is_none() && !self.retained.is_empty() {
            let until = self.retained.serial();
            let scans = &mut self.session_mut(session).scans;
            // The same filter again starts over: what is left of the earlier walk is in the new one.
            scans.retain(|scan| *scan.filter != *filter);
            scans.push_back(RetainedScan {
                filter: filter.into(),
                qos,
                identifier,
                after: None,
                until,
            });
        }
        self.note_subscription(session, filter, is_new);
        match qos {
            QoS::AtMostOnce => ReasonCode::Success,
            QoS::AtLeastOnce => ReasonCode::GrantedQoS1,
            QoS::ExactlyOnce => ReasonCode::GrantedQoS2,
        }
    }

    pub(super) fn handle_unsubscribe(
        &mut self,
        key: ConnectionKey,
        session: SessionKey,
        unsubscribe: &Unsubscribe<'_>,
    ) -> Handled {
        self.log_client(session, |client| Line::ReceivedUnsubscribe { client });
        self.begin();
        let mut reasons = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            let mounted = self.mount_filter(key, filter);
            let Some(filter) = mounted.as_filter(filter) else {
                reasons.push(ReasonCode::NoSubscriptionExisted);
                continue;
            };
            self.log_client(session, |_| Line::UnsubscribeFilter { filter });
            let existed = match self.topics.place(filter, session) {
                Some(place) => {
                    self.topics.unsubscribe(&place, session);
                    self.note_unsubscribed(session, filter);
                    let session = self.session_mut(session);
                    session.remove_place(&place);
                    session.scans.retain(|scan| *scan.filter != *filter);
                    true
                }
                None => false,
            };
            self.log_client(session, |client| Line::Unsubscribed { client, filter });
            reasons.push(if existed {
                ReasonCode::Success
            } else {
                ReasonCode::NoSubscriptionExisted
            });
        }
        self.log_client(session, |client| Line::SendingUnsuback { client });
        let unsuback = UnsubAck {
            packet_id: unsubscribe.packet_id,
            properties: Properties::EMPTY,
            reasons,
        };
        self.promise_of(key, session);
        self.send(key, &Packet::UnsubAck(unsuback));
        Ok(())
    }
}
