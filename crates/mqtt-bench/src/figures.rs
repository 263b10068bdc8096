//! Numbers as people read them: thousands apart, three digits that count, and their units.

use std::time::Duration;

/// A whole number with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with three digits that count, or all before the point: `0.123`, `12.3`, `1,234`.
pub fn number(value: f64) -> String {
    match value {
        // Rounding must not make a fourth digit.
        _ if value < 0.0005 => "0".to_owned(),
        _ if value < 0.9995 => format!("{value:.3}"),
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        // No count of ours comes near the largest whole number of a float.
        _ => count(value.round() as u64),
    }
}

/// A time span, given in nanoseconds: `950 ns`, `12.3 µs`, `4.56 ms`, `1.20 s`.
pub fn nanos(nanos: u64) -> String {
    let value = nanos as f64;
    match nanos {
        0..1_000 => format!("{nanos} ns"),
        1_000..999_500 => format!("{} µs", number(value / 1e3)),
        999_500..999_500_000 => format!("{} ms", number(value / 1e6)),
        _ => format!("{} s", number(value / 1e9)),
    }
}

/// A time span.
pub fn span(span: Duration) -> String {
    nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

/// A number of bytes: `64 bytes`, `1.5 KiB`, `2 MiB`.
pub fn bytes(bytes: f64) -> String {
    match bytes {
        _ if bytes < 1024.0 => format!("{} bytes", number(bytes)),
        _ if bytes < 1024.0 * 1024.0 => format!("{} KiB", number(bytes / 1024.0)),
        _ if bytes < 1024.0 * 1024.0 * 1024.0 => format!("{} MiB", number(bytes / 1_048_576.0)),
        _ => format!("{} GiB", number(bytes / 1_073_741_824.0)),
    }
}

/// How many a second; 0 if it took no time.
pub fn per_second(count: u64, span: Duration) -> f64 {
    let seconds = span.as_secs_f64();
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

/// A count with its word: `1 message`, `2 messages`.
pub fn of(number: u64, one: &str) -> String {
    let many = if number == 1 { "" } else { "s" };
    format!("{} {one}{many}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(value), text);
        }
        for (value, text) in [
            (0.0, "0"),
            (0.1234, "0.123"),
            (0.9996, "1.00"),
            (9.996, "10.0"),
            (99.96, "100"),
            (1234.5, "1,235"),
        ] {
            assert_eq!(number(value), text);
        }
        for (value, text) in [
            (12, "12 ns"),
            (1_500, "1.50 µs"),
            (999_600, "1.00 ms"),
            (12_345_678, "12.3 ms"),
            (61_000_000_000, "61.0 s"),
        ] {
            assert_eq!(nanos(value), text);
        }
        assert_eq!(bytes(64.0), "64.0 bytes");
        assert_eq!(bytes(1_572_864.0), "1.50 MiB");
        assert_eq!(
            (of(1, "message"), of(2, "message")),
            ("1 message".into(), "2 messages".into())
        );
    }
}
