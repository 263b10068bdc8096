//! The payload of a kept message: a short one lies in the message itself, a long one is shared.

use bytes::Bytes;
use std::fmt;
use std::ops::Deref;

/// Up to this many bytes lie in the message: it is then one piece of memory and not two.
const INLINE: usize = 78;

/// A payload that outlives the bytes it came in.
#[derive(Clone)]
pub struct Payload(Form);

#[derive(Clone)]
enum Form {
    Inline(u8, [u8; INLINE]),
    Shared(Bytes),
}

impl Payload {
    /// A copy.
    pub fn copy_of(bytes: &[u8]) -> Payload {
        let mut inline = [0; INLINE];
        match (inline.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(bytes);
                Payload(Form::Inline(length, inline))
            }
            _ => Payload(Form::Shared(Bytes::copy_from_slice(bytes))),
        }
    }

    /// Becomes a copy of these bytes.
    pub fn set(&mut self, bytes: &[u8]) {
        if let Form::Inline(length, inline) = &mut self.0
            && let (Some(place), Ok(new)) =
                (inline.get_mut(..bytes.len()), u8::try_from(bytes.len()))
        {
            // What is behind them may stay.
            place.copy_from_slice(bytes);
            *length = new;
        } else {
            *self = Payload::copy_of(bytes);
        }
    }

    /// The bytes as something that others can hold, too; a short payload is copied for that.
    pub fn to_shared(&self) -> Bytes {
        match &self.0 {
            Form::Inline(..) => Bytes::copy_from_slice(self),
            Form::Shared(bytes) => bytes.clone(),
        }
    }

    /// The buffer that the bytes lie in, if it is shared.
    pub fn owner(&self) -> Option<&Bytes> {
        match &self.0 {
            Form::Inline(..) => None,
            Form::Shared(bytes) => Some(bytes),
        }
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Payload {
        Payload(Form::Shared(bytes))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        if bytes.len() > INLINE {
            Payload(Form::Shared(bytes.into()))
        } else {
            Payload::copy_of(&bytes)
        }
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Form::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Form::Shared(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_of_any_length_is_what_it_was_made_of() {
        for length in [0, 1, INLINE - 1, INLINE, INLINE + 1, 255, 256, 300] {
            let bytes: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let payload = Payload::copy_of(&bytes);
            assert_eq!(*payload, *bytes);
            assert_eq!(*payload.to_shared(), *bytes);
            assert_eq!(payload.owner().is_some(), length > INLINE);
            assert_eq!(*Payload::from(bytes.clone()), *bytes);
            assert_eq!(*Payload::from(Bytes::from(bytes.clone())), *bytes);
            for mut other in [Payload::copy_of(b"other"), Payload::copy_of(&[7; 400])] {
                other.set(&bytes);
                assert_eq!(*other, *bytes);
            }
        }
    }
}
