//! Options files: flags, one a line, that count as if they stood in front of the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{fs, io};

use clap::Command;

use super::said::Origin;
use super::table::{JSON, PROPERTY, PROPERTY_VALUES, Program};
use super::{Given, POSITIONAL, Said, UsageError, arguments, command, read};
use crate::system;

/// The flag that names an options file.
const FLAG: &str = "options-file";
/// Flags whose text keeps its blanks: they may be meant.
const VERBATIM: [&str; 2] = ["-m", "--message"];

/// Reads the options file that `-o` names, or else the first default file there is, and puts its
/// options in front of what was said.
///
/// # Errors
/// A file that `-o` names is not there; a file cannot be read, or has a mistake in it.
pub fn add(
    said: &mut Said,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<(), UsageError> {
    let found = match said.path(FLAG) {
        Some(path) => Some((PathBuf::from(path), named(Path::new(path))?)),
        None => default(said.program, environment)?,
    };
    match found {
        Some((path, bytes)) => prepend(said, &path, &bytes),
        None => Ok(()),
    }
}

/// Puts the options of a file in front of what was said; `path` is its name for messages.
///
/// # Errors
/// A line is no option, or lacks its value.
pub fn prepend(said: &mut Said, path: &Path, bytes: &[u8]) -> Result<(), UsageError> {
    let mut given = lines(said, path, bytes)?;
    given.append(&mut said.given);
    said.given = given;
    Ok(())
}

fn named(path: &Path) -> Result<Vec<u8>, UsageError> {
    fs::read(path).map_err(|error| {
        unreadable(path, &error).hint("Its lines look like the command line: -h localhost")
    })
}

fn unreadable(path: &Path, error: &io::Error) -> UsageError {
    UsageError::new(format!(
        "Unable to read the options file '{}': {error}",
        path.display()
    ))
}

/// The first default file that exists.
fn default(
    program: Program,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(PathBuf, Vec<u8>)>, UsageError> {
    for path in candidates(program, system::IS_WINDOWS, environment) {
        // A folder of that name may belong to another program.
        if !path.is_file() {
            continue;
        }
        match fs::read(&path) {
            Ok(bytes) => return Ok(Some((path, bytes))),
            Err(error) => return Err(unreadable(&path, &error)),
        }
    }
    Ok(None)
}

/// Where default files may lie: ours first, then Mosquitto's if it has this program.
fn candidates(
    program: Program,
    windows: bool,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Vec<PathBuf> {
    let folder = |name: &str| {
        environment(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let (own, model) = (program.name(), program.model());
    if windows {
        let (data, home) = (folder("APPDATA"), folder("USERPROFILE"));
        let own = data
            .iter()
            .chain(&home)
            .map(|folder| folder.join(format!("{own}.conf")));
        let model = home
            .iter()
            .zip(model)
            .map(|(folder, model)| folder.join(format!("{model}.conf")));
        return own.chain(model).collect();
    }
    let config = folder("XDG_CONFIG_HOME").or(folder("HOME").map(|home| home.join(".config")));
    let names = std::iter::once(own).chain(model);
    config.map_or(Vec::new(), |folder| {
        names.map(|name| folder.join(name)).collect()
    })
}

/// All options of a file, in order.
fn lines(said: &mut Said, path: &Path, bytes: &[u8]) -> Result<Vec<Given>, UsageError> {
    let file: Rc<str> = path.to_string_lossy().into();
    let text = decoded(bytes);
    let mut command = command(said.program);
    let mut all = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        let origin = Origin {
            file: file.clone(),
            line: index + 1,
        };
        let place = format!("{file}:{}", origin.line);
        let given = one_line(said, &mut command, line, &place).map_err(|error| error.at(&place))?;
        all.extend(given.into_iter().map(|given| Given {
            origin: Some(origin.clone()),
            ..given
        }));
    }
    Ok(all)
}

/// The bytes as UTF-8, without a byte order mark: editors and shells of Windows write UTF-16, too.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let units = |join: fn([u8; 2]) -> u16| {
        let units = bytes[2..]
            .chunks_exact(2)
            .map(|pair| join([pair[0], pair[1]]));
        let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
        text.collect::<String>().into_bytes()
    };
    match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => rest.to_vec(),
        _ => bytes.to_vec(),
    }
}

/// The option of one line, none in an empty one or a comment.
fn one_line(
    said: &mut Said,
    command: &mut Command,
    line: &[u8],
    place: &str,
) -> Result<Vec<Given>, UsageError> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.starts_with(b"#") || line.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    if line.contains(&0) {
        return Err(UsageError::new("A zero byte stands in the line")
            .hint("Save the file as text, in UTF-8."));
    }
    let words = words(line.trim_ascii_start())?;
    let first = words[0].to_string_lossy().into_owned();
    let (words, notes) = arguments::repair(said.program, words)?;
    let given = read(said.program, command, &words)?;
    said.notes
        .extend(notes.into_iter().map(|note| format!("{place}: {note}")));
    if let Some(stray) = given.iter().find(|given| given.long == POSITIONAL) {
        let stray = stray.text()?.to_owned();
        return Err(not_a_flag(&first, &stray));
    }
    if given.iter().any(|given| given.long == FLAG) {
        said.notes.push(format!(
            "{place}: {first} counts on the command line only, and was left out"
        ));
        return Ok(Vec::new());
    }
    Ok(given)
}

