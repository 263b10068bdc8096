//! What is typed after `mqtt-broker`.

use crate::program::Folder;

fn check(arguments: &[&str], code: i32, in_stderr: &[&str]) {
    let ended = Folder::new().run(arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
    for part in in_stderr {
        assert!(ended.stderr.contains(part), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn help_goes_to_standard_output_alone() {
    for flag in ["-h", "--help"] {
        let ended = Folder::new().run(&[flag]);
        assert_eq!(ended.code, Some(0));
        assert!(ended.stdout.contains("--test-config"), "{ended:?}");
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn the_version_is_one_line() {
    let ended = Folder::new().run(&["--version"]);
    let expected = format!("mqtt-broker {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ended.code, ended.stdout), (Some(0), expected));
    assert_eq!(ended.stderr, "");
}

#[test]
fn wrong_arguments_end_with_3_and_say_what_to_type() {
    check(&["test.conf"], 3, &["mqtt-broker -c test.conf"]);
    check(&["--verbos"], 3, &["'--verbose'"]);
    check(&["-p", "0"], 3, &["'0' is not a port"]);
    check(&["-p"], 3, &["-p 1883"]);
    check(&["-c"], 3, &["-c test.conf"]);
    check(&["--test-config"], 3, &["-c FILE --test-config"]);
    check(&["--lan", "-c", "x.conf"], 3, &["allow_anonymous true"]);
}

#[test]
fn a_dash_from_a_document_is_read_with_a_note() {
    check(
        &["–c", "nothing.conf"],
        3,
        &[
            "Note: '–c' is read as '-c'",
            "there is no file 'nothing.conf'",
        ],
    );
}
