//! The files that an operator writes, broken in small ways: configuration, passwords, rights.

use mqtt_broker::auth::{Action, acl_file, password_file};
use mqtt_broker::config::{Loaded, options};
use mqtt_proto::Topic;
use mqtt_testkit::fuzz::{Target, check};

/// mosquitto.conf: every mistake has a place and a sentence, and a comment changes nothing.
const CONFIGURATION: Target = Target {
    name: "configuration",
    make: |choices, input| {
        let names: Vec<&str> = options::all().flat_map(|row| row.facts().names()).collect();
        let values = [
            "true",
            "false",
            "0",
            "1",
            "1883",
            "1884 127.0.0.1",
            "mqttv50",
            "a/# both 1 x/ y/",
            "3,5",
            "14d",
            "stderr",
            "${NO_SUCH}",
            "$${x}",
            "tlsv1.2",
            "-1",
            "5 30",
            "x:1 ::1:2",
        ];
        for _ in 0..=choices.below(12) {
            let name = names[usize::from(choices.u16()) % names.len()];
            // What these name would be read from the disk.
            if ["include_dir", "password_file", "acl_file"].contains(&name) {
                continue;
            }
            let line = format!("{name} {}\n", choices.one_of(&values));
            input.extend_from_slice(line.as_bytes());
        }
    },
    words: &[
        b"listener 1883\n",
        b"connection b\naddress x\ntopic #\n",
        b"per_listener_settings true\n",
        b"\r\n",
        b"\t",
        b" # ",
        b"${",
        b"\xEF\xBB\xBF",
        b"\xFF\xFE",
        b"\0",
    ],
    run: |input| {
        let text = String::from_utf8_lossy(input);
        if ["include_dir", "_file"]
            .iter()
            .any(|word| text.contains(word))
        {
            return;
        }
        let loaded = Loaded::from_text("x", &text, &[]);
        if text.contains('\0') {
            // That is also how UTF-16 is known, and more text may change the verdict on that.
            return;
        }
        let commented = Loaded::from_text("x", &format!("{text}\n# comment"), &[]);
        match (loaded, commented) {
            (Ok(one), Ok(other)) => assert_eq!(one.config, other.config),
            (Err(one), Err(other)) => {
                assert_eq!(one, other);
                let lines = text.split('\n').count();
                for fault in &one.0 {
                    assert!(fault.line <= lines && fault.what.len() > 5, "{fault:?}");
                }
            }
            (one, other) => panic!("{one:?} and {other:?}"),
        }
    },
};

/// `password_file`: nothing of a line but the name is ever shown.
const PASSWORDS: Target = Target {
    name: "passwords",
    make: |choices, input| {
        for _ in 0..=choices.below(4) {
            let line = choices.one_of(&[
                "# remark\n",
                "alice:$6$njERlZMi/7DzNB9E$iiavfuXvUm8iyDZArTy7smTxh07GXXOrOsqxfW6gkOYVXHGk+W+i/8d3xDxrMwEPygEBhoA8A/gjQC0N2M4Lkw==\n",
                "bob:$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc\n",
                "carol:sesame\n",
                "\n",
            ]);
            input.extend_from_slice(line.as_bytes());
        }
    },
    words: &[
        b":",
        b"$7$1000$",
        b"$6$",
        b"$argon2id$v=19$",
        b"\r\n",
        b"\0",
        b"==",
    ],
    run: |input| {
        let Err(faults) = password_file::parse("x", input) else {
            return;
        };
        let lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
        for fault in faults {
            let shown = fault.to_string();
            // In UTF-16 lines end elsewhere.
            let line = lines.get(fault.line - 1).copied().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            let (name, secret) = line.split_once(':').unwrap_or_default();
            let secret = secret.trim();
            // The name may be shown, and may begin like a hash itself.
            let is_shown = !name.contains(secret) && shown.contains(secret);
            assert!(secret.len() < 12 || !is_shown, "{shown}");
        }
    },
};

/// `acl_file`: whatever is read decides about any topic, and the same each time.
const RIGHTS: Target = Target {
    name: "rights",
    make: |choices, input| {
        for _ in 0..=choices.below(6) {
            let word = choices.one_of(&["topic", "pattern", "user", "topic read", "pattern deny"]);
            let line = format!("{word} {}\n", choices.filter());
            input.extend_from_slice(line.as_bytes());
        }
    },
    words: &[
        b"%c",
        b"%u",
        b"/%c/",
        b"readwrite ",
        b"deny ",
        b"user a\n",
        b"$share/",
        b"#",
        b"+",
    ],
    run: |input| {
        let Ok((acl, _)) = acl_file::parse("x", input) else {
            return;
        };
        for (id, user) in [
            ("a", None),
            ("a", Some("b")),
            ("a/b", Some("#")),
            ("", Some("")),
        ] {
            let rights = acl.rights(id, user);
            for topic in ["a", "a/b", "$SYS/x", "b/a/c"] {
                let topic = Topic::parse(topic).expect("a topic");
                for action in [Action::Read, Action::Write] {
                    let verdict = rights.may(topic, action);
                    assert_eq!(acl.rights(id, user).may(topic, action), verdict);
                }
                let filter = mqtt_proto::Filter::parse(topic).expect("a topic is a filter");
                let could = rights.may_subscribe(filter).allowed;
                assert!(could || !rights.may(topic, Action::Read).allowed, "{topic}");
            }
        }
    },
};

#[test]
fn fuzz_configuration() {
    check(&CONFIGURATION, 2_000);
}

#[test]
fn fuzz_passwords() {
    check(&PASSWORDS, 10_000);
}

#[test]
fn fuzz_rights() {
    check(&RIGHTS, 2_000);
}
