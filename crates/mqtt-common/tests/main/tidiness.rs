//! Flags that nobody has forgotten: each is acted on, and typed in a test of each of its programs.

use mqtt_common::flags::table::{FLAGS, Program};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Flags that have nothing to do, on purpose.
const IDLE: [&str; 1] = ["nodelay"];

/// Hands over each Rust file below some folders of `crates`.
fn each_source(folders: &[impl AsRef<Path>], mut take: impl FnMut(&str)) {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut rest: Vec<PathBuf> = folders.iter().map(|folder| crates.join(folder)).collect();
    while let Some(path) = rest.pop() {
        if path.is_dir() {
            rest.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            take(&fs::read_to_string(&path).unwrap());
        }
    }
}

fn sources(folders: &[impl AsRef<Path>]) -> String {
    let mut text = String::new();
    each_source(folders, |source| text.push_str(source));
    text
}

/// Every word that tests type: what stands between blanks, quotes and the like.
fn words_of_tests() -> HashSet<String> {
    let crates = [
        "mqtt-common",
        "mqtt-pub",
        "mqtt-sub",
        "mqtt-rr",
        "mqtt-bench",
    ];
    let mut text = sources(&crates.map(|name| format!("{name}/tests")));
    text.push_str(&sources(&["mqtt-testkit/tests".to_owned()]));
    // In a source, its own tests are at the end.
    each_source(&crates.map(|name| format!("{name}/src")), |source| {
        let tests = source
            .split_once("#[cfg(test)]")
            .map_or("", |(_, tests)| tests);
        text.push_str(tests);
    });
    let ends = |c: char| c.is_whitespace() || "\"'`,;:=()[]{}\\".contains(c);
    text.split(ends).map(str::to_owned).collect()
}

#[test]
fn every_flag_is_asked_for() {
    let common = sources(&["mqtt-common/src"]).replace(
        &fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/flags/table.rs"))
            .unwrap(),
        "",
    );
    for program in Program::ALL {
        let own = sources(&[&format!("{}/src", program.name())]);
        let all = format!("{common}{own}");
        for flag in FLAGS.iter().filter(|flag| flag.is_of(program)) {
            assert!(
                all.contains(&format!("\"{}\"", flag.long)) || IDLE.contains(&flag.long),
                "nothing in {} asks for --{}",
                program.name(),
                flag.long
            );
        }
    }
}

#[test]
fn every_flag_is_typed_in_a_test() {
    let words = words_of_tests();
    let untyped: Vec<_> = FLAGS
        .iter()
        .filter(|flag| {
            let short = flag.short.map(|short| format!("-{short}"));
            !words.contains(&format!("--{}", flag.long))
                && !short.is_some_and(|short| words.contains(&short))
        })
        .map(|flag| flag.long)
        .collect();
    assert!(untyped.is_empty(), "no test types these: {untyped:?}");
}
