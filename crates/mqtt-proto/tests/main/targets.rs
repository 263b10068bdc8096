//! The parsers of this crate and the laws that hold for any input; shared with `cargo fuzz`.

use mqtt_proto::{DecodeError, Filter, Packet, Topic, Version, decode, frame_length};
use mqtt_testkit::fuzz::Target;
use mqtt_testkit::sample::{Choices, Sample};

const VERSIONS: [Version; 3] = [Version::V5, Version::V4, Version::V3];

/// One packet: what is accepted has a wire form that means the same.
pub const DECODE: Target = Target {
    name: "decode",
    make: |choices, input| {
        let sample = sample(choices);
        input.push(sample.version() as u8 - 3);
        encode(&sample, input);
    },
    words: WORDS,
    run: |input| {
        if let Some((&first, bytes)) = input.split_first() {
            check_decode(bytes, VERSIONS[2 - usize::from(first) % 3]);
        }
    },
};

/// A stream of packets: where it is cut does not matter.
pub const STREAM: Target = Target {
    name: "stream",
    make: |choices, input| {
        let version = choices.below(3);
        input.extend([version as u8, choices.byte(), choices.byte()]);
        for _ in 0..=choices.below(3) {
            let kind = choices.one_of(&mqtt_proto::PacketType::ALL);
            let entropy = [choices.u32().to_be_bytes(), choices.u32().to_be_bytes()].concat();
            encode(&Sample::of(kind, VERSIONS[version], &entropy), input);
        }
    },
    words: WORDS,
    run: |input| {
        if let Some((&[version, limit, cut], bytes)) = input.split_first_chunk::<3>() {
            let version = VERSIONS[usize::from(version) % 3];
            let max_packet_size = if limit < 128 {
                u32::MAX
            } else {
                u32::from(limit)
            };
            check_stream(bytes, version, max_packet_size, usize::from(cut) + 1);
        }
    },
};

/// A filter and a topic with a zero byte between them: parsing and matching are as defined.
pub const NAMES: Target = Target {
    name: "names",
    make: |choices, input| {
        input.extend_from_slice(choices.filter().as_bytes());
        input.push(0);
        input.extend_from_slice(choices.topic().as_bytes());
    },
    words: &[
        b"/",
        b"+",
        b"#",
        b"/+",
        b"/#",
        b"$share/",
        b"$share/g/",
        b"$SYS",
        b"\0",
    ],
    run: |input| {
        let mut parts = input.splitn(2, |&byte| byte == 0);
        let [filter, topic] = [(); 2].map(|()| parts.next().unwrap_or_default());
        if let (Ok(filter), Ok(topic)) = (str::from_utf8(filter), str::from_utf8(topic)) {
            check_names(filter, topic);
        }
    },
};

const WORDS: &[&[u8]] = &[
    b"\x00\x04MQTT",
    b"\x00\x06MQIsdp\x03",
    b"\xFF\xFF\xFF\x7F",
    b"\x80\x00",
    b"\x00\x00",
    b"\xFF\xFF",
    b"\x23\x00\x01",
    b"\x26\x00\x01k\x00\x01v",
    b"\x0B\x01",
    b"\xED\xA0\x80",
    b"$share/g/",
    b"/+/#",
];

fn sample(choices: &mut Choices<'_>) -> Sample {
    let entropy: Vec<u8> = (0..choices.byte()).map(|_| choices.byte()).collect();
    Sample::new(&entropy)
}

fn encode(sample: &Sample, out: &mut Vec<u8>) {
    sample
        .packet()
        .encode(sample.version(), out)
        .expect("a sample is valid");
}

/// Decodes; what is accepted must come back the same after encoding, in a form that stays.
pub fn check_decode(bytes: &[u8], version: Version) {
    let Ok(Some((packet, used))) = decode(bytes, version, u32::MAX) else {
        return;
    };
    assert_eq!(frame_length(bytes, version, u32::MAX), Ok(Some(used)));
    // A CONNECT says itself which version it is; the connection goes on in that one.
    let version = match &packet {
        Packet::Connect(connect) => connect.version,
        _ => version,
    };
    let mut again = Vec::new();
    packet
        .encode(version, &mut again)
        .expect("what was decoded has a wire form");
    assert!(again.len() <= used + 4, "{packet:?} grew to {again:02x?}");
    let decoded = decode(&again, version, u32::MAX);
    assert_eq!(decoded, Ok(Some((packet.clone(), again.len()))));
    let mut twice = Vec::new();
    decoded
        .expect("compared above")
        .expect("compared above")
        .0
        .encode(version, &mut twice)
        .expect("it was encoded before");
    assert_eq!(again, twice, "the second encoding of {packet:?} differs");
}

