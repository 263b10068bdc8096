//! The HTTP at the beginning of a WebSocket: a block of lines, read to its end and not further.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// More header lines than this nobody needs.
pub(super) const MOST_HEADERS: usize = 100;

/// Reads up to the empty line; returns that, and what has come behind it.
///
/// # Errors
/// `FileTooLarge` if the head is longer than `limit` bytes; `UnexpectedEof` if it ends early;
/// `InvalidData` as soon as it cannot be HTTP: whoever speaks something else waits for no more of it.
pub(super) async fn read_head<S: AsyncRead + Unpin>(
    stream: &mut S,
    limit: usize,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let mut bytes = Vec::with_capacity(512.min(limit));
    loop {
        let before = bytes.len();
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Both a request and a response begin with a word in capitals.
        if !bytes[0].is_ascii_uppercase() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // The end may have begun in what was there before.
        let from = before.saturating_sub(END.len() - 1);
        let found = bytes[from..]
            .windows(END.len())
            .position(|four| four == END);
        if let Some(at) = found
            && from + at + END.len() <= limit
        {
            let early = bytes.split_off(from + at + END.len());
            return Ok((bytes, early));
        }
        if bytes.len() >= limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
}

/// The value of a header line, if it is there and is text.
pub(super) fn value<'a>(headers: &[httparse::Header<'a>], name: &str) -> Option<&'a str> {
    let header = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok().map(str::trim)
}

/// The words of all header lines of a name, between commas.
pub(super) fn words<'a>(
    headers: &'a [httparse::Header<'a>],
    name: &'a str,
) -> impl Iterator<Item = &'a str> {
    headers
        .iter()
        .filter(move |header| header.name.eq_ignore_ascii_case(name))
        .filter_map(|header| std::str::from_utf8(header.value).ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Whether one of the words of a header is this one, in any case of its letters.
pub(super) fn says(headers: &[httparse::Header<'_>], name: &str, word: &str) -> bool {
    words(headers, name).any(|said| said.eq_ignore_ascii_case(word))
}
