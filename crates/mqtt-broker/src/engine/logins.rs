//! Logins: passwords that are being checked elsewhere, and what wrong ones cost.
//!
//! Checking takes long on purpose, so the engine only says what is to be checked
//! ([`Engine::poll_login`]) and goes on when it is told ([`Engine::handle_login`]). Until then the
//! connection waits, and what its client has sent behind CONNECT waits with it.
//!
//! Against guessing: of one address a few logins are checked at a time, and after many wrong ones
//! the answer to the next takes its time and holds one of those places. Other addresses, and
//! clients that are in, notice nothing.

use super::admit::Answer;
use super::{Close, Engine};
use crate::auth::Passwords;
use crate::connection_state::{ConnectionKey, Stage};
use crate::log::{Ending, Line};
use crate::time::Time;
use mqtt_proto::{Connect, Packet, ReasonCode, Version, decode};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Logins of one address that are checked, or whose refusal is held back, at the same time.
const AT_ONCE: u32 = 8;

/// Connections of one address that wait for their turn; more are turned away.
const WAITING: usize = 1000;

/// So many wrong passwords are answered at once.
const FREE: u64 = 15;

/// After this many milliseconds a wrong password is forgotten, one after the other.
const FORGET: u64 = 4_000;

/// How much longer each further answer takes, and the longest, in milliseconds.
const STEP: u64 = 250;
const LONGEST: u64 = 10_000;

/// A password to be checked.
pub struct Login {
    /// The connection that it came by.
    pub connection: ConnectionKey,
    /// Tells the connection from a later one under the same key.
    pub serial: u64,
    /// What it is checked against.
    pub passwords: Arc<Passwords>,
    /// The user name.
    pub username: Box<str>,
    /// The password, if there was one.
    pub password: Option<Box<[u8]>>,
}

/// What is known of the logins of one address.
#[derive(Debug, Default)]
struct Host {
    /// When the last of its wrong passwords is forgotten.
    forgotten_at: Time,
    /// Being checked or held back.
    busy: u32,
    waiting: VecDeque<(ConnectionKey, u64)>,
}

impl Host {
    /// Wrong passwords that still count.
    fn wrong(&self, now: Time) -> u64 {
        self.forgotten_at.0.saturating_sub(now.0).div_ceil(FORGET)
    }

    /// Counts a wrong password; how many milliseconds its answer takes.
    fn count_wrong(&mut self, now: Time) -> u64 {
        self.forgotten_at = Time(self.forgotten_at.0.max(now.0) + FORGET);
        let over = self.wrong(now).saturating_sub(FREE);
        (over * STEP).min(LONGEST)
    }

    fn is_forgotten(&self, now: Time) -> bool {
        self.busy == 0 && self.waiting.is_empty() && self.forgotten_at <= now
    }
}

/// All logins that are not decided.
#[derive(Default)]
pub(super) struct Logins {
    hosts: HashMap<Box<str>, Host>,
    /// Which address a login that keeps one of its places belongs to.
    places: HashMap<(ConnectionKey, u64), Box<str>>,
    /// To be checked by whoever drives the engine.
    asked: VecDeque<Login>,
    /// With so many addresses, those that nothing is known of any more are forgotten.
    sweep_at: usize,
}

const SWEEP_FROM: usize = 1024;

impl Logins {
    fn host(&mut self, now: Time, name: &str) -> &mut Host {
        if self.hosts.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.hosts.retain(|_, host| !host.is_forgotten(now));
            self.sweep_at = self.hosts.len() * 2;
        }
        self.hosts.entry(name.into()).or_default()
    }
}

impl Engine {
    /// The next password to check.
    pub fn poll_login(&mut self) -> Option<Login> {
        self.logins.asked.pop_front()
    }

    /// Whether a connection waits for its login: it takes no bytes until that is decided.
    pub fn is_asking(&self, key: ConnectionKey) -> bool {
        self.connection(key).stage == Stage::Asking
    }

