//! Kinds of values that are numbers: counts, limits, times.

use super::value::{Kind, Wrong};
use std::time::Duration;

/// Reads an integer as C's `strtol` with base 0 does: decimal, `0x` hexadecimal, `0` octal.
///
/// As most of Mosquitto's, it fits into 32 bits.
pub fn integer(text: &str) -> Result<i64, Wrong> {
    match long_integer(text)? {
        value if value > i64::from(i32::MAX) => Err(Wrong::Because("is out of range".into())),
        value => Ok(value),
    }
}

/// The same with 64 bits.
fn long_integer(text: &str) -> Result<i64, Wrong> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
        None => return Err(Wrong::Empty),
    };
    let (digits, base) = if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        (hex, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (&digits[1..], 8)
    } else {
        (digits, 10)
    };
    // `from_str_radix` takes a sign of its own, which would let `--5` pass.
    if !digits.starts_with(|c: char| c.is_digit(base)) {
        return Err(Wrong::Because("is not a number".into()));
    }
    let value = i64::from_str_radix(digits, base).map_err(|error| {
        Wrong::Because(match error.kind() {
            std::num::IntErrorKind::PosOverflow => "is out of range".into(),
            _ => "is not a number".into(),
        })
    })?;
    Ok(if negative { -value } else { value })
}

/// A whole number from `min` to `max`.
pub struct Number {
    /// The smallest that is allowed.
    pub min: u32,
    /// The largest.
    pub max: u32,
}

impl Kind for Number {
    type Value = u32;

    fn apply(&self, slot: &mut u32, text: &str, _again: bool) -> Result<(), Wrong> {
        let value = integer(text)?;
        *slot = u32::try_from(value)
            .ok()
            .filter(|value| (self.min..=self.max).contains(value))
            .ok_or(Wrong::Value)?;
        Ok(())
    }

    fn takes(&self) -> String {
        if self.max == i32::MAX as u32 {
            format!("a number, {} or more", self.min)
        } else {
            format!("a number from {} to {}", self.min, self.max)
        }
    }

    fn show(&self, value: &u32) -> String {
        value.to_string()
    }
}

/// A whole number of 16 bits, from 0 to 65535.
pub struct Short;

impl Kind for Short {
    type Value = u16;

    fn apply(&self, slot: &mut u16, text: &str, _again: bool) -> Result<(), Wrong> {
        *slot = u16::try_from(integer(text)?).map_err(|_| Wrong::Value)?;
        Ok(())
    }

    fn takes(&self) -> String {
        "a number from 0 to 65535".into()
    }

    fn show(&self, value: &u16) -> String {
        value.to_string()
    }
}

/// A number where 0 and everything below mean "no limit".
pub struct Limit {
    /// The largest that is allowed.
    pub max: u32,
    /// How "no limit" is written.
    pub none: &'static str,
}

impl Limit {
    /// A limit that is switched off by 0, as those on queues.
    pub const ZERO: Self = Self {
        max: i32::MAX as u32,
        none: "0",
    };
    /// A limit that is switched off by -1, as those on clients.
    pub const MINUS_ONE: Self = Self {
        max: i32::MAX as u32,
        none: "-1",
    };
}

impl Kind for Limit {
    type Value = Option<u32>;

    fn apply(&self, slot: &mut Option<u32>, text: &str, _again: bool) -> Result<(), Wrong> {
        let value = integer(text)?;
        *slot = match u32::try_from(value) {
            Err(_) | Ok(0) => None,
            Ok(value) if value > self.max => return Err(Wrong::Value),
            Ok(value) => Some(value),
        };
        Ok(())
    }

    fn takes(&self) -> String {
        let none = self.none;
        if self.max == i32::MAX as u32 {
            format!("a number; {none} means no limit")
        } else {
            format!("a number up to {}; {none} means no limit", self.max)
        }
    }

    fn show(&self, value: &Option<u32>) -> String {
        value.map_or_else(|| self.none.into(), |value| value.to_string())
    }
}

/// An amount of memory, where 0 means "no limit".
pub struct Bytes;

impl Kind for Bytes {
    type Value = Option<u64>;

    fn apply(&self, slot: &mut Option<u64>, text: &str, _again: bool) -> Result<(), Wrong> {
        let value = u64::try_from(long_integer(text)?).map_err(|_| Wrong::Value)?;
        *slot = (value > 0).then_some(value);
        Ok(())
    }

    fn takes(&self) -> String {
        "a number of bytes; 0 means no limit".into()
    }

    fn show(&self, value: &Option<u64>) -> String {
        value.unwrap_or(0).to_string()
    }
}

