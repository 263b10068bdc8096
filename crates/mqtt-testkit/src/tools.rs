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

/// Whether nothing that went into it is newer; cargo lists that beside it in a `.d` file.
fn is_fresh(program: &Path) -> bool {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified());
    let Ok(built) = modified(program) else {
        return false;
    };
    let Ok(list) = std::fs::read_to_string(program.with_extension("d")) else {
        return false;
    };
    let Some((_, sources)) = list.split_once(": ") else {
        return false;
    };
    sources_of(sources).all(|source| {
        modified(Path::new(&source)).is_ok_and(|changed: SystemTime| changed <= built)
    })
}

/// The names in a list for `make`, where a space in a name has a backslash.
fn sources_of(list: &str) -> impl Iterator<Item = String> {
    list.trim()
        .replace("\\ ", "\0")
        .split_whitespace()
        .map(|name| name.replace('\0', " "))
        .collect::<Vec<_>>()
        .into_iter()
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
    fn names_with_spaces_are_one_name() {
        let names: Vec<String> = sources_of("/a/b.rs /with\\ space/c.rs\n").collect();
        assert_eq!(names, ["/a/b.rs", "/with space/c.rs"]);
    }
}
