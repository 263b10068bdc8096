//! The command line: what may be typed, and what is said when it is something else.

use crate::service;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use mqtt_broker::log::program;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// How many ports may be given, as in Mosquitto.
const MAX_PORTS: usize = 10;

/// What was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `-c`: the configuration file.
    pub config: Option<PathBuf>,
    /// `-p`: ports to listen on, if the file defines no listener.
    pub ports: Vec<u16>,
    /// `--lan`: listen on all addresses and let everybody in.
    pub lan: bool,
    /// `-v`: log everything.
    pub verbose: bool,
    /// `-q`: log nothing.
    pub quiet: bool,
    /// `-d`: run in the background.
    pub daemon: bool,
    /// `--test-config`: check the file and end.
    pub test_config: bool,
    /// `--import`: a database of Mosquitto to bring over.
    pub import: Option<PathBuf>,
    /// `--tls-keylog`: where to append the secrets of TLS connections.
    pub tls_keylog: Option<PathBuf>,
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Run, or check the configuration.
    Run(Flags),
    /// Do something about the service, on Windows. The flags are those that it runs with.
    Service(Task, Flags),
    /// Print this on standard output and end well.
    Print(String),
}

/// What can be done about a service of Windows, in Mosquitto's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Make one that starts with Windows.
    Install,
    /// Take it away.
    Uninstall,
    /// Be it. Only Windows' own service manager asks for this.
    Run,
}

impl Task {
    /// The task of this name.
    fn named(argument: &OsStr) -> Option<Task> {
        [
            ("install", Task::Install),
            ("uninstall", Task::Uninstall),
            ("run", Task::Run),
        ]
        .into_iter()
        .find(|(name, _)| argument == *name)
        .map(|(_, task)| task)
    }
}

/// Reads the arguments after the program's name. `note` gets remarks for the person who typed.
///
/// The error is what to print on standard error: what is wrong, then what to type.
pub fn parse(
    arguments: impl Iterator<Item = OsString>,
    mut note: impl FnMut(&str),
) -> Result<Wish, String> {
    let mut arguments: Vec<_> = arguments
        .map(|argument| with_plain_dashes(argument, &mut note))
        .collect();
    let task = match arguments.first().and_then(|first| Task::named(first)) {
        Some(_) if !service::IS_POSSIBLE => return Err(NO_SERVICE.into()),
        Some(task) => {
            arguments.remove(0);
            Some(task)
        }
        None => None,
    };
    match command().try_get_matches_from(arguments) {
        Ok(matches) => wish(&matches).map(|flags| match task {
            Some(task) => Wish::Service(task, flags),
            None => Wish::Run(flags),
        }),
        Err(error) => match error.kind() {
            ErrorKind::DisplayHelp => Ok(Wish::Print(error.to_string())),
            ErrorKind::DisplayVersion => Ok(Wish::Print(version())),
            _ => Err(explained(&error)),
        },
    }
}

fn command() -> Command {
    let switch = |name: &'static str| {
        Arg::new(name)
            .long(name)
            .action(ArgAction::SetTrue)
            .overrides_with(name)
    };
    Command::new(program())
        .no_binary_name(true)
        .disable_version_flag(true)
        .disable_help_flag(true)
        .override_usage("mqtt-broker [-v] [-c FILE | --lan] [-p PORT]...")
        .about("An MQTT 3.1, 3.1.1 and 5 broker.")
        .after_help(AFTER_HELP)
        .arg(
            Arg::new("config-file")
                .short('c')
                .long("config-file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .overrides_with("config-file")
                .help("Read this configuration file (mosquitto.conf)"),
        )
        .arg(
            Arg::new("port")
                .short('p')
                .long("port")
                .value_name("PORT")
                .value_parser(port)
                .action(ArgAction::Append)
                .allow_hyphen_values(true)
                .help("Listen on this port, for this computer alone [default: 1883]; repeatable"),
        )
        .arg(switch("lan").help(
            "Let other computers in, without user names: `listener 1883` and \
             `allow_anonymous true` without a file",
        ))
        .arg(
            switch("verbose")
                .short('v')
                .help("Log everything that happens"),
        )
        .arg(
            switch("quiet")
                .short('q')
                .help("Log nothing, whatever -v and the file say"),
        )
        .arg(
            switch("daemon")
                .short('d')
                .help("Run in the background (not on Windows)"),
        )
        .arg(switch("test-config").help("Check the file of -c and end"))
        .args(rare_arguments())
        .version(env!("CARGO_PKG_VERSION"))
}

/// What is typed once, or by mistake.
fn rare_arguments() -> [Arg; 4] {
    [
        Arg::new("version")
            .long("version")
            .action(ArgAction::Version)
            .help("Print the version and end"),
        Arg::new("help")
            .short('h')
            .long("help")
            .action(ArgAction::Help)
            .help("Print this and end"),
        Arg::new("import")
            .long("import")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(
                "Bring the sessions and retained messages of a database of Mosquitto (mosquitto.db) \
                 into the store of the configuration, and end",
            ),
        Arg::new("tls-keylog")
            .long("tls-keylog")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .overrides_with("tls-keylog")
            .help(
                "Append the secrets of TLS connections to this file, so that Wireshark can read \
                 along; for tests only",
            ),
    ]
}

