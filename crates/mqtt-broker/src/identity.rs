//! The user the broker runs as.

/// What is known about that user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name, or the number if there is no name.
    pub name: String,
    /// Whether it may do everything.
    pub is_root: bool,
}

/// The user of this process; `None` where the system has no such notion.
#[cfg(unix)]
pub fn current() -> Option<Identity> {
    let user = rustix::process::geteuid();
    let number = user.as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(Identity {
        name: name_in(&passwd, number).unwrap_or_else(|| number.to_string()),
        is_root: user.is_root(),
    })
}

/// The user of this process; `None` where the system has no such notion.
#[cfg(not(unix))]
pub fn current() -> Option<Identity> {
    None
}

#[cfg(any(unix, test))]
fn name_in(passwd: &str, number: u32) -> Option<String> {
    let number = number.to_string();
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == number).then(|| name.into())
    })
}

/// Refuses to run with more rights than the configuration allows.
///
/// Mosquitto gives up root's rights by itself. Doing that safely after threads exist takes more
/// than safe code can; starting as the right user takes one command.
pub fn check(wanted: Option<&str>, current: Option<&Identity>) -> Result<(), String> {
    match (wanted, current) {
        (Some(wanted), Some(current)) if current.is_root && wanted != "root" => Err(format!(
            "Error: the configuration says `user {wanted}`, and this is root.\n  Start the broker \
             as that user: sudo -u {wanted} mqtt-broker …"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_table_of_users() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nmosquitto:x:105:112::/var:/bin/false\n";
        assert_eq!(name_in(passwd, 105).as_deref(), Some("mosquitto"));
        assert_eq!(name_in(passwd, 7), None);
    }

    #[test]
    fn root_is_sent_away_if_another_user_is_wanted() {
        let identity = |name: &str, is_root| Identity {
            name: name.into(),
            is_root,
        };
        let (root, maria) = (identity("root", true), identity("maria", false));
        assert!(check(Some("mosquitto"), Some(&root)).is_err());
        assert!(check(Some("root"), Some(&root)).is_ok());
        assert!(check(None, Some(&root)).is_ok());
        assert!(check(Some("mosquitto"), Some(&maria)).is_ok());
        assert!(check(Some("mosquitto"), None).is_ok());
    }
}
