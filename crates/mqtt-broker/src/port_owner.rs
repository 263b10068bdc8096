//! Who holds a port that cannot be opened, and what to do about it.

use crate::flags::Flags;
use mqtt_broker::config::Config;
use mqtt_broker::log::program;
use std::path::PathBuf;

/// A program that listens on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its name, if the system tells us.
    pub name: Option<String>,
    /// Its process number, if the system tells us.
    pub process: Option<u32>,
}

/// How the port was asked for, and so what to change to ask for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By a line of this file.
    File(PathBuf),
    /// By this command, up to the flag `-p`.
    Command(String),
}

impl Way {
    /// How these flags, with what was read for them, have asked for their ports.
    pub fn of(flags: &Flags, config: &Config) -> Self {
        match &config.path {
            Some(path) if !config.local_only => Self::File(path.clone()),
            path => {
                let mut command = String::from(program());
                if flags.verbose {
                    command.push_str(" -v");
                }
                if flags.lan {
                    command.push_str(" --lan");
                }
                if let Some(path) = path {
                    command.push_str(&format!(" -c {}", path.display()));
                }
                Self::Command(command)
            }
        }
    }
}

/// The advice for a port that is in use: who holds it, how to end that, what to type instead.
pub fn advice(port: u16, way: &Way) -> Vec<String> {
    advice_about(port, way, system::owner(port).as_ref())
}

fn advice_about(port: u16, way: &Way, owner: Option<&Owner>) -> Vec<String> {
    let mut lines = match owner {
        Some(Owner {
            name,
            process: Some(process),
        }) => {
            let name = name.as_deref().unwrap_or("a program");
            let stop = system::stop(name, *process);
            vec![format!(
                "Port {port} is in use by {name} (process {process}). To end it, type: {stop}"
            )]
        }
        Some(_) => vec![format!(
            "Port {port} is in use by a program of another user. To see it, type: {}",
            system::look(port)
        )],
        None => vec![format!(
            "Port {port} is in use by another program. To see it, type: {}",
            system::look(port)
        )],
    };
    lines.extend(system::SERVICE_ADVICE.map(Into::into));
    let other = port.checked_add(1).unwrap_or(1883);
    lines.push(match way {
        Way::File(path) => format!(
            "Or take another port: write `listener {other}` instead of `listener {port}` in {}",
            path.display()
        ),
        Way::Command(command) => format!("Or take another port: {command} -p {other}"),
    });
    lines
}

/// How a program is ended on Unix; Mosquitto may be a service that would start it again.
#[cfg(not(windows))]
fn stop_on_unix(name: &str, process: u32) -> String {
    match name {
        "mosquitto" => format!("sudo systemctl stop mosquitto, or: kill {process}"),
        _ => format!("kill {process}"),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::Owner;
    use std::fs;

    pub(super) const SERVICE_ADVICE: Option<&str> = None;

    pub(super) fn stop(name: &str, process: u32) -> String {
        super::stop_on_unix(name, process)
    }

    pub(super) fn look(port: u16) -> String {
        format!("sudo ss -ltnp 'sport = :{port}'")
    }

    /// Finds the listening sockets of the port, then the process that has one of them open.
    ///
    /// The files of other users' processes cannot be read, so the process may stay unknown.
    pub(super) fn owner(port: u16) -> Option<Owner> {
        let sockets: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|table| fs::read_to_string(table).ok())
            .flat_map(|table| listening_sockets(&table, port))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        if sockets.is_empty() {
            return None;
        }
        let process = fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
            .find(|process| has_open(*process, &sockets));
        let name = process.and_then(|process| {
            let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
            Some(name.trim_end().into())
        });
        Some(Owner { name, process })
    }

    fn has_open(process: u32, sockets: &[String]) -> bool {
        let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else {
            return false;
        };
        files
            .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
            .any(|target| {
                let target = target.to_string_lossy();
                sockets.iter().any(|socket| *socket == target)
            })
    }

    /// The inodes of listening sockets in a table of `/proc/net`: column 1 is the local address
    /// as `0100007F:075B`, column 3 the state, column 9 the inode.
    pub(super) fn listening_sockets(table: &str, port: u16) -> Vec<u64> {
        const LISTEN: &str = "0A";
        table
            .lines()
            .filter_map(|line| {
                let columns: Vec<_> = line.split_whitespace().collect();
                let (_, local) = columns.get(1)?.rsplit_once(':')?;
                let matches = u16::from_str_radix(local, 16).ok()? == port;
                (matches && *columns.get(3)? == LISTEN)
                    .then(|| columns.get(9)?.parse().ok())
                    .flatten()
            })
            .collect()
    }
}

