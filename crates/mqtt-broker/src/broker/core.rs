//! The engine among the things it needs of the world: clock, log, store, and who looks after connections.

use super::heap::HeapWatch;
use super::tokens::Tokens;
use super::{Shared, logins};
use crate::config::Config;
use crate::connection;
use crate::connection_state::ConnectionKey;
use crate::crowd::Runners;
use crate::engine::Engine;
use crate::gate::Gate;
use crate::log::{Line, Log};
use crate::memory;
use crate::password_check::PasswordChecks;
use crate::peer::Peer;
use crate::rules;
use crate::storage::{self, Storage};
use crate::store::writer::Outcome;
use crate::sys::Figure;
use crate::time::Time;
use crate::tls::Keyring;
use bytes::Bytes;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// The engine, and what it needs of the world.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    pub(super) config: Config,
    pub(super) log: Log,
    /// The ways in, by listener.
    pub(super) gates: Vec<Arc<Gate>>,
    pub(super) keys: Keyring,
    pub(super) tokens: Tokens,
    /// When the log last heard that there are no more sockets.
    pub(super) complained: Option<Instant>,
    pub(super) clock: Clock,
    /// Who looks after the connections.
    pub(crate) runners: Runners,
    /// The task that keeps the time and writes the log.
    pub(super) keeper: Option<Waker>,
    pub(super) is_keeper_awake: bool,
    pub(super) checks: PasswordChecks,
    /// Where the threads that check passwords put their answers.
    pub(super) answers: Option<UnboundedSender<logins::LoginAnswer>>,
    pub(super) read_buffer: Vec<MaybeUninit<u8>>,
    pub(super) sys_interval: Duration,
    pub(super) memory_seen: Option<Instant>,
    pub(super) heap: HeapWatch,
    pub(crate) storage: Option<Storage>,
}

/// Milliseconds since 1970 at the start, and from then on by a clock that never goes back.
pub(super) struct Clock {
    start: Instant,
    origin: u64,
}

impl Clock {
    fn new() -> Clock {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Clock {
            start: Instant::now(),
            origin: u64::try_from(since_1970.as_millis()).unwrap_or(0),
        }
    }

    pub(super) fn now(&self) -> Time {
        Time(self.origin) + self.start.elapsed()
    }

    /// The instant of a time to come.
    fn instant(&self, time: Time) -> Instant {
        self.start + time.since(Time(self.origin))
    }
}

impl Core {
    pub(super) fn new(config: Config, log: Log, gates: Vec<Arc<Gate>>, keys: Keyring) -> Core {
        let clock = Clock::new();
        let settings = rules::settings(&config, &log);
        Core {
            engine: Engine::new(settings, clock.now()),
            sys_interval: config.sys_interval.unwrap_or_default(),
            config,
            log,
            gates,
            keys,
            tokens: Tokens::default(),
            complained: None,
            clock,
            runners: Runners::default(),
            keeper: None,
            is_keeper_awake: false,
            checks: PasswordChecks::default(),
            answers: None,
            read_buffer: connection::read_buffer(),
            memory_seen: None,
            heap: HeapWatch::default(),
            storage: None,
        }
    }

    /// Brings back what was stored, and begins to store.
    pub(super) fn restore(
        &mut self,
        store: Option<storage::Opened>,
    ) -> io::Result<Option<UnboundedReceiver<Outcome>>> {
        let Some(mut store) = store else {
            return Ok(None);
        };
        store.restore(&mut self.engine, self.clock.now(), &mut self.log)?;
        let (storage, outcomes) = store.start()?;
        self.storage = Some(storage);
        self.settle(None);
        Ok(Some(outcomes))
    }

    pub(crate) fn now(&self) -> Time {
        self.clock.now()
    }

    pub(crate) fn log_line(&mut self, line: Line<'_>) {
        self.log.line(line);
        self.wake_keeper();
    }

    /// The way in at a listener, and whether as many have come in by it as may.
    pub(crate) fn gate(&self, listener: usize) -> (Arc<Gate>, bool) {
        let gate = self.gates[listener].clone();
        let is_full = self.engine.is_full(gate.listener);
        (gate, is_full)
    }

    /// A connection was accepted.
    pub(crate) fn open(&mut self, peer: Peer, listener: usize) -> Option<ConnectionKey> {
        let now = self.clock.now();
        let token = self.tokens.next(now);
        let opened = self.engine.handle_open(now, peer, listener, token);
        self.settle(None);
        opened
    }

    /// More is known of who is at the other end of a connection.
    pub(crate) fn introduce(&mut self, key: ConnectionKey, peer: Peer) {
        self.engine.handle_introduced(key, peer);
        self.settle(None);
    }

    /// Whether the log may hear again that there are no more sockets: once a second.
    pub(crate) fn may_complain(&mut self) -> bool {
        const PAUSE: Duration = Duration::from_secs(1);
        let is_due = self.complained.is_none_or(|last| last.elapsed() >= PAUSE);
        if is_due {
            self.complained = Some(Instant::now());
        }
        is_due
    }

