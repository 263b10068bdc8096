//! Plain sockets, all looked after by one task: an idle connection then costs no task of its own,
//! and no registration with the runtime.
//!
//! The engine's effects and the sockets' events name members; whoever is named gets a turn, and
//! nobody a second one before all who were named earlier. Where sockets cannot be watched like
//! this, nobody joins.

#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod tcp_ack;
#[cfg(unix)]
mod watch;

#[cfg(unix)]
pub(crate) use watch::{join, start, watched};

use crate::connection_state::ConnectionKey;
use std::collections::VecDeque;
use std::task::Waker;

/// Who looks after a connection.
#[derive(Default)]
#[cfg_attr(not(unix), allow(dead_code))]
enum Runner {
    /// It is on its way in, or closed.
    #[default]
    Nobody,
    /// A task of its own.
    Task(Waker),
    /// The crowd, which may have a turn for it already.
    Crowd { has_turn: bool },
}

/// Who looks after each of the connections, and whose turn it is in the crowd.
#[derive(Default)]
pub(crate) struct Runners {
    /// By connection key.
    runners: Vec<Runner>,
    /// Members of the crowd that are to have a turn, each once.
    turns: VecDeque<ConnectionKey>,
    /// Who has come to the crowd since it looked last.
    #[cfg(unix)]
    seats: Vec<(ConnectionKey, socket::PlainSocket)>,
    /// The task of the crowd, and whether it has been woken since it last found nothing to do.
    task: Option<Waker>,
    is_awake: bool,
}

impl Runners {
    fn runner(&mut self, key: ConnectionKey) -> &mut Runner {
        let at = key.0 as usize;
        if self.runners.len() <= at {
            self.runners.resize_with(at + 1, Runner::default);
        }
        &mut self.runners[at]
    }

    /// A connection has a task of its own, which is woken like this.
    pub(crate) fn remember(&mut self, key: ConnectionKey, waker: &Waker) {
        match self.runner(key) {
            Runner::Task(known) if known.will_wake(waker) => {}
            runner => *runner = Runner::Task(waker.clone()),
        }
    }

    /// A connection is closed.
    pub(crate) fn forget(&mut self, key: ConnectionKey) {
        *self.runner(key) = Runner::Nobody;
    }

    /// Whether a member of the crowd is to have a turn.
    #[cfg(unix)]
    fn has_turn(&self, key: ConnectionKey) -> bool {
        matches!(
            self.runners.get(key.0 as usize),
            Some(Runner::Crowd { has_turn: true })
        )
    }

    /// Sees to it that a connection is looked after soon.
    pub(crate) fn wake(&mut self, key: ConnectionKey) {
        match self.runners.get_mut(key.0 as usize) {
            Some(Runner::Task(waker)) => waker.wake_by_ref(),
            Some(Runner::Crowd { has_turn }) => {
                if std::mem::replace(has_turn, true) {
                    return;
                }
                self.turns.push_back(key);
                self.wake_crowd();
            }
            Some(Runner::Nobody) | None => {}
        }
    }

    fn wake_crowd(&mut self) {
        if !self.is_awake
            && let Some(task) = &self.task
        {
            self.is_awake = true;
            task.wake_by_ref();
        }
    }
}

/// Where plain sockets have a task each.
#[cfg(not(unix))]
pub(crate) fn start(_shared: &std::sync::Arc<crate::broker::Shared>) -> std::io::Result<()> {
    Ok(())
}
