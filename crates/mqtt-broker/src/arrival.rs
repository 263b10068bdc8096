//! A connection on its way in: counted from its first moment, served once it has passed the gate.
//!
//! The engine knows it all the time, so its limits and its patience hold for what is not yet MQTT,
//! too: whoever does not finish a handshake in time is closed like one that sends no CONNECT.

use crate::accept::Newcomer;
use crate::broker::Shared;
use crate::connection::{self, Layers};
use crate::connection_state::ConnectionKey;
use crate::gate::Gate;
use crate::http;
use crate::listener::text_of;
use crate::log::Line;
use crate::peer::{Peer, Secured};
use mqtt_net::tls::TlsStream;
use mqtt_net::websocket::{Refused, WebSocket, accept};
use mqtt_net::{Brought, ProxiedClient, ProxyHeaderError, Socket, read_proxy_header};
use std::future::Future;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};

/// Takes a connection in. `address` is its other end, as in the log.
pub(crate) async fn open(
    shared: &Arc<Shared>,
    newcomer: Newcomer,
    address: Box<str>,
    listener: usize,
) {
    let (gate, is_full) = shared.with(|core| core.gate(listener));
    if is_full {
        // Clients that have just closed make room first.
        tokio::task::yield_now().await;
    }
    let peer = match gate.proxy {
        None => Peer::new(address),
        Some(_) => Peer::proxy(address),
    };
    let Some(key) = shared.with(|core| core.open(peer, gate.listener)) else {
        return;
    };
    if gate.is_open() {
        return newcomer.serve(shared, key);
    }
    match newcomer.into_socket() {
        Ok(socket) => {
            tokio::spawn(pass(shared.clone(), socket, key, gate));
        }
        Err(error) => shared.with(|core| core.close(key, Some(&text_of(&error)))),
    }
}

/// Why a connection does not come in.
enum Turned {
    /// Nothing more is to be said.
    Quietly,
    /// What the log says besides that it is gone.
    Because(String),
}

/// Lets a connection through the gate, or closes it.
async fn pass(shared: Arc<Shared>, mut socket: Socket, key: ConnectionKey, gate: Arc<Gate>) {
    let through = while_open(&shared, key, async {
        if gate.proxy.is_some() {
            hear_proxy(&shared, &mut socket, key, &gate).await?;
        }
        match &gate.tls {
            None => dress(&shared, socket, key, &gate).await,
            Some(tls) => {
                let stream = match tls.accept(socket).await {
                    Ok(stream) => stream,
                    Err((error, socket)) => {
                        tokio::spawn(mqtt_net::tls::ServerConfig::farewell(socket));
                        return Err(Turned::Because(error.to_string()));
                    }
                };
                introduce(&shared, key, &stream);
                dress(&shared, Box::new(stream), key, &gate).await
            }
        }
    });
    match through.await {
        Some(Ok(())) => {}
        // The engine has had enough, and has said so.
        None | Some(Err(Turned::Quietly)) => shared.with(|core| core.close(key, None)),
        Some(Err(Turned::Because(why))) => shared.with(|core| core.close(key, Some(&why))),
    }
}

/// The last step: WebSocket, where the listener is for that; then the connection is served.
async fn dress<S>(
    shared: &Arc<Shared>,
    stream: S,
    key: ConnectionKey,
    gate: &Gate,
) -> Result<(), Turned>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if gate.http.is_some() {
        http::serve(shared, stream, key, gate).await;
        return Err(Turned::Quietly);
    }
    let Some(rules) = &gate.websocket else {
        connection::spawn(shared, stream, key, Layers::Some);
        return Ok(());
    };
    let websocket: WebSocket<S> = match accept(stream, rules).await {
        Ok(websocket) => websocket,
        Err(Refused::Origin(origin)) => {
            let client = shared.with(|core| core.engine.peer(key).address.clone());
            let what = format!("its page comes from '{origin}', which no websockets_origin allows");
            shared.log(Line::ProtocolError {
                client: &client,
                what: &what,
            });
            return Err(Turned::Because("non-matching http origin".into()));
        }
        Err(Refused::Io(error)) => return Err(Turned::Because(text_of(&error))),
        Err(refused @ Refused::Request(_)) => return Err(Turned::Because(refused.to_string())),
    };
    connection::spawn(shared, websocket, key, Layers::Some);
    Ok(())
}

