//! The doors of a broker that runs, and what a reload does to them and to everything else.

use super::{Core, Shared};
use crate::accept;
use crate::config::{Config, Faults, Listener, Loaded};
use crate::gate::Gate;
use crate::listener::{self, Door, StartError};
use crate::log::{Level, Line, Log};
use crate::rules::{self, Plan};
use crate::tls::Keyring;
use std::io;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// The tasks that accept, by listener; none where a reload has closed the door.
pub(super) struct Doors {
    accepting: Vec<Vec<JoinHandle<()>>>,
}

/// The ways in at the listeners of a configuration.
///
/// # Errors
/// A file that one of them needs cannot be used; the log has the reason.
pub(super) fn gates(
    config: &Config,
    keys: &Keyring,
    log: &mut Log,
) -> Result<Vec<Arc<Gate>>, StartError> {
    let keylog = config.tls_keylog.as_deref();
    let mut gates = Vec::new();
    for (number, listener) in config.listeners.iter().enumerate() {
        let secured = keys.open(listener, keylog).map_err(|problem| {
            let what = format!("listener {}: {problem}.", listener.port);
            log.line(Line::Failure { what: &what });
            log.flush();
            StartError {
                port: listener.port,
                host: listener.host.clone(),
                source: io::Error::other(problem),
            }
        })?;
        for what in &secured.cautions {
            let what = format!("listener {}: {what}", listener.port);
            log.line(Line::Caution { what: &what });
        }
        gates.push(Arc::new(Gate::of(config, listener, number, secured.config)));
    }
    if let Some(path) = keylog
        && gates.iter().any(|gate| gate.tls.is_some())
    {
        let path = path.display();
        let what =
            format!("the secrets of all TLS connections are written to '{path}', for tests.");
        log.line(Line::Caution { what: &what });
    }
    Ok(gates)
}

impl Doors {
    /// Begins to let connections in.
    pub(super) fn start(shared: &Arc<Shared>, doors: Vec<Door>) -> io::Result<Doors> {
        let mut started = Doors {
            accepting: Vec::new(),
        };
        for door in doors {
            started.add(shared, door)?;
        }
        Ok(started)
    }

    fn add(&mut self, shared: &Arc<Shared>, door: Door) -> io::Result<()> {
        let at = door.listener;
        if self.accepting.len() <= at {
            self.accepting.resize_with(at + 1, Vec::new);
        }
        self.accepting[at].push(accept::start(shared, door)?);
        Ok(())
    }

    /// Closes the doors of a listener. When this returns, its ports are free.
    async fn close_listener(&mut self, at: usize) {
        let tasks = self.accepting.get_mut(at).map(std::mem::take);
        for task in tasks.unwrap_or_default() {
            task.abort();
            // It ends by being aborted, and the door closes with it.
            let _ = task.await;
        }
    }

    /// Closes all doors.
    pub(super) async fn close(mut self) {
        for at in 0..self.accepting.len() {
            self.close_listener(at).await;
        }
    }

    /// Goes on under another configuration, if it is one and its doors can be opened.
    pub(super) async fn reload(
        &mut self,
        shared: &Arc<Shared>,
        outcome: Result<Box<Loaded>, Faults>,
    ) {
        let Loaded { mut config, notes } = match outcome {
            Ok(loaded) => *loaded,
            Err(faults) => {
                let lines = faults.to_string();
                return shared.with(|core| core.refuse_reload(lines.lines()));
            }
        };
        let standing = shared.with(|core| core.config.listeners.clone());
        let Plan {
            listeners,
            opening,
            closing,
        } = rules::plan(&standing, config.listeners);
        config.listeners = listeners;
        // A door that is to close may stand where one is to open.
        for at in &closing {
            let conflicts = |new: &usize| config.listeners[*new].is_in_the_way_of(&standing[*at]);
            if opening.iter().any(conflicts) {
                self.close_listener(*at).await;
            }
        }
        let opened = shared.with(|core| {
            // Why a file cannot be used has been logged when it was read.
            let gates = gates(&config, &core.keys, &mut core.log).map_err(|_| None)?;
            let doors = open(&mut config.listeners, &opening, &mut core.log);
            doors.map(|doors| (gates, doors)).map_err(Some)
        });
        let (gates, doors) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.reopen(shared, &standing, &closing);
                let what = error.map(|error| why_not(&error));
                return shared.with(|core| core.refuse_reload(what.as_deref().into_iter()));
            }
        };
        shared.with(|core| core.apply(config, gates, &notes));
        for at in closing {
            self.close_listener(at).await;
        }
        for door in doors {
            if let Err(error) = self.add(shared, door) {
                let what = listener::text_of(&error);
                shared.log(Line::Failure { what: &what });
            }
        }
    }

    /// Opens again what was closed to make room for doors that could then not be opened.
    fn reopen(&mut self, shared: &Arc<Shared>, standing: &[Listener], closing: &[usize]) {
        for at in closing {
            if self
                .accepting
                .get(*at)
                .is_some_and(|tasks| !tasks.is_empty())
            {
                continue;
            }
            let mut old = standing[*at].clone();
            let opened = shared.with(|core| listener::open_listener(&mut old, *at, &mut core.log));
            let added = opened.map_err(|error| error.source).and_then(|doors| {
                doors
                    .into_iter()
                    .try_for_each(|door| self.add(shared, door))
            });
            if let Err(error) = added {
                let what = listener::text_of(&error);
                shared.log(Line::Failure { what: &what });
            }
        }
    }
}

/// Opens the doors of those listeners.
fn open(
    listeners: &mut [Listener],
    opening: &[usize],
    log: &mut Log,
) -> Result<Vec<Door>, StartError> {
    let mut doors = Vec::new();
    for at in opening {
        doors.extend(listener::open_listener(&mut listeners[*at], *at, log)?);
    }
    Ok(doors)
}

fn why_not(error: &StartError) -> String {
    let cause = listener::text_of(&error.source);
    match (&error.host, error.port) {
        (Some(path), 0) => format!("Error: {path} cannot be opened: {cause}."),
        (Some(host), port) => format!("Error: port {port} of {host} cannot be opened: {cause}."),
        (None, port) => format!("Error: port {port} cannot be opened: {cause}."),
    }
}

impl Core {
    /// Goes on under another configuration.
    fn apply(&mut self, config: Config, gates: Vec<Arc<Gate>>, notes: &[(Level, String)]) {
        self.log.reload(&config);
        self.log.line(Line::Reloading);
        for (level, text) in notes {
            self.log.write(*level, text);
        }
        self.sys_interval = config.sys_interval.unwrap_or_default();
        self.config = config;
        self.gates = gates;
        let settings = rules::settings(&self.config, &self.log);
        self.engine.reload(self.clock.now(), settings);
        self.limit_heap();
        self.log.flush();
        self.wake_keeper();
    }

    /// Says why the configuration in force stays.
    fn refuse_reload<'a>(&mut self, reasons: impl Iterator<Item = &'a str>) {
        // Whoever has moved the log away wants a new one, whatever the configuration says.
        if let Err(error) = self.log.reopen() {
            let what = format!("the log file cannot be opened again: {error}.");
            self.log.line(Line::Failure { what: &what });
        }
        self.log.line(Line::Reloading);
        for line in reasons {
            self.log.write(Level::Error, line);
        }
        self.log.line(Line::Failure {
            what: "the configuration was not changed. The broker goes on as before.",
        });
        self.log.flush();
        self.wake_keeper();
    }
}
