//! Entries that lie side by side are deleted, and read, side by side: one way down the tree for all of them.

use super::StoreError;
use super::form;
use super::tree::{State, failed, guarded};
use crate::message::Message;
use redb::{Range, Table};

/// Numbers that are no farther apart are deleted in one go, past what lies between them.
const GAP: u64 = 8;

/// Fewer than this are not worth it.
const FEW: usize = 4;

/// A message is looked for so many entries behind the one that was read before.
const NEAR: u64 = 8;

/// Deletes what is stored under a prefix and each of these numbers, which are in order.
pub(super) fn sweep(
    state: &mut Table<'_, &'static [u8], &'static [u8]>,
    prefix: &[u8],
    numbers: &[u64],
) -> Result<(), StoreError> {
    let key = |number: u64| [prefix, &number.to_be_bytes()].concat();
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
                let Some(number) = number_behind(key, prefix) else {
                    return true;
                };
                while left.next_if(|&left| left < number).is_some() {}
                left.next_if_eq(&number).is_none()
            })
            .map_err(failed)?;
    }
    Ok(())
}

fn number_behind(key: &[u8], prefix: &[u8]) -> Option<u64> {
    let number = key.strip_prefix(prefix)?.try_into().ok()?;
    Some(u64::from_be_bytes(number))
}

/// Messages that are read one after the other, mostly in the order of their numbers.
pub(super) struct Messages<'a> {
    state: &'a State,
    /// Stands behind the message that was read last.
    next: Option<(u64, Range<'static, &'static [u8], &'static [u8]>)>,
}

impl<'a> Messages<'a> {
    pub(super) fn of(state: &'a State) -> Messages<'a> {
        Messages { state, next: None }
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
            let message = form::parse_message(key.value(), value.value(), number);
            self.next = Some((number, range));
            return Ok(message);
        }
        Ok(None)
    }
}
