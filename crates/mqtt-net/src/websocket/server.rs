//! A server's handshake: checks what a client asks for, and opens a WebSocket or says why not.

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tungstenite::handshake::derive_accept_key;

use super::WebSocket;
use super::frames::Role;
use super::head::{MOST_HEADERS, read_head, says, value, words};
use crate::error::describe;

/// The names under which MQTT is asked for: that of 3.1.1 and later, and that of 3.1.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// Whom a server lets in.
#[derive(Debug, Clone)]
pub struct ServerRules {
    /// The origins of pages that may connect; all if it is empty. Programs that are no browsers
    /// send none and are let in.
    pub origins: Vec<String>,
    /// The longest request, in bytes.
    pub longest_head: usize,
}

impl Default for ServerRules {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            longest_head: 4096,
        }
    }
}

/// Why a client was not let in.
#[derive(Debug, Error)]
pub enum Refused {
    /// A page of another origin.
    #[error("its page comes from '{0}', which is none of websockets_origin")]
    Origin(String),
    /// The request is not one for MQTT over WebSocket.
    #[error("{0}")]
    Request(&'static str),
    /// The connection broke, or closed before the request was there.
    #[error("{}", describe(.0))]
    Io(#[from] io::Error),
}

/// Reads a request and answers it. The client has been told what is wrong, where it can be told.
///
/// # Errors
/// Why the client was not let in.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    rules: &ServerRules,
) -> Result<WebSocket<S>, Refused> {
    let (head, early) = match read_head(&mut stream, rules.longest_head).await {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            let what = "the WebSocket request is too long";
            answer(&mut stream, "431 Request Header Fields Too Large", "", what).await;
            return Err(Refused::Request(what));
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            let _ = stream.shutdown().await;
            return Err(Refused::Request(
                "this port is for MQTT over WebSocket, and the client speaks something else",
            ));
        }
        Err(error) => return Err(Refused::Io(error)),
    };
    match check(&head, rules) {
        Ok((key, subprotocol)) => {
            let accepted = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {key}\r\n\
                 Sec-WebSocket-Protocol: {subprotocol}\r\n\r\n"
            );
            stream.write_all(accepted.as_bytes()).await?;
            stream.flush().await?;
            Ok(WebSocket::new(stream, Role::Server, early))
        }
        // As Mosquitto does it: a page that has no business here learns nothing.
        Err((_, _, refused @ Refused::Origin(_))) => {
            let _ = stream.shutdown().await;
            Err(refused)
        }
        Err((status, more, refused)) => {
            answer(&mut stream, status, more, &refused.to_string()).await;
            Err(refused)
        }
    }
}

/// The key to answer with and the subprotocol; or a status, more headers, and the reason.
fn check(
    head: &[u8],
    rules: &ServerRules,
) -> Result<(String, &'static str), (&'static str, &'static str, Refused)> {
    const BAD: &str = "400 Bad Request";
    let refuse = |status, what| Err((status, "", Refused::Request(what)));
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        _ => return refuse(BAD, "what was sent is not an HTTP request"),
    }
    if request.method != Some("GET") {
        return refuse("405 Method Not Allowed", "only GET opens a WebSocket");
    }
    let headers = &*request.headers;
    if !says(headers, "Upgrade", "websocket") || !says(headers, "Connection", "Upgrade") {
        let upgrade = "Upgrade: websocket\r\n";
        let what = "this port is for MQTT over WebSocket, not for web pages";
        return Err(("426 Upgrade Required", upgrade, Refused::Request(what)));
    }
    if request.version != Some(1) {
        return refuse(BAD, "a WebSocket needs HTTP/1.1");
    }
    if value(headers, "Sec-WebSocket-Version") != Some("13") {
        let version = "Sec-WebSocket-Version: 13\r\n";
        let what = "only version 13 of WebSocket is known here";
        return Err(("426 Upgrade Required", version, Refused::Request(what)));
    }
    // Sixteen bytes in Base64 (RFC 6455, 4.2.1).
    let Some(key) = value(headers, "Sec-WebSocket-Key").filter(|key| key.len() == 24) else {
        return refuse(BAD, "the request has no Sec-WebSocket-Key");
    };
    if let Some(origin) = value(headers, "Origin") {
        let is_origin = |known: &String| known.eq_ignore_ascii_case(origin);
        if !rules.origins.is_empty() && !rules.origins.iter().any(is_origin) {
            return Err(("403 Forbidden", "", Refused::Origin(origin.into())));
        }
    }
    let chosen = words(headers, "Sec-WebSocket-Protocol")
        .find_map(|asked| SUBPROTOCOLS.into_iter().find(|known| *known == asked));
    match chosen {
        Some(subprotocol) => Ok((derive_accept_key(key.as_bytes()), subprotocol)),
        None => refuse(BAD, "the request does not offer the subprotocol mqtt"),
    }
}

/// Tells a client what is wrong, if it still listens.
async fn answer<S: AsyncWrite + Unpin>(stream: &mut S, status: &str, more: &str, what: &str) {
    let length = what.len() + 1;
    let text = format!(
        "HTTP/1.1 {status}\r\n{more}Content-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{what}\n"
    );
    // It may be gone already, and is refused in any case.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
    let _ = stream.shutdown().await;
}
