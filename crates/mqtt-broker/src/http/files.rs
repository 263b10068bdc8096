//! Files of `http_dir`: what lies in the folder, and nothing else.

use bytes::Bytes;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A larger file is not served: an answer is in memory as a whole.
const LARGEST: u64 = 64 * 1024 * 1024;

/// What a browser is told of a file, by the ending of its name.
const KINDS: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("gif", "image/gif"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("webp", "image/webp"),
    ("xml", "application/xml"),
];

/// The content of the file that a path of a URL names, and its kind; `None` if there is none.
pub(super) async fn read(folder: PathBuf, path: &str) -> Option<(Bytes, &'static str)> {
    let place = place(path)?;
    // A disk may take its time, and the broker does not wait for it.
    let reading = tokio::task::spawn_blocking(move || read_inside(&folder, &place));
    reading.await.ok().flatten()
}

fn read_inside(folder: &Path, place: &Path) -> Option<(Bytes, &'static str)> {
    let folder = folder.canonicalize().ok()?;
    // A link may lead out of the folder; what it leads to counts.
    let path = folder.join(place).canonicalize().ok()?;
    if !path.starts_with(&folder) {
        return None;
    }
    let file = std::fs::File::open(&path).ok()?;
    let found = file.metadata().ok()?;
    if !found.is_file() || found.len() > LARGEST {
        return None;
    }
    let mut content = Vec::new();
    file.take(LARGEST).read_to_end(&mut content).ok()?;
    Some((content.into(), kind(&path)))
}

/// Where in the folder a path of a URL points; `None` for one that tries to leave it.
fn place(path: &str) -> Option<PathBuf> {
    let text = decoded(path)?;
    let mut place = PathBuf::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            // Names of Windows, too: other folders, drives, streams.
            _ if part == ".." || part.contains(['\\', ':', '\0']) => return None,
            _ => place.push(part),
        }
    }
    if text.ends_with('/') {
        place.push("index.html");
    }
    Some(place)
}

/// A path without its `%41` and the like.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = behind;
            continue;
        }
        let (digits, behind) = behind.split_at_checked(2)?;
        let digits = str::from_utf8(digits).ok()?;
        // `from_str_radix` takes a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(bytes).ok()
}

fn kind(path: &Path) -> &'static str {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let ending = ending.unwrap_or_default().to_ascii_lowercase();
    KINDS
        .iter()
        .find(|(known, _)| *known == ending)
        .map_or("application/octet-stream", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_folder() {
        for (path, expected) in [
            ("/", Some("index.html")),
            ("/index.html", Some("index.html")),
            ("/a/b.js", Some("a/b.js")),
            ("/a//./b", Some("a/b")),
            ("/a/", Some("a/index.html")),
            ("/%61%20b", Some("a b")),
            ("/%CE%B1", Some("α")),
            ("/../x", None),
            ("../../etc/passwd", None),
            ("/%2e%2e/x", None),
            ("/a/%2E./x", None),
            ("/..%2fx", None),
            ("/..\\x", None),
            ("/c:/x", None),
            ("/a%00", None),
            ("/%", None),
            ("/%4", None),
            ("/%+4", None),
            ("/%ff", None),
        ] {
            assert_eq!(place(path), expected.map(PathBuf::from), "{path}");
        }
    }

    #[test]
    fn files_are_read_and_what_lies_outside_is_not() {
        let outer = tempfile::tempdir().expect("a folder");
        let folder = outer.path().join("www");
        std::fs::create_dir_all(folder.join("sub")).expect("a folder");
        std::fs::write(folder.join("index.html"), "<p>").expect("a file");
        std::fs::write(outer.path().join("secret"), "x").expect("a file");
        let read = |path: &str| read_inside(&folder, &place(path)?);
        let (content, kind) = read("/").expect("a file");
        assert_eq!(
            (&content[..], kind),
            (&b"<p>"[..], "text/html; charset=utf-8")
        );
        assert!(read("/sub").is_none(), "a folder is no file");
        assert!(read("/missing").is_none());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(outer.path().join("secret"), folder.join("link"))
                .expect("a link");
            assert!(read("/link").is_none(), "a link out of the folder");
        }
    }
}
