//! The way to the broker: from `-h`, `-L` and all that stands beside them to [`ConnectOptions`].

use std::path::PathBuf;

use mqtt_net::{ConnectOptions, Proxy, Target, WebSocketOptions};

use super::url::{self, Url};
use crate::flags::{Given, Said, UsageError};
use crate::value;

/// MQTT's port without TLS, and with it.
const PORT: u16 = 1883;
const SECURE_PORT: u16 = 8883;
/// The port of SOCKS5 proxies, by custom.
const PROXY_PORT: u16 = 1080;

/// The way to the broker, as it was said.
#[derive(Debug)]
pub struct Way {
    /// The broker's name or address; a Unix socket's path.
    pub host: String,
    /// Its port; 0 of a Unix socket.
    pub port: u16,
    /// Whether a URL asks for TLS, or the port does.
    pub secure: bool,
    /// Everything but TLS.
    pub connect: ConnectOptions,
}

/// What is known while the command line is gone through; later ones win.
#[derive(Default)]
struct Draft {
    host: Option<String>,
    /// The port in `-h`, and whether it was typed.
    port_of_host: Option<(u16, bool)>,
    unix: Option<PathBuf>,
    port: Option<(u16, bool)>,
    secure: bool,
    service: bool,
    local: Option<String>,
    proxy: Option<Proxy>,
    websocket: Option<WebSocketOptions>,
}

impl Way {
    /// Goes through what was said, in order.
    ///
    /// # Errors
    /// A host, port, URL or header is none.
    pub fn new(said: &Said) -> Result<Way, UsageError> {
        let mut draft = Draft::default();
        for given in said.in_order() {
            draft.take(given)?;
        }
        draft.finish(said.has("cafile") || said.has("capath"))
    }
}

/// Reads a broker's URL.
///
/// # Errors
/// It is none, or of another kind.
pub fn url(flag: &str, text: &str) -> Result<Url, UsageError> {
    url::parse(flag, text, &["mqtt", "mqtts", "ws", "wss"])
}

impl Draft {
    fn take(&mut self, given: &Given) -> Result<(), UsageError> {
        match given.long {
            "host" | "positional" => self.host(given)?,
            "port" => self.port = Some((given.meaning(value::port)?, given.is_typed())),
            "url" => self.url(given.meaning(url)?),
            "unix" => self.unix = given.path().map(PathBuf::from),
            "srv" => self.service = true,
            "bind-address" => self.local = Some(given.text()?.to_owned()),
            "proxy" => self.proxy = Some(given.meaning(proxy)?),
            "ws" => {
                self.websocket.get_or_insert_default();
            }
            "ws-path" => self.websocket.get_or_insert_default().path = given.meaning(path)?,
            "ws-header" => {
                let header = given.meaning(header)?;
                let websocket = self.websocket.get_or_insert_default();
                websocket.headers.push(header);
            }
            _ => {}
        }
        Ok(())
    }

    fn host(&mut self, given: &Given) -> Result<(), UsageError> {
        let (host, port) = given.meaning(|_, text| value::host("-h", text))?;
        self.host = Some(host);
        self.unix = None;
        if let Some(port) = port {
            self.port_of_host = Some((port, given.is_typed()));
        }
        Ok(())
    }

    fn url(&mut self, url: Url) {
        let default = match url.scheme {
            "mqtts" => SECURE_PORT,
            "ws" => 80,
            "wss" => 443,
            _ => PORT,
        };
        self.host = Some(url.host);
        self.unix = None;
        self.port_of_host = None;
        self.port = Some((url.port.unwrap_or(default), false));
        self.secure = matches!(url.scheme, "mqtts" | "wss");
        if matches!(url.scheme, "ws" | "wss") {
            self.websocket.get_or_insert_default();
        }
    }

    fn finish(self, has_authorities: bool) -> Result<Way, UsageError> {
        let host = self.host.unwrap_or_else(|| "localhost".to_owned());
        let port = match (self.port, self.port_of_host) {
            (Some((port, true)), Some((own, true))) if port != own => {
                return Err(
                    UsageError::new(format!("The port is {own} in -h and {port} in -p"))
                        .hint(format!("Type one of them: -h {host} -p {port}")),
                );
            }
            (Some((port, true)), Some((_, false))) => port,
            (_, Some((own, _))) => own,
            (Some((port, _)), None) => port,
            (None, None) if has_authorities => SECURE_PORT,
            (None, None) => PORT,
        };
        let secure = self.secure || port == SECURE_PORT && self.unix.is_none();
        let (host, port, target) = match self.unix {
            Some(path) => (path.display().to_string(), 0, Target::Unix(path)),
            None if self.service => {
                let domain = host.clone();
                (host, port, Target::Service { domain, secure })
            }
            None => (host.clone(), port, Target::Tcp { host, port }),
        };
        let mut connect = ConnectOptions::new(target);
        connect.local = self.local;
        connect.proxy = self.proxy;
        connect.websocket = self.websocket;
        Ok(Way {
            host,
            port,
            secure,
            connect,
        })
    }
}

fn proxy(flag: &str, text: &str) -> Result<Proxy, UsageError> {
    let url = url::parse(flag, text, &["socks5h"])?;
    Ok(Proxy {
        host: url.host,
        port: url.port.unwrap_or(PROXY_PORT),
        login: url
            .user
            .map(|user| (user, url.password.unwrap_or_default())),
    })
}

