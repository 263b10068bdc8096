//! The journal: what comes to nothing, and what is stored.

use super::*;
use crate::message::Publication;
use mqtt_proto::QoS;

fn delivery(payload: &[u8]) -> Delivery {
    Delivery::new(
        Publication::plain("t", payload).to_message().into(),
        QoS::AtLeastOnce,
        false,
    )
}

/// Of each entry of the next batch, what it stores; empty: it deletes.
fn next(journal: &mut Journal) -> Vec<Vec<u8>> {
    let batch = journal.take().unwrap_or_default();
    let stored = |entry: &Entry| {
        let message = entry.value.as_ref().and_then(Value::message);
        message.map_or_else(Vec::new, |message| message.payload.to_vec())
    };
    batch.entries.iter().map(stored).collect()
}

#[test]
fn what_is_acknowledged_before_a_batch_is_taken_is_not_stored() {
    let mut journal = Journal::new(1, []);
    let id = PacketId::new(1).expect("it is one");
    let one = delivery(b"one");
    let ticket = journal.send(7, id, &one);
    assert_eq!((journal.promise(), journal.settle()), (Some(1), 0));
    journal.land(ticket, Key::InFlight(7, id), Some(&one.message), false);
    assert_eq!((journal.promise(), journal.settle()), (None, 2));
    assert!(journal.take().is_none());
}

#[test]
fn an_identifier_may_be_used_again_before_its_last_message_is_deleted() {
    let id = PacketId::new(1).expect("it is one");
    let key = || Key::InFlight(7, id);
    for is_acknowledged in [false, true] {
        let mut journal = Journal::new(1, []);
        let (one, two) = (delivery(b"one"), delivery(b"two"));
        let first = journal.send(7, id, &one);
        assert_eq!(next(&mut journal), [b"one"]);
        journal.land(first, key(), Some(&one.message), false);
        let second = journal.send(7, id, &two);
        if is_acknowledged {
            journal.land(second, key(), Some(&two.message), false);
            assert_eq!(next(&mut journal), [b""]);
        } else {
            assert_eq!(next(&mut journal), [b"two"]);
        }
    }
}

#[test]
fn places_are_deleted_together_where_they_lie_together() {
    let mut journal = Journal::new(1, []);
    for (session, place) in [(1, 1), (2, 5), (1, 2), (2, 6), (1, 3), (1, 9), (2, 7)] {
        journal.delete_some_time(Key::Queued(session, place), None);
    }
    let batch = journal.take().expect("there is something");
    let found: Vec<_> = batch
        .unqueued
        .iter()
        .map(|places| (places.session, places.first, places.last))
        .collect();
    assert_eq!(found, [(1, 1, 3), (1, 9, 9), (2, 5, 7)]);
}
