//! The HTTP door: figures and health for programs that watch the broker, and files for browsers.
//!
//! It shares the broker's thread, so every answer is either made at once or, as files and
//! passwords are, elsewhere. A connection has as long as one of MQTT has for its CONNECT.

mod figures;
mod files;

use crate::auth::Action;
use crate::broker::{Core, Shared};
use crate::connection_state::ConnectionKey;
use crate::gate::Gate;
use crate::password_check::Check;
use base64ct::{Base64, Encoding};
use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use mqtt_proto::Topic;
use std::convert::Infallible;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long a client may take for the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// The most bytes of a head, and the most lines in it.
const HEAD_BYTES: usize = 16 * 1024;
const HEAD_LINES: usize = 64;

/// What a client of this door is called in an access control list.
const CLIENT: &str = "http-api";

/// An answer. Its body is whole: nothing here is large.
type Answer = Response<Full<Bytes>>;

/// What an HTTP listener serves besides the figures.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// The folder of its files.
    pub(crate) folder: Option<PathBuf>,
}

/// Answers the request of one connection.
pub(crate) async fn serve<S>(shared: &Arc<Shared>, stream: S, key: ConnectionKey, gate: &Gate)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let folder = gate.http.as_ref().and_then(|http| http.folder.clone());
    let service = service_fn(|request: Request<_>| {
        let (shared, folder) = (shared.clone(), folder.clone());
        async move {
            let request = request.map(|_body: hyper::body::Incoming| ());
            Ok::<_, Infallible>(answer(&shared, key, gate.listener, folder, &request).await)
        }
    });
    let (mut read, write) = tokio::io::split(stream);
    let mut head = BytesMut::with_capacity(4096);
    match timeout(HEAD_TIME, read.read_buf(&mut head)).await {
        Ok(Ok(1..)) => {}
        _ => return,
    }
    let stream = tokio::io::join(Cursor::new(rooted(&head)).chain(read), write);
    // A client that breaks off, or speaks something else, gets what hyper says, and that is all.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_LINES)
        // One question a connection, as with Mosquitto, whose scripts leave answers unread.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The beginning of a request whose path begins at the root. One that does not, as `../x`, is no
/// request at all to the library; it is answered like any other path that leads nowhere.
fn rooted(head: &[u8]) -> Vec<u8> {
    match head.strip_prefix(b"GET ") {
        Some(path) if path.starts_with(b".") => [b"GET /", path].concat(),
        _ => head.to_vec(),
    }
}

async fn answer(
    shared: &Arc<Shared>,
    key: ConnectionKey,
    listener: usize,
    folder: Option<PathBuf>,
    request: &Request<()>,
) -> Answer {
    if request.method() != Method::GET {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "Invalid HTTP Method\n");
        let headers = answer.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
        return answer;
    }
    let path = request.uri().path();
    if path == "/healthz" {
        // Whoever may know nothing else may know that the broker's thread turns.
        return plain(StatusCode::OK, "ok\n");
    }
    if !is_allowed(shared, key, listener, request).await {
        let mut answer = plain(StatusCode::UNAUTHORIZED, "Not authorised\n");
        let realm = HeaderValue::from_static("Basic realm=\"mqtt-broker\", charset=\"UTF-8\"");
        answer.headers_mut().insert(WWW_AUTHENTICATE, realm);
        return answer;
    }
    match path {
        "/api/v1/version" => open_to_pages(plain(StatusCode::OK, env!("CARGO_PKG_VERSION"))),
        "/api/v1/listeners" => json(shared.with(|core| figures::listeners(core.config()))),
        "/api/v1/systree" => json(shared.with(|core| figures::systree(&core.figures()))),
        "/metrics" => {
            let text = shared.with(|core| figures::metrics(&core.figures()));
            typed(
                StatusCode::OK,
                text,
                "text/plain; version=0.0.4; charset=utf-8",
            )
        }
        _ if path.starts_with("/api/") => not_found(),
        _ => match folder {
            None => not_found(),
            Some(folder) => match files::read(folder, path).await {
                Some((content, kind)) => typed(StatusCode::OK, content, kind),
                None => not_found(),
            },
        },
    }
}

