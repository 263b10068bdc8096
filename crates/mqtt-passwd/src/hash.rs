//! The hash of a password: its three written forms, making one, and checking a password against it.

use base64ct::{Base64, Base64Unpadded, Encoding};
use pbkdf2::pbkdf2_hmac;
use sha2::{Digest, Sha512};
use std::fmt;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// Bytes of a SHA-512 hash, and of the salt of a new one.
const LENGTH: usize = 64;

/// Bytes of the salt of hashes that Mosquitto 1 and 2.0 wrote.
const OLD_SALT: usize = 12;

/// Rounds of PBKDF2 if nobody asks for another number; Mosquitto's.
pub const DEFAULT_ITERATIONS: u32 = 1000;

/// More rounds than this would keep a broker busy for minutes with each login.
pub const MOST_ITERATIONS: u32 = 10_000_000;

/// Memory of a new argon2id hash, in KiB, and passes over it: Mosquitto's choice.
const NEW_ARGON2: Cost = Cost {
    memory: 47_104,
    passes: 1,
    lanes: 1,
};

/// A hash may ask for this much memory, in KiB, and no more: 1 GiB.
const MOST_MEMORY: u32 = 1024 * 1024;

/// A hash may ask for so many passes, and for so many lanes.
const MOST_PASSES: u32 = 1000;

/// How a password is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `$argon2id$…`: slow, and needs much memory; the strongest of the three.
    Argon2id,
    /// `$7$…`: PBKDF2 with HMAC-SHA-512. Every Mosquitto since 2.0 reads it.
    Sha512Pbkdf2,
    /// `$6$…`: one round of SHA-512, quickly guessed. For Mosquitto 1.
    Sha512,
}

