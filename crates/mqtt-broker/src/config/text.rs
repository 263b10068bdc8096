//! From the bytes of a file to its lines, whatever the editor made of them.
//!
//! Notepad puts a mark before UTF-8, PowerShell's `>` writes UTF-16, and both end lines with
//! CR LF. A broker that read such a file as empty would start with other rules than the ones
//! its owner wrote down.

/// A line that is not text, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotText(pub &'static str);

/// The lines of a file, without their ends. Comments may hold anything.
pub fn lines(bytes: &[u8]) -> Vec<Result<String, NotText>> {
    match encoding(bytes) {
        Encoding::Utf8(bytes) => bytes.split(|byte| *byte == b'\n').map(utf8_line).collect(),
        Encoding::Utf16(bytes, unit) => utf16_lines(bytes, unit),
    }
}

enum Encoding<'a> {
    Utf8(&'a [u8]),
    Utf16(&'a [u8], fn([u8; 2]) -> u16),
}

fn encoding(bytes: &[u8]) -> Encoding<'_> {
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => Encoding::Utf8(rest),
        [0xFF, 0xFE, rest @ ..] => Encoding::Utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => Encoding::Utf16(rest, u16::from_be_bytes),
        _ => unmarked(bytes),
    }
}

/// UTF-16 without a mark is seen by its NULs: option names are ASCII, so every second byte is 0.
fn unmarked(bytes: &[u8]) -> Encoding<'_> {
    let nuls = |parity: usize| {
        let every_second = bytes.iter().skip(parity).step_by(2);
        every_second.filter(|byte| **byte == 0).count()
    };
    let (even, odd) = (nuls(0), nuls(1));
    // A stray NUL in UTF-8 is an error of its line, not a sign of another encoding.
    if even.max(odd) * 4 <= bytes.len() {
        Encoding::Utf8(bytes)
    } else if odd > even {
        Encoding::Utf16(bytes, u16::from_le_bytes)
    } else {
        Encoding::Utf16(bytes, u16::from_be_bytes)
    }
}

fn utf8_line(line: &[u8]) -> Result<String, NotText> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.trim_ascii_start().starts_with(b"#") {
        return Ok(String::from_utf8_lossy(line).into_owned());
    }
    checked(String::from_utf8(line.to_vec()).ok())
}

fn utf16_lines(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<Result<String, NotText>> {
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|pair| unit([pair[0], pair[1]]))
        .collect();
    units
        .split(|unit| *unit == u16::from(b'\n'))
        .map(|line| {
            let line = line.strip_suffix(&[u16::from(b'\r')]).unwrap_or(line);
            checked(String::from_utf16(line).ok())
        })
        .collect()
}

fn checked(line: Option<String>) -> Result<String, NotText> {
    match line {
        None => Err(NotText(
            "this line is not UTF-8 text. Save the file as UTF-8.",
        )),
        Some(line) if line.contains('\0') => Err(NotText("this line holds a NUL character.")),
        Some(line) => Ok(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "listener 1883\r\nlog_dest file Γειά.log\r\n";

    fn texts(bytes: &[u8]) -> Vec<String> {
        lines(bytes)
            .into_iter()
            .map(|line| line.expect("text"))
            .collect()
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn all_encodings_of_a_file_give_the_same_lines() {
        let marked = format!("\u{feff}{TEXT}");
        let expected = ["listener 1883", "log_dest file Γειά.log", ""];
        for (name, bytes) in [
            ("UTF-8", TEXT.as_bytes().to_vec()),
            ("UTF-8 with a mark", marked.as_bytes().to_vec()),
            ("UTF-16 LE with a mark", utf16(&marked, u16::to_le_bytes)),
            ("UTF-16 BE with a mark", utf16(&marked, u16::to_be_bytes)),
            ("UTF-16 LE", utf16(TEXT, u16::to_le_bytes)),
            ("UTF-16 BE", utf16(TEXT, u16::to_be_bytes)),
            ("Unix line ends", TEXT.replace('\r', "").into_bytes()),
        ] {
            assert_eq!(texts(&bytes), expected, "{name}");
        }
    }

    #[test]
    fn old_code_pages_are_refused_outside_of_comments() {
        let lines = lines(b"# \xC3\xE5\xE9\xDC\nuser \xC3\xE5\n");
        assert!(lines[0].is_ok());
        assert!(lines[1].is_err());
    }

    #[test]
    fn a_stray_nul_is_an_error_of_its_line_alone() {
        let lines = lines(b"listener 1883\nallow_\0anonymous true\n");
        assert!(lines[0].is_ok());
        assert!(lines[1].is_err());
    }
}
