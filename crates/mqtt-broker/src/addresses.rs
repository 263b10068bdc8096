//! What people at other computers type to reach this broker, or why they cannot.

use mqtt_broker::config::{Config, Listener, Protocol, SocketDomain};
use mqtt_broker::log::program;
use std::net::IpAddr;

/// The standard's port, which clients use when nobody says otherwise.
const DEFAULT_PORT: u16 = 1883;

/// How the names of network interfaces begin that exist inside this computer only.
const VIRTUAL: &[&str] = &[
    "docker",
    "br-",
    "veth",
    "virbr",
    "vmnet",
    "vboxnet",
    "lxc",
    "lxd",
    "cni",
    "flannel",
    "cali",
    "podman",
    "vethernet",
    "virtualbox",
    "vmware",
];

/// One line for each way in, or the reason why there is none. `ports` are those of `-p`.
pub fn lines(config: &Config, ports: &[u16]) -> Vec<String> {
    let mut lines = lines_for(config, ports, &interface_addresses());
    if !config.local_only && !lines.is_empty() {
        lines.extend(firewall_advice());
    }
    lines
}

fn lines_for(config: &Config, ports: &[u16], addresses: &[IpAddr]) -> Vec<String> {
    if config.local_only {
        return local_only_advice(config, ports);
    }
    let mut lines = Vec::new();
    let for_clients = |listener: &&Listener| listener.protocol != Protocol::HttpApi;
    for listener in config.listeners.iter().filter(for_clients) {
        for address in addresses
            .iter()
            .filter(|address| reaches(listener, **address))
        {
            let port = match listener.port {
                DEFAULT_PORT => String::new(),
                port => format!(" -p {port}"),
            };
            let line = format!("Other computers can use: -h {address}{port}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    if !lines.is_empty() && config.listeners.iter().all(|one| !one.allow_anonymous) {
        lines.push(
            "Clients without a user name are refused. To let them in, add the line: \
             allow_anonymous true"
                .into(),
        );
    }
    lines
}

fn local_only_advice(config: &Config, ports: &[u16]) -> Vec<String> {
    let advice = if let Some(path) = &config.path {
        let port = ports.first().unwrap_or(&DEFAULT_PORT);
        format!(
            "To let other computers in, add these two lines to {}: listener {port} · \
             allow_anonymous true",
            path.display()
        )
    } else {
        let ports: Vec<_> = ports.iter().map(|port| format!(" -p {port}")).collect();
        format!(
            "To let other computers in, type: {} -v --lan{}",
            program(),
            ports.concat()
        )
    };
    vec![advice]
}

/// Windows lets nobody in whom its firewall does not know, and asks only once.
#[cfg(windows)]
fn firewall_advice() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    Some(format!(
        "If others time out, the firewall keeps them out. Allow it when Windows asks, or type as \
         administrator: netsh advfirewall firewall add rule name=mqtt-broker dir=in action=allow \
         program=\"{}\"",
        program.display()
    ))
}

#[cfg(not(windows))]
fn firewall_advice() -> Option<String> {
    None
}

/// Whether a client that calls `address` comes to this listener.
fn reaches(listener: &Listener, address: IpAddr) -> bool {
    let family = match listener.socket_domain {
        Some(SocketDomain::Ipv4) => address.is_ipv4(),
        Some(SocketDomain::Ipv6) => address.is_ipv6(),
        None => true,
    };
    family
        && match &listener.host {
            None => true,
            Some(host) => match host.parse::<IpAddr>() {
                Ok(host) => host == address || host.is_unspecified(),
                // A name may stand for any address; saying nothing is better than guessing.
                Err(_) => false,
            },
        }
}

/// The addresses of this computer in real networks; IPv6 only if there is no IPv4.
fn interface_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = if_addrs::get_if_addrs() else {
        return Vec::new();
    };
    let addresses: Vec<_> = interfaces
        .into_iter()
        .filter(|interface| is_real(&interface.name, interface.ip()))
        .map(|interface| interface.ip())
        .collect();
    let (ipv4, ipv6): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv4);
    if ipv4.is_empty() { ipv6 } else { ipv4 }
}

fn is_real(interface: &str, address: IpAddr) -> bool {
    let name = interface.to_lowercase();
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !address.is_loopback() && !link_local && !VIRTUAL.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, ports: &[u16], expected: &[&str]) {
        let config: Config = text.parse().expect(text);
        let addresses =
            ["192.168.1.23", "10.0.0.5"].map(|text| text.parse::<IpAddr>().expect("an address"));
        assert_eq!(lines_for(&config, ports, &addresses), expected, "{text}");
    }

    #[test]
    fn each_address_is_one_line() {
        check(
            "listener 1883\nallow_anonymous true",
            &[],
            &[
                "Other computers can use: -h 192.168.1.23",
                "Other computers can use: -h 10.0.0.5",
            ],
        );
        check(
            "listener 1884 10.0.0.5\nallow_anonymous true",
            &[],
            &["Other computers can use: -h 10.0.0.5 -p 1884"],
        );
        check("listener 1883 127.0.0.1\nallow_anonymous true", &[], &[]);
        check(
            "listener 1883\nsocket_domain ipv6\nallow_anonymous true",
            &[],
            &[],
        );
    }

    #[test]
    fn a_locked_door_says_how_to_open_it() {
        check(
            "listener 1883 10.0.0.5",
            &[],
            &[
                "Other computers can use: -h 10.0.0.5",
                "Clients without a user name are refused. To let them in, add the line: \
                 allow_anonymous true",
            ],
        );
    }

    #[test]
    fn local_only_mode_names_the_flag_or_the_lines() {
        check(
            "",
            &[],
            &["To let other computers in, type: mqtt-broker -v --lan"],
        );
        check(
            "",
            &[1884],
            &["To let other computers in, type: mqtt-broker -v --lan -p 1884"],
        );
        let config = Config {
            local_only: true,
            path: Some("test.conf".into()),
            ..Config::default()
        };
        assert_eq!(
            lines_for(&config, &[], &[]),
            [
                "To let other computers in, add these two lines to test.conf: listener 1883 · \
              allow_anonymous true"
            ]
        );
    }

    #[test]
    fn addresses_that_nobody_else_can_reach_are_left_out() {
        for (name, address, expected) in [
            ("eth0", "192.168.1.23", true),
            ("wlan0", "2001:db8::1", true),
            ("lo", "127.0.0.1", false),
            ("eth0", "169.254.3.4", false),
            ("eth0", "fe80::1", false),
            ("docker0", "172.17.0.1", false),
            ("vEthernet (WSL)", "172.20.0.1", false),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(is_real(name, address), expected, "{name} {address}");
        }
    }
}
