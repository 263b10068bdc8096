//! New rules for a broker that runs.

use super::Engine;
use super::settings::{ListenerRules, Settings};
use crate::session::SessionKey;
use crate::time::Time;

impl Engine {
    /// Goes on under other rules. What has been granted stays granted, except for the rights on
    /// topics, which hold at once, also for what waits to be sent; and clients that could not come
    /// in as they did have to leave. Further listeners may follow those that are known.
    ///
    /// # Panics
    /// If there are fewer listeners: connections know theirs by its number.
    pub fn reload(&mut self, now: Time, settings: Settings) {
        assert!(
            settings.listeners.len() >= self.settings.listeners.len(),
            "a listener keeps its number, even when its door is closed"
        );
        self.open.resize(settings.listeners.len(), 0);
        let sys_interval = self.settings.sys_interval;
        let passwords = |rules: &ListenerRules| rules.passwords.clone();
        let passwords: Vec<_> = self.settings.listeners.iter().map(passwords).collect();
        self.has_acl = settings.has_acl();
        self.has_mounts = settings.has_mounts();
        self.settings = settings;
        let sessions: Vec<SessionKey> = self
            .sessions
            .iter()
            .filter_map(|(index, _)| u32::try_from(index).ok().map(SessionKey))
            .collect();
        for session in sessions {
            self.grant_rights(session);
            self.session_mut(session).denied = None;
        }
        self.turn_out(now, &passwords);
        if self.settings.sys_interval != sys_interval {
            self.restart_sys(now);
        }
    }
}
