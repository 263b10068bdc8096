//! The broker as a whole: one thread, one engine, its listeners, its log and its clock.

mod doors;
mod heap;
mod logins;
mod tokens;

use crate::config::{Config, Faults, Loaded};
use crate::connection;
use crate::connection_state::ConnectionKey;
use crate::crowd::{self, Runners};
use crate::engine::Engine;
use crate::gate::Gate;
use crate::listener::{self, Door, StartError};
use crate::log::{Line, Log, VERSION, program};
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
use heap::HeapWatch;
use std::future::Future;
use std::io;
use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokens::Tokens;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long the broker waits for clients to read its goodbye.
const FAREWELL: Duration = Duration::from_millis(500);

/// A broker whose listeners stand.
pub struct Broker {
    config: Config,
    log: Log,
    doors: Vec<Door>,
    gates: Vec<Arc<Gate>>,
    keys: Keyring,
    store: Option<storage::Opened>,
    heap: Option<fn() -> usize>,
}

/// What is asked of a broker while it runs.
#[derive(Debug)]
pub enum Request {
    /// To go on under this configuration, or to say why it cannot.
    Reload(Result<Box<Loaded>, Faults>),
    /// To say goodbye to its clients and to end.
    Stop,
}

/// A broker that runs in a thread of its own, until it is dropped or stopped.
pub struct Running {
    ports: Vec<u16>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Broker {
    /// Opens the listeners of a configuration. From here on clients can connect; they are
    /// served by [`Broker::run`].
    ///
    /// # Errors
    /// A listener that could not be opened; the log has the system's words for it.
    pub fn bind(mut config: Config, mut log: Log) -> Result<Broker, StartError> {
        let store = storage::open(&config, &mut log).map_err(|what| {
            log.line(Line::Failure { what: &what });
            log.flush();
            StartError::of_store(what)
        })?;
        let mut keys = Keyring::default();
        let gates = doors::gates(&config, &keys, &mut log)?;
        keys.close();
        let opened = listener::open(&mut config, &mut log);
        log.flush();
        Ok(Broker {
            config,
            log,
            doors: opened?,
            gates,
            keys,
            store,
            heap: None,
        })
    }

    /// Has `memory_limit` obeyed: `in_use` counts the bytes that the process has allocated. It is
    /// asked for every batch of packets, so it must be quick.
    pub fn measure_heap(&mut self, in_use: fn() -> usize) {
        self.heap = Some(in_use);
    }

    /// Starts a broker in a thread of its own.
    ///
    /// # Errors
    /// As [`Broker::bind`].
    pub fn start(config: Config) -> Result<Running, StartError> {
        let log = Log::open(&config);
        let broker = Broker::bind(config, log)?;
        let ports = broker.ports();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let Ok(runtime) = runtime() else { return };
            let mut stopped = stopped;
            let done = runtime.block_on(broker.run(async || {
                // A dropped sender is a wish to stop, too.
                let _ = (&mut stopped).await;
                Request::Stop
            }));
            debug_assert!(done.is_ok(), "{done:?}");
        });
        Ok(Running {
            ports,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The ports of the listeners, in the order of the configuration.
    pub fn ports(&self) -> Vec<u16> {
        self.config
            .listeners
            .iter()
            .map(|listener| listener.port)
            .collect()
    }

    /// The configuration, with the ports that the system has chosen.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The files that the broker writes, and may have to open again.
    pub fn files(&self) -> Vec<PathBuf> {
        let Config {
            log_dest, pid_file, ..
        } = &self.config;
        let store = self
            .config
            .persistence
            .then(|| storage::path_of(&self.config));
        let named = log_dest.file.iter().chain(pid_file).cloned();
        named.chain(store).collect()
    }

    /// The log.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// Serves clients until `requests` gives [`Request::Stop`]; then tells them so and returns.
    ///
    /// # Errors
    /// The runtime cannot watch the sockets.
    pub async fn run(self, mut requests: impl AsyncFnMut() -> Request) -> io::Result<()> {
        let Broker {
            config,
            log,
            doors,
            gates,
            keys,
            store,
            heap,
        } = self;
        let mut core = Core::new(config, log, gates, keys);
        core.heap = HeapWatch::new(heap);
        let outcomes = core.restore(store)?;
        core.limit_heap();
        core.log.line(Line::Running {
            program: program(),
            version: VERSION,
        });
        core.log.flush();
        let shared = Arc::new(Shared {
            core: Mutex::new(core),
        });
        let ending = Arc::new(Notify::new());
        let tending = tokio::spawn(storage::tend(shared.clone(), outcomes, ending.clone()));
        crowd::start(&shared)?;
        let mut doors = doors::Doors::start(&shared, doors)?;
        let keeper = tokio::spawn(keep(shared.clone()));
        let (answers, answered) = unbounded_channel();
        shared.with(|core| {
            core.answers = Some(answers);
            core.prepare_for_logins();
        });
        let logins = tokio::spawn(logins::take_answers(shared.clone(), answered));
        while let Request::Reload(outcome) = requests().await {
            doors.reload(&shared, outcome).await;
        }
        doors.close().await;
        shared.with(Core::shutdown);
        let farewell = tokio::time::sleep(FAREWELL);
        tokio::pin!(farewell);
        tokio::select! {
            () = &mut farewell => {}
            () = all_written(&shared) => {}
        }
        keeper.abort();
        logins.abort();
        ending.notify_one();
        if let Ok(Some(mut outcomes)) = tending.await {
            storage::close(&shared, &mut outcomes).await;
        }
        shared.with(|core| {
            core.settle(None);
            core.log.line(Line::Terminating {
                program: program(),
                version: VERSION,
            });
            core.log.flush();
        });
        Ok(())
    }
}

impl Running {
    /// The ports of the listeners, in the order of the configuration.
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// Stops the broker and waits until it has.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The runtime that a broker is made for: all of it runs in one thread.
///
/// # Errors
/// The system has no more resources for it.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        // One poll of the crowd is the work of many tasks.
        .event_interval(4)
        .enable_all()
        .build()
}

/// Waits until every outbox is empty.
async fn all_written(shared: &Shared) {
    while shared.with(|core| core.engine.has_waiting()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What every task of a broker shares.
pub(crate) struct Shared {
    core: Mutex<Core>,
}

impl Shared {
    /// Does something with the core. The lock is never contended, as all runs in one thread;
    /// it is what makes the tasks movable, should that ever pay.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut Core) -> R) -> R {
        work(&mut self.core.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The way in at a listener.
    pub(crate) fn gate(&self, listener: usize) -> Arc<Gate> {
        self.with(|core| core.gates[listener].clone())
    }

    pub(crate) fn log(&self, line: Line<'_>) {
        self.with(|core| {
            core.log.line(line);
            core.wake_keeper();
        });
    }
}

/// The engine, and what it needs of the world.
pub(crate) struct Core {
    pub(crate) engine: Engine,
    config: Config,
    log: Log,
    /// The ways in, by listener.
    gates: Vec<Arc<Gate>>,
    keys: Keyring,
    tokens: Tokens,
    /// When the log last heard that there are no more sockets.
    complained: Option<Instant>,
    clock: Clock,
    /// Who looks after the connections.
    pub(crate) runners: Runners,
    /// The task that keeps the time and writes the log.
    keeper: Option<Waker>,
    is_keeper_awake: bool,
    checks: PasswordChecks,
    /// Where the threads that check passwords put their answers.
    answers: Option<UnboundedSender<logins::LoginAnswer>>,
    read_buffer: Vec<MaybeUninit<u8>>,
    sys_interval: Duration,
    memory_seen: Option<Instant>,
    heap: HeapWatch,
    pub(crate) storage: Option<Storage>,
}

/// Milliseconds since 1970 at the start, and from then on by a clock that never goes back.
struct Clock {
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

    fn now(&self) -> Time {
        Time(self.origin) + self.start.elapsed()
    }

    /// The instant of a time to come.
    fn instant(&self, time: Time) -> Instant {
        self.start + time.since(Time(self.origin))
    }
}

impl Core {
    fn new(config: Config, log: Log, gates: Vec<Arc<Gate>>, keys: Keyring) -> Core {
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
    fn restore(
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

    /// A connection was accepted.
    pub(crate) fn open(&mut self, peer: Peer, listener: usize) -> Option<ConnectionKey> {
        let token = self.tokens.next(self.clock.now());
        let opened = self
            .engine
            .handle_open(self.clock.now(), peer, listener, token);
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

    fn wake_keeper(&mut self) {
        if !self.is_keeper_awake
            && let Some(keeper) = &self.keeper
        {
            self.is_keeper_awake = true;
            keeper.wake_by_ref();
        }
    }

    fn shutdown(&mut self) {
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
async fn keep(shared: Arc<Shared>) {
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
