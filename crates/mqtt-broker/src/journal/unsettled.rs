//! Up to which change all is stored or has come to nothing.

use std::collections::VecDeque;

/// Which changes are not settled: how many pending ones count as noted when.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// The change that the first of `counts` is for.
    pub(super) base: u64,
    counts: VecDeque<u32>,
    /// The sum of the counts.
    pub(super) count: usize,
}

impl Default for Unsettled {
    fn default() -> Unsettled {
        Unsettled {
            base: 1,
            counts: VecDeque::new(),
            count: 0,
        }
    }
}

impl Unsettled {
    /// All changes up to this one are settled, or will be by others.
    pub(super) fn behind(noted: u64) -> Unsettled {
        Unsettled {
            base: noted + 1,
            ..Unsettled::default()
        }
    }

    fn at(&mut self, change: u64) -> &mut u32 {
        // A batch is taken long before there are so many.
        let index = usize::try_from(change - self.base).expect("changes fit the memory");
        if self.counts.len() <= index {
            self.counts.resize(index + 1, 0);
        }
        &mut self.counts[index]
    }

    pub(super) fn add(&mut self, change: u64) {
        *self.at(change) += 1;
        self.count += 1;
    }

    pub(super) fn remove(&mut self, change: Option<u64>) {
        if let Some(change) = change {
            *self.at(change) -= 1;
            self.count -= 1;
        }
    }

    /// What counts as noted at `since` counts as noted at `change` too: the earlier one matters.
    pub(super) fn move_to(&mut self, since: &mut Option<u64>, change: u64) {
        if since.is_none_or(|since| change < since) {
            self.remove(since.replace(change));
            self.add(change);
        }
    }

    /// Forgets what is settled; the first change that is not, or the one after the last.
    pub(super) fn settle(&mut self, noted: u64) -> u64 {
        if self.count == 0 {
            self.counts.clear();
            if self.counts.capacity() > 4096 {
                self.counts = VecDeque::new();
            }
            self.base = noted + 1;
        }
        while self.counts.front() == Some(&0) {
            self.counts.pop_front();
            self.base += 1;
        }
        self.base
    }
}
