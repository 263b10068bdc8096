//! Both roles against each other, over a pipe: what works, and the exact reason for what does not.

use std::path::Path;
use std::sync::LazyLock;

use mqtt_testkit::certificates::{Certificates, EXPIRED_ON, PASSPHRASE};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

static FILES: LazyLock<Certificates> = LazyLock::new(Certificates::new);

fn nobody(_: &Path) -> Result<String, String> {
    Err("there is nobody to ask".into())
}

fn server(name: &str) -> ServerOptions {
    ServerOptions {
        cert: FILES.path(&format!("{name}.crt")),
        key: FILES.path(&format!("{name}.key")),
        ..ServerOptions::default()
    }
}

/// A server that wants to see certificates of `ca`.
fn strict_server() -> ServerOptions {
    ServerOptions {
        ca_file: Some(FILES.path("ca.crt")),
        require_certificate: true,
        ..server("server")
    }
}

fn client(ca: &str) -> ClientOptions {
    ClientOptions {
        ca_file: Some(FILES.path(ca)),
        ..ClientOptions::default()
    }
}

fn client_with(certificate: &str) -> ClientOptions {
    let (cert, key) = (format!("{certificate}.crt"), format!("{certificate}.key"));
    ClientOptions {
        cert: Some(FILES.path(&cert)),
        key: Some(FILES.path(&key)),
        ..client("ca.crt")
    }
}

/// A client that speaks TLS 1.2 only.
fn older(client: ClientOptions) -> ClientOptions {
    ClientOptions {
        ciphers: Some(Ciphers::only_tls12()),
        ..client
    }
}

/// What each side has come to.
struct Met {
    client: Result<String, TlsError>,
    server: Result<Option<PeerNames>, TlsError>,
}

/// Lets the two meet; they exchange a word in each direction.
async fn meet(server: &ServerOptions, client: &ClientOptions, host: Option<&str>) -> Met {
    let server = server.load(&nobody).expect("the server's files are good");
    let client = client.load(&nobody).expect("the client's files are good");
    let (near, far) = duplex(64 * 1024);
    let serve = tokio::spawn(async move {
        match server.accept(far).await {
            Ok(mut stream) => {
                let mut word = [0; 4];
                let _ = stream.read_exact(&mut word).await;
                let _ = stream.write_all(b"pong").await;
                let _ = stream.shutdown().await;
                Ok(stream.peer_names())
            }
            Err((reason, stream)) => {
                ServerConfig::farewell(stream).await;
                Err(reason)
            }
        }
    });
    let client = talk(&client, near, host).await;
    Met {
        client,
        server: serve.await.expect("the server does not panic"),
    }
}

