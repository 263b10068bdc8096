//! What to try next when the broker cannot be reached, or does not want us.

use std::io::ErrorKind;
use std::net::IpAddr;

use mqtt_net::websocket::HandshakeError;
use mqtt_net::{ConnectError, ConnectOptions, ProxyError, Target};
use mqtt_proto::{ReasonCode, Version};

/// Why no connection came about, as a sentence, and what that suggests, one suggestion a line.
pub fn failure(error: &ConnectError, way: &ConnectOptions) -> (String, String) {
    // With a proxy, it is the only computer that we connect to ourselves.
    let is_of_proxy = matches!(
        error,
        ConnectError::Lookup { .. } | ConnectError::Failed { .. }
    );
    if let Some(proxy) = way.proxy.as_ref().filter(|_| is_of_proxy) {
        let (host, port) = (&proxy.host, proxy.port);
        return (
            format!("Error: Unable to connect to the proxy {host} port {port}: {error}."),
            "Is the proxy running, and is its address in --proxy right?".to_owned(),
        );
    }
    match (&way.target, error) {
        (Target::Tcp { host, port }, ConnectError::Lookup { .. }) => (
            format!("Unable to connect (Lookup error): {error}."),
            connect(error, host, *port),
        ),
        // These name the server themselves.
        (
            Target::Tcp { host, port },
            ConnectError::Tls { .. } | ConnectError::WebSocket { .. } | ConnectError::Silent { .. },
        ) => (
            format!("Error: Unable to connect to {error}."),
            connect(error, host, *port),
        ),
        (Target::Tcp { host, port }, _) => (
            format!("Error: Unable to connect to {host} port {port}: {error}."),
            connect(error, host, *port),
        ),
        (Target::Unix(path), _) => (
            format!("Error: Unable to connect: {error}."),
            connect(error, &path.display().to_string(), 0),
        ),
        // The records name the host and the port.
        (Target::Service { domain, .. }, _) => {
            let port = error.attempts().first().map_or(0, |it| it.address.port());
            (
                format!("Error: Unable to connect: {error}."),
                connect(error, domain, port),
            )
        }
    }
}

fn connect(error: &ConnectError, host: &str, port: u16) -> String {
    match error {
        ConnectError::Lookup { .. } if is_placeholder(host) => format!(
            "'{host}' stands for an address: type the four numbers that ipconfig (or ip addr) shows on \
             the computer with the broker, such as 192.168.1.23."
        ),
        ConnectError::Lookup { .. } => {
            "Is the name spelled right, and is this computer on a network? The broker's address works \
             as well, such as -h 192.168.1.23."
                .to_owned()
        }
        ConnectError::Failed { attempts, .. } => {
            let here = attempts.iter().all(|attempt| is_this_computer(attempt.address.ip()));
            if error.all(ErrorKind::ConnectionRefused) {
                refused(host, port, here)
            } else {
                unreachable(host)
            }
        }
        ConnectError::Unix { cause, .. } => unix(cause.kind()).to_owned(),
        ConnectError::Local { .. } => {
            "-A takes an address of this computer, as ipconfig (or ip addr) shows them.".to_owned()
        }
        ConnectError::Service { .. } => format!(
            "-S asks the name service which computer serves the domain {host}. Without -S, {host} itself is tried."
        ),
        ConnectError::Proxy { cause, .. } => proxy(cause).to_owned(),
        ConnectError::Tls { cause, .. } => cause.advice().unwrap_or_default().to_owned(),
        ConnectError::WebSocket { cause, .. } => websocket(cause).to_owned(),
        ConnectError::Silent { .. } => format!(
            "Something listens there, but it does not speak what was asked for. Is {port} the right port for it?"
        ),
    }
}

fn unix(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "Is the broker running, and does it have a listener at this path?",
        ErrorKind::ConnectionRefused => {
            "The socket is there, but no broker listens on it any more."
        }
        ErrorKind::PermissionDenied => {
            "The rights of the socket and of its folder decide who may use it."
        }
        ErrorKind::Unsupported => "Name a host with -h instead.",
        _ => "",
    }
}

