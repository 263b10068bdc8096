//! Which options of TLS need each other.

use super::fault::Fault;
use super::options::{Config, Listener};

/// Looks for listeners whose TLS options do not make a whole.
pub(super) fn check(config: &Config) -> Vec<Fault> {
    let file = config
        .path
        .as_ref()
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let faults = config.listeners.iter().filter_map(|listener| {
        let (what, advice) = incomplete(listener)?;
        Some(Fault {
            file: file.clone(),
            line: 0,
            text: String::new(),
            what: format!("listener {}: {what}.", listener.port),
            advice: Some(advice.into()),
        })
    });
    // Scripts look for these two as Mosquitto says them: nothing may stand in front.
    let behind_proxy = config.listeners.iter().filter_map(|listener| {
        let (what, advice) = contradicts_proxy(listener)?;
        Some(Fault {
            file: String::new(),
            line: 0,
            text: String::new(),
            what: format!("{what} cannot be used with `enable_proxy_protocol 2`."),
            advice: Some(format!("{advice} (Listener {} of {file}.)", listener.port)),
        })
    });
    let mut faults: Vec<Fault> = faults.chain(behind_proxy).collect();
    // The two listeners of local-only mode share their options.
    faults.dedup();
    faults
}

/// What is missing, and what to write.
fn incomplete(listener: &Listener) -> Option<(&'static str, &'static str)> {
    const BOTH: &str = "TLS needs both: certfile FILE and keyfile FILE.";
    let is_secured = match (&listener.certfile, &listener.keyfile) {
        (Some(_), None) => return Some(("certfile is there, but no keyfile", BOTH)),
        (None, Some(_)) => return Some(("keyfile is there, but no certfile", BOTH)),
        (certfile, _) => certfile.is_some(),
    };
    if listener.cafile.is_some() && !is_secured {
        return Some(("cafile is there, but no certfile and keyfile", BOTH));
    }
    if listener.capath.is_some() && !is_secured {
        return Some(("capath is there, but no certfile and keyfile", BOTH));
    }
    if listener.use_identity_as_username && listener.use_subject_as_username {
        return Some((
            "use_identity_as_username and use_subject_as_username contradict each other",
            "Keep one of them.",
        ));
    }
    None
}

/// What a proxy that speaks TLS itself makes useless, and what to do instead.
fn contradicts_proxy(listener: &Listener) -> Option<(&'static str, &'static str)> {
    if listener.enable_proxy_protocol != Some(mqtt_net::ProxyVersion::V2) {
        return None;
    }
    if listener.certfile.is_some() || listener.keyfile.is_some() {
        return Some((
            "certfile and keyfile",
            "The proxy speaks TLS with the clients, so take them out.",
        ));
    }
    listener.use_subject_as_username.then_some((
        "use_subject_as_username",
        "The proxy tells the common name alone: use_identity_as_username true.",
    ))
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = text.parse::<Config>().map(|_| String::new());
        let found = found.unwrap_or_else(|faults| faults.to_string());
        assert!(
            found.contains(expected) && found.is_empty() == expected.is_empty(),
            "expected '{expected}' in '{found}'"
        );
    }

    #[test]
    fn options_of_tls_that_need_each_other_are_asked_for() {
        check("listener 8883\ncertfile a\nkeyfile b\ncafile c", "");
        check(
            "listener 8883\ncertfile a",
            "listener 8883: certfile is there, but no keyfile",
        );
        check(
            "listener 8883\nkeyfile a",
            "keyfile is there, but no certfile",
        );
        check(
            "listener 8883\ncafile a",
            "cafile is there, but no certfile and keyfile",
        );
        check(
            "listener 8883\ncapath a",
            "capath is there, but no certfile and keyfile",
        );
        check("certfile a", "no keyfile");
        check(
            "listener 1\nuse_identity_as_username 1\nuse_subject_as_username 1",
            "contradict each other",
        );
        check(
            "listener 1\nenable_proxy_protocol 2\ncertfile a\nkeyfile b",
            "The proxy speaks TLS",
        );
        check(
            "listener 1\nenable_proxy_protocol 2\nuse_subject_as_username true",
            "use_identity_as_username true",
        );
        check(
            "listener 1\nenable_proxy_protocol 2\nrequire_certificate true\nuse_identity_as_username true",
            "",
        );
    }
}
