//! How many messages at QoS 1 are on their way at once: it grows while the broker keeps up.
//!
//! Twenty is Mosquitto's number, and what every broker is prepared for. But with twenty small messages
//! in flight both sides mostly wait for each other: a hundred take a third of the time.

/// Where it begins, and stays with `-M` or another QoS.
const FIRST: u16 = 20;
/// Where it ends: some brokers in the cloud take a hundred unacknowledged messages and not one more.
const MOST: u16 = 100;
/// A message larger than this goes back to the beginning: unconfirmed messages are kept in memory.
const LARGE: usize = 16 * 1024;

/// The window of one run.
#[derive(Debug)]
pub struct Window {
    size: u16,
    grows: bool,
}

impl Window {
    /// A window that may grow, or never changes.
    pub fn new(grows: bool) -> Window {
        Window { size: FIRST, grows }
    }

    /// A message was confirmed; the new size, if it changes.
    pub fn confirmed(&mut self) -> Option<u16> {
        let grows = self.grows && self.size < MOST;
        grows.then(|| {
            self.size += 1;
            self.size
        })
    }

    /// A message of this many bytes is next; the new size, if it changes.
    pub fn next(&mut self, bytes: usize) -> Option<u16> {
        let shrinks = self.grows && bytes > LARGE && self.size > FIRST;
        shrinks.then(|| {
            self.size = FIRST;
            self.size
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_each_confirmation_up_to_its_limit() {
        let mut window = Window::new(true);
        assert_eq!(window.confirmed(), Some(21));
        let last = std::iter::from_fn(|| window.confirmed()).last();
        assert_eq!((last, window.confirmed()), (Some(100), None));
    }

    #[test]
    fn a_large_message_shrinks_it() {
        let mut window = Window::new(true);
        assert_eq!(window.next(1 << 20), None);
        window.confirmed();
        assert_eq!(window.next(LARGE), None);
        assert_eq!(window.next(LARGE + 1), Some(20));
    }

    #[test]
    fn a_size_that_was_asked_for_stays() {
        let mut window = Window::new(false);
        assert_eq!((window.confirmed(), window.next(1 << 20)), (None, None));
    }
}
