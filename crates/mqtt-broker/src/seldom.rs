//! A queue that is nearly always empty, and then takes no more room than a pointer.

use std::collections::VecDeque;
use std::ops::Deref;

/// Reads like a [`VecDeque`]; what may put something in is asked for with [`Seldom::filled`].
#[derive(Debug)]
#[allow(clippy::box_collection)] // That it is small is what it is for.
pub struct Seldom<T>(Option<Box<VecDeque<T>>>);

impl<T> Default for Seldom<T> {
    fn default() -> Seldom<T> {
        Seldom(None)
    }
}

impl<T: 'static> Seldom<T> {
    const EMPTY: &'static VecDeque<T> = &VecDeque::new();

    /// The queue, to put something in.
    pub fn filled(&mut self) -> &mut VecDeque<T> {
        self.0.get_or_insert_default()
    }

    /// Appends one.
    pub fn push_back(&mut self, value: T) {
        self.filled().push_back(value);
    }

    /// The first, to change.
    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()?.front_mut()
    }

    /// The last, to change.
    pub fn back_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()?.back_mut()
    }

    /// Takes the first; the last one takes the room with it.
    pub fn pop_front(&mut self) -> Option<T> {
        let first = self.0.as_mut()?.pop_front();
        self.drop_if_empty();
        first
    }

    /// Takes one out of the middle.
    pub fn remove(&mut self, at: usize) -> Option<T> {
        let removed = self.0.as_mut()?.remove(at);
        self.drop_if_empty();
        removed
    }

    /// Keeps those for which `is_kept`.
    pub fn retain(&mut self, is_kept: impl FnMut(&T) -> bool) {
        if let Some(queue) = &mut self.0 {
            queue.retain(is_kept);
        }
        self.drop_if_empty();
    }

    /// Takes all.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Takes all, and returns them.
    pub fn take(&mut self) -> VecDeque<T> {
        self.0.take().map(|queue| *queue).unwrap_or_default()
    }

    fn drop_if_empty(&mut self) {
        if self.0.as_ref().is_some_and(|queue| queue.is_empty()) {
            self.0 = None;
        }
    }
}

impl<T: 'static> Deref for Seldom<T> {
    type Target = VecDeque<T>;

    fn deref(&self) -> &VecDeque<T> {
        self.0.as_deref().unwrap_or(Self::EMPTY)
    }
}

impl<T> FromIterator<T> for Seldom<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Seldom<T> {
        let queue: VecDeque<T> = values.into_iter().collect();
        Seldom((!queue.is_empty()).then(|| Box::new(queue)))
    }
}
