//! The test server's eleven ports, right and wrong use alike: with our clients, Debian's, Python's
//! paho-mqtt and MQTT.js. `docs/test-server.md` is the same as an exercise.

mod scripts;
mod server;

use crate::clients::Clients;
use mqtt_testkit::certificates::EXPIRED_ON;
#[cfg(unix)]
use mqtt_testkit::{program::Program, tools::tool};
use scripts::{Scripted, mqtt_js, paho};
use server::TestServer;
#[cfg(unix)]
use std::{path::Path, process::Command};

/// A visitor of one port: what is said besides host and port, and what must come of it.
struct Visit {
    port: u16,
    /// Flags as a student types them; `@` stands for the folder of the certificates.
    flags: &'static str,
    /// What our client answers, in part; empty where it works.
    refusal: &'static str,
    /// What Debian's clients make of it: not all do everything that ours do.
    mosquitto: Mosquitto,
}

/// How Debian's clients (version 2.0) fare with the same flags.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mosquitto {
    /// As ours.
    Same,
    /// They check dates even with `--insecure`.
    Stricter,
    /// They know no WebSockets.
    Unable,
}
use Mosquitto::{Same, Stricter, Unable};

const fn visit(
    port: u16,
    flags: &'static str,
    refusal: &'static str,
    mosquitto: Mosquitto,
) -> Visit {
    Visit {
        port,
        flags,
        refusal,
        mosquitto,
    }
}

const USER: &str = "-u student -P learn";
const NOT_AUTHORISED: &str = "not authorised";
const UNKNOWN: &str = "which is not one of the authorities trusted here";

/// Every row of the table in the exercise.
#[rustfmt::skip]
const VISITS: &[Visit] = &[
    // In clear.
    visit(1883, "", "", Same),
    visit(1883, "--cafile @ca.crt", "closed the connection instead of answering in TLS", Same),
    visit(1884, "", NOT_AUTHORISED, Same),
    visit(1884, "-u student -P wrong", NOT_AUTHORISED, Same),
    visit(1884, "-u nobody -P learn", NOT_AUTHORISED, Same),
    visit(1884, USER, "", Same),
    // TLS with the lab's own authority.
    visit(8883, "--cafile @ca.crt", "", Same),
    visit(8883, "--tls-use-os-certs", UNKNOWN, Same),
    visit(8883, "--cafile @other-ca.crt", "signed by 'Test CA'", Same),
    visit(8883, "", "the answer is not MQTT but TLS", Same),
    // Client certificates.
    visit(8884, "--cafile @ca.crt --cert @client.crt --key @client.key", "", Same),
    visit(8884, "--cafile @ca.crt", "the server wants a client certificate", Same),
    visit(8884, "--cafile @ca.crt --cert @client-revoked.crt --key @client-revoked.key", "it is revoked", Same),
    visit(8884, "--cafile @ca.crt --cert @client-expired.crt --key @client-expired.key", "it has expired", Same),
    visit(8884, "--cafile @ca.crt --cert @client-other.crt --key @client-other.key", "is not known there", Same),
    visit(8884, "--cafile @ca.crt --cert @client.crt --key @server.key", "it does not belong to the certificate", Same),
    // TLS and users.
    visit(8885, "--cafile @ca.crt -u student -P learn", "", Same),
    visit(8885, "--cafile @ca.crt", NOT_AUTHORISED, Same),
    visit(8885, "-u student -P learn", "the answer is not MQTT but TLS", Same),
    // An authority that the system knows.
    visit(8886, "--tls-use-os-certs", "", Same),
    visit(8886, "--cafile @ca.crt", "signed by 'Public CA'", Same),
    // Expired on purpose.
    visit(8887, "--cafile @ca.crt", "the certificate of 'localhost' expired on", Same),
    visit(8887, "--cafile @ca.crt --insecure", "", Stricter),
    // WebSockets.
    visit(8080, "--ws", "", Unable),
    visit(8081, "--ws --cafile @ca.crt", "", Unable),
    visit(8081, "--ws --cafile @other-ca.crt", UNKNOWN, Unable),
    visit(8090, "--ws -u student -P learn", "", Unable),
    visit(8090, "--ws", NOT_AUTHORISED, Unable),
    visit(8091, "--ws --cafile @ca.crt -u teacher -P teach", "", Unable),
    visit(8091, "--ws --cafile @ca.crt", NOT_AUTHORISED, Unable),
];

