//! What differs between operating systems and is said in one line: their names, their consoles, their
//! arguments.

use std::ffi::{OsStr, OsString};

/// Whether this is Windows, whose shells and folders are others.
pub const IS_WINDOWS: bool = cfg!(windows);

/// Whether the terminal, if there is one, understands escape sequences from now on. Those of Unix do; a
/// console of Windows 10 is told to, and older ones do not.
#[cfg(windows)]
pub fn understands_escapes() -> bool {
    enable_ansi_support::enable_ansi_support().is_ok()
}

/// Whether the terminal, if there is one, understands escape sequences.
#[cfg(not(windows))]
pub fn understands_escapes() -> bool {
    true
}

/// The bytes of an argument; `None` if it is not text where arguments are text.
#[cfg(unix)]
#[allow(
    clippy::unnecessary_wraps,
    reason = "elsewhere not every argument has bytes"
)]
pub fn bytes_of(argument: &OsStr) -> Option<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    Some(argument.as_bytes().to_vec())
}

/// The bytes of an argument; `None` if it is not text where arguments are text.
#[cfg(not(unix))]
pub fn bytes_of(argument: &OsStr) -> Option<Vec<u8>> {
    argument.to_str().map(|text| text.as_bytes().to_vec())
}

/// An argument of these bytes; `None` if they are not text where arguments are text.
#[cfg(unix)]
#[allow(
    clippy::unnecessary_wraps,
    reason = "elsewhere not all bytes are arguments"
)]
pub fn argument_of(bytes: &[u8]) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes.to_vec()))
}

/// An argument of these bytes; `None` if they are not text where arguments are text.
#[cfg(not(unix))]
pub fn argument_of(bytes: &[u8]) -> Option<OsString> {
    str::from_utf8(bytes).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_as_argument_and_as_bytes() {
        let text = "Γειά – 𝄞";
        let argument = argument_of(text.as_bytes()).unwrap();
        assert_eq!(argument, text);
        assert_eq!(bytes_of(&argument).unwrap(), text.as_bytes());
        assert_eq!(argument_of(b"\xff").is_none(), IS_WINDOWS);
    }

    #[cfg(windows)]
    #[test]
    fn half_a_pair_of_surrogates_has_no_bytes() {
        use std::os::windows::ffi::OsStringExt;
        assert_eq!(bytes_of(&OsString::from_wide(&[0xd800])), None);
    }
}
