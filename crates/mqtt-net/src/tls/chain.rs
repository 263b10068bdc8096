//! From a certificate to an authority, step by step, by rules that are as wide as OpenSSL's.
//!
//! The library's own check comes first and is stricter: it takes no certificate of version 1, none
//! that is its own authority, and cannot be told to overlook dates. Certificates made by Mosquitto's
//! instructions are often of such kinds. This walk is asked for authorities that the user has named
//! himself, and for the exact reason of a failure.

use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::prelude::{ASN1Time, ParsedExtension, X509Certificate, X509Version};

use super::names;
use super::reasons::TlsError;

/// More steps than this are nobody's chain.
const MAX_STEPS: usize = 8;

/// What a certificate is shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Server,
    Client,
}

/// The authorities and what is known at the moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk<'a> {
    pub(super) anchors: &'a [CertificateDer<'static>],
    /// What the other side has sent beside its own certificate.
    pub(super) others: &'a [CertificateDer<'a>],
    pub(super) now: UnixTime,
    pub(super) ignore_dates: bool,
    pub(super) purpose: Purpose,
}

impl Walk<'_> {
    /// Walks from `end` up to an authority; its issuer, if it is not an authority itself.
    ///
    /// # Errors
    /// The first thing on the way that is wrong.
    pub(super) fn judge(
        &self,
        end: &CertificateDer<'_>,
    ) -> Result<Option<CertificateDer<'static>>, TlsError> {
        let parsed = names::parse(end).ok_or_else(|| TlsError::BadCertificate {
            name: "the other side".into(),
            why: "it is damaged".into(),
        })?;
        self.check_use(&parsed)?;
        let mut issuer = None;
        let mut current = end.clone().into_owned();
        for _ in 0..MAX_STEPS {
            let parsed =
                names::parse(&current).ok_or(TlsError::Failed("a damaged certificate".into()))?;
            self.check_dates(&parsed)?;
            if self.anchors.contains(&current) {
                return Ok(issuer);
            }
            let (next, is_anchor) = self.issuer(&parsed)?;
            issuer.get_or_insert_with(|| next.clone());
            if is_anchor {
                let anchor =
                    names::parse(&next).ok_or(TlsError::Failed("a damaged certificate".into()))?;
                self.check_dates(&anchor)?;
                return Ok(issuer);
            }
            current = next;
        }
        Err(bad(&parsed, "its chain is too long"))
    }

    /// Who has signed a certificate, and whether that is an authority of ours.
    fn issuer(
        &self,
        certificate: &X509Certificate<'_>,
    ) -> Result<(CertificateDer<'static>, bool), TlsError> {
        let mut is_name_known = false;
        let candidates = self.anchors.iter().map(|one| (one.clone(), true));
        let candidates = candidates.chain(
            self.others
                .iter()
                .map(|one| (one.clone().into_owned(), false)),
        );
        for (candidate, is_anchor) in candidates {
            let Some(parsed) = names::parse(&candidate) else {
                continue;
            };
            if parsed.subject().as_raw() != certificate.issuer().as_raw()
                || !may_sign(&parsed, is_anchor)
            {
                continue;
            }
            if is_weak(certificate) {
                return Err(bad(
                    certificate,
                    "it is signed with SHA-1 or MD5, which is not safe any more",
                ));
            }
            if certificate
                .verify_signature(Some(parsed.public_key()))
                .is_ok()
            {
                return Ok((candidate, is_anchor));
            }
            is_name_known |= is_anchor;
        }
        let issuer = names::short(certificate.issuer());
        Err(if is_name_known {
            TlsError::ForgedIssuer { issuer }
        } else {
            TlsError::UnknownIssuer { issuer }
        })
    }

    fn check_dates(&self, certificate: &X509Certificate<'_>) -> Result<(), TlsError> {
        let now = i64::try_from(self.now.as_secs())
            .ok()
            .and_then(|now| ASN1Time::from_timestamp(now).ok());
        let (Some(now), false) = (now, self.ignore_dates) else {
            return Ok(());
        };
        let (from, until) = (
            certificate.validity().not_before,
            certificate.validity().not_after,
        );
        let name = || names::short(certificate.subject());
        if now > until {
            Err(TlsError::Expired {
                name: name(),
                date: names::date(until),
            })
        } else if now < from {
            Err(TlsError::NotYetValid {
                name: name(),
                date: names::date(from),
            })
        } else {
            Ok(())
        }
    }

    /// Whether a certificate may be used for what it is shown for.
    fn check_use(&self, certificate: &X509Certificate<'_>) -> Result<(), TlsError> {
        let unknown = certificate.extensions().iter().any(|extension| {
            extension.critical
                && matches!(
                    extension.parsed_extension(),
                    ParsedExtension::UnsupportedExtension { .. }
                )
        });
        if unknown {
            return Err(bad(
                certificate,
                "it has a critical extension that is not known here",
            ));
        }
        let Ok(Some(uses)) = certificate.extended_key_usage() else {
            return Ok(());
        };
        let (is_meant, who) = match self.purpose {
            Purpose::Server => (uses.value.server_auth, "servers"),
            Purpose::Client => (uses.value.client_auth, "clients"),
        };
        if is_meant || uses.value.any {
            Ok(())
        } else {
            Err(bad(certificate, &format!("it is not meant for {who}")))
        }
    }
}

/// The authorities above a certificate, up to the one below the root, which everybody has anyway.
pub(super) fn issuers(
    certificate: &CertificateDer<'_>,
    authorities: &[CertificateDer<'static>],
) -> Vec<CertificateDer<'static>> {
    let mut found: Vec<CertificateDer<'static>> = Vec::new();
    let mut current = certificate.clone().into_owned();
    while found.len() < MAX_STEPS {
        let Some(parsed) = names::parse(&current) else {
            break;
        };
        let issuer = authorities.iter().find(|one| {
            names::parse(one).is_some_and(|above| {
                above.subject().as_raw() == parsed.issuer().as_raw()
                    && above.subject().as_raw() != above.issuer().as_raw()
                    && parsed.verify_signature(Some(above.public_key())).is_ok()
            })
        });
        let Some(issuer) = issuer.filter(|issuer| !found.contains(issuer)) else {
            break;
        };
        current = issuer.clone();
        found.push(current.clone());
    }
    found
}

fn bad(certificate: &X509Certificate<'_>, why: &str) -> TlsError {
    TlsError::BadCertificate {
        name: names::short(certificate.subject()),
        why: why.to_owned(),
    }
}

/// Whether a certificate may sign others. The old kind says nothing of it, and is believed only if
/// the user has named it.
fn may_sign(certificate: &X509Certificate<'_>, is_anchor: bool) -> bool {
    let is_old = certificate.version() != X509Version::V3;
    let signs = certificate
        .key_usage()
        .ok()
        .flatten()
        .is_none_or(|usage| usage.value.key_cert_sign());
    // Limits to names are left to the stricter check of the library.
    let is_limited = !matches!(certificate.name_constraints(), Ok(None));
    (is_old && is_anchor || certificate.is_ca()) && signs && !is_limited
}

fn is_weak(certificate: &X509Certificate<'_>) -> bool {
    // MD5 and SHA-1, with RSA and with ECDSA.
    let oid = certificate.signature_algorithm.algorithm.to_id_string();
    [
        "1.2.840.113549.1.1.4",
        "1.2.840.113549.1.1.5",
        "1.3.14.3.2.29",
        "1.2.840.10045.4.1",
    ]
    .contains(&oid.as_str())
}
