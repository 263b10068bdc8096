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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// What comes of a proxy that says these things, each after it has heard something.
    async fn with_proxy(says: &[&[u8]], login: Option<(&str, &str)>) -> Result<(), String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Proxy {
            host: address.ip().to_string(),
            port: address.port(),
            login: login.map(|(user, password)| (user.into(), password.into())),
        };
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            for part in says {
                let mut heard = [0; 1024];
                if socket.read(&mut heard).await.unwrap_or(0) == 0 {
                    return;
                }
                socket.write_all(part).await.unwrap();
            }
        };
        let ask = async {
            let socket = TcpStream::connect(address).await.unwrap();
            let asked = ask(socket, &proxy, "broker.example.org", 1883).await;
            asked.map(drop).map_err(|error| error.to_string())
        };
        tokio::join!(serve, ask).1
    }

    const OPEN: &[u8] = &[5, 0];
    const DONE: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 7, 0x5b];

    #[tokio::test]
    async fn a_proxy_connects_us_with_and_without_a_login() {
        assert_eq!(with_proxy(&[OPEN, DONE], None).await, Ok(()));
        let steps: [&[u8]; 3] = [&[5, 2], &[1, 0], DONE];
        assert_eq!(with_proxy(&steps, Some(("u", "p"))).await, Ok(()));
    }

    #[tokio::test]
    async fn each_answer_of_a_proxy_has_its_sentence() {
        for (code, expected) in [
            (1, "it gives no reason"),
            (2, "its rules do not allow it"),
            (3, "no way to this network"),
            (4, "no way to this host, or the name was not found"),
            (5, "connection refused"),
            (6, "too many networks in between"),
        ] {
            let refusal = [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
            let said = with_proxy(&[OPEN, &refusal], None).await.unwrap_err();
            let whole = format!("it cannot reach broker.example.org port 1883: {expected}");
            assert_eq!(said, whole);
        }
        let wants_login = with_proxy(&[&[5, 0xff]], None).await.unwrap_err();
        assert!(
            wants_login.contains("socks5h://USER:PASSWORD@HOST"),
            "{wants_login}"
        );
        let steps: [&[u8]; 2] = [&[5, 2], &[1, 1]];
        let wrong = with_proxy(&steps, Some(("u", "p"))).await.unwrap_err();
        assert_eq!(wrong, "it refuses this user name and password");
        let web = with_proxy(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"], None).await;
        assert_eq!(web.unwrap_err(), "what answers there is not a SOCKS5 proxy");
        let long = "x".repeat(256);
        let too_long = with_proxy(&[], Some(("u", &long))).await.unwrap_err();
        assert_eq!(
            too_long,
            "user name and password may have 1 to 255 bytes each"
        );
    }
}