/// Everything that a stream says: how long each packet is and what it is, then how it ends.
type Verdict<'a> = (Vec<(Packet<'a>, usize)>, Option<DecodeError>);

fn whole(bytes: &[u8], version: Version, max_packet_size: u32) -> Verdict<'_> {
    let (mut packets, mut at) = (Vec::new(), 0);
    loop {
        match decode(&bytes[at..], version, max_packet_size) {
            Ok(Some((packet, used))) => {
                at += used;
                packets.push((packet, used));
            }
            Ok(None) => return (packets, None),
            Err(error) => return (packets, Some(error)),
        }
    }
}

/// Decodes `bytes` at once, and as they come in pieces: the verdict must be the same.
///
/// `cut` chooses the pieces: 1 is byte by byte, others are lengths from 1 to `cut` in turn.
pub fn check_stream(bytes: &[u8], version: Version, max_packet_size: u32, cut: usize) {
    let (packets, error) = whole(bytes, version, max_packet_size);
    let mut expected = packets.iter();
    let (mut at, mut have, mut piece) = (0, 0, 0);
    loop {
        match decode(&bytes[at..have], version, max_packet_size) {
            Ok(Some((packet, used))) => {
                assert_eq!(Some(&(packet, used)), expected.next(), "cut {cut}");
                at += used;
            }
            Err(found) => {
                assert_eq!(expected.next(), None, "cut {cut}: {found} came too early");
                assert_eq!(Some(found), error, "cut {cut}");
                return;
            }
            Ok(None) if have == bytes.len() => break,
            Ok(None) => {
                piece = piece % cut + 1;
                have = bytes.len().min(have + piece);
            }
        }
    }
    assert_eq!(expected.next(), None, "cut {cut}");
    assert_eq!(None, error, "cut {cut}");
}

/// Parses both names; compares the verdicts and the matching with definitions of their own.
pub fn check_names(filter: &str, topic: &str) {
    let parsed_topic = Topic::parse(topic);
    assert_eq!(
        parsed_topic.is_ok(),
        is_text(topic) && !topic.contains(['+', '#']),
        "topic {topic:?}"
    );
    let parsed_filter = Filter::parse(filter);
    assert_eq!(
        parsed_filter.is_ok(),
        is_filter(filter),
        "filter {filter:?}"
    );
    let (Ok(filter), Ok(topic)) = (parsed_filter, parsed_topic) else {
        return;
    };
    let plain = match filter.share() {
        Some((group, plain)) => {
            assert_eq!(format!("$share/{group}/{plain}"), filter.as_str());
            assert_eq!(Filter::parse(plain.as_str()).is_ok(), is_filter(plain));
            plain
        }
        None => filter,
    };
    assert_eq!(
        plain.matches(topic),
        naive_matches(plain.as_str(), topic.as_str()),
        "{filter:?} on {topic:?}"
    );
}

fn is_text(text: &str) -> bool {
    let bad = |c: char| {
        c.is_control()
            || ('\u{FDD0}'..='\u{FDEF}').contains(&c)
            || matches!(c as u32 & 0xFFFF, 0xFFFE | 0xFFFF)
    };
    !text.is_empty()
        && text.len() <= 65_535
        && text.split('/').count() <= 200
        && !text.contains(bad)
}

fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let plain = match levels[..] {
        ["$share", group, _, ..] if !group.is_empty() && !group.contains(['+', '#']) => {
            &levels[2..]
        }
        ["$share", ..] => return false,
        _ => &levels[..],
    };
    let (last, front) = plain.split_last().expect("split gives at least one level");
    let good = |level: &str| level == "+" || !level.contains(['+', '#']);
    is_text(text)
        && plain != [""]
        && front.iter().all(|level| good(level))
        && (*last == "#" || good(last))
}

/// Matching once more, as a recursion over the characters' levels (MQTT 5, 4.7.1 to 4.7.2).
pub fn naive_matches(filter: &str, topic: &str) -> bool {
    fn rest(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) => true,
            ([], []) => true,
            (["+", filter @ ..], [_, topic @ ..]) => rest(filter, topic),
            ([wanted, filter @ ..], [found, topic @ ..]) => wanted == found && rest(filter, topic),
            _ => false,
        }
    }
    let filter: Vec<&str> = filter.split('/').collect();
    let topic: Vec<&str> = topic.split('/').collect();
    let hidden = topic[0].starts_with('$') && ["+", "#"].contains(&filter[0]);
    !hidden && rest(&filter, &topic)
}
