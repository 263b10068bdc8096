//! A broker that can be started: ours, rumqttd inside of this program, Mosquitto, or any command.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};

use mqtt_common::flags::{Said, UsageError};

use super::rumqttd;

/// A broker must listen after this time.
const PATIENCE: Duration = Duration::from_secs(20);
/// Mosquitto's messages in flight, as it is shipped.
const SHIPPED: u64 = 20;
/// Messages in flight from each publisher to everybody else, and the limit of a tuned Mosquitto both ways.
/// How many all others have in flight to a subscriber is theirs to decide, as they are shipped.
const IN_FLIGHT: u64 = 100;

/// How a broker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Start {
    /// Ours, at this path.
    Ours(PathBuf),
    /// This program, as rumqttd.
    Rumqttd,
    /// Mosquitto at this path, with the options that make it faster or without.
    Mosquitto(PathBuf, bool),
    /// Words, with `{port}` and `{folder}` in them.
    Words(Vec<String>),
}

/// A broker to compare with.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Its version, as it says it itself; empty if it does not.
    pub version: String,
    start: Start,
}

/// All that are there and wanted; ours is the first, since ratios are to it.
///
/// # Errors
/// Ours is not there, or `--broker` has no name or command.
pub fn found(said: &Said) -> Result<Vec<Candidate>, UsageError> {
    let mut all = vec![
        ours()?,
        Candidate::new("rumqttd", rumqttd::VERSION, Start::Rumqttd),
    ];
    if let Some(path) = program("mosquitto") {
        let version = version(&path, "-h");
        let shipped = Start::Mosquitto(path.clone(), false);
        all.push(Candidate::new("mosquitto", &version, shipped));
        if said.has("tuned") {
            let tuned = Start::Mosquitto(path, true);
            all.push(Candidate::new("mosquitto tuned", &version, tuned));
        }
    }
    for text in said.texts("broker")? {
        all.push(command(text)?);
    }
    let Some(only) = said.text("only")? else {
        return Ok(all);
    };
    let wanted: Vec<&str> = only.split(',').map(str::trim).collect();
    if let Some(unknown) = wanted
        .iter()
        .find(|name| !all.iter().any(|it| it.name == **name))
    {
        let names: Vec<_> = all.iter().map(|it| it.name.as_str()).collect();
        return Err(
            UsageError::new(format!("--only: there is no broker '{unknown}' here"))
                .hint(format!("These are: {}", names.join(", "))),
        );
    }
    all.retain(|it| wanted.contains(&it.name.as_str()));
    Ok(all)
}

/// The broker of this workspace, beside this program or on the path.
fn ours() -> Result<Candidate, UsageError> {
    let own = env::current_exe().ok();
    let file = format!("mqtt-broker{}", env::consts::EXE_SUFFIX);
    let beside = own
        .as_deref()
        .and_then(Path::parent)
        .map(|folder| folder.join(file));
    let path = beside
        .filter(|path| path.exists())
        .or_else(|| program("mqtt-broker"));
    let path = path.ok_or_else(|| {
        UsageError::new("mqtt-broker is neither beside mqtt-bench nor on the PATH")
            .hint("Build it as well: cargo build --release")
    })?;
    let version = version(&path, "--version");
    Ok(Candidate::new("mqtt-broker", &version, Start::Ours(path)))
}

/// `NAME=COMMAND`.
fn command(text: &str) -> Result<Candidate, UsageError> {
    let wrong = |what: &str| {
        UsageError::new(format!("--broker '{text}': {what}")).hint(
            "Type for example: --broker \"flashmq=flashmq --config-file {folder}/f.conf\", or \
             --broker \"mochi=mochi -tcp 127.0.0.1:{port}\"",
        )
    };
    let (name, line) = text
        .split_once('=')
        .ok_or_else(|| wrong("the name is missing"))?;
    let words = split(line);
    if name.trim().is_empty() || words.is_empty() {
        return Err(wrong("it needs a name and a command"));
    }
    if !line.contains("{port}") {
        return Err(wrong(
            "the command must say which port to listen on, with {port}",
        ));
    }
    Ok(Candidate::new(name.trim(), "", Start::Words(words)))
}

/// Words with blanks between them; double quotes keep blanks in a word.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_word) =
        (Vec::new(), String::new(), false, false);
    for letter in line.chars() {
        match letter {
            '"' => {
                is_quoted = !is_quoted;
                is_word = true;
            }
            ' ' | '\t' if !is_quoted => {
                if is_word {
                    words.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            _ => {
                word.push(letter);
                is_word = true;
            }
        }
    }
    if is_word {
        words.push(word);
    }
    words
}

/// A program on the path, or where Debian puts servers.
fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    env::split_paths(&path)
        .chain(more)
        .map(|folder| folder.join(&file))
        .find(|path| path.is_file())
}

