//! Where the file lies: it is replaced as a whole or not at all, and stays as private as it was.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file that takes the place of the one at `path`, if there is one.
///
/// Whoever reads meanwhile sees the old file or the new one, never a part. The owner and the
/// rights of an old file stay; a new one is for its owner alone.
///
/// # Errors
/// The system's; the old file is then as it was, or its content lies beside it in a backup that
/// the error names.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    // A link goes on pointing to the file that it names.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match fs::metadata(path) {
        Ok(old) if !old.is_file() => Err(io::Error::other("it is not a file")),
        Ok(old) => replace_old(path, &old, content),
        Err(_) => {
            let new = beside(path, "new")?;
            write_private(&new, content)?;
            rename(&new, path)
        }
    }
}

#[cfg(unix)]
fn replace_old(path: &Path, old: &fs::Metadata, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let new = beside(path, "new")?;
    write_private(&new, content)?;
    let made = fs::metadata(&new)?;
    let is_other = (made.uid(), made.gid()) != (old.uid(), old.gid());
    if is_other && chown(&new, Some(old.uid()), Some(old.gid())).is_err() {
        // The broker may have to read it as its owner, so the owner must not change.
        fs::remove_file(&new)?;
        return write_in_place(path, content);
    }
    fs::set_permissions(&new, fs::Permissions::from_mode(old.mode() & 0o7777))?;
    rename(&new, path)
}

/// On Windows a new file would get the rights of its folder in place of those of the old one.
#[cfg(not(unix))]
fn replace_old(path: &Path, _old: &fs::Metadata, content: &[u8]) -> io::Result<()> {
    write_in_place(path, content)
}

/// Writes into the file itself, with a backup beside it for as long as that takes.
fn write_in_place(path: &Path, content: &[u8]) -> io::Result<()> {
    let backup = beside(path, "backup")?;
    write_private(&backup, &fs::read(path)?)?;
    let written = fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        });
    if let Err(error) = written {
        let shown = backup.display();
        return Err(io::Error::new(
            error.kind(),
            format!("{error} (what it held before lies in {shown})"),
        ));
    }
    fs::remove_file(&backup)
}

fn rename(new: &Path, path: &Path) -> io::Result<()> {
    let renamed = fs::rename(new, path);
    if renamed.is_err() {
        let _ = fs::remove_file(new);
    }
    renamed?;
    sync_folder(path);
    Ok(())
}

/// Without this a power cut may bring the old name back; no harm if the folder cannot be synced.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    if cfg!(unix)
        && let Ok(folder) = fs::File::open(folder.unwrap_or(Path::new(".")))
    {
        let _ = folder.sync_all();
    }
}

/// A name in the same folder that nobody has and nobody can guess.
fn beside(path: &Path, ending: &str) -> io::Result<PathBuf> {
    let number = getrandom::u64().map_err(io::Error::other)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number:016x}.{ending}"));
    Ok(name.into())
}

/// Writes a file that must not be there yet and that only its owner can read.
fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries
            .map(|entry| entry.expect("it can be read").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn nothing_is_left_beside_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("users");
        for content in ["one", "two, which is longer", "3"] {
            replace(&path, content.as_bytes()).expect(content);
            assert_eq!(fs::read_to_string(&path).expect("a file"), content);
            write_in_place(&path, content.as_bytes()).expect(content);
            assert_eq!(fs::read_to_string(&path).expect("a file"), content);
        }
        assert_eq!(names(folder.path()), ["users"]);
    }

    #[test]
    fn a_folder_is_not_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(replace(folder.path(), b"x").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_private_and_an_old_one_stays_as_it_was() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("users"), folder.path().join("link"));
        replace(&path, b"x").expect("a new file");
        assert_eq!(mode(&path), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("it is ours");
        symlink(&path, &link).expect("a link");
        replace(&link, b"y").expect("an old file");
        assert_eq!(mode(&path), 0o640);
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
        assert_eq!(fs::read(&path).expect("a file"), b"y");
    }
}
