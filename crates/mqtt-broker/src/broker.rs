//! The broker as a whole: one thread, one engine, its listeners, its log and its clock.

mod core;
mod doors;
mod heap;
mod logins;
mod tokens;

pub(crate) use self::core::Core;

use crate::config::{Config, Faults, Loaded};
use crate::crowd;
use crate::gate::Gate;
use crate::listener::{self, Door, StartError};
use crate::log::{Line, Log, VERSION, program};
use crate::storage;
use crate::tls::Keyring;
use heap::HeapWatch;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::sync::mpsc::unbounded_channel;

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
        let keeper = tokio::spawn(core::keep(shared.clone()));
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

    pub(crate) fn log(&self, line: Line<'_>) {
        self.with(|core| {
            core.log.line(line);
            core.wake_keeper();
        });
    }
}
