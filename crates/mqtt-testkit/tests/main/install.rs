//! `scripts/install.sh`: what it puts where, and what it leaves alone.

use mqtt_testkit::program::{Ended, Program};
use mqtt_testkit::tools::tool;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const PROGRAMS: [&str; 6] = [
    "mqtt-broker",
    "mqtt-pub",
    "mqtt-sub",
    "mqtt-rr",
    "mqtt-passwd",
    "mqtt-bench",
];
/// In the order of the programs; the last has no model.
const NAMES: [&str; 5] = [
    "mosquitto",
    "mosquitto_pub",
    "mosquitto_sub",
    "mosquitto_rr",
    "mosquitto_passwd",
];

/// A folder with programs that say how they were called, and one to install to.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let built = folder.path().join("built");
        fs::create_dir(&built).unwrap();
        for name in PROGRAMS {
            let program = built.join(name);
            fs::write(&program, "#!/bin/sh\necho \"$(basename \"$0\")\" \"$@\"\n").unwrap();
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Place { folder }
    }

    fn prefix(&self) -> PathBuf {
        self.folder.path().join("to")
    }

    fn path(&self, below: &str) -> PathBuf {
        self.prefix().join(below)
    }

    fn install(&self, flags: &[&str]) -> Ended {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/install.sh");
        let mut command = Command::new("sh");
        command
            .arg(script)
            .arg("--prefix")
            .arg(self.prefix())
            .arg("--from")
            .arg(self.folder.path().join("built"))
            .args(flags)
            .env_remove("DESTDIR");
        Program::of(command).finish()
    }

    fn read(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
    }
}

#[test]
fn programs_come_with_their_manual_pages_and_completions() {
    let place = Place::new();
    let ended = place.install(&[]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for name in PROGRAMS {
        let mode = fs::metadata(place.path(&format!("bin/{name}")))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755, "{name}");
        for (file, text) in [
            (format!("share/man/man1/{name}.1"), "--man"),
            (
                format!("share/bash-completion/completions/{name}"),
                "--completion bash",
            ),
            (
                format!("share/zsh/site-functions/_{name}"),
                "--completion zsh",
            ),
            (
                format!("share/fish/vendor_completions.d/{name}.fish"),
                "--completion fish",
            ),
        ] {
            assert_eq!(place.read(&file), format!("{name} {text}\n"));
        }
    }
    assert!(!place.path("bin/mosquitto").exists());
    // A second time, over what is there.
    assert_eq!(place.install(&[]).code, 0);
}

#[test]
fn names_of_mosquitto_are_links_that_know_how_they_were_called() {
    let place = Place::new();
    fs::create_dir_all(place.path("bin")).unwrap();
    fs::write(place.path("bin/mosquitto_sub"), "somebody else's").unwrap();
    symlink("/elsewhere", place.path("bin/mosquitto_rr")).unwrap();
    let ended = place.install(&["--with-mosquitto-names"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for (name, program) in NAMES.into_iter().zip(PROGRAMS) {
        let link = fs::read_link(place.path(&format!("bin/{name}")));
        match name {
            "mosquitto_sub" => assert_eq!(place.read("bin/mosquitto_sub"), "somebody else's"),
            "mosquitto_rr" => assert_eq!(link.unwrap(), Path::new("/elsewhere")),
            _ => {
                assert_eq!(link.unwrap(), Path::new(program), "{name}");
                let script = place.read(&format!("share/zsh/site-functions/_{name}"));
                assert_eq!(script, format!("{name} --completion zsh\n"));
            }
        }
    }
    assert!(
        ended.stderr.contains("left alone: ")
            && ended.stderr.contains("mosquitto_sub is there already"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_was_installed_can_be_removed_and_nothing_else() {
    let place = Place::new();
    assert_eq!(place.install(&["--with-mosquitto-names"]).code, 0);
    fs::remove_file(place.path("bin/mosquitto_sub")).unwrap();
    fs::write(place.path("bin/mosquitto_sub"), "somebody else's").unwrap();
    assert_eq!(place.install(&["--uninstall"]).code, 0);
    let left: Vec<_> = fs::read_dir(place.path("bin"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["mosquitto_sub"]);
    assert!(!place.path("share/man/man1/mqtt-pub.1").exists());
    assert!(!place.path("share/man/man1/mosquitto_pub.1").exists());
}

#[test]
fn mistakes_change_nothing_and_say_what_to_type() {
    let place = Place::new();
    fs::remove_file(place.folder.path().join("built/mqtt-rr")).unwrap();
    for (flags, expected) in [
        (&[][..], "Error: there is no mqtt-rr in "),
        (&["--from"], "Error: --from needs a folder behind it"),
        (&["--form=x"], "Error: there is no option '--form=x'"),
    ] {
        let ended = place.install(flags);
        assert_eq!(ended.code, 1, "{flags:?}");
        assert!(
            ended.stderr.contains(expected),
            "{flags:?}: {}",
            ended.stderr
        );
        assert!(!place.prefix().exists(), "{flags:?}");
    }
}

#[test]
fn every_program_speaks_of_itself_by_the_name_that_was_typed() {
    let folder = tempfile::tempdir().unwrap();
    for (name, program) in NAMES.into_iter().zip(PROGRAMS) {
        let link = folder.path().join(name);
        symlink(tool(program), &link).unwrap();
        for argument in ["--help", "--version", "--nonsense"] {
            let ended = Program::start(&link, [argument]).finish();
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(said.contains(name), "{name} {argument}: {said}");
            let other = format!("{program} ");
            // The help of one program may name another one.
            assert!(
                argument == "--help" || !said.contains(&other),
                "{name} {argument}: {said}"
            );
        }
    }
}
