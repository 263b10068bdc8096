//! The store while the broker runs: fed with the engine's batches, asked again when it refuses.

use super::patience::Patience;
use crate::broker::{Core, Shared};
use crate::engine::Engine;
use crate::journal::{Batch, Urgency};
use crate::log::Line;
use crate::store::writer::{Outcome, Task, Writer};
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;

/// How long changes wait that nobody waits for.
const IDLE: Duration = Duration::from_secs(1);

/// So many changes do not wait: they take memory.
const MUCH: usize = 50_000;

/// How long a store that has refused is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// What feeds the store.
pub(crate) struct Storage {
    path: PathBuf,
    writer: Writer,
    /// Wakes the task that tends it.
    wake: Arc<Notify>,
    is_awake: bool,
    /// Whether a batch is being stored.
    is_busy: bool,
    /// A batch that was refused, and when it is tried again.
    refused: Option<(Batch, Instant)>,
    /// How urgent the task knows it to be, and since when there has been something.
    urgency: Urgency,
    since: Instant,
    patience: Patience,
}

impl Storage {
    /// One whose store is with `writer`.
    pub(super) fn new(path: PathBuf, writer: Writer) -> Storage {
        Storage {
            path,
            writer,
            wake: Arc::new(Notify::new()),
            is_awake: false,
            is_busy: false,
            refused: None,
            urgency: Urgency::None,
            since: Instant::now(),
            patience: Patience::new(Instant::now()),
        }
    }

    /// Something has happened in the engine: wakes the task that tends the store, if it has to
    /// look.
    pub(crate) fn look(&mut self, engine: &mut Engine) {
        if engine.has_wanted() && self.refused.is_none() && engine.can_read_ahead() {
            self.load(engine);
        }
        let urgency = match engine.has_wanted() {
            true => Urgency::Now,
            false => engine.batch_urgency(),
        };
        let is_due = urgency > self.urgency || engine.pending() >= MUCH;
        if is_due && !self.is_busy && !self.is_awake {
            self.is_awake = true;
            self.wake.notify_one();
        }
    }

    /// Gives the store what is due; says when to look again.
    fn feed(&mut self, engine: &mut Engine) -> Option<Instant> {
        self.is_awake = false;
        if self.is_busy {
            return None;
        }
        let now = Instant::now();
        if let Some((batch, again)) = self.refused.take() {
            if again > now {
                self.refused = Some((batch, again));
                return Some(again);
            }
            self.commit(batch);
            return None;
        }
        let urgency = engine.batch_urgency();
        if self.urgency == Urgency::None {
            self.since = now;
        }
        let (noted, settled) = engine.progress();
        if self.urgency < Urgency::Soon || self.patience.is_rewarded(settled) {
            self.patience.begin(now, noted, settled);
        }
        self.urgency = urgency;
        let due = match urgency {
            _ if engine.has_wanted() => now,
            Urgency::None => return None,
            Urgency::Idle if engine.pending() >= MUCH => now,
            Urgency::Idle => self.since + IDLE,
            Urgency::Soon => {
                let end = self.patience.end(now, settled);
                if end <= now {
                    self.patience.give_up();
                }
                end.min(self.since + IDLE)
            }
            Urgency::Now => now,
        };
        if due > now {
            return Some(due);
        }
        self.urgency = Urgency::None;
        if let Some(batch) = engine.poll_batch() {
            self.commit(batch);
        }
        self.load(engine);
        None
    }

    /// Has parts of queues read, behind what was given to the store before.
    fn load(&mut self, engine: &mut Engine) {
        while let Some(wanted) = engine.poll_wanted() {
            self.writer.send(Task::Load(wanted));
        }
    }

    fn commit(&mut self, batch: Batch) {
        self.is_busy = true;
        self.writer.send(Task::Commit(batch));
    }
}

impl Core {
    /// The store has done something.
    fn handle_outcome(&mut self, outcome: Outcome) {
        let now = self.now();
        let Some(storage) = &mut self.storage else {
            return;
        };
        match outcome {
            Outcome::Stored(batch, left) => {
                storage.is_busy = false;
                self.engine.handle_left(left);
                self.engine.handle_stored(batch);
            }
            Outcome::Refused(batch, error) => {
                storage.is_busy = false;
                storage.refused = Some((batch, Instant::now() + RETRY));
                self.engine.handle_refused(now, &error.to_string());
            }
            Outcome::Loaded(wanted, Ok(_)) if storage.refused.is_some() => {
                // It was read behind a batch that is not stored, and may lack what was in that.
                let why = "a batch before was refused";
                self.engine.handle_unreadable(now, wanted, why);
            }
            Outcome::Loaded(wanted, Ok(deliveries)) => {
                self.engine.handle_loaded(now, wanted, deliveries);
            }
            Outcome::Loaded(wanted, Err(error)) => {
                let why = error.to_string();
                self.engine.handle_unreadable(now, wanted, &why);
            }
            Outcome::Unsafe(error) => self.engine.handle_refused(now, &error.to_string()),
        }
        self.settle(None);
    }

    fn log_saving(&mut self) {
        if let Some(storage) = &self.storage {
            let path = storage.path.display().to_string();
            self.log_line(Line::Saving { path: &path });
        }
    }

    /// Gives the store what it does not have yet; `false` if it has all.
    fn commit_rest(&mut self) -> bool {
        let Some(storage) = &mut self.storage else {
            return false;
        };
        if storage.is_busy {
            return true;
        }
        let refused = storage.refused.take().map(|(batch, _)| batch);
        match refused.or_else(|| self.engine.poll_batch()) {
            Some(batch) => storage.commit(batch),
            None => return false,
        }
        true
    }

    fn feed_storage(&mut self) -> Option<Instant> {
        let storage = self.storage.as_mut()?;
        storage.feed(&mut self.engine)
    }
}

/// Tends the store as long as the broker runs.
pub(crate) async fn tend(
    shared: Arc<Shared>,
    outcomes: Option<UnboundedReceiver<Outcome>>,
    ending: Arc<Notify>,
) -> Option<UnboundedReceiver<Outcome>> {
    let mut outcomes = outcomes?;
    let wake = shared.with(|core| core.storage.as_ref().map(|s| s.wake.clone()))?;
    loop {
        let due = shared.with(Core::feed_storage);
        let timer = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            outcome = outcomes.recv() => match outcome {
                Some(outcome) => shared.with(|core| core.handle_outcome(outcome)),
                None => return None,
            },
            () = ending.notified() => return Some(outcomes),
            () = wake.notified() => {}
            // What has come meanwhile is heard first: it may be the acknowledgements that are
            // waited for.
            () = timer => tokio::task::yield_now().await,
        }
    }
}

/// Stores what is left when the broker ends: all clients have been let go.
pub(crate) async fn close(shared: &Shared, outcomes: &mut UnboundedReceiver<Outcome>) {
    shared.with(Core::log_saving);
    while shared.with(Core::commit_rest) {
        match outcomes.recv().await {
            Some(Outcome::Refused(_, error)) => {
                let what = format!("the last changes could not be stored: {error}.");
                shared.log(Line::Failure { what: &what });
                break;
            }
            Some(outcome) => shared.with(|core| core.handle_outcome(outcome)),
            None => break,
        }
    }
    // Ends the thread, and closes the file.
    drop(shared.with(|core| core.storage.take()));
}
