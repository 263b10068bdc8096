//! The command line of `mqtt-passwd`.

use crate::manual;
use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command};
use mqtt_passwd::Algorithm;
use mqtt_passwd::hash::{DEFAULT_ITERATIONS, MOST_ITERATIONS};
use std::ffi::OsString;
use std::path::PathBuf;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Give a user a password.
    Set {
        place: Place,
        /// Start with an empty file.
        is_new: bool,
        user: String,
        /// `None`: ask for it.
        password: Option<String>,
    },
    /// Take a user out.
    Delete { file: PathBuf, user: String },
    /// Hash what stands there in clear.
    HashAll { file: PathBuf },
    /// Print this on standard output and end well.
    Print(String),
    /// Print the script with which a shell completes the options, for the name that was typed.
    Completion { shell: String },
}

/// Where the result goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File(PathBuf),
    /// `-`
    Stdout,
}

/// How new passwords are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hashing {
    pub algorithm: Algorithm,
    pub iterations: u32,
}

/// The forms of the command line.
pub const USAGE: &str = "\
mqtt-passwd [-H HASH] [-I N] [-c] FILE USER              asks for the password
       mqtt-passwd [-H HASH] [-I N] [-c] -b FILE USER PASSWORD
       mqtt-passwd -D FILE USER
       mqtt-passwd [-H HASH] [-I N] -U FILE";

/// A word and what it means.
pub type Row = (&'static str, &'static str);

/// The hashes that `-H` knows.
pub const HASHES: &[Row] = &[
    (
        "argon2id",
        "the strongest; needs a broker that knows it, as mqtt-broker does",
    ),
    (
        "sha512-pbkdf2",
        "known to every Mosquitto since 2.0 [default]; -I makes it stronger",
    ),
    ("sha512", "for Mosquitto 1 only; quickly guessed"),
];

/// Lines to type.
pub const EXAMPLES: &[Row] = &[
    ("mqtt-passwd -c users.txt alice", "a new file with one user"),
    (
        "mqtt-passwd users.txt bob",
        "one more user, or a new password",
    ),
];

/// What the exit code says.
pub const EXIT_CODES: &[Row] = &[
    ("0", "it is done"),
    ("1", "nothing was changed, and standard error says why"),
    (
        "2",
        "the password that was typed a second time is another one; nothing was changed",
    ),
];

/// What is to be known besides.
pub const NOTES: &[&str] = &[
    "The password is asked for at the terminal, twice, and not shown; without a terminal it is read from standard input, as two lines. It may stand behind -b, where other users of the computer can see it.",
    "The file has a line for each user: the name, a colon, the hash. Comments and the order of lines stay. It is replaced as a whole, so that a broker never reads half of it; of two runs at the same time one waits for the other. A new file can be read by its owner only.",
    "In mosquitto.conf the file is named by: password_file users.txt. A broker that runs reads it again on SIGHUP, on Windows when it was saved.",
];

fn after_help() -> String {
    let mut text = String::from("The hashes:\n");
    for (name, what) in HASHES {
        text.push_str(&format!("  {name:14} {what}\n"));
    }
    text.push_str("Examples:\n");
    for (line, what) in EXAMPLES {
        text.push_str(&format!("  {line:34} {what}\n"));
    }
    text + "In mosquitto.conf the file is named by:  password_file users.txt\nA broker that runs reads it again on SIGHUP, on Windows when it was saved."
}

/// All options.
pub fn command() -> Command {
    let switch = |letter: char, help: &'static str| {
        Arg::new(letter.to_string())
            .short(letter)
            .action(ArgAction::SetTrue)
            .help(help)
    };
    Command::new("mqtt-passwd")
        .no_binary_name(true)
        .disable_version_flag(true)
        .disable_help_flag(true)
        .override_usage(USAGE)
        .about(manual::PURPOSE)
        .after_help(after_help())
        .arg(switch('b', "Take the password from the command line").overrides_with("b"))
        .arg(
            switch(
                'c',
                "Write a new file, in place of an old one; `-` is standard output",
            )
            .overrides_with("c"),
        )
        .arg(switch('D', "Delete the user").overrides_with("D"))
        .arg(switch('U', "Hash the passwords that stand in the file in clear").overrides_with("U"))
        .arg(
            Arg::new("hash")
                .short('H')
                .value_name("HASH")
                .overrides_with("hash")
                .help("How to hash: argon2id, sha512-pbkdf2 or sha512"),
        )
        .arg(
            Arg::new("iterations")
                .short('I')
                .value_name("N")
                .allow_hyphen_values(true)
                .overrides_with("iterations")
                .help("Rounds of sha512-pbkdf2 [default: 1000]"),
        )
        .arg(
            Arg::new("completion")
                .long("completion")
                .value_name("SHELL")
                .help("Print the script with which a shell completes the options: bash, zsh, fish or powershell"),
        )
        .arg(
            Arg::new("man")
                .long("man")
                .action(ArgAction::SetTrue)
                .help("Print the manual page, for man"),
        )
        .arg(
            Arg::new("version")
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version and end"),
        )
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .help("Print this and end"),
        )
        // From the file's name on nothing is an option: a password may begin with a dash.
        .arg(
            Arg::new("words")
                .num_args(0..)
                .trailing_var_arg(true)
                .allow_hyphen_values(true)
                .hide(true),
        )
        .version(env!("CARGO_PKG_VERSION"))
}

