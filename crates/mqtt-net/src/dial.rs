//! TCP by name: every address is tried, IPv6 and IPv4 in parallel, and every failure is kept.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::error::{Attempt, ConnectError};

/// How long to try, and from where.
#[derive(Debug, Clone)]
pub(crate) struct Patience<'a> {
    pub(crate) deadline: Instant,
    pub(crate) stagger: Duration,
    pub(crate) local: Option<&'a str>,
}

/// Connects to `host`, a name or an address, at `port`.
///
/// # Errors
/// The lookup's error, or one [`Attempt`] for each address; addresses still silent at the deadline
/// count as timed out.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    patience: &Patience<'_>,
) -> Result<TcpStream, ConnectError> {
    let mut addresses = lookup(host, port, patience.deadline)
        .await
        .map_err(|cause| ConnectError::Lookup {
            host: host.into(),
            cause,
        })?;
    let from = match patience.local {
        Some(local) => local_addresses(local, &mut addresses, patience.deadline)
            .await
            .map_err(|cause| ConnectError::Local {
                local: local.into(),
                cause,
            })?,
        None => Vec::new(),
    };
    let reached = match *addresses {
        [address] => only(address, &from, patience.deadline).await,
        _ => {
            let addresses = alternate(addresses);
            race(addresses, from, patience.deadline, patience.stagger).await
        }
    };
    reached.map_err(|attempts| blame(host, patience.local, attempts))
}

async fn lookup(host: &str, port: u16, deadline: Instant) -> io::Result<Vec<SocketAddr>> {
    let Ok(found) = timeout_at(deadline, lookup_host((host, port))).await else {
        let silent = "the name server did not answer";
        return Err(io::Error::new(io::ErrorKind::TimedOut, silent));
    };
    let addresses: Vec<SocketAddr> = found?.collect();
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    }
    Ok(addresses)
}

/// The addresses that `local` names; keeps those of `addresses` that can be reached from one of them.
async fn local_addresses(
    local: &str,
    addresses: &mut Vec<SocketAddr>,
    deadline: Instant,
) -> io::Result<Vec<IpAddr>> {
    let from: Vec<IpAddr> = lookup(local, 0, deadline)
        .await?
        .iter()
        .map(SocketAddr::ip)
        .collect();
    addresses.retain(|to| from.iter().any(|from| from.is_ipv4() == to.is_ipv4()));
    if addresses.is_empty() {
        let family = if from.iter().all(IpAddr::is_ipv4) {
            "it is an IPv4 address, and the server has none"
        } else {
            "it is an IPv6 address, and the server has none"
        };
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, family));
    }
    Ok(from)
}

/// A local address that this computer does not have fails every attempt, and is what is wrong.
fn blame(host: &str, local: Option<&str>, attempts: Vec<Attempt>) -> ConnectError {
    let is_local = |attempt: &Attempt| attempt.cause.kind() == io::ErrorKind::AddrNotAvailable;
    match (local, attempts.last()) {
        (Some(local), Some(_)) if attempts.iter().all(is_local) => ConnectError::Local {
            local: local.into(),
            cause: io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "this computer does not have that address",
            ),
        },
        _ => ConnectError::Failed {
            host: host.into(),
            attempts,
        },
    }
}

/// Reorders so that the families take turns, beginning with the family the resolver put first.
fn alternate(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let mut unique: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    let (first, second): (Vec<_>, Vec<_>) =
        unique.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut ordered = Vec::new();
    loop {
        let (a, b) = (first.next(), second.next());
        if a.is_none() && b.is_none() {
            return ordered;
        }
        ordered.extend(a);
        ordered.extend(b);
    }
}

/// One address from the right one of ours.
async fn try_one(address: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let Some(from) = from else {
        return TcpStream::connect(address).await;
    };
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(address).await
}

/// The address of ours, if any was asked for, from which one of this family can be reached.
fn of_family(from: &[IpAddr], address: SocketAddr) -> Option<IpAddr> {
    from.iter()
        .find(|from| from.is_ipv4() == address.is_ipv4())
        .copied()
}

/// Packets are written in batches already; waiting for more would only add delay.
fn at_once(stream: TcpStream) -> TcpStream {
    let _ = stream.set_nodelay(true);
    stream
}

/// With one address there is nothing to choose.
async fn only(
    address: SocketAddr,
    from: &[IpAddr],
    deadline: Instant,
) -> Result<TcpStream, Vec<Attempt>> {
    timeout_at(deadline, try_one(address, of_family(from, address)))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .map(at_once)
        .map_err(|cause| vec![Attempt { address, cause }])
}

