//! Configuration files, from the disk to the exit code.

use crate::program::{Ended, Folder};

const TEST: &[&str] = &["-c", "test.conf", "--test-config"];

fn check_ok(content: impl AsRef<[u8]>) -> Ended {
    let ended = Folder::with("test.conf", content).run(TEST);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended.stderr.ends_with(": Configuration file is OK.\n"),
        "{ended:?}"
    );
    ended
}

fn check_fault(content: impl AsRef<[u8]>, parts: &[&str]) {
    // Without --test-config too: a mistake stops the start before anything listens.
    for arguments in [TEST, &["-c", "test.conf"]] {
        let ended = Folder::with("test.conf", &content).run(arguments);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        for part in parts {
            assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
        }
    }
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn the_file_of_the_lab_is_fine_in_every_encoding() {
    let text = "listener 1883\r\nallow_anonymous true\r\n";
    check_ok(text);
    check_ok(text.replace('\r', ""));
    check_ok(text.replace(' ', "\t"));
    check_ok(format!("\u{feff}{text}"));
    for text in [text.into(), format!("\u{feff}{text}")] {
        check_ok(utf16(&text, u16::to_le_bytes));
        check_ok(utf16(&text, u16::to_be_bytes));
    }
}

#[test]
fn a_mistake_in_utf_16_is_a_mistake() {
    let text = "\u{feff}listener 1883\r\nallow_anonymus true\r\n";
    check_fault(
        utf16(text, u16::to_le_bytes),
        &["test.conf:2:", "Did you mean 'allow_anonymous'?"],
    );
}

#[test]
fn all_mistakes_are_listed_at_once() {
    check_fault(
        "listener x\nallow_anonymous Yes\nfoo bar\npassword_file pw\n",
        &[
            "Error: test.conf:1: the value 'x' of 'listener' is not a number.",
            "Error: test.conf:2: 'allow_anonymous' takes true or false; 'Yes' is not that.\n    \
             allow_anonymous Yes\n  Type: allow_anonymous true",
            "Error: test.conf:3: there is no option 'foo'.",
            "Error: there is no password file 'pw'.\n  Make one: mqtt-passwd -c pw USER",
        ],
    );
}

#[test]
fn a_hidden_txt_ending_is_noticed() {
    let ended = Folder::with("test.conf.txt", "listener 1883\n").run(&["-c", "test.conf"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("-c test.conf.txt"), "{ended:?}");
}

#[test]
fn a_missing_file_is_named_with_the_folder_it_is_missing_from() {
    let folder = Folder::new();
    let ended = folder.run(&["-c", "test.conf"]);
    assert_eq!(ended.code, Some(3));
    assert!(
        ended.stderr.contains("there is no file 'test.conf' in "),
        "{ended:?}"
    );
}

#[test]
fn a_folder_is_no_configuration_file() {
    let ended = Folder::new().run(&["-c", "."]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.stderr.contains("is a folder"), "{ended:?}");
}

#[test]
fn warnings_do_not_fail_the_test() {
    let ended = check_ok("listener 1883\nenable_control_api true\nretry_interval 20\n");
    assert!(
        ended
            .stderr
            .contains("Warning: test.conf:2: 'enable_control_api'"),
        "{ended:?}"
    );
    assert!(
        ended
            .stderr
            .contains(": Warning: The 'retry_interval' option is no longer available.\n"),
        "{ended:?}"
    );
}

#[test]
fn included_files_are_checked_too() {
    let folder = Folder::with("test.conf", "listener 1883\ninclude_dir more\n");
    std::fs::create_dir(folder.path("more")).expect("a folder");
    std::fs::write(folder.path("more/a.conf"), "max_keepalive 10\n").expect("a file");
    let ended = folder.run(TEST);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains(": Loading config file 'more/a.conf'\n"),
        "{ended:?}"
    );

    std::fs::write(folder.path("more/b.conf"), "max_keepaliv 10\n").expect("a file");
    let ended = folder.run(TEST);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("more/b.conf:1: "), "{ended:?}");
}

#[test]
fn the_committed_example_is_a_valid_file() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/mosquitto.conf");
    let ended = Folder::new().run(&["-c", example, "--test-config"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn an_acl_file_is_checked_with_the_configuration() {
    let folder = Folder::with("test.conf", "listener 1883\nacl_file no.acl\n");
    for arguments in [
        &["-c", "test.conf"][..],
        &["-c", "test.conf", "--test-config"],
    ] {
        let ended = folder.run(arguments);
        assert_eq!(ended.code, Some(3), "{ended:?}");
        assert!(
            ended.stderr.contains("there is no ACL file 'no.acl' in "),
            "{ended:?}"
        );
    }
    std::fs::write(folder.path("no.acl"), "topic read a#\n").expect("a file");
    let ended = folder.run(&["-c", "test.conf", "--test-config"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(
        ended.stderr.contains("Error: no.acl:1: 'a#' is not"),
        "{ended:?}"
    );
}