async fn talk(
    client: &ClientConfig,
    stream: DuplexStream,
    host: Option<&str>,
) -> Result<String, TlsError> {
    let mut stream = client.connect(stream, host).await?;
    let exchange = async {
        stream.write_all(b"ping").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    match exchange.await {
        Ok(answer) => Ok(format!("{answer} {}", stream.version())),
        Err(error) => match TlsError::behind(&error) {
            Some(reason) => Err(reason.clone()),
            None => Err(TlsError::Failed(error.to_string())),
        },
    }
}

#[track_caller]
fn check(met: Result<String, TlsError>, expected: &str) {
    match met {
        Ok(said) => assert_eq!(said, expected),
        Err(reason) => assert_eq!(reason.to_string(), expected),
    }
}

#[tokio::test]
async fn a_client_that_knows_the_authority_gets_in() {
    for name in ["server", "server-ed25519", "server-rsa", "server-chain"] {
        for host in ["localhost", "127.0.0.1", "::1", "[::1]"] {
            let met = meet(&server(name), &client("ca.crt"), Some(host)).await;
            check(met.client, "pong TLSv1.3");
            assert_eq!(met.server, Ok(None), "{name} {host}");
        }
    }
}

#[tokio::test]
async fn a_server_completes_its_chain_from_its_authorities() {
    let folder = tempfile::tempdir().unwrap();
    let chain = std::fs::read_to_string(FILES.path("server-chain.crt")).unwrap();
    let alone = folder.path().join("server.crt");
    let end = chain.find("-----END").unwrap() + 26;
    std::fs::write(&alone, &chain[..end]).unwrap();
    let mut server = ServerOptions {
        cert: alone,
        ..server("server-chain")
    };
    let met = meet(&server, &client("ca.crt"), Some("localhost")).await;
    assert!(matches!(met.client, Err(TlsError::UnknownIssuer { .. })));
    server.ca_file = Some(FILES.path("middle-ca.crt"));
    let met = meet(&server, &client("ca.crt"), Some("localhost")).await;
    check(met.client, "pong TLSv1.3");
}

#[tokio::test]
async fn a_certificate_is_refused_with_its_exact_reason() {
    let expired = format!("the certificate of 'localhost' expired on {EXPIRED_ON}");
    for (certificate, ca, host, expected) in [
        ("server-expired", "ca.crt", "localhost", expired.as_str()),
        (
            "server-future",
            "ca.crt",
            "localhost",
            "the certificate of 'localhost' is not valid before 2200-01-01 00:00 UTC",
        ),
        (
            "server-other-name",
            "ca.crt",
            "localhost",
            "the certificate is not for 'localhost' but for [broker.example.org, *.lab.example.org]",
        ),
        (
            "server",
            "ca.crt",
            "127.0.0.2",
            "the certificate is not for '127.0.0.2' but for [localhost, 127.0.0.1, ::1]",
        ),
        (
            "server",
            "other-ca.crt",
            "localhost",
            "the certificate is signed by 'Test CA', which is not one of the authorities trusted here",
        ),
        (
            "server-alone",
            "ca.crt",
            "localhost",
            "the certificate is signed by 'localhost', which is not one of the authorities trusted here",
        ),
        (
            "client",
            "ca.crt",
            "localhost",
            "the certificate of 'test client' cannot be used: it is not meant for servers",
        ),
        (
            "server-plain",
            "ca.crt",
            "127.0.0.1",
            "the certificate is not for '127.0.0.1' but for [localhost]",
        ),
        (
            "server",
            "ca.crt",
            "no such host",
            "'no such host' is not a name that a certificate could have",
        ),
    ] {
        let met = meet(&server(certificate), &client(ca), Some(host)).await;
        check(met.client, expected);
        assert!(
            met.server.is_err(),
            "{certificate}: the server knows it, too"
        );
    }
}

#[tokio::test]
async fn certificates_of_older_kinds_are_good_where_the_user_names_the_authority() {
    for (certificate, ca) in [
        ("server-plain", "ca.crt"),
        ("server-old", "old-ca.crt"),
        ("server-alone", "server-alone.crt"),
    ] {
        check(
            meet(&server(certificate), &client(ca), Some("localhost"))
                .await
                .client,
            "pong TLSv1.3",
        );
        let met = meet(&server(certificate), &older(client(ca)), Some("localhost")).await;
        check(met.client, "pong TLSv1.2");
        let met = meet(&server(certificate), &client(ca), Some("otherhost")).await;
        check(
            met.client,
            "the certificate is not for 'otherhost' but for [localhost]"
                .replace(
                    "[localhost]",
                    if certificate == "server-alone" {
                        "[localhost, 127.0.0.1, ::1]"
                    } else {
                        "[localhost]"
                    },
                )
                .as_str(),
        );
    }
}

#[tokio::test]
async fn a_client_that_checks_nothing_gets_in_everywhere() {
    let careless = ClientOptions {
        insecure: true,
        ..client("other-ca.crt")
    };
    for name in [
        "server",
        "server-expired",
        "server-other-name",
        "server-alone",
        "server-old",
    ] {
        check(
            meet(&server(name), &careless, Some("localhost"))
                .await
                .client,
            "pong TLSv1.3",
        );
    }
}

#[tokio::test]
async fn without_a_host_the_name_does_not_matter_but_the_authority_does() {
    let other_name = server("server-other-name");
    check(
        meet(&other_name, &client("ca.crt"), None).await.client,
        "pong TLSv1.3",
    );
    let met = meet(&other_name, &client("other-ca.crt"), None).await;
    assert!(matches!(met.client, Err(TlsError::UnknownIssuer { .. })));
}

#[tokio::test]
async fn clients_show_who_they_are() {
    let names = PeerNames {
        common_name: Some("test client".into()),
        subject: Some("CN=test client,O=Lab,C=GR".into()),
    };
    let met = meet(&strict_server(), &client_with("client"), Some("localhost")).await;
    check(met.client, "pong TLSv1.3");
    assert_eq!(met.server, Ok(Some(names.clone())));
    let met = meet(
        &strict_server(),
        &older(client_with("client")),
        Some("localhost"),
    )
    .await;
    check(met.client, "pong TLSv1.2");
    assert_eq!(met.server, Ok(Some(names)));
}

#[tokio::test]
async fn a_server_that_wants_certificates_says_what_is_wrong_with_them() {
    let revoking = ServerOptions {
        crl_file: Some(FILES.path("ca.crl")),
        ..strict_server()
    };
    let expired = format!("the certificate of 'expired client' expired on {EXPIRED_ON}");
    let refused = |why: &str| format!("the other side refuses our certificate: {why}");
    for (server, with, to_client, to_server) in [
        (
            &strict_server(),
            "client-expired",
            refused("it has expired"),
            expired.as_str(),
        ),
        (
            &strict_server(),
            "client-other",
            refused("the authority that has signed it is not known there"),
            "the certificate is signed by 'Other CA', which is not one of the authorities trusted here",
        ),
        (
            &revoking,
            "client-revoked",
            refused("it is revoked"),
            "the certificate of 'revoked client' is revoked",
        ),
    ] {
        let met = meet(server, &client_with(with), Some("localhost")).await;
        check(met.client, &to_client);
        assert_eq!(met.server.unwrap_err().to_string(), to_server);
    }
    let met = meet(&revoking, &client_with("client"), Some("localhost")).await;
    check(met.client, "pong TLSv1.3");
}

#[tokio::test]
async fn a_client_without_a_certificate_learns_that_one_is_wanted() {
    let newer = strict_server();
    for client in [client("ca.crt"), older(client("ca.crt"))] {
        let met = meet(&newer, &client, Some("localhost")).await;
        assert_eq!(met.client, Err(TlsError::CertificateWanted));
        assert_eq!(met.server, Err(TlsError::CertificateMissing));
    }
}

#[tokio::test]
async fn dates_of_clients_can_be_overlooked_but_nothing_else() {
    let lenient = ServerOptions {
        ignore_client_dates: true,
        ..strict_server()
    };
    check(
        meet(&lenient, &client_with("client-expired"), Some("localhost"))
            .await
            .client,
        "pong TLSv1.3",
    );
    assert!(
        meet(&lenient, &client_with("client-other"), Some("localhost"))
            .await
            .server
            .is_err()
    );
    let revoking = ServerOptions {
        crl_file: Some(FILES.path("ca.crl")),
        ..lenient
    };
    let met = meet(&revoking, &client_with("client-revoked"), Some("localhost")).await;
    assert_eq!(
        met.server,
        Err(TlsError::Revoked {
            name: "revoked client".into()
        })
    );
    check(
        meet(&revoking, &client_with("client-expired"), Some("localhost"))
            .await
            .client,
        "pong TLSv1.3",
    );
}

#[tokio::test]
async fn versions_and_ciphers_that_do_not_meet_are_named() {
    let gcm = Ciphers::parse(None, Some("TLS_AES_128_GCM_SHA256")).unwrap();
    let chacha = Ciphers::parse(None, Some("TLS_CHACHA20_POLY1305_SHA256")).unwrap();
    let server = ServerOptions {
        ciphers: Some(gcm),
        min_version: MinVersion::V1_3,
        ..server("server")
    };
    let client = ClientOptions {
        ciphers: Some(chacha),
        min_version: MinVersion::V1_3,
        ..client("ca.crt")
    };
    let met = meet(&server, &client, Some("localhost")).await;
    assert_eq!(met.server, Err(TlsError::NothingInCommon));
    assert!(met.client.is_err());
    let newer = ServerOptions {
        min_version: MinVersion::V1_3,
        ..self::server("server")
    };
    let met = meet(&newer, &older(self::client("ca.crt")), Some("localhost")).await;
    let version =
        "the other side does not speak a version of TLS that is allowed here (1.2 or 1.3)";
    check(met.client, version);
    assert!(
        matches!(met.server, Err(TlsError::Version(_))),
        "{:?}",
        met.server
    );
}

#[tokio::test]
async fn a_peer_without_tls_is_recognised_by_its_first_bytes() {
    for (bytes, expected) in [
        (&b"\x20\x02\x00\x05"[..], Answer::Mqtt),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Answer::Http),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Answer::Other),
        (b"", Answer::Closed),
    ] {
        let (near, mut far) = duplex(4096);
        far.write_all(bytes).await.unwrap();
        far.shutdown().await.unwrap();
        let client = client("ca.crt").load(&nobody).unwrap();
        assert_eq!(
            client.connect(near, Some("localhost")).await.unwrap_err(),
            TlsError::NotTls(expected)
        );
    }
    for (bytes, expected) in [
        (
            &b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"[..],
            Answer::Mqtt,
        ),
        (b"GET / HTTP/1.1\r\n\r\n", Answer::Http),
        (b"", Answer::Closed),
    ] {
        let (mut near, far) = duplex(4096);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let server = server("server").load(&nobody).unwrap();
        let (reason, _) = server.accept(far).await.unwrap_err();
        assert_eq!(reason, TlsError::NotTls(expected));
    }
}

