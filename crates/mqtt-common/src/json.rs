//! JSON as the clients read and write it: nothing reordered, nothing dropped, in the layout that scripts know.
//!
//! A tree of our own instead of the library's: it keeps the order of an object and names that stand
//! twice, and a whole number keeps its digits.

use std::fmt::{self, Write};

use serde_json::de::Deserializer;
use serde_json::error::Category;

/// A JSON text, read.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number without fraction or exponent that fits.
    Whole(i128),
    /// Any other number.
    Real(f64),
    /// A string, unescaped.
    Text(String),
    /// A string of bytes that may be no text, for writing; reading gives [`Value::Text`].
    Bytes(Vec<u8>),
    /// `[…]`
    Array(Vec<Value>),
    /// `{…}`: names and values in their order.
    Object(Vec<(String, Value)>),
}

/// The text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct JsonError {
    what: String,
}

impl Value {
    /// Reads one JSON text with nothing but blanks around it.
    ///
    /// # Errors
    /// It is none; the message says where.
    pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
        let mut reader = Deserializer::from_slice(text);
        serde::de::Deserialize::deserialize(&mut reader)
            .and_then(|value| reader.end().map(|()| value))
            .map_err(|error| JsonError {
                what: match error.classify() {
                    Category::Eof => "it ends too early".to_owned(),
                    _ => error.to_string(),
                },
            })
    }

    /// The value under `name`, the first if there are several.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(fields) => fields
                .iter()
                .find_map(|(key, value)| (key == name).then_some(value)),
            _ => None,
        }
    }

    /// Appends it in one line without blanks.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Array(values) => {
                out.push(b'[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write(out);
                }
                out.push(b']');
            }
            Value::Object(fields) => {
                out.push(b'{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    text(name.as_bytes(), out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
            other => other.write_scalar(out),
        }
    }

    /// Appends it in the layout of Mosquitto's `--pretty`: a line for each field, tabs in front and
    /// behind the colon, arrays in one line. `depth` is the number of tabs around it.
    pub fn write_pretty(&self, depth: usize, out: &mut Vec<u8>) {
        match self {
            Value::Array(values) => {
                out.push(b'[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.extend_from_slice(b", ");
                    }
                    value.write_pretty(depth + 1, out);
                }
                out.push(b']');
            }
            Value::Object(fields) => {
                out.extend_from_slice(b"{\n");
                for (index, (name, value)) in fields.iter().enumerate() {
                    out.resize(out.len() + depth + 1, b'\t');
                    text(name.as_bytes(), out);
                    out.extend_from_slice(b":\t");
                    value.write_pretty(depth + 1, out);
                    if index + 1 < fields.len() {
                        out.push(b',');
                    }
                    out.push(b'\n');
                }
                out.resize(out.len() + depth, b'\t');
                out.push(b'}');
            }
            other => other.write_scalar(out),
        }
    }

    fn write_scalar(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::Whole(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Real(number) => out.extend_from_slice(real(*number).as_bytes()),
            Value::Text(string) => text(string.as_bytes(), out),
            Value::Bytes(bytes) => text(bytes, out),
            Value::Array(_) | Value::Object(_) => {}
        }
    }
}

/// Appends a JSON string. Bytes that are no text stay as they are: they were not ours to lose.
pub fn text(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut plain = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => *byte,
            8 => b'b',
            12 => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..32 => 0,
            _ => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        out.push(b'\\');
        if short == 0 {
            out.extend_from_slice(format!("u{byte:04x}").as_bytes());
        } else {
            out.push(short);
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

/// A number with a fraction, as Mosquitto writes it: C's `%1.15g`, or `%1.17g` where that is needed
/// to read the same number back.
fn real(number: f64) -> String {
    if number == number.trunc() && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    let short = general(number, 15);
    if short.parse() == Ok(number) {
        short
    } else {
        general(number, 17)
    }
}

/// C's `%.{digits}g`: the shorter of the two notations, without zeros at the end.
fn general(number: f64, digits: usize) -> String {
    let scientific = format!("{:.*e}", digits - 1, number);
    let (mantissa, exponent) = scientific
        .split_once('e')
        .expect("the e format has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    let precision = i32::try_from(digits).unwrap_or(i32::MAX);
    if exponent < -4 || exponent >= precision {
        let sign = if exponent < 0 { '-' } else { '+' };
        let mut text = trimmed(mantissa);
        // Writing to a string does not fail.
        let _ = write!(text, "e{sign}{:02}", exponent.unsigned_abs());
        return text;
    }
    let decimals = usize::try_from(precision - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{number:.decimals$}"))
}

impl<'de> serde::de::Deserialize<'de> for Value {
    fn deserialize<D: serde::de::Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
        from.deserialize_any(Builder)
    }
}

/// Builds a [`Value`] from what the parser finds.
struct Builder;

impl<'de> serde::de::Visitor<'de> for Builder {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Whole(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Real(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = from.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = from.next_entry()? {
            fields.push(field);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let mut out = Vec::new();
        Value::parse(text.as_bytes()).unwrap().write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn order_duplicates_and_digits_are_kept() {
        check(
            r#" { "b" : 1 , "a":[ ], "b":{ }, "n":null,"t":true } "#,
            r#"{"b":1,"a":[],"b":{},"n":null,"t":true}"#,
        );
        check(
            "[12345678901234567890,-9223372036854775808]",
            "[12345678901234567890,-9223372036854775808]",
        );
    }

    #[test]
    fn numbers_look_as_c_writes_them() {
        for (text, expected) in [
            ("1.0", "1"),
            ("21.50", "21.5"),
            ("1e3", "1000"),
            ("-0.0001", "-0.0001"),
            ("0.00001", "1e-05"),
            ("1e300", "1e+300"),
            ("0.1", "0.1"),
            ("0.30000000000000004", "0.30000000000000004"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
            ("1e15", "1e+15"),
            ("123456.789", "123456.789"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn strings_are_escaped_no_more_than_needed() {
        check(r#""\u00e9\/\u0001\n\"\\""#, r#""é/\u0001\n\"\\""#);
        let mut out = Vec::new();
        text(b"a\xff\0", &mut out);
        assert_eq!(out, b"\"a\xff\\u0000\"");
    }

    #[test]
    fn the_pretty_layout_has_tabs() {
        let value = Value::parse(br#"{"a":1,"o":{"x":[1,{"y":2}],"e":{}}}"#).unwrap();
        let mut out = Vec::new();
        value.write_pretty(0, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\n\t\"a\":\t1,\n\t\"o\":\t{\n\t\t\"x\":\t[1, {\n\t\t\t\t\"y\":\t2\n\t\t\t}],\n\t\t\"e\":\t{\n\t\t}\n\t}\n}"
        );
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "nul",
            "{} x",
            "01",
            "\"\x01\"",
            "{\"a\":}",
            "\u{feff}1",
        ] {
            assert!(Value::parse(text.as_bytes()).is_err(), "{text}");
        }
        // The parser is recursive: a limit protects the stack.
        assert!(Value::parse("[".repeat(100_000).as_bytes()).is_err());
    }
}
