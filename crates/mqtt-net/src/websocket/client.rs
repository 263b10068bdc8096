//! A client's handshake: asks a server for a WebSocket that carries MQTT.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

use super::WebSocket;
use super::frames::Role;
use super::head::{MOST_HEADERS, read_head, says, value};
use crate::error::describe;
use crate::options::WebSocketOptions;

/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 16 * 1024;

/// Why a server gave no WebSocket.
#[derive(Debug, Error)]
pub enum HandshakeError {
    /// Its answer is not HTTP.
    #[error("what answers there does not speak HTTP, so it is not a WebSocket port")]
    NotHttp,
    /// It speaks HTTP and does not open a WebSocket.
    #[error("the server answers {status} {reason} to the request for a WebSocket at {path}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What it said besides.
        reason: String,
        /// The path that was asked for.
        path: String,
    },
    /// It opens a WebSocket for something that is not MQTT.
    #[error("there is a WebSocket, but not for MQTT")]
    NotMqtt,
    /// Its answer does not fit to the request.
    #[error("the answer to the WebSocket request is wrong: {0}")]
    Answer(&'static str),
    /// A path or header that cannot stand in a request.
    #[error("{0}")]
    Unsendable(String),
    /// The connection broke.
    #[error("{}", describe(.0))]
    Io(#[from] io::Error),
}

/// Asks for a WebSocket at the server `host` (with its port where that is not the usual one).
///
/// # Errors
/// What the server said instead, or what is wrong with the request.
pub async fn request<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    host: &str,
    options: &WebSocketOptions,
) -> Result<WebSocket<S>, HandshakeError> {
    let key = generate_key();
    let request = write_request(host, &key, options)?;
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let (head, early) =
        read_head(&mut stream, LONGEST_ANSWER)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::FileTooLarge => HandshakeError::Answer("it is too long"),
                // A broker without WebSocket closes when it reads a G where CONNECT should be.
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::InvalidData => HandshakeError::NotHttp,
                _ => HandshakeError::Io(error),
            })?;
    check_answer(&head, &key, &options.path)?;
    Ok(WebSocket::new(stream, Role::Client, early))
}

/// The names that the request says itself.
const OURS: [&str; 6] = [
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Accept",
];

fn write_request(
    host: &str,
    key: &str,
    options: &WebSocketOptions,
) -> Result<String, HandshakeError> {
    let unsendable = |what: String| Err(HandshakeError::Unsendable(what));
    let path = &options.path;
    if !path.starts_with('/') || path.contains(|c: char| c.is_control() || c == ' ') {
        return unsendable(format!(
            "'{path}' is no path for a WebSocket: it begins with / and has no blanks"
        ));
    }
    let mut text = format!("GET {path} HTTP/1.1\r\n");
    let named = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("Host");
    if !options.headers.iter().any(|header| named(&header)) {
        text += &format!("Host: {host}\r\n");
    }
    text += &format!(
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
         Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n"
    );
    for (name, value) in &options.headers {
        let is_name = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if !is_name {
            return unsendable(format!("'{name}' is no name of a header"));
        }
        if value.contains(char::is_control) {
            return unsendable(format!("the header {name} may have no control characters"));
        }
        if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            return unsendable(format!("the header {name} belongs to WebSocket itself"));
        }
        text += &format!("{name}: {value}\r\n");
    }
    Ok(text + "\r\n")
}

fn check_answer(head: &[u8], key: &str, path: &str) -> Result<(), HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let parsed = answer.parse(head).map_err(|_| HandshakeError::NotHttp)?;
    let (true, Some(status)) = (parsed.is_complete(), answer.code) else {
        return Err(HandshakeError::NotHttp);
    };
    if status != 101 {
        return Err(HandshakeError::Status {
            status,
            reason: answer.reason.unwrap_or_default().into(),
            path: path.into(),
        });
    }
    let headers = &*answer.headers;
    if !says(headers, "Upgrade", "websocket") || !says(headers, "Connection", "Upgrade") {
        return Err(HandshakeError::Answer("it does not say that it upgrades"));
    }
    if value(headers, "Sec-WebSocket-Accept") != Some(&derive_accept_key(key.as_bytes())) {
        return Err(HandshakeError::Answer(
            "its Sec-WebSocket-Accept is not ours",
        ));
    }
    if value(headers, "Sec-WebSocket-Extensions").is_some_and(|said| !said.is_empty()) {
        return Err(HandshakeError::Answer(
            "it uses an extension nobody asked for",
        ));
    }
    match value(headers, "Sec-WebSocket-Protocol") {
        Some("mqtt") => Ok(()),
        _ => Err(HandshakeError::NotMqtt),
    }
}
