//! What happens because time passes: late CONNECTs, silent clients, ended sessions, delayed wills, `$SYS`.

use super::{Close, Engine};
use crate::connection_state::{ConnectionKey, Stage};
use crate::log::{Ending, Line};
use crate::session::{NEVER, SessionKey};
use crate::time::Time;
use mqtt_proto::ReasonCode;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a timer is for. The numbers tell whether it still is: nothing is ever taken out of the
/// heap before its time, a timer that has lost its meaning does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// CONNECT should have come; if it has, it may be time to look when the client was heard last
    /// (connection, its serial).
    Connect(ConnectionKey, u64),
    /// Look when a client was heard last (connection, its serial).
    KeepAlive(ConnectionKey, u64),
    /// A delayed will is due (session, its serial, its epoch).
    Will(SessionKey, u64, u32),
    /// An absent client's session ends (session, its serial, its epoch).
    SessionEnd(SessionKey, u64, u32),
    /// The answer to a wrong password is due (connection, its serial).
    Refusal(ConnectionKey, u64),
    /// A subscriber was waited for long enough (connection, its serial).
    Patience(ConnectionKey, u64),
    /// `$SYS` is due.
    Sys,
    /// Expired retained messages are looked for.
    Housekeeping,
}

/// Timers by their time.
#[derive(Debug)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Time, Timer)>>,
    /// At this size the heap is looked through for timers that have lost their meaning.
    sweep_at: usize,
}

const SWEEP_FROM: usize = 4096;

impl Default for Timers {
    fn default() -> Timers {
        Timers {
            heap: BinaryHeap::new(),
            sweep_at: SWEEP_FROM,
        }
    }
}

impl Engine {
    fn arm(&mut self, at: Time, timer: Timer) {
        if self.timers.heap.len() >= self.timers.sweep_at {
            let mut heap = std::mem::take(&mut self.timers.heap);
            heap.retain(|Reverse((_, timer))| self.is_meant(*timer));
            self.timers.sweep_at = SWEEP_FROM.max(heap.len() * 2);
            self.timers.heap = heap;
        }
        self.timers.heap.push(Reverse((at, timer)));
    }

    fn is_meant(&self, timer: Timer) -> bool {
        match timer {
            Timer::Connect(key, serial) => {
                self.connection_is(key, serial)
                    && (self.connection(key).waits_for_connect_timer
                        || matches!(self.connection(key).stage, Stage::Greeting | Stage::Asking))
            }
            Timer::KeepAlive(key, serial) | Timer::Patience(key, serial) => {
                self.connection_is(key, serial)
            }
            Timer::Will(key, serial, epoch) | Timer::SessionEnd(key, serial, epoch) => {
                self.session_is(key, serial, epoch)
            }
            Timer::Refusal(..) | Timer::Sys | Timer::Housekeeping => true,
        }
    }

    pub(super) fn start_timers(&mut self, now: Time) {
        if self.settings.sys_interval > 0 {
            self.arm(now, Timer::Sys);
        }
        self.arm_housekeeping(now);
    }

    fn arm_housekeeping(&mut self, now: Time) {
        let seconds = self.settings.retain_expiry_interval.max(1);
        self.arm(now.plus_seconds(seconds), Timer::Housekeeping);
    }

    /// The interval of `$SYS` has changed: the next round is due now.
    pub(super) fn restart_sys(&mut self, now: Time) {
        let heap = &mut self.timers.heap;
        heap.retain(|Reverse((_, timer))| *timer != Timer::Sys);
        if self.settings.sys_interval > 0 {
            self.arm(now, Timer::Sys);
        }
    }

    pub(super) fn arm_connect_deadline(&mut self, now: Time, key: ConnectionKey) {
        let serial = self.connection(key).serial;
        let at = now.plus_seconds(self.settings.connect_timeout);
        self.arm(at, Timer::Connect(key, serial));
    }

    pub(super) fn arm_patience(&mut self, now: Time, key: ConnectionKey) {
        let at = Time(now.0 + u64::from(self.settings.patience_ms));
        let serial = self.connection(key).serial;
        self.arm(at, Timer::Patience(key, serial));
    }