#[test]
fn files_that_cannot_be_used_are_named_with_the_reason() {
    let (cert, key) = (FILES.path("server.crt"), FILES.path("server.key"));
    let options = |cert: &Path, key: &Path| ServerOptions {
        cert: cert.into(),
        key: key.into(),
        ..ServerOptions::default()
    };
    for (options, expected) in [
        (
            options(Path::new("none.crt"), &key),
            "the certificate file 'none.crt' cannot be used: it cannot be read: ",
        ),
        (
            options(&key, &key),
            "there is no certificate in it, but a private key",
        ),
        (
            options(&cert, &cert),
            "there is no private key in it, but a certificate",
        ),
        (
            options(&cert, &FILES.path("client.key")),
            "it does not belong to the certificate in ",
        ),
        (options(Path::new(file!()), &key), "cannot be "),
        (
            options(&cert, &FILES.path("server-encrypted.key")),
            "it is encrypted, and there is nobody to ask",
        ),
        (
            options(&cert, &FILES.path("server-old-encrypted.key")),
            "`openssl pkcs8 -topk8",
        ),
        (
            ServerOptions {
                crl_file: Some(cert.clone()),
                ..strict_server()
            },
            "there is no revocation list in it, but a certificate",
        ),
        (
            ServerOptions {
                ca_file: None,
                ..strict_server()
            },
            "there is no cafile or capath to check them with",
        ),
    ] {
        let error = options.load(&nobody).unwrap_err().to_string();
        assert!(
            error.contains(expected),
            "expected '{expected}' in '{error}'"
        );
    }
}

