//! Who the client is for the broker: user name and password, from wherever they were given.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use mqtt_proto::Version;

use super::way;
use crate::ask;
use crate::flags::{Said, UsageError};

/// The environment variable that holds a password.
const VARIABLE: &str = "MQTT_PASSWORD";

/// User name and password.
pub type Credentials = (Option<String>, Option<Vec<u8>>);

/// Where a password comes from.
enum Source {
    Bytes(Vec<u8>),
    File(OsString),
    /// `-P -`: the terminal.
    Ask,
}

/// The last user name and password that were given. The environment's password counts where there is
/// a user name and no other password.
///
/// # Errors
/// A password cannot be read, is there without a user name below version 5, or is too long.
pub fn credentials(
    said: &Said,
    version: Version,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Credentials, UsageError> {
    let (mut username, mut source) = (None, None);
    for given in said.in_order() {
        match given.long {
            "username" => username = Some(given.text()?.to_owned()),
            "pw" if given.is("-") => source = Some(Source::Ask),
            "pw" => source = Some(Source::Bytes(given.bytes()?)),
            "password-file" => source = given.path().map(|path| Source::File(path.to_owned())),
            "url" => {
                let url = given.meaning(way::url)?;
                username = url.user.or(username);
                source = url
                    .password
                    .map(|text| Source::Bytes(text.into_bytes()))
                    .or(source);
            }
            _ => {}
        }
    }
    if source.is_none() && username.is_some() {
        let found = environment(VARIABLE).filter(|text| !text.is_empty());
        source = found.map(|text| of_environment(&text)).transpose()?;
    }
    if source.is_some() && username.is_none() && !version.is_v5() {
        return Err(
            UsageError::new("A password without a user name is only possible in MQTT 5")
                .hint("Add the user name: -u NAME -P PASSWORD"),
        );
    }
    let password = source
        .map(|source| read(source, username.as_deref()))
        .transpose()?;
    let too_long = |length: usize| length > mqtt_proto::MAX_STRING;
    if too_long(username.as_deref().map_or(0, str::len))
        || too_long(password.as_deref().map_or(0, <[u8]>::len))
    {
        return Err(UsageError::new(
            "The user name or the password is longer than 65535 bytes",
        ));
    }
    if username.as_deref().is_some_and(|name| name.contains('\0')) {
        return Err(UsageError::new("The user name has a zero byte"));
    }
    Ok((username, password))
}

fn read(source: Source, username: Option<&str>) -> Result<Vec<u8>, UsageError> {
    match source {
        Source::Bytes(bytes) => Ok(bytes),
        Source::File(path) => of_file(Path::new(&path)),
        Source::Ask => {
            let prompt = match username {
                Some(name) => format!("Password for {name}: "),
                None => "Password: ".to_owned(),
            };
            ask::secret(&prompt).map(String::into_bytes).map_err(|error| {
                UsageError::new(error)
                    .hint("Without a terminal: --password-file FILE, or MQTT_PASSWORD in the environment")
            })
        }
    }
}

/// The first line of a file.
fn of_file(path: &Path) -> Result<Vec<u8>, UsageError> {
    let bytes = fs::read(path).map_err(|error| {
        UsageError::new(format!(
            "Unable to read the password file '{}': {error}",
            path.display()
        ))
    })?;
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() {
        return Err(UsageError::new(format!(
            "There is no password in the first line of '{}'",
            path.display()
        )));
    }
    Ok(line.to_vec())
}

fn of_environment(value: &OsStr) -> Result<Source, UsageError> {
    match value.to_str() {
        Some(text) => Ok(Source::Bytes(text.as_bytes().to_vec())),
        None => Err(UsageError::new(format!(
            "The password in {VARIABLE} is not Unicode text"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::Program;
    use crate::flags::{Parsed, parse};

    fn of(line: &str, variable: Option<&str>) -> Result<Credentials, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.split_whitespace())
            .map(Into::into);
        match parse(Program::Pub, argv)? {
            Parsed::Said(said) => credentials(&said, Version::V4, |name| {
                assert_eq!(name, VARIABLE);
                variable.map(OsString::from)
            }),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[track_caller]
    fn check(line: &str, variable: Option<&str>, name: Option<&str>, password: Option<&str>) {
        let (found_name, found_password) = of(line, variable).unwrap();
        assert_eq!(found_name.as_deref(), name, "{line}");
        let expected = password.map(str::as_bytes);
        assert_eq!(found_password.as_deref(), expected, "{line}");
    }

    #[test]
    fn later_ones_win_and_the_environment_comes_last() {
        check("", None, None, None);
        check("-u a", None, Some("a"), None);
        check("-u a -P b", Some("e"), Some("a"), Some("b"));
        check("-u a", Some("e"), Some("a"), Some("e"));
        check("-u a", Some(""), Some("a"), None);
        check("", Some("e"), None, None);
        check("-L mqtt://a:b@h/t", Some("e"), Some("a"), Some("b"));
        check("-L mqtt://a:b@h/t -u c -P d", None, Some("c"), Some("d"));
        check("-u c -P d -L mqtt://a@h/t", None, Some("a"), Some("d"));
    }

    #[test]
    fn a_password_may_be_the_first_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let line = format!("-u a --password-file {}", path.display());
        fs::write(&path, "\u{feff}s3crét\r\nmore").unwrap();
        check(&line, Some("e"), Some("a"), Some("s3crét"));
        check(&format!("{line} -P p"), None, Some("a"), Some("p"));
        fs::write(&path, "\n").unwrap();
        let error = of(&line, None).unwrap_err();
        assert!(error.what().contains("no password in the first line"));
        fs::remove_file(&path).unwrap();
        let error = of(&line, None).unwrap_err();
        assert!(error.what().contains("Unable to read the password file"));
    }

    #[test]
    fn a_password_needs_a_name_and_both_have_limits() {
        let error = of("-P x", None).unwrap_err().to_string();
        assert!(error.contains("Add the user name"));
        let long = "x".repeat(65_536);
        let error = of(&format!("-u {long}"), None).unwrap_err();
        assert!(error.what().contains("longer than 65535 bytes"));
    }
}
