//! Debian's Mosquitto: its clients at our broker, our clients at its broker.

use crate::clients::{Clients, check_durable, check_exchange, check_retained, check_will};
use mqtt_testkit::broker::{BrokerProcess, OPEN};

/// Debian's clients at our broker.
fn theirs(check: fn(&BrokerProcess, &Clients)) {
    if let Some(clients) = Clients::mosquitto() {
        check(&BrokerProcess::open(), &clients);
    }
}

/// Our clients at Debian's broker.
fn ours(check: fn(&BrokerProcess, &Clients)) {
    if let Some(broker) = BrokerProcess::mosquitto(OPEN) {
        check(&broker, &Clients::ours());
    }
}

#[test]
fn mosquittos_clients_exchange_messages_at_our_broker() {
    theirs(check_exchange);
}

#[test]
fn mosquittos_clients_find_retained_messages_at_our_broker() {
    theirs(check_retained);
}

#[test]
fn mosquittos_clients_come_back_to_their_session_at_our_broker() {
    theirs(check_durable);
}

#[test]
fn mosquittos_clients_leave_a_will_at_our_broker() {
    theirs(check_will);
}

#[test]
fn our_clients_exchange_messages_at_mosquitto() {
    ours(check_exchange);
}

#[test]
fn our_clients_find_retained_messages_at_mosquitto() {
    ours(check_retained);
}

#[test]
fn our_clients_come_back_to_their_session_at_mosquitto() {
    ours(check_durable);
}

#[test]
fn our_clients_leave_a_will_at_mosquitto() {
    ours(check_will);
}
