//! A password file as it is edited: its lines, with comments and order kept.

use crate::hash::{Hash, HashError};
use std::borrow::Cow;
use thiserror::Error;

/// The most bytes of a user name: MQTT can carry no more (MQTT 5, 1.5.4).
pub const LONGEST_NAME: usize = 65_535;

/// Why a password file cannot be edited, or a name cannot stand in it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BookError {
    /// The file is not text.
    #[error("line {0} is not UTF-8 text. Save the file as UTF-8")]
    NotText(usize),
    /// A line without a colon, a name, or a password.
    #[error("line {0} is not of the form user:password")]
    BadLine(usize),
    /// A name with the character that ends names.
    #[error("Username must not contain the ':' character, which ends it in the file")]
    Colon,
    /// A name with a line end or the like.
    #[error("Username must not contain control characters")]
    Control,
    /// A name of no characters.
    #[error("Username must not be empty")]
    Empty,
    /// A name that would be read as another one.
    #[error("Username must not begin or end with a blank")]
    Blank,
    /// A name that would make its line a comment.
    #[error("Username must not begin with '#', which makes the line a comment")]
    Comment,
    /// A name that no client could send.
    #[error("Username must be less than 65536 bytes long, and this one has {0}")]
    Long(usize),
}

/// Checks that a name can stand in a file and in a CONNECT.
///
/// # Errors
/// It cannot.
pub fn check_name(name: &str) -> Result<(), BookError> {
    if name.contains(':') {
        return Err(BookError::Colon);
    }
    if name.contains(char::is_control) {
        return Err(BookError::Control);
    }
    if name.trim().is_empty() {
        return Err(BookError::Empty);
    }
    if name.trim() != name {
        return Err(BookError::Blank);
    }
    if name.starts_with('#') {
        return Err(BookError::Comment);
    }
    if name.len() > LONGEST_NAME {
        return Err(BookError::Long(name.len()));
    }
    Ok(())
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    /// A comment or an empty line, as it stands there.
    Remark(String),
    User {
        name: String,
        secret: String,
    },
}

/// The text of a file that an editor or shell of Windows may have written: without a byte order mark, and
/// UTF-16 as UTF-8.
fn as_utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (join, rest): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (u16::from_le_bytes, rest),
        [0xFE, 0xFF, rest @ ..] => (u16::from_be_bytes, rest),
        [0xEF, 0xBB, 0xBF, rest @ ..] => return rest.into(),
        _ => return bytes.into(),
    };
    let units: Vec<u16> = rest
        .chunks_exact(2)
        .map(|pair| join([pair[0], pair[1]]))
        .collect();
    // What is no text stays none, and is refused with its line.
    match String::from_utf16(&units) {
        Ok(text) => text.into_bytes().into(),
        Err(_) => bytes.into(),
    }
}

/// The lines of a password file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    entries: Vec<Entry>,
}

