//! Values of flags: from the text that was said to what it means, or a sentence that says what is wrong.

use std::time::Duration;

use mqtt_proto::{Filter, QoS, Topic, Version};

use crate::flags::UsageError;

/// A time span: a plain number is in seconds, anything else is read as people write it (`90s`, `1m 30s`).
pub fn duration(flag: &str, text: &str) -> Result<Duration, UsageError> {
    let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite());
    match seconds {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => humantime::parse_duration(text).ok(),
    }
    .ok_or_else(|| {
        UsageError::new(format!("{flag} needs a time, and '{text}' is none")).hint(format!(
            "Type seconds or a unit: {flag} 90, {flag} 90s, {flag} 2m"
        ))
    })
}

/// A keep alive: 5 to 65535 seconds.
pub fn keep_alive(flag: &str, text: &str) -> Result<u16, UsageError> {
    let time = duration(flag, text)?;
    u16::try_from(time.as_secs())
        .ok()
        .filter(|s| *s >= 5 && time.subsec_nanos() == 0)
        .ok_or_else(|| {
            UsageError::new(format!(
                "{flag} '{text}' is not between 5 and 65535 whole seconds"
            ))
            .hint(format!("Type for example: {flag} 60"))
        })
}

/// A whole number of at least one.
pub fn count(flag: &str, text: &str) -> Result<u64, UsageError> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
        UsageError::new(format!(
            "{flag} needs a number of at least 1, and got '{text}'"
        ))
        .hint(format!("Type for example: {flag} 1"))
    })
}

/// A port: 1 to 65535.
pub fn port(flag: &str, text: &str) -> Result<u16, UsageError> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
        UsageError::new(format!("Invalid port given: {text}")).hint(format!(
            "A port is a number from 1 to 65535; a broker usually listens on 1883: {flag} 1883"
        ))
    })
}

/// A QoS: 0, 1 or 2.
pub fn qos(flag: &str, text: &str) -> Result<QoS, UsageError> {
    text.parse().ok().and_then(QoS::new).ok_or_else(|| {
        UsageError::new(format!("Invalid QoS given: {text}")).hint(format!(
            "Type {flag} 0 (sent once), {flag} 1 (arrives at least once) or {flag} 2 (arrives exactly once)"
        ))
    })
}

/// A protocol version, by any of the names that are in use.
pub fn version(flag: &str, text: &str) -> Result<Version, UsageError> {
    match text {
        "5" | "50" | "mqttv5" | "mqttv50" => Ok(Version::V5),
        "311" | "mqttv311" => Ok(Version::V4),
        "31" | "mqttv31" => Ok(Version::V3),
        _ => Err(
            UsageError::new(format!("There is no MQTT version '{text}'")).hint(format!(
                "Type {flag} 5, {flag} 311 (the default) or {flag} 31"
            )),
        ),
    }
}

/// A session expiry interval in seconds; -1 and ∞ mean never.
pub fn session_expiry(flag: &str, text: &str) -> Result<u32, UsageError> {
    if matches!(text, "-1" | "∞") {
        return Ok(u32::MAX);
    }
    let hexadecimal = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let seconds = match hexadecimal {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text
            .parse()
            .ok()
            .or_else(|| humantime::parse_duration(text).ok().map(|d| d.as_secs())),
    };
    seconds.and_then(|s| u32::try_from(s).ok()).ok_or_else(|| {
        UsageError::new(format!(
            "{flag} '{text}' is not between 0 and 4294967295 seconds"
        ))
        .hint(format!(
            "Type seconds, a time with a unit, or -1 for never: {flag} 3600, {flag} 1h, {flag} -1"
        ))
    })
}

/// A topic to publish to.
pub fn topic(what: &str, text: &str) -> Result<Box<Topic>, UsageError> {
    Topic::parse(text).map(Into::into).map_err(|error| {
        let usage = UsageError::new(format!("Invalid {what} topic '{text}': {error}"));
        if text.contains(['+', '#']) {
            usage.hint("Publishing needs one full topic; '+' and '#' are for subscribing.")
        } else {
            usage
        }
    })
}

/// A filter to subscribe with.
pub fn filter(what: &str, text: &str) -> Result<Box<Filter>, UsageError> {
    Filter::parse(text).map(Into::into).map_err(|error| {
        UsageError::new(format!("Invalid {what} topic '{text}': {error}"))
            .hint("'+' stands for one whole level (a/+/c), '#' for all the rest and only at the end (a/#).")
    })
}

