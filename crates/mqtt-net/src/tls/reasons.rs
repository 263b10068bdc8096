//! Why a secured connection did not come about, or ended: exact, and in a sentence.

use std::cell::RefCell;
use std::io;

use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// What somebody who does not speak TLS has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// MQTT in clear.
    Mqtt,
    /// HTTP in clear.
    Http,
    /// Something else.
    Other,
    /// Nothing: the connection was closed in the middle of the handshake.
    Closed,
}

impl Answer {
    /// Judges the first bytes of a peer; `None` for TLS itself.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [] => Some(Self::Closed),
            // Handshake or alert, and a version of SSL 3.0 or later.
            [0x15 | 0x16, 3, ..] | [0x15 | 0x16] => None,
            // CONNECT with a name behind its length, or CONNACK.
            [0x10, ..] | [0x20, ..] => Some(Self::Mqtt),
            _ if [&b"HTTP"[..], b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI"]
                .iter()
                .any(|word| head.starts_with(word)) =>
            {
                Some(Self::Http)
            }
            _ => Some(Self::Other),
        }
    }
}

/// A secured connection that did not come about, or broke. "The other side" is the server for a
/// client, and the client for a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The certificate's time is over.
    #[error("the certificate of '{name}' expired on {date}")]
    Expired {
        /// Whose certificate.
        name: String,
        /// When, in UTC.
        date: String,
    },
    /// The certificate's time has not come, or our clock is wrong.
    #[error("the certificate of '{name}' is not valid before {date}")]
    NotYetValid {
        /// Whose certificate.
        name: String,
        /// From when on, in UTC.
        date: String,
    },
    /// The certificate is somebody else's.
    #[error("the certificate is not for '{wanted}' but for [{}]", names.join(", "))]
    WrongName {
        /// The name that was connected to.
        wanted: String,
        /// The names in the certificate.
        names: Vec<String>,
    },
    /// Nobody whom we trust has signed the certificate.
    #[error(
        "the certificate is signed by '{issuer}', which is not one of the authorities trusted here"
    )]
    UnknownIssuer {
        /// The name of who has signed.
        issuer: String,
    },
    /// The certificate names a trusted authority which has not signed it.
    #[error(
        "the certificate says that '{issuer}' has signed it, but not with the key known here: there is another authority of this name"
    )]
    ForgedIssuer {
        /// The name of who should have signed.
        issuer: String,
    },
    /// The authority has taken the certificate back.
    #[error("the certificate of '{name}' is revoked")]
    Revoked {
        /// Whose certificate.
        name: String,
    },
    /// The revocation list does not speak of this certificate's authority, or is out of date.
    #[error("it is not known whether the certificate of '{name}' is revoked: {why}")]
    RevocationUnknown {
        /// Whose certificate.
        name: String,
        /// What is wrong with the list.
        why: &'static str,
    },
    /// Something else is wrong with the certificate.
    #[error("the certificate of '{name}' cannot be used: {why}")]
    BadCertificate {
        /// Whose certificate.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The server wants to see a certificate of ours, and we have none.
    #[error("the server wants a client certificate")]
    CertificateWanted,
    /// The client has shown no certificate, and must.
    #[error("the client has shown no certificate")]
    CertificateMissing,
    /// The other side does not take our certificate.
    #[error("the other side refuses our certificate: {0}")]
    CertificateRefused(&'static str),
    /// The other side does not speak TLS.
    #[error("{}", match .0 {
        Answer::Mqtt => "the other side speaks MQTT without TLS",
        Answer::Http => "the other side speaks HTTP without TLS",
        Answer::Other => "the other side does not speak TLS",
        Answer::Closed => "the other side closed the connection instead of answering in TLS",
    })]
    NotTls(Answer),
    /// The versions of both sides do not meet.
    #[error("the other side does not speak {0}")]
    Version(&'static str),
    /// No cipher suite or key exchange is known to both sides.
    #[error("the two sides have no cipher in common")]
    NothingInCommon,
    /// The other side has ended it with an alert.
    #[error("the other side ended the connection: {0}")]
    Alert(&'static str),
    /// The name that was connected to can be in no certificate.
    #[error("'{0}' is not a name that a certificate could have")]
    InvalidName(String),
    /// It took too long.
    #[error("the other side did not finish the handshake in time")]
    TimedOut,
    /// Everything else, in the library's or the system's words.
    #[error("{0}")]
    Failed(String),
}

thread_local! {
    /// Why a certificate was refused just now. The library's error has no room for names; it comes
    /// out of the same poll in which the certificate was judged, on the same thread.
    static REFUSED: RefCell<Option<TlsError>> = const { RefCell::new(None) };
}

/// Remembers the exact reason for the error that a verifier is about to return.
pub(super) fn refuse(reason: TlsError) {
    REFUSED.with(|slot| slot.replace(Some(reason)));
}

/// What is known beside the error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    /// The first bytes from the other side.
    pub(super) head: &'a [u8],
    /// The server asked for a certificate that we did not have.
    pub(super) wants_certificate: bool,
}