/// The path of a WebSocket, with its slash.
fn path(flag: &str, text: &str) -> Result<String, UsageError> {
    if !text.is_ascii() || text.contains(|c: char| c.is_ascii_control() || c == ' ') {
        return Err(
            UsageError::new(format!("{flag}: '{text}' cannot stand in a request"))
                .hint("Write other letters and blanks as bytes with percent signs: %20"),
        );
    }
    let slash = if text.starts_with('/') { "" } else { "/" };
    Ok(format!("{slash}{text}"))
}

/// A header line, as name and value (RFC 9110, 5.1 and 5.5).
fn header(flag: &str, text: &str) -> Result<(String, String), UsageError> {
    let is_token = |name: &str| {
        let sign = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        !name.is_empty() && name.chars().all(sign)
    };
    match text.split_once(':') {
        Some((name, value)) if is_token(name.trim()) && !value.contains(char::is_control) => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(
            UsageError::new(format!("{flag}: '{text}' is no header line")).hint(format!(
                "Type for example: {flag} \"Authorization: Bearer abc\""
            )),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::table::Program;
    use crate::flags::{Parsed, parse};

    fn way(line: &[&str]) -> Result<Way, UsageError> {
        let argv = std::iter::once("x")
            .chain(line.iter().copied())
            .map(Into::into);
        match parse(Program::Sub, argv)? {
            Parsed::Said(said) => Way::new(&said),
            Parsed::Text(text) => panic!("got a text: {text}"),
        }
    }

    #[track_caller]
    fn check(line: &str, host: &str, port: u16, secure: bool) {
        let way = way(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
        assert_eq!(
            (way.host.as_str(), way.port, way.secure),
            (host, port, secure),
            "{line}"
        );
        let host = host.to_owned();
        assert_eq!(way.connect.target, Target::Tcp { host, port }, "{line}");
    }

    #[track_caller]
    fn check_error(line: &[&str], expected: &str) {
        let error = way(line).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "{line:?}: expected '{expected}' in '{error}'"
        );
    }

    #[test]
    fn every_kind_of_url_has_its_port() {
        check("", "localhost", 1883, false);
        check("-L mqtt://h/t", "h", 1883, false);
        check("-L mqtts://h/t", "h", 8883, true);
        check("-L ws://h/t", "h", 80, false);
        check("-L wss://h/t", "h", 443, true);
        check("-L wss://h:9/t", "h", 9, true);
        check("--cafile x", "localhost", 8883, true);
        check("--cafile x -p 1", "localhost", 1, false);
        check("-p 8883", "localhost", 8883, true);
        check("--ws", "localhost", 1883, false);
        let ws = way(&["-L", "wss://h/t"]).unwrap().connect.websocket;
        assert_eq!(ws, Some(WebSocketOptions::default()));
        assert_eq!(way(&["-L", "mqtt://h/t"]).unwrap().connect.websocket, None);
    }

    #[test]
    fn later_ones_win() {
        check("-h a -L mqtt://b:5/t", "b", 5, false);
        check("-p 6 -L mqtt://b/t", "b", 1883, false);
        check("-L mqtt://b:5/t -h c -p 7", "c", 7, false);
        check("-L mqtts://b/t -h c", "c", 8883, true);
        check("-L mqtts://b/t -L mqtt://c/t", "c", 1883, false);
        check("--unix /x -h a", "a", 1883, false);
        check("-h a:5 -h b", "b", 5, false);
        check_error(&["-h", "a:5", "-p", "6"], "The port is 5 in -h and 6 in -p");
    }

    #[test]
    fn sockets_services_and_local_addresses_have_their_flags() {
        let unix = way(&["--unix", "/run/x", "-p", "5"]).unwrap();
        assert_eq!(unix.connect.target, Target::Unix("/run/x".into()));
        assert_eq!((unix.host.as_str(), unix.secure), ("/run/x", false));
        let service = way(&["-h", "example.org", "-S", "-A", "10.0.0.1"]).unwrap();
        let domain = "example.org".to_owned();
        let secure = false;
        assert_eq!(service.connect.target, Target::Service { domain, secure });
        assert_eq!(service.connect.local.as_deref(), Some("10.0.0.1"));
        let service = way(&["-S", "--cafile", "x"]).unwrap();
        assert!(service.secure);
    }

    #[test]
    fn a_proxy_has_a_url_of_its_own() {
        for (text, host, port, login) in [
            ("socks5h://h", "h", 1080, None),
            ("socks5h://h:5", "h", 5, None),
            ("SOCKS5H://u:p%40@h", "h", 1080, Some(("u", "p@"))),
            ("socks5h://u@h", "h", 1080, Some(("u", ""))),
        ] {
            let login = login.map(|(name, password)| (name.to_owned(), password.to_owned()));
            let host = host.to_owned();
            let proxy = way(&["--proxy", text]).unwrap().connect.proxy;
            assert_eq!(proxy, Some(Proxy { host, port, login }), "{text}");
        }
        check_error(&["--proxy", "http://h"], "begin with socks5h://");
        check_error(&["--proxy", "socks5h://:1"], "there is no host");
    }

    #[test]
    fn websockets_take_a_path_and_headers() {
        let line = [
            "--ws-path",
            "a",
            "--ws-header",
            "X-A: b:c ",
            "--ws-header",
            "Y:",
        ];
        let websocket = way(&line).unwrap().connect.websocket.unwrap();
        assert_eq!(websocket.path, "/a");
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(websocket.headers, [header("X-A", "b:c"), header("Y", "")]);
        check_error(&["--ws-header", "no colon"], "is no header line");
        check_error(&["--ws-header", "a b: c"], "is no header line");
        check_error(&["--ws-header", "a: b\r\nc: d"], "is no header line");
        check_error(&["--ws-path", "/a b"], "cannot stand in a request");
    }
}
