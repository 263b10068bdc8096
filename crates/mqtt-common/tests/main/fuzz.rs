//! Command lines and options files, whole and broken; `scripts/fuzz.sh` runs this for longer.

use mqtt_common::flags::commands::commands;
use mqtt_common::flags::table::{FLAGS, Flag, Program};
use mqtt_common::flags::{Given, Parsed, Said, files, parse};
use mqtt_common::options::{Common, topics};
use mqtt_testkit::fuzz::{Target, check};
use mqtt_testkit::sample::Choices;
use std::ffi::OsString;
use std::path::Path;

/// Flags whose meaning needs files or a terminal.
const OUTSIDE: [&str; 4] = ["pw", "password-file", "completion", "man"];

/// Keys and certificates are files, and would be read or even written.
const NO_FILES: &str = "--no-tls";

/// The arguments of a command line, with zero bytes between them; the first byte chooses a program.
const COMMAND_LINE: Target = Target {
    name: "command line",
    make: |choices, input| {
        let (number, program) = some_program(choices);
        input.push(number);
        for _ in 0..choices.below(6) {
            let flag = some_flag(choices, program);
            input.extend(match flag.short {
                Some(short) if choices.flag() => format!("-{short}").into_bytes(),
                _ => format!("--{}", flag.long).into_bytes(),
            });
            input.push(0);
            for _ in 0..flag.values() {
                input.extend(some_value(choices, flag));
                input.push(0);
            }
        }
    },
    words: WORDS,
    run: |input| {
        if let Some((&number, text)) = input.split_first() {
            let words = text.split(|byte| *byte == 0).map(os_string);
            let line = std::iter::once(OsString::from("x")).chain(words);
            check_line(program_of(number), line.collect());
        }
    },
};

/// The bytes of an options file, behind one that chooses a program.
const OPTIONS_FILE: Target = Target {
    name: "options file",
    make: |choices, input| {
        let (number, program) = some_program(choices);
        input.push(number);
        for _ in 0..choices.below(6) {
            let flag = some_flag(choices, program);
            input.extend(format!("--{}", flag.long).into_bytes());
            for _ in 0..flag.values() {
                input.push(b' ');
                input.extend(some_value(choices, flag));
            }
            input.extend_from_slice(choices.one_of(&[b"\n".as_slice(), b"\r\n", b" \n", b"\n#"]));
        }
    },
    words: WORDS,
    run: |input| {
        if let Some((&number, bytes)) = input.split_first() {
            let mut said = said_nothing(program_of(number));
            match files::prepend(&mut said, Path::new("f"), bytes) {
                Ok(()) => drop(meaning(&said)),
                Err(error) => assert!(error.what().starts_with("f:"), "{error}"),
            }
        }
    },
};

const WORDS: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"-",
    b"--",
    b"=",
    b"-D",
    b"-L",
    b"mqtt://",
    b"@",
    b":",
    b"[",
    b"]",
    b"%",
    b"%2",
    b"-t",
    b"-q",
    b"-o",
    b"--json",
    b"\xe2\x80\x93",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
    b"#",
    b"publish",
    b"user-property",
    b"-1",
    b"4294967296",
    b"1e9",
    b"s",
    b" ",
];

fn program_of(number: u8) -> Program {
    Program::ALL[usize::from(number) % Program::ALL.len()]
}

fn some_program(choices: &mut Choices<'_>) -> (u8, Program) {
    let number = choices.byte();
    (number, program_of(number))
}

fn some_flag(choices: &mut Choices<'_>, program: Program) -> &'static Flag {
    let flags: Vec<_> = FLAGS.iter().filter(|flag| flag.is_of(program)).collect();
    flags[choices.below(flags.len())]
}

fn some_value(choices: &mut Choices<'_>, flag: &Flag) -> Vec<u8> {
    let value = match (flag.value, choices.below(3)) {
        (Some(values), 0) if values.contains('|') => {
            let values: Vec<_> = values.split('|').collect();
            values[choices.below(values.len())].to_owned()
        }
        (_, 1) => choices.u16().to_string(),
        _ if flag.long == "url" => format!("mqtt://{}:{}", choices.text(5), choices.topic()),
        _ => choices.text(8),
    };
    value.replace('\0', "").into_bytes()
}

fn said(program: Program, line: Vec<OsString>) -> Option<Said> {
    match parse(program, line) {
        Ok(Parsed::Said(said)) => Some(said),
        Ok(Parsed::Text(text)) => {
            assert!(!text.is_empty());
            None
        }
        Err(error) => {
            assert!(
                !error.what().is_empty() && !error.what().ends_with('.'),
                "{error}"
            );
            None
        }
    }
}

fn meaning(said: &Said) -> Option<Common> {
    let _ = topics(said, |text| Ok(text.to_owned()));
    if OUTSIDE.iter().any(|flag| said.has(flag)) {
        return None;
    }
    Common::new(said).ok()
}

/// What a command line says, a file with the same lines says as well.
fn check_line(program: Program, mut line: Vec<OsString>) {
    line.splice(1..1, beginning(program));
    let Some(direct) = said(program, line) else {
        return;
    };
    meaning(&direct);
    let fits: Vec<&Given> = direct
        .in_order()
        .filter(|given| fits_a_line(given))
        .collect();
    let mut file = String::new();
    for given in &fits {
        let text = given.text().unwrap();
        file.push_str(&format!("--{} {text}\n", given.long));
    }
    let mut read = said_nothing(program);
    files::prepend(&mut read, Path::new("f"), file.as_bytes())
        .unwrap_or_else(|error| panic!("{error} in {file:?}"));
    let simple = |given: &Given| (given.long, given.text().unwrap().to_owned());
    let read = read.in_order().filter(|given| fits_a_line(given));
    let read: Vec<_> = read.map(simple).collect();
    let fits: Vec<_> = fits.into_iter().map(simple).collect();
    assert_eq!(read, fits, "{file:?}");
}

fn said_nothing(program: Program) -> Said {
    let line = std::iter::once("x".into()).chain(beginning(program));
    said(program, line.collect()).unwrap()
}

/// What stands in front of the flags: a command, where one is needed, and no file of the machine's.
fn beginning(program: Program) -> Vec<OsString> {
    let command = commands(program).first().map(|command| command.name);
    command
        .into_iter()
        .chain([NO_FILES])
        .map(Into::into)
        .collect()
}

/// One value at most, and no bytes that end a line or are trimmed.
fn fits_a_line(given: &Given) -> bool {
    let special = ["positional", "options-file", "property", "json", "no-tls"];
    let Ok(text) = given.text() else {
        return false;
    };
    let has_value = FLAGS
        .iter()
        .any(|flag| flag.long == given.long && flag.value.is_some());
    !special.contains(&given.long)
        && !text.contains(['\n', '\r', '\0'])
        && text.trim() == text
        && has_value != text.is_empty()
}

#[cfg(unix)]
fn os_string(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStringExt;
    OsString::from_vec(bytes.to_vec())
}

#[cfg(not(unix))]
fn os_string(bytes: &[u8]) -> OsString {
    String::from_utf8_lossy(bytes).into_owned().into()
}

#[test]
fn fuzz_command_lines_mean_something_or_are_refused_with_a_sentence() {
    check(&COMMAND_LINE, 400);
}

#[test]
fn fuzz_options_files_mean_something_or_are_refused_with_file_and_line() {
    check(&OPTIONS_FILE, 400);
}