/// Goes on with `work` as long as the engine keeps the connection open.
async fn while_open<T>(
    shared: &Shared,
    key: ConnectionKey,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| {
        let is_closing = shared.with(|core| {
            core.runners.remember(key, cx.waker());
            core.engine.is_closing(key)
        });
        if is_closing {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Tells the engine what TLS has shown.
fn introduce(shared: &Shared, key: ConnectionKey, stream: &TlsStream<Socket>) {
    let names = stream.peer_names();
    let secured = Secured {
        by_proxy: false,
        version: stream.version().into(),
        cipher: stream.cipher().into(),
        identity: names.as_ref().and_then(|names| names.common_name.clone()),
        subject: names.and_then(|names| names.subject),
    };
    shared.with(|core| {
        let mut peer = core.engine.peer(key).clone();
        peer.secured = Some(Box::new(secured));
        core.introduce(key, peer);
    });
}

/// Hears from a proxy for whom it comes.
async fn hear_proxy(
    shared: &Shared,
    socket: &mut Socket,
    key: ConnectionKey,
    gate: &Gate,
) -> Result<(), Turned> {
    let Some(version) = gate.proxy else {
        return Ok(());
    };
    let client = match read_proxy_header(socket, version).await {
        Ok(Brought::Nobody) => return Err(Turned::Quietly),
        Ok(Brought::Unknown) => {
            let proxy = shared.with(|core| core.engine.peer(key).address.clone());
            shared.with(|core| core.introduce(key, Peer::new(proxy)));
            return Ok(());
        }
        Ok(Brought::Client(client)) => client,
        Err(error) => return Err(turn_proxy_away(shared, error)),
    };
    let address = format!("{}:{}", client.address, client.port);
    let reject = |why| {
        let peer = &address;
        shared.log(Line::Rejected { peer, why });
        Err(Turned::Quietly)
    };
    if gate.needs_proxied_tls && client.tls.is_none() {
        return reject("client did not connect using TLS");
    }
    let has_certificate = client.tls.as_ref().is_some_and(|tls| tls.has_certificate);
    if gate.needs_proxied_certificate && !has_certificate {
        return reject("client did not provide a certificate");
    }
    let peer = proxied(&client, &address);
    if let Some(tls) = &client.tls
        && let (Some(version), Some(cipher)) = (&tls.version, &tls.cipher)
    {
        shared.log(Line::ProxyNegotiated {
            peer: &address,
            version,
            cipher,
        });
    }
    shared.with(|core| core.introduce(key, peer));
    Ok(())
}

fn proxied(client: &ProxiedClient, address: &str) -> Peer {
    let secured = client.tls.clone().map(|tls| {
        Box::new(Secured {
            by_proxy: true,
            version: tls.version.unwrap_or_default(),
            cipher: tls.cipher.unwrap_or_default(),
            identity: tls.common_name,
            subject: None,
        })
    });
    Peer {
        secured,
        ..Peer::new(address)
    }
}

/// Logs why a PROXY header is not taken, in the words that scripts look for.
fn turn_proxy_away(shared: &Shared, error: ProxyHeaderError) -> Turned {
    let why = "corrupt PROXY header";
    match error {
        ProxyHeaderError::Corrupt => shared.log(Line::RejectedUnknown { why }),
        ProxyHeaderError::CorruptOf(client) => {
            let peer = &format!("{}:{}", client.address, client.port);
            shared.log(Line::Rejected { peer, why });
        }
        ProxyHeaderError::TooLong => {
            shared.log(Line::RejectedUnknown { why });
            shared.log(Line::Disconnected {
                client: "(null)",
                peer: "(null):0",
                ending: crate::log::Ending::Io("bad socket read/write: Invalid input"),
            });
        }
        ProxyHeaderError::Io(error) => return Turned::Because(text_of(&error)),
    }
    Turned::Quietly
}
