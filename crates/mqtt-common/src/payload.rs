//! What a message is made of: a text, digits that stand for bytes, a JSON object, a file, all of standard input.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::flags::table::JSON;
use crate::flags::{Said, UsageError};
use crate::json::{self, Value};

/// No packet of MQTT is larger, so that nothing larger has to be read either.
const LARGEST: u64 = 268_435_455;
/// How names of Mosquitto's programs begin. Who calls us by one wants exactly its behaviour.
const MODEL: &str = "mosquitto_";

/// Where the bytes of one message are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// On the command line; they are final.
    Message(Vec<u8>),
    /// In a file.
    File(PathBuf, Format),
    /// On standard input, to its end.
    Stdin(Format),
}

/// How a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As it is.
    #[default]
    Text,
    /// Two hexadecimal digits for each byte; blanks and colons between them do not matter.
    Hex,
    /// Base64, with padding; blanks do not matter.
    Base64,
}

/// The text is not written in its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatError(Format);

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Format::Text => "this is no text",
            Format::Hex => "these are not pairs of hexadecimal digits, such as 00ff",
            Format::Base64 => "this is no base64, such as AP8=",
        })
    }
}

impl std::error::Error for FormatError {}

impl Format {
    /// What `--format` says.
    ///
    /// # Errors
    /// There is no format of this name.
    pub fn new(said: &Said) -> Result<Option<Format>, UsageError> {
        said.meaning("format", |flag, name| match name {
            "text" => Ok(Format::Text),
            "hex" => Ok(Format::Hex),
            "base64" => Ok(Format::Base64),
            _ => Err(UsageError::new(format!("There is no format '{name}'"))
                .hint(format!("Type {flag} text, {flag} hex or {flag} base64"))),
        })
    }

    /// The bytes that `text` stands for.
    ///
    /// # Errors
    /// It is not written in this format.
    pub fn decode(self, text: Vec<u8>) -> Result<Vec<u8>, FormatError> {
        let digits = |blank: fn(&u8) -> bool| text.iter().copied().filter(move |b| !blank(b));
        match self {
            Format::Text => return Ok(text),
            Format::Hex => hex(digits(|b| b.is_ascii_whitespace() || *b == b':')),
            Format::Base64 => BASE64
                .decode(digits(u8::is_ascii_whitespace).collect::<Vec<_>>())
                .ok(),
        }
        .ok_or(FormatError(self))
    }
}

fn hex(digits: impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    let nibbles: Vec<u8> = digits
        .map(|digit| char::from(digit).to_digit(16).map(|value| value as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = nibbles.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// The one of these flags that was given; each gives a message, and one of them is needed.
///
/// # Errors
/// None was given, or two.
pub fn only_one<'a>(said: &Said, flags: &[&'a str]) -> Result<&'a str, UsageError> {
    let given: Vec<&str> = flags.iter().copied().filter(|f| said.has(f)).collect();
    match given[..] {
        [flag] => Ok(flag),
        [] => Err(UsageError::new(
            "Both topic and message must be supplied; the message is missing",
        )
        .hint(missing_hint(flags))),
        [first, second, ..] => Err(UsageError::new(format!(
            "Only one type of message can be sent at once, not {} and {}",
            said.typed(first),
            said.typed(second)
        ))
        .hint("Leave one of them out.")),
    }
}

fn missing_hint(flags: &[&str]) -> String {
    let ways = [
        ("message", "-m \"text\""),
        ("file", "-f FILE"),
        ("stdin-line", "-l (each line of input)"),
        ("stdin-file", "-s (all input)"),
        (JSON, "--json NAME=VALUE"),
    ];
    let offered = ways.iter().filter(|(flag, _)| flags.contains(flag));
    let offered: Vec<_> = offered.map(|(_, way)| *way).collect();
    format!("Add the message: {} or -n (empty)", offered.join(", "))
}

impl Payload {
    /// The flags that give a message of this kind.
    pub const FLAGS: [&str; 5] = ["message", "file", "stdin-file", "null-message", JSON];