#[test]
fn encrypted_keys_open_with_the_right_passphrase_only() {
    for (cert, key) in [
        ("server.crt", "server-encrypted.key"),
        ("server-old.crt", "server-old-3des.key"),
    ] {
        let options = ServerOptions {
            cert: FILES.path(cert),
            key: FILES.path(key),
            ..ServerOptions::default()
        };
        options
            .load(&|_| Ok(PASSPHRASE.into()))
            .expect("the passphrase is right");
        let error = options
            .load(&|_| Ok("wrong".into()))
            .unwrap_err()
            .to_string();
        assert!(error.ends_with("the passphrase is wrong"), "{error}");
    }
}

#[tokio::test]
async fn secrets_are_logged_for_wireshark() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let logging = ServerOptions {
        keylog: Some(path.clone()),
        ..server("server")
    };
    meet(&logging, &client("ca.crt"), Some("localhost"))
        .await
        .client
        .unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("SERVER_HANDSHAKE_TRAFFIC_SECRET "), "{text}");
    assert!(
        text.lines().all(|line| line.split(' ').count() == 3),
        "{text}"
    );
}

#[tokio::test]
async fn a_folder_of_authorities_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ca.crt", "other-ca.crt"] {
        std::fs::copy(FILES.path(name), folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "not a certificate").unwrap();
    let client = ClientOptions {
        ca_dir: Some(folder.path().into()),
        ..ClientOptions::default()
    };
    check(
        meet(&server("server"), &client, Some("localhost"))
            .await
            .client,
        "pong TLSv1.3",
    );
}

#[tokio::test]
async fn what_did_not_leave_at_once_leaves_while_reading() {
    // The pipe holds less than what is written, and nobody flushes.
    let (near, far) = duplex(1024);
    let (server, client) = (
        server("server").load(&nobody).unwrap(),
        client("ca.crt").load(&nobody).unwrap(),
    );
    let serve = tokio::spawn(async move {
        let Ok(mut stream) = server.accept(far).await else {
            panic!("the handshake works")
        };
        let mut all = vec![0; 40_000];
        stream.read_exact(&mut all).await.unwrap();
        stream.write_all(b"thanks").await.unwrap();
        stream.flush().await.unwrap();
    });
    let mut stream = client.connect(near, Some("localhost")).await.unwrap();
    stream.write_all(&[7; 40_000]).await.unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"thanks");
    serve.await.unwrap();
}
