//! The programs of this workspace, built the way the running test was.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};
use std::time::SystemTime;

/// The path of the built program `name`, which is also its package's name.
///
/// `cargo test` of the whole workspace has built it already; of one crate it has not, or long
/// ago, so what is missing or older than its sources is built here, once in a process.
///
/// # Panics
/// If it cannot be built.
pub fn tool(name: &str) -> PathBuf {
    built(Path::new(""), name, &["--package", name, "--bin", name])
}

/// The path of a built example of this crate; else as [`tool`].
///
/// # Panics
/// If it cannot be built.
pub fn example(name: &str) -> PathBuf {
    let package = env!("CARGO_PKG_NAME");
    built(
        Path::new("examples"),
        name,
        &["--package", package, "--example", name],
    )
}

fn built(folder: &Path, name: &str, what: &[&str]) -> PathBuf {
    static BUILT: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
    let profile = profile_folder();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = profile.join(folder).join(file);
    // Held while building: two tests must not ask cargo for the same thing at once.
    let mut built = BUILT
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if built.contains(&path) {
        return path;
    }
    if !is_fresh(&path) {
        build(name, what, &profile);
    }
    assert!(path.exists(), "cargo has not put {name} at {path:?}");
    built.insert(path.clone());
    path
}

/// `target/debug` or `target/release`: the test itself lies in `deps` inside of it.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("the test knows where it is");
    let deps = test.parent().expect("an executable lies in a folder");
    deps.parent()
        .expect("cargo puts tests into deps")
        .to_owned()
}

/// Whether no source of any crate is newer.
///
/// Cargo would know it exactly, but asked for one program alone it chooses fewer features of the
/// dependencies than for the whole workspace, and builds them all a second time.
fn is_fresh(program: &Path) -> bool {
    let Ok(built) = modified(program) else {
        return false;
    };
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let crates = crates.expect("the crates lie side by side");
    let folders = std::fs::read_dir(crates).into_iter().flatten().flatten();
    folders
        .map(|entry| entry.path())
        // This crate goes into no program.
        .filter(|path| path != Path::new(env!("CARGO_MANIFEST_DIR")))
        .all(|path| {
            is_older(&path.join("Cargo.toml"), built) && all_older(&path.join("src"), built)
        })
}

fn modified(path: &Path) -> std::io::Result<SystemTime> {
    std::fs::metadata(path)?.modified()
}

/// A file that is not there has not been changed.
fn is_older(file: &Path, time: SystemTime) -> bool {
    modified(file).map_or(true, |changed| changed <= time)
}

fn all_older(folder: &Path, time: SystemTime) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).all(|path| {
        if path.is_dir() {
            all_older(&path, time)
        } else {
            is_older(&path, time)
        }
    })
}

fn build(name: &str, what: &[&str], profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = profile.parent().expect("a profile lies in the target dir");
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet"])
        .args(what)
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    let output = command.output().expect("cargo can be started");
    assert!(
        output.status.success(),
        "{name} cannot be built:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_as_old_as_its_newest_source_allows() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("deep")).unwrap();
        let source = folder.path().join("deep/source.rs");
        std::fs::write(&source, "").unwrap();
        let written = modified(&source).unwrap();
        assert!(all_older(folder.path(), written));
        let before = written - std::time::Duration::from_secs(1);
        assert!(!all_older(folder.path(), before));
    }
}