    /// Keeps a CONNECT until its password is checked.
    pub(super) fn keep_connect(&mut self, now: Time, key: ConnectionKey, bytes: &[u8]) {
        let connection = self.connection_mut(key);
        if let Some(entrance) = &mut connection.entrance {
            entrance.asked = Some(bytes.into());
        }
        let (serial, name) = (connection.serial, connection.peer.host().to_owned());
        let host = self.logins.host(now, &name);
        if host.busy < AT_ONCE {
            self.ask(now, key, &name);
        } else if host.waiting.len() < WAITING {
            host.waiting.push_back((key, serial));
        } else {
            let refusal = (ReasonCode::ServerBusy, Ending::ServerBusy);
            self.answer_login(now, key, Answer::Refused(refusal.0, refusal.1));
        }
    }

    /// Has a login checked: it takes one of the places of its address.
    fn ask(&mut self, now: Time, key: ConnectionKey, name: &str) {
        let connection = self.connection(key);
        let serial = connection.serial;
        let rules = self.rules(key);
        let login = with_connect(connection.asked(), |connect| {
            Some(Login {
                connection: key,
                serial,
                passwords: rules.passwords.clone()?,
                username: connect.username?.into(),
                password: connect.password.map(Into::into),
            })
        });
        let Some(login) = login.flatten() else {
            // A reload has done away with passwords in the meantime: the rules decide again.
            return self.answer_login(now, key, Answer::Unasked);
        };
        self.logins.asked.push_back(login);
        self.logins.places.insert((key, serial), name.into());
        self.logins.host(now, name).busy += 1;
    }

    /// A password has been checked.
    pub fn handle_login(&mut self, now: Time, key: ConnectionKey, serial: u64, is_right: bool) {
        let Some(name) = self.logins.places.get(&(key, serial)).cloned() else {
            return;
        };
        let is_there = self.is_asking_still(key, serial);
        if is_right {
            if is_there {
                self.answer_login(now, key, Answer::Right);
            }
            return self.release_place(now, key, serial);
        }
        let host = self.logins.host(now, &name);
        let (delay, count) = (host.count_wrong(now), host.wrong(now));
        if is_there {
            self.log_wrong(key, count, delay);
        }
        if delay > 0 {
            return self.arm_refusal(Time(now.0 + delay), key, serial);
        }
        self.handle_refusal(now, key, serial);
    }

    /// The answer to a wrong password is due.
    pub(super) fn handle_refusal(&mut self, now: Time, key: ConnectionKey, serial: u64) {
        if self.is_asking_still(key, serial) {
            let refused = Answer::Refused(ReasonCode::NotAuthorized, Ending::NotAuthorised);
            self.answer_login(now, key, refused);
        }
        self.release_place(now, key, serial);
    }

    fn is_asking_still(&self, key: ConnectionKey, serial: u64) -> bool {
        let connection = self.connections.get(key.0 as usize);
        connection.is_some_and(|connection| {
            (connection.serial, connection.stage) == (serial, Stage::Asking)
        })
    }

    /// Goes on with the CONNECT that was kept.
    fn answer_login(&mut self, now: Time, key: ConnectionKey, answer: Answer) {
        let connection = self.connection_mut(key);
        connection.stage = Stage::Greeting;
        connection.last_heard = now;
        let entrance = connection.entrance.as_deref_mut();
        let bytes = entrance.and_then(|entrance| entrance.asked.take());
        let bytes = bytes.unwrap_or_default();
        let handled = with_connect(&bytes, |connect| {
            self.handle_connect(now, key, connect, answer)
        });
        if let Some(Err(close)) = handled {
            self.close(now, key, close);
        } else if self.is_asking(key) {
            self.keep_connect(now, key, &bytes);
        }
        // What the client has sent behind its CONNECT can be read now.
        self.mark_dirty(key);
    }

    /// Gives the place of a login to the next of its address that waits.
    fn release_place(&mut self, now: Time, key: ConnectionKey, serial: u64) {
        if let Some(name) = self.logins.places.remove(&(key, serial)) {
            self.end_login(now, &name);
        }
    }

    /// Takes one of the places of an address for a login that is not one of MQTT; `false` if all
    /// are taken. With a place, [`Engine::end_check`] and [`Engine::end_login`] must follow.
    pub fn begin_login(&mut self, now: Time, name: &str) -> bool {
        let host = self.logins.host(now, name);
        let is_free = host.busy < AT_ONCE;
        host.busy += u32::from(is_free);
        is_free
    }

