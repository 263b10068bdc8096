//! Text as editors and shells of Windows write it, block by block, as UTF-8: a byte order mark is no part
//! of the first line, and behind one of UTF-16 every two bytes are a unit.

/// The byte order mark in UTF-8.
const UTF8: &[u8] = b"\xEF\xBB\xBF";
/// The same in UTF-16, which PowerShell 5 writes with `>`.
const UTF16_LITTLE: &[u8] = b"\xFF\xFE";
const UTF16_BIG: &[u8] = b"\xFE\xFF";

/// What is known about the input so far.
#[derive(Debug)]
pub enum Decoder {
    /// The bytes that came may be the beginning of a mark.
    Beginning(Vec<u8>),
    /// Bytes are passed on as they come; most often they are UTF-8, and nobody says that they must be.
    Bytes,
    /// Units of UTF-16.
    Units(Units),
}

/// UTF-16 that is cut anywhere.
#[derive(Debug)]
pub struct Units {
    join: fn([u8; 2]) -> u16,
    /// The first byte of a unit.
    byte: Option<u8>,
    /// The first unit of a pair.
    unit: Option<u16>,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::Beginning(Vec::new())
    }
}

impl Decoder {
    /// The text in the next block, as far as it is certain.
    pub fn decode(&mut self, block: Vec<u8>) -> Vec<u8> {
        match self {
            Decoder::Bytes => block,
            Decoder::Units(units) => units.decode(&block),
            Decoder::Beginning(begun) => {
                let mut bytes = std::mem::take(begun);
                bytes.extend(block);
                let marks = [UTF8, UTF16_LITTLE, UTF16_BIG];
                if marks
                    .iter()
                    .any(|mark| bytes.len() < mark.len() && mark.starts_with(&bytes))
                {
                    *begun = bytes;
                    return Vec::new();
                }
                let (decoder, length) = if bytes.starts_with(UTF8) {
                    (Decoder::Bytes, UTF8.len())
                } else if bytes.starts_with(UTF16_LITTLE) {
                    (Decoder::Units(Units::new(u16::from_le_bytes)), 2)
                } else if bytes.starts_with(UTF16_BIG) {
                    (Decoder::Units(Units::new(u16::from_be_bytes)), 2)
                } else {
                    (Decoder::Bytes, 0)
                };
                *self = decoder;
                self.decode(bytes.split_off(length))
            }
        }
    }

    /// The input has ended: what was waited for does not come any more.
    pub fn end(&mut self) -> Vec<u8> {
        match std::mem::replace(self, Decoder::Bytes) {
            Decoder::Beginning(begun) => begun,
            Decoder::Units(units) if units.byte.is_some() || units.unit.is_some() => {
                char::REPLACEMENT_CHARACTER.to_string().into_bytes()
            }
            Decoder::Bytes | Decoder::Units(_) => Vec::new(),
        }
    }
}

impl Units {
    fn new(join: fn([u8; 2]) -> u16) -> Units {
        Units {
            join,
            byte: None,
            unit: None,
        }
    }

    fn decode(&mut self, block: &[u8]) -> Vec<u8> {
        let mut units: Vec<u16> = self.unit.take().into_iter().collect();
        let mut first = self.byte.take();
        for &byte in block {
            match first.take() {
                None => first = Some(byte),
                Some(before) => units.push((self.join)([before, byte])),
            }
        }
        self.byte = first;
        // The second unit of a pair may be in the next block.
        self.unit = units.pop_if(|last| (0xD800..0xDC00).contains(last));
        String::from_utf16_lossy(&units).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Γειά\r\n𝄞 21,5\r\n";

    /// Whatever the cuts, the text is the same.
    #[track_caller]
    fn check(input: &[u8], expected: &[u8]) {
        for first in 0..=input.len() {
            for second in first..=input.len() {
                let mut decoder = Decoder::default();
                let mut found = Vec::new();
                for block in [&input[..first], &input[first..second], &input[second..]] {
                    found.extend(decoder.decode(block.to_vec()));
                }
                found.extend(decoder.end());
                assert_eq!(found, expected, "{first}, {second}");
            }
        }
    }

    fn units(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn all_that_windows_writes_is_the_same_text() {
        let marked = format!("\u{feff}{TEXT}");
        check(TEXT.as_bytes(), TEXT.as_bytes());
        check(marked.as_bytes(), TEXT.as_bytes());
        check(&units(&marked, u16::to_le_bytes), TEXT.as_bytes());
        check(&units(&marked, u16::to_be_bytes), TEXT.as_bytes());
    }

    #[test]
    fn other_bytes_stay_what_they_are() {
        for bytes in [
            &b""[..],
            b"\xEF",
            b"\xEF\xBB",
            b"\xFF",
            b"\xFF\xFDx",
            b"a\xFF\xFE",
        ] {
            check(bytes, bytes);
        }
    }

    #[test]
    fn half_a_letter_is_marked_as_such() {
        check(b"\xFF\xFEa\0b", "a\u{fffd}".as_bytes());
        check(b"\xFF\xFEa\0\x34\xD8", "a\u{fffd}".as_bytes());
        check(b"\xFF\xFE\x34\xD8a\0", "\u{fffd}a".as_bytes());
    }
}
