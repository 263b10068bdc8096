//! Every form on fixed messages at a fixed time.

use jiff::{Timestamp, tz::TimeZone};
use mqtt_proto::{PacketId, PropertiesBuf, Property, QoS, Topic, VarInt};

use super::*;

fn clock() -> Clock {
    let time: Timestamp = "2026-11-02T03:04:05.031782339Z".parse().unwrap();
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    Clock::at(time.to_zoned(zone))
}

fn properties() -> PropertiesBuf {
    let mut all = PropertiesBuf::new();
    for property in [
        Property::ContentType("text/plain"),
        Property::UserProperty(("k1", "v1")),
        Property::ResponseTopic(Topic::parse("re/ply").unwrap()),
        Property::CorrelationData(b"c\0d"),
        Property::PayloadFormatIndicator(true),
        Property::MessageExpiryInterval(4_000_000_000),
        Property::UserProperty(("k2", "v2")),
        Property::TopicAlias(3),
        Property::SubscriptionIdentifier(VarInt::new(7).unwrap()),
    ] {
        all.push(property).unwrap();
    }
    all
}

fn publish<'a>(payload: &'a [u8], properties: &'a PropertiesBuf) -> Publish<'a> {
    Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: Some(Topic::parse("a/β").unwrap()),
        packet_id: PacketId::new(9),
        properties: properties.view(),
        payload,
    }
}

fn shown(
    show: &Show,
    payload: &[u8],
    properties: &PropertiesBuf,
    terminal: bool,
) -> (Vec<u8>, Vec<String>) {
    let (mut out, mut faults) = (Vec::new(), Vec::new());
    let message = publish(payload, properties);
    show.append(&message, terminal, &clock(), &mut out, &mut faults);
    (out, faults)
}

fn custom(format: &str) -> Show {
    Show {
        form: Form::Custom(Format::parse(format).unwrap()),
        newline: false,
        ..Show::default()
    }
}

#[track_caller]
fn check(format: &str, payload: &[u8], expected: &[u8]) {
    let (out, faults) = shown(&custom(format), payload, &properties(), false);
    assert_eq!(
        out.escape_ascii().to_string(),
        expected.escape_ascii().to_string(),
        "{format}"
    );
    assert_eq!(faults, Vec::<String>::new(), "{format}");
}

#[test]
fn every_letter_shows_its_field() {
    for (format, expected) in [
        ("%t|%p|%l|%q|%r|%m", "a/β|Hello|5|1|1|9"),
        ("%x %X", "48656c6c6f 48656C6C6F"),
        (
            "%A|%C|%E|%F|%P|%R|%S",
            "3|text/plain|4000000000|1|k1:v1 k2:v2|re/ply|7",
        ),
        ("%D", "c\0d"),
        ("%I|%U", "2026-11-02T05:04:05+0200|1793588645.031782339"),
        ("%%@@\\\\", "%@\\"),
    ] {
        check(format, b"Hello", expected.as_bytes());
    }
}

#[test]
fn what_is_missing_is_blank() {
    let none = PropertiesBuf::new();
    for (format, expected) in [
        ("%A|%C|%D|%E|%F|%P|%R|%S", "|||||||"),
        (
            "%3A|%03C|%-3D|%3E|%3F|%3P|%3R|%3S",
            "   |000||   |   |||   ",
        ),
    ] {
        let (out, _) = shown(&custom(format), b"", &none, false);
        assert_eq!(String::from_utf8(out).unwrap(), expected, "{format}");
    }
}

#[test]
fn widths_and_precisions_fill_up_and_cut() {
    for (format, expected) in [
        ("%6t|", "  a/β|"),
        ("%-6t|", "a/β  |"),
        // No half character: β takes two bytes.
        ("%.3t|", "a/|"),
        ("%6.2t|", "    a/|"),
        ("%4l|%-4l|%04l|", "   5|5   |0005|"),
        ("%7p|%-7p|%07p|", "  Hello|Hello  |00Hello|"),
        ("%3p|", "Hel|"),
        ("%12x|%-12x|", "  48656c6c6f|48656c6c6f  |"),
        ("%2x|", "4865|"),
        (
            "%.2:x|%.4,X|%.1x|",
            "48:65:6c:6c:6f|4865,6C6C,6F|4 8 6 5 6 c 6 c 6 f|",
        ),
        ("%.0x|%.3-x|", "48656c6c6f|486-56c-6c6-f|"),
        ("%30I|", "      2026-11-02T05:04:05+0200|"),
        ("%.10I|", "2026-11-02|"),
        ("%12C|%.4C|", "  text/plain|text|"),
    ] {
        check(format, b"Hello", expected.as_bytes());
    }
    check("%3p|", "aββ".as_bytes(), "aβ|".as_bytes());
    check("%2p|", "aββ".as_bytes(), " a|".as_bytes());
    check("%2p|", b"\xff\xfe\xfd", b"\xff\xfe|");
}

