//! Cipher suites by the names that OpenSSL and the standards give them.

use rustls::CipherSuite;

/// The suites there are: number, name in the standards, name in OpenSSL.
const SUITES: &[(CipherSuite, &str, &str)] = &[
    (
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        "TLS_AES_256_GCM_SHA384",
        "TLS_AES_256_GCM_SHA384",
    ),
    (
        CipherSuite::TLS13_AES_128_GCM_SHA256,
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_128_GCM_SHA256",
    ),
    (
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
    ),
    (
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        "ECDHE-RSA-CHACHA20-POLY1305",
    ),
];

/// How many of [`SUITES`], counted from the front, belong to TLS 1.3.
const TLS13: usize = 3;

/// Words of OpenSSL's cipher lists that stand for many suites. All suites here are among the strong
/// ones that they mean, so they mean all suites here.
const GROUPS: &[&str] = &[
    "DEFAULT", "ALL", "HIGH", "SECURE", "ECDHE", "EECDH", "kECDHE", "kEECDH", "AEAD", "TLSv1.2",
];

/// The suites that were asked for, in the order of the lists; TLS 1.2 and 1.3 each have one, as in
/// OpenSSL, and a list that is not given means all of its version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ciphers {
    tls12: Option<Vec<CipherSuite>>,
    tls13: Option<Vec<CipherSuite>>,
    /// Names in the lists that mean nothing here, for a warning.
    pub unknown: Vec<String>,
}

impl Ciphers {
    /// Reads the two lists, in which `:`, `,` or blanks part the names. `!` and `-` take a suite or a
    /// group away, `@` orders and is passed over.
    ///
    /// # Errors
    /// The list, if not one of the suites it names exists here.
    pub fn parse(tls12: Option<&str>, tls13: Option<&str>) -> Result<Self, String> {
        let mut ciphers = Self::default();
        // A suite of TLS 1.3 may stand in the one list that clients have for both versions.
        if let Some(list) = tls12 {
            let all = ciphers.read(list)?;
            let (new, old): (Vec<_>, Vec<_>) = all.into_iter().partition(|suite| is_tls13(*suite));
            if !new.is_empty() && tls13.is_none() {
                ciphers.tls13 = Some(new);
            }
            if !old.is_empty() {
                ciphers.tls12 = Some(old);
            }
        }
        if let Some(list) = tls13 {
            let mut all = ciphers.read(list)?;
            all.retain(|suite| is_tls13(*suite));
            if all.is_empty() {
                return Err(list.to_owned());
            }
            ciphers.tls13 = Some(all);
        }
        Ok(ciphers)
    }

    /// All suites of TLS 1.2 and none of 1.3: the only way to meet the older version.
    #[cfg(test)]
    pub(super) fn only_tls12() -> Self {
        Self {
            tls13: Some(Vec::new()),
            ..Self::default()
        }
    }

    fn read(&mut self, list: &str) -> Result<Vec<CipherSuite>, String> {
        let mut chosen: Vec<CipherSuite> = Vec::new();
        for word in list.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
            if let Some(taken) = word.strip_prefix(['!', '-']) {
                let taken = meaning(taken);
                chosen.retain(|suite| !taken.contains(suite));
            } else if !word.starts_with('@') {
                let found = meaning(word.trim_start_matches('+'));
                if found.is_empty() {
                    self.unknown.push(word.to_owned());
                }
                for suite in found {
                    if !chosen.contains(&suite) {
                        chosen.push(suite);
                    }
                }
            }
        }
        if chosen.is_empty() {
            Err(list.to_owned())
        } else {
            Ok(chosen)
        }
    }

    pub(super) fn allows(&self, suite: CipherSuite) -> bool {
        let list = if is_tls13(suite) {
            &self.tls13
        } else {
            &self.tls12
        };
        list.as_ref().is_none_or(|list| list.contains(&suite))
    }

    /// Where a suite stands in its list.
    pub(super) fn rank(&self, suite: CipherSuite) -> usize {
        let list = if is_tls13(suite) {
            &self.tls13
        } else {
            &self.tls12
        };
        list.as_ref()
            .and_then(|list| list.iter().position(|one| *one == suite))
            .unwrap_or(0)
    }
}

/// The suites that a name or a group means.
fn meaning(word: &str) -> Vec<CipherSuite> {
    if GROUPS.iter().any(|group| group.eq_ignore_ascii_case(word)) {
        return SUITES[TLS13..].iter().map(|row| row.0).collect();
    }
    SUITES
        .iter()
        .filter(|row| row.1.eq_ignore_ascii_case(word) || row.2.eq_ignore_ascii_case(word))
        .map(|row| row.0)
        .collect()
}

fn is_tls13(suite: CipherSuite) -> bool {
    SUITES[..TLS13].iter().any(|row| row.0 == suite)
}

/// OpenSSL's name of a suite, as it stands in logs.
pub(super) fn openssl_name(suite: CipherSuite) -> &'static str {
    SUITES
        .iter()
        .find(|row| row.0 == suite)
        .map_or("unknown", |row| row.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_of_the_library_has_a_name() {
        for suite in rustls::crypto::ring::ALL_CIPHER_SUITES {
            assert_ne!(
                openssl_name(suite.suite()),
                "unknown",
                "{:?}",
                suite.suite()
            );
            assert_eq!(is_tls13(suite.suite()), suite.tls13().is_some());
        }
        assert_eq!(SUITES.len(), rustls::crypto::ring::ALL_CIPHER_SUITES.len());
    }

    #[test]
    fn lists_are_read_as_openssl_writes_them() {
        let both = "ECDHE-RSA-CHACHA20-POLY1305:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
        let ciphers = Ciphers::parse(Some(both), None).unwrap();
        assert!(ciphers.allows(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256));
        assert!(!ciphers.allows(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384));
        assert!(
            ciphers.allows(CipherSuite::TLS13_AES_256_GCM_SHA384),
            "TLS 1.3 is not limited"
        );
        assert!(
            ciphers.rank(CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256)
                < ciphers.rank(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)
        );
        let usual = "DEFAULT:!aNULL:!eNULL:!LOW:!EXPORT:!SSLv2:@STRENGTH";
        let ciphers = Ciphers::parse(Some(usual), None).unwrap();
        assert_eq!(
            (ciphers.tls12.map(|list| list.len()), ciphers.unknown.len()),
            (Some(6), 0)
        );
    }

    #[test]
    fn a_name_that_is_unknown_is_kept_for_a_warning() {
        let ciphers = Ciphers::parse(Some("AES256-SHA,HIGH"), None).unwrap();
        assert_eq!(ciphers.unknown, ["AES256-SHA"]);
    }

    #[test]
    fn a_list_without_any_known_suite_is_an_error() {
        for (tls12, tls13) in [
            (Some("invalid"), None),
            (None, Some("invalid")),
            (None, Some("ECDHE-RSA-AES256-GCM-SHA384")),
            (Some("HIGH:!HIGH"), None),
        ] {
            assert!(Ciphers::parse(tls12, tls13).is_err(), "{tls12:?} {tls13:?}");
        }
    }

    #[test]
    fn one_list_of_a_client_may_name_suites_of_both_versions() {
        let ciphers = Ciphers::parse(Some("TLS_AES_128_GCM_SHA256"), None).unwrap();
        assert!(!ciphers.allows(CipherSuite::TLS13_AES_256_GCM_SHA384));
        assert!(ciphers.allows(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384));
    }
}