    /// Hands bytes to the engine; how many of them it has used.
    pub(crate) fn receive(
        &mut self,
        key: ConnectionKey,
        bytes: &[u8],
        owner: Option<&Bytes>,
    ) -> usize {
        self.look_at_heap();
        self.engine.receive(self.clock.now(), key, bytes, owner)
    }

    /// Bytes of an outbox have been written.
    pub(crate) fn wrote(&mut self, key: ConnectionKey, count: usize) {
        self.engine.handle_written(self.clock.now(), key, count);
    }

    /// A socket is closed.
    pub(crate) fn close(&mut self, key: ConnectionKey, error: Option<&str>) {
        self.runners.forget(key);
        self.engine.handle_closed(self.clock.now(), key, error);
        self.settle(None);
    }

    /// Whether a connection has more to write than it may, before it may ask for more.
    pub(crate) fn has_backlog(&self, key: ConnectionKey) -> bool {
        let limit = self.engine.settings().max_outbox_bytes;
        !self.engine.is_closing(key) && !self.engine.outbox(key).has_room(limit)
    }

    pub(crate) fn take_read_buffer(&mut self) -> Vec<MaybeUninit<u8>> {
        std::mem::take(&mut self.read_buffer)
    }

    pub(crate) fn put_read_buffer(&mut self, buffer: Vec<MaybeUninit<u8>>) {
        self.read_buffer = buffer;
    }

    /// Passes the engine's effects on: wakes the connections that have something to do, and the
    /// keeper if there is something to log. `current` is the connection that is at work, which
    /// looks after itself unless it has to write again.
    pub(crate) fn settle(&mut self, current: Option<ConnectionKey>) {
        if let Some(storage) = &mut self.storage {
            self.engine.open_gates();
            storage.look(&mut self.engine);
        }
        let mut has_own = false;
        while let Some(key) = self.engine.poll_dirty() {
            if current == Some(key) {
                has_own = true;
            } else {
                self.runners.wake(key);
            }
        }
        if let Some(key) = current.filter(|_| has_own) {
            // What has come for others leaves before it is acknowledged.
            self.runners.wake(key);
        }
        while let Some(login) = self.engine.poll_login() {
            self.check_login(login);
        }
        if self.engine.has_log() {
            for (level, text) in self.engine.poll_log() {
                self.log.write(level, &text);
            }
            self.wake_keeper();
        }
    }

    /// What is in force.
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// What the broker counts.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        self.engine.figures(self.clock.now())
    }

    pub(super) fn wake_keeper(&mut self) {
        if !self.is_keeper_awake
            && let Some(keeper) = &self.keeper
        {
            self.is_keeper_awake = true;
            keeper.wake_by_ref();
        }
    }

    pub(super) fn shutdown(&mut self) {
        self.engine.shutdown(self.clock.now());
        self.settle(None);
        self.log.flush();
    }

    /// Does what is due and says when something will be.
    fn keep(&mut self) -> Option<Instant> {
        let now = self.clock.now();
        self.look_at_memory();
        self.look_at_heap();
        self.engine.handle_timeout(now);
        self.settle(None);
        for message in self.log.take_messages() {
            self.engine
                .publish_internal(now, &message.topic, message.payload.as_bytes(), false);
        }
        self.settle(None);
        // What these messages themselves have caused to be logged is published the next time.
        self.log.flush();
        self.is_keeper_awake = false;
        self.engine
            .poll_timeout()
            .map(|time| self.clock.instant(time))
    }

    /// Tells the engine how much memory is in use, as often as it publishes that.
    fn look_at_memory(&mut self) {
        let is_due = self
            .memory_seen
            .is_none_or(|seen| seen.elapsed() >= self.sys_interval);
        if is_due && !self.sys_interval.is_zero() {
            self.memory_seen = Some(Instant::now());
            if let Some(bytes) = memory::in_use() {
                self.engine.note_memory(bytes);
            }
        }
    }
}

/// Keeps the time, and writes the log once for all that has happened in a turn.
pub(super) async fn keep(shared: Arc<Shared>) {
    loop {
        let due = shared.with(Core::keep);
        // New timers are at most a second old when this wakes again: they are all longer.
        let limit = Instant::now() + Duration::from_secs(1);
        let until = due.map_or(limit, |due| due.min(limit));
        let mut sleep = std::pin::pin!(tokio::time::sleep_until(until.into()));
        std::future::poll_fn(|cx| {
            let is_wanted = shared.with(|core| {
                core.keeper = Some(cx.waker().clone());
                core.is_keeper_awake
            });
            if is_wanted {
                Poll::Ready(())
            } else {
                sleep.as_mut().poll(cx)
            }
        })
        .await;
    }
}