impl TlsError {
    /// The reason behind an error of a stream, if TLS is the reason.
    pub fn behind(error: &io::Error) -> Option<&TlsError> {
        error.get_ref()?.downcast_ref()
    }

    /// Finds the reason for a stream's error.
    pub(super) fn of(error: &io::Error, seen: Seen<'_>) -> TlsError {
        let inner = error.get_ref().and_then(|inner| {
            inner
                .downcast_ref::<Error>()
                .or_else(|| inner.source()?.downcast_ref())
        });
        let refused = REFUSED.with(RefCell::take);
        match (inner, Answer::of(seen.head)) {
            (Some(Error::InvalidCertificate(kind)), _) => refused.unwrap_or_else(|| by_kind(kind)),
            (Some(Error::AlertReceived(alert)), _) => by_alert(*alert, seen),
            (Some(Error::InvalidMessage(_)), Some(answer)) => TlsError::NotTls(answer),
            (Some(error), _) => by_error(error),
            (None, _) if seen.wants_certificate && is_cut(error) => TlsError::CertificateWanted,
            (None, Some(answer)) if is_cut(error) => TlsError::NotTls(answer),
            (None, None) if is_cut(error) => {
                TlsError::Alert("it closed the connection during the handshake")
            }
            (None, _) => TlsError::Failed(words(error)),
        }
    }

    /// What the user of a client could do about it; `None` where the sentence says it all.
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Expired { .. } => {
                "The server needs a new certificate, or the clock of this computer is wrong. --insecure connects without checking anything, for tests."
            }
            Self::NotYetValid { .. } => "Check the clock of this computer.",
            Self::WrongName { .. } => {
                "Give one of these names with -h. --insecure connects without checking anything, for tests."
            }
            Self::UnknownIssuer { .. } => {
                "Give the certificate of this authority with --cafile FILE. --insecure connects without checking anything, for tests."
            }
            Self::ForgedIssuer { .. } => {
                "The file in --cafile is out of date, or somebody listens in. Ask the owner of the server for the certificate of the authority."
            }
            Self::CertificateWanted => {
                "Add --cert FILE and --key FILE with a certificate that the server knows."
            }
            Self::CertificateRefused(_) => {
                "Check the files in --cert and --key: who has signed the certificate, and until when it is good."
            }
            Self::NotTls(Answer::Closed) => {
                "Perhaps this port is not for TLS. MQTT with TLS is mostly on port 8883; without TLS leave out --cafile and the like."
            }
            Self::NotTls(_) => {
                "This port is not for TLS. MQTT with TLS is mostly on port 8883; without TLS leave out --cafile and the like."
            }
            Self::Version(_) => {
                "TLS before version 1.2 is not safe any more and not there. --tls-version tlsv1.2 allows 1.2 and 1.3."
            }
            Self::NothingInCommon => {
                "Leave out --ciphers, or ask the owner of the server for TLS 1.2 or newer."
            }
            Self::InvalidName(_) => "Check the name in -h.",
            _ => return None,
        })
    }
}

/// Whether the connection just ended.
fn is_cut(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe
    )
}

