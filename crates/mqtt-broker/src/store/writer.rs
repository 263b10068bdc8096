//! A store in a thread of its own: tasks go in, in order, and their outcomes come back.

use super::{Left, Store, StoreError};
use crate::engine::behind::Wanted;
use crate::journal::Batch;
use crate::message::Delivery;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a store is to do.
#[derive(Debug)]
pub enum Task {
    /// To store a batch.
    Commit(Batch),
    /// To read a part of a queue.
    Load(Wanted),
}

/// How it went.
#[derive(Debug)]
pub enum Outcome {
    /// The batch with this number is stored; with it ended sessions that left something.
    Stored(u64, Left),
    /// The batch was not stored; here it is again.
    Refused(Batch, StoreError),
    /// A part of a queue. If it cannot be read, it is asked for again later.
    Loaded(Wanted, Result<Vec<Delivery>, StoreError>),
    /// What was stored could not be brought to safety.
    Unsafe(StoreError),
}

/// The thread of a store. It ends, when it has done all, as soon as this is dropped.
pub struct Writer {
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. With an `interval`, what was committed is brought to safety only that
    /// often.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        store: Box<dyn Store>,
        interval: Option<Duration>,
    ) -> std::io::Result<(Writer, UnboundedReceiver<Outcome>)> {
        let (tasks, incoming) = channel();
        let (outgoing, outcomes) = unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || work(store, interval, &incoming, &outgoing))?;
        let writer = Writer {
            tasks: Some(tasks),
            thread: Some(thread),
        };
        Ok((writer, outcomes))
    }

    /// Gives the thread something to do.
    pub fn send(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            // The thread ends only after this sender.
            let _ = tasks.send(task);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.tasks.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(
    mut store: Box<dyn Store>,
    interval: Option<Duration>,
    tasks: &Receiver<Task>,
    outcomes: &UnboundedSender<Outcome>,
) {
    // When what was committed has to be brought to safety.
    let mut due: Option<Instant> = None;
    loop {
        let task = match due {
            None => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => tasks.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        // Nobody listens any more when the broker ends.
        match task {
            Ok(Task::Commit(batch)) => {
                let outcome = match store.commit(&batch) {
                    Ok(left) => Outcome::Stored(batch.number, left),
                    Err(error) => Outcome::Refused(batch, error),
                };
                if due.is_none() {
                    due = interval.map(|interval| Instant::now() + interval);
                }
                let _ = outcomes.send(outcome);
            }
            Ok(Task::Load(wanted)) => {
                let loaded = store.load(wanted.serial, wanted.behind, wanted.part);
                let loaded = loaded.map(|portion| portion.deliveries);
                let _ = outcomes.send(Outcome::Loaded(wanted, loaded));
            }
            Err(end) => {
                if due.take().is_some()
                    && let Err(error) = store.sync()
                {
                    let _ = outcomes.send(Outcome::Unsafe(error));
                    due = interval.map(|interval| Instant::now() + interval);
                }
                if end == RecvTimeoutError::Disconnected {
                    return;
                }
            }
        }
    }
}
