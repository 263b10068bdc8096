//! How many things refer to each stored message: counted by sorting.
//!
//! Numbers of messages come nearly in order, queue by queue, and there may be millions of them. A sorted
//! list is written and read from end to end, where a map would be somewhere else in memory for each.

/// At least so many numbers are put in order together.
const BATCH: usize = 64 * 1024;

/// The counts.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Numbers in order, each with its count.
    counted: Vec<(u64, u32)>,
    /// Numbers that are not in there yet, as they came.
    recent: Vec<u64>,
    /// Where the number was found that was asked for last.
    cursor: usize,
}

impl References {
    /// Something refers to this message.
    pub(super) fn add(&mut self, number: u64) {
        self.recent.push(number);
        // The more there are, the more are put in order together, so that each is moved a few times only.
        if self.recent.len() >= BATCH.max(self.counted.len()) {
            self.sort();
        }
    }

    /// Puts all that have come in order; before that, none of them is known.
    pub(super) fn sort(&mut self) {
        let mut recent = std::mem::take(&mut self.recent);
        recent.sort_unstable();
        let mut new = recent.into_iter().peekable();
        let mut old = std::mem::take(&mut self.counted).into_iter().peekable();
        let mut merged = Vec::with_capacity(old.len() + new.len());
        while let Some(&number) = new.peek() {
            while let Some(counted) = old.next_if(|&(other, _)| other < number) {
                merged.push(counted);
            }
            let mut count = old
                .next_if(|&(other, _)| other == number)
                .map_or(0, |(_, count)| count);
            while new.next_if_eq(&number).is_some() {
                count += 1;
            }
            merged.push((number, count));
        }
        merged.extend(old);
        self.counted = merged;
    }

    /// Whether anything refers to this message. Cheap if it is the one behind the last that was asked for.
    pub(super) fn contains(&mut self, number: u64) -> bool {
        let is_here = |at: usize| self.counted.get(at).is_some_and(|it| it.0 == number);
        if is_here(self.cursor + 1) {
            self.cursor += 1;
            return true;
        }
        match self.counted.binary_search_by_key(&number, |it| it.0) {
            Ok(at) => {
                self.cursor = at;
                true
            }
            Err(_) => false,
        }
    }

    /// The messages that several things refer to, in order, with how many.
    pub(super) fn shared(&self) -> impl Iterator<Item = (u64, u32)> {
        self.counted.iter().copied().filter(|&(_, count)| count > 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_counts_like_a_map_in_whatever_order_numbers_come() {
        for (total, step) in [(0, 1), (10, 1), (300_000, 1), (300_000, 77_777)] {
            let (mut references, mut map) = (References::default(), BTreeMap::new());
            for n in 0..total {
                let number = n * step % 100_003 * 3;
                references.add(number);
                *map.entry(number).or_insert(0) += 1;
            }
            references.sort();
            let expected: Vec<_> = map.iter().map(|(&n, &count)| (n, count)).collect();
            assert_eq!(references.counted, expected);
            let shared: Vec<_> = expected.iter().copied().filter(|it| it.1 > 1).collect();
            assert!(references.shared().eq(shared));
            for number in (0..2000).chain((0..2000).rev()) {
                assert_eq!(references.contains(number), map.contains_key(&number));
            }
        }
    }
}
