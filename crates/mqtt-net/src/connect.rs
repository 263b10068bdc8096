//! Connecting by name: every address is tried, IPv6 and IPv4 in parallel, and every failure is kept.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// How patient a connection attempt is.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// The whole attempt, name lookup included, ends after this time.
    pub timeout: Duration,
    /// The head start of one address before the next one is tried beside it.
    pub stagger: Duration,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        // A refused connect takes two seconds on Windows, and `localhost` is often ::1 first: without
        // the stagger every lab command against an IPv4-only broker would hang that long.
        Self {
            timeout: Duration::from_secs(10),
            stagger: Duration::from_millis(200),
        }
    }
}

/// One address that was tried, and why it did not work.
#[derive(Debug)]
pub struct Attempt {
    /// The address tried.
    pub address: SocketAddr,
    /// What the system said.
    pub cause: io::Error,
}

/// Why no connection came about.
#[derive(Debug)]
pub enum ConnectError {
    /// The name has no address, or nobody could be asked for it.
    Lookup {
        /// The name looked up.
        host: String,
        /// What the resolver said.
        cause: io::Error,
    },
    /// Every address failed.
    Failed {
        /// The host asked for.
        host: String,
        /// All addresses tried, in the order in which they failed.
        attempts: Vec<Attempt>,
    },
}

impl ConnectError {
    /// The addresses tried; empty when the lookup itself failed.
    pub fn attempts(&self) -> &[Attempt] {
        match self {
            Self::Lookup { .. } => &[],
            Self::Failed { attempts, .. } => attempts,
        }
    }

    /// Whether every address tried failed with this kind of error.
    pub fn all(&self, kind: io::ErrorKind) -> bool {
        !self.attempts().is_empty() && self.attempts().iter().all(|a| a.cause.kind() == kind)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup { host, cause } => write!(f, "the name '{host}' was not found ({cause})"),
            Self::Failed { attempts, .. } => {
                for (index, attempt) in attempts.iter().enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    write!(
                        f,
                        "{separator}{}: {}",
                        attempt.address,
                        describe(&attempt.cause)
                    )?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConnectError {}

/// The cause in words that are the same on every system where that is possible.
fn describe(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::TimedOut => "no answer".into(),
        io::ErrorKind::HostUnreachable => "no way to this host".into(),
        io::ErrorKind::NetworkUnreachable => "no way to this network".into(),
        _ => cause.to_string(),
    }
}

/// Connects to `host`, a name or an address, at `port`.
///
/// # Errors
/// The lookup's error, or one [`Attempt`] for each address; addresses still silent when
/// `options.timeout` is over count as timed out.
pub async fn connect(
    host: &str,
    port: u16,
    options: &ConnectOptions,
) -> Result<TcpStream, ConnectError> {
    let deadline = Instant::now() + options.timeout;
    let lookup = tokio::time::timeout_at(deadline, tokio::net::lookup_host((host, port)));
    let addresses: Vec<SocketAddr> = match lookup.await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(cause)) => {
            return Err(ConnectError::Lookup {
                host: host.into(),
                cause,
            });
        }
        Err(_) => {
            let cause = io::Error::new(io::ErrorKind::TimedOut, "the name server did not answer");
            return Err(ConnectError::Lookup {
                host: host.into(),
                cause,
            });
        }
    };
    if addresses.is_empty() {
        let cause = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        return Err(ConnectError::Lookup {
            host: host.into(),
            cause,
        });
    }
    race(alternate(addresses), deadline, options.stagger)
        .await
        .map_err(|attempts| ConnectError::Failed {
            host: host.into(),
            attempts,
        })
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

/// Starts one attempt after the other, `stagger` apart or as soon as the last one failed; first come
/// wins, the others are dropped.
async fn race(
    addresses: Vec<SocketAddr>,
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
                running.spawn(async move { (address, TcpStream::connect(address).await) });
                next_start = Instant::now() + stagger;
            } else if running.is_empty() {
                return Err(failed);
            }
        }
        tokio::select! {
            Some(Ok((address, result))) = running.join_next() => match result {
                Ok(stream) => {
                    // Packets are written in batches already; waiting for more would only add delay.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
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
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let stream = race(vec![closed, good], deadline, Duration::from_secs(60))
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[tokio::test]
    async fn a_failure_names_every_address_and_its_cause() {
        let port = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let error = connect("127.0.0.1", port, &ConnectOptions::default())
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("127.0.0.1:{port}: connection refused")
        );
        assert!(error.all(io::ErrorKind::ConnectionRefused));
    }

    #[tokio::test]
    async fn a_name_without_address_is_a_lookup_error() {
        let error = connect("no such host", 1883, &ConnectOptions::default())
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
        let failed = race(never, deadline, Duration::from_millis(200)).await;
        // The sandbox may refuse the documentation network at once, which is a failure as well.
        assert_eq!(failed.unwrap_err().len(), 1);
    }
}
