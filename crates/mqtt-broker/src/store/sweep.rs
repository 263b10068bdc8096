//! Messages that lie side by side are deleted, and read, side by side: one way down the tree for all of them.

use super::StoreError;
use super::form;
use super::tree::{State, failed, guarded};
use crate::message::Message;
use mqtt_proto::Topic;
use redb::{Range, Table};
use std::sync::Arc;

/// Numbers that are no farther apart are deleted in one go, past what lies between them.
const GAP: u64 = 8;

/// Fewer than this are not worth it.
const FEW: usize = 4;

/// A message is looked for so many entries behind the one that was read before.
const NEAR: u64 = 8;

/// Deletes messages; their numbers are in order.
pub(super) fn forget(
    state: &mut Table<'_, &'static [u8], &'static [u8]>,
    numbers: &[u64],
) -> Result<(), StoreError> {
    let key = form::message_key;
    for run in numbers.chunk_by(|a, b| b.saturating_sub(*a) <= GAP) {
        let (Some(&first), Some(&last), FEW..) = (run.first(), run.last(), run.len()) else {
            for &number in run {
                state.remove(&key(number)[..]).map_err(failed)?;
            }
            continue;
        };
        let (first, last) = (key(first), key(last));
        let mut left = run.iter().copied().peekable();
        state
            .retain_in(&first[..]..=&last[..], |key, _| {
                let Some(number) = form::message_number(key) else {
                    return true;
                };
                while left.next_if(|&left| left < number).is_some() {}
                left.next_if_eq(&number).is_none()
            })
            .map_err(failed)?;
    }
    Ok(())
}

type Entries = Range<'static, &'static [u8], &'static [u8]>;

/// Messages that are read one after the other, mostly in the order of their numbers.
pub(super) struct Messages<'a> {
    state: &'a State,
    /// Stands behind the message that was read last.
    next: Option<(u64, Entries)>,
    /// The topic of the message that was read last: the next one may share its name. Not for longer, or
    /// the thread that sends messages and the one that reads them would count the same name's owners.
    topic: Option<Arc<Topic>>,
}

impl<'a> Messages<'a> {
    pub(super) fn of(state: &'a State) -> Messages<'a> {
        Messages {
            state,
            next: None,
            topic: None,
        }
    }

    /// The message with this number, if it can be read.
    pub(super) fn read(&mut self, number: u64) -> Option<Message> {
        let read = guarded(|| self.try_read(number));
        if read.is_err() {
            self.next = None;
        }
        read.ok()?
    }

    fn try_read(&mut self, number: u64) -> Result<Option<Message>, StoreError> {
        let is_near = |&(last, _): &(u64, _)| number > last && number - last <= NEAR;
        let mut range = match self.next.take().filter(is_near) {
            Some((_, range)) => range,
            None => {
                let (from, to) = (form::message_key(number), form::message_key(u64::MAX));
                self.state.range(&from[..]..=&to[..]).map_err(failed)?
            }
        };
        while let Some(entry) = range.next() {
            let (key, value) = entry.map_err(failed)?;
            let found = form::message_number(key.value()).unwrap_or(0);
            if found < number {
                continue;
            }
            if found > number {
                return Ok(None);
            }
            let known = self.topic.as_ref();
            let message = form::parse_message(key.value(), value.value(), number, known);
            self.next = Some((number, range));
            if let Some(message) = &message
                && !known.is_some_and(|known| Arc::ptr_eq(known, &message.topic))
            {
                self.topic = Some(message.topic.clone());
            }
            return Ok(message);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tree::STATE;
    use redb::{Database, ReadableDatabase, ReadableTable};

    /// A store in memory with these messages, each of which says its number, and something else around them.
    fn store(numbers: &[u64]) -> Database {
        let memory = redb::backends::InMemoryBackend::new();
        let database = Database::builder()
            .create_with_backend(memory)
            .expect("memory is there");
        let transaction = database.begin_write().expect("it can be written");
        {
            let mut state = transaction.open_table(STATE).expect("it is a table");
            for number in numbers {
                let key = form::message_key(*number);
                let topic = Topic::parse("t").expect("it is a topic");
                let message = Message {
                    topic: topic.into(),
                    payload: crate::payload::Payload::copy_of(number.to_string().as_bytes()),
                    properties: mqtt_proto::PropertiesBuf::new(),
                    qos: mqtt_proto::QoS::AtLeastOnce,
                    retain: false,
                    expires_at: None,
                    number: crate::message::Number::default(),
                };
                let value = form::message_bytes(&key, &message);
                state.insert(&key[..], &value[..]).expect("it is taken");
            }
            for other in [&[6, 1][..], &[7, 0, 1], &[8]] {
                state.insert(other, &b"?"[..]).expect("it is taken");
            }
        }
        transaction.commit().expect("it is taken");
        database
    }

    fn left(database: &Database) -> Vec<u64> {
        let transaction = database.begin_read().expect("it can be read");
        let state = transaction.open_table(STATE).expect("it is a table");
        let keys = state.iter().expect("it can be read").flatten();
        let keys: Vec<Vec<u8>> = keys.map(|(key, _)| key.value().to_vec()).collect();
        let others = keys.iter().filter(|key| key.len() < 9);
        assert_eq!(others.count(), 3);
        keys.iter()
            .filter_map(|key| form::message_number(key))
            .collect()
    }

    #[test]
    fn what_is_forgotten_and_nothing_else_is_gone() {
        let all: Vec<u64> = (1..2000).collect();
        let cases: [(&str, Vec<u64>); 5] = [
            ("all", all.clone()),
            ("every third", (1..2000).step_by(3).collect()),
            ("far apart", vec![1, 100, 1000, 1999]),
            ("some side by side, some not there", (1500..2500).collect()),
            ("the same twice", vec![5, 5, 6, 6, 7, 7, 8, 8, 9]),
        ];
        for (what, forgotten) in cases {
            let database = store(&all);
            let transaction = database.begin_write().expect("it can be written");
            {
                let mut state = transaction.open_table(STATE).expect("it is a table");
                forget(&mut state, &forgotten).expect(what);
            }
            transaction.commit().expect("it is taken");
            let expected: Vec<u64> = all
                .iter()
                .copied()
                .filter(|number| !forgotten.contains(number))
                .collect();
            assert_eq!(left(&database), expected, "{what}");
        }
    }

    #[test]
    fn messages_are_found_in_any_order() {
        let database = store(&[1, 2, 3, 5, 8, 9, 40, 41]);
        let transaction = database.begin_read().expect("it can be read");
        let state = transaction.open_table(STATE).expect("it is a table");
        let mut messages = Messages::of(&state);
        for number in [1, 2, 3, 4, 5, 5, 9, 8, 40, 6, 41, 42, 1, 9, u64::MAX, 3, 5] {
            let is_there = [1, 2, 3, 5, 8, 9, 40, 41].contains(&number);
            let read = messages
                .read(number)
                .map(|message| message.payload.to_vec());
            let expected = is_there.then(|| number.to_string().into_bytes());
            assert_eq!(read, expected, "{number}");
        }
    }
}