/// Reads the arguments after the program's name.
///
/// The error is what to print on standard error: what is wrong, then what to type.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<(Task, Hashing), String> {
    let nothing = Hashing {
        algorithm: Algorithm::Sha512Pbkdf2,
        iterations: DEFAULT_ITERATIONS,
    };
    let matches = match command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            return match error.kind() {
                ErrorKind::DisplayHelp => Ok((Task::Print(error.to_string()), nothing)),
                ErrorKind::DisplayVersion => Ok((
                    Task::Print(format!("mqtt-passwd {}\n", env!("CARGO_PKG_VERSION"))),
                    nothing,
                )),
                _ => Err(explained(&error)),
            };
        }
    };
    if matches.get_flag("man") {
        return Ok((Task::Print(manual::man()), nothing));
    }
    if let Some(shell) = matches.get_one::<String>("completion") {
        let shell = shell.to_lowercase();
        if !manual::SHELLS.iter().any(|(known, _)| *known == shell) {
            return Err(format!(
                "Error: there is no script for '{shell}'. Type one of: bash, zsh, fish, powershell"
            ));
        }
        return Ok((Task::Completion { shell }, nothing));
    }
    let hashing = hashing(&matches)?;
    Ok((task(&matches)?, hashing))
}

fn explained(error: &clap::Error) -> String {
    let option = error
        .get(ContextKind::InvalidArg)
        .map(ToString::to_string)
        .unwrap_or_default();
    let what = match error.kind() {
        ErrorKind::InvalidUtf8 => "Error: an argument is not UTF-8 text.".into(),
        _ if option.starts_with("-H") => {
            "Error: -H argument given but not enough other arguments. Type: -H argon2id".into()
        }
        _ if option.starts_with("--completion") => {
            "Error: --completion needs the name of a shell. Type: --completion bash".into()
        }
        _ if option.starts_with("-I") => {
            "Error: -I argument given but not enough other arguments. Type: -I 100000".into()
        }
        _ => format!("Error: there is no option '{option}'."),
    };
    with_usage(&what)
}

fn with_usage(what: &str) -> String {
    format!("{what}\n\nUsage: {USAGE}")
}

fn hashing(matches: &ArgMatches) -> Result<Hashing, String> {
    let algorithm = match matches.get_one::<String>("hash") {
        None => Algorithm::Sha512Pbkdf2,
        Some(name) => {
            let found = Algorithm::NAMES.iter().find(|(known, _)| known == name);
            found.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
                format!("Error: Unknown hash type '{name}'. Type one of: argon2id, sha512-pbkdf2, sha512")
            })?
        }
    };
    let iterations = match matches.get_one::<String>("iterations") {
        None => DEFAULT_ITERATIONS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|number| (1..=MOST_ITERATIONS).contains(number))
            .ok_or_else(|| {
                format!(
                    "Error: Number of iterations must be > 0. From 1 to {MOST_ITERATIONS} will do, and '{text}' is not that."
                )
            })?,
    };
    Ok(Hashing {
        algorithm,
        iterations,
    })
}