fn proxy(cause: &ProxyError) -> &'static str {
    match cause {
        ProxyError::Login(_) => {
            "Put name and password in the URL: --proxy socks5h://NAME:PASSWORD@HOST"
        }
        ProxyError::Server { .. } => "The proxy works; check the broker's host and port (-h, -p).",
        ProxyError::NotSocks => "Check the proxy's port; it is 1080 if the URL names none.",
        ProxyError::LoginLength => "",
        ProxyError::Io(_) => "Is the proxy running, and is its address right?",
    }
}

fn websocket(cause: &HandshakeError) -> &'static str {
    match cause {
        HandshakeError::NotHttp => {
            "Leave out --ws, or choose the port on which the broker speaks WebSockets."
        }
        HandshakeError::Status { .. } => {
            "Perhaps the broker wants another path (--ws-path), or a header line with a token (--ws-header)."
        }
        HandshakeError::NotMqtt => {
            "Perhaps the broker's WebSocket has another path: --ws-path PATH"
        }
        _ => "",
    }
}

fn refused(host: &str, port: u16, here: bool) -> String {
    if here {
        format!(
            "No broker listens on port {port} of this computer. Start one in another window: mqtt-broker -v"
        )
    } else {
        format!(
            "The computer {host} answers, but no broker listens on its port {port} for other computers.\n\
             Is the broker running there, with a listener for the network (mqtt-broker --lan)?"
        )
    }
}

fn unreachable(host: &str) -> String {
    format!(
        "Three things to check: is the computer {host} on, and is the address right?\n\
         Are both computers in the same network? Guest networks often keep computers apart.\n\
         Does a firewall there block the port? Try with the firewall's permission for the broker."
    )
}