/// Splits `host`, `host:port`, `[v6]:port` or a bare IPv6 address.
pub fn host(flag: &str, text: &str) -> Result<(String, Option<u16>), UsageError> {
    if let Some(odd) = text.chars().find(|c| !c.is_ascii()) {
        let usage = UsageError::new(format!(
            "'{text}' is not a host name: '{odd}' is not a Latin letter"
        ));
        return Err(usage.hint(
            "Type the address of the computer with the broker, such as 192.168.1.23.\n\
             'Χ.Χ.Χ.Χ' in a hand-out stands for the four numbers that ipconfig (or ip addr) shows there.",
        ));
    }
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(UsageError::new(format!("'{text}' is not a host name"))
            .hint(format!("Type for example: {flag} localhost")));
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (name, port_text) = match (bracketed, text.split_once(':')) {
        (Some((name, rest)), _) => (name, rest.strip_prefix(':')),
        (None, Some((name, rest))) if !rest.contains(':') => (name, Some(rest)),
        _ => (text, None),
    };
    Ok((
        name.to_owned(),
        port_text.map(|text| port("-p", text)).transpose()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_numbers_are_seconds_and_units_are_understood() {
        for (text, millis) in [
            ("10", 10_000),
            ("0.5", 500),
            ("0", 0),
            ("90s", 90_000),
            ("1m", 60_000),
            ("1m 30s", 90_000),
            ("250ms", 250),
        ] {
            assert_eq!(
                duration("-W", text).unwrap(),
                Duration::from_millis(millis),
                "{text}"
            );
        }
        for text in ["", "-1", "ten", "1x", "NaN", "inf", "1e99"] {
            assert!(duration("-W", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_keep_alive_is_5_to_65535_whole_seconds() {
        for (text, seconds) in [("5", 5), ("90s", 90), ("65535", 65_535), ("2m", 120)] {
            assert_eq!(keep_alive("-k", text).unwrap(), seconds, "{text}");
        }
        for text in ["4", "0", "65536", "5.5", "-5", "x"] {
            assert!(keep_alive("-k", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_expiry_may_be_never() {
        for (text, seconds) in [
            ("0", 0),
            ("-1", u32::MAX),
            ("∞", u32::MAX),
            ("4294967295", u32::MAX),
            ("1h", 3600),
            ("0x10", 16),
        ] {
            assert_eq!(session_expiry("-x", text).unwrap(), seconds, "{text}");
        }
        for text in ["-2", "4294967296", "soon", ""] {
            assert!(session_expiry("-x", text).is_err(), "{text}");
        }
    }

    #[test]
    fn versions_have_several_names() {
        for (text, expected) in [
            ("5", Version::V5),
            ("mqttv5", Version::V5),
            ("311", Version::V4),
            ("mqttv31", Version::V3),
        ] {
            assert_eq!(version("-V", text).unwrap(), expected, "{text}");
        }
        assert!(version("-V", "4").is_err());
    }

    #[test]
    fn a_host_may_carry_its_port() {
        for (text, name, port) in [
            ("localhost", "localhost", None),
            ("localhost:1884", "localhost", Some(1884)),
            ("192.168.1.2:1", "192.168.1.2", Some(1)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:1884", "::1", Some(1884)),
        ] {
            assert_eq!(host("-h", text).unwrap(), (name.to_owned(), port), "{text}");
        }
        for text in ["localhost:x", "localhost:0", "", "a b", "Χ.Χ.Χ.Χ"] {
            assert!(host("-h", text).is_err(), "{text}");
        }
    }

    #[test]
    fn greek_placeholders_are_explained() {
        let error = host("-h", "Χ.Χ.Χ.Χ").unwrap_err();
        assert!(error.to_string().contains("ipconfig"), "got {error}");
    }

    #[test]
    fn ports_and_qos_have_limits() {
        assert_eq!(port("-p", "1883").unwrap(), 1883);
        for text in ["0", "99999", "abc", "-1", ""] {
            assert!(port("-p", text).is_err(), "{text}");
        }
        assert_eq!(qos("-q", "2").unwrap(), QoS::ExactlyOnce);
        for text in ["3", "-1", "x", ""] {
            assert!(qos("-q", text).is_err(), "{text}");
        }
    }
}
