//! The way to a server, step by step: service, name, proxy, socket, TLS, WebSocket.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::dial::{Patience, dial};
use crate::error::{ConnectError, ProxyError};
use crate::options::{ConnectOptions, Proxy, Target};
use crate::socket::Socket;
use crate::stream::{Layer, Stream};
use crate::websocket;
use crate::{socks, srv};

/// Connects to the server that `options` name, through all that they say.
///
/// # Errors
/// The step that failed, with what it was tried on and the cause.
pub async fn connect(options: &ConnectOptions) -> Result<Stream, ConnectError> {
    let patience = Patience {
        deadline: Instant::now() + options.timeout,
        stagger: options.stagger,
        local: options.local.as_deref(),
    };
    match &options.target {
        Target::Tcp { host, port } => to_host(options, host, *port, &patience).await,
        Target::Unix(path) => {
            let socket = Socket::unix(path)
                .await
                .map_err(|cause| ConnectError::Unix {
                    path: path.clone(),
                    cause,
                })?;
            dress(options, socket, &Place::Unix(path), patience.deadline).await
        }
        Target::Service { domain, secure } => to_service(options, domain, *secure, &patience).await,
    }
}

/// Tries the servers of a domain in their order, until one can be reached.
async fn to_service(
    options: &ConnectOptions,
    domain: &str,
    secure: bool,
    patience: &Patience<'_>,
) -> Result<Stream, ConnectError> {
    let servers = srv::servers(domain, secure, patience.deadline).await?;
    let mut failed = Vec::new();
    let mut last = None;
    for server in &servers {
        match to_host(options, &server.host, server.port, patience).await {
            Ok(stream) => return Ok(stream),
            Err(ConnectError::Failed { attempts, .. }) => failed.extend(attempts),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) if failed.is_empty() => error,
        _ => ConnectError::Failed {
            host: domain.into(),
            attempts: failed,
        },
    })
}

async fn to_host(
    options: &ConnectOptions,
    host: &str,
    port: u16,
    patience: &Patience<'_>,
) -> Result<Stream, ConnectError> {
    let socket = match &options.proxy {
        None => dial(host, port, patience).await?,
        Some(proxy) => through(proxy, host, port, patience).await?,
    };
    let place = Place::Tcp { host, port };
    dress(options, Socket::Tcp(socket), &place, patience.deadline).await
}

async fn through(
    proxy: &Proxy,
    host: &str,
    port: u16,
    patience: &Patience<'_>,
) -> Result<TcpStream, ConnectError> {
    let socket = dial(&proxy.host, proxy.port, patience).await?;
    let asked = timeout_at(patience.deadline, socks::ask(socket, proxy, host, port)).await;
    let silent = || ProxyError::Io(io::ErrorKind::TimedOut.into());
    asked
        .unwrap_or_else(|_| Err(silent()))
        .map_err(|cause| ConnectError::Proxy {
            proxy: named(&proxy.host, proxy.port),
            cause,
        })
}

/// What has been reached; its names are put together only for who wants them.
enum Place<'a> {
    Tcp { host: &'a str, port: u16 },
    Unix(&'a Path),
}

impl Place<'_> {
    /// The name that a certificate must have; none behind a Unix socket.
    fn host(&self) -> Option<&str> {
        match self {
            Place::Tcp { host, .. } => Some(host),
            Place::Unix(_) => None,
        }
    }

    /// What HTTP calls it.
    fn header(&self, is_secure: bool) -> Cow<'_, str> {
        match self {
            Place::Tcp { host, port } => host_header(host, *port, is_secure),
            Place::Unix(_) => "localhost".into(),
        }
    }

    /// What errors call it.
    fn name(&self) -> String {
        match self {
            Place::Tcp { host, port } => named(host, *port),
            Place::Unix(path) => path.display().to_string(),
        }
    }
}

/// A host and port for messages.
fn named(host: &str, port: u16) -> String {
    format!("{host} port {port}")
}

/// A host and port for HTTP, which leaves out the usual port and puts IPv6 into brackets.
fn host_header(host: &str, port: u16, is_secure: bool) -> Cow<'_, str> {
    let usual = if is_secure { 443 } else { 80 };
    match (host.contains(':'), port == usual) {
        (false, true) => host.into(),
        (false, false) => format!("{host}:{port}").into(),
        (true, true) => format!("[{host}]").into(),
        (true, false) => format!("[{host}]:{port}").into(),
    }
}

/// Puts the layers above the socket: TLS, then WebSocket.
async fn dress(
    options: &ConnectOptions,
    socket: Socket,
    place: &Place<'_>,
    deadline: Instant,
) -> Result<Stream, ConnectError> {
    let server = || place.name();
    let silent = |step| ConnectError::Silent {
        server: server(),
        step,
    };
    let layer = match &options.tls {
        None => Layer::Clear(socket),
        Some(tls) => match timeout_at(deadline, tls.connect(socket, place.host())).await {
            Ok(Ok(stream)) => Layer::Tls(Box::new(stream)),
            Ok(Err(cause)) => {
                let server = server();
                return Err(ConnectError::Tls { server, cause });
            }
            Err(_) => return Err(silent("the TLS greeting")),
        },
    };
    let Some(wanted) = &options.websocket else {
        return Ok(Stream::Direct(layer));
    };
    let header = place.header(options.tls.is_some());
    let asked = websocket::request(layer, &header, wanted);
    match timeout_at(deadline, asked).await {
        Ok(Ok(websocket)) => Ok(Stream::WebSocket(Box::new(websocket))),
        Ok(Err(cause)) => {
            let server = server();
            Err(ConnectError::WebSocket { server, cause })
        }
        Err(_) => Err(silent("the WebSocket request")),
    }
}
