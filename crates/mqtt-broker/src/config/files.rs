//! The files of a configuration: the one that is named, and those of `include_dir`.

use super::fault::Fault;
use std::io;
use std::path::Path;

/// Reads the file the operator named, or says why not and what was probably meant.
pub(super) fn read_named(path: &Path) -> Result<Vec<u8>, Fault> {
    let fault = |what: String, advice: Option<String>| Fault {
        file: String::new(),
        line: 0,
        text: String::new(),
        what,
        advice,
    };
    let shown = path.display();
    if path.is_dir() {
        return Err(fault(
            format!("'{shown}' is a folder, not a file."),
            Some(format!(
                "Name a file in it: -c {}",
                path.join("test.conf").display()
            )),
        ));
    }
    std::fs::read(path).map_err(|error| {
        if error.kind() != io::ErrorKind::NotFound {
            return fault(format!("the file '{shown}' cannot be read: {error}."), None);
        }
        let folder = std::env::current_dir().unwrap_or_default();
        let place = if path.is_relative() {
            format!(" in {}", folder.display())
        } else {
            String::new()
        };
        fault(
            format!("there is no file '{shown}'{place}."),
            similar(path).map(|name| format!("There is '{name}'. Type: -c {name}, or rename it.")),
        )
    })
}

/// A file beside `path` whose name differs only in its ending.
///
/// Windows hides `.txt`, so a file that looks like `test.conf` there is often `test.conf.txt`.
fn similar(path: &Path) -> Option<String> {
    ["txt", "conf"]
        .into_iter()
        .map(|ending| {
            let mut name = path.as_os_str().to_owned();
            name.push(".");
            name.push(ending);
            name
        })
        .find(|name| Path::new(name).is_file())
        .map(|name| name.to_string_lossy().into_owned())
}

/// The `*.conf` files of a folder, sorted without regard to case, as names to open and to show.
pub(super) fn conf_files(folder: &str) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.len() > ".conf".len() && name.ends_with(".conf") {
            names.push(name);
        }
    }
    names.sort_by_cached_key(|name| (name.to_ascii_uppercase(), name.clone()));
    // Mosquitto shows the path with a slash on every system.
    Ok(names
        .into_iter()
        .map(|name| format!("{}/{name}", folder.trim_end_matches('/')))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_ending_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("test.conf.txt"), "listener 1883").expect("a file");
        let fault = read_named(&folder.path().join("test.conf")).expect_err("no such file");
        let advice = fault.advice.expect("advice");
        assert!(advice.contains("test.conf.txt'"), "{advice}");
    }

    #[test]
    fn a_folder_is_not_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let fault = read_named(folder.path()).expect_err("a folder");
        assert!(fault.what.contains("is a folder"), "{}", fault.what);
    }

    #[test]
    fn files_are_sorted_without_regard_to_case() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.conf", "A.conf", "C.conf", "a.conf", ".conf", "d.txt"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let files = conf_files(&folder.path().to_string_lossy()).expect("files");
        let names: Vec<_> = files
            .iter()
            .map(|path| path.rsplit(['/', '\\']).next().expect("a name"))
            .collect();
        // On Windows two names that differ in case only are one file.
        let expected: &[&str] = if names.len() == 3 {
            &["A.conf", "b.conf", "C.conf"]
        } else {
            &["A.conf", "a.conf", "b.conf", "C.conf"]
        };
        assert_eq!(names, expected);
    }
}
