//! What is said of messages that did not arrive: their numbers, in ranges.

/// What a message's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Messages of one kind.
    Messages,
    /// Lines of the input or of a record.
    Lines,
}

impl Counted {
    /// One message by its number.
    pub fn name(self, number: u64) -> String {
        match self {
            Counted::Messages => format!("Publish {number}"),
            Counted::Lines => format!("Line {number}"),
        }
    }

    /// Says of which messages nobody knows whether they arrived; `None` if there are none. The numbers
    /// need no order, and may come twice: once for each topic.
    pub fn unconfirmed(self, mut numbers: Vec<u64>) -> Option<String> {
        numbers.sort_unstable();
        numbers.dedup();
        let which = ranges(&numbers);
        match (self, numbers.len()) {
            (_, 0) => None,
            (Counted::Messages, _) => {
                Some("Error: The message was not confirmed by the broker.".to_owned())
            }
            (Counted::Lines, 1) => Some(format!(
                "Error: Line {which} was not confirmed by the broker."
            )),
            (Counted::Lines, _) => Some(format!(
                "Error: Lines {which} were not confirmed by the broker."
            )),
        }
    }
}

/// Numbers in ascending order as people write them: `3-5, 9`.
fn ranges(numbers: &[u64]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for run in numbers.chunk_by(|a, b| a + 1 == *b) {
        parts.push(match run {
            [first, .., last] => format!("{first}-{last}"),
            [only] => only.to_string(),
            [] => continue,
        });
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_as_ranges() {
        for (numbers, expected) in [
            (&[][..], ""),
            (&[4], "4"),
            (&[1, 2, 3, 7, 9, 10], "1-3, 7, 9-10"),
        ] {
            assert_eq!(ranges(numbers), expected);
        }
    }

    #[test]
    fn a_line_that_went_to_several_topics_is_named_once() {
        let sentence = Counted::Lines.unconfirmed(vec![4, 4, 3, 3]).unwrap();
        assert_eq!(
            sentence,
            "Error: Lines 3-4 were not confirmed by the broker."
        );
        assert_eq!(Counted::Lines.unconfirmed(Vec::new()), None);
    }
}
