//! Which of the messages that come are wanted.

use std::hash::{BuildHasher, RandomState};

use mqtt_proto::{Filter, Publish};

/// What leaves messages out.
#[derive(Debug, Default)]
pub struct Selection {
    /// Retained messages are not wanted.
    pub no_retained: bool,
    /// Only retained messages are wanted, and the first other one ends the run.
    pub retained_only: bool,
    /// Messages on these topics are not wanted.
    pub filter_out: Vec<Box<Filter>>,
    /// Decides by chance which of the wanted ones are shown.
    pub dice: Option<Dice>,
}

impl Selection {
    /// Whether a message is wanted, and so counts.
    pub fn wants(&self, message: &Publish<'_>) -> bool {
        let filtered = |topic| self.filter_out.iter().any(|filter| filter.matches(topic));
        let stale = message.retain && self.no_retained;
        !stale && !message.topic.is_some_and(filtered)
    }

    /// Whether a wanted message is to be shown as well.
    pub fn shows(&mut self) -> bool {
        self.dice.as_mut().is_none_or(Dice::throw)
    }
}

/// Chance, good enough for thinning out messages (the generator is SplitMix64).
#[derive(Debug)]
pub struct Dice {
    state: u64,
    probability: f64,
}

impl Dice {
    /// Dice that say yes with this probability, from 0 to 1.
    pub fn new(probability: f64) -> Dice {
        Dice {
            // The standard library's own seed for hashing: different in every run.
            state: RandomState::new().hash_one(0),
            probability,
        }
    }

    fn throw(&mut self) -> bool {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // 53 bits are as many as a float holds, so that the quotient is below 1.
        let fraction = (mixed >> 11) as f64 / (1u64 << 53) as f64;
        fraction < self.probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_proto::{Properties, QoS, Topic};

    #[track_caller]
    fn check(selection: &Selection, topic: &str, retain: bool, expected: bool) {
        let message = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain,
            topic: Some(Topic::parse(topic).unwrap()),
            packet_id: None,
            properties: Properties::EMPTY,
            payload: b"x",
        };
        assert_eq!(selection.wants(&message), expected, "{topic} {retain}");
    }

    #[test]
    fn retained_and_filtered_messages_are_not_wanted() {
        let selection = Selection {
            no_retained: true,
            filter_out: vec![Filter::parse("a/+").unwrap().into()],
            ..Selection::default()
        };
        check(&selection, "t", true, false);
        check(&selection, "a/b", false, false);
        check(&selection, "a/b/c", false, true);
        check(&Selection::default(), "t", true, true);
    }

    #[test]
    fn chance_shows_the_asked_for_share() {
        for (probability, expected) in [
            (1.0, 10_000..=10_000),
            (0.5, 4_700..=5_300),
            (0.01, 50..=150),
        ] {
            // A fixed seed: the same throws in every run.
            let mut dice = Dice {
                state: 1,
                probability,
            };
            let shown = (0..10_000).filter(|_| dice.throw()).count();
            assert!(expected.contains(&shown), "{probability}: {shown}");
        }
    }
}