/// The first words with a digit that a program says about itself.
fn version(path: &Path, flag: &str) -> String {
    let said = Command::new(path).arg(flag).stdin(Stdio::null()).output();
    let text = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    let text = text.unwrap_or_default();
    let is_version =
        |word: &&str| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.');
    text.split_whitespace()
        .find(is_version)
        .unwrap_or_default()
        .to_owned()
}

impl Candidate {
    fn new(name: &str, version: &str, start: Start) -> Candidate {
        Candidate {
            name: name.to_owned(),
            version: version.to_owned(),
            start,
        }
    }

    /// How many messages at QoS 1 and 2 it takes before it has confirmed the first.
    pub fn in_flight(&self) -> u64 {
        match self.start {
            Start::Mosquitto(_, false) => SHIPPED,
            _ => IN_FLIGHT,
        }
    }

    /// Starts it on a free port of loopback, in an empty folder.
    ///
    /// # Errors
    /// It cannot be started, or does not listen.
    pub fn start(&self, durable: bool) -> io::Result<Running> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let folder = tempfile::tempdir()?;
        let mut command = self.command(port, folder.path(), durable)?;
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn()?;
        let mut running = Running {
            child,
            port,
            _folder: folder,
        };
        running.wait_until_it_listens()?;
        Ok(running)
    }

    fn command(&self, port: u16, folder: &Path, durable: bool) -> io::Result<Command> {
        let conf = folder.join("broker.conf");
        match &self.start {
            Start::Ours(path) => {
                fs::write(&conf, ours_conf(port, folder, durable))?;
                let mut command = Command::new(path);
                command.arg("-c").arg(conf);
                Ok(command)
            }
            Start::Mosquitto(path, tuned) => {
                fs::write(&conf, mosquitto_conf(port, folder, durable, *tuned))?;
                let mut command = Command::new(path);
                command.arg("-c").arg(conf);
                Ok(command)
            }
            Start::Rumqttd => {
                let mut command = Command::new(env::current_exe()?);
                command.arg(rumqttd::FLAG).arg(port.to_string());
                Ok(command)
            }
            Start::Words(words) => {
                let folder = folder.to_string_lossy();
                let fill = |word: &String| {
                    word.replace("{port}", &port.to_string())
                        .replace("{folder}", &folder)
                };
                let mut words = words.iter().map(fill);
                let mut command = Command::new(words.next().unwrap_or_default());
                command.args(words);
                Ok(command)
            }
        }
    }
}

/// What both get: loopback, everybody, no limit on what waits, errors alone in the log.
fn common_conf(port: u16) -> String {
    format!(
        "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_type error\n"
    )
}

fn ours_conf(port: u16, folder: &Path, durable: bool) -> String {
    let mut conf = common_conf(port);
    if durable {
        conf.push_str(&format!(
            "persistence true\npersistence_sync always\npersistence_location {}/\n",
            folder.display()
        ));
    }
    conf
}

fn mosquitto_conf(port: u16, folder: &Path, durable: bool, tuned: bool) -> String {
    let mut conf = common_conf(port);
    if tuned {
        conf.push_str(&format!(
            "set_tcp_nodelay true\nmax_inflight_messages {IN_FLIGHT}\n"
        ));
    }
    if durable {
        // Started by root it becomes another user, who could not write there otherwise.
        conf.push_str(&format!(
            "persistence true\nuser root\npersistence_location {}/\n",
            folder.display()
        ));
    }
    conf
}

/// A broker that runs; it is ended when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Its port on loopback.
    pub port: u16,
    _folder: tempfile::TempDir,
}

impl Running {
    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn wait_until_it_listens(&mut self) -> io::Result<()> {
        let start = Instant::now();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        while TcpStream::connect(address).is_err() {
            if self.has_ended() {
                return Err(io::Error::other("it ended as soon as it was started"));
            }
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other(
                    "it does not listen on the port it was given",
                ));
            }
            // Nobody can be asked to tell; the wait is not part of what is measured.
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its folder is going to be removed: there is nothing that it should still save.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_split_at_blanks_and_quotes_keep_them() {
        assert_eq!(split("a  -b \"c d\" \"\""), ["a", "-b", "c d", ""]);
        let candidate = command("mochi=mochi -tcp 127.0.0.1:{port}").unwrap();
        assert_eq!(candidate.name, "mochi");
        for (text, expected) in [
            ("mochi", "the name is missing"),
            ("=x {port}", "needs a name and a command"),
            ("a=b", "with {port}"),
        ] {
            let error = command(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
