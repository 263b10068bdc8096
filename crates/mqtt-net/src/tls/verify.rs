//! Whether to believe a certificate: the library's judgement, widened by [`Walk`] where the user has
//! named the authorities, and the reason for a refusal in words.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{
    CertificateDer, CertificateRevocationListDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

use super::chain::{Purpose, Walk};
use super::names;
use super::reasons::{TlsError, refuse};

/// The authorities of a client or a listener.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) roots: RootCertStore,
    /// The certificates of the authorities that the user has named.
    pub(super) named: Vec<CertificateDer<'static>>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    pub(super) ignore_dates: bool,
    pub(super) revocations: Vec<CertificateRevocationListDer<'static>>,
}

impl Trust {
    /// Goes over the library's refusal once more: whether the wider rules let the certificate pass,
    /// and if not, why exactly.
    fn reconsider(
        &self,
        refusal: Error,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
        purpose: Purpose,
    ) -> Result<(), Error> {
        use CertificateError as Kind;
        let Error::InvalidCertificate(kind) = &refusal else {
            return Err(refusal);
        };
        let walk = Walk {
            anchors: &self.named,
            others,
            now,
            ignore_dates: self.ignore_dates,
            purpose,
        };
        let walked = walk.judge(end);
        let is_date = matches!(
            kind,
            Kind::Expired
                | Kind::ExpiredContext { .. }
                | Kind::NotValidYet
                | Kind::NotValidYetContext { .. }
        );
        let is_narrow = matches!(
            kind,
            Kind::BadEncoding | Kind::UnknownIssuer | Kind::Other(_)
        );
        if is_narrow || is_date && self.ignore_dates {
            match &walked {
                Ok(issuer) => {
                    return self.check_revocation(end, issuer.as_ref(), now).map_err(
                        |(reason, error)| {
                            refuse(reason);
                            error
                        },
                    );
                }
                Err(reason) => {
                    refuse(reason.clone());
                    return Err(alert_for(reason).unwrap_or(refusal));
                }
            }
        }
        let name = || {
            names::parse(end).map_or_else(
                || "the other side".into(),
                |one| names::short(one.subject()),
            )
        };
        refuse(match (kind, walked) {
            (Kind::Revoked, _) => TlsError::Revoked { name: name() },
            (Kind::UnknownRevocationStatus, _) => TlsError::RevocationUnknown {
                name: name(),
                why: "the revocation list is not of its authority",
            },
            (Kind::ExpiredRevocationList | Kind::ExpiredRevocationListContext { .. }, _) => {
                TlsError::RevocationUnknown {
                    name: name(),
                    why: "the revocation list is out of date",
                }
            }
            (_, Err(reason)) => reason,
            (kind, Ok(_)) => TlsError::BadCertificate {
                name: name(),
                why: kind.to_string(),
            },
        });
        Err(refusal)
    }

    /// Looks a certificate up in the revocation lists, as the library does for those that it takes.
    fn check_revocation(
        &self,
        end: &CertificateDer<'_>,
        issuer: Option<&CertificateDer<'static>>,
        now: UnixTime,
    ) -> Result<(), (TlsError, Error)> {
        if self.revocations.is_empty() {
            return Ok(());
        }
        let Some(end) = names::parse(end) else {
            return Ok(());
        };
        let issuer = issuer.and_then(|issuer| names::parse(issuer));
        let name = names::short(end.subject());
        let unknown = |why| {
            let error = Error::InvalidCertificate(CertificateError::UnknownRevocationStatus);
            (
                TlsError::RevocationUnknown {
                    name: name.clone(),
                    why,
                },
                error,
            )
        };
        for list in &self.revocations {
            let Ok((_, list)) = CertificateRevocationList::from_der(list.as_ref()) else {
                continue;
            };
            if !is_of(&list, &end, issuer.as_ref()) {
                continue;
            }
            let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
            if !self.ignore_dates
                && list
                    .next_update()
                    .is_some_and(|next| next.timestamp() < seconds)
            {
                return Err(unknown("the revocation list is out of date"));
            }
            if list
                .iter_revoked_certificates()
                .any(|revoked| revoked.raw_serial() == end.raw_serial())
            {
                let error = Error::InvalidCertificate(CertificateError::Revoked);
                return Err((TlsError::Revoked { name }, error));
            }
            return Ok(());
        }
        Err(unknown("the revocation list is not of its authority"))
    }

    fn verify_tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = verify_tls12_signature(message, certificate, signed, &self.algorithms);
        let (Err(Error::InvalidCertificate(kind)), Some(parsed)) =
            (&verified, names::parse(certificate))
        else {
            return verified;
        };
        // The signature is wrong, or the library cannot read a certificate of version 1.
        if *kind == CertificateError::BadSignature {
            return verified;
        }
        let key = &parsed.public_key().subject_public_key.data;
        let of_scheme = self
            .algorithms
            .mapping
            .iter()
            .find(|row| row.0 == signed.scheme);
        let is_right = of_scheme.is_some_and(|row| {
            row.1.iter().any(|algorithm| {
                algorithm
                    .verify_signature(key, message, signed.signature())
                    .is_ok()
            })
        });
        if is_right {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            verified
        }
    }

    fn verify_tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let verified = verify_tls13_signature(message, certificate, signed, &self.algorithms);
        match (&verified, names::parse(certificate)) {
            (Err(Error::InvalidCertificate(kind)), Some(parsed))
                if *kind != CertificateError::BadSignature =>
            {
                let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
                verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms)
            }
            _ => verified,
        }
    }
}