impl Book {
    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// The first line that is neither a comment nor a user.
    pub fn parse(bytes: &[u8]) -> Result<Book, BookError> {
        let bytes = &as_utf8(bytes);
        let mut entries = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = str::from_utf8(line).map_err(|_| BookError::NotText(index + 1))?;
            let line = line.trim_end_matches('\r');
            if line.trim().is_empty() || line.starts_with('#') {
                entries.push(Entry::Remark(line.into()));
                continue;
            }
            let (name, secret) = line
                .split_once(':')
                .map(|(name, secret)| (name.trim(), secret.trim()))
                .filter(|(name, secret)| !name.is_empty() && !secret.is_empty())
                .ok_or(BookError::BadLine(index + 1))?;
            entries.push(Entry::User {
                name: name.into(),
                secret: secret.into(),
            });
        }
        // What follows the last line end is no line.
        if entries
            .pop_if(|last| *last == Entry::Remark(String::new()))
            .is_none()
            && bytes.is_empty()
        {
            entries.clear();
        }
        Ok(Book { entries })
    }

    /// Gives a user this hash; says whether the user was there before. A name that stood there
    /// twice stands there once afterwards.
    pub fn set(&mut self, user: &str, hash: &Hash) -> bool {
        let mut is_known = false;
        self.entries.retain_mut(|entry| match entry {
            Entry::User { name, secret } if name == user => {
                let is_first = !std::mem::replace(&mut is_known, true);
                *secret = hash.to_string();
                is_first
            }
            _ => true,
        });
        if !is_known {
            self.entries.push(Entry::User {
                name: user.into(),
                secret: hash.to_string(),
            });
        }
        is_known
    }

    /// Takes a user out; says whether it was there.
    pub fn remove(&mut self, user: &str) -> bool {
        let before = self.entries.len();
        self.entries
            .retain(|entry| !matches!(entry, Entry::User { name, .. } if name == user));
        self.entries.len() < before
    }

    /// Hashes every password that stands there in clear; returns how many did.
    ///
    /// # Errors
    /// What `hash` says.
    pub fn hash_all<E>(
        &mut self,
        mut hash: impl FnMut(&[u8]) -> Result<Hash, E>,
    ) -> Result<usize, E> {
        let mut count = 0;
        for entry in &mut self.entries {
            if let Entry::User { secret, .. } = entry
                && Hash::parse(secret).is_err()
            {
                *secret = hash(secret.as_bytes())?.to_string();
                count += 1;
            }
        }
        Ok(count)
    }

    /// The users and their hashes, or why one is none.
    pub fn hashes(&self) -> impl Iterator<Item = (&str, Result<Hash, HashError>)> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Remark(_) => None,
            Entry::User { name, secret } => Some((name.as_str(), Hash::parse(secret))),
        })
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            match entry {
                Entry::Remark(line) => text.push_str(line),
                Entry::User { name, secret } => {
                    text.push_str(name);
                    text.push(':');
                    text.push_str(secret);
                }
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Algorithm;

    fn hash(password: &[u8]) -> Hash {
        Hash::new(Algorithm::Sha512, 1, password).expect("random bytes")
    }

    #[test]
    fn comments_and_order_stay() {
        let text = "# users of the lab\n\nbob:x\nalice:y\n# end\n";
        let mut book = Book::parse(text.as_bytes()).expect("a book");
        assert_eq!(book.text(), text);
        let new = hash(b"secret");
        assert!(book.set("bob", &new));
        assert!(!book.set("carol", &new));
        let expected = format!("# users of the lab\n\nbob:{new}\nalice:y\n# end\ncarol:{new}\n");
        assert_eq!(book.text(), expected);
        assert!(book.remove("alice"));
        assert!(!book.remove("alice"));
        assert_eq!(book.text(), expected.replace("alice:y\n", ""));
    }

    #[test]
    fn files_of_windows_are_read_whatever_their_encoding() {
        let text = "\u{feff}# lab\r\nΕλένη:x\r\n";
        let units = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect();
        let (little, big): (Vec<u8>, Vec<u8>) = (units(u16::to_le_bytes), units(u16::to_be_bytes));
        for bytes in [text.as_bytes(), &little, &big] {
            let book = Book::parse(bytes).expect("a book");
            assert_eq!(book.text(), "# lab\nΕλένη:x\n");
        }
        assert_eq!(
            Book::parse(b"\xFF\xFE\x34\xD8\n\0"),
            Err(BookError::NotText(1))
        );
    }

    #[test]
    fn an_empty_file_is_a_book_without_users() {
        for text in ["", "\n", "\r\n"] {
            let mut book = Book::parse(text.as_bytes()).expect("a book");
            book.set("a", &hash(b"b"));
            let written = book.text();
            assert!(
                written.trim_start().starts_with("a:$6$"),
                "{text:?}: {written:?}"
            );
        }
    }

    #[test]
    fn a_name_that_stands_there_twice_stands_there_once_afterwards() {
        let mut book = Book::parse(b"a:1\nb:2\na:3\n").expect("a book");
        let new = hash(b"x");
        assert!(book.set("a", &new));
        assert_eq!(book.text(), format!("a:{new}\nb:2\n"));
    }

    #[test]
    fn passwords_in_clear_are_hashed_once() {
        let mut book = Book::parse("a:s:e cret \r\nb: Γειά\n".as_bytes()).expect("a book");
        let count = book.hash_all(|clear| Ok::<_, ()>(hash(clear)));
        assert_eq!(count, Ok(2));
        let once = book.clone();
        for ((user, hash), password) in book.hashes().zip(["s:e cret", "Γειά"]) {
            assert!(hash.expect(user).verify(password.as_bytes()), "{user}");
        }
        let count = book.hash_all(|clear| Ok::<_, ()>(hash(clear)));
        assert_eq!((count, &book), (Ok(0), &once));
    }

    #[test]
    fn a_line_that_is_no_user_is_named() {
        for (text, expected) in [
            ("a:b\nc\n", BookError::BadLine(2)),
            (":b\n", BookError::BadLine(1)),
            ("a:\n", BookError::BadLine(1)),
            ("#\n\n  \na : \n", BookError::BadLine(4)),
        ] {
            assert_eq!(Book::parse(text.as_bytes()), Err(expected), "{text:?}");
        }
        assert_eq!(Book::parse(b"a:b\nc:\xFF\n"), Err(BookError::NotText(2)));
    }

    #[test]
    fn names_that_cannot_stand_in_a_file_are_refused() {
        for (name, expected) in [
            ("", Err(BookError::Empty)),
            (" ", Err(BookError::Empty)),
            ("a:b", Err(BookError::Colon)),
            ("a\nb", Err(BookError::Control)),
            (" a", Err(BookError::Blank)),
            ("#a", Err(BookError::Comment)),
            ("Ελένη Π", Ok(())),
        ] {
            assert_eq!(check_name(name), expected, "{name:?}");
        }
        let long = "a".repeat(65_536);
        assert_eq!(check_name(&long), Err(BookError::Long(65_536)));
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_the_same(text in "([a-z]{1,3}:[a-z$: ]{1,5}[a-z]\n|#.{0,4}\n|\n){0,6}") {
            if let Ok(book) = Book::parse(text.as_bytes()) {
                assert_eq!(Book::parse(book.text().as_bytes()), Ok(book.clone()), "{text:?}");
            }
        }

        #[test]
        fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
            let _ = Book::parse(&bytes);
        }
    }
}