    /// What one of [`FLAGS`](Self::FLAGS) says.
    ///
    /// # Errors
    /// What stands there is not written as it should be.
    pub fn new(said: &Said, flag: &str) -> Result<Payload, UsageError> {
        let format = Format::new(said)?;
        let given = format.unwrap_or_default();
        Ok(match flag {
            "file" => Payload::File(said.path(flag).unwrap_or_default().into(), given),
            "stdin-file" => Payload::Stdin(given),
            "message" => Payload::Message(message(said, format)?),
            JSON => Payload::Message(object(&said.texts(JSON)?)?),
            _ => Payload::Message(Vec::new()),
        })
    }

    /// Reads it, as far as it is not there yet.
    ///
    /// # Errors
    /// A sentence without its full stop: the file cannot be read, is larger than any message, or is
    /// not written in its format; or there is nothing on standard input.
    pub fn load(self) -> Result<Vec<u8>, String> {
        match self {
            Payload::Message(bytes) => Ok(bytes),
            Payload::File(path, format) => {
                let name = path.display();
                let failed = |error| format!("Unable to read the file '{name}': {error}");
                let bytes = File::open(&path).and_then(read).map_err(failed)?;
                format
                    .decode(bytes)
                    .map_err(|error| format!("The file '{name}': {error}"))
            }
            Payload::Stdin(format) => {
                let bytes = read(io::stdin().lock()).map_err(|e| format!("Standard input: {e}"))?;
                if bytes.is_empty() {
                    return Err("Zero length input; an empty message is sent with -n".to_owned());
                }
                format
                    .decode(bytes)
                    .map_err(|error| format!("Standard input: {error}"))
            }
        }
    }
}

fn read(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        let what = "it is larger than any message of MQTT, which has 256 MiB at most";
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
    }
    Ok(bytes)
}

/// The text behind `-m`, or the bytes it stands for.
///
/// Scripts may send texts that begin with `hex:` for reasons of their own. So the prefix counts only
/// where all that follows can be meant by it, and `--format text` or a call by Mosquitto's name
/// switches it off.
fn message(said: &Said, format: Option<Format>) -> Result<Vec<u8>, UsageError> {
    let text = said.bytes("message")?.unwrap_or_default();
    let Some(format) = format else {
        let literal = said.name.starts_with(MODEL);
        return Ok(if literal { None } else { prefixed(&text) }.unwrap_or(text));
    };
    format.decode(text).map_err(|error| {
        UsageError::new(format!("The message of -m: {error}"))
            .hint("--format text sends it as it is.")
    })
}

fn prefixed(text: &[u8]) -> Option<Vec<u8>> {
    let bytes = if let Some(digits) = text.strip_prefix(b"hex:") {
        hex(digits.iter().copied())?
    } else {
        BASE64.decode(text.strip_prefix(b"base64:")?).ok()?
    };
    (!bytes.is_empty()).then_some(bytes)
}

/// A JSON object of pairs such as `temp=21.5`, in their order.
///
/// # Errors
/// A pair has no `=` or no name, or a name comes twice.
pub fn object(pairs: &[&str]) -> Result<Vec<u8>, UsageError> {
    let mut out = vec![b'{'];
    let mut names: Vec<&str> = Vec::new();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(
                UsageError::new(format!("--json: '{pair}' is no NAME=VALUE"))
                    .hint("Type for example: --json temp=21.5 on=true room=A1"),
            );
        };
        if names.contains(&name) {
            return Err(UsageError::new(format!("--json: '{name}' is there twice"))
                .hint("A list of values is written so: --json values=[1,2]"));
        }
        if !names.is_empty() {
            out.push(b',');
        }
        names.push(name);
        json::text(name.as_bytes(), &mut out);
        out.push(b':');
        json_value(value, &mut out);
    }
    out.push(b'}');
    Ok(out)
}

