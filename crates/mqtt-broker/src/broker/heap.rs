//! `memory_limit`: how much is in use, and when the engine is told that it is too much.

use super::Core;
use crate::log::Line;

/// Watches the heap of the process.
#[derive(Default)]
pub(super) struct HeapWatch {
    /// How many bytes are in use; only a program that counts them can tell.
    pub(super) in_use: Option<fn() -> usize>,
    limit: Option<u64>,
    is_full: bool,
}

impl HeapWatch {
    pub(super) fn new(in_use: Option<fn() -> usize>) -> HeapWatch {
        HeapWatch {
            in_use,
            ..HeapWatch::default()
        }
    }

    /// The verdict, if it has changed, and the bytes that are in use.
    fn look(&mut self) -> Option<(bool, u64)> {
        let in_use = self
            .in_use
            .filter(|_| self.limit.is_some() || self.is_full)?;
        let limit = self.limit.unwrap_or(u64::MAX);
        let bytes = in_use() as u64;
        // It ends later than it begins, so that it does not begin again at once.
        let is_full = match self.is_full {
            true => bytes > limit - limit / 10,
            false => bytes > limit,
        };
        let has_changed = std::mem::replace(&mut self.is_full, is_full) != is_full;
        has_changed.then_some((is_full, bytes))
    }
}

impl Core {
    /// From now on this limit holds.
    pub(super) fn limit_heap(&mut self) {
        self.heap.limit = self.config.memory_limit;
        if self.heap.limit.is_some() && self.heap.in_use.is_none() {
            let what = "memory_limit has no effect: this program does not count its memory.";
            self.log.line(Line::Caution { what });
        }
        self.look_at_heap();
    }

    /// Tells the engine when memory becomes short, and when it is no longer.
    pub(super) fn look_at_heap(&mut self) {
        let Some((is_full, bytes)) = self.heap.look() else {
            return;
        };
        self.engine.handle_memory(is_full);
        let what = match (is_full, self.heap.limit) {
            (true, Some(limit)) => format!(
                "{bytes} bytes of memory are in use, and memory_limit is {limit}: new clients, subscriptions and messages that have to be kept are refused until it is less."
            ),
            _ => format!("{bytes} bytes of memory are in use: nothing is refused any more."),
        };
        self.log_line(Line::Caution { what: &what });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    thread_local! {
        static BYTES: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn it_is_said_once_when_it_begins_and_once_when_it_ends() {
        let mut watch = HeapWatch::new(Some(|| BYTES.get()));
        watch.limit = Some(1000);
        for (bytes, expected) in [
            (1000, None),
            (1001, Some(true)),
            (5000, None),
            (901, None),
            (900, Some(false)),
            (1000, None),
        ] {
            BYTES.set(bytes);
            let found = watch.look();
            let verdict = expected.map(|is_full| (is_full, bytes as u64));
            assert_eq!(found, verdict, "{bytes}");
        }
    }

    #[test]
    fn a_limit_that_is_taken_away_ends_it() {
        let mut watch = HeapWatch::new(Some(|| 500));
        watch.limit = Some(100);
        assert_eq!(watch.look(), Some((true, 500)));
        watch.limit = None;
        assert_eq!(watch.look(), Some((false, 500)));
        assert_eq!(watch.look(), None);
    }
}
