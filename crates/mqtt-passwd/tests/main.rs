//! The program as people and scripts use it.

use mqtt_passwd::Book;
use mqtt_testkit::program::{Ended, Program};
use std::path::PathBuf;
use tempfile::TempDir;

/// An empty folder with a file `users` that may be there or not.
struct Fixture {
    folder: TempDir,
    file: PathBuf,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("users");
        Fixture { folder, file }
    }

    fn with(text: &str) -> Fixture {
        let fixture = Fixture::new();
        std::fs::write(&fixture.file, text).expect("a file");
        fixture
    }

    /// Runs a line in which `FILE` stands for the file.
    fn run(&self, line: &str, input: &str) -> Ended {
        let file = self.file.to_str().expect("a plain path");
        let words = line.split_whitespace();
        let arguments = words.map(|word| if word == "FILE" { file } else { word });
        let mut program = Program::start(env!("CARGO_BIN_EXE_mqtt-passwd"), arguments);
        if !input.is_empty() {
            program.write(input);
        }
        program.finish()
    }

    #[track_caller]
    fn check(&self, line: &str, input: &str, stdout: &str) {
        let ended = self.run(line, input);
        let expected = Ended {
            code: 0,
            stdout: stdout.into(),
            stderr: String::new(),
        };
        assert_eq!(ended, expected, "{line}");
    }

    #[track_caller]
    fn check_error(&self, line: &str, input: &str, code: i32, part: &str) {
        let before = self.text();
        let ended = self.run(line, input);
        assert_eq!(ended.code, code, "{line}: {ended:?}");
        assert!(ended.stderr.contains(part), "{line}: {ended:?}");
        assert_eq!(self.text(), before, "{line}: nothing has changed");
        let count = std::fs::read_dir(self.folder.path())
            .expect("a folder")
            .count();
        assert_eq!(
            count,
            usize::from(before.is_some()),
            "{line}: nothing is left over"
        );
    }

    fn text(&self) -> Option<String> {
        std::fs::read_to_string(&self.file).ok()
    }

    /// Whether a user has this password.
    fn knows(&self, user: &str, password: &str) -> bool {
        let book = Book::parse(self.text().unwrap_or_default().as_bytes()).expect("a book");
        book.hashes().any(|(name, hash)| {
            name == user && hash.is_ok_and(|hash| hash.verify(password.as_bytes()))
        })
    }
}

#[test]
fn users_come_change_and_go() {
    let fixture = Fixture::new();
    fixture.check(
        "-c -b FILE alice one",
        "",
        "Adding password for user alice\n",
    );
    fixture.check("-b FILE bob two", "", "Adding password for user bob\n");
    fixture.check(
        "-b FILE alice three",
        "",
        "Updating password for user alice\n",
    );
    assert!(fixture.knows("alice", "three") && !fixture.knows("alice", "one"));
    assert!(fixture.knows("bob", "two"));
    fixture.check("-D FILE alice", "", "");
    assert!(!fixture.knows("alice", "three") && fixture.knows("bob", "two"));
    fixture.check_error(
        "-D FILE alice",
        "",
        1,
        "Warning: User alice not found in password file.\n",
    );
    fixture.check(
        "-c -b FILE carol four",
        "",
        "Adding password for user carol\n",
    );
    assert!(!fixture.knows("bob", "two"), "-c writes a new file");
}

#[test]
fn a_password_is_asked_for_twice() {
    let fixture = Fixture::new();
    fixture.check(
        "-c FILE alice",
        "my secret\nmy secret\n",
        "Password: \nReenter password: \nAdding password for user alice\n",
    );
    assert!(fixture.knows("alice", "my secret"));
    fixture.check_error(
        "FILE alice",
        "a\nb\n",
        2,
        "Error: Passwords do not match.\n",
    );
    fixture.check_error("FILE alice", "a\n", 1, "standard input ended");
    fixture.check_error("FILE alice", "\n\n", 1, "the password is empty");
    assert!(fixture.knows("alice", "my secret"));
}