#[test]
fn our_clients_get_in_where_they_should_and_say_why_where_not() {
    let server = TestServer::start();
    let clients = Clients::ours();
    for visit in VISITS {
        let refused = clients.visit(&server, visit.port, visit.flags);
        let line = format!("port {}, {}: {refused:?}", visit.port, visit.flags);
        match (refused, visit.refusal) {
            (None, "") => {}
            (Some(said), expected) if !expected.is_empty() => {
                let said = said.to_lowercase();
                assert!(
                    said.contains(&expected.to_lowercase()),
                    "expected '{expected}'; {line}"
                );
            }
            _ => panic!("expected '{}'; {line}", visit.refusal),
        }
    }
    let said = clients
        .visit(&server, 8887, "--cafile @ca.crt")
        .expect("it has expired");
    assert!(said.contains(EXPIRED_ON), "{said}");
}

#[test]
fn debians_clients_get_in_where_ours_do() {
    let Some(clients) = Clients::mosquitto() else {
        return;
    };
    let server = TestServer::start();
    for visit in VISITS.iter().filter(|visit| visit.mosquitto != Unable) {
        let refused = clients.visit(&server, visit.port, visit.flags);
        let expected = !visit.refusal.is_empty() || visit.mosquitto == Stricter;
        assert_eq!(
            refused.is_some(),
            expected,
            "port {}, {}: {refused:?}",
            visit.port,
            visit.flags
        );
    }
}

/// What scripts say for the rows of WebSockets, and for one of each other kind.
#[rustfmt::skip]
const SCRIPTED: &[(Scripted, bool)] = &[
    (Scripted::at(8080).websocket(), true),
    (Scripted::at(8081).websocket().trusting("ca.crt"), true),
    (Scripted::at(8081).websocket().trusting("other-ca.crt"), false),
    (Scripted::at(8090).websocket().user("student", "learn"), true),
    (Scripted::at(8090).websocket().user("student", "wrong"), false),
    (Scripted::at(8090).websocket(), false),
    (Scripted::at(8091).websocket().trusting("ca.crt").user("teacher", "teach"), true),
    (Scripted::at(8091).websocket().trusting("ca.crt"), false),
    (Scripted::at(1883), true),
    (Scripted::at(1884).user("student", "learn"), true),
    (Scripted::at(8883).trusting("ca.crt"), true),
    (Scripted::at(8884).trusting("ca.crt").showing("client"), true),
    (Scripted::at(8884).trusting("ca.crt").showing("client-revoked"), false),
    (Scripted::at(8884).trusting("ca.crt"), false),
    (Scripted::at(8885).trusting("ca.crt").user("student", "learn"), true),
    (Scripted::at(8886).trusting("public-ca.crt"), true),
    (Scripted::at(8887).trusting("ca.crt"), false),
];

#[test]
fn paho_gets_in_where_it_should() {
    let server = TestServer::start();
    for (script, expected) in SCRIPTED {
        let Some(command) = paho() else { return };
        let (got_in, said) = script.run(command, &server);
        assert_eq!(got_in, *expected, "{script:?}: {said}");
    }
}

#[test]
fn mqtt_js_gets_in_where_it_should() {
    let server = TestServer::start();
    for (script, expected) in SCRIPTED {
        let Some(command) = mqtt_js() else { return };
        let (got_in, said) = script.run(command, &server);
        assert_eq!(got_in, *expected, "{script:?}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn the_script_makes_all_it_needs_and_starts_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let (conf, _) = server::on_free_ports();
    let conf_file = folder.path().join("test.conf");
    std::fs::write(&conf_file, conf).unwrap();
    tool("mqtt-passwd");
    let broker = tool("mqtt-broker");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/test-server.sh");
    let mut command = Command::new("bash");
    command
        .arg(script)
        .arg(folder.path().join("made"))
        .env("TEST_SERVER_BIN", broker.parent().unwrap())
        .env("TEST_SERVER_CONF", conf_file);
    let script = Program::of(command);
    script.expect_stderr("Certificates and passwords are in");
    script.expect_stderr(" running\n");
    assert!(folder.path().join("made/client-revoked.key").exists());
}