fn not_a_flag(first: &str, stray: &str) -> UsageError {
    if first == stray {
        UsageError::new(format!("'{first}' is no option"))
            .hint("A line begins with an option as on the command line: -h localhost")
    } else {
        UsageError::new(format!("{first} takes no value, and '{stray}' follows it"))
            .hint("Each option needs a line of its own.")
    }
}

/// A line as arguments: the option, and the rest of the line as its value. There are no quotes; they
/// stay in the value, as in Mosquitto.
fn words(line: &[u8]) -> Result<Vec<OsString>, UsageError> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let is_joined = |word: &[u8]| word.starts_with(b"--") && word.contains(&b'=');
    if line.split(is_blank).next().is_some_and(is_joined) {
        return Ok(vec![os_string(line.trim_ascii_end())?]);
    }
    let end = line.iter().position(is_blank).unwrap_or(line.len());
    let (option, rest) = line.split_at(end);
    let value = rest.get(1..).unwrap_or_default();
    let long = |name: &str| option.strip_prefix(b"--") == Some(name.as_bytes());
    let mut words = vec![os_string(option)?];
    if option == b"-D" || long(PROPERTY) {
        let mut value = value.trim_ascii();
        // All words but the last end at a blank.
        while !value.is_empty() {
            let is_last = words.len() == PROPERTY_VALUES || is_value_of_property(&words);
            let end = value.iter().position(is_blank).filter(|_| !is_last);
            let (word, rest) = value.split_at(end.unwrap_or(value.len()));
            words.push(os_string(word)?);
            value = rest.trim_ascii_start();
        }
    } else if long(JSON) {
        let pairs = value.split(is_blank).filter(|word| !word.is_empty());
        for pair in pairs {
            words.push(os_string(pair)?);
        }
    } else if VERBATIM.iter().any(|name| name.as_bytes() == option) {
        words.extend((!value.is_empty()).then(|| os_string(value)).transpose()?);
    } else if !value.trim_ascii().is_empty() {
        words.push(os_string(value.trim_ascii())?);
    }
    Ok(words)
}

/// Whether the next word is the value of a property that is no pair: the rest of the line.
fn is_value_of_property(words: &[OsString]) -> bool {
    words.len() == PROPERTY_VALUES - 1 && words[2] != super::table::USER_PROPERTY
}