/// A time in whole units, where 0 (if allowed) switches the feature off.
pub struct Period {
    /// The length of one unit in seconds.
    pub unit: u32,
    /// What one unit is called, in the plural.
    pub name: &'static str,
    /// The smallest number of units; 0 means off.
    pub min: u32,
    /// The largest number of units.
    pub max: u32,
    /// Whether more than `max` is brought down to it instead of being refused.
    pub capped: bool,
}

impl Kind for Period {
    type Value = Option<Duration>;

    fn apply(&self, slot: &mut Option<Duration>, text: &str, _again: bool) -> Result<(), Wrong> {
        let mut units = u32::try_from(integer(text)?).map_err(|_| Wrong::Value)?;
        if units > self.max && self.capped {
            units = self.max;
        }
        if !(self.min..=self.max).contains(&units) {
            return Err(Wrong::Value);
        }
        let seconds = u64::from(units) * u64::from(self.unit);
        *slot = (units > 0).then(|| Duration::from_secs(seconds));
        Ok(())
    }

    fn takes(&self) -> String {
        let Self { name, min, max, .. } = self;
        let off = if *min == 0 { "; 0 switches it off" } else { "" };
        format!("{name}, from {min} to {max}{off}")
    }

    fn show(&self, value: &Option<Duration>) -> String {
        value.map_or_else(
            || {
                if self.min == 0 {
                    "0".into()
                } else {
                    String::new()
                }
            },
            |value| (value.as_secs() / u64::from(self.unit)).to_string(),
        )
    }
}

/// The letters after the number of an [`Age`], and the seconds each stands for.
const AGE_UNITS: &[(char, u64)] = &[
    ('y', 365 * 86400),
    ('m', 30 * 86400),
    ('w', 7 * 86400),
    ('d', 86400),
    ('h', 3600),
    ('s', 1),
];

/// A number with a unit: `14d`; seconds, hours, days, weeks, months of 30 and years of 365 days.
pub struct Age;

impl Kind for Age {
    type Value = Duration;

    fn apply(&self, slot: &mut Duration, text: &str, _again: bool) -> Result<(), Wrong> {
        let unit = text.chars().last().ok_or(Wrong::Empty)?;
        let (_, seconds) = AGE_UNITS
            .iter()
            .find(|(letter, _)| *letter == unit)
            .ok_or(Wrong::Value)?;
        let number = integer(&text[..text.len() - 1]).map_err(|_| Wrong::Value)?;
        let number = u64::try_from(number).ok().filter(|number| *number > 0);
        *slot = Duration::from_secs(number.ok_or(Wrong::Value)? * seconds);
        Ok(())
    }

    fn takes(&self) -> String {
        "a number with one of the letters s, h, d, w, m, y, as 14d".into()
    }

    fn show(&self, value: &Duration) -> String {
        let seconds = value.as_secs();
        AGE_UNITS
            .iter()
            .find(|(_, unit)| seconds.is_multiple_of(*unit))
            .map_or_else(
                || format!("{seconds}s"),
                |(letter, unit)| format!("{}{letter}", seconds / unit),
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_c_reads_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1883", Some(1883)),
            ("-1", Some(-1)),
            ("+5", Some(5)),
            ("0x10", Some(16)),
            ("010", Some(8)),
            ("2147483647", Some(2_147_483_647)),
            ("2147483648", None),
            ("99999999999999999999", None),
            ("abc", None),
            ("12abc", None),
            ("--5", None),
            ("0x-5", None),
            ("1_000", None),
            ("08", None),
            ("", None),
        ] {
            assert_eq!(integer(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_limit_of_zero_or_less_is_no_limit() {
        for (text, expected) in [("0", None), ("-1", None), ("7", Some(7))] {
            let mut value = Some(1);
            Limit::ZERO.apply(&mut value, text, false).expect(text);
            assert_eq!(value, expected, "{text}");
        }
    }

    #[test]
    fn ages_need_a_unit_and_a_positive_number() {
        for (text, seconds) in [
            ("1s", 1),
            ("2h", 7200),
            ("14d", 14 * 86400),
            ("1y", 31_536_000),
        ] {
            let mut age = Duration::ZERO;
            Age.apply(&mut age, text, false).expect(text);
            assert_eq!(age.as_secs(), seconds, "{text}");
            assert_eq!(Age.show(&age), if text == "14d" { "2w" } else { text });
        }
        for text in ["1", "d", "0d", "-1d", "1min", "1λ"] {
            assert!(
                Age.apply(&mut Duration::default(), text, false).is_err(),
                "{text}"
            );
        }
    }
}
