//! What frames carry, however they are cut, and what breaks the protocol.

use super::*;
use tungstenite::protocol::frame::coding::CloseCode;

const BINARY: u8 = 2;
const CONTINUE: u8 = 0;
const TEXT: u8 = 1;
const CLOSE_FRAME: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;

/// A frame as a client sends it, written by hand.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x11, 0x22, 0x33, 0x44];
    let mut bytes = clear(first, payload);
    let header = bytes.len() - payload.len();
    bytes[1] |= 0x80;
    for (at, byte) in bytes[header..].iter_mut().enumerate() {
        *byte ^= key[at % 4];
    }
    bytes.splice(header..header, key);
    bytes
}

/// A frame as a server sends it.
fn clear(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(u8::try_from(length).unwrap()),
        length @ 126..=65535 => {
            bytes.push(126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        length => {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// Everything that comes out when `bytes` arrive in pieces of `size`.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    payload: Vec<u8>,
    answers: Vec<u8>,
    violation: Option<Violation>,
    is_over: bool,
}

fn decode(role: Role, bytes: &[u8], size: usize) -> Outcome {
    let mut decoder = Decoder::new(role);
    let (mut payload, mut answers) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(size) {
        let mut piece = piece.to_vec();
        let count = decoder.decode(&mut piece, &mut answers);
        payload.extend_from_slice(&piece[..count]);
    }
    Outcome {
        payload,
        answers,
        violation: decoder.take_violation(),
        is_over: decoder.is_over(),
    }
}

#[track_caller]
fn check(role: Role, bytes: &[u8], payload: &[u8], answers: &[u8], code: Option<CloseCode>) {
    let whole = decode(role, bytes, bytes.len());
    for size in 1..bytes.len().min(40) {
        // Masks of answers are random.
        if role == Role::Server {
            assert_eq!(decode(role, bytes, size), whole, "in pieces of {size}");
        }
    }
    assert_eq!(whole.payload, payload);
    assert_eq!(whole.violation.map(Violation::code), code);
    if role == Role::Server {
        let mut expected = answers.to_vec();
        if let Some(code) = code {
            expected.extend(clear(FINAL | CLOSE_FRAME, &u16::from(code).to_be_bytes()));
        }
        assert_eq!(whole.answers, expected);
    }
}

#[test]
fn what_frames_carry_comes_out_however_they_are_cut() {
    let long: Vec<u8> = (0..70_000_u32).map(|n| n as u8).collect();
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload = &long[..length];
        let frames = [
            masked(FINAL | BINARY, payload),
            masked(FINAL | BINARY, b"end"),
        ]
        .concat();
        check(
            Role::Server,
            &frames,
            &[payload, b"end"].concat(),
            &[],
            None,
        );
        let frames = [
            clear(FINAL | BINARY, payload),
            clear(FINAL | BINARY, b"end"),
        ]
        .concat();
        check(
            Role::Client,
            &frames,
            &[payload, b"end"].concat(),
            &[],
            None,
        );
    }
}

#[test]
fn a_message_in_frames_of_one_byte_with_pings_between_is_one_stream() {
    let mut frames = Vec::new();
    let mut pongs = Vec::new();
    let text = b"fragmented at every byte";
    for (at, byte) in text.iter().enumerate() {
        let kind = if at == 0 { BINARY } else { CONTINUE };
        let last = if at + 1 == text.len() { FINAL } else { 0 };
        frames.extend(masked(kind | last, &[*byte]));
        frames.extend(masked(FINAL | PING, &[*byte]));
        pongs.extend(clear(FINAL | PONG, &[*byte]));
        frames.extend(masked(FINAL | PONG, b"unasked for"));
    }
    check(Role::Server, &frames, text, &pongs, None);
}

#[test]
fn a_ping_of_the_greatest_length_is_answered_with_its_payload() {
    let payload = [b'p'; 125];
    let ping = masked(FINAL | PING, &payload);
    check(
        Role::Server,
        &ping,
        b"",
        &clear(FINAL | PONG, &payload),
        None,
    );
    let empty = masked(FINAL | PING, b"");
    check(Role::Server, &empty, b"", &clear(FINAL | PONG, b""), None);
}

#[test]
fn a_close_is_returned_with_its_code_and_ends_the_stream() {
    for (payload, answer) in [
        (&b""[..], &b""[..]),
        (b"\x03\xe8", b"\x03\xe8"),
        (b"\x03\xe9going away", b"\x03\xe9"),
        (b"\x0f\xa0ours", b"\x0f\xa0"),
    ] {
        let frames = [
            masked(FINAL | BINARY, b"last"),
            masked(FINAL | CLOSE_FRAME, payload),
            masked(FINAL | BINARY, b"too late"),
        ]
        .concat();
        let outcome = decode(Role::Server, &frames, 7);
        assert!(outcome.is_over);
        check(
            Role::Server,
            &frames,
            b"last",
            &clear(FINAL | CLOSE_FRAME, answer),
            None,
        );
    }
}

#[test]
fn what_breaks_the_protocol_is_told_and_ends_the_stream() {
    let protocol = CloseCode::Protocol;
    let mut endless = masked(FINAL | BINARY, b"");
    endless.splice(1..2, [0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]);
    for (name, frame, code) in [
        ("not masked", clear(FINAL | BINARY, b"x"), protocol),
        ("text", masked(FINAL | TEXT, b"x"), CloseCode::Unsupported),
        (
            "reserved bit 1",
            masked(FINAL | 0x40 | BINARY, b"x"),
            protocol,
        ),
        (
            "reserved bit 2",
            masked(FINAL | 0x20 | BINARY, b"x"),
            protocol,
        ),
        (
            "reserved bit 3",
            masked(FINAL | 0x10 | PING, b"x"),
            protocol,
        ),
        ("reserved data", masked(FINAL | 3, b"x"), protocol),
        ("reserved control", masked(FINAL | 11, b"x"), protocol),
        (
            "nothing to continue",
            masked(FINAL | CONTINUE, b"x"),
            protocol,
        ),
        ("a ping in pieces", masked(PING, b"x"), protocol),
        ("a long ping", masked(FINAL | PING, &[0; 126]), protocol),
        ("an impossible length", endless, protocol),
        ("half a code", masked(FINAL | CLOSE_FRAME, b"x"), protocol),
        (
            "a code of nobody",
            masked(FINAL | CLOSE_FRAME, &999_u16.to_be_bytes()),
            protocol,
        ),
        (
            "a code for no frame",
            masked(FINAL | CLOSE_FRAME, &1005_u16.to_be_bytes()),
            protocol,
        ),
        (
            "a reason that is no text",
            masked(FINAL | CLOSE_FRAME, b"\x03\xe8\xff"),
            CloseCode::Invalid,
        ),
    ] {
        println!("{name}");
        let frames = [
            masked(FINAL | BINARY, b"good"),
            frame,
            masked(FINAL | BINARY, b"no"),
        ];
        check(Role::Server, &frames.concat(), b"good", &[], Some(code));
    }
    let inside = [masked(BINARY, b"a"), masked(FINAL | BINARY, b"b")].concat();
    check(Role::Server, &inside, b"a", &[], Some(protocol));
    check(
        Role::Client,
        &masked(FINAL | BINARY, b"x"),
        b"",
        &[],
        Some(protocol),
    );
}

#[test]
fn what_one_side_encodes_the_other_decodes() {
    for (from, to) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        for length in [0, 1, 7, 8, 9, 125, 126, 65_535, 65_536] {
            let payload: Vec<u8> = (0..length).map(|n: usize| n as u8).collect();
            let mut frame = Vec::new();
            let binary = OpCode::Data(Data::Binary);
            let (first, second) = payload.split_at(length / 3);
            encode(from, binary, &[first, second], &mut frame);
            let outcome = decode(to, &frame, frame.len());
            assert_eq!(outcome.payload, payload, "{from:?} {length}");
            assert_eq!(outcome.violation, None);
        }
    }
}

#[test]
fn rubbish_ends_well() {
    let mut state = 1_u32;
    for round in 0..20_000 {
        let length = round % 60;
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        for role in [Role::Client, Role::Server] {
            let outcome = decode(role, &bytes, 1 + round % 9);
            assert!(outcome.payload.len() <= bytes.len());
        }
    }
}
