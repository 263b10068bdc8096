//! Values by packet identifier: a table in which an identifier says itself where its value lies.
//!
//! Most senders give identifiers in turn, so those in use lie close together and each has the place
//! that its lower bits name. Where two want the same place, the later one takes the next that is free.

use crate::PacketId;

/// How many places there are at first; a power of two, as ever.
const FEW: usize = 8;

/// The values.
#[derive(Clone, Debug)]
pub(crate) struct ById<T> {
    /// At least half of them are free.
    places: Vec<Option<(PacketId, T)>>,
    live: usize,
    /// How many do not lie where their identifier says.
    strays: usize,
}

impl<T> Default for ById<T> {
    fn default() -> Self {
        ById {
            places: Vec::new(),
            live: 0,
            strays: 0,
        }
    }
}

impl<T> ById<T> {
    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// How many places there are, free or not.
    pub(crate) fn places(&self) -> usize {
        self.places.len()
    }

    #[inline]
    fn wrapped(&self, place: usize) -> usize {
        place & self.places.len().wrapping_sub(1)
    }

    /// The place that an identifier names.
    #[inline]
    fn home(&self, id: PacketId) -> usize {
        self.wrapped(usize::from(id.get()))
    }

    /// Where the value under an identifier lies, or else the free place where it would.
    #[inline]
    fn find(&self, id: PacketId) -> usize {
        let mut at = self.home(id);
        while let Some((other, _)) = &self.places[at]
            && *other != id
        {
            at = self.wrapped(at + 1);
        }
        at
    }

    /// The value under an identifier.
    #[inline]
    pub(crate) fn get_mut(&mut self, id: PacketId) -> Option<&mut T> {
        if self.live == 0 {
            return None;
        }
        let at = self.find(id);
        self.places[at].as_mut().map(|(_, value)| value)
    }

    /// Puts a value in.
    ///
    /// # Errors
    /// There is one under this identifier already; the new one is given back.
    #[inline]
    pub(crate) fn insert(&mut self, id: PacketId, value: T) -> Result<(), T> {
        if 2 * self.live >= self.places.len() {
            self.grow();
        }
        let at = self.find(id);
        if self.places[at].is_some() {
            return Err(value);
        }
        self.strays += usize::from(at != self.home(id));
        self.places[at] = Some((id, value));
        self.live += 1;
        Ok(())
    }

    #[cold]
    fn grow(&mut self) {
        let size = (2 * self.places.len()).max(FEW);
        let mut places = Vec::with_capacity(size);
        places.resize_with(size, || None);
        let before = std::mem::replace(&mut self.places, places);
        self.strays = 0;
        for (id, value) in before.into_iter().flatten() {
            let at = self.find(id);
            self.strays += usize::from(at != self.home(id));
            self.places[at] = Some((id, value));
        }
    }

    /// Takes a value out.
    #[inline]
    pub(crate) fn remove(&mut self, id: PacketId) -> Option<T> {
        if self.live == 0 {
            return None;
        }
        let at = self.find(id);
        let (_, removed) = self.places[at].take()?;
        self.live -= 1;
        if self.strays > 0 {
            self.close_gap(id, at);
        }
        Some(removed)
    }

    /// What lay behind `free` only because that was taken, by `removed`, moves up: it would not be
    /// found any more.
    fn close_gap(&mut self, removed: PacketId, mut free: usize) {
        self.strays -= usize::from(free != self.home(removed));
        let mut at = self.wrapped(free + 1);
        while let Some((id, _)) = &self.places[at] {
            let home = self.home(*id);
            let (way, gap) = (at.wrapping_sub(home), at.wrapping_sub(free));
            if self.wrapped(way) >= self.wrapped(gap) {
                self.strays -= usize::from(free == home);
                self.places.swap(at, free);
                free = at;
            }
            at = self.wrapped(at + 1);
        }
    }

    /// Identifiers and values, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PacketId, &T)> {
        self.places.iter().flatten().map(|(id, value)| (*id, value))
    }

    /// Values, to change, in no order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// What a map of the standard library does with the same steps; `id` says which identifiers come.
    fn compare(steps: u32, id: impl Fn(u32) -> u16) {
        let mut table = ById::default();
        let mut map = HashMap::new();
        let mut seed = 7_u32;
        for n in 0..steps {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let Some(id) = PacketId::new(id(seed >> 8)) else {
                continue;
            };
            // It grows for a while and shrinks for a while.
            let grows = n / 1000 % 2 == 0;
            match (seed >> 4) % 4 {
                0 => assert_eq!(table.get_mut(id), map.get_mut(&id)),
                1 | 2 if grows => match map.contains_key(&id) {
                    true => assert_eq!(table.insert(id, n), Err(n)),
                    false => {
                        assert_eq!(table.insert(id, n), Ok(()));
                        map.insert(id, n);
                    }
                },
                _ => assert_eq!(table.remove(id), map.remove(&id)),
            }
            assert_eq!(table.len(), map.len());
        }
        let is_stray = |table: &ById<u32>, at: usize| {
            let place = table.places[at].as_ref();
            place.is_some_and(|(id, _)| table.home(*id) != at)
        };
        let strays = (0..table.places()).filter(|&at| is_stray(&table, at));
        assert_eq!(table.strays, strays.count());
        let mut found: Vec<_> = table.iter().map(|(id, value)| (id, *value)).collect();
        let mut expected: Vec<_> = map.into_iter().collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
        assert!(steps < 1000 || table.places() > FEW);
    }

    #[test]
    fn it_is_a_map_whichever_identifiers_come() {
        compare(100_000, |random| random as u16);
        compare(100_000, |random| random as u16 % 300);
        // All want the same few places, also those at the end of the table.
        compare(20_000, |random| (random as u16 % 512) * 128 + 127);
        compare(20_000, |random| {
            (random as u16 % 512) * 128 + (random as u16 >> 9) % 3
        });
    }

    #[test]
    fn all_identifiers_have_a_place() {
        let mut table = ById::default();
        for id in 1..=u16::MAX {
            let id = PacketId::new(id).expect("it is not zero");
            assert_eq!(table.insert(id, id.get()), Ok(()));
        }
        for id in (1..=u16::MAX).rev() {
            let id = PacketId::new(id).expect("it is not zero");
            assert_eq!(table.remove(id), Some(id.get()));
        }
        assert_eq!((table.len(), table.iter().count()), (0, 0));
    }
}
