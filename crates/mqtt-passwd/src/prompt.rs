//! Asks for a password, twice, without showing it.

use std::io::{self, BufRead, IsTerminal};

/// Why there is no password.
#[derive(Debug)]
pub enum NoPassword {
    /// What was typed the second time is something else.
    Mismatch,
    /// Nothing was typed.
    Empty,
    /// It cannot be read.
    Io(io::Error),
}

/// Asks for a new password.
///
/// From a terminal it is read without echo; from a pipe it is the next two lines, and the
/// questions go to standard output, as scripts written for Mosquitto expect.
pub fn new_password() -> Result<String, NoPassword> {
    let is_terminal = io::stdin().is_terminal();
    let ask = |question: &str| {
        if is_terminal {
            return rpassword::prompt_password(question);
        }
        println!("{question}");
        read_line(&mut io::stdin().lock())
    };
    let first = ask("Password: ").map_err(NoPassword::Io)?;
    let second = ask("Reenter password: ").map_err(NoPassword::Io)?;
    if first != second {
        return Err(NoPassword::Mismatch);
    }
    if first.is_empty() {
        return Err(NoPassword::Empty);
    }
    Ok(first)
}

/// A line without its end.
fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if input.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_as_on_every_system() {
        for (text, expected) in [("pass word\n", "pass word"), ("a\r\n", "a"), ("a", "a")] {
            assert_eq!(read_line(&mut text.as_bytes()).expect(text), expected);
        }
        assert!(read_line(&mut "".as_bytes()).is_err());
    }
}