fn words(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

fn by_error(error: &Error) -> TlsError {
    use PeerIncompatible as Lacks;
    match error {
        Error::NoCertificatesPresented => TlsError::CertificateMissing,
        Error::PeerIncompatible(
            Lacks::NoCipherSuitesInCommon
            | Lacks::NoKxGroupsInCommon
            | Lacks::NoSignatureSchemesInCommon,
        ) => TlsError::NothingInCommon,
        Error::PeerIncompatible(
            Lacks::ServerDoesNotSupportTls12Or13
            | Lacks::Tls12NotOffered
            | Lacks::Tls12NotOfferedOrEnabled
            | Lacks::SupportedVersionsExtensionRequired,
        ) => TlsError::Version("TLS 1.2 or newer"),
        Error::PeerIncompatible(
            Lacks::ServerTlsVersionIsDisabledByOurConfig | Lacks::Tls13RequiredForQuic,
        ) => TlsError::Version("TLS 1.3, which is asked for"),
        other => TlsError::Failed(other.to_string()),
    }
}

fn by_kind(kind: &CertificateError) -> TlsError {
    TlsError::BadCertificate {
        name: "the other side".into(),
        why: kind.to_string(),
    }
}

fn by_alert(alert: AlertDescription, seen: Seen<'_>) -> TlsError {
    use AlertDescription as Alert;
    if alert == Alert::CertificateRequired
        || seen.wants_certificate
            && matches!(
                alert,
                Alert::HandshakeFailure | Alert::BadCertificate | Alert::CertificateUnknown
            )
    {
        return TlsError::CertificateWanted;
    }
    let refused = match alert {
        Alert::BadCertificate => "it is bad",
        Alert::UnsupportedCertificate => "it is of the wrong kind",
        Alert::CertificateRevoked => "it is revoked",
        Alert::CertificateExpired => "it has expired",
        Alert::CertificateUnknown => "it cannot be checked",
        Alert::UnknownCA => "the authority that has signed it is not known there",
        Alert::AccessDenied => "access is denied",
        _ => "",
    };
    if !refused.is_empty() {
        return TlsError::CertificateRefused(refused);
    }
    match alert {
        Alert::ProtocolVersion => {
            TlsError::Version("a version of TLS that is allowed here (1.2 or 1.3)")
        }
        Alert::InsufficientSecurity => TlsError::NothingInCommon,
        Alert::HandshakeFailure => TlsError::Alert(
            "the handshake failed: no common cipher, or it wants a client certificate",
        ),
        Alert::UnrecognisedName => TlsError::Alert("it does not know the name that was asked for"),
        Alert::NoApplicationProtocol => {
            TlsError::Alert("it does not know the protocol of --tls-alpn")
        }
        Alert::UnknownPSKIdentity => TlsError::Alert("it wants a pre-shared key"),
        Alert::DecryptError => TlsError::Alert("a signature or a checksum is wrong"),
        Alert::DecodeError | Alert::IllegalParameter | Alert::UnexpectedMessage => {
            TlsError::Alert("it did not understand us")
        }
        Alert::InternalError => TlsError::Alert("it has a fault of its own"),
        Alert::UserCanceled | Alert::CloseNotify => TlsError::Alert("it gave up"),
        _ => TlsError::Alert("it sent an alert"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_who_answers() {
        for (head, expected) in [
            (&b"\x16\x03\x01"[..], None),
            (b"\x15\x03\x03", None),
            (b"\x10\x0c\0\x04MQTT", Some(Answer::Mqtt)),
            (b"\x20\x02\0\x05", Some(Answer::Mqtt)),
            (b"HTTP/1.1 400", Some(Answer::Http)),
            (b"GET / HT", Some(Answer::Http)),
            (b"SSH-2.0-", Some(Answer::Other)),
            (b"", Some(Answer::Closed)),
        ] {
            assert_eq!(Answer::of(head), expected, "{head:?}");
        }
    }

    #[test]
    fn an_alert_after_a_request_for_a_certificate_means_that_one_is_wanted() {
        let seen = |wants_certificate| Seen {
            head: b"\x16\x03\x03",
            wants_certificate,
        };
        let error = |alert| io::Error::new(io::ErrorKind::InvalidData, Error::AlertReceived(alert));
        let failed = error(AlertDescription::HandshakeFailure);
        assert_eq!(
            TlsError::of(&failed, seen(true)),
            TlsError::CertificateWanted
        );
        assert!(matches!(
            TlsError::of(&failed, seen(false)),
            TlsError::Alert(_)
        ));
        let required = error(AlertDescription::CertificateRequired);
        assert_eq!(
            TlsError::of(&required, seen(false)),
            TlsError::CertificateWanted
        );
        let unknown = error(AlertDescription::UnknownCA);
        assert!(matches!(
            TlsError::of(&unknown, seen(true)),
            TlsError::CertificateRefused(_)
        ));
    }
}
