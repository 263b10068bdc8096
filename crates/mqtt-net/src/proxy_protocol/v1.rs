//! Version 1: `PROXY TCP4 192.0.2.5 203.0.113.1 6275 1883` and the end of the line.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Brought, ProxiedClient, ProxyHeaderError};

/// The longest line, with its end, that the protocol allows (107 bytes and a terminator).
pub(super) const LONGEST: usize = 107;

pub(super) fn parse(line: &[u8]) -> Result<Brought, ProxyHeaderError> {
    let corrupt = || ProxyHeaderError::Corrupt;
    let text = std::str::from_utf8(line).map_err(|_| corrupt())?;
    let text = text.strip_suffix("\r\n").ok_or_else(corrupt)?;
    let rest = text.strip_prefix("PROXY ").ok_or_else(corrupt)?;
    let mut words = rest.split(' ');
    let is_address: fn(&str) -> bool = match words.next() {
        Some("TCP4") => |word| word.parse::<Ipv4Addr>().is_ok(),
        Some("TCP6") => |word| word.parse::<Ipv6Addr>().is_ok(),
        // Whatever follows is to be ignored.
        Some("UNKNOWN") => return Ok(Brought::Unknown),
        _ => return Err(corrupt()),
    };
    let mut address = || words.next().filter(|word| is_address(word));
    let (source, _) = address().zip(address()).ok_or_else(corrupt)?;
    let mut port = || {
        let word = words.next()?;
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let port: u16 = word.parse().ok().filter(|port| is_number && *port > 0)?;
        Some(port)
    };
    let (port, _) = port().zip(port()).ok_or_else(corrupt)?;
    if words.next().is_some() {
        return Err(corrupt());
    }
    Ok(Brought::Client(ProxiedClient {
        address: source.into(),
        port,
        tls: None,
    }))
}