/// Whether a revocation list is the one that a certificate would be in.
fn is_of(
    list: &CertificateRevocationList<'_>,
    end: &X509Certificate<'_>,
    issuer: Option<&X509Certificate<'_>>,
) -> bool {
    list.issuer().as_raw() == end.issuer().as_raw()
        && issuer.is_some_and(|issuer| list.verify_signature(issuer.public_key()).is_ok())
}

/// The error whose alert tells the other side what is wrong.
fn alert_for(reason: &TlsError) -> Option<Error> {
    let kind = match reason {
        TlsError::Expired { .. } => CertificateError::Expired,
        TlsError::NotYetValid { .. } => CertificateError::NotValidYet,
        TlsError::UnknownIssuer { .. } => CertificateError::UnknownIssuer,
        TlsError::ForgedIssuer { .. } => CertificateError::BadSignature,
        _ => return None,
    };
    Some(Error::InvalidCertificate(kind))
}

/// How a client judges a server.
#[derive(Debug)]
pub(super) struct ServerJudge {
    pub(super) trust: Arc<Trust>,
    /// Nothing is checked.
    pub(super) insecure: bool,
    /// The server has no name, as on a Unix socket: who owns the path decides who answers.
    pub(super) nameless: bool,
}

impl ServerCertVerifier for ServerJudge {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.insecure {
            return Ok(ServerCertVerified::assertion());
        }
        let trust = &self.trust;
        let parsed = ParsedCertificate::try_from(end);
        let believed = parsed.as_ref().map_err(Clone::clone).and_then(|parsed| {
            verify_server_cert_signed_by_trust_anchor(
                parsed,
                &trust.roots,
                others,
                now,
                trust.algorithms.all,
            )
        });
        if let Err(refusal) = believed {
            trust.reconsider(refusal, end, others, now, Purpose::Server)?;
        }
        if self.nameless || parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok()) {
            return Ok(ServerCertVerified::assertion());
        }
        if names::parse(end)
            .is_some_and(|parsed| !trust.named.is_empty() && is_named_as_of_old(&parsed, name))
        {
            return Ok(ServerCertVerified::assertion());
        }
        refuse(TlsError::WrongName {
            wanted: name.to_str().into_owned(),
            names: names::parse(end)
                .map(|parsed| names::all_names(&parsed))
                .unwrap_or_default(),
        });
        Err(Error::InvalidCertificate(CertificateError::NotValidForName))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.verify_tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.verify_tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms.supported_schemes()
    }
}

/// Whether the common name is the server's, where a certificate has no alternative names, or the
/// library could not read them because the certificate is of an old version or its own authority.
fn is_named_as_of_old(certificate: &X509Certificate<'_>, name: &ServerName<'_>) -> bool {
    let wanted = name.to_str();
    let alternatives = names::alternative_names(certificate);
    if !alternatives.is_empty() {
        return alternatives.iter().any(|one| is_match(one, &wanted));
    }
    let is_dns = matches!(name, ServerName::DnsName(_));
    is_dns
        && names::common_name(certificate.subject())
            .is_some_and(|common| is_match(&common, &wanted))
}

/// Compares a name of a certificate, which may begin with `*.` for one level, with a host's.
fn is_match(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    match pattern.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(label, rest)| {
            // A star never stands for a whole top level.
            !label.is_empty() && parent.contains('.') && rest.eq_ignore_ascii_case(parent)
        }),
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// How a listener judges its clients.
#[derive(Debug)]
pub(super) struct ClientJudge {
    pub(super) inner: Arc<dyn ClientCertVerifier>,
    pub(super) trust: Trust,
}

impl ClientCertVerifier for ClientJudge {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.inner.verify_client_cert(end, others, now) {
            Ok(verified) => Ok(verified),
            Err(refusal) => {
                self.trust
                    .reconsider(refusal, end, others, now, Purpose::Client)?;
                Ok(ClientCertVerified::assertion())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.verify_tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trust.verify_tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trust.algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_level() {
        for (pattern, host, expected) in [
            ("localhost", "LOCALHOST", true),
            ("*.example.org", "a.example.org", true),
            ("*.example.org", "a.b.example.org", false),
            ("*.example.org", "example.org", false),
            ("*.org", "example.org", false),
            ("a.example.org", "a.example.org.", true),
        ] {
            assert_eq!(is_match(pattern, host), expected, "{pattern} {host}");
        }
    }
}