    pub(super) fn arm_refusal(&mut self, at: Time, key: ConnectionKey, serial: u64) {
        self.arm(at, Timer::Refusal(key, serial));
    }

    /// From now on a client must be heard. The timer that has waited for its CONNECT does for the
    /// beginning, unless it is too late: one timer for each client is enough.
    pub(super) fn arm_keep_alive(&mut self, now: Time, key: ConnectionKey) {
        let limit = self.settings.connect_timeout;
        let connection = self.connection_mut(key);
        let (grace, serial) = (u64::from(connection.grace_ms), connection.serial);
        if grace == 0 {
            return;
        }
        if grace >= u64::from(limit) * 1000 {
            connection.waits_for_connect_timer = true;
            return;
        }
        self.arm(Time(now.0 + grace), Timer::KeepAlive(key, serial));
    }

    /// An absent client's will and session get their time.
    pub(super) fn arm_absence(&mut self, now: Time, key: SessionKey) {
        let limit = self.settings.persistent_client_expiration;
        let session = self.session(key);
        let (serial, epoch) = (session.serial, session.epoch);
        let will_delay = session.will.as_ref().map(|will| will.delay);
        let expiry = session.expiry.min(limit);
        if let Some(delay) = will_delay.filter(|&delay| delay < expiry) {
            self.arm(now.plus_seconds(delay), Timer::Will(key, serial, epoch));
        }
        if expiry != NEVER {
            self.arm(
                now.plus_seconds(expiry),
                Timer::SessionEnd(key, serial, epoch),
            );
        }
    }

    /// When [`Engine::handle_timeout`] wants to be called next.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.timers.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Does all that is due.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(&Reverse((at, timer))) = self.timers.heap.peek() {
            if at > now {
                break;
            }
            self.timers.heap.pop();
            self.handle_timer(now, timer);
        }
    }

    fn handle_timer(&mut self, now: Time, timer: Timer) {
        if !self.is_meant(timer) {
            return;
        }
        match timer {
            Timer::Connect(key, _) if self.connection(key).waits_for_connect_timer => {
                self.connection_mut(key).waits_for_connect_timer = false;
                self.check_keep_alive(now, key);
            }
            Timer::Connect(key, _) => self.close(now, key, Close::silent(Ending::Timeout)),
            Timer::Refusal(key, serial) => self.handle_refusal(now, key, serial),
            Timer::KeepAlive(key, _) => self.check_keep_alive(now, key),
            Timer::Patience(key, _) => self.lose_patience(now, key),
            Timer::Will(key, ..) => {
                self.publish_will(now, key);
                self.note_will_sent(key);
            }
            Timer::SessionEnd(key, ..) => {
                self.log_client(key, |client| Line::SessionExpired { client });
                self.counters.clients_expired += 1;
                self.end_session(now, key);
            }
            Timer::Sys => {
                self.publish_sys(now);
                self.arm(now.plus_seconds(self.settings.sys_interval), Timer::Sys);
            }
            Timer::Housekeeping => {
                for message in self.retained.expire(now) {
                    self.note_cleared(&message);
                }
                self.arm_housekeeping(now);
            }
        }
    }

    fn check_keep_alive(&mut self, now: Time, key: ConnectionKey) {
        let connection = self.connection(key);
        if !matches!(connection.stage, Stage::Live(_)) || connection.grace_ms == 0 {
            return;
        }
        let due = Time(connection.last_heard.0 + u64::from(connection.grace_ms));
        if due <= now {
            let close = Close::told(ReasonCode::KeepAliveTimeout, Ending::Timeout); // [MQTT-3.1.2-22]
            self.close(now, key, close);
        } else {
            let serial = connection.serial;
            self.arm(due, Timer::KeepAlive(key, serial));
        }
    }

    fn connection_is(&self, key: ConnectionKey, serial: u64) -> bool {
        self.connections
            .get(key.0 as usize)
            .is_some_and(|connection| connection.serial == serial)
    }

    fn session_is(&self, key: SessionKey, serial: u64, epoch: u32) -> bool {
        self.sessions
            .get(key.0 as usize)
            .is_some_and(|session| session.serial == serial && session.epoch == epoch)
    }
}
