//! Bytes to integers, strings and binary data, and back (MQTT 5, 1.5).

use crate::{DecodeError, EncodeError};

/// The largest value of a variable byte integer, and so of a remaining length (MQTT 5, 1.5.5).
pub const MAX_REMAINING_LENGTH: u32 = 268_435_455;

/// The longest string or binary field in bytes (MQTT 5, 1.5.4).
pub const MAX_STRING: usize = u16::MAX as usize;

/// A variable byte integer: at most [`MAX_REMAINING_LENGTH`] (MQTT 5, 1.5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarInt(u32);

impl VarInt {
    /// `None` above [`MAX_REMAINING_LENGTH`].
    pub const fn new(value: u32) -> Option<VarInt> {
        if value <= MAX_REMAINING_LENGTH {
            Some(VarInt(value))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// How many bytes its encoding takes: 1 to 4.
    pub const fn encoded_len(self) -> usize {
        match self.0 {
            0..=127 => 1,
            128..=16_383 => 2,
            16_384..=2_097_151 => 3,
            _ => 4,
        }
    }

    /// Appends the encoding.
    #[inline]
    pub fn encode(self, out: &mut Vec<u8>) {
        let mut rest = self.0;
        while rest >= 128 {
            out.push((rest as u8 & 0x7F) | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    /// Reads from the front of `bytes`: the value and how many bytes it took.
    ///
    /// `Ok(None)` where the bytes end inside the number. A number that could have been
    /// written shorter is refused [MQTT-1.5.5-1].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(VarInt, usize)>, DecodeError> {
        match VarInt::decode_any(bytes)? {
            Some((value, used)) if used > value.encoded_len() => Err(DecodeError::malformed(
                "MQTT-1.5.5-1",
                "a length is not in its shortest form",
            )),
            read => Ok(read),
        }
    }

    /// The same, with a number that could have been written shorter accepted: no version before
    /// 5 forbids it, and some small devices keep a fixed number of bytes for a length.
    pub(crate) fn decode_any(bytes: &[u8]) -> Result<Option<(VarInt, usize)>, DecodeError> {
        let mut value = 0u32;
        for (at, &byte) in bytes.iter().take(4).enumerate() {
            value |= u32::from(byte & 0x7F) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(Some((VarInt(value), at + 1)));
            }
        }
        if bytes.len() < 4 {
            return Ok(None);
        }
        Err(DecodeError::malformed(
            "1.5.5",
            "a length has more than four bytes",
        ))
    }
}

/// What is left of a packet's bytes while it is being decoded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

const SHORT: DecodeError = DecodeError::malformed("4.13", "the packet ends before its last field");

impl<'a> Reader<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Reader<'a> {
        Reader { rest }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(crate) fn remainder(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(SHORT)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(SHORT)?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        let (&taken, rest) = self.rest.split_first_chunk::<2>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(taken))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        let (&taken, rest) = self.rest.split_first_chunk::<4>().ok_or(SHORT)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(taken))
    }

    pub(crate) fn var_int(&mut self) -> Result<VarInt, DecodeError> {
        let (value, used) = VarInt::decode(self.rest)?.ok_or(SHORT)?;
        self.rest = &self.rest[used..];
        Ok(value)
    }

    /// Binary data: two bytes of length, then the data (MQTT 5, 1.5.6).
    pub(crate) fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    /// A UTF-8 encoded string (MQTT 5, 1.5.4).
    pub(crate) fn string(&mut self) -> Result<&'a str, DecodeError> {
        let bytes = self.binary()?;
        utf8_string(bytes)
    }

    /// Ends the decoding of a packet: nothing may be left.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::malformed(
                "4.13",
                "there are bytes after the packet's last field",
            ))
        }
    }
}

/// Checks that `bytes` are a string as MQTT wants it.
///
/// Besides ill-formed UTF-8 with its surrogates [MQTT-1.5.4-1] and NUL [MQTT-1.5.4-2] this
/// refuses control characters and non-characters, as the standard permits (MQTT 5, 1.5.4) and
/// Mosquitto does: in a topic they are only ever a mistake or an attack on a log file.
///
/// # Errors
/// [`ReasonCode::MalformedPacket`](crate::ReasonCode::MalformedPacket).
pub fn utf8_string(bytes: &[u8]) -> Result<&str, DecodeError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| DecodeError::malformed("MQTT-1.5.4-1", "a string is not well-formed UTF-8"))?;
    // Looking at all bytes, many at a time, is faster than stopping at the first.
    let printable_ascii = bytes
        .iter()
        .fold(true, |so_far, b| so_far & (0x20..0x7F).contains(b));
    if printable_ascii {
        return Ok(text);
    }
    for c in text.chars() {
        if c == '\0' {
            return Err(DecodeError::malformed(
                "MQTT-1.5.4-2",
                "a string contains the null character",
            ));
        }
        if c.is_control() {
            return Err(DecodeError::malformed(
                "1.5.4",
                "a string contains a control character",
            ));
        }
        let code = u32::from(c);
        if code & 0xFFFE == 0xFFFE || (0xFDD0..=0xFDEF).contains(&code) {
            return Err(DecodeError::malformed(
                "1.5.4",
                "a string contains a Unicode non-character",
            ));
        }
    }
    Ok(text)
}

/// Appends binary data or a string with its two bytes of length.
///
/// # Errors
/// [`EncodeError::FieldTooLong`], naming `field`, above [`MAX_STRING`] bytes.
#[inline]
pub(crate) fn put_binary(
    out: &mut Vec<u8>,
    bytes: &[u8],
    field: &'static str,
) -> Result<(), EncodeError> {
    let length = u16::try_from(bytes.len()).map_err(|_| EncodeError::FieldTooLong(field))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_byte_integer_has_one_encoding() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            2_097_151,
            2_097_152,
            MAX_REMAINING_LENGTH,
        ] {
            let number = VarInt::new(value).unwrap();
            let mut bytes = Vec::new();
            number.encode(&mut bytes);
            assert_eq!(bytes.len(), number.encoded_len());
            assert_eq!(VarInt::decode(&bytes), Ok(Some((number, bytes.len()))));
            for cut in 0..bytes.len() {
                assert_eq!(VarInt::decode(&bytes[..cut]), Ok(None));
            }
        }
        assert_eq!(VarInt::new(MAX_REMAINING_LENGTH + 1), None);
        assert_eq!(
            VarInt::decode(&[0x80, 0x00]).unwrap_err().clause,
            "MQTT-1.5.5-1"
        );
        assert_eq!(
            VarInt::decode(&[0xFF, 0xFF, 0xFF, 0xFF])
                .unwrap_err()
                .clause,
            "1.5.5"
        );
    }

    #[test]
    fn strings_hold_text_and_nothing_else() {
        for good in [
            "",
            "topic",
            "θερμοκρασία/α",
            "🦀",
            "\u{FEFF}bom",
            "\u{FFFD}",
        ] {
            assert_eq!(utf8_string(good.as_bytes()), Ok(good));
        }
        for bad in [
            &b"a\0"[..],
            b"\xED\xA0\x80",
            b"\xFF",
            b"a\x01",
            b"\x1F",
            b"\x7F",
            b"\xC2\x9F",
            b"\xEF\xBF\xBF",
            b"\xEF\xB7\x90",
        ] {
            assert!(utf8_string(bad).is_err(), "{bad:?}");
        }
    }
}
