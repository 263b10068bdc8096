//! Whole files, from text to meaning.

use super::*;
use crate::log::Levels;
use mqtt_proto::QoS;
use std::time::Duration;

fn config(text: &str) -> Config {
    text.parse().unwrap_or_else(|faults| panic!("{faults}"))
}

/// Reads a text with mistakes and compares what is said about them, line by line.
fn check_faults(text: &str, expected: &[&str]) {
    let faults = Config::from_str(text).expect_err("mistakes");
    let said: Vec<_> = faults
        .0
        .iter()
        .map(|fault| format!("{}: {}", fault.line, fault.what))
        .collect();
    assert_eq!(said, expected);
}

fn advice(text: &str) -> String {
    let faults = Config::from_str(text).expect_err("mistakes");
    faults.0[0].advice.clone().unwrap_or_default()
}

#[test]
fn an_empty_file_means_local_only_with_anonymous_clients() {
    let config = config("");
    assert!(config.local_only);
    let doors: Vec<_> = config
        .listeners
        .iter()
        .map(|listener| {
            let host = listener.host.as_deref().unwrap_or("");
            (host, listener.port, listener.allow_anonymous)
        })
        .collect();
    assert_eq!(doors, [("127.0.0.1", 1883, true), ("::1", 1883, true)]);
}

#[test]
fn a_listener_closes_the_door_to_anonymous_clients_until_told_otherwise() {
    let closed = config("listener 1883\n");
    assert!(!closed.local_only);
    assert!(!closed.listeners[0].allow_anonymous);
    assert_eq!(closed.listeners[0].host, None);
    assert!(config("listener 1883\nallow_anonymous true").listeners[0].allow_anonymous);
    assert!(config("allow_anonymous true\nlistener 1883").listeners[0].allow_anonymous);
}

#[test]
fn local_only_mode_obeys_allow_anonymous_false() {
    assert!(!config("allow_anonymous false").listeners[0].allow_anonymous);
}

#[test]
fn ports_of_the_command_line_count_only_without_a_listener() {
    let ports = |text| {
        let loaded = Loaded::from_text("x", text, &[2000, 2001]).expect(text);
        let ports = loaded.config.listeners.iter().map(|listener| listener.port);
        ports.collect::<Vec<_>>()
    };
    assert_eq!(ports("max_connections 5"), [2000, 2000, 2001, 2001]);
    assert_eq!(ports("listener 1883"), [1883]);
    assert_eq!(ports("port 1884"), [1884]);
}

#[test]
fn options_of_listeners_belong_to_the_listener_above() {
    let config = config(
        "listener 1883 127.0.0.1\nmax_qos 1\nlistener_allow_anonymous true\nlistener 1884\n\
         maximum_qos 0\naccept_protocol_versions 4,5\nsocket_domain ipv6\nmax_connections 3\n\
         max_topic_alias 0x20\nmax_topic_alias_broker 0\nlistener_auto_id_prefix lab-",
    );
    let [first, second] = &config.listeners[..] else {
        panic!("two listeners");
    };
    assert_eq!(first.host.as_deref(), Some("127.0.0.1"));
    assert_eq!(first.max_qos, QoS::AtLeastOnce);
    assert_eq!(first.auto_id_prefix, "auto-");
    assert!(first.allow_anonymous && !second.allow_anonymous);
    assert_eq!(second.max_qos, QoS::AtMostOnce);
    assert_eq!(second.socket_domain, Some(SocketDomain::Ipv6));
    assert_eq!(second.max_connections, Some(3));
    assert_eq!(second.max_topic_alias, 32);
    assert_eq!(second.auto_id_prefix, "lab-");
    assert!(
        !second
            .accept_protocol_versions
            .contains(mqtt_proto::Version::V3)
    );
}

#[test]
fn per_listener_settings_keep_the_doors_apart() {
    let text = "per_listener_settings true\nlistener 1883\nallow_anonymous true\nlistener 1884\n\
                allow_zero_length_clientid false\nauto_id_prefix x\n";
    let config = config(text);
    assert!(config.listeners[0].allow_anonymous);
    assert!(config.listeners[0].allow_zero_length_clientid);
    assert!(!config.listeners[1].allow_anonymous);
    assert!(!config.listeners[1].allow_zero_length_clientid);
    assert_eq!(config.listeners[1].auto_id_prefix, "x");
    check_faults(
        "per_listener_settings true\nallow_anonymous true",
        &["2: 'allow_anonymous' belongs to a listener, and none is defined above."],
    );
    check_faults(
        "allow_anonymous true\nper_listener_settings true",
        &["2: 'per_listener_settings' must stand before every option it concerns."],
    );
}