#[cfg(windows)]
mod system {
    use super::Owner;

    use listeners::{Protocol, SocketState};

    /// Only an administrator sees what a service listens on, so it is named without being seen.
    pub(super) const SERVICE_ADVICE: Option<&str> = Some(
        "If Mosquitto is installed, its service holds port 1883. To end it, type as administrator: net stop mosquitto",
    );

    pub(super) fn stop(name: &str, process: u32) -> String {
        match name.trim_end_matches(".exe") {
            "mosquitto" => {
                format!("net stop mosquitto (as administrator), or: taskkill /f /pid {process}")
            }
            "mqtt-broker" => format!("Ctrl-C in its window, or: taskkill /f /pid {process}"),
            _ => format!("taskkill /f /pid {process}"),
        }
    }

    /// Windows reserves ranges of ports for itself now and then; nobody is seen to listen there.
    pub(super) fn look(port: u16) -> String {
        format!("netstat -ano | findstr :{port}")
    }

    /// The program in Windows' table of connections (`GetExtendedTcpTable`) that listens there.
    pub(super) fn owner(port: u16) -> Option<Owner> {
        let found = listeners::get_all().ok()?.into_iter().find(|one| {
            one.protocol == Protocol::TCP
                && one.state == SocketState::Listen
                && one.socket.port() == port
        })?;
        Some(Owner {
            name: (!found.process.name.is_empty()).then_some(found.process.name),
            process: Some(found.process.pid),
        })
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use super::Owner;

    pub(super) const SERVICE_ADVICE: Option<&str> = None;

    pub(super) fn stop(name: &str, process: u32) -> String {
        super::stop_on_unix(name, process)
    }

    pub(super) fn look(port: u16) -> String {
        format!("sudo lsof -nP -iTCP:{port} -sTCP:LISTEN")
    }

    pub(super) fn owner(_port: u16) -> Option<Owner> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(any(target_os = "linux", windows))]
    #[test]
    fn our_own_port_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let owner = system::owner(port).expect("an owner");
        assert_eq!(owner.process, Some(std::process::id()));
        assert!(owner.name.is_some());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4711 1\n   \
            1: 0100007F:075B 0100007F:C001 01 00000000:00000000 00:00000000 00000000  1000 0 4712 1\n   \
            2: 0100007F:075C 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000 0 4713 1\n";
        assert_eq!(system::listening_sockets(table, 1883), [4711]);
        assert_eq!(system::listening_sockets(table, 80), [0u64; 0]);
    }

    #[test]
    fn the_advice_names_the_program_and_another_port() {
        let owner = Owner {
            name: Some("mosquitto".into()),
            process: Some(42),
        };
        let flags = Flags {
            verbose: true,
            lan: true,
            ..Flags::default()
        };
        let way = Way::of(&flags, &Config::default());
        let lines = advice_about(1883, &way, Some(&owner));
        let stop = if cfg!(windows) {
            "net stop mosquitto (as administrator), or: taskkill /f /pid 42"
        } else {
            "sudo systemctl stop mosquitto, or: kill 42"
        };
        assert_eq!(
            lines[0],
            format!("Port 1883 is in use by mosquitto (process 42). To end it, type: {stop}")
        );
        assert_eq!(
            lines.last().expect("lines"),
            "Or take another port: mqtt-broker -v --lan -p 1884"
        );
    }

    #[test]
    fn a_port_of_a_file_is_changed_in_the_file() {
        let config = Config {
            path: Some("test.conf".into()),
            ..Config::default()
        };
        let way = Way::of(&Flags::default(), &config);
        let lines = advice_about(1883, &way, None);
        assert!(
            lines[0].starts_with("Port 1883 is in use by another program."),
            "{lines:?}"
        );
        assert!(
            lines.last().expect("lines").contains("`listener 1884`"),
            "{lines:?}"
        );
    }
}
