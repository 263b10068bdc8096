//! A store of an older form becomes one of the newest, entry by entry, in one transaction.
//!
//! To change the stored form, write a [`Step`] that makes the new entries of the old ones, append
//! it to [`FORMS`], and change `form.rs`. What a step needs to know of the old form it says itself,
//! in bytes: `form.rs` knows the newest form only.

use super::StoreError;
use super::form::{self, Kind};
use super::tree::{STATE, failed};
use redb::{ReadableTable, TableDefinition, WriteTransaction};

/// The stored form: each step makes the form that has its place in the list plus two.
pub const FORMS: Forms = Forms(&[]);

/// The forms that there have been, as the steps from one to the next.
#[derive(Clone, Copy, Debug)]
pub struct Forms(pub &'static [Step]);

/// Makes of one entry of a form what stands for it in the next form.
pub type Step = fn(Bare, &mut dyn FnMut(Bare));

/// An entry without its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bare {
    /// Its first byte is its kind.
    pub key: Vec<u8>,
    /// What is stored under it.
    pub content: Vec<u8>,
}

/// Where entries are put until all are there.
const NEXT: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("next");

impl Forms {
    /// The version of the newest form.
    pub fn newest(self) -> u32 {
        u32::try_from(self.0.len()).map_or(u32::MAX, |steps| steps + 1)
    }

    /// Brings the state from form `found` to the newest. An entry that is damaged stays as it is.
    pub(super) fn migrate(
        self,
        transaction: &WriteTransaction,
        found: u32,
    ) -> Result<(), StoreError> {
        let done = usize::try_from(found - 1).unwrap_or(usize::MAX);
        for step in self.0.iter().skip(done) {
            take_step(transaction, *step)?;
        }
        let mut state = transaction.open_table(STATE).map_err(failed)?;
        let version = form::version_bytes(self.newest());
        let key = form::start_of(Kind::Version as u8);
        state.insert(&key[..], &version[..]).map_err(failed)?;
        Ok(())
    }
}

fn take_step(transaction: &WriteTransaction, step: Step) -> Result<(), StoreError> {
    {
        let state = transaction.open_table(STATE).map_err(failed)?;
        let mut next = transaction.open_table(NEXT).map_err(failed)?;
        for entry in state.iter().map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            let (key, value) = (key.value(), value.value());
            let Some(content) = form::unsealed(key, value) else {
                next.insert(key, value).map_err(failed)?;
                continue;
            };
            let bare = Bare {
                key: key.to_vec(),
                content: content.to_vec(),
            };
            let mut refused = Ok(());
            step(bare, &mut |bare| {
                let value = form::sealed(&bare.key, bare.content);
                let inserted = next.insert(&bare.key[..], &value[..]);
                if let Err(error) = inserted {
                    refused = Err(failed(error));
                }
            });
            refused?;
        }
    }
    transaction.delete_table(STATE).map_err(failed)?;
    transaction.rename_table(NEXT, STATE).map_err(failed)
}
