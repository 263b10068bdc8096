//! The name servers that this computer asks.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// Whom to ask, and how patiently.
#[derive(Debug, Clone)]
pub(super) struct Resolvers {
    pub(super) servers: Vec<SocketAddr>,
    /// How long one server may take to answer once.
    pub(super) timeout: Duration,
    /// How often all of them are asked.
    pub(super) attempts: u32,
}

/// The port of name servers.
const DNS: u16 = 53;

impl Resolvers {
    fn new(servers: Vec<SocketAddr>) -> io::Result<Self> {
        if servers.is_empty() {
            let what = "this computer knows no name server";
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        Ok(Self {
            servers,
            timeout: Duration::from_secs(3),
            attempts: 2,
        })
    }
}

/// Reads `/etc/resolv.conf`. The file may be missing: then the name server is this computer.
#[cfg(unix)]
pub(super) fn of_system() -> io::Result<Resolvers> {
    let bytes = match std::fs::read("/etc/resolv.conf") {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    of_file(&bytes)
}

#[cfg(unix)]
fn of_file(bytes: &[u8]) -> io::Result<Resolvers> {
    let config = resolv_conf::Config::parse(bytes)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    let mut servers: Vec<SocketAddr> = config
        .nameservers
        .iter()
        .map(|server| SocketAddr::new(server.into(), DNS))
        .collect();
    if servers.is_empty() {
        servers.push(SocketAddr::from(([127, 0, 0, 1], DNS)));
    }
    let mut resolvers = Resolvers::new(servers)?;
    resolvers.timeout = Duration::from_secs(config.timeout.clamp(1, 30).into());
    resolvers.attempts = config.attempts.clamp(1, 5);
    Ok(resolvers)
}

/// Asks Windows for the servers of the network adapters that are up.
#[cfg(windows)]
pub(super) fn of_system() -> io::Result<Resolvers> {
    let adapters = ipconfig::get_adapters().map_err(|error| io::Error::other(error.to_string()))?;
    let mut servers = Vec::new();
    for adapter in adapters {
        if adapter.oper_status() == ipconfig::OperStatus::IfOperStatusUp {
            let of_adapter = adapter.dns_servers().iter();
            servers.extend(of_adapter.map(|server| SocketAddr::new(*server, DNS)));
        }
    }
    Resolvers::new(servers)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_systems_file_says_whom_to_ask_and_how_patiently() {
        let file = b"# a comment\nsearch example.org\nnameserver 192.0.2.1\nnameserver ::1\noptions timeout:7 attempts:3\n";
        let resolvers = of_file(file).unwrap();
        let servers: Vec<String> = resolvers.servers.iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[::1]:53"]);
        assert_eq!(resolvers.timeout, Duration::from_secs(7));
        assert_eq!(resolvers.attempts, 3);
    }

    #[test]
    fn without_a_file_this_computer_is_asked() {
        let resolvers = of_file(b"").unwrap();
        assert_eq!(resolvers.servers[0].to_string(), "127.0.0.1:53");
    }
}
