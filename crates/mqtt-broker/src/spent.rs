//! Messages that have ended: the next ones take their memory, which is still warm.

use crate::message::{Message, Publication};
use mqtt_proto::Topic;
use std::sync::Arc;

/// So many are kept at most: with what they may have, below half a megabyte.
const MOST: usize = 1024;

/// A longer topic is not kept for a message that may never come.
const LONGEST_TOPIC: usize = 256;

/// The messages.
#[derive(Debug, Default)]
pub struct Spent(Vec<Arc<Message>>);

impl Spent {
    /// Somebody needs a message no more; perhaps nobody else does either.
    pub fn put(&mut self, message: Arc<Message>) {
        let is_small = message.payload.owner().is_none()
            && message.properties.view().is_empty()
            && message.topic.len() <= LONGEST_TOPIC;
        if is_small && self.0.len() < MOST && Arc::strong_count(&message) == 1 {
            self.0.push(message);
        }
    }

    /// Makes a publication last; `topic` is its topic, where somebody has it already.
    pub fn keep(
        &mut self,
        publication: &Publication<'_>,
        topic: Option<&Arc<Topic>>,
    ) -> Arc<Message> {
        let new_topic = || topic.cloned().unwrap_or_else(|| publication.topic.into());
        let Some(mut spent) = self.0.pop() else {
            return Arc::new(publication.to_message_on(new_topic()));
        };
        match Arc::get_mut(&mut spent) {
            None => Arc::new(publication.to_message_on(new_topic())),
            Some(message) => {
                if !topic.is_some_and(|topic| Arc::ptr_eq(topic, &message.topic)) {
                    message.topic = new_topic();
                }
                publication.replace(message);
                spent
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_proto::{PropertiesBuf, Property};

    #[test]
    fn nothing_of_a_spent_message_is_left_in_the_next() {
        let mut spent = Spent::default();
        let first = spent.keep(&Publication::plain("a/long/topic", b"a long payload"), None);
        first.number.set(7);
        first.number.first_noted(3);
        let place = Arc::as_ptr(&first);
        spent.put(first);
        let mut properties = PropertiesBuf::new();
        properties
            .push(Property::UserProperty(("a", "b")))
            .expect("it fits");
        let next = Publication {
            properties: properties.view(),
            retain: true,
            ..Publication::plain("b", b"x")
        };
        let next = spent.keep(&next, None);
        assert_eq!(Arc::as_ptr(&next), place);
        let expected = Arc::new(Publication::of(&next).to_message());
        assert_eq!(format!("{next:?}"), format!("{expected:?}"));
        assert_eq!((next.number.get(), &*next.topic.to_string()), (0, "b"));
        assert_eq!(*next.payload, *b"x");
    }

    #[test]
    fn a_message_that_somebody_has_is_not_spent() {
        let mut spent = Spent::default();
        let first = spent.keep(&Publication::plain("a", b"1"), None);
        spent.put(first.clone());
        let second = spent.keep(&Publication::plain("b", b"2"), None);
        assert_eq!((&*first.payload, &*second.payload), (&b"1"[..], &b"2"[..]));
    }

    #[test]
    fn a_topic_that_is_known_is_shared() {
        let mut spent = Spent::default();
        let topic: Arc<Topic> = Topic::parse("a").expect("it is a topic").into();
        for _ in 0..3 {
            let message = spent.keep(&Publication::plain("a", b"1"), Some(&topic));
            assert!(Arc::ptr_eq(&message.topic, &topic));
            spent.put(message);
        }
        assert_eq!(Arc::strong_count(&topic), 2);
    }
}
