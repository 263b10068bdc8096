//! What stands in a certificate, in words: names, issuer, dates.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate, X509Name};

/// Who the holder of a certificate is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerNames {
    /// The first common name of the subject.
    pub common_name: Option<String>,
    /// The whole subject in the form of RFC 2253, as OpenSSL writes it: `CN=x,O=y,C=GR`.
    pub subject: Option<String>,
}

impl PeerNames {
    /// Reads a certificate; one that cannot be read has no names.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        parse(certificate).map_or_else(Self::default, |parsed| Self {
            common_name: common_name(parsed.subject()),
            subject: Some(rfc2253(parsed.subject())),
        })
    }
}

pub(super) fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate.as_ref())
        .ok()
        .map(|(_, parsed)| parsed)
}

pub(super) fn common_name(name: &X509Name<'_>) -> Option<String> {
    // A zero byte in a name is an attempt to be taken for somebody else.
    let value = name.iter_common_name().next()?;
    value
        .as_str()
        .ok()
        .filter(|text| !text.contains('\0'))
        .map(str::to_owned)
}

/// A name for a sentence: the common name if there is one, else all of it.
pub(super) fn short(name: &X509Name<'_>) -> String {
    common_name(name).unwrap_or_else(|| rfc2253(name))
}

/// Every name that a certificate is good for; the common name where nothing else is said.
pub(super) fn all_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let listed = alternative_names(certificate);
    if listed.is_empty() {
        common_name(certificate.subject()).into_iter().collect()
    } else {
        listed
    }
}

/// The names and addresses of the subject's alternative names.
pub(super) fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(name)
        .collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes)
            .ok()
            .map(|bytes| Ipv4Addr::from(bytes).to_string()),
        16 => <[u8; 16]>::try_from(bytes)
            .ok()
            .map(|bytes| Ipv6Addr::from(bytes).to_string()),
        _ => None,
    }
}

/// A date as people read it, in UTC: `2026-11-22 21:04 UTC`.
pub(super) fn date(time: ASN1Time) -> String {
    let time = time.to_datetime();
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} UTC",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute()
    )
}

/// A subject in the form of RFC 2253: last part first, special characters escaped.
pub(super) fn rfc2253(name: &X509Name<'_>) -> String {
    let parts: Vec<String> = name
        .iter_rdn()
        .map(|part| {
            let pairs: Vec<String> = part
                .iter()
                .map(|pair| {
                    let oid = pair.attr_type().to_id_string();
                    match (short_type(&oid), pair.as_str()) {
                        (Some(kind), Ok(text)) => format!("{kind}={}", escape(text)),
                        (kind, _) => format!("{}=#{}", kind.unwrap_or(&oid), hex(pair.as_slice())),
                    }
                })
                .collect();
            pairs.join("+")
        })
        .collect();
    parts
        .iter()
        .rev()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(",")
}

/// OpenSSL's short names of what a subject consists of.
fn short_type(oid: &str) -> Option<&'static str> {
    const TYPES: &[(&str, &str)] = &[
        ("2.5.4.3", "CN"),
        ("2.5.4.4", "SN"),
        ("2.5.4.5", "serialNumber"),
        ("2.5.4.6", "C"),
        ("2.5.4.7", "L"),
        ("2.5.4.8", "ST"),
        ("2.5.4.9", "street"),
        ("2.5.4.10", "O"),
        ("2.5.4.11", "OU"),
        ("2.5.4.12", "title"),
        ("2.5.4.13", "description"),
        ("2.5.4.17", "postalCode"),
        ("2.5.4.20", "telephoneNumber"),
        ("2.5.4.41", "name"),
        ("2.5.4.42", "GN"),
        ("2.5.4.43", "initials"),
        ("2.5.4.44", "generationQualifier"),
        ("2.5.4.46", "dnQualifier"),
        ("2.5.4.65", "pseudonym"),
        ("1.2.840.113549.1.9.1", "emailAddress"),
        ("0.9.2342.19200300.100.1.1", "UID"),
        ("0.9.2342.19200300.100.1.25", "DC"),
    ];
    TYPES.iter().find(|row| row.0 == oid).map(|row| row.1)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, character) in text.char_indices() {
        match character {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => escaped.extend(['\\', character]),
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || at == last => escaped.push_str("\\ "),
            '\u{20}'..='\u{7e}' => escaped.push(character),
            _ => {
                let mut bytes = [0; 4];
                for byte in character.encode_utf8(&mut bytes).bytes() {
                    escaped.push_str(&format!("\\{byte:02X}"));
                }
            }
        }
    }
    escaped
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped_as_rfc_2253_wants() {
        for (text, expected) in [
            ("plain name", "plain name"),
            ("a,b+c", "a\\,b\\+c"),
            (" x ", "\\ x\\ "),
            ("#1", "\\#1"),
            ("1#", "1#"),
            ("Ά", "\\CE\\86"),
            ("a\nb", "a\\0Ab"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }
}
