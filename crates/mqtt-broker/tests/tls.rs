//! TLS listeners: who gets in, what the log says of others, and certificates that change meanwhile.

use mqtt_net::Socket;
use mqtt_net::tls::{ClientOptions, TlsError, TlsStream};
use mqtt_proto::{Packet, Version};
use mqtt_testkit::broker::BrokerProcess;
use mqtt_testkit::certificates::{Certificates, EXPIRED_ON};
use mqtt_testkit::peer::RawPeer;
use mqtt_testkit::program::Program;
use mqtt_testkit::tools::tool;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

static FILES: LazyLock<Certificates> = LazyLock::new(Certificates::new);

/// Longer than anything here takes, on a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(60);

/// A configuration with a TLS listener, in which `{name}` stands for the path of that file.
fn conf(lines: &str) -> String {
    let mut text = format!(
        "log_type all\nallow_anonymous true\nlistener {{port}} 127.0.0.1\n\
         certfile {}\nkeyfile {}\n",
        FILES.text("server.crt"),
        FILES.text("server.key")
    );
    for line in lines.lines() {
        text.push_str(&line.replace('@', &format!("{}/", files_folder())));
        text.push('\n');
    }
    text
}

fn files_folder() -> String {
    let file = FILES.path("ca.crt");
    let folder = file.parent().expect("a file lies in a folder");
    folder.display().to_string()
}

fn trusting(ca: &str) -> ClientOptions {
    ClientOptions {
        ca_file: Some(FILES.path(ca)),
        ..ClientOptions::default()
    }
}

fn showing(certificate: &str) -> ClientOptions {
    ClientOptions {
        cert: Some(FILES.path(&format!("{certificate}.crt"))),
        key: Some(FILES.path(&format!("{certificate}.key"))),
        ..trusting("ca.crt")
    }
}

/// A client that speaks packets over TLS.
struct Client {
    runtime: Runtime,
    stream: TlsStream<Socket>,
}

impl Client {
    fn connect(address: SocketAddr, options: &ClientOptions) -> Result<Client, TlsError> {
        let nobody = |_: &Path| Err("nobody is asked".to_owned());
        let config = options.load(&nobody).expect("the files are good");
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let stream = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(address).await;
            let socket = Socket::Tcp(socket.expect("the broker listens"));
            config.connect(socket, Some("localhost")).await
        })?;
        Ok(Client { runtime, stream })
    }

    /// Sends CONNECT and gives the return code of CONNACK.
    fn hello(&mut self, id: &str) -> Result<u8, TlsError> {
        let mut packet = Vec::new();
        Packet::Connect(RawPeer::hello(Version::V4, id))
            .encode(Version::V4, &mut packet)
            .expect("a short packet");
        self.send(&packet)?;
        Ok(self.receive::<4>()?[3])
    }

    fn ping(&mut self) -> Result<(), TlsError> {
        self.send(&[0xc0, 0])?;
        assert_eq!(self.receive::<2>()?, [0xd0, 0]);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), TlsError> {
        let written = self.runtime.block_on(async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        });
        written.map_err(|error| reason(&error))
    }

    fn receive<const N: usize>(&mut self) -> Result<[u8; N], TlsError> {
        let mut bytes = [0; N];
        let read = self.runtime.block_on(async {
            let read = self.stream.read_exact(&mut bytes);
            tokio::time::timeout(PATIENCE, read).await
        });
        match read.expect("the broker answers in time") {
            Ok(_) => Ok(bytes),
            Err(error) => Err(reason(&error)),
        }
    }
}

fn reason(error: &std::io::Error) -> TlsError {
    match TlsError::behind(error) {
        Some(reason) => reason.clone(),
        None => TlsError::Failed(error.to_string()),
    }
}

/// Connects and says hello: the return code, or why not.
fn try_in(broker: &BrokerProcess, options: &ClientOptions) -> Result<u8, TlsError> {
    Client::connect(broker.address(), options)?.hello("x")
}

#[test]
fn a_client_gets_in_by_tls_and_the_log_says_how() {
    let broker = BrokerProcess::start(&conf(""));
    let mut client = Client::connect(broker.address(), &trusting("ca.crt")).expect("TLS");
    assert_eq!(client.hello("lamp"), Ok(0));
    broker.expect_log("Client lamp negotiated TLSv1.3 cipher TLS_AES_256_GCM_SHA384\n");
    client.ping().expect("it is served");
}