fn is_this_computer(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// `X.X.X.X` and the like, copied from a hand-out.
fn is_placeholder(host: &str) -> bool {
    host.contains('.') && host.chars().all(|c| matches!(c, 'x' | 'X' | '.'))
}

/// The sentence for a refused CONNECT, in the shape that scripts look for.
pub fn refusal(version: Version, reason: ReasonCode) -> String {
    if version.is_v5() {
        return format!("Connection error: {}", reason.name());
    }
    let why = match reason.to_v3_return_code() {
        1 => "unacceptable protocol version",
        2 => "identifier rejected",
        3 => "broker unavailable",
        4 => "bad user name or password",
        5 => "not authorised",
        _ => "unknown reason",
    };
    format!("Connection error: Connection Refused: {why}")
}

/// What a refused CONNECT suggests; empty if there is nothing to suggest.
pub fn refused_because(reason: ReasonCode, has_username: bool) -> &'static str {
    match reason {
        ReasonCode::NotAuthorized if !has_username => {
            "The broker wants to know who you are: add -u NAME -P PASSWORD.\n\
             If it is your own broker: 'allow_anonymous true' in its configuration lets everyone in."
        }
        ReasonCode::NotAuthorized => "The broker knows no such user, or does not let this one in.",
        ReasonCode::BadUserNameOrPassword => "Check the user name (-u) and the password (-P).",
        ReasonCode::ClientIdentifierNotValid => "Choose another client identifier with -i.",
        ReasonCode::UnsupportedProtocolVersion => {
            "The broker speaks another version: try -V 311 or -V 5."
        }
        ReasonCode::ServerUnavailable | ReasonCode::ServerBusy => {
            "The broker has no room now; try again later."
        }
        ReasonCode::Banned => "The broker has banned this client.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt_net::Proxy;

    fn failed(address: &str, kind: ErrorKind) -> ConnectError {
        let attempts = vec![mqtt_net::Attempt {
            address: address.parse().unwrap(),
            cause: kind.into(),
        }];
        ConnectError::Failed {
            host: "h".into(),
            attempts,
        }
    }

    #[track_caller]
    fn check(error: &ConnectError, host: &str, expected: &str) {
        let way = ConnectOptions::tcp(host, 1883);
        let (_, hint) = failure(error, &way);
        assert!(hint.contains(expected), "expected '{expected}' in '{hint}'");
    }

    #[test]
    fn a_failure_names_whom_we_could_not_reach() {
        let refused = failed("127.0.0.1:5", ErrorKind::ConnectionRefused);
        let mut way = ConnectOptions::tcp("h", 5);
        assert_eq!(
            failure(&refused, &way).0,
            "Error: Unable to connect to h port 5: 127.0.0.1:5: connection refused."
        );
        way.proxy = Some(Proxy {
            host: "p".into(),
            port: 1080,
            login: None,
        });
        let silent = ConnectError::Silent {
            server: "h port 5".into(),
            step: "the TLS greeting",
        };
        assert_eq!(
            failure(&silent, &way).0,
            "Error: Unable to connect to h port 5: no answer to the TLS greeting."
        );
        let (sentence, hint) = failure(&refused, &way);
        assert!(sentence.starts_with("Error: Unable to connect to the proxy p port 1080: "));
        assert!(hint.contains("Is the proxy running"));
        let way = ConnectOptions::new(Target::Service {
            domain: "d".into(),
            secure: false,
        });
        let (sentence, hint) = failure(&refused, &way);
        assert_eq!(
            sentence,
            "Error: Unable to connect: 127.0.0.1:5: connection refused."
        );
        assert!(
            hint.contains("listens on port 5 of this computer"),
            "{hint}"
        );
    }

    #[test]
    fn each_failure_has_its_next_step() {
        check(
            &failed("127.0.0.1:1883", ErrorKind::ConnectionRefused),
            "localhost",
            "mqtt-broker -v",
        );
        check(
            &failed("10.0.0.9:1883", ErrorKind::ConnectionRefused),
            "10.0.0.9",
            "--lan",
        );
        check(
            &failed("10.0.0.9:1883", ErrorKind::TimedOut),
            "10.0.0.9",
            "firewall",
        );
        let lookup = || ConnectError::Lookup {
            host: "X.X.X.X".into(),
            cause: ErrorKind::NotFound.into(),
        };
        check(&lookup(), "X.X.X.X", "stands for an address");
        check(&lookup(), "brokre", "spelled right");
        let unix = |kind: ErrorKind| ConnectError::Unix {
            path: "/run/x".into(),
            cause: kind.into(),
        };
        check(
            &unix(ErrorKind::NotFound),
            "/run/x",
            "Is the broker running",
        );
        check(&unix(ErrorKind::PermissionDenied), "/run/x", "rights");
        let local = ConnectError::Local {
            local: "1.2.3.4".into(),
            cause: ErrorKind::AddrNotAvailable.into(),
        };
        check(&local, "h", "-A takes an address of this computer");
        let proxy = |cause| ConnectError::Proxy {
            proxy: "p:1080".into(),
            cause,
        };
        check(&proxy(ProxyError::NotSocks), "h", "proxy's port");
        check(&proxy(ProxyError::Login("no")), "h", "NAME:PASSWORD@HOST");
        let websocket = ConnectError::WebSocket {
            server: "h:80".into(),
            cause: HandshakeError::NotHttp,
        };
        check(&websocket, "h", "Leave out --ws");
        let silent = ConnectError::Silent {
            server: "h:80".into(),
            step: "the TLS greeting",
        };
        check(&silent, "h", "Is 1883 the right port");
    }

    #[test]
    fn refusals_have_the_shape_that_scripts_know() {
        for (version, reason, expected) in [
            (
                Version::V4,
                ReasonCode::NotAuthorized,
                "Connection error: Connection Refused: not authorised",
            ),
            (
                Version::V4,
                ReasonCode::BadUserNameOrPassword,
                "Connection error: Connection Refused: bad user name or password",
            ),
            (
                Version::V5,
                ReasonCode::NotAuthorized,
                "Connection error: Not authorized",
            ),
            (
                Version::V5,
                ReasonCode::BadUserNameOrPassword,
                "Connection error: Bad User Name or Password",
            ),
        ] {
            assert_eq!(refusal(version, reason), expected);
        }
    }
}