#[test]
fn defaults_are_those_of_mosquitto() {
    let config = Config::default();
    assert_eq!(config.max_packet_size, 2_000_000);
    // The engine's rules make 20 of it.
    assert_eq!(config.max_inflight_messages, None);
    assert_eq!(config.max_queued_messages, Some(1000));
    assert_eq!(config.max_keepalive, 0);
    assert_eq!(config.sys_interval, Some(Duration::from_secs(10)));
    assert!(config.retain_available && config.allow_duplicate_messages);
    assert!(!config.queue_qos0_messages);
    assert_eq!(config.levels(), Levels::DEFAULT);
    let listener = Listener::default();
    assert_eq!(
        (listener.max_topic_alias, listener.max_topic_alias_broker),
        (10, 10)
    );
}

#[test]
fn limits_are_read_with_their_units() {
    let config = config(
        "max_packet_size 100\nmax_queued_messages 0\nmax_queued_bytes 4096 # four KiB\n\
         sys_interval 0\npersistent_client_expiration 2w\nretain_expiry_interval 5\n\
         max_keepalive 65535\nglobal_max_connections -1\nglobal_max_clients 9\n\
         max_inflight_bytes -4\nmessage_size_limit 17\n",
    );
    assert_eq!(config.max_packet_size, 100);
    assert_eq!(config.max_queued_messages, None);
    assert_eq!(config.max_queued_bytes, Some(4096));
    assert_eq!(config.sys_interval, None);
    let fortnight = Duration::from_secs(14 * 86400);
    assert_eq!(config.persistent_client_expiration, Some(fortnight));
    assert_eq!(
        config.retain_expiry_interval,
        Some(Duration::from_secs(300))
    );
    assert_eq!(config.max_keepalive, 65535);
    assert_eq!(config.global_max_connections, None);
    assert_eq!(config.global_max_clients, Some(9));
    assert_eq!(config.max_inflight_bytes, None);
    assert_eq!(config.message_size_limit, Some(17));
}

#[test]
fn blanks_tabs_and_comments_may_stand_anywhere() {
    let config = config(
        "  # a comment\n\n \t\nlistener\t1883\t127.0.0.1\t# door\nallow_anonymous \t true\t\n\
         log_timestamp_format\t%H:%M \n",
    );
    assert_eq!(config.listeners[0].host.as_deref(), Some("127.0.0.1"));
    assert!(config.listeners[0].allow_anonymous);
    assert_eq!(config.log_timestamp_format.as_deref(), Some("%H:%M"));
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    check_faults(
        "listener 1883\nallow_anonymus true\n# fine\nmax_qos 3\nsys_interval ten\n\
         max_packet_size 5\nallow_anonymous True\nlog_type\nlistener 70000\n",
        &[
            "2: there is no option 'allow_anonymus'.",
            "4: 'max_qos' takes 0, 1 or 2; '3' is not that.",
            "5: the value 'ten' of 'sys_interval' is not a number. It takes seconds, from 0 to \
             65535; 0 switches it off.",
            "6: 'max_packet_size' takes a number, 20 or more; '5' is not that.",
            "7: 'allow_anonymous' takes true or false; 'True' is not that.",
            "8: 'log_type' needs a value: none, error, warning, notice, information, debug, \
             subscribe, unsubscribe, websockets, internal or all.",
            "9: 'listener' takes a port from 1 to 65535, then perhaps an address; '70000' is not \
             that.",
        ],
    );
}

#[test]
fn mistakes_come_with_what_to_type() {
    for (text, expected) in [
        ("allow_anonymus true", "Did you mean 'allow_anonymous'?"),
        ("Listener 1883", "Did you mean 'listener'?"),
        ("allow_anonymous True", "Type: allow_anonymous true"),
        ("allow_anonymous yes", "Type: allow_anonymous true"),
        ("log_dest stdrr", "Type: log_dest stderr"),
        ("log_type infomation", "Type: log_type information"),
        (
            "allow_anonymous=true",
            "Put a blank between name and value: allow_anonymous true",
        ),
        (
            "listener: 1883",
            "Put a blank between name and value: listener 1883",
        ),
        (
            "listener 127.0.0.1 1883",
            "The port comes first: listener 1883 127.0.0.1",
        ),
        (
            "listener 127.0.0.1:1884",
            "The port comes first: listener 1884 127.0.0.1",
        ),
        ("max_topic_alias 3", "Put a line before it: listener 1883"),
    ] {
        assert_eq!(advice(text), expected, "{text}");
    }
}

