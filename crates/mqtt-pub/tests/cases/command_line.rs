//! Options from elsewhere than the command line, URLs, credentials, properties, names of the program.

use crate::*;
use mqtt_proto::{Packet, Version, decode};
use mqtt_testkit::fake_broker::FakeConnection;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A folder with files, and mqtt-pub in it with exactly these environment variables.
struct Desk {
    folder: tempfile::TempDir,
    command: Command,
}

impl Desk {
    fn new(line: &str) -> Desk {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-pub"));
        command
            .args(line.split_whitespace())
            .current_dir(folder.path());
        for name in [
            "HOME",
            "XDG_CONFIG_HOME",
            "USERPROFILE",
            "APPDATA",
            "MQTT_PASSWORD",
        ] {
            command.env_remove(name);
        }
        Desk { folder, command }
    }

    fn file(self, name: &str, text: impl AsRef<[u8]>) -> Desk {
        let path = self.folder.path().join(name);
        let above = path.parent().expect("it lies in the folder");
        fs::create_dir_all(above).expect("folders can be made there");
        fs::write(path, text).expect("files can be written there");
        self
    }

    fn variable(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Desk {
        self.command.env(name, value);
        self
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn start(self) -> Running {
        Running {
            program: Program::of(self.command),
            _folder: self.folder,
        }
    }

    fn finish(self) -> Ended {
        let running = self.start();
        running.program.finish()
    }
}

/// The folder must outlive the program.
struct Running {
    program: Program,
    _folder: tempfile::TempDir,
}

impl Running {
    #[track_caller]
    fn expect_success(self) {
        expect_success(&self.program.finish());
    }
}

/// Takes one client that sends a message at QoS 0 below version 5.
#[track_caller]
fn expect_message(broker: &FakeBroker, topic: &str, payload: &[u8]) {
    let mut connection = broker.connected(ACCEPTED);
    connection.expect(&publish(0x30, topic, None, payload));
    connection.expect_disconnect();
}

/// User name, password and client identifier in the next CONNECT.
fn login(connection: &mut FakeConnection, version: Version) -> (String, String, String) {
    let bytes = connection.packet();
    let Ok(Some((Packet::Connect(connect), _))) = decode(&bytes, version, u32::MAX) else {
        panic!("not a CONNECT: {bytes:02x?}")
    };
    let password = connect.password.map(String::from_utf8_lossy);
    (
        connect.username.unwrap_or("none").to_owned(),
        password.map_or("none".to_owned(), Into::into),
        connect.client_id.to_owned(),
    )
}

#[track_caller]
fn check_login(desk: Desk, broker: &FakeBroker, name: &str, password: &str) {
    let running = desk.start();
    let mut connection = broker.accept();
    let (found_name, found_password, _) = login(&mut connection, Version::V4);
    assert_eq!(
        (found_name.as_str(), found_password.as_str()),
        (name, password)
    );
    connection.send(ACCEPTED);
    connection.packet();
    connection.expect_disconnect();
    running.expect_success();
}

#[test]
fn an_options_file_is_read_first_and_the_command_line_wins() {
    let broker = FakeBroker::new();
    let file = format!(
        "\u{feff}# the broker\r\n-h 127.0.0.1\r\n-p {}\r\n\r\n-t from/file\r\n-m two words\r\n",
        broker.port()
    );
    let running = Desk::new("-o options -t from/line")
        .file("options", &file)
        .start();
    expect_message(&broker, "from/line", b"two words");
    running.expect_success();
}

#[cfg(windows)]
#[test]
fn a_default_file_is_ours_or_else_mosquittos() {
    let broker = FakeBroker::new();
    let file = |topic: &str| {
        format!(
            "-p {}\r\n-h 127.0.0.1\r\n-t {topic}\r\n-n\r\n",
            broker.port()
        )
    };
    let places = [
        ("my home/mosquitto_pub.conf", "mosquittos"),
        ("my home/mqtt-pub.conf", "at/home"),
        ("my data/mqtt-pub.conf", "roaming"),
    ];
    // Each is found before those in front of it.
    for count in 1..=places.len() {
        let mut desk = Desk::new("");
        for (place, topic) in &places[..count] {
            desk = desk.file(place, file(topic));
        }
        let folder = desk.folder().to_owned();
        let running = desk
            .variable("USERPROFILE", folder.join("my home"))
            .variable("APPDATA", folder.join("my data"))
            .start();
        expect_message(&broker, places[count - 1].1, b"");
        running.expect_success();
    }
}

#[cfg(unix)]
#[test]
fn a_default_file_is_ours_or_else_mosquittos() {
    let broker = FakeBroker::new();
    let file = |topic: &str| format!("-p {}\n-h 127.0.0.1\n-t {topic}\n-n\n", broker.port());
    let desk = || {
        Desk::new("")
            .file("c/mosquitto_pub", file("mosquittos"))
            .file(".config/mosquitto_pub", file("at/home"))
    };
    let (config, home) = ("XDG_CONFIG_HOME", "HOME");
    for (own, expected) in [(false, "mosquittos"), (true, "ours")] {
        let mut desk = desk();
        if own {
            desk = desk.file("c/mqtt-pub", file("ours"));
        }
        let place = desk.folder().join("c");
        let running = desk
            .variable(config, place)
            .variable(home, "/nowhere")
            .start();
        expect_message(&broker, expected, b"");
        running.expect_success();
    }
    let desk = desk();
    let place = desk.folder().to_owned();
    let running = desk.variable(home, place).start();
    expect_message(&broker, "at/home", b"");
    running.expect_success();
}

#[test]
fn mistakes_in_an_options_file_name_the_line() {
    for (file, expected) in [
        ("-t t\n-Z\n", "Error: options:2: Unknown option '-Z'.\n"),
        (
            "-t t\n-n\n-q 7\n",
            "Error: options:3: Invalid QoS given: 7.\n",
        ),
        ("\nhello\n", "Error: options:2: 'hello' is no option.\n"),
    ] {
        let ended = Desk::new("-o options").file("options", file).finish();
        assert_eq!(ended.code, 1, "{file:?}");
        assert!(
            ended.stderr.starts_with(expected),
            "{file:?}: {}",
            ended.stderr
        );
    }
    let ended = Desk::new("-o nowhere -t t -n").finish();
    assert_eq!(ended.code, 1);
    let expected = "Error: Unable to read the options file 'nowhere'";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
}

#[test]
fn a_url_names_broker_user_and_topic() {
    let broker = FakeBroker::new();
    let url = format!("mqtt://an%20na:p%40ss@127.0.0.1:{}/a/%CE%B1", broker.port());
    let running = Desk::new(&format!("-L {url} -m x")).start();
    let mut connection = broker.accept();
    let (name, password, _) = login(&mut connection, Version::V4);
    assert_eq!((name.as_str(), password.as_str()), ("an na", "p@ss"));
    connection.send(ACCEPTED);
    connection.expect(&publish(0x30, "a/α", None, b"x"));
    connection.expect_disconnect();
    running.expect_success();
}

#[test]
fn passwords_come_from_files_or_the_environment() {
    let broker = FakeBroker::new();
    let line = format!("-h 127.0.0.1 -p {} -t t -n -u anna", broker.port());
    let desk = |more: &str| {
        Desk::new(&format!("{line} {more}"))
            .file("secret", "from file\r\n")
            .variable("MQTT_PASSWORD", "from env")
    };
    check_login(desk(""), &broker, "anna", "from env");
    check_login(desk("--password-file secret"), &broker, "anna", "from file");
    check_login(
        desk("--password-file secret -P line"),
        &broker,
        "anna",
        "line",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_terminal_nobody_can_be_asked_for_a_password() {
    let mut command = Command::new("setsid");
    command
        .arg("--wait")
        .arg(env!("CARGO_BIN_EXE_mqtt-pub"))
        .args(["-t", "t", "-n", "-u", "anna", "-P", "-"]);
    let ended = Program::of(command).finish();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains("There is no terminal to ask at"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("--password-file FILE"),
        "{}",
        ended.stderr
    );
}

#[test]
fn properties_reach_connect_publish_disconnect_and_the_will() {
    let broker = FakeBroker::new();
    let program = start(
        &broker,
        "-t t -m x -i c -k 90s -D connect user-property a b -D publish content-type c/d \
         -D DISCONNECT session-expiry-interval 0 -D publish user-property e f \
         --will-topic w --will-payload gone --will-qos 1 --will-retain -D will will-delay-interval 7",
    );
    let mut connection = broker.accept();
    let bytes = connection.packet();
    let Ok(Some((Packet::Connect(connect), _))) = decode(&bytes, Version::V5, u32::MAX) else {
        panic!("not a CONNECT: {bytes:02x?}")
    };
    assert_eq!((connect.version, connect.keep_alive), (Version::V5, 90));
    assert_eq!(connect.properties.user_property(), Some(("a", "b")));
    let will = connect.will.unwrap();
    assert_eq!(
        (will.topic.as_str(), will.payload, will.retain),
        ("w", &b"gone"[..], true)
    );
    assert_eq!(will.properties.will_delay_interval(), Some(7));
    connection.send(ACCEPTED_5);
    let mut properties = b"\x03\x00\x03c/d".to_vec();
    properties.extend(b"\x26\x00\x01e\x00\x01f");
    let mut expected = vec![0x30, 18, 0, 1, b't', 13];
    expected.extend(properties);
    expected.push(b'x');
    connection.expect(&expected);
    connection.expect(&[0xe0, 7, 0, 5, 0x11, 0, 0, 0, 0]);
    connection.expect_end();
    expect_success(&program.finish());
}

#[test]
fn flags_for_old_scripts_are_taken() {
    let broker = FakeBroker::new();
    let program = start(
        &broker,
        "-t t -m x --nodelay -M 5 -A 127.0.0.1 --keyform pem --no-tls",
    );
    expect_message(&broker, "t", b"x");
    expect_success(&program.finish());
}

#[test]
fn what_only_openssl_can_do_is_refused_with_another_way() {
    for (line, expected) in [
        (
            "--psk 00ff --psk-identity x",
            "there is no TLS with pre-shared keys here",
        ),
        ("--tls-engine pkcs11", "there are no OpenSSL engines here"),
        (
            "--tls-engine-kpass-sha1 00",
            "there are no OpenSSL engines here",
        ),
        ("--keyform engine", "keys are read from PEM files only"),
    ] {
        let ended = start_with(format!("-t t -n {line}").split(' ')).finish();
        assert_eq!(ended.code, 1, "{line}");
        assert!(ended.stderr.contains(expected), "{line}: {}", ended.stderr);
    }
}

#[test]
fn tls_and_proxies_that_fail_have_their_own_codes() {
    let broker = FakeBroker::new();
    let program = start(&broker, "-t t -n --tls-use-os-certs");
    let mut connection = broker.accept();
    connection.send(ACCEPTED);
    let ended = program.finish();
    assert_eq!(ended.code, 8, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("speaks MQTT without TLS"),
        "{}",
        ended.stderr
    );
    drop(connection);

    let line = format!("-t t -n --proxy socks5h://127.0.0.1:{}", broker.port());
    let program = start_with(line.split(' '));
    let mut connection = broker.accept();
    connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let ended = program.finish();
    assert_eq!(ended.code, 16, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("not a SOCKS5 proxy"),
        "{}",
        ended.stderr
    );
}

#[test]
fn scripts_for_shells_and_the_manual_page_are_printed() {
    let man = start_with(["--man"]).finish();
    expect_success(&man);
    assert!(
        man.stdout.starts_with(".TH MQTT\\-PUB 1 ") || man.stdout.starts_with(".TH MQTT-PUB 1 ")
    );
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = start_with(["--completion", shell]).finish();
        expect_success(&script);
        assert!(script.stdout.contains("retain"), "{shell}");
    }
    let unknown = start_with(["--completion", "tcsh"]).finish();
    assert_eq!(unknown.code, 1);
}

/// The `.cmd` files of the zip for Windows say in a variable which name was typed.
#[test]
fn a_variable_may_say_by_which_name_a_program_was_called() {
    for (name, expected) in [
        ("mosquitto_pub", "mosquitto_pub "),
        ("mosquitto_sub", "mqtt-pub "),
    ] {
        let ended = Desk::new("--version")
            .variable("MQTT_CALLED_AS", name)
            .finish();
        assert!(ended.stdout.starts_with(expected), "{name}: {ended:?}");
    }
}

#[cfg(unix)]
#[test]
fn messages_use_the_name_that_the_program_was_called_by() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let link = folder.path().join("mosquitto_pub");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mqtt-pub"), &link).unwrap();
    let run = |argument| Program::start(&link, [argument]).finish();
    assert!(run("--version").stdout.starts_with("mosquitto_pub "));
    assert!(run("--help").stdout.contains("Usage: mosquitto_pub "));
    assert!(
        run("-t")
            .stderr
            .ends_with("All options: mosquitto_pub --help\n")
    );
    let stray = Program::start(&link, ["-t", "t"]).finish();
    assert!(
        stray
            .stderr
            .ends_with("All options: mosquitto_pub --help\n")
    );
}

/// Bash is what most people on Linux type into.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_flags_and_their_values() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let script = folder.path().join("script");
    let printed = start_with(["--completion", "bash"]).finish();
    fs::write(&script, printed.stdout).unwrap();
    for (words, expected) in [
        ("--tls-v", "--tls-version"),
        ("--tls-version tlsv1.", "tlsv1.2 tlsv1.3"),
        ("--reta", "--retain"),
    ] {
        let (before, last) = words.rsplit_once(' ').unwrap_or(("mqtt-pub", words));
        let ask = format!(
            "source {}; COMP_WORDS=(mqtt-pub {words}); COMP_CWORD={}; \
             _mqtt__pub mqtt-pub '{last}' '{before}'; echo ${{COMPREPLY[*]}}",
            script.display(),
            words.split(' ').count()
        );
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", &ask]);
        let ended = Program::of(command).finish();
        assert_eq!(ended.stdout.trim(), expected, "{words}: {}", ended.stderr);
    }
}