/// Whether the client may come in, by the rules for MQTT, and read what the path names, as if
/// that were a topic.
async fn is_allowed(
    shared: &Arc<Shared>,
    key: ConnectionKey,
    listener: usize,
    request: &Request<()>,
) -> bool {
    let login = credentials(request);
    let rules = shared.with(|core| core.engine.settings().listeners[listener].clone());
    let is_in = match (&login, &rules.passwords) {
        (Some((user, password)), Some(passwords)) => {
            let host: Box<str> = shared.with(|core| core.engine.peer(key).host().into());
            if !shared.with(|core| core.begin_login(&host)) {
                return false;
            }
            let (done, answer) = oneshot::channel();
            let check = Check {
                passwords: passwords.clone(),
                username: user.as_str().into(),
                password: Some(password.as_bytes().into()),
                // The client may have gone in the meantime.
                done: Box::new(|is_right| {
                    let _ = done.send(is_right);
                }),
            };
            shared.with(|core| core.check_password(check));
            let is_right = answer.await.unwrap_or(false);
            // Guessing costs here what it costs in MQTT.
            let place = Place {
                shared,
                host: &host,
            };
            let delay = shared.with(|core| core.end_check(&host, is_right));
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            drop(place);
            is_right
        }
        _ => rules.allow_anonymous,
    };
    let Some(acl) = rules.acl.as_ref().filter(|_| is_in) else {
        return is_in;
    };
    let user = login.as_ref().map(|(user, _)| user.as_str());
    let rights = acl.rights(CLIENT, user);
    Topic::parse(request.uri().path()).is_ok_and(|topic| rights.may(topic, Action::Read).allowed)
}

/// One of the places that an address has for logins; free again when this is dropped, also if
/// the connection ends while an answer is held back.
struct Place<'a> {
    shared: &'a Shared,
    host: &'a str,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared
            .with(|core: &mut Core| core.end_login(self.host));
    }
}

/// Name and password of `Authorization: Basic …`.
fn credentials(request: &Request<()>) -> Option<(String, String)> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = Base64::decode_vec(encoded.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.into(), password.into()))
}

fn not_found() -> Answer {
    plain(StatusCode::NOT_FOUND, "Not found.\n")
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    typed(status, text, "text/plain; charset=utf-8")
}

fn json(text: String) -> Answer {
    open_to_pages(typed(StatusCode::OK, text, "application/json"))
}

/// Lets pages from elsewhere read an answer, as Mosquitto does for its API.
fn open_to_pages(mut answer: Answer) -> Answer {
    let anyone = HeaderValue::from_static("*");
    answer
        .headers_mut()
        .insert(ACCESS_CONTROL_ALLOW_ORIGIN, anyone);
    answer
}

fn typed(status: StatusCode, body: impl Into<Bytes>, kind: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_a_root_gets_one() {
        for (head, expected) in [
            ("GET ../../x HTTP/1.1", "GET /../../x HTTP/1.1"),
            ("GET /x HTTP/1.1", "GET /x HTTP/1.1"),
            ("GE", "GE"),
            ("POST ../x", "POST ../x"),
        ] {
            assert_eq!(rooted(head.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn names_and_passwords_are_read_from_the_header() {
        let read = |value: &str| {
            let request = Request::builder().header(AUTHORIZATION, value).body(());
            credentials(&request.expect("a request"))
        };
        let found = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(
            read("Basic dXNlcjpwYXNzOndvcmQ="),
            found("user", "pass:word")
        );
        assert_eq!(read("basic dXNlcjo="), found("user", ""));
        for value in ["Basic", "Basic x", "Basic dXNlcg==", "Bearer dXNlcjo="] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
