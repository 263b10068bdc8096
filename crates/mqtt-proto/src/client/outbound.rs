//! What the program asks of a session: publish, subscribe, unsubscribe; and what a new connection owes.

use crate::client::message::{ANY_ID, InFlight, Stored, alias};
use crate::client::{Abandoned, Cause, PublishError, Session, State, Unwanted, Wanted};
use crate::flow::State as FlowState;
use crate::{
    Ack, EncodeError, Filter, Packet, PacketId, Properties, Publish, QoS, Subscribe, Subscription,
    SubscriptionOptions, Unsubscribe,
};

impl Session {
    /// Publishes a message; `packet_id` and `dup` of `publish` are the session's business.
    ///
    /// At QoS 0 it is appended to `out`, and that is all. At QoS 1 and 2 the session keeps it until
    /// the server has confirmed it: [`Event::Published`](super::Event::Published) with `tag`. If
    /// there is no connection, or no room in the receive maximum, it waits inside.
    ///
    /// # Errors
    /// The message is not taken, and nothing has changed.
    pub fn publish(
        &mut self,
        tag: u64,
        publish: &Publish<'_>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), PublishError> {
        if publish.qos == QoS::AtMostOnce {
            return self.publish_once(publish, now, out);
        }
        let message = Stored::new(tag, publish, self.options.version)?;
        if self.state == State::Open {
            message.check(&self.limits)?;
        }
        if self.has_room() {
            self.start(message, now, out);
        } else {
            self.waiting.push_back(message);
        }
        Ok(())
    }

    fn publish_once(
        &mut self,
        publish: &Publish<'_>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), PublishError> {
        if self.state != State::Open {
            return Err(PublishError::NotConnected);
        }
        self.limits
            .check_alias(alias(publish, self.options.version))?;
        let start = out.len();
        let publish = Publish {
            packet_id: None,
            dup: false,
            ..*publish
        }; // [MQTT-3.3.1-2]
        publish.encode(self.options.version, out)?;
        let fits = self
            .limits
            .check(publish.qos, publish.retain, out.len() - start);
        match fits {
            Ok(()) => self.last_out = now,
            Err(_) => out.truncate(start),
        }
        fits
    }

