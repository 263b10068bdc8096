//! DNS SRV: which servers a domain names for MQTT, in the order in which to try them (RFC 2782).

mod ask;
mod resolvers;

use std::io;

use tokio::time::Instant;

use crate::error::ConnectError;

/// A server that a domain names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    priority: u16,
    weight: u16,
    port: u16,
    target: String,
}

/// Asks the system's name servers for the MQTT servers of `domain`.
///
/// # Errors
/// There are none, or nobody could be asked.
pub(crate) async fn servers(
    domain: &str,
    secure: bool,
    deadline: Instant,
) -> Result<Vec<Server>, ConnectError> {
    let service = if secure { "_secure-mqtt" } else { "_mqtt" };
    let name = format!("{service}._tcp.{}", domain.trim_end_matches('.'));
    let asked = async {
        let resolvers = resolvers::of_system()?;
        let records = ask::records(&name, &resolvers, deadline).await?;
        order(records, random_below)
    };
    asked
        .await
        .map_err(|cause| ConnectError::Service { name, cause })
}

/// The order in which to try: by priority, and among equals at random, weighted.
fn order(mut records: Vec<Record>, below: impl Fn(u32) -> u32) -> io::Result<Vec<Server>> {
    if records.iter().all(|record| record.target.is_empty()) {
        let what = if records.is_empty() {
            "the domain names no server for this (it has no such SRV record)"
        } else {
            "the domain says that it has no server for this"
        };
        return Err(io::Error::new(io::ErrorKind::NotFound, what));
    }
    records.retain(|record| !record.target.is_empty());
    // Those without weight first, so that they have a chance at all.
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut servers = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let equals = records.iter().take_while(|r| r.priority == priority);
        let total: u32 = equals.clone().map(|record| u32::from(record.weight)).sum();
        let mut left = below(total + 1);
        let chosen = equals.clone().position(|record| {
            let weight = u32::from(record.weight);
            let is_here = left <= weight;
            left = left.saturating_sub(weight);
            is_here
        });
        let Record { target, port, .. } = records.remove(chosen.unwrap_or(0));
        servers.push(Server { host: target, port });
    }
    Ok(servers)
}

/// A number below `end`.
fn random_below(end: u32) -> u32 {
    // Without random numbers the first of the equals is always chosen, which is still one of them.
    getrandom::u32().unwrap_or(0) % end.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, target: &str) -> Record {
        let target = target.into();
        Record {
            priority,
            weight,
            port: 1883,
            target,
        }
    }

    fn hosts(records: &[Record], random: u32) -> Vec<String> {
        let servers = order(records.to_vec(), |end| random.min(end - 1)).unwrap();
        servers.into_iter().map(|server| server.host).collect()
    }

    #[test]
    fn servers_are_tried_by_priority_and_weight() {
        let records = [
            record(20, 0, "last"),
            record(10, 70, "heavy"),
            record(10, 30, "light"),
        ];
        assert_eq!(hosts(&records, 0), ["light", "heavy", "last"]);
        assert_eq!(hosts(&records, 30), ["light", "heavy", "last"]);
        assert_eq!(hosts(&records, 31), ["heavy", "light", "last"]);
        assert_eq!(hosts(&records, 100), ["heavy", "light", "last"]);
    }

    #[test]
    fn a_domain_without_servers_is_an_error_that_says_so() {
        for (records, expected) in [
            (vec![], "names no server"),
            (vec![record(0, 0, "")], "has no server"),
        ] {
            let error = order(records, |_| 0).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
