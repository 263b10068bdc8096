//! Which answer belongs to which request.

use std::collections::VecDeque;

use mqtt_proto::{Properties, PropertiesBuf, Property, Publish};
use tokio::time::Instant;

/// The requests that wait for their answers.
///
/// A response topic may be shared with others. In version 5 the answer repeats the correlation data of
/// its request, and one with other data is not for us. An answer without any, as from a responder that
/// knows nothing of them, belongs to the oldest request.
#[derive(Debug)]
pub struct Answers {
    /// What is in the correlation data of all our requests.
    mark: Mark,
    waiting: VecDeque<(u64, Instant)>,
}

#[derive(Debug)]
enum Mark {
    /// They have none, or the version knows none.
    None,
    /// The user's, the same in all requests.
    Given(Vec<u8>),
    /// Our own, followed by the number of the request.
    Own([u8; 8]),
}

impl Answers {
    /// For requests with these properties. Requests that are to be told apart get correlation data of
    /// their own, unless the user has given some; a single one stays as the user has written it.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new(
        properties: Properties<'_>,
        is_v5: bool,
        many: bool,
    ) -> Result<Answers, getrandom::Error> {
        let mark = match properties.correlation_data() {
            _ if !is_v5 => Mark::None,
            Some(data) => Mark::Given(data.to_vec()),
            None if many => {
                let mut random = [0; 8];
                getrandom::fill(&mut random)?;
                Mark::Own(random)
            }
            None => Mark::None,
        };
        Ok(Answers {
            mark,
            waiting: VecDeque::new(),
        })
    }

    /// How many requests have no answer yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The properties of request `number`, which leaves now.
    pub fn asked(&mut self, number: u64, properties: Properties<'_>) -> PropertiesBuf {
        self.waiting.push_back((number, Instant::now()));
        let mut properties = PropertiesBuf::from(properties);
        if let Mark::Own(random) = &self.mark {
            let data = [&random[..], &number.to_be_bytes()].concat();
            properties
                .push(Property::CorrelationData(&data))
                .expect("sixteen bytes have a wire form");
        }
        properties
    }

    /// A message has come: when its request left, or `None` if it answers none of ours.
    pub fn answered(&mut self, message: &Publish<'_>) -> Option<Instant> {
        let data = message.properties.correlation_data();
        let at = match (&self.mark, data) {
            (Mark::None, _) | (_, None) => 0,
            (Mark::Given(given), Some(data)) if given == data => 0,
            (Mark::Given(_), Some(_)) => return None,
            (Mark::Own(random), Some(data)) => {
                let number = data.strip_prefix(random)?;
                let number = u64::from_be_bytes(number.try_into().ok()?);
                self.waiting.iter().position(|(n, _)| *n == number)?
            }
        };
        self.waiting.remove(at).map(|(_, left)| left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_proto::{QoS, Topic};

    fn message<'a>(properties: &'a PropertiesBuf) -> Publish<'a> {
        Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            topic: Some(Topic::parse("t").unwrap()),
            packet_id: None,
            properties: properties.view(),
            payload: b"",
        }
    }

    fn with(data: &[u8]) -> PropertiesBuf {
        let mut properties = PropertiesBuf::new();
        properties.push(Property::CorrelationData(data)).unwrap();
        properties
    }

    #[test]
    fn answers_in_any_order_find_their_requests_and_strangers_do_not() {
        let none = PropertiesBuf::new();
        let mut answers = Answers::new(none.view(), true, true).unwrap();
        let first = answers.asked(1, none.view());
        let second = answers.asked(2, none.view());
        assert!(answers.answered(&message(&with(b"stranger"))).is_none());
        assert!(answers.answered(&message(&second)).is_some());
        assert!(answers.answered(&message(&second)).is_none());
        assert!(answers.answered(&message(&first)).is_some());
        assert_eq!(answers.waiting(), 0);
    }

    #[test]
    fn an_answer_without_correlation_data_belongs_to_the_oldest_request() {
        let none = PropertiesBuf::new();
        let mut answers = Answers::new(none.view(), true, true).unwrap();
        answers.asked(1, none.view());
        assert!(answers.answered(&message(&none)).is_some());
        assert!(answers.answered(&message(&none)).is_none());
    }

    #[test]
    fn correlation_data_of_the_users_choice_are_kept_and_looked_at() {
        let given = with(b"mine");
        let mut answers = Answers::new(given.view(), true, true).unwrap();
        let asked = answers.asked(1, given.view());
        assert_eq!(asked.view().correlation_data(), Some(&b"mine"[..]));
        assert!(answers.answered(&message(&with(b"yours"))).is_none());
        assert!(answers.answered(&message(&given)).is_some());
    }

    #[test]
    fn a_single_request_is_not_marked() {
        let none = PropertiesBuf::new();
        let mut answers = Answers::new(none.view(), true, false).unwrap();
        assert!(answers.asked(1, none.view()).view().is_empty());
        assert!(answers.answered(&message(&with(b"any"))).is_some());
    }
}
