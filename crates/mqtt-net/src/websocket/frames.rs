//! Frames to bytes and back: what is inside of them is decoded where it lies.
//!
//! A WebSocket carries MQTT as a plain stream: where a frame or a message ends means nothing
//! [MQTT-6.0.0-2]. So no message is ever put together; payloads are moved together in the buffer that
//! they were read into, and between two reads only the beginning of a header is kept.

use std::io::Cursor;

use thiserror::Error;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// The longest header: two bytes, eight of length, four of mask (RFC 6455, 5.2).
const LONGEST_HEADER: usize = 14;
/// The longest payload of a ping, pong or close (RFC 6455, 5.5).
const LONGEST_CONTROL: u64 = 125;

/// Which side of the connection we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Masks what it sends, and gets clear frames.
    Client,
    /// Sends clear frames, and gets masked ones.
    Server,
}

/// What the other side has done that ends the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    /// A header that no version of the protocol allows here.
    #[error("WebSocket: {0}")]
    Protocol(&'static str),
    /// A text frame; MQTT is binary [MQTT-6.0.0-1].
    #[error("WebSocket: a text frame, and MQTT is binary")]
    Text,
    /// A reason for closing that is not UTF-8.
    #[error("WebSocket: the reason for closing is not UTF-8")]
    Reason,
}

impl Violation {
    /// The code that the other side is told (RFC 6455, 7.4.1).
    pub(super) fn code(self) -> CloseCode {
        match self {
            Self::Protocol(_) => CloseCode::Protocol,
            Self::Text => CloseCode::Unsupported,
            Self::Reason => CloseCode::Invalid,
        }
    }
}

/// How far into a frame the bytes have come.
#[derive(Debug)]
enum State {
    Header,
    Data(Body),
    Control(Control, Body),
    /// The other side has closed, or is not to be listened to any more.
    Over,
}

/// The rest of a frame.
#[derive(Debug)]
struct Body {
    left: u64,
    mask: [u8; 4],
}

/// Turns the bytes of one direction into what the frames carry.
#[derive(Debug)]
pub(super) struct Decoder {
    role: Role,
    state: State,
    /// The beginning of a header.
    header: [u8; LONGEST_HEADER],
    known: usize,
    /// The payload of the ping or close that is being read.
    control: Vec<u8>,
    /// Whether a message was begun and not ended.
    is_in_message: bool,
    violation: Option<Violation>,
}

impl Decoder {
    pub(super) fn new(role: Role) -> Self {
        Self {
            role,
            state: State::Header,
            header: [0; LONGEST_HEADER],
            known: 0,
            control: Vec::new(),
            is_in_message: false,
            violation: None,
        }
    }

    /// Whether the other side will be listened to no more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// What was wrong with the frames, once.
    pub(super) fn take_violation(&mut self) -> Option<Violation> {
        self.violation.take()
    }

    /// Moves what the frames in `bytes` carry to the front of `bytes`; returns how much that is.
    ///
    /// What has to be answered is answered in `answers`, as whole frames. After a close or a
    /// violation nothing more is decoded.
    pub(super) fn decode(&mut self, bytes: &mut [u8], answers: &mut Vec<u8>) -> usize {
        let (mut read, mut kept) = (0, 0);
        while read < bytes.len() && !self.is_over() {
            let rest = bytes.len() - read;
            match &mut self.state {
                State::Header => match self.take_header(&bytes[read..]) {
                    Ok(used) => read += used,
                    Err(violation) => self.end(violation, answers),
                },
                State::Data(body) => {
                    let count = body.of(rest);
                    bytes.copy_within(read..read + count, kept);
                    body.unmask(&mut bytes[kept..kept + count]);
                    read += count;
                    kept += count;
                }
                State::Control(_, body) => {
                    let count = body.of(rest);
                    let part = &mut bytes[read..read + count];
                    body.unmask(part);
                    self.control.extend_from_slice(part);
                    read += count;
                }
                State::Over => {}
            }
            self.finish_frame(answers);
        }
        kept
    }

    /// Takes what is there of a header; how many bytes that used.
    fn take_header(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let before = self.known;
        let count = bytes.len().min(LONGEST_HEADER - before);
        self.header[before..before + count].copy_from_slice(&bytes[..count]);
        let mut cursor = Cursor::new(&self.header[..before + count]);
        let parsed = FrameHeader::parse(&mut cursor)
            .map_err(|_| Violation::Protocol("a frame of an unknown kind"))?;
        let Some((header, length)) = parsed else {
            self.known = before + count;
            return Ok(count);
        };
        self.known = 0;
        let used = usize::try_from(cursor.position()).unwrap_or(LONGEST_HEADER) - before;
        let body = Body {
            left: length,
            mask: self.check_mask(&header)?,
        };
        self.state = self.begin(&header, body)?;
        Ok(used)
    }

