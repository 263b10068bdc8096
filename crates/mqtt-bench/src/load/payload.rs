//! The payload of a publisher's messages: bytes with a place for the mark that tells messages apart.

use super::stamp::{self, Stamp};
use crate::names::{self, Fill};

/// The digits of a mark in a text.
pub const DIGITS: usize = stamp::SIZE * 2;
const HEX: &[u8; 16] = b"0123456789abcdef";
/// How a mark in a text begins: `MB` in digits.
const FRONT: &[u8] = b"4d42";

/// A payload that is sent again and again, with another mark each time.
#[derive(Debug, Clone)]
pub struct Payload {
    /// All of it.
    pub bytes: Vec<u8>,
    mark: Mark,
}

/// Where the mark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// As bytes, at the front.
    Bytes,
    /// As hexadecimal digits, from here on.
    Digits(usize),
    /// There is none.
    None,
}

impl Payload {
    /// So many bytes: the mark, and dots.
    pub fn of_size(size: usize) -> Payload {
        Payload {
            bytes: vec![b'.'; size.max(stamp::SIZE)],
            mark: Mark::Bytes,
        }
    }

    /// No payload at all, which removes a retained message.
    pub fn empty() -> Payload {
        Payload {
            bytes: Vec::new(),
            mark: Mark::None,
        }
    }

    /// A text with places to fill in: those of topics, and `%m` for the mark.
    pub fn of_template(text: &str, with: Fill<'_>) -> Payload {
        let Some((front, behind)) = text.split_once("%m") else {
            return Payload {
                bytes: names::fill(text, with, "").into_bytes(),
                mark: Mark::None,
            };
        };
        let mut bytes = names::fill(front, with, "").into_bytes();
        let mark = Mark::Digits(bytes.len());
        bytes.extend([b'0'; DIGITS]);
        bytes.extend(names::fill(behind, with, "").into_bytes());
        Payload { bytes, mark }
    }

    /// Puts a mark into a copy of the payload.
    #[inline]
    pub fn mark(&self, copy: &mut [u8], stamp: Stamp) {
        let bytes = stamp.to_bytes();
        match self.mark {
            Mark::Bytes => copy[..stamp::SIZE].copy_from_slice(&bytes),
            Mark::Digits(at) => {
                for (digits, byte) in copy[at..at + DIGITS].chunks_exact_mut(2).zip(bytes) {
                    digits[0] = HEX[usize::from(byte >> 4)];
                    digits[1] = HEX[usize::from(byte & 15)];
                }
            }
            Mark::None => {}
        }
    }
}

/// The mark in a payload, whether as bytes or as digits; `hint` is where digits were the last time.
pub fn find(payload: &[u8], hint: &mut usize) -> Option<Stamp> {
    Stamp::read(payload).or_else(|| {
        at(payload, *hint).or_else(|| {
            let places = payload.windows(FRONT.len()).enumerate();
            let mut marks = places.filter(|(_, bytes)| *bytes == FRONT);
            marks.find_map(|(place, _)| {
                *hint = place;
                at(payload, place)
            })
        })
    })
}

fn at(payload: &[u8], place: usize) -> Option<Stamp> {
    let digits = payload.get(place..place + DIGITS)?;
    let mut bytes = [0; stamp::SIZE];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| {
            char::from(digit)
                .to_digit(16)
                .and_then(|it| u8::try_from(it).ok())
        };
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Stamp::read(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp {
        run: 9,
        publisher: 3,
        counter: 77,
        time: 123_456_789,
    };

    #[track_caller]
    fn check(payload: &Payload, expected: Option<Stamp>) {
        let mut copy = payload.bytes.clone();
        payload.mark(&mut copy, STAMP);
        assert_eq!(copy.len(), payload.bytes.len());
        let mut hint = 5;
        assert_eq!(find(&copy, &mut hint), expected);
        // A second time, where it was found.
        assert_eq!(find(&copy, &mut hint), expected);
    }

    #[test]
    fn a_mark_is_found_where_it_was_put() {
        let with = Fill {
            index: 4,
            ..Fill::default()
        };
        check(&Payload::of_size(64), Some(STAMP));
        let text = Payload::of_template("{\"id\":%i,\"x\":\"4d42\",\"mark\":\"%m\"}", with);
        check(&text, Some(STAMP));
        assert!(text.bytes.starts_with(b"{\"id\":4,"));
        check(&Payload::of_template("21.5", with), None);
        check(&Payload::empty(), None);
    }
}