impl Algorithm {
    /// All of them, by the names that `mqtt-passwd -H` takes.
    pub const NAMES: [(&'static str, Algorithm); 3] = [
        ("argon2id", Algorithm::Argon2id),
        ("sha512-pbkdf2", Algorithm::Sha512Pbkdf2),
        ("sha512", Algorithm::Sha512),
    ];
}

/// A text that is not the hash of a password, and why.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HashError {
    /// It begins with none of the known marks.
    #[error("a hash begins with $7$, $argon2id$ or $6$")]
    Unknown,
    /// A part between two `$` is missing, or there is one too many.
    #[error("a hash of this kind has {0}")]
    Parts(&'static str),
    /// A part is not base64.
    #[error("its {0} is not base64")]
    Base64(&'static str),
    /// A part has a length that none has.
    #[error("its {0} has {1} bytes")]
    Length(&'static str, usize),
    /// A number is no number, 0, or so large that a login would take forever.
    #[error("its {0} is not a number that can be used")]
    Number(&'static str),
}

/// What an argon2id hash costs: memory in KiB, passes over it, lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Argon2id(Cost),
    Pbkdf2 { iterations: u32 },
    Plain,
}

/// The hash of one password.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash {
    kind: Kind,
    salt: Box<[u8]>,
    hash: Box<[u8]>,
}

impl Hash {
    /// Hashes a password with a fresh salt. `iterations` is for PBKDF2 alone.
    ///
    /// # Errors
    /// The system gives no random bytes, or a number that is out of bounds.
    pub fn new(
        algorithm: Algorithm,
        iterations: u32,
        password: &[u8],
    ) -> Result<Hash, Box<dyn std::error::Error + Send + Sync>> {
        let mut salt = [0; LENGTH];
        getrandom::fill(&mut salt)?;
        let kind = match algorithm {
            Algorithm::Argon2id => Kind::Argon2id(NEW_ARGON2),
            Algorithm::Sha512Pbkdf2 => Kind::Pbkdf2 {
                iterations: in_bounds(iterations, MOST_ITERATIONS, "number of iterations")?,
            },
            Algorithm::Sha512 => Kind::Plain,
        };
        let mut made = Hash {
            kind,
            salt: salt.into(),
            hash: vec![0; LENGTH].into(),
        };
        made.hash = made.compute(password)?;
        Ok(made)
    }

    /// Reads the written form.
    ///
    /// # Errors
    /// It is none; see [`HashError`].
    pub fn parse(text: &str) -> Result<Hash, HashError> {
        if let Some(rest) = text.strip_prefix("$6$") {
            let [salt, hash] = parts(rest).ok_or(HashError::Parts("two parts: salt and hash"))?;
            return Self::sha512(Kind::Plain, salt, hash);
        }
        if let Some(rest) = text.strip_prefix("$7$") {
            let [iterations, salt, hash] =
                parts(rest).ok_or(HashError::Parts("three parts: iterations, salt and hash"))?;
            let iterations = number(iterations, MOST_ITERATIONS, "number of iterations")?;
            return Self::sha512(Kind::Pbkdf2 { iterations }, salt, hash);
        }
        let rest = text.strip_prefix("$argon2id$").ok_or(HashError::Unknown)?;
        let [version, cost, salt, hash] =
            parts(rest).ok_or(HashError::Parts("four parts: version, cost, salt and hash"))?;
        if version != "v=19" {
            return Err(HashError::Number("version"));
        }
        let decoded = |part: &str, name| {
            Base64Unpadded::decode_vec(part).map_err(|_| HashError::Base64(name))
        };
        let (salt, hash) = (decoded(salt, "salt")?, decoded(hash, "hash")?);
        // What the algorithm itself takes.
        if !(8..=1024).contains(&salt.len()) {
            return Err(HashError::Length("salt", salt.len()));
        }
        if !(4..=1024).contains(&hash.len()) {
            return Err(HashError::Length("hash", hash.len()));
        }
        Ok(Hash {
            kind: Kind::Argon2id(parse_cost(cost)?),
            salt: salt.into(),
            hash: hash.into(),
        })
    }

    fn sha512(kind: Kind, salt: &str, hash: &str) -> Result<Hash, HashError> {
        let salt = Base64::decode_vec(salt).map_err(|_| HashError::Base64("salt"))?;
        let hash = Base64::decode_vec(hash).map_err(|_| HashError::Base64("hash"))?;
        if salt.len() != OLD_SALT && salt.len() != LENGTH {
            return Err(HashError::Length("salt", salt.len()));
        }
        if hash.len() != LENGTH {
            return Err(HashError::Length("hash", hash.len()));
        }
        Ok(Hash {
            kind,
            salt: salt.into(),
            hash: hash.into(),
        })
    }

    /// Whether this is the password. Takes as long for a wrong one as for the right one.
    pub fn verify(&self, password: &[u8]) -> bool {
        self.compute(password)
            .is_ok_and(|computed| computed.ct_eq(&self.hash).into())
    }

    /// The hash that `password` has with this salt and at this cost.
    fn compute(&self, password: &[u8]) -> Result<Box<[u8]>, HashError> {
        let mut computed = vec![0; self.hash.len()];
        match self.kind {
            Kind::Plain => {
                let mut digest = Sha512::new();
                digest.update(password);
                digest.update(&self.salt);
                computed.copy_from_slice(&digest.finalize());
            }
            Kind::Pbkdf2 { iterations } => {
                pbkdf2_hmac::<Sha512>(password, &self.salt, iterations, &mut computed);
            }
            Kind::Argon2id(cost) => {
                let error = |_| HashError::Number("cost");
                let params =
                    argon2::Params::new(cost.memory, cost.passes, cost.lanes, Some(computed.len()));
                argon2::Argon2::new(
                    argon2::Algorithm::Argon2id,
                    argon2::Version::V0x13,
                    params.map_err(error)?,
                )
                .hash_password_into(password, &self.salt, &mut computed)
                .map_err(error)?;
            }
        }
        Ok(computed.into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padded = |bytes: &[u8]| Base64::encode_string(bytes);
        let bare = |bytes: &[u8]| Base64Unpadded::encode_string(bytes);
        match self.kind {
            Kind::Plain => write!(f, "$6${}${}", padded(&self.salt), padded(&self.hash)),
            Kind::Pbkdf2 { iterations } => write!(
                f,
                "$7${iterations}${}${}",
                padded(&self.salt),
                padded(&self.hash)
            ),
            Kind::Argon2id(Cost {
                memory,
                passes,
                lanes,
            }) => write!(
                f,
                "$argon2id$v=19$m={memory},t={passes},p={lanes}${}${}",
                bare(&self.salt),
                bare(&self.hash)
            ),
        }
    }
}

/// Says of which kind it is and no more: a log is no place for hashes.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hash").field(&self.kind).finish()
    }
}

/// Exactly `N` parts with a `$` between them.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    let parts: Vec<&str> = text.split('$').collect();
    parts.try_into().ok()
}

fn number(text: &str, most: u32, name: &'static str) -> Result<u32, HashError> {
    let number = text.parse().map_err(|_| HashError::Number(name))?;
    in_bounds(number, most, name)
}

fn in_bounds(number: u32, most: u32, name: &'static str) -> Result<u32, HashError> {
    if (1..=most).contains(&number) {
        Ok(number)
    } else {
        Err(HashError::Number(name))
    }
}