fn os_string(bytes: &[u8]) -> Result<OsString, UsageError> {
    system::argument_of(bytes).ok_or_else(|| {
        UsageError::new(format!(
            "'{}' is not Unicode text",
            String::from_utf8_lossy(bytes)
        ))
        .hint("Save the file as UTF-8.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{Parsed, parse};

    /// The command line `-t z` with a file in front of it.
    fn said_with(file: &[u8]) -> Result<Said, UsageError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mqtt-sub");
        fs::write(&path, file).unwrap();
        let line = ["x", "-t", "z"].map(OsString::from);
        let Ok(Parsed::Said(mut said)) = parse(Program::Sub, line) else {
            panic!("the line was not understood")
        };
        said.given.insert(
            0,
            Given {
                long: FLAG,
                program: Program::Sub,
                values: vec![path.into()],
                origin: None,
            },
        );
        add(&mut said, |_| None)?;
        Ok(said)
    }

    #[track_caller]
    fn check(file: impl AsRef<[u8]>, long: &str, expected: &[&str]) {
        let said = said_with(file.as_ref()).unwrap();
        assert_eq!(said.texts(long).unwrap(), expected);
    }

    #[track_caller]
    fn check_error(file: &str, expected: &str) {
        let error = said_with(file.as_bytes()).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{file:?}: expected '{expected}' in '{error}'"
        );
    }

    #[test]
    fn the_rest_of_a_line_is_the_value_and_the_command_line_comes_after_it() {
        check("-t a b\n-q 1\n", "topic", &["a b", "z"]);
        check(
            "  -t \t a  \r\n\r\n#-t b\r\n--topic\tc",
            "topic",
            &["a", "c", "z"],
        );
        check("-t \"a\"", "topic", &["\"a\"", "z"]);
        check(
            "--will-payload=two words",
            "will-payload",
            &["two"].map(|_| "two words"),
        );
        check("-v\n-d  \n", "verbose", &[""]);
    }

    #[test]
    fn files_of_windows_are_read_whatever_their_encoding() {
        let text = "-t Γειά\r\n-t 𝄞\r\n";
        check(format!("\u{feff}{text}"), "topic", &["Γειά", "𝄞", "z"]);
        let units: Vec<u16> = format!("\u{feff}{text}").encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        check(little, "topic", &["Γειά", "𝄞", "z"]);
        check(big, "topic", &["Γειά", "𝄞", "z"]);
    }

    #[test]
    fn properties_are_split_into_words_and_the_last_one_is_the_rest() {
        let file = "-D publish content-type text/plain; charset=utf-8\n\
                    --property connect user-property my key and more\n";
        let said = said_with(file.as_bytes()).unwrap();
        let words: Vec<_> = said.all("property").map(|g| g.texts().unwrap()).collect();
        assert_eq!(
            words,
            [
                ["publish", "content-type", "text/plain; charset=utf-8", ""],
                ["connect", "user-property", "my", "key and more"]
            ]
        );
    }

    #[test]
    fn mistakes_name_file_and_line() {
        check_error("-v\n-Z", "mqtt-sub:2: Unknown option '-Z'");
        check_error("host localhost", "'localhost' is one argument too many");
        check_error("localhost", "mqtt-sub:1: 'localhost' is no option");
        check_error(
            "-v yes",
            "mqtt-sub:1: -v takes no value, and 'yes' follows it",
        );
        check_error("\n-t", "mqtt-sub:2: -t");
        check_error("-D publish x", "-D needs 3 more arguments");
        check_error("-t a\0b", "A zero byte");
        let said = said_with(b"-v\n-q 7").unwrap();
        let error = said.meaning("qos", crate::value::qos).unwrap_err();
        assert!(
            error.what().ends_with("mqtt-sub:2: Invalid QoS given: 7"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_is_named_must_be_there_and_cannot_name_another() {
        let said = said_with(b"-o other\n-v").unwrap();
        assert!(said.has("verbose"));
        assert!(said.notes[0].ends_with("-o counts on the command line only, and was left out"));
        let line = ["x", "-o", "/no/such/file"].map(OsString::from);
        let Ok(Parsed::Said(mut said)) = parse(Program::Sub, line) else {
            panic!("the line was not understood")
        };
        let error = add(&mut said, |_| None).unwrap_err();
        assert!(
            error
                .what()
                .contains("Unable to read the options file '/no/such/file'")
        );
    }

    #[track_caller]
    fn check_places(windows: bool, variables: &[(&str, &str)], expected: &[&str]) {
        let known = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
        assert_eq!(candidates(Program::Pub, windows, known), expected);
    }

    #[test]
    fn default_files_lie_where_each_system_keeps_settings() {
        let config = ["/h/.config/mqtt-pub", "/h/.config/mosquitto_pub"];
        check_places(false, &[("HOME", "/h")], &config);
        check_places(false, &[("HOME", "/h"), ("XDG_CONFIG_HOME", "")], &config);
        let variables = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")];
        check_places(false, &variables, &["/x/mqtt-pub", "/x/mosquitto_pub"]);
        check_places(false, &[], &[]);
        let variables = [("USERPROFILE", "/u"), ("APPDATA", "/a")];
        let places = [
            "/a/mqtt-pub.conf",
            "/u/mqtt-pub.conf",
            "/u/mosquitto_pub.conf",
        ];
        check_places(true, &variables, &places);
    }
}