#[test]
fn clients_without_a_good_certificate_stay_outside_and_the_log_says_why() {
    let broker = BrokerProcess::start(&conf(
        "cafile @ca.crt\nrequire_certificate true\ncrlfile @ca.crl",
    ));
    assert_eq!(try_in(&broker, &showing("client")), Ok(0));
    let expired = format!("the certificate of 'expired client' expired on {EXPIRED_ON}.");
    for (options, in_log) in [
        (trusting("ca.crt"), "the client has shown no certificate."),
        (showing("client-expired"), expired.as_str()),
        (
            showing("client-revoked"),
            "the certificate of 'revoked client' is revoked.",
        ),
        (
            showing("client-other"),
            "the certificate is signed by 'Other CA', which is not one of the authorities trusted here.",
        ),
    ] {
        try_in(&broker, &options).expect_err("it stays outside");
        broker.expect_log(&format!("disconnected: {in_log}\n"));
    }
}

#[test]
fn the_name_in_a_certificate_may_be_the_user() {
    for (option, name) in [
        ("use_identity_as_username", "test client"),
        ("use_subject_as_username", "CN=test client,O=Lab,C=GR"),
    ] {
        let lines = format!("cafile @ca.crt\nrequire_certificate true\n{option} true");
        let broker = BrokerProcess::start(&conf(&lines));
        assert_eq!(try_in(&broker, &showing("client")), Ok(0));
        broker.expect_log(&format!("as x (p4, c1, k60, u'{name}').\n"));
    }
    let broker = BrokerProcess::start(&conf("use_identity_as_username true"));
    assert_eq!(try_in(&broker, &trusting("ca.crt")), Ok(4));
}

#[test]
fn whoever_speaks_the_wrong_language_at_a_door_is_named_in_one_line() {
    let broker = BrokerProcess::start(&conf(""));
    let mut plain = TcpStream::connect(broker.address()).expect("it listens");
    plain
        .write_all(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00")
        .expect("it reads");
    broker.expect_log("disconnected: the other side speaks MQTT without TLS.\n");
    let mut web = TcpStream::connect(broker.address()).expect("it listens");
    web.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("it reads");
    broker.expect_log("disconnected: the other side speaks HTTP without TLS.\n");

    let open = BrokerProcess::open();
    let refused = Client::connect(open.address(), &trusting("ca.crt")).err();
    assert!(matches!(refused, Some(TlsError::NotTls(_))), "{refused:?}");
    open.expect_log("appears to be using TLS to connect to a non-TLS listener.\n");
}

#[test]
fn handshakes_that_nobody_finishes_delay_nobody() {
    let broker = BrokerProcess::start(&conf(""));
    let silent: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(broker.address()).expect("it listens"))
        .collect();
    // Half a greeting each.
    for mut stream in &silent {
        stream.write_all(&[0x16, 3, 1, 2, 0, 1]).expect("it reads");
    }
    assert_eq!(try_in(&broker, &trusting("ca.crt")), Ok(0));
}

#[test]
fn a_start_without_good_files_ends_with_1_and_names_the_file() {
    for (lines, expected) in [
        (
            "certfile none.crt\nkeyfile @server.key",
            "the certificate file 'none.crt' cannot be used: it cannot be read",
        ),
        (
            "certfile @server.crt\nkeyfile @client.key",
            "it does not belong to the certificate in",
        ),
        (
            "certfile @server.crt\nkeyfile @server-encrypted.key",
            "it is encrypted, and there is no terminal",
        ),
        (
            "certfile @server.crt\nkeyfile @server.key\ntls_version tlsv9",
            "tls_version takes tlsv1.2 or tlsv1.3, not 'tlsv9'",
        ),
        (
            "certfile @server.crt\nkeyfile @server.key\nciphers invalid",
            "no cipher of the list 'invalid' is known here",
        ),
        (
            "certfile @server.crt\nkeyfile @server.key\nrequire_certificate true",
            "there is no cafile or capath to check them with",
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "listener 1 127.0.0.1\n{}\n",
            lines.replace('@', &format!("{}/", files_folder()))
        );
        std::fs::write(folder.path().join("test.conf"), text).expect("it can be written");
        let mut command = std::process::Command::new(tool("mqtt-broker"));
        command.args(["-c", "test.conf"]).current_dir(folder.path());
        let ended = Program::of(in_no_terminal(command)).finish();
        assert_eq!(ended.code, 1, "{lines}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("Error: listener 1: "),
            "{}",
            ended.stderr
        );
        assert!(
            ended.stderr.contains(expected),
            "expected '{expected}' in {}",
            ended.stderr
        );
    }
}