/// `m=47104,t=1,p=1`.
fn parse_cost(text: &str) -> Result<Cost, HashError> {
    let error = HashError::Parts("a cost like m=47104,t=1,p=1");
    let fields: Vec<&str> = text.split(',').collect();
    let [memory, passes, lanes] = fields[..] else {
        return Err(error);
    };
    let field = |text: &str, name: &str, most, what| {
        number(text.strip_prefix(name).ok_or(error)?, most, what)
    };
    let cost = Cost {
        memory: field(memory, "m=", MOST_MEMORY, "memory cost")?,
        passes: field(passes, "t=", MOST_PASSES, "number of passes")?,
        lanes: field(lanes, "p=", MOST_PASSES, "number of lanes")?,
    };
    if cost.memory < 8 * cost.lanes {
        return Err(HashError::Number("memory cost"));
    }
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Mosquitto 2.0 and by Mosquitto 2.1 for the passwords beside them.
    const KNOWN: [(&str, &str); 2] = [
        (
            "$6$njERlZMi/7DzNB9E$iiavfuXvUm8iyDZArTy7smTxh07GXXOrOsqxfW6gkOYVXHGk+W+i/8d3xDxrMwEPygEBhoA8A/gjQC0N2M4Lkw==",
            "test",
        ),
        (
            "$6$o+53eGXtmlfHeYrg$FY7X9DNQ4uU1j0NiPmGOOSU05ZSzhqNmNhXIof/0nLpVb1zDhcRHdaC72E3YryH7dtTiG/r6jH6C8J+30cZBgA==",
            "",
        ),
    ];

    #[test]
    fn what_others_have_written_is_understood() {
        for (text, password) in KNOWN {
            let hash = Hash::parse(text).expect(text);
            assert!(hash.verify(password.as_bytes()), "{text}");
            assert!(!hash.verify(b"other"), "{text}");
            assert_eq!(hash.to_string(), text);
        }
    }

    #[test]
    fn the_published_example_of_argon2id_is_understood() {
        // From the README of the reference implementation, in its second version of the algorithm.
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$\
                    CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = Hash::parse(text).expect(text);
        assert!(hash.verify(b"password"));
        assert!(!hash.verify(b"passwore"));
        assert_eq!(hash.to_string(), text);
    }

    #[test]
    fn a_new_hash_knows_its_password_and_no_other() {
        for (name, algorithm) in Algorithm::NAMES {
            let hash = Hash::new(algorithm, 1000, "Γειά".as_bytes()).expect(name);
            let read = Hash::parse(&hash.to_string()).expect(name);
            assert_eq!(read, hash, "{name}");
            assert!(read.verify("Γειά".as_bytes()), "{name}");
            for wrong in ["", "Γεια", "Γειάx"] {
                assert!(!read.verify(wrong.as_bytes()), "{name}: {wrong}");
            }
            let other = Hash::new(algorithm, 1000, "Γειά".as_bytes()).expect(name);
            assert_ne!(other, hash, "{name}: the salt is fresh");
        }
        let text = Hash::new(Algorithm::Sha512Pbkdf2, 7, b"x").expect("a hash");
        assert!(text.to_string().starts_with("$7$7$"));
    }

    #[test]
    fn what_is_no_hash_is_refused_with_the_reason() {
        let salt = "njERlZMi/7DzNB9E";
        for (text, expected) in [
            ("", "begins with"),
            ("secret", "begins with"),
            ("$5$a$b", "begins with"),
            ("$6$", "two parts"),
            ("$6$a$b$c", "two parts"),
            (&*format!("$6${salt}$"), "hash has 0 bytes"),
            ("$6$njER{ZMi/7DzNB9E$AAAA", "salt is not base64"),
            ("$6$AAAA$AAAA", "salt has 3 bytes"),
            ("$7$1000$AAAA", "three parts"),
            (&*format!("$7$0${salt}$AAAA"), "number of iterations"),
            (&*format!("$7$99999999999${salt}$AAAA"), "iterations"),
            ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ", "four parts"),
            ("$argon2id$v=16$m=8,t=2,p=1$c29tZXNhbHQ$AAAAAA", "version"),
            ("$argon2id$v=19$m=8,t=2$c29tZXNhbHQ$AAAAAA", "cost"),
            ("$argon2id$v=19$m=8,t=2,p=2$c29tZXNhbHQ$AAAAAA", "memory"),
            (
                "$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$AAAAAA",
                "memory",
            ),
        ] {
            let error = Hash::parse(text).expect_err(text).to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_hash_is_not_shown_by_accident() {
        let hash = Hash::parse(KNOWN[0].0).expect("a hash");
        assert_eq!(format!("{hash:?}"), "Hash(Plain)");
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics_the_reader(text in "\\$(6|7|argon2id)\\$.{0,60}|.{0,20}") {
            if let Ok(hash) = Hash::parse(&text) {
                let written = hash.to_string();
                assert_eq!(Hash::parse(&written).as_ref(), Ok(&hash));
            }
        }
    }
}