const AFTER_HELP: &str = "\
Examples:
  mqtt-broker -v                 try things out on this computer
  mqtt-broker -v --lan           a broker for everybody in the network
  mqtt-broker -v -c test.conf    a broker as described in a file";

/// The answer to `install` where systemd or another manager does it.
const NO_SERVICE: &str = "\
Error: install, uninstall and run are about a service of Windows.
  Here a service manager starts the broker as it is: examples/mqtt-broker.service is a unit for systemd.
  In a window, until Ctrl-C: mqtt-broker -v";

fn version() -> String {
    format!("{} {}\n", program(), env!("CARGO_PKG_VERSION"))
}

/// From what was typed to what it means.
fn wish(matches: &ArgMatches) -> Result<Flags, String> {
    let flags = Flags {
        config: matches.get_one::<PathBuf>("config-file").cloned(),
        ports: matches
            .get_many::<u16>("port")
            .map(|ports| ports.copied().collect())
            .unwrap_or_default(),
        lan: matches.get_flag("lan"),
        verbose: matches.get_flag("verbose"),
        quiet: matches.get_flag("quiet"),
        daemon: matches.get_flag("daemon"),
        test_config: matches.get_flag("test-config"),
        import: matches.get_one::<PathBuf>("import").cloned(),
        tls_keylog: matches.get_one::<PathBuf>("tls-keylog").cloned(),
    };
    if flags.ports.len() > MAX_PORTS {
        return Err(format!(
            "Error: -p may be given {MAX_PORTS} times, and here it is given {} times.\n  \
             More ports go into a file, one `listener PORT` a line.",
            flags.ports.len()
        ));
    }
    if flags.lan && flags.config.is_some() {
        return Err(
            "Error: --lan is for starting without a file.\n  With a file, put these lines into \
             it:\n    listener 1883\n    allow_anonymous true"
                .into(),
        );
    }
    if flags.test_config && flags.config.is_none() {
        return Err(
            "Error: there is no configuration file to test.\n  Type: mqtt-broker -c FILE \
             --test-config"
                .into(),
        );
    }
    Ok(flags)
}

fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535".into()),
    }
}

/// clap's errors in our words.
fn explained(error: &clap::Error) -> String {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.first().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let argument = context(ContextKind::InvalidArg);
    // clap names an argument with its value, as `--port <PORT>`.
    let flag = argument.split(' ').next().unwrap_or_default();
    let (what, advice) = match error.kind() {
        ErrorKind::UnknownArgument if !argument.starts_with('-') => lone_word(&argument),
        ErrorKind::UnknownArgument => {
            let near = context(ContextKind::SuggestedArg);
            let advice = if near.is_empty() {
                "All flags: mqtt-broker --help".into()
            } else {
                format!("Did you mean '{near}'?")
            };
            (format!("there is no flag '{argument}'."), advice)
        }
        ErrorKind::InvalidValue if context(ContextKind::InvalidValue).is_empty() => (
            format!("nothing stands after {flag}."),
            match flag {
                "--port" => "Type: -p 1883".into(),
                _ => "Type: -c test.conf".into(),
            },
        ),
        ErrorKind::ValueValidation => (
            format!("'{}' is not a port.", context(ContextKind::InvalidValue)),
            "A port is a number from 1 to 65535. Type: -p 1883".into(),
        ),
        ErrorKind::TooManyValues => (format!("{flag} takes no value."), format!("Type: {flag}")),
        ErrorKind::InvalidUtf8 => (
            "an argument is not text.".into(),
            "All flags: mqtt-broker --help".into(),
        ),
        _ => (
            error
                .to_string()
                .trim_start_matches("error: ")
                .trim()
                .into(),
            "All flags: mqtt-broker --help".into(),
        ),
    };
    format!("Error: {what}\n  {advice}")
}

/// Nobody types a word without a reason; this guesses which.
fn lone_word(word: &str) -> (String, String) {
    let what = format!("'{word}' stands alone.");
    let advice = if word.parse::<u16>().is_ok() {
        format!("To listen on that port, type: mqtt-broker -p {word}")
    } else if Task::named(word.as_ref()).is_some() {
        format!("It comes before all flags: mqtt-broker {word}")
    } else {
        format!("To read it as the configuration file, type: mqtt-broker -c {word}")
    };
    (what, advice)
}

/// Reads the dashes that word processors make of `-` as what they were.
fn with_plain_dashes(argument: OsString, note: &mut impl FnMut(&str)) -> OsString {
    let Some(plain) = argument.to_str().and_then(plain_dashes) else {
        return argument;
    };
    note(&format!(
        "Note: '{}' is read as '{plain}'. The dash came from a document; the keyboard's is -.",
        argument.display()
    ));
    plain.into()
}