/// Starts one attempt after the other, `stagger` apart or as soon as the last one failed; first come
/// wins, the others are dropped. `from` has an address of ours for each family, if any.
async fn race(
    addresses: Vec<SocketAddr>,
    from: Vec<IpAddr>,
    deadline: Instant,
    stagger: Duration,
) -> Result<TcpStream, Vec<Attempt>> {
    let mut waiting = addresses.into_iter();
    let mut running: JoinSet<(SocketAddr, io::Result<TcpStream>)> = JoinSet::new();
    let mut pending: Vec<SocketAddr> = Vec::new();
    let mut failed: Vec<Attempt> = Vec::new();
    let mut next_start = Instant::now();
    loop {
        if Instant::now() >= next_start || running.is_empty() {
            if let Some(address) = waiting.next() {
                pending.push(address);
                let from = of_family(&from, address);
                running.spawn(async move { (address, try_one(address, from).await) });
                next_start = Instant::now() + stagger;
            } else if running.is_empty() {
                return Err(failed);
            }
        }
        tokio::select! {
            Some(Ok((address, result))) = running.join_next() => match result {
                Ok(stream) => return Ok(at_once(stream)),
                Err(cause) => {
                    pending.retain(|&p| p != address);
                    failed.push(Attempt { address, cause });
                    next_start = Instant::now();
                }
            },
            () = tokio::time::sleep_until(next_start), if waiting.len() > 0 => {}
            () = tokio::time::sleep_until(deadline) => {
                failed.extend(pending.iter().map(|&address| Attempt { address, cause: io::ErrorKind::TimedOut.into() }));
                return Err(failed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    fn patience(local: Option<&str>) -> Patience<'_> {
        Patience {
            deadline: Instant::now() + Duration::from_secs(60),
            stagger: Duration::from_millis(200),
            local,
        }
    }

    async fn closed_address() -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    #[test]
    fn families_take_turns_and_the_resolvers_first_choice_stays_first() {
        let given = addresses(&[
            "[::1]:1",
            "[::2]:1",
            "127.0.0.1:1",
            "[::1]:1",
            "127.0.0.2:1",
            "127.0.0.3:1",
        ]);
        let expected = addresses(&[
            "[::1]:1",
            "127.0.0.1:1",
            "[::2]:1",
            "127.0.0.2:1",
            "127.0.0.3:1",
        ]);
        assert_eq!(alternate(given), expected);
    }

    #[tokio::test]
    async fn a_refused_address_does_not_stop_the_next_one() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let both = vec![closed_address().await, good];
        let deadline = Instant::now() + Duration::from_secs(20);
        let stream = race(both, Vec::new(), deadline, Duration::from_secs(60))
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[tokio::test]
    async fn a_failure_names_every_address_and_its_cause() {
        let port = closed_address().await.port();
        let error = dial("127.0.0.1", port, &patience(None)).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("127.0.0.1:{port}: connection refused")
        );
        assert!(error.all(io::ErrorKind::ConnectionRefused));
    }

    #[tokio::test]
    async fn a_name_without_address_is_a_lookup_error() {
        let error = dial("no such host", 1883, &patience(None))
            .await
            .unwrap_err();
        assert!(
            matches!(error, ConnectError::Lookup { .. }),
            "got {error:?}"
        );
        assert!(
            error
                .to_string()
                .starts_with("the name 'no such host' was not found"),
            "got {error}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_ends_with_the_timeout() {
        // A listener whose backlog is full never answers; a future that never ends stands in for it.
        let deadline = Instant::now() + Duration::from_secs(1);
        let never = addresses(&["192.0.2.1:9"]);
        let failed = race(never, Vec::new(), deadline, Duration::from_millis(200)).await;
        // The sandbox may refuse the documentation network at once, which is a failure as well.
        assert_eq!(failed.unwrap_err().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_only_address_has_its_time_as_well() {
        let mut patience = patience(None);
        patience.deadline = Instant::now() + Duration::from_secs(1);
        let error = dial("192.0.2.1", 9, &patience).await.unwrap_err();
        // As above: silent, or refused at once.
        let ConnectError::Failed { attempts, .. } = error else {
            panic!("got {error:?}");
        };
        assert_eq!(attempts.len(), 1);
        assert_eq!(attempts[0].address, "192.0.2.1:9".parse().unwrap());
    }

    #[tokio::test]
    async fn a_connection_comes_from_the_local_address_that_was_asked_for() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for local in ["127.0.0.1", "localhost"] {
            let _stream = dial("127.0.0.1", port, &patience(Some(local)))
                .await
                .unwrap();
            let (_, from) = listener.accept().await.unwrap();
            assert_eq!(from.ip().to_string(), "127.0.0.1", "{local}");
        }
    }

    #[tokio::test]
    async fn a_local_address_that_does_not_fit_is_what_is_blamed() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for (local, expected) in [
            ("::1", "the server has none"),
            ("192.0.2.7", "this computer does not have that address"),
            ("no such name", "no such name"),
        ] {
            let error = dial("127.0.0.1", port, &patience(Some(local)))
                .await
                .unwrap_err();
            let is_local = matches!(error, ConnectError::Local { .. });
            assert!(is_local, "{local}: {error:?}");
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
