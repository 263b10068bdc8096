//! New rules for a broker that runs.

use super::Engine;
use super::settings::Settings;
use crate::session::SessionKey;
use crate::time::Time;

impl Engine {
    /// Goes on under other rules. What has been granted stays granted, except for the rights on
    /// topics: those hold at once, also for what waits to be sent.
    ///
    /// # Panics
    /// If the number of listeners differs: connections know theirs by its number.
    pub fn reload(&mut self, now: Time, settings: Settings) {
        assert_eq!(
            settings.listeners.len(),
            self.settings.listeners.len(),
            "a reload neither opens nor closes listeners"
        );
        let sys_interval = self.settings.sys_interval;
        self.has_acl = settings.has_acl();
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
        if self.settings.sys_interval != sys_interval {
            self.restart_sys(now);
        }
    }
}
