//! TCP doors: which addresses a listener means, and sockets that listen on them.

use super::{BACKLOG, StartError, first_bytes, share};
use crate::config::{Listener, Protocol as Spoken, SocketDomain};
use crate::log::{Line, Log};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, ToSocketAddrs};

/// An address, and for one of IPv6 that holds on one network only, that network's number.
type Place = (IpAddr, u32);

/// Opens the sockets of a listener.
pub(super) fn open(
    listener: &mut Listener,
    log: &mut Log,
) -> Result<Vec<std::net::TcpListener>, StartError> {
    let host = listener.host.clone();
    let fail = |port: u16, source: io::Error| StartError {
        port,
        host: host.clone(),
        source,
    };
    let places = places(listener).map_err(|error| fail(listener.port, error))?;
    let is_any = listener.host.is_none() && listener.bind_interface.is_none();
    let mut sockets = Vec::new();
    for (address, scope) in places {
        let address = match address {
            IpAddr::V4(address) => SocketAddr::new(address.into(), listener.port),
            IpAddr::V6(address) => SocketAddrV6::new(address, listener.port, 0, scope).into(),
        };
        let family = if address.is_ipv4() { "ipv4" } else { "ipv6" };
        let port = address.port();
        if listener.protocol != Spoken::HttpApi {
            log.line(Line::Listening { family, port });
        } else if sockets.is_empty() {
            log.line(Line::ListeningHttp { port });
        }
        match bind(address) {
            Ok(socket) => {
                if listener.port == 0 {
                    listener.port = socket.local_addr().map_err(|error| fail(0, error))?.port();
                }
                sockets.push(socket);
            }
            // A computer without IPv6 still listens on all that it has.
            Err(error)
                if is_any
                    && address.is_ipv6()
                    && !sockets.is_empty()
                    && is_missing_family(&error) => {}
            Err(error) => return Err(fail(address.port(), error)),
        }
    }
    Ok(sockets)
}

/// The addresses that a listener means.
fn places(listener: &Listener) -> io::Result<Vec<Place>> {
    let missing = |what: String| Err(io::Error::new(io::ErrorKind::AddrNotAvailable, what));
    let named: Option<Vec<IpAddr>> = match &listener.host {
        None => None,
        Some(host) => {
            let found = (host.as_str(), listener.port).to_socket_addrs()?;
            Some(found.map(|address| address.ip()).collect())
        }
    };
    let mut found: Vec<Place> = match (&listener.bind_interface, &named) {
        (Some(interface), _) => interface_places(interface)?,
        (None, Some(named)) => named.iter().map(|address| (*address, 0)).collect(),
        (None, None) => [
            Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::from(Ipv6Addr::UNSPECIFIED),
        ]
        .map(|address| (address, 0))
        .to_vec(),
    };
    if let (Some(interface), Some(named)) = (&listener.bind_interface, named) {
        found.retain(|(address, _)| named.contains(address));
        if found.is_empty() {
            let host = listener.host.as_deref().unwrap_or_default();
            return missing(format!(
                "the network interface {interface} does not have the address {host}"
            ));
        }
    }
    found.retain(|(address, _)| match listener.socket_domain {
        None => true,
        Some(SocketDomain::Ipv4) => address.is_ipv4(),
        Some(SocketDomain::Ipv6) => address.is_ipv6(),
    });
    found.dedup();
    if found.is_empty() {
        let what = match &listener.bind_interface {
            Some(interface) => {
                format!("the network interface {interface} has no address of this socket_domain")
            }
            None => "the name has no address of this socket_domain".into(),
        };
        return missing(what);
    }
    Ok(found)
}

/// The addresses of a network interface.
fn interface_places(name: &str) -> io::Result<Vec<Place>> {
    let all = if_addrs::get_if_addrs()?;
    let places: Vec<Place> = all
        .iter()
        .filter(|interface| interface.name.eq_ignore_ascii_case(name))
        .map(|interface| {
            let is_local = matches!(interface.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local());
            let scope = interface.index.filter(|_| is_local).unwrap_or(0);
            (interface.ip(), scope)
        })
        .collect();
    if places.is_empty() {
        let mut known: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
        known.sort_unstable();
        known.dedup();
        return Err(io::Error::new(
            io::ErrorKind::AddrNotAvailable,
            format!(
                "there is no network interface '{name}' with an address here. Those that are: {}",
                known.join(", ")
            ),
        ));
    }
    Ok(places)
}

fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, so that the log shows IPv4 addresses as such.
        socket.set_only_v6(true)?;
    }
    // Packets leave in batches, so there is nothing that Nagle's algorithm could gather.
    let _ = socket.set_tcp_nodelay(true);
    first_bytes::wait_for(&socket);
    share::bind(&socket, address)?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn is_missing_family(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.kind() == io::ErrorKind::Unsupported
        || error
            .raw_os_error()
            .is_some_and(|code| code == 97 || code == 10047)
}
