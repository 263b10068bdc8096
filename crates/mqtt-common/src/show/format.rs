//! The language of `-F`: read once, so that a mistake is found before the first message.
//!
//! ```text
//! %[-][0][width][.precision][separator]letter     a field of the message
//! @letter                                          a part of the time, as strftime's %letter
//! \n \t \r \0 \a \e \v \\                          a character
//! ```

use crate::flags::UsageError;

/// The widest field: more is a slip of the finger, and Rust fills up no further.
const MAX_WIDTH: usize = 65_535;

/// A format, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    pub(super) parts: Vec<Part>,
}

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it stands.
    Text(Vec<u8>),
    /// A part of the time: a format of the time library.
    Time(&'static str),
    /// The nanoseconds of the time, in nine digits.
    Nanoseconds,
    /// A field of the message.
    Field(Field),
}

/// What to show of the message, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub what: What,
    /// Fill up behind it instead of in front.
    pub left: bool,
    /// Fill up with zeros.
    pub zero: bool,
    /// The least number of bytes; 0 if it does not matter.
    pub width: usize,
    pub precision: Option<usize>,
    /// Stands between groups of hexadecimal digits.
    pub separator: u8,
}

/// The letters behind `%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    TopicAlias,
    ContentType,
    CorrelationData,
    Expiry,
    PayloadFormat,
    Iso8601,
    /// With the payload as a string.
    Json,
    /// With the payload as JSON.
    JsonPayload,
    Length,
    MessageId,
    UserProperties,
    Payload,
    QoS,
    ResponseTopic,
    Retain,
    SubscriptionId,
    Topic,
    UnixTime,
    Hex,
    UpperHex,
    Float,
    Double,
}

/// Each letter once.
const FIELDS: &[(char, What)] = &[
    ('A', What::TopicAlias),
    ('C', What::ContentType),
    ('D', What::CorrelationData),
    ('E', What::Expiry),
    ('F', What::PayloadFormat),
    ('I', What::Iso8601),
    ('J', What::JsonPayload),
    ('P', What::UserProperties),
    ('R', What::ResponseTopic),
    ('S', What::SubscriptionId),
    ('U', What::UnixTime),
    ('X', What::UpperHex),
    ('d', What::Double),
    ('f', What::Float),
    ('j', What::Json),
    ('l', What::Length),
    ('m', What::MessageId),
    ('p', What::Payload),
    ('q', What::QoS),
    ('r', What::Retain),
    ('t', What::Topic),
    ('x', What::Hex),
];

/// Letters behind `@`, each with the format that the time library needs for what C's strftime does
/// in its own locale.
const TIMES: &[(char, &str)] = &[
    ('A', "%A"),
    ('B', "%B"),
    ('C', "%C"),
    ('D', "%m/%d/%y"),
    ('F', "%Y-%m-%d"),
    ('G', "%G"),
    ('H', "%H"),
    ('I', "%I"),
    ('M', "%M"),
    ('P', "%P"),
    ('R', "%H:%M"),
    ('S', "%S"),
    ('T', "%H:%M:%S"),
    ('U', "%U"),
    ('V', "%V"),
    ('W', "%W"),
    ('X', "%H:%M:%S"),
    ('Y', "%Y"),
    ('Z', "%Z"),
    ('a', "%a"),
    ('b', "%b"),
    ('c', "%a %b %e %H:%M:%S %Y"),
    ('d', "%d"),
    ('e', "%e"),
    ('g', "%g"),
    ('h', "%b"),
    ('j', "%j"),
    ('k', "%k"),
    ('l', "%l"),
    ('m', "%m"),
    ('n', "\n"),
    ('p', "%p"),
    ('r', "%I:%M:%S %p"),
    ('s', "%s"),
    ('t', "\t"),
    ('u', "%u"),
    ('w', "%w"),
    ('x', "%m/%d/%y"),
    ('y', "%y"),
    ('z', "%z"),
];

/// What may stand between groups of hexadecimal digits.
const SEPARATORS: &str = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~ ";

/// Reads a format from left to right.
struct Reader<'a> {
    format: &'a str,
    at: usize,
}

impl Format {
    /// Reads what was given with `-F`.
    ///
    /// # Errors
    /// Something in it means nothing; the hint shows the place.
    pub fn parse(format: &str) -> Result<Format, UsageError> {
        let mut reader = Reader { format, at: 0 };
        let mut parts = Vec::new();
        let mut text = Vec::new();
        while let Some(next) = reader.next() {
            let part = match next {
                '%' => reader.field()?,
                '@' => reader.time()?,
                '\\' => {
                    text.push(reader.escape()?);
                    continue;
                }
                other => {
                    text.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
            };
            match part {
                Part::Text(more) => text.extend_from_slice(&more),
                part => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    parts.push(part);
                }
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Format { parts })
    }
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.format[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_there = self.peek() == Some(wanted);
        if is_there {
            self.at += wanted.len_utf8();
        }
        is_there
    }

    /// A `%` has been read.
    fn field(&mut self) -> Result<Part, UsageError> {
        let start = self.at - 1;
        let left = self.take('-');
        let zero = self.take('0');
        let width = self.number(start)?.unwrap_or(0);
        let precision = match self.take('.') {
            // A point without a number is a precision of 0, as in C.
            true => Some(self.number(start)?.unwrap_or(0)),
            false => None,
        };
        let separator = self
            .peek()
            .filter(|c| SEPARATORS.contains(*c))
            .and_then(|c| u8::try_from(c).ok());
        self.at += usize::from(separator.is_some());
        let letter = self.next();
        if letter == Some('%') {
            return Ok(Part::Text(vec![b'%']));
        }
        let found = FIELDS.iter().find(|(name, _)| Some(*name) == letter);
        match (found, letter) {
            (Some((_, what)), _) => Ok(Part::Field(Field {
                what: *what,
                left,
                zero,
                width,
                precision,
                separator: separator.unwrap_or(b' '),
            })),
            (None, Some(letter)) => {
                let letters: Vec<String> = FIELDS.iter().map(|(c, _)| format!("%{c}")).collect();
                Err(self
                    .mistake(start, format!("there is no field '{letter}'"))
                    .hint(format!(
                        "There are {}, and %% for a percent sign.",
                        letters.join(" ")
                    )))
            }
            (None, None) => Err(self
                .mistake(start, "the format ends inside of a field")
                .hint(
                    "A field ends with a letter: %t topic, %p payload. A percent sign alone is %%.",
                )),
        }
    }

    fn number(&mut self, start: usize) -> Result<Option<usize>, UsageError> {
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            let next = number.unwrap_or(0) * 10 + digit as usize;
            if next > MAX_WIDTH {
                return Err(self.mistake(start, format!("a width ends at {MAX_WIDTH}")));
            }
            number = Some(next);
        }
        Ok(number)
    }