fn task(matches: &ArgMatches) -> Result<Task, String> {
    let is_set = |name: &str| matches.get_flag(name);
    for (one, other) in [("c", "D"), ("c", "U"), ("D", "U"), ("b", "D"), ("b", "U")] {
        if is_set(one) && is_set(other) {
            return Err(with_usage(&format!(
                "Error: -{one} and -{other} cannot be used together."
            )));
        }
    }
    let words: Vec<&String> = matches
        .get_many::<String>("words")
        .unwrap_or_default()
        .collect();
    if let Some(word) = words
        .first()
        .filter(|word| word.starts_with('-') && **word != "-")
    {
        return Err(with_usage(&format!("Error: there is no option '{word}'.")));
    }
    let wrong = |expected: &str| {
        let given = match words.len() {
            0 => "nothing is given".into(),
            count => format!("{count} given: {}", joined(&words)),
        };
        with_usage(&format!("Error: {expected} needed, {given}."))
    };
    if is_set("U") {
        let [file] = words[..] else {
            return Err(wrong("the password file is"));
        };
        return Ok(Task::HashAll { file: file.into() });
    }
    if is_set("D") {
        let [file, user] = words[..] else {
            return Err(wrong("password file and user are"));
        };
        return Ok(Task::Delete {
            file: file.into(),
            user: user.clone(),
        });
    }
    let (file, user, password) = match (is_set("b"), &words[..]) {
        (true, [file, user, password]) => (file, user, Some(password.to_string())),
        (false, [file, user]) => (file, user, None),
        (true, _) => return Err(wrong("password file, user and password are")),
        (false, [_, _, _]) => {
            return Err(wrong(
                "-b stands before a password on the command line; password file and user are",
            ));
        }
        (false, _) => return Err(wrong("password file and user are")),
    };
    let is_new = is_set("c");
    let place = if is_new && *file == "-" {
        Place::Stdout
    } else {
        Place::File(file.into())
    };
    Ok(Task::Set {
        place,
        is_new,
        user: user.to_string(),
        password,
    })
}

/// The words without what may be a password.
fn joined(words: &[&String]) -> String {
    let shown = words.iter().take(2).map(|word| word.as_str());
    let mut text = shown.collect::<Vec<_>>().join(" ");
    if words.len() > 2 {
        text.push_str(" …");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(Task, Hashing), String> {
        parse(
            line.split(' ')
                .filter(|word| !word.is_empty())
                .map(OsString::from),
        )
    }

    #[test]
    fn the_forms_of_mosquitto_mean_the_same() {
        let set = |is_new, password: Option<&str>| Task::Set {
            place: Place::File("f".into()),
            is_new,
            user: "u".into(),
            password: password.map(Into::into),
        };
        for (line, expected) in [
            ("f u", set(false, None)),
            ("-c f u", set(true, None)),
            ("-b f u p", set(false, Some("p"))),
            ("-b f u -c", set(false, Some("-c"))),
            ("-c -b f u p", set(true, Some("p"))),
            ("-cb f u p", set(true, Some("p"))),
            (
                "-D f u",
                Task::Delete {
                    file: "f".into(),
                    user: "u".into(),
                },
            ),
            ("-U f", Task::HashAll { file: "f".into() }),
        ] {
            assert_eq!(read(line).expect(line).0, expected, "{line}");
        }
        let (task, hashing) = read("-H argon2id -I 7 -c - u").expect("a task");
        assert!(matches!(
            task,
            Task::Set {
                place: Place::Stdout,
                ..
            }
        ));
        assert_eq!(hashing.algorithm, Algorithm::Argon2id);
        assert_eq!(hashing.iterations, 7);
    }

    #[test]
    fn mistakes_say_what_to_type() {
        for (line, part) in [
            ("", "nothing is given"),
            ("f", "password file and user are needed, 1 given: f."),
            ("f u secret", "-b stands before"),
            ("-b f u", "password are needed"),
            ("-c -D f u", "-c and -D cannot be used together."),
            ("-b -U f", "-b and -U cannot"),
            ("-H nohash f u", "Unknown hash type 'nohash'"),
            ("-H", "-H argument given"),
            ("-I", "-I argument given"),
            ("-I 0 f u", "must be > 0"),
            ("-I x f u", "'x'"),
            ("-I -5 f u", "'-5'"),
            ("-x f u", "no option '-x'"),
            ("--nosuch f u", "no option '--nosuch'"),
            ("-D f", "password file and user"),
            ("-U", "the password file is needed"),
            ("--completion", "--completion bash"),
            ("--completion csh", "no script for 'csh'"),
        ] {
            let error = read(line).expect_err(line);
            assert!(error.starts_with("Error: "), "{line}: {error}");
            assert!(error.contains(part), "{line}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