    /// Whether a frame is masked depends on who sends it (RFC 6455, 5.1).
    fn check_mask(&self, header: &FrameHeader) -> Result<[u8; 4], Violation> {
        match (self.role, header.mask) {
            (Role::Server, Some(mask)) => Ok(mask),
            (Role::Client, None) => Ok([0; 4]),
            (Role::Server, None) => Err(Violation::Protocol("a frame that is not masked")),
            (Role::Client, Some(_)) => Err(Violation::Protocol("a masked frame from a server")),
        }
    }

    fn begin(&mut self, header: &FrameHeader, body: Body) -> Result<State, Violation> {
        let wrong = |what| Err(Violation::Protocol(what));
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return wrong("a frame of an extension that was not agreed on");
        }
        if body.left >> 63 != 0 {
            return wrong("a frame of an impossible length");
        }
        match header.opcode {
            OpCode::Data(Data::Text) => Err(Violation::Text),
            OpCode::Data(Data::Continue) if !self.is_in_message => {
                wrong("the continuation of a message that was not begun")
            }
            OpCode::Data(Data::Binary) if self.is_in_message => {
                wrong("a new message inside of another one")
            }
            OpCode::Data(_) => {
                self.is_in_message = !header.is_final;
                Ok(State::Data(body))
            }
            OpCode::Control(_) if !header.is_final => wrong("a ping or close in pieces"),
            OpCode::Control(_) if body.left > LONGEST_CONTROL => {
                wrong("a ping or close of more than 125 bytes")
            }
            OpCode::Control(kind) => Ok(State::Control(kind, body)),
        }
    }

    /// Goes on to the next frame if this one is complete, and answers it.
    fn finish_frame(&mut self, answers: &mut Vec<u8>) {
        match &self.state {
            State::Data(Body { left: 0, .. }) => self.state = State::Header,
            State::Control(kind, Body { left: 0, .. }) => {
                let kind = *kind;
                let payload = std::mem::take(&mut self.control);
                self.state = State::Header;
                match kind {
                    Control::Ping => {
                        encode(
                            self.role,
                            OpCode::Control(Control::Pong),
                            &[&payload],
                            answers,
                        );
                    }
                    Control::Close => match check_close(&payload) {
                        Ok(code) => {
                            self.state = State::Over;
                            encode(self.role, CLOSE, &[code], answers);
                        }
                        Err(violation) => self.end(violation, answers),
                    },
                    Control::Pong | Control::Reserved(_) => {}
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, violation: Violation, answers: &mut Vec<u8>) {
        self.state = State::Over;
        self.violation = Some(violation);
        encode_close(self.role, violation.code(), answers);
    }
}

/// The frame that ends a connection.
const CLOSE: OpCode = OpCode::Control(Control::Close);

/// The code in a close, to be sent back; empty if there is none.
fn check_close(payload: &[u8]) -> Result<&[u8], Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() {
            Ok(payload)
        } else {
            Err(Violation::Protocol("half a reason for closing"))
        };
    };
    if !CloseCode::from(u16::from_be_bytes(*code)).is_allowed() {
        return Err(Violation::Protocol(
            "a reason for closing that does not exist",
        ));
    }
    if std::str::from_utf8(reason).is_err() {
        return Err(Violation::Reason);
    }
    Ok(code)
}

impl Body {
    /// How many of `there` bytes belong to it.
    fn of(&self, there: usize) -> usize {
        usize::try_from(self.left).map_or(there, |left| left.min(there))
    }

    /// Takes the mask off the next bytes.
    fn unmask(&mut self, bytes: &mut [u8]) {
        self.left -= bytes.len() as u64;
        if self.mask != [0; 4] {
            mask(self.mask, bytes);
            self.mask.rotate_left(bytes.len() % 4);
        }
    }
}

/// Puts a mask on, or takes it off (RFC 6455, 5.3).
fn mask(mask: [u8; 4], bytes: &mut [u8]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= mask;
    }
}

/// Appends a frame with the joined `parts` as its payload.
pub(super) fn encode(role: Role, opcode: OpCode, parts: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let header = FrameHeader {
        opcode,
        mask: (role == Role::Client).then(random_mask),
        ..FrameHeader::default()
    };
    out.reserve(LONGEST_HEADER + length);
    header
        .format(length as u64, out)
        .expect("a vector takes all that is written");
    let start = out.len();
    parts.iter().for_each(|part| out.extend_from_slice(part));
    if let Some(key) = header.mask {
        mask(key, &mut out[start..]);
    }
}

/// Appends a close with its reason.
pub(super) fn encode_close(role: Role, code: CloseCode, out: &mut Vec<u8>) {
    encode(role, CLOSE, &[&u16::from(code).to_be_bytes()], out);
}

/// A mask that nobody on the way can foresee (RFC 6455, 10.3).
fn random_mask() -> [u8; 4] {
    let mut mask = [0; 4];
    // A system without random numbers has no TLS either; a fixed mask is still a valid one.
    let _ = getrandom::fill(&mut mask);
    mask
}

#[cfg(test)]
mod tests;
