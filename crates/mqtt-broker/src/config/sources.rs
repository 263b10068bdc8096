//! Which files a configuration is read from, and whether one of them is another than before.

use super::files::conf_files;
use super::parse::Reader;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The files that are read when the broker starts, and again when its configuration is reloaded: the
/// configuration itself, those of `include_dir`, `acl_file` and `password_file`, and certificates with their keys.
#[derive(Debug)]
pub struct Sources {
    /// The one that names all others.
    main: PathBuf,
    files: Vec<PathBuf>,
    /// Of these, every file that ends in `.conf`.
    included: Vec<String>,
    /// Of these, every file.
    folders: Vec<PathBuf>,
}

/// What all files looked like at one time. It differs from another one if a file was saved, came or went.
#[derive(Clone, Debug, PartialEq)]
pub struct Look(Vec<(PathBuf, Option<Saved>)>);

/// What changes when a file is saved.
type Saved = (Option<SystemTime>, u64);

impl Sources {
    /// The files that the configuration in `main` names now, even if it has mistakes or is not there.
    pub fn of(main: &Path) -> Sources {
        let mut reader = Reader::default();
        if let Ok(bytes) = std::fs::read(main) {
            reader.read("", &bytes, false);
        }
        let mut sources = Sources {
            main: main.into(),
            files: Vec::new(),
            included: reader.included,
            folders: Vec::new(),
        };
        let securities = reader.drafts.iter().map(|draft| &draft.security);
        for security in securities.chain([&reader.security]) {
            let named = [&security.acl_file, &security.password_file];
            sources.files.extend(named.into_iter().flatten().cloned());
        }
        for listener in reader.drafts.iter().map(|draft| &draft.listener) {
            let named = [
                &listener.certfile,
                &listener.keyfile,
                &listener.cafile,
                &listener.crlfile,
            ];
            sources.files.extend(named.into_iter().flatten().cloned());
            sources.folders.extend(listener.capath.clone());
        }
        sources
    }

    /// Looks at all of them; `None` while the configuration itself is not there, as when an editor has put it
    /// aside for a moment.
    pub fn look(&self) -> Option<Look> {
        let main = (self.main.clone(), Some(saved(&self.main)?));
        let included = self.included.iter().flat_map(|folder| {
            let files = conf_files(folder).unwrap_or_default();
            files.into_iter().map(PathBuf::from)
        });
        let in_folders = self.folders.iter().flat_map(|folder| files_of(folder));
        let others = self.files.iter().cloned().chain(included).chain(in_folders);
        let others = others.map(|path| {
            let saved = saved(&path);
            (path, saved)
        });
        Some(Look([main].into_iter().chain(others).collect()))
    }
}

fn saved(path: &Path) -> Option<Saved> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok(), file.len()))
}

/// The files of a folder, sorted; none if it cannot be read.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_reload_reads_is_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for folder in ["more", "ca"] {
            std::fs::create_dir(path(folder)).expect("a folder");
        }
        let main = path("test.conf");
        let text = format!(
            "acl_file {0}/acl\npassword_file {0}/users\ninclude_dir {0}/more\nthis is a mistake\n\
             listener 8883\ncertfile {0}/cert.pem\nkeyfile {0}/key.pem\ncafile {0}/ca.pem\ncapath {0}/ca\n\
             crlfile {0}/crl.pem\n",
            folder.path().display()
        );
        std::fs::write(&main, text).expect("a file");
        std::fs::write(path("more/a.conf"), "").expect("a file");
        let sources = Sources::of(&main);
        let mut before = sources.look().expect("it is there");
        assert_eq!(sources.look(), Some(before.clone()), "nothing was saved");
        for name in [
            "acl",
            "users",
            "cert.pem",
            "key.pem",
            "ca.pem",
            "ca/0123abcd.0",
            "crl.pem",
            "more/a.conf",
            "more/b.conf",
            "test.conf",
        ] {
            std::fs::write(path(name), "# another text").expect("a file");
            let now = sources.look().expect("it is there");
            assert_ne!(now, before, "{name} was saved");
            before = now;
        }
        std::fs::write(path("more/note.txt"), "").expect("a file");
        std::fs::write(path("broker.log"), "").expect("a file");
        assert_eq!(sources.look(), Some(before), "these are not read");
        std::fs::remove_file(&main).expect("it is there");
        assert_eq!(sources.look(), None);
    }
}