    /// An `@` has been read.
    fn time(&mut self) -> Result<Part, UsageError> {
        let start = self.at - 1;
        let letter = self.next();
        match letter {
            Some('@') => return Ok(Part::Text(vec![b'@'])),
            Some('%') => return Ok(Part::Text(vec![b'%'])),
            Some('N') => return Ok(Part::Nanoseconds),
            _ => {}
        }
        let found = TIMES.iter().find(|(name, _)| Some(*name) == letter);
        found
            .map(|(_, format)| Part::Time(format))
            .ok_or_else(|| {
                let what = match letter {
                    Some(letter) => format!("there is no part of the time '{letter}'"),
                    None => "the format ends behind '@'".to_owned(),
                };
                self.mistake(start, what).hint(
                    "The time is written like this: @Y-@m-@d @H:@M:@S.@N (letters as in strftime). An @ alone is @@.",
                )
            })
    }

    /// A `\` has been read.
    fn escape(&mut self) -> Result<u8, UsageError> {
        let start = self.at - 1;
        let letter = self.next();
        Ok(match letter {
            Some('\\') => b'\\',
            Some('0') => 0,
            Some('a') => 7,
            Some('e') => 27,
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('v') => 11,
            _ => {
                let what = match letter {
                    Some(letter) => format!("there is no escape '{letter}'"),
                    None => "the format ends behind a backslash".to_owned(),
                };
                return Err(self
                    .mistake(start, what)
                    .hint("There are \\n \\t \\r \\0 \\a \\e \\v, and \\\\ for a backslash."));
            }
        })
    }

    /// A sentence, the format, and a line that points at what was read from `start` on.
    fn mistake(&self, start: usize, what: impl std::fmt::Display) -> UsageError {
        let before = self.format[..start].chars().count();
        let wrong = self.format[start..self.at].chars().count();
        // A format with line breaks in it has no column to point at.
        let one_line = self.format.replace(char::is_control, " ");
        UsageError::new(format!("In the format of -F {what}")).hint(format!(
            "{one_line}\n{}{}",
            " ".repeat(before),
            "^".repeat(wrong)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn field(format: &str) -> Field {
        match &Format::parse(format).unwrap().parts[..] {
            [Part::Field(field)] => *field,
            other => panic!("{format}: {other:?}"),
        }
    }

    #[test]
    fn a_field_has_alignment_padding_width_precision_and_separator() {
        let plain = Field {
            what: What::Hex,
            left: false,
            zero: false,
            width: 0,
            precision: None,
            separator: b' ',
        };
        assert_eq!(field("%x"), plain);
        let all = Field {
            left: true,
            zero: true,
            width: 12,
            precision: Some(4),
            separator: b':',
            ..plain
        };
        assert_eq!(field("%-012.4:x"), all);
        assert_eq!(field("%.x").precision, Some(0));
    }

    #[test]
    fn text_and_escapes_become_one_piece() {
        let format = Format::parse("ä%%@@\\n\\0\\e@%").unwrap();
        assert_eq!(format.parts, [Part::Text("ä%@\n\0\x1b%".into())]);
        let format = Format::parse("a%tb@Nc@Y").unwrap();
        assert_eq!(format.parts.len(), 6);
    }

    #[test]
    fn mistakes_point_at_their_place() {
        for (format, expected) in [
            (
                "%t %z",
                "In the format of -F there is no field 'z'\n%t %z\n   ^^",
            ),
            ("α %5", "the format ends inside of a field\nα %5\n  ^^"),
            ("%", "the format ends inside of a field\n%\n^"),
            (
                "%t\\q",
                "In the format of -F there is no escape 'q'\n%t\\q\n  ^^",
            ),
            ("\\", "the format ends behind a backslash"),
            (
                "me@example.com",
                "", // @e is the day of the month
            ),
            ("@", "the format ends behind '@'"),
            ("@Q", "there is no part of the time 'Q'\n@Q\n^^"),
            ("%99999999999999999999p", "a width ends at 65535"),
            ("%0-5p", "there is no field '5'"),
        ] {
            match Format::parse(format) {
                Ok(_) => assert_eq!(expected, "", "{format}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(
                        !expected.is_empty() && error.contains(expected),
                        "{format}: got {error}"
                    );
                }
            }
        }
    }
}
