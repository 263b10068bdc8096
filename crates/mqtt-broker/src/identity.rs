//! The user the broker runs as: root opens files and ports, and then gives up being root.

use mqtt_broker::config::Config;
#[cfg(unix)]
use std::path::Path;
use std::path::PathBuf;

/// What is known about that user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name, or the number if there is no name.
    pub name: String,
    /// Whether it may do everything.
    pub is_root: bool,
    /// Whom the process becomes once everything is open; nobody else if `None`.
    #[cfg(unix)]
    target: Option<Target>,
    /// What the log has to say about the choice.
    pub cautions: Vec<String>,
}

/// The user that root becomes.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    /// Its name, by which its other groups are found; `None` for numbers of the environment.
    name: Option<std::ffi::CString>,
    user: Option<nix::unistd::Uid>,
    group: Option<nix::unistd::Gid>,
}

/// The user of this process, and the one that it becomes; `None` where the system has no such
/// notion.
///
/// # Errors
/// The user that is wanted does not exist.
#[cfg(unix)]
pub fn of(config: &Config) -> Result<Option<Identity>, String> {
    use nix::unistd::{Uid, User};
    let current = Uid::effective();
    if current.is_root() {
        let wanted = config.user.as_deref();
        return chosen(wanted, |name| std::env::var(name).ok()).map(Some);
    }
    let named = User::from_uid(current).ok().flatten();
    Ok(Some(Identity {
        name: named.map_or_else(|| current.to_string(), |user| user.name),
        is_root: false,
        target: None,
        cautions: Vec::new(),
    }))
}

/// The user of this process; `None` where the system has no such notion.
#[cfg(not(unix))]
pub fn of(_config: &Config) -> Result<Option<Identity>, String> {
    Ok(None)
}

/// Whom root becomes: `PUID` and `PGID`, as containers set them, or the configured user, or
/// `mosquitto`, or `nobody`.
#[cfg(unix)]
fn chosen(
    wanted: Option<&str>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Identity, String> {
    use nix::unistd::{Gid, Uid, User};
    let stays = |cautions| Identity {
        name: "root".into(),
        is_root: true,
        target: None,
        cautions,
    };
    let (user, group) = (environment("PUID"), environment("PGID"));
    if user.is_some() || group.is_some() {
        let user = user.map(|text| number(&text, "PUID")).transpose()?;
        let group = group.map(|text| number(&text, "PGID")).transpose()?;
        // 0 means that the container wants root.
        let user = user.filter(|&user| user > 0).map(Uid::from_raw);
        let group = group.filter(|&group| group > 0).map(Gid::from_raw);
        let Some(name) = user.map(|user| user.to_string()) else {
            return Ok(Identity {
                target: group.map(|group| Target {
                    name: None,
                    user: None,
                    group: Some(group),
                }),
                ..stays(Vec::new())
            });
        };
        return Ok(Identity {
            name,
            is_root: false,
            target: Some(Target {
                name: None,
                user,
                group,
            }),
            cautions: Vec::new(),
        });
    }
    if wanted == Some("root") {
        let caution =
            "a broker needs no rights of root. A user of its own is safer: user mosquitto";
        return Ok(stays(vec![caution.into()]));
    }
    let find = |name: &str| User::from_name(name).ok().flatten();
    let mut cautions = Vec::new();
    let name = wanted.unwrap_or("mosquitto");
    let user = match find(name) {
        Some(user) => user,
        None if name != "mosquitto" => {
            return Err(format!(
                "Error: the configuration says `user {name}`, and there is no such user.\n  Make it: useradd --system {name}"
            ));
        }
        None => {
            cautions.push("there is no user 'mosquitto', so the broker runs as 'nobody'.".into());
            find("nobody").ok_or(
                "Error: the broker is not to run as root, and there is neither a user 'mosquitto' nor 'nobody'.\n  Make one, or write `user root` into the configuration.",
            )?
        }
    };
    Ok(Identity {
        is_root: user.uid.is_root(),
        target: Some(Target {
            name: std::ffi::CString::new(user.name.clone()).ok(),
            user: Some(user.uid),
            group: Some(user.gid),
        }),
        name: user.name,
        cautions,
    })
}

#[cfg(unix)]
fn number(text: &str, name: &str) -> Result<u32, String> {
    text.trim().parse().map_err(|_| {
        format!("Error: the variable {name} takes the number of a user or group; '{text}' is none.")
    })
}

impl Identity {
    /// Gives up the rights of root, if there is somebody to become. `files` go to the new owner,
    /// who has to open them again later.
    ///
    /// # Errors
    /// The system does not let go. Going on as root would be worse than not starting.
    #[cfg(unix)]
    pub fn take_on(&self, files: &[PathBuf]) -> Result<(), String> {
        use nix::unistd::{Uid, chown, initgroups, setgid, setuid};
        let Some(Target { name, user, group }) = &self.target else {
            return Ok(());
        };
        for file in files.iter().filter(|file| is_plain(file)) {
            // Where that fails, opening it again will say so.
            let _ = chown(file.as_path(), *user, *group);
        }
        let why = |what: &'static str| move |error| format!("{what} cannot be given up: {error}");
        // The groups first: without root they could not be changed any more.
        if let (Some(name), Some(group)) = (name, group) {
            initgroups(name, *group).map_err(why("root's groups"))?;
        } else if user.is_some() {
            nix::unistd::setgroups(group.as_slice()).map_err(why("root's groups"))?;
        }
        if let Some(group) = group {
            setgid(*group).map_err(why("root's group"))?;
        }
        if let Some(user) = user {
            setuid(*user).map_err(why("root's rights"))?;
            if !user.is_root() && setuid(Uid::from_raw(0)).is_ok() {
                return Err("root's rights cannot be given up: they came back".into());
            }
        }
        Ok(())
    }

    /// There is nothing to give up.
    ///
    /// # Errors
    /// None.
    #[cfg(not(unix))]
    pub fn take_on(&self, _files: &[PathBuf]) -> Result<(), String> {
        Ok(())
    }
}

/// A file that is there and no link: root does not give away what somebody else has pointed at.
#[cfg(unix)]
fn is_plain(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn check(wanted: Option<&str>, environment: &[(&str, &str)]) -> Result<Identity, String> {
        chosen(wanted, |name| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn root_becomes_somebody_else_unless_it_is_asked_for() {
        let nobody = check(Some("nobody"), &[]).expect("everybody has a nobody");
        assert_eq!((nobody.name.as_str(), nobody.is_root), ("nobody", false));
        assert!(nobody.target.is_some());
        let unasked = check(None, &[]).expect("mosquitto or nobody");
        assert!(!unasked.is_root && unasked.target.is_some());
        assert_eq!(unasked.cautions.is_empty(), unasked.name == "mosquitto");
        let root = check(Some("root"), &[]).expect("root");
        assert!(root.is_root && root.target.is_none() && root.cautions.len() == 1);
        let missing = check(Some("no-such-user"), &[]).expect_err("nobody");
        assert!(missing.contains("useradd"), "{missing}");
    }

    #[test]
    fn containers_name_numbers() {
        let found = check(Some("nobody"), &[("PUID", "1234"), ("PGID", "99")]).expect("numbers");
        assert_eq!((found.name.as_str(), found.is_root), ("1234", false));
        let root = check(None, &[("PUID", "0"), ("PGID", "0")]).expect("root");
        assert!(root.is_root && root.target.is_none());
        assert!(check(None, &[("PUID", "me")]).is_err());
    }
}
