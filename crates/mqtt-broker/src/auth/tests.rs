//! Access control lists, from their text to who may do what.

use super::*;

const FILE: &str = "\
topic readwrite public/#
topic read $SYS/#
topic deny public/secret
user ann
topic read lab/#
topic write lab/ann
topic deny lab/exam
pattern readwrite home/%u/#
pattern write device/%c/state
pattern deny home/%u/safe
pattern read news/#
";

fn rights(client_id: &str, username: Option<&str>) -> Rights {
    let (acl, _) = acl_file::parse("test.acl", FILE.as_bytes()).expect("rules");
    acl.rights(client_id, username)
}

/// Asks for both actions; `line` is the one that decides on reading.
#[track_caller]
fn check(who: &Rights, topic: &str, read: bool, write: bool, line: Option<u32>) {
    let topic = Topic::parse(topic).expect("a topic");
    let verdict = who.may(topic, Action::Read);
    assert_eq!((verdict.allowed, verdict.line), (read, line), "{topic}");
    assert_eq!(who.may(topic, Action::Write).allowed, write, "{topic}");
}

#[test]
fn lines_before_any_user_are_for_clients_without_a_name() {
    let nobody = rights("c1", None);
    check(&nobody, "public/x", true, true, Some(1));
    check(&nobody, "public", true, true, Some(1));
    check(&nobody, "public/secret", false, false, Some(3));
    check(&nobody, "$SYS/broker/uptime", true, false, Some(2));
    check(&nobody, "lab/x", false, false, None);
    let ann = rights("c1", Some("ann"));
    check(&ann, "public/x", false, false, None);
}

#[test]
fn lines_below_a_user_are_hers_alone() {
    let ann = rights("c1", Some("ann"));
    check(&ann, "lab/x", true, false, Some(5));
    check(&ann, "lab/ann", true, true, Some(5));
    check(&ann, "lab/exam", false, false, Some(7));
    let bob = rights("c1", Some("bob"));
    check(&bob, "lab/x", false, false, None);
}

#[test]
fn patterns_are_for_everybody() {
    let bob = rights("lamp", Some("bob"));
    check(&bob, "home/bob/door", true, true, Some(8));
    check(&bob, "home/bob/safe", false, false, Some(10));
    check(&bob, "home/ann/door", false, false, None);
    check(&bob, "device/lamp/state", false, true, None);
    check(&bob, "device/fan/state", false, false, None);
    check(&bob, "news/today", true, false, Some(11));
    // `%u` stands for nobody where there is no user name.
    let nobody = rights("lamp", None);
    check(&nobody, "home/bob/door", false, false, None);
    check(&nobody, "device/lamp/state", false, true, None);
}

#[test]
fn names_cannot_reach_into_other_peoples_topics() {
    for name in ["+", "#", "a+b", "bob/#"] {
        for who in [rights(name, Some("bob")), rights("lamp", Some(name))] {
            check(&who, "home/bob/door", false, false, None);
            check(&who, "device/lamp/state", false, false, None);
            check(&who, "news/today", false, false, None);
        }
    }
    let slashed = rights("lamp", Some("bob/door"));
    check(&slashed, "home/bob/door/x", false, false, None);
    check(&slashed, "news/today", true, false, Some(11));
    let empty = rights("lamp", Some(""));
    check(&empty, "home//x", false, false, None);
}

#[test]
fn a_name_that_begins_with_a_dollar_is_a_level_like_any_other() {
    let (acl, _) = acl_file::parse("x", b"pattern read %u/#").expect("a rule");
    check(
        &acl.rights("c", Some("$SYS")),
        "$SYS/x",
        true,
        false,
        Some(1),
    );
    check(&acl.rights("c", Some("ann")), "$SYS/x", false, false, None);
}

#[test]
fn an_empty_file_denies_everything() {
    let (acl, _) = acl_file::parse("x", b"# nothing\n\n").expect("no rules");
    for username in [None, Some("ann")] {
        check(&acl.rights("c", username), "a", false, false, None);
    }
}

#[test]
fn a_subscription_through_which_nothing_can_come_is_seen() {
    let ann = rights("lamp", Some("ann"));
    for (filter, allowed, line) in [
        ("lab/#", true, Some(5)),
        ("lab", true, Some(5)),
        ("#", true, Some(5)),
        ("+/exam", true, Some(11)),
        ("+/+/+", true, Some(5)),
        ("lab/exam", false, Some(7)),
        ("$share/g/lab/exam", false, Some(7)),
        ("$share/g/lab/+", true, Some(5)),
        ("home/ann", true, Some(8)),
        ("home/bob/#", false, None),
        ("home/+/safe", false, None),
        ("public/#", false, None),
        ("device/lamp/state", false, None),
        ("$SYS/#", false, None),
    ] {
        let parsed = Filter::parse(filter).expect("a filter");
        let verdict = ann.may_subscribe(parsed);
        assert_eq!((verdict.allowed, verdict.line), (allowed, line), "{filter}");
    }
}

#[test]
fn a_denial_names_the_line() {
    let ann = rights("lamp", Some("ann"));
    let reason = |topic| {
        let topic = Topic::parse(topic).expect("a topic");
        ann.reason(ann.may(topic, Action::Write)).to_string()
    };
    assert_eq!(reason("lab/exam"), "denied by test.acl:7");
    assert_eq!(reason("elsewhere"), "nothing in test.acl allows it");
}
