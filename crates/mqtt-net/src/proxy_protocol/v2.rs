//! Version 2: a signature, a command, addresses, and type-length-value extras.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Brought, ProxiedClient, ProxiedTls, ProxyHeaderError};

/// The bytes before the part whose length they tell.
pub(super) const HEAD: usize = 16;
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// What follows the head is at most this long in Mosquitto, too; proxies send a tenth of it.
const LONGEST_BODY: usize = 500;
/// A path of a Unix socket.
const UNIX_PATH: usize = 108;

/// Extras, and those inside of the one about TLS.
const TLS: u8 = 0x20;
const TLS_VERSION: u8 = 0x21;
const TLS_COMMON_NAME: u8 = 0x22;
const TLS_CIPHER: u8 = 0x23;

/// Bits of the first byte of the extra about TLS.
const CLIENT_TLS: u8 = 0x01;
const CLIENT_CERTIFICATE_IN_SESSION: u8 = 0x04;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Unspecified,
    V4,
    V6,
    Unix,
}

/// The first part.
#[derive(Debug)]
pub(super) struct Head {
    is_local: bool,
    family: Family,
    /// How many bytes follow.
    pub(super) length: usize,
}

impl Head {
    pub(super) fn parse(bytes: &[u8; HEAD]) -> Result<Self, ProxyHeaderError> {
        let [signature @ .., version_command, family, high, low] = bytes;
        let is_local = match (signature == &SIGNATURE, version_command) {
            (true, 0x20) => true,
            (true, 0x21) => false,
            _ => return Err(ProxyHeaderError::Corrupt),
        };
        let (family, shortest) = match family {
            0x00 if is_local => (Family::Unspecified, 0),
            0x11 => (Family::V4, 12),
            0x21 => (Family::V6, 36),
            // Mosquitto takes a path alone, too.
            0x31 => (Family::Unix, 1),
            _ => return Err(ProxyHeaderError::Corrupt),
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > LONGEST_BODY {
            return Err(ProxyHeaderError::TooLong);
        }
        if length < shortest && !is_local {
            return Err(ProxyHeaderError::Corrupt);
        }
        Ok(Self {
            is_local,
            family,
            length,
        })
    }
}

pub(super) fn parse(head: &Head, body: &[u8]) -> Result<Brought, ProxyHeaderError> {
    if head.is_local {
        return Ok(Brought::Nobody);
    }
    let (mut client, extras) = client(head.family, body).ok_or(ProxyHeaderError::Corrupt)?;
    match tls(extras) {
        Some(tls) => {
            client.tls = tls;
            Ok(Brought::Client(client))
        }
        None => Err(ProxyHeaderError::CorruptOf(client)),
    }
}

/// The client's address, and what follows the two addresses.
fn client(family: Family, body: &[u8]) -> Option<(ProxiedClient, &[u8])> {
    let (address, ports, extras) = match family {
        Family::Unspecified => return None,
        Family::V4 => {
            let (addresses, rest) = body.split_first_chunk::<8>()?;
            let source: [u8; 4] = *addresses.first_chunk()?;
            let (ports, extras) = rest.split_first_chunk::<4>()?;
            (Ipv4Addr::from(source).to_string(), *ports, extras)
        }
        Family::V6 => {
            let (addresses, rest) = body.split_first_chunk::<32>()?;
            let source: [u8; 16] = *addresses.first_chunk()?;
            let (ports, extras) = rest.split_first_chunk::<4>()?;
            (Ipv6Addr::from(source).to_string(), *ports, extras)
        }
        Family::Unix => {
            let source = &body[..body.len().min(UNIX_PATH)];
            let end = source.iter().position(|byte| *byte == 0);
            let path = &source[..end.unwrap_or(source.len())];
            let extras = body.get(2 * UNIX_PATH..).unwrap_or_default();
            let path = String::from_utf8_lossy(path).replace(char::is_control, "?");
            (path, [0; 4], extras)
        }
    };
    let [high, low, ..] = ports;
    let client = ProxiedClient {
        address,
        port: u16::from_be_bytes([high, low]),
        tls: None,
    };
    Some((client, extras))
}

/// What the extras say about TLS; `None` if they are not extras.
fn tls(mut extras: &[u8]) -> Option<Option<ProxiedTls>> {
    let mut found = None;
    while let Some((kind, value)) = next(&mut extras)? {
        if kind == TLS {
            found = Some(tls_extra(value)?);
        }
    }
    Some(found)
}

fn tls_extra(value: &[u8]) -> Option<ProxiedTls> {
    let (&[client, verify @ ..], mut inner) = value.split_first_chunk::<5>()?;
    let mut tls = ProxiedTls {
        has_certificate: client & CLIENT_TLS != 0
            && client & CLIENT_CERTIFICATE_IN_SESSION != 0
            && verify == [0; 4],
        ..ProxiedTls::default()
    };
    while let Some((kind, value)) = next(&mut inner)? {
        // They end up in the log and as user names.
        let text = || {
            let text = std::str::from_utf8(value).ok()?;
            (!text.contains(char::is_control)).then(|| text.to_owned())
        };
        match kind {
            TLS_VERSION => tls.version = Some(text()?),
            TLS_COMMON_NAME => tls.common_name = Some(text()?),
            TLS_CIPHER => tls.cipher = Some(text()?),
            _ => {}
        }
    }
    // The certificate that was not found good has no name here.
    if !tls.has_certificate {
        tls.common_name = None;
    }
    Some(tls)
}

/// Takes the next extra; `Some(None)` at the end, `None` if it is longer than what is there.
fn next<'a>(bytes: &mut &'a [u8]) -> Option<Option<(u8, &'a [u8])>> {
    if bytes.is_empty() {
        return Some(None);
    }
    let (&[kind, high, low], rest) = bytes.split_first_chunk::<3>()?;
    let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    *bytes = rest;
    Some(Some((kind, value)))
}