/// What is JSON by itself stays as it stands, digit for digit; anything else is a string. Quotes of
/// either kind around a value make it a string: not every shell lets double ones through.
fn json_value(value: &str, out: &mut Vec<u8>) {
    let single = value
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    if let Some(inside) = single {
        json::text(inside.as_bytes(), out);
    } else if Value::parse(value.as_bytes()).is_ok() {
        out.extend_from_slice(value.trim().as_bytes());
    } else {
        json::text(value.as_bytes(), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::Program;
    use crate::flags::{Parsed, parse};

    fn payload(name: &str, line: &[&str]) -> Result<Payload, UsageError> {
        let argv = std::iter::once(name).chain(line.iter().copied());
        match parse(Program::Rr, argv.map(Into::into))? {
            Parsed::Said(said) => Payload::new(&said, only_one(&said, &Payload::FLAGS)?),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[track_caller]
    fn check(line: &[&str], expected: &[u8]) {
        assert_eq!(
            payload("mqtt-rr", line),
            Ok(Payload::Message(expected.to_vec())),
            "{line:?}"
        );
    }

    #[track_caller]
    fn check_error(line: &[&str], expected: &str) {
        let error = payload("mqtt-rr", line).unwrap_err().to_string();
        assert!(error.contains(expected), "'{expected}' in '{error}'");
    }

    #[test]
    fn a_prefix_counts_where_all_that_follows_can_be_meant_by_it() {
        check(&["-m", "hex:00fF"], &[0, 255]);
        check(&["-m", "base64:AP8="], &[0, 255]);
        for text in [
            "hex:",
            "hex:0",
            "hex:0g",
            "hex:00 ff",
            "base64:",
            "base64:*",
        ] {
            check(&["-m", text], text.as_bytes());
        }
        check(&["-m", "Hex:00"], b"Hex:00");
    }

    #[test]
    fn a_text_with_a_prefix_can_be_sent_as_it_is() {
        let text = "hex:00ff";
        check(&["--format", "text", "-m", text], text.as_bytes());
        assert_eq!(
            payload("mosquitto_rr", &["-m", text]),
            Ok(Payload::Message(text.into()))
        );
    }

    #[test]
    fn a_format_counts_for_the_whole_message_and_has_to_fit() {
        check(&["--format", "hex", "-m", "00:ff 1A"], &[0, 255, 26]);
        check(&["--format", "base64", "-m", "AP8="], &[0, 255]);
        check(&["--format", "hex", "-m", ""], b"");
        check_error(
            &["--format", "hex", "-m", "00f"],
            "The message of -m: these are not pairs of hexadecimal digits",
        );
        check_error(&["--format", "base64", "-m", "A"], "this is no base64");
        check_error(
            &["--format", "octal", "-m", "7"],
            "There is no format 'octal'",
        );
    }

    #[test]
    fn json_finds_the_types_and_quotes_force_a_string() {
        check(
            &["--json", "temp=21.50", "on=true", "room=A1"],
            br#"{"temp":21.50,"on":true,"room":"A1"}"#,
        );
        check(
            &[
                "--json", "a=007", "b='7'", "c=\"7\"", "d=", "e=null", "f=-1e5",
            ],
            br#"{"a":"007","b":"7","c":"7","d":"","e":null,"f":-1e5}"#,
        );
        check(
            &["--json", "list=[1, \"x\"]", "o={\"a\":1}", "text=a=b \"c\""],
            br#"{"list":[1, "x"],"o":{"a":1},"text":"a=b \"c\""}"#,
        );
        check_error(&["--json", "temp"], "--json: 'temp' is no NAME=VALUE");
        check_error(&["--json", "a=1", "a=2"], "--json: 'a' is there twice");
    }

    #[test]
    fn one_kind_of_message_is_needed_and_two_are_too_many() {
        check_error(&[], "the message is missing");
        check_error(&["-m", "a", "-n"], "not -m and -n");
        check(&["-n"], b"");
    }

    #[test]
    fn a_file_is_read_in_its_format_and_named_when_it_cannot_be() {
        let missing = Payload::File("/no/such".into(), Format::Text).load();
        assert!(
            missing
                .unwrap_err()
                .starts_with("Unable to read the file '/no/such': ")
        );
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let text = Payload::File(manifest.into(), Format::Text).load().unwrap();
        assert!(text.starts_with(b"[package]"));
        let digits = Payload::File(manifest.into(), Format::Hex).load();
        assert!(digits.unwrap_err().contains("not pairs of hexadecimal"));
    }
}
