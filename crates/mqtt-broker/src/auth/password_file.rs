//! The file of `password_file`, from its bytes to [`Passwords`], and the check of one login.

use crate::config::fault::Fault;
use crate::config::text;
use mqtt_passwd::book::LONGEST_NAME;
use mqtt_passwd::hash::{Hash, HashError};
use std::collections::HashMap;
use std::io;
use std::path::Path;

/// The users of one file and the hashes of their passwords.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passwords {
    users: HashMap<Box<str>, Hash>,
}

impl Passwords {
    /// Whether this is the user's password.
    ///
    /// It takes as long as the hash was made to take, milliseconds at least: not for a thread
    /// that serves clients. Whether the user exists cannot be told from the time.
    pub fn verify(&self, user: &str, password: Option<&[u8]>) -> bool {
        // To Mosquitto an empty password is none; no hash lets it in.
        let Some(password) = password.filter(|password| !password.is_empty()) else {
            return false;
        };
        match self.users.get(user) {
            Some(hash) => hash.verify(password),
            None => {
                if let Some(any) = self.users.values().next() {
                    any.verify(password);
                }
                false
            }
        }
    }

    /// The hash that a user has.
    pub(crate) fn hash(&self, user: &str) -> Option<&Hash> {
        self.users.get(user)
    }
}

/// Reads a file: the users, and what its owner should look at.
///
/// # Errors
/// All its mistakes, or that it cannot be read.
pub fn load(path: &Path) -> Result<(Passwords, Vec<String>), Vec<Fault>> {
    let name = path.display().to_string();
    match std::fs::read(path) {
        Ok(bytes) => parse(&name, &bytes),
        Err(error) => Err(vec![unreadable(&name, &error)]),
    }
}

fn unreadable(name: &str, error: &io::Error) -> Fault {
    let (what, advice) = match error.kind() {
        io::ErrorKind::NotFound => (
            format!("there is no password file '{name}'."),
            Some(format!("Make one: mqtt-passwd -c {name} USER")),
        ),
        _ => (
            format!("the password file '{name}' cannot be read: {error}."),
            None,
        ),
    };
    Fault {
        file: String::new(),
        line: 0,
        text: String::new(),
        what,
        advice,
    }
}

/// Reads the bytes of a file; `name` is its name for messages.
///
/// # Errors
/// All its mistakes.
pub fn parse(name: &str, bytes: &[u8]) -> Result<(Passwords, Vec<String>), Vec<Fault>> {
    let mut passwords = Passwords::default();
    let (mut faults, mut cautions) = (Vec::new(), Vec::new());
    for (index, line) in text::lines(bytes).into_iter().enumerate() {
        let number = index + 1;
        // The line itself is not shown: a log is no place for hashes, still less for passwords.
        let mut fault = |what: String, advice: Option<String>| {
            faults.push(Fault {
                file: name.into(),
                line: number,
                text: String::new(),
                what,
                advice,
            });
        };
        let line = match line {
            Ok(line) => line,
            Err(text::NotText(why)) => {
                fault(why.into(), None);
                continue;
            }
        };
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((user, secret)) = line.split_once(':') else {
            cautions.push(format!(
                "{name}:{number}: there is no ':' between user and hash, so the line is skipped"
            ));
            continue;
        };
        let (user, secret) = (user.trim(), secret.trim());
        if user.is_empty() {
            fault("no user stands before the ':'.".into(), None);
        } else if user.len() > LONGEST_NAME {
            fault(
                "the user's name is longer than MQTT can carry.".into(),
                None,
            );
        } else if passwords.users.contains_key(user) {
            let advice = "Delete one of the two lines.".into();
            fault(
                format!("the user '{user}' stands there twice."),
                Some(advice),
            );
        } else {
            match Hash::parse(secret) {
                Ok(hash) => {
                    passwords.users.insert(user.into(), hash);
                }
                Err(error) => fault(
                    format!("what follows '{user}:' is not the hash of a password: {error}."),
                    advice(name, user, secret, error),
                ),
            }
        }
    }
    if faults.is_empty() {
        Ok((passwords, cautions))
    } else {
        Err(faults)
    }
}

fn advice(file: &str, user: &str, secret: &str, error: HashError) -> Option<String> {
    Some(
        if error == HashError::Unknown && !secret.is_empty() && !secret.starts_with('$') {
            format!("If passwords stand there in clear, hash them: mqtt-passwd -U {file}")
        } else {
            format!("Set the password anew: mqtt-passwd {file} {user}")
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_passwd::Algorithm;

    fn hash(password: &str) -> String {
        Hash::new(Algorithm::Sha512, 1, password.as_bytes())
            .expect("random bytes")
            .to_string()
    }

    #[test]
    fn users_are_let_in_by_their_passwords_alone() {
        let text = format!(
            "\u{feff}# lab\r\n\r\nalice:{}\r\n Ελένη Π : {} \nnobody:{}\n",
            hash("one"),
            hash("two"),
            hash("")
        );
        let (passwords, cautions) = parse("x", text.as_bytes()).expect("users");
        assert_eq!(cautions, Vec::<String>::new());
        for (user, password, expected) in [
            ("alice", Some("one"), true),
            ("alice", Some("two"), false),
            ("alice", Some(""), false),
            ("alice", None, false),
            ("Ελένη Π", Some("two"), true),
            ("nobody", Some(""), false),
            ("nobody", None, false),
            ("bob", Some("one"), false),
            ("", Some(""), false),
        ] {
            let is_right = passwords.verify(user, password.map(str::as_bytes));
            assert_eq!(is_right, expected, "{user} {password:?}");
        }
    }

    #[test]
    fn mistakes_name_the_line_and_what_to_type_and_never_the_password() {
        let good = hash("x");
        for (text, line, parts) in [
            ("a:secret\n".to_owned(), 1, ["'a:'", "mqtt-passwd -U u.txt"]),
            (
                "\na:\n".to_owned(),
                2,
                ["begins with $7$", "mqtt-passwd u.txt a"],
            ),
            (
                "a:$6$secret\n".to_owned(),
                1,
                ["two parts", "mqtt-passwd u.txt a"],
            ),
            (format!(":{good}\n"), 1, ["no user", ""]),
            (
                format!("a:{good}\nb:{good}\na:{good}\n"),
                3,
                ["'a'", "twice"],
            ),
        ] {
            let faults = parse("u.txt", text.as_bytes()).expect_err(&text);
            assert_eq!((faults.len(), faults[0].line), (1, line), "{text}");
            let shown = faults[0].to_string();
            for part in parts {
                assert!(shown.contains(part), "{part}: {shown}");
            }
            assert!(!shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn every_mistake_is_reported_and_a_line_without_a_colon_is_a_caution() {
        let faults = parse("x", b"a:b\nc\n:d\n").expect_err("mistakes");
        let lines: Vec<_> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [1, 3]);
        let (_, cautions) = parse("x", b"just words\n").expect("no users");
        assert!(cautions[0].starts_with("x:1: "), "{cautions:?}");
    }

    #[test]
    fn a_missing_file_is_named_with_what_to_do() {
        let faults = load(Path::new("no-such-folder/users")).expect_err("no file");
        let text = faults[0].to_string();
        assert!(
            text.contains("mqtt-passwd -c no-such-folder/users USER"),
            "{text}"
        );
    }
}
