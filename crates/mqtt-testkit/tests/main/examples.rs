//! What a student is given works as written: the lab's texts, the exercises, the Rust program.

use mqtt_testkit::broker::{BrokerProcess, free_port};
use mqtt_testkit::program::{Ended, Program};
use mqtt_testkit::tools::{example, tool};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run_example(arguments: &[&str]) -> Ended {
    Program::start(example("rust-app"), arguments).finish()
}

#[test]
fn the_rust_program_works_with_our_broker() {
    let broker = BrokerProcess::open();
    let ended = run_example(&["127.0.0.1", &broker.port().to_string()]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (
            0,
            "18.5 °C: heating on\n19.5 °C: heating on\n20.5 °C: heating off\n"
        ),
        "{ended:?}"
    );

    // What it has left behind, and that its will is not among it.
    let arguments = [
        &broker.target()[..],
        &["-t", "room/1/+", "-v", "-C", "2"].map(String::from),
    ];
    let ended = Program::start(tool("mqtt-sub"), arguments.concat()).finish();
    let mut lines: Vec<_> = ended.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["room/1/heating off", "room/1/thermostat done"]);
}

#[test]
fn the_rust_program_says_what_is_wrong() {
    let port = free_port().to_string();
    for (arguments, words) in [
        (["127.0.0.1", &port], "start one with: mqtt-broker -v"),
        (["127.0.0.1", "mqtt"], "'mqtt' is not a port"),
    ] {
        let ended = run_example(&arguments);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(words), "{ended:?}");
    }
}

/// The scripts are for bash, and end programs with Unix signals.
#[cfg(unix)]
mod scripts {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    /// Runs a script with the built programs in its path.
    fn run(script: &Path, prepare: impl FnOnce(&mut Command)) -> Ended {
        let folder = ["mqtt-broker", "mqtt-pub", "mqtt-sub"]
            .map(tool)
            .map(|path| path.parent().expect("a file lies in a folder").to_owned())
            .into_iter()
            .reduce(|one, other| {
                assert_eq!(one, other, "cargo puts all programs into one folder");
                one
            })
            .expect("there are three");
        let mut path = folder.clone().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command
            .arg(script)
            .env("PATH", path)
            .env("LAB_BIN", folder)
            .current_dir(root());
        prepare(&mut command);
        // A script sets its own limits; how long all its steps take together says nothing.
        let output = command.output().expect("there is bash");
        let text = |bytes| String::from_utf8(bytes).expect("all that is printed is UTF-8");
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// `words` are printed if the text was understood; else there would be nothing to differ.
    #[track_caller]
    fn check_lab(text: &str, words: &[&str]) {
        let ended = run(&root().join("scripts/lab.sh"), |command| {
            command.arg(text).env("LAB_PORT", "0");
        });
        assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
        for words in words {
            assert!(ended.stdout.contains(words), "{words}: {}", ended.stdout);
        }
    }

    const LAB: &[&str] = &["window 4 │ ", "topic/pub", "status/sensor1 gone"];

    #[test]
    fn the_lab_is_as_its_text_says() {
        check_lab("docs/lab.md", LAB);
    }

    #[test]
    fn the_lab_is_as_its_greek_text_says() {
        check_lab("docs/lab.el.md", LAB);
    }

    #[test]
    fn the_lab_in_the_readme_is_as_it_says() {
        check_lab("README.md", &["topic/pub message from AMXXXX"]);
    }

    #[test]
    fn a_line_that_differs_fails_the_lab() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let text = std::fs::read_to_string(root().join("docs/lab.md")).expect("the text is there");
        for (line, other) in [
            (
                "(d0, q0, r1, m1, 'topic/pub'",
                "(d0, q0, r0, m1, 'topic/pub'",
            ),
            ("room/1/temp 21.0\n", ""),
            (
                "Received DISCONNECT from client\n",
                "Received DISCONNECT from client\nmore\n",
            ),
        ] {
            assert!(text.contains(line), "{line}");
            let changed = folder.path().join("lab.md");
            std::fs::write(&changed, text.replacen(line, other, 1)).expect("it can be written");
            let ended = run(&root().join("scripts/lab.sh"), |command| {
                command.arg(&changed).env("LAB_PORT", "0");
            });
            assert_eq!(ended.code, 1, "{}\n{}", ended.stdout, ended.stderr);
            assert!(ended.stderr.contains("  expected: "), "{}", ended.stderr);
        }
    }

    #[test]
    fn every_exercise_works_with_our_broker() {
        let broker = BrokerProcess::open();
        let mut count = 0;
        for entry in std::fs::read_dir(root().join("examples")).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            let is_script = path.extension().is_some_and(|extension| extension == "sh");
            // What the exercises only read is not executable.
            let mode = path.metadata().expect("it is there").permissions().mode();
            if is_script && mode & 0o100 != 0 {
                let ended = run(&path, |command| {
                    let port = broker.port().to_string();
                    command.env("HOST", "127.0.0.1").env("PORT", port);
                });
                let name = path.display();
                assert_eq!(ended.code, 0, "{name}\n{}\n{}", ended.stdout, ended.stderr);
                count += 1;
            }
        }
        assert_eq!(count, 7, "six functions and the chat");
    }
}