#[test]
fn times_are_those_of_c() {
    for (letter, expected) in [
        ("A", "Monday"),
        ("B", "November"),
        ("C", "20"),
        ("D", "11/02/26"),
        ("F", "2026-11-02"),
        ("G", "2026"),
        ("H", "05"),
        ("I", "05"),
        ("M", "04"),
        ("N", "031782339"),
        ("P", "am"),
        ("R", "05:04"),
        ("S", "05"),
        ("T", "05:04:05"),
        ("U", "44"),
        ("V", "45"),
        ("W", "44"),
        ("X", "05:04:05"),
        ("Y", "2026"),
        ("Z", "+02"),
        ("a", "Mon"),
        ("b", "Nov"),
        ("c", "Mon Nov  2 05:04:05 2026"),
        ("d", "02"),
        ("e", " 2"),
        ("g", "26"),
        ("h", "Nov"),
        ("j", "306"),
        ("k", " 5"),
        ("l", " 5"),
        ("m", "11"),
        ("n", "\n"),
        ("p", "AM"),
        ("r", "05:04:05 AM"),
        ("s", "1793588645"),
        ("t", "\t"),
        ("u", "1"),
        ("w", "1"),
        ("x", "11/02/26"),
        ("y", "26"),
        ("z", "+0200"),
    ] {
        check(&format!("@{letter}"), b"", expected.as_bytes());
    }
}

#[test]
fn numbers_in_binary_are_shown_as_c_prints_them() {
    let double = 2.125_875_f64.to_ne_bytes();
    check(
        "%d|%.3d|%8.2d|%-8.2d|%08.2d|%.0d",
        &double,
        b"2.125875|2.126|    2.13|2.13    |00002.13|2",
    );
    check("%.3f", &0.707_f32.to_ne_bytes(), b"0.707");
    check("%08.2f", &(-1.5_f32).to_ne_bytes(), b"-0001.50");
    check("%06f", &f32::INFINITY.to_ne_bytes(), b"   inf");
    check("%.2f", &f32::NEG_INFINITY.to_ne_bytes(), b"-inf");
    let (out, faults) = shown(&custom("%f|"), b"abc", &properties(), false);
    assert_eq!(out, b"|");
    assert_eq!(
        faults,
        ["%f shows a number of 4 bytes, and the message on topic a/β has 3"]
    );
}

#[test]
fn json_has_mosquittos_names_and_order() {
    check(
        "%j",
        b"He\"llo",
        "{\"tst\":\"2026-11-02T05:04:05.031782+0200\",\"topic\":\"a/β\",\"qos\":1,\"retain\":true,\"payloadlen\":6,\"mid\":9,\
         \"properties\":{\"content-type\":\"text/plain\",\"user-properties\":[{\"k1\":\"v1\"},{\"k2\":\"v2\"}],\
         \"response-topic\":\"re/ply\",\"correlation-data\":\"c\\u0000d\",\"payload-format-indicator\":1,\
         \"message-expiry-interval\":4000000000,\"topic-alias\":3,\"subscription-identifier\":7},\"payload\":\"He\\\"llo\"}"
            .as_bytes(),
    );
    let none = PropertiesBuf::new();
    let (out, _) = shown(&custom("%J"), b" {\"t\" : [1.50, null]} ", &none, false);
    assert!(
        out.ends_with(b",\"payloadlen\":22,\"mid\":9,\"payload\":{\"t\":[1.5,null]}}"),
        "got {}",
        out.escape_ascii()
    );
    let (out, _) = shown(&custom("%J"), b"", &none, false);
    assert!(
        out.ends_with(b"\"payload\":null}"),
        "got {}",
        out.escape_ascii()
    );
}

#[test]
fn a_payload_that_is_no_json_is_reported_and_leaves_its_line_empty() {
    let show = Show {
        newline: true,
        ..custom("%J")
    };
    let (out, faults) = shown(&show, b"{oops", &PropertiesBuf::new(), false);
    assert_eq!(out, b"\n");
    assert!(
        faults[0].starts_with("Message payload is not valid JSON on topic a/β: "),
        "got {faults:?}"
    );
}

#[test]
fn pretty_json_is_indented_by_tabs() {
    let show = Show {
        pretty: true,
        ..custom("%J")
    };
    let (out, _) = shown(&show, b"{\"t\":1}", &PropertiesBuf::new(), false);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "{\n\t\"tst\":\t\"2026-11-02T05:04:05.031782+0200\",\n\t\"topic\":\t\"a/β\",\n\t\"qos\":\t1,\n\t\"retain\":\ttrue,\n\
         \t\"payloadlen\":\t7,\n\t\"mid\":\t9,\n\t\"payload\":\t{\n\t\t\"t\":\t1\n\t}\n}"
    );
}

