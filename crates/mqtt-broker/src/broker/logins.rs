//! Logins between the engine, which asks, and the threads that check passwords.

use super::{Core, Shared};
use crate::connection_state::ConnectionKey;
use crate::engine::Login;
use crate::password_check::Check;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

/// Which login was checked, and whether its password is right.
pub(super) type LoginAnswer = (ConnectionKey, u64, bool);

/// Tells the engine of the passwords that have been checked.
pub(super) async fn take_answers(shared: Arc<Shared>, mut answers: UnboundedReceiver<LoginAnswer>) {
    while let Some((key, serial, is_right)) = answers.recv().await {
        shared.with(|core| {
            let now = core.clock.now();
            core.engine.handle_login(now, key, serial, is_right);
            core.settle(None);
        });
    }
}

impl Core {
    /// With passwords to check, the threads for that are there before the first client is: what
    /// memory they take is then no surprise later.
    pub(super) fn prepare_for_logins(&mut self) {
        let mut listeners = self.config.listeners.iter();
        if listeners.any(|listener| listener.passwords.is_some()) {
            self.checks.start();
        }
    }

    /// Takes one of the places that an address has for logins outside of MQTT, if there is one.
    pub(crate) fn begin_login(&mut self, host: &str) -> bool {
        self.engine.begin_login(self.clock.now(), host)
    }

    /// Has a password checked outside of MQTT.
    pub(crate) fn check_password(&mut self, check: Check) {
        self.checks.check(check);
    }

    /// A password of [`Core::begin_login`] is checked; how long its answer is to be held back.
    pub(crate) fn end_check(&mut self, host: &str, is_right: bool) -> Duration {
        self.engine.end_check(self.clock.now(), host, is_right)
    }

    /// Gives the place back.
    pub(crate) fn end_login(&mut self, host: &str) {
        self.engine.end_login(self.clock.now(), host);
        self.settle(None);
    }

    /// Has a password checked elsewhere.
    pub(super) fn check_login(&mut self, login: Login) {
        let Some(answers) = self.answers.clone() else {
            return;
        };
        let (key, serial) = (login.connection, login.serial);
        self.checks.check(Check {
            passwords: login.passwords,
            username: login.username,
            password: login.password,
            done: Box::new(move |is_right| {
                // Nobody listens any more when the broker has ended.
                let _ = answers.send((key, serial, is_right));
            }),
        });
    }
}
