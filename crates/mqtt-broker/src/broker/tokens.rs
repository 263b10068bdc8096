//! Unpredictable bytes for connections, fetched from the system for many at a time.

use crate::time::Time;

/// How many bytes a token has.
const LENGTH: usize = 16;

/// How many tokens are fetched at a time.
const PORTION: usize = 64;

/// Hands out tokens, each once.
#[derive(Default)]
pub(super) struct Tokens {
    /// Whole tokens that nobody has yet.
    fetched: Vec<u8>,
}

impl Tokens {
    /// A token that nobody else has.
    pub(super) fn next(&mut self, now: Time) -> [u8; LENGTH] {
        if self.fetched.is_empty() {
            self.fetched.resize(PORTION * LENGTH, 0);
            if getrandom::fill(&mut self.fetched).is_err() {
                self.fetched.clear();
            }
        }
        let mut token = [0; LENGTH];
        match self.fetched.len().checked_sub(LENGTH) {
            Some(rest) => {
                token.copy_from_slice(&self.fetched[rest..]);
                self.fetched.truncate(rest);
            }
            // Without random bytes an assigned identifier is merely unique.
            None => token[..8].copy_from_slice(&now.0.to_le_bytes()),
        }
        token
    }
}