    /// The password of such a login is checked; how long its answer is to be held back.
    pub fn end_check(&mut self, now: Time, name: &str, is_right: bool) -> Duration {
        if is_right {
            return Duration::ZERO;
        }
        let host = self.logins.host(now, name);
        let (delay, count) = (host.count_wrong(now), host.wrong(now));
        self.log(Line::HttpLoginFailed {
            host: name,
            count,
            delay,
        });
        Duration::from_millis(delay)
    }

    /// Gives a place of an address back, to the next that waits for it.
    pub fn end_login(&mut self, now: Time, name: &str) {
        let host = self.logins.host(now, name);
        host.busy = host.busy.saturating_sub(1);
        while let Some((next, serial)) = self.logins.host(now, name).waiting.pop_front() {
            if self.is_asking_still(next, serial) {
                return self.ask(now, next, name);
            }
        }
    }

    /// One line for each wrong password; a name is not logged that may be a password typed into
    /// the wrong field, unless there is such a user.
    fn log_wrong(&mut self, key: ConnectionKey, count: u64, delay: u64) {
        let connection = self.connection(key);
        let peer = connection.peer.address.clone();
        let name = with_connect(connection.asked(), |connect| {
            connect.username.unwrap_or_default().to_owned()
        });
        let name = name.unwrap_or_default();
        let passwords = self.rules(key).passwords.clone();
        let is_known = passwords.is_some_and(|passwords| passwords.hash(&name).is_some());
        self.log(Line::LoginFailed {
            peer: &peer,
            user: &name,
            is_known,
            count,
            delay,
        });
    }

    /// Whether a client that is in may stay under new rules: users that are gone, have another
    /// password, or may not be anonymous any more have to log in again.
    pub(super) fn may_stay(
        &self,
        key: ConnectionKey,
        username: Option<&str>,
        old: Option<&Passwords>,
    ) -> bool {
        let rules = self.rules(key);
        if rules.names_by_certificate() {
            return true;
        }
        match (username, &rules.passwords) {
            (Some(name), Some(passwords)) => {
                let known = passwords.hash(name);
                known.is_some() && old.is_none_or(|old| old.hash(name) == known)
            }
            _ => rules.allow_anonymous,
        }
    }

    /// Ends the connections of clients that may not stay.
    pub(super) fn turn_out(&mut self, now: Time, old: &[Option<Arc<Passwords>>]) {
        let live: Vec<ConnectionKey> = self
            .sessions
            .iter()
            .filter_map(|(_, session)| session.connection)
            .collect();
        for key in live {
            let connection = self.connection(key);
            let Stage::Live(session) = connection.stage else {
                continue;
            };
            let old = old.get(usize::from(connection.listener));
            let old = old.and_then(|old| old.as_deref());
            let username = self.session(session).username.clone();
            if !self.may_stay(key, username.as_deref(), old) {
                let close = Close::told(ReasonCode::NotAuthorized, Ending::NotAuthorised);
                self.close(now, key, close);
            }
        }
    }
}

/// Reads a CONNECT again that has been read before.
fn with_connect<R>(bytes: &[u8], work: impl FnOnce(&Connect<'_>) -> R) -> Option<R> {
    match decode(bytes, Version::V5, u32::MAX) {
        Ok(Some((Packet::Connect(connect), _))) => Some(work(&connect)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_wrong_passwords_are_answered_at_once_and_then_ever_later() {
        let mut host = Host::default();
        let now = Time(1_000_000);
        let delays: Vec<u64> = (0..100).map(|_| host.count_wrong(now)).collect();
        assert!(delays[..15].iter().all(|&delay| delay == 0), "{delays:?}");
        assert_eq!(delays[15..18], [250, 500, 750]);
        assert_eq!(delays[99], LONGEST);
    }

    #[test]
    fn wrong_passwords_are_forgotten_one_by_one() {
        let mut host = Host::default();
        for _ in 0..20 {
            host.count_wrong(Time(0));
        }
        for (seconds, expected) in [(0, 20), (4, 19), (40, 10), (80, 0), (1000, 0)] {
            assert_eq!(host.wrong(Time(seconds * 1000)), expected, "{seconds} s");
        }
        assert!(!host.is_forgotten(Time(79_999)));
        assert!(host.is_forgotten(Time(80_000)));
    }
}