fn plain_dashes(argument: &str) -> Option<String> {
    let word = argument.trim_start_matches(is_dash);
    let dashes = &argument[..argument.len() - word.len()];
    if word.is_empty() || dashes.chars().all(|c| c == '-') {
        return None;
    }
    let name = word.split('=').next().unwrap_or_default();
    // A document makes one long dash of two short ones, so the count says nothing.
    let is_long = command()
        .get_arguments()
        .any(|arg| arg.get_long() == Some(name));
    Some(format!("{}{word}", if is_long { "--" } else { "-" }))
}

/// Hyphens, dashes and the minus sign of Unicode.
fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> (Result<Wish, String>, Vec<String>) {
        let mut notes = Vec::new();
        let arguments = line.split_whitespace().map(OsString::from);
        let result = parse(arguments, |text| notes.push(text.into()));
        (result, notes)
    }

    fn flags(line: &str) -> Flags {
        match parsed(line).0 {
            Ok(Wish::Run(flags)) => flags,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn check_error(line: &str, parts: &[&str]) {
        let error = parsed(line).0.expect_err(line);
        for part in parts {
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn the_flags_of_mosquitto_are_understood() {
        let expected = Flags {
            config: Some("test.conf".into()),
            ports: vec![1884, 1885],
            verbose: true,
            quiet: true,
            daemon: true,
            test_config: true,
            ..Flags::default()
        };
        for line in [
            "-v -c test.conf -p 1884 -p 1885 -q -d --test-config",
            "--verbose --config-file test.conf --port 1884 --port=1885 --quiet --daemon \
             --test-config",
            "-v -v -vqd -ctest.conf -p1884 -p 1885 --test-config",
        ] {
            assert_eq!(flags(line), expected, "{line}");
        }
        assert_eq!(flags(""), Flags::default());
        assert!(flags("--lan").lan);
    }

    #[test]
    fn the_command_of_the_suite_is_understood() {
        let flags = flags("-v -c 01.conf -p 1888");
        assert_eq!((flags.verbose, flags.ports), (true, vec![1888]));
    }

    #[test]
    fn dashes_from_a_document_are_read_with_a_note() {
        for (line, plain) in [
            ("–v", "-v"),
            ("—v", "-v"),
            ("−v", "-v"),
            ("––verbose", "--verbose"),
            ("—verbose", "--verbose"),
            ("–verbose", "--verbose"),
        ] {
            let (result, notes) = parsed(line);
            assert!(
                matches!(result, Ok(Wish::Run(flags)) if flags.verbose),
                "{line}"
            );
            assert_eq!(notes.len(), 1, "{line}");
            assert!(notes[0].contains(&format!("'{line}' is read as '{plain}'")));
        }
        assert_eq!(flags("–c test.conf").config, Some("test.conf".into()));
        assert_eq!(flags("–config-file=x.conf").config, Some("x.conf".into()));
        assert!(parsed("-v").1.is_empty());
    }

    #[test]
    fn mistakes_say_what_to_type() {
        check_error(
            "test.conf",
            &["'test.conf' stands alone", "mqtt-broker -c test.conf"],
        );
        check_error("-v test.conf", &["mqtt-broker -c test.conf"]);
        check_error("1884", &["mqtt-broker -p 1884"]);
        check_error("-v install", &["before all flags", "mqtt-broker install"]);
        check_error("--verbos", &["no flag '--verbos'", "'--verbose'"]);
        check_error("-x", &["no flag '-x'", "--help"]);
        check_error("-p", &["nothing stands after --port", "-p 1883"]);
        check_error(
            "-c",
            &["nothing stands after --config-file", "-c test.conf"],
        );
        check_error("-p 0", &["'0' is not a port", "1 to 65535"]);
        check_error("-p -5", &["'-5' is not a port"]);
        check_error("-p abc", &["'abc' is not a port"]);
        check_error("--verbose=1", &["--verbose"]);
        check_error(
            "--lan -c x.conf",
            &["listener 1883", "allow_anonymous true"],
        );
        check_error("--test-config", &["-c FILE --test-config"]);
        check_error("--tls-keylog", &["--tls-keylog"]);
        check_error(&"-p 1 ".repeat(11), &["10 times", "11 times"]);
    }

    #[test]
    fn a_service_is_for_windows() {
        if service::IS_POSSIBLE {
            let Ok(Wish::Service(task, flags)) = parsed("install -c x.conf –v").0 else {
                panic!("a task");
            };
            assert_eq!(task, Task::Install);
            assert!(flags.verbose && flags.config == Some("x.conf".into()));
        } else {
            check_error("install", &["a service of Windows", "systemd"]);
        }
    }

    #[test]
    fn help_and_version_are_printed() {
        let Ok(Wish::Print(help)) = parsed("--help").0 else {
            panic!("help");
        };
        for flag in [
            "--config-file",
            "--lan",
            "--test-config",
            "--port",
            "--quiet",
        ] {
            assert!(help.contains(flag), "{flag}: {help}");
        }
        assert!(help.contains("tls-keylog"), "{help}");
        assert_eq!(parsed("-h").0, Ok(Wish::Print(help)));
        let version = format!("mqtt-broker {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(parsed("--version").0, Ok(Wish::Print(version)));
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