#[track_caller]
fn check_show(show: &Show, payload: &[u8], expected: &[u8]) {
    let (out, _) = shown(show, payload, &PropertiesBuf::new(), false);
    assert_eq!(
        out.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
}

#[test]
fn a_message_is_its_bytes_and_a_new_line() {
    let show = Show::default();
    check_show(&show, b"a\0\xff", b"a\0\xff\n");
    check_show(&show, b"", b"");
}

#[test]
fn verbose_shows_the_topic_and_a_word_for_nothing() {
    let verbose = Show {
        verbose: true,
        ..Show::default()
    };
    check_show(&verbose, b"a", "a/β a\n".as_bytes());
    check_show(&verbose, b"", "a/β (null)\n".as_bytes());
    let hex = Show {
        form: Form::Hex,
        ..verbose.clone()
    };
    check_show(&hex, b"a\xff", "a/β 61ff\n".as_bytes());
    check_show(&hex, b"", "a/β (null)\n".as_bytes());
    let base64 = Show {
        form: Form::Base64,
        ..verbose
    };
    check_show(&base64, b"a\xff", "a/β Yf8=\n".as_bytes());
}

#[test]
fn without_new_lines_nothing_is_added() {
    let show = Show {
        verbose: true,
        newline: false,
        ..Show::default()
    };
    check_show(&show, b"a", "a/β a".as_bytes());
    check_show(&show, b"", b"");
}

#[test]
fn the_time_stands_in_front() {
    let show = Show {
        verbose: true,
        time: true,
        ..Show::default()
    };
    check_show(
        &show,
        b"x",
        "2026-11-02T05:04:05.031782+0200 a/β x\n".as_bytes(),
    );
    let (out, _) = shown(&show, b"x", &PropertiesBuf::new(), true);
    assert_eq!(out, "05:04:05.031 a/β x\n".as_bytes());
}

#[test]
fn a_terminal_gets_no_bytes_that_could_garble_it() {
    let (out, _) = shown(
        &Show::default(),
        b"\x1b[2J\xff",
        &PropertiesBuf::new(),
        true,
    );
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.starts_with("(5 bytes)\n  000000  1b 5b 32 4a ff  ") && text.contains(".[2J."),
        "got {text:?}"
    );
    let (out, _) = shown(
        &Show::default(),
        "Γειά\t1".as_bytes(),
        &PropertiesBuf::new(),
        true,
    );
    assert_eq!(out, "Γειά\t1\n".as_bytes());
}

#[test]
fn a_person_sees_time_topic_and_message() {
    colored::control::set_override(false);
    let none = PropertiesBuf::new();
    let mut out = Vec::new();
    terminal::message(&publish(b"21.5", &none), &clock(), &mut out);
    terminal::message(&publish(b"", &none), &clock(), &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "05:04:05 a/β (retained) 21.5\n05:04:05 a/β (retained) (empty)\n"
    );
}

#[test]
fn a_line_of_the_screen_stays_one_line() {
    colored::control::set_override(false);
    let none = PropertiesBuf::new();
    let line = |payload: &[u8]| {
        let mut out = Vec::new();
        terminal::line(&publish(payload, &none), &clock(), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(line(b"a\nb\tc"), "05:04:05 a/β (retained) a b c");
    assert_eq!(
        line(b"\xff01234567890123456789"),
        "05:04:05 a/β (retained) (21 bytes) ff 30 31 32 33 34 35 36 37 38 39 30 31 32 33 34 ...  .012345678901234"
    );
}

proptest::proptest! {
    #[test]
    fn no_format_and_no_payload_panics(
        format in r"([%@\\][-0]?[0-9]{0,5}(\.[0-9]{0,3})?[:, ]?[a-zA-Z%@α]|[a-zα%@\\ -]){0,6}",
        payload in proptest::prelude::any::<Vec<u8>>(),
    ) {
        if let Ok(format) = Format::parse(&format) {
            let show = Show { form: Form::Custom(format), ..Show::default() };
            shown(&show, &payload, &properties(), true);
            shown(&show, &payload, &PropertiesBuf::new(), false);
        }
    }
}

#[test]
fn the_finest_precision_can_be_shown() {
    let (out, _) = shown(
        &custom("%.65535d"),
        &1.5_f64.to_ne_bytes(),
        &properties(),
        false,
    );
    assert_eq!(out.len(), 2 + 65_535);
}