#[test]
fn texts_may_not_be_repeated_and_numbers_may() {
    assert_eq!(
        config("sys_interval 5\nsys_interval 6").sys_interval,
        Some(Duration::from_secs(6))
    );
    check_faults(
        "log_timestamp_format %H\nlog_timestamp_format %M",
        &["2: 'log_timestamp_format' was given before. One line is enough."],
    );
}

#[test]
fn tuning_options_we_lack_warn_and_go_on() {
    let loaded = Loaded::from_text(
        "x.conf",
        "log_dest android\nenable_control_api true\nlog_dest dlt\nlog_dest stdout\nretry_interval 3",
        &[],
    )
    .expect("warnings only");
    let warnings: Vec<_> = loaded.notes.iter().map(|(_, text)| text.as_str()).collect();
    assert!(warnings[0].starts_with("Warning: x.conf:1: 'log_dest android' is not supported yet"));
    assert!(
        warnings[1].starts_with("Warning: x.conf:2: 'enable_control_api' is not supported yet")
    );
    assert!(warnings[2].starts_with("Warning: x.conf:3: 'log_dest dlt' is not supported yet"));
    assert_eq!(
        warnings[3],
        "Warning: The 'retry_interval' option is no longer available."
    );
    assert!(loaded.config.log_dest.stdout && !loaded.config.log_dest.stderr);
}

#[test]
fn security_options_we_lack_stop_the_start() {
    for text in [
        "password_file x",
        "plugin x.so",
        "listener 8883\ncertfile x",
        "listener 1\nprotocol http_api\nhttp_dir no-such-folder",
        "listener 0",
        "connection b",
    ] {
        assert!(Config::from_str(text).is_err(), "{text}");
    }
}

#[test]
fn bridges_are_read_and_checked_and_said_not_to_work() {
    let text = "connection b\naddress 127.0.0.1 other:1884\ntopic # both 0\ntopic a in 1 x/ y/\n\
                username x\nkeepalive_interval 1\nconnection c\naddresses d\ntopic b\n";
    let loaded = Loaded::from_text("x", text, &[]).expect("two bridges");
    let bridges = &loaded.config.bridges;
    assert_eq!(
        (bridges[0].name.as_str(), bridges[1].name.as_str()),
        ("b", "c")
    );
    assert_eq!((bridges[0].address.len(), bridges[0].topic.len()), (2, 2));
    assert_eq!(bridges[0].remote_username.as_deref(), Some("x"));
    assert_eq!(
        (bridges[0].keepalive_interval, bridges[1].keepalive_interval),
        (5, 60)
    );
    let notes: Vec<_> = loaded.notes.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].starts_with("Warning: x:1: the bridge 'b' is not started"),
        "{notes:?}"
    );
    assert!(
        notes[1].starts_with("Warning: x:7: the bridge 'c' is not started"),
        "{notes:?}"
    );
    assert!(loaded.config.local_only, "a bridge is no listener");
}

#[test]
fn mistakes_in_bridges_name_their_lines() {
    check_faults(
        "topic # both 0",
        &["1: 'topic' belongs below a line that begins with `connection`."],
    );
    check_faults(
        "connection\nconnection b\naddress x:0\ntopic a#\ntopic a up\nstart_type manual\nconnection b\naddress x\naddress y\ntopic a",
        &[
            "1: 'connection' needs a name.",
            "3: 'address' takes ports from 1 to 65535.",
            "4: 'topic' has no topic filter in 'a#': '#' must be the last level, alone [MQTT-4.7.1-1].",
            "5: 'topic' takes out, in or both behind the pattern, and 'up' is none of them.",
            "6: 'start_type' takes automatic, lazy or once; 'manual' is not that.",
            "7: there are two bridges called 'b'.",
            "9: 'address' was given before. One line is enough.",
            "1: the bridge '' has no address. Add a line below it: address HOST:PORT.",
            "2: the bridge 'b' has no address. Add a line below it: address HOST:PORT.",
        ],
    );
}