    /// Subscribes, now or as soon as there is a connection, and again whenever the server has
    /// forgotten it. All `filters` go in one SUBSCRIBE; an empty list does nothing.
    ///
    /// # Errors
    /// The packet has no wire form; nothing has changed.
    pub fn subscribe(
        &mut self,
        filters: Vec<(Box<Filter>, SubscriptionOptions)>,
        properties: Properties<'_>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if filters.is_empty() {
            return Ok(());
        }
        self.wanted.push(Wanted {
            filters,
            properties: properties.into(),
            confirmed: false,
        });
        if self.state == State::Open {
            let sent = self.send_subscribe(self.wanted.len() - 1, now, out);
            if sent.is_err() {
                self.wanted.pop();
            }
            return sent;
        }
        Ok(())
    }

    /// Unsubscribes, now or as soon as there is a connection, in one UNSUBSCRIBE.
    ///
    /// # Errors
    /// The packet has no wire form; nothing has changed.
    pub fn unsubscribe(
        &mut self,
        filters: Vec<Box<Filter>>,
        properties: Properties<'_>,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        if filters.is_empty() {
            return Ok(());
        }
        let request = Unwanted {
            filters,
            properties: properties.into(),
        };
        if self.state == State::Open {
            self.send_unsubscribe(&request, now, out)?;
        }
        for wanted in &mut self.wanted {
            wanted
                .filters
                .retain(|(filter, _)| !request.filters.contains(filter));
        }
        self.unwanted.push(request);
        Ok(())
    }

    /// How many messages at QoS 1 and 2 may be in flight at once, for the server and for us.
    pub fn window(&self) -> u16 {
        self.limits.receive_maximum.min(self.options.max_in_flight)
    }

    /// Whether another message at QoS 1 or 2 would leave at once instead of waiting.
    pub fn has_room(&self) -> bool {
        self.state == State::Open && self.waiting.is_empty() && self.has_slot()
    }

    fn has_slot(&self) -> bool {
        let slots = self.window().saturating_add(self.requests);
        self.unsent.is_empty() && self.in_flight.has_room(slots)
    }

    fn start(&mut self, message: Stored, now: u64, out: &mut Vec<u8>) {
        // The flow gives the identifier when it takes the message, so the packet gets it afterwards.
        let id_at = message.encode(ANY_ID, false, out);
        let id = self.in_flight.send(message.qos, InFlight::Message(message));
        out[id_at..id_at + 2].copy_from_slice(&id.get().to_be_bytes());
        self.last_out = now;
    }

    /// Sends what there is room for now.
    pub(super) fn fill(&mut self, now: u64, out: &mut Vec<u8>) {
        self.resend(now, out);
        while self.has_slot()
            && let Some(message) = self.waiting.pop_front()
        {
            self.start(message, now, out);
        }
    }

    /// Sends again what this connection has not carried yet, as far as the receive maximum allows.
    fn resend(&mut self, now: u64, out: &mut Vec<u8>) {
        while let Some(&id) = self.unsent.front() {
            let carried = usize::from(self.in_flight.len() - self.requests) - self.unsent.len();
            if carried >= usize::from(self.limits.receive_maximum) {
                return;
            }
            self.unsent.pop_front();
            // A linear search, once a message and connection, among at most 65,535: rarely more than 20.
            let Some(entry) = self.in_flight.iter().find(|entry| entry.id == id) else {
                continue;
            };
            match (&entry.message, entry.state) {
                (Some(InFlight::Message(message)), _) => {
                    message.encode(id, true, out); // [MQTT-3.3.1-1]
                }
                (None, FlowState::AwaitPubComp) => {
                    acknowledge(Packet::PubRel, id, out, self.options.version);
                }
                _ => continue,
            }
            self.last_out = now;
        }
    }

    /// CONNACK has come: everything that the server does not know (any more) is said again.
    pub(super) fn resume(
        &mut self,
        session_present: bool,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Vec<Abandoned> {
        let mut abandoned = Vec::new();
        self.forget_requests();
        if session_present {
            self.unsent = self.in_flight.iter().map(|entry| entry.id).collect(); // [MQTT-4.4.0-1]
        } else {
            self.incoming.clear();
            self.forget_messages(&mut abandoned);
            for wanted in &mut self.wanted {
                wanted.confirmed = false;
            }
        }
        let limits = self.limits;
        self.waiting.retain(|message| match message.check(&limits) {
            Ok(()) => true,
            Err(error) => {
                abandoned.push(Abandoned {
                    tag: message.tag,
                    cause: Cause::Unpublishable(error),
                });
                false
            }
        });
        self.request_again(now, out);
        self.fill(now, out);
        abandoned
    }

    /// The answers to earlier SUBSCRIBE and UNSUBSCRIBE will not come.
    fn forget_requests(&mut self) {
        let requests: Vec<PacketId> = self
            .in_flight
            .iter()
            .filter(|entry| !matches!(entry.message, None | Some(InFlight::Message(_))))
            .map(|entry| entry.id)
            .collect();
        for id in requests {
            self.in_flight.remove(id);
        }
        self.requests = 0;
    }

    /// The server has forgotten what was in flight: it is to be sent as new, in the same order.
    fn forget_messages(&mut self, abandoned: &mut Vec<Abandoned>) {
        self.unsent.clear();
        for entry in self
            .in_flight
            .iter()
            .filter(|entry| entry.message.is_none())
        {
            if let Some(tag) = self.releasing.remove(&entry.id) {
                abandoned.push(Abandoned {
                    tag,
                    cause: Cause::SessionLost,
                });
            }
        }
        self.releasing.clear();
        let again: Vec<Stored> = self
            .in_flight
            .drain()
            .filter_map(|kept| match kept {
                InFlight::Message(message) => Some(message),
                InFlight::Subscribe { .. } | InFlight::Unsubscribe(_) => None,
            })
            .collect();
        for message in again.into_iter().rev() {
            self.waiting.push_front(message);
        }
    }

    /// Sends every SUBSCRIBE and UNSUBSCRIBE that the server's session does not know.
    fn request_again(&mut self, now: u64, out: &mut Vec<u8>) {
        for index in 0..self.wanted.len() {
            if !self.wanted[index].confirmed && !self.wanted[index].filters.is_empty() {
                // It was encoded before, or will tell the same error when it is asked for openly.
                let _ = self.send_subscribe(index, now, out);
            }
        }
        for request in std::mem::take(&mut self.unwanted) {
            let _ = self.send_unsubscribe(&request, now, out);
            self.unwanted.push(request);
        }
    }

    fn send_subscribe(
        &mut self,
        index: usize,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let kept = InFlight::Subscribe {
            index,
            filters: self.wanted[index].filters.len(),
        };
        let packet_id = self.in_flight.send(QoS::AtLeastOnce, kept);
        let wanted = &self.wanted[index];
        let subscriptions = wanted
            .filters
            .iter()
            .map(|(filter, options)| Subscription {
                filter,
                options: *options,
            })
            .collect();
        let packet = Packet::Subscribe(Subscribe {
            packet_id,
            properties: wanted.properties.view(),
            subscriptions,
        });
        let encoded = packet.encode(self.options.version, out);
        self.note_request(packet_id, encoded, now)
    }

    fn send_unsubscribe(
        &mut self,
        request: &Unwanted,
        now: u64,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let kept = InFlight::Unsubscribe(request.filters.clone());
        let packet_id = self.in_flight.send(QoS::AtLeastOnce, kept);
        let filters = request.filters.iter().map(|filter| &**filter).collect();
        let packet = Packet::Unsubscribe(Unsubscribe {
            packet_id,
            properties: request.properties.view(),
            filters,
        });
        let encoded = packet.encode(self.options.version, out);
        self.note_request(packet_id, encoded, now)
    }

    fn note_request(
        &mut self,
        id: PacketId,
        encoded: Result<(), EncodeError>,
        now: u64,
    ) -> Result<(), EncodeError> {
        match encoded {
            Ok(()) => {
                self.requests += 1;
                self.last_out = now;
            }
            Err(_) => {
                self.in_flight.remove(id);
            }
        }
        encoded
    }
}

/// Appends an acknowledgement without reason or properties, which always has a wire form.
pub(super) fn acknowledge(
    packet: impl FnOnce(Ack<'static>) -> Packet<'static>,
    id: PacketId,
    out: &mut Vec<u8>,
    version: crate::Version,
) {
    let encoded = packet(Ack::success(id)).encode(version, out);
    debug_assert!(encoded.is_ok(), "an acknowledgement has four bytes");
}