/// Nobody at a terminal can be asked for a passphrase.
fn in_no_terminal(mut command: std::process::Command) -> std::process::Command {
    command.stdin(std::process::Stdio::null());
    command
}

#[test]
fn the_secrets_of_connections_are_written_where_the_flag_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let port = mqtt_testkit::broker::free_port();
    let text = conf("").replace("{port}", &port.to_string());
    std::fs::write(folder.path().join("test.conf"), text).expect("it can be written");
    let mut command = std::process::Command::new(tool("mqtt-broker"));
    command
        .args(["-v", "-c", "test.conf", "--tls-keylog", "secrets"])
        .current_dir(folder.path());
    let program = Program::of(command);
    program.expect_stderr("the secrets of all TLS connections are written to 'secrets'");
    program.expect_stderr(" running\n");
    let address = ([127, 0, 0, 1], port).into();
    let mut client = Client::connect(address, &trusting("ca.crt")).expect("TLS");
    assert_eq!(client.hello("x"), Ok(0));
    let mut secrets = String::new();
    let file = std::fs::File::open(folder.path().join("secrets"));
    file.expect("it is there")
        .read_to_string(&mut secrets)
        .expect("text");
    assert!(secrets.contains("CLIENT_TRAFFIC_SECRET_0 "), "{secrets}");
}

#[cfg(unix)]
mod reloads {
    use super::*;
    use rustix::process::Signal;

    /// A listener whose files lie in the broker's folder, where a test changes them.
    fn own_files() -> BrokerProcess {
        let files = tempfile::tempdir().expect("a folder").keep();
        copy(&files, "server", "server");
        BrokerProcess::start(&format!(
            "log_type all\nallow_anonymous true\nlistener {{port}} 127.0.0.1\n\
             certfile {0}/server.crt\nkeyfile {0}/server.key\n",
            files.display()
        ))
    }

    fn copy(folder: &Path, from: &str, to: &str) {
        for end in ["crt", "key"] {
            let target = folder.join(format!("{to}.{end}"));
            std::fs::copy(FILES.path(&format!("{from}.{end}")), target).expect("it can be copied");
        }
    }

    /// The folder of the files of [`own_files`], from the configuration.
    fn files_of(broker: &BrokerProcess) -> std::path::PathBuf {
        let text = std::fs::read_to_string(broker.path("test.conf")).expect("it is there");
        let line = text.lines().find_map(|line| line.strip_prefix("certfile "));
        let file = Path::new(line.expect("it has a certificate"));
        file.parent().expect("a file lies in a folder").to_owned()
    }

    #[test]
    fn new_certificates_are_shown_and_clients_stay() {
        let broker = own_files();
        let mut old = Client::connect(broker.address(), &trusting("ca.crt")).expect("TLS");
        assert_eq!(old.hello("old"), Ok(0));
        copy(&files_of(&broker), "server-public", "server");
        broker.program().signal(Signal::HUP);
        broker.expect_log("Reloading config.\n");
        old.ping().expect("it is still served");
        let refused = try_in(&broker, &trusting("ca.crt"));
        assert!(
            matches!(refused, Err(TlsError::UnknownIssuer { .. })),
            "{refused:?}"
        );
        assert_eq!(try_in(&broker, &trusting("public-ca.crt")), Ok(0));
        old.ping().expect("it is still served");
        let _ = std::fs::remove_dir_all(files_of(&broker));
    }

    #[test]
    fn files_that_cannot_be_used_change_nothing() {
        let broker = own_files();
        std::fs::write(files_of(&broker).join("server.key"), "rubbish").expect("it can be written");
        broker.program().signal(Signal::HUP);
        broker.expect_log("there is no private key in it");
        broker.expect_log("the configuration was not changed. The broker goes on as before.\n");
        assert_eq!(try_in(&broker, &trusting("ca.crt")), Ok(0));
        let _ = std::fs::remove_dir_all(files_of(&broker));
    }
}
