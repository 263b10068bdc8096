//! SOCKS5: a proxy makes the connection, and looks up the server's name.

use std::io;

use tokio::net::TcpStream;
use tokio_socks::Error;
use tokio_socks::tcp::Socks5Stream;

use crate::error::ProxyError;
use crate::options::Proxy;

/// Asks the proxy at the other end of `socket` for a connection to `host` and `port`.
///
/// # Errors
/// What the proxy said, or that it said nothing sensible.
pub(crate) async fn ask(
    socket: TcpStream,
    proxy: &Proxy,
    host: &str,
    port: u16,
) -> Result<TcpStream, ProxyError> {
    let target = (host, port);
    let asked = match &proxy.login {
        Some((user, password)) => {
            Socks5Stream::connect_with_password_and_socket(socket, target, user, password).await
        }
        None => Socks5Stream::connect_with_socket(socket, target).await,
    };
    match asked {
        Ok(stream) => Ok(stream.into_inner()),
        Err(error) => Err(reason(error, proxy.login.is_some(), host, port)),
    }
}

/// The library's errors as sentences about the proxy and the server behind it.
fn reason(error: Error, has_login: bool, host: &str, port: u16) -> ProxyError {
    let server = |cause| ProxyError::Server {
        server: format!("{host} port {port}"),
        cause,
    };
    match error {
        Error::Io(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => ProxyError::NotSocks,
        Error::Io(cause) => ProxyError::Io(cause),
        Error::InvalidAuthValues(_) => ProxyError::LoginLength,
        Error::PasswordAuthFailure(_) => {
            ProxyError::Login("it refuses this user name and password")
        }
        Error::NoAcceptableAuthMethods | Error::AuthorizationRequired => {
            ProxyError::Login(if has_login {
                "it does not take user names and passwords in this form"
            } else {
                "it wants a user name and password (socks5h://USER:PASSWORD@HOST)"
            })
        }
        Error::GeneralSocksServerFailure => server("it gives no reason"),
        Error::ConnectionNotAllowedByRuleset => server("its rules do not allow it"),
        Error::NetworkUnreachable => server("no way to this network"),
        Error::HostUnreachable => server("no way to this host, or the name was not found"),
        Error::ConnectionRefused => server("connection refused"),
        Error::TtlExpired => server("too many networks in between"),
        Error::AddressTypeNotSupported => server("it does not know this kind of address"),
        Error::InvalidTargetAddress(_) => server("the name is too long"),
        _ => ProxyError::NotSocks,
    }
}
