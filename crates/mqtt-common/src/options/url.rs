//! URLs: `mqtt://NAME:PASSWORD@HOST:PORT/TOPIC` for brokers, `socks5h://NAME:PASSWORD@HOST:PORT` for
//! proxies.

use crate::flags::UsageError;
use crate::value;

/// A URL in its parts, percent signs decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// The word in front of `://`, in small letters.
    pub scheme: &'static str,
    /// The user name, if there is an `@`.
    pub user: Option<String>,
    /// The password, if there is a colon behind the user name.
    pub password: Option<String>,
    /// The name or address, without brackets.
    pub host: String,
    /// The port, if it is said.
    pub port: Option<u16>,
    /// What follows the first slash behind the host; a topic may have slashes of its own.
    pub path: String,
}

/// Splits a URL that has one of `schemes`.
///
/// # Errors
/// The scheme is another one, the host is missing, or a part is not Unicode when it is decoded.
pub fn parse(flag: &str, text: &str, schemes: &'static [&'static str]) -> Result<Url, UsageError> {
    let scheme_and_rest = text.split_once("://").and_then(|(scheme, rest)| {
        let known = schemes
            .iter()
            .find(|known| known.eq_ignore_ascii_case(scheme))?;
        Some((*known, rest))
    });
    let Some((scheme, rest)) = scheme_and_rest else {
        let starts: Vec<_> = schemes.iter().map(|name| format!("{name}://")).collect();
        return Err(UsageError::new(format!(
            "{flag}: '{text}' is no URL that works here; it has to begin with {}",
            starts.join(" or ")
        ))
        .hint(format!("Type for example: {flag} {}", example(schemes))));
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    // A password may have an @ of its own; a host has none.
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (Some(login), place),
        None => (None, authority),
    };
    if place.is_empty() || place.starts_with(':') && !place.contains("::") {
        return Err(
            UsageError::new(format!("{flag}: there is no host in '{text}'"))
                .hint(format!("Type for example: {flag} {}", example(schemes))),
        );
    }
    let (host, port) = value::host(flag, place)?;
    let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, ""))) {
        None => (None, None),
        Some((user, password)) => {
            let has_password = login.is_some_and(|login| login.contains(':'));
            let password = has_password.then(|| decoded(flag, password)).transpose()?;
            (Some(decoded(flag, user)?), password)
        }
    };
    Ok(Url {
        scheme,
        user,
        password,
        host,
        port,
        path: decoded(flag, path)?,
    })
}

fn example(schemes: &[&str]) -> &'static str {
    if schemes.contains(&"mqtt") {
        "mqtt://localhost/topic/pub"
    } else {
        "socks5h://localhost:1080"
    }
}

/// Turns `%41` into `A`. A percent sign without two digits behind it stands for itself.
fn decoded(flag: &str, text: &str) -> Result<String, UsageError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        match (first, hexadecimal(behind)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| {
        UsageError::new(format!("{flag}: '{text}' is not UTF-8 when it is decoded")).hint(
            "A percent sign begins a byte in two hexadecimal digits; one that is meant is %25.",
        )
    })
}

fn hexadecimal(bytes: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(*bytes.first()?)? * 16 + digit(*bytes.get(1)?)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMES: &[&str] = &["mqtt", "mqtts"];

    #[track_caller]
    fn check(
        text: &str,
        login: (Option<&str>, Option<&str>),
        place: (&str, Option<u16>),
        path: &str,
    ) {
        let url = parse("-L", text, SCHEMES).unwrap();
        assert_eq!(
            (url.user.as_deref(), url.password.as_deref()),
            login,
            "{text}"
        );
        assert_eq!((url.host.as_str(), url.port), place, "{text}");
        assert_eq!(url.path, path, "{text}");
    }

    #[test]
    fn every_part_may_be_there_or_not() {
        let none = (None, None);
        check("mqtt://h/t", none, ("h", None), "t");
        check("MQTT://h:5/a/b", none, ("h", Some(5)), "a/b");
        check("mqtts://h", none, ("h", None), "");
        check("mqtt://u@h/t", (Some("u"), None), ("h", None), "t");
        check("mqtt://u:p@h/t", (Some("u"), Some("p")), ("h", None), "t");
        check("mqtt://:@h/t", (Some(""), Some("")), ("h", None), "t");
        check("mqtt://[::1]:7/t", none, ("::1", Some(7)), "t");
        check("mqtt://[fe80::1]/t", none, ("fe80::1", None), "t");
        check("mqtt://h/a/+/#", none, ("h", None), "a/+/#");
        check("mqtt://h//a", none, ("h", None), "/a");
    }

    #[test]
    fn percent_signs_are_decoded_in_names_and_topics() {
        let login = (Some("a@b"), Some("p:w/1"));
        check("mqtt://a%40b:p%3Aw%2f1@h/50%25", login, ("h", None), "50%");
        check("mqtt://h/50%", (None, None), ("h", None), "50%");
        check("mqtt://h/%zz%4", (None, None), ("h", None), "%zz%4");
        check("mqtt://h/%CE%B1", (None, None), ("h", None), "α");
        check(
            "mqtt://u:p@w@h/t",
            (Some("u"), Some("p@w")),
            ("h", None),
            "t",
        );
    }

    #[test]
    fn mistakes_show_a_url_that_works() {
        for (text, expected) in [
            ("localhost", "it has to begin with mqtt:// or mqtts://"),
            ("http://h/t", "it has to begin with mqtt:// or mqtts://"),
            ("mqtt://", "there is no host"),
            ("mqtt:///t", "there is no host"),
            ("mqtt://:5/t", "there is no host"),
            ("mqtt://h:x/t", "Invalid port given: x"),
            ("mqtt://h/%ff", "is not UTF-8"),
        ] {
            let error = parse("-L", text, SCHEMES).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: got {error}");
        }
    }
}