#[test]
fn a_dash_is_standard_output() {
    let fixture = Fixture::new();
    let ended = fixture.run("-b -c - user pw", "");
    assert!(ended.stdout.starts_with("user:$7$1000$"), "{ended:?}");
    let ended = fixture.run("-c - user", "pw\npw\n");
    let start = "Password: \nReenter password: \nuser:$7$1000$";
    assert!(ended.stdout.starts_with(start), "{ended:?}");
    assert_eq!(ended.stdout.lines().count(), 3, "{ended:?}");
}

#[test]
fn the_hash_can_be_chosen() {
    for (flags, start) in [
        ("", "u:$7$1000$"),
        ("-H sha512-pbkdf2 -I 5000", "u:$7$5000$"),
        ("-H sha512", "u:$6$"),
        ("-H argon2id", "u:$argon2id$v=19$m=47104,t=1,p=1$"),
    ] {
        let fixture = Fixture::new();
        fixture.run(&format!("{flags} -c -b FILE u p"), "");
        let text = fixture.text().expect("a file");
        assert!(text.starts_with(start), "{flags}: {text}");
        assert!(fixture.knows("u", "p"), "{flags}");
    }
}

#[test]
fn passwords_in_clear_are_hashed_in_place() {
    let fixture = Fixture::with("# lab\nalice:one\nbob:two\n");
    fixture.check("-U FILE", "", "");
    assert!(fixture.knows("alice", "one") && fixture.knows("bob", "two"));
    let text = fixture.text().expect("a file");
    assert!(text.starts_with("# lab\nalice:$7$"), "{text}");
    let ended = fixture.run("-U FILE", "");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.starts_with("Nothing to do"), "{ended:?}");
    assert_eq!(fixture.text(), Some(text));
}

#[test]
fn mistakes_change_nothing_and_say_what_to_type() {
    let nothing = Fixture::new();
    for (line, part) in [
        ("", "Usage: mqtt-passwd"),
        ("FILE alice", "there is no password file"),
        ("-b FILE alice x", "there is no password file"),
        ("-D FILE alice", "mqtt-passwd -c"),
        ("-U FILE", "there is no password file"),
        ("-c -b FILE a:b x", "must not contain the ':' character"),
        ("-c -D FILE alice", "-c and -D cannot be used together."),
        ("-c FILE", "password file and user are needed"),
    ] {
        nothing.check_error(line, "", 1, part);
    }
    nothing.check_error("-c FILE alice", "not\nmatching\n", 2, "do not match");
    let broken = Fixture::with("alice:x\nnot a user\n");
    broken.check_error(
        "-b FILE bob x",
        "",
        1,
        "line 2 is not of the form user:password",
    );
    broken.check_error("-D FILE alice", "", 1, "users: line 2");
}

#[test]
fn help_and_version_end_well() {
    let fixture = Fixture::new();
    for (line, part) in [
        ("--help", "mqtt-passwd -c users.txt alice"),
        ("--version", "mqtt-passwd "),
    ] {
        let ended = fixture.run(line, "");
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{line}");
        assert!(ended.stdout.contains(part), "{line}: {ended:?}");
    }
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_a_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    fixture.run("-c -b FILE alice x", "");
    let mode = std::fs::metadata(&fixture.file)
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn runs_at_the_same_time_lose_no_user() {
    let fixture = Fixture::with("# users\n");
    std::thread::scope(|scope| {
        for number in 0..12 {
            let fixture = &fixture;
            scope.spawn(move || {
                let line = format!("-b FILE user{number} secret");
                assert_eq!(fixture.run(&line, "").code, 0, "{line}");
            });
        }
    });
    let text = fixture.text().expect("the file is there");
    for number in 0..12 {
        assert!(text.contains(&format!("user{number}:$7$")), "{text}");
    }
}

#[test]
fn the_program_writes_its_own_manual_and_completions() {
    let fixture = Fixture::new();
    let man = fixture.run("--man", "");
    assert!(man.stdout.starts_with(".TH MQTT"), "{man:?}");
    let script = fixture.run("--completion bash", "");
    assert!(script.stdout.contains("default mqtt-passwd"), "{script:?}");
}