#[test]
fn variables_of_the_environment_are_filled_in() {
    let path = std::env::var("PATH").expect("every process has a PATH");
    let text = "listener 1883\npassword_file ${NO_SUCH_VARIABLE}/x\nclientid_prefixes ${\n";
    check_faults(
        text,
        &[
            "2: the environment has no variable 'NO_SUCH_VARIABLE', or it is not text.",
            "3: a variable is written ${NAME}.",
        ],
    );
    let text = "clientid_prefixes a-${PATH}-$${PATH}\n# ${NO_SUCH_VARIABLE} in a comment\n";
    let prefix = config(text).clientid_prefixes.expect("a prefix");
    assert_eq!(prefix, format!("a-{path}-${{PATH}}"));
}

#[test]
fn old_options_are_noted_in_the_words_of_mosquitto() {
    let loaded = Loaded::from_text("x", "port 1884\nmax_connections 10", &[]).expect("old options");
    let notes: Vec<_> = loaded.notes.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        notes,
        [
            "The 'port' option is now deprecated and will be removed in version 3.0. Please use \
             'listener' instead.",
            "Creating default listener due to 'port' option.",
            "It is best practice to define a 'listener' first. Using the 'port' option without a \
             listener will be disabled in the future.",
        ]
    );
    assert_eq!(loaded.config.listeners[0].port, 1884);
    assert_eq!(loaded.config.listeners[0].max_connections, Some(10));
}

#[test]
fn quotes_around_a_path_are_taken_away_and_noted() {
    let text = r#"persistence_location "C:\My Files\mqtt\""#;
    let loaded = Loaded::from_text("x", text, &[]).expect("a path");
    assert_eq!(
        loaded.config.persistence_location,
        Some(r"C:\My Files\mqtt\".into())
    );
    assert_eq!(
        loaded.notes[0].1,
        r"x:1: read as 'persistence_location C:\My Files\mqtt\'. A path needs no quotes here"
    );
}

#[test]
fn a_comment_after_a_path_is_pointed_out() {
    let loaded = Loaded::from_text("x", "pid_file /tmp/x.pid # mine", &[]).expect("a path");
    assert_eq!(loaded.config.pid_file, Some("/tmp/x.pid # mine".into()));
    assert!(loaded.notes[0].1.contains("is part of the value"));
}

#[test]
fn included_files_start_without_a_section_and_name_themselves_in_mistakes() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("conf.d")).expect("a folder");
    std::fs::write(path("conf.d/a.conf"), "sys_interval 3\nlistener 1884\n").expect("a file");
    std::fs::write(path("conf.d/b.conf"), "max_topic_alias 4\n").expect("a file");
    let main = path("main.conf");
    let include = format!(
        "listener 1883\ninclude_dir {}\nmax_qos 1\n",
        path("conf.d").display()
    );
    std::fs::write(&main, include).expect("a file");

    let faults = Loaded::from_file(&main, &[]).expect_err("no listener in b.conf");
    assert_eq!(faults.0.len(), 1);
    assert!(
        faults.0[0].file.ends_with("conf.d/b.conf"),
        "{}",
        faults.0[0].file
    );

    std::fs::write(path("conf.d/b.conf"), "max_keepalive 4\n").expect("a file");
    let config = Loaded::from_file(&main, &[]).expect("no mistakes").config;
    assert_eq!(config.sys_interval, Some(Duration::from_secs(3)));
    assert_eq!(config.listeners[0].max_qos, QoS::AtLeastOnce);
    assert_eq!(config.listeners[1].port, 1884);
}

#[test]
fn connection_messages_false_silences_only_those() {
    let config = config("connection_messages false");
    assert!(!config.levels().contains(Level::Connection));
    assert!(config.levels().contains(Level::Notice));
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic_the_reader(bytes: Vec<u8>) {
        let mut reader = Reader::default();
        reader.read("fuzz", &bytes, true);
    }

    #[test]
    fn no_line_panics_the_reader(name in 0..200usize, value in "\\PC{0,40}") {
        let names: Vec<_> = options::all().flat_map(|row| row.facts().names()).collect();
        // Included files may not include, so nothing outside is touched.
        let mut reader = Reader::default();
        reader.read("fuzz", format!("{} {value}", names[name % names.len()]).as_bytes(), true);
    }
}
