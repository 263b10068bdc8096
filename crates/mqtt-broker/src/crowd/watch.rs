//! The task of the crowd: an epoll (or kqueue) of its own, which the runtime watches as if it were
//! one socket.

use super::Runner;
use super::socket::PlainSocket;
use crate::broker::{Core, Shared};
use crate::connection::{Driver, End, Layers};
use crate::connection_state::ConnectionKey;
use mio::{Events, Poll as Watch, Token};
use socket2::Socket;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// So many events are fetched at a time.
const EVENTS: usize = 1024;

/// After so many turns new events are fetched, and the broker's other tasks have their turn. With what
/// [`runtime`](crate::broker::runtime) says, newcomers and timers wait for 128 turns at most: some milliseconds.
const TURNS: usize = 32;

/// Begins to look after sockets.
///
/// # Errors
/// The system has no more resources for it.
pub(crate) fn start(shared: &Arc<Shared>) -> io::Result<()> {
    let task = CrowdTask {
        shared: shared.clone(),
        watch: watched(Watched(Watch::new()?))?,
        events: Events::with_capacity(EVENTS),
        members: Vec::new(),
        alarms: Arc::default(),
    };
    tokio::spawn(task);
    Ok(())
}

/// Has the runtime tell when something can be read from: `source` owns its descriptor, and closes
/// it when it is dropped, not before.
///
/// # Errors
/// The runtime cannot watch it.
pub(crate) fn watched<T: AsRawFd>(source: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: only types that own their descriptor for as long as they exist are handed in.
    #[allow(unsafe_code)]
    let watched = unsafe { AsyncFd::register_with_interest(source, tokio::io::Interest::READABLE) };
    Ok(watched?)
}

/// Takes in a socket that speaks MQTT from its first byte on, and never blocks. `has_bytes`: whether
/// these may be there already.
pub(crate) fn join(shared: &Shared, socket: Socket, has_bytes: bool, key: ConnectionKey) {
    let socket = PlainSocket::new(socket, has_bytes);
    shared.with(|core| {
        core.runners.seats.push((key, socket));
        *core.runners.runner(key) = Runner::Crowd { has_turn: false };
        core.runners.wake_crowd();
    });
}

/// What epoll is for the runtime: something that can be read from when there are events.
struct Watched(Watch);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

struct CrowdTask {
    shared: Arc<Shared>,
    watch: AsyncFd<Watched>,
    events: Events,
    /// By connection key.
    members: Vec<Option<Driver<PlainSocket>>>,
    alarms: Arc<Alarms>,
}

impl Future for CrowdTask {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let shared = this.shared.clone();
        let is_busy = shared.with(|core| {
            this.listen(core, cx);
            for _ in 0..TURNS {
                let Some(key) = core.runners.turns.pop_front() else {
                    break;
                };
                this.give_turn(core, key);
            }
            core.runners.is_awake = !core.runners.turns.is_empty();
            core.runners.is_awake
        });
        if is_busy {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl CrowdTask {
    /// Finds out who is to have a turn: who has come, whose socket is ready, whose time is over.
    fn listen(&mut self, core: &mut Core, cx: &mut Context<'_>) {
        let task = cx.waker();
        if !core
            .runners
            .task
            .as_ref()
            .is_some_and(|known| known.will_wake(task))
        {
            core.runners.task = Some(task.clone());
            self.alarms.with(|alarms| alarms.task = Some(task.clone()));
        }
        core.runners.is_awake = true;
        for key in self.alarms.with(|alarms| std::mem::take(&mut alarms.due)) {
            core.runners.wake(key);
        }
        // A busy crowd does not wait for the runtime to look again, and what had been sent before a newcomer
        // came is heard before it: by a client, say, that publishes, leaves and comes again.
        if !core.runners.turns.is_empty() || !core.runners.seats.is_empty() {
            self.fetch_events(core);
        }
        // Until it says that there is nothing, the runtime does not remember whom to wake.
        while let Poll::Ready(found) = self.watch.poll_read_ready_mut(cx) {
            let Ok(mut found) = found else { break };
            found.clear_ready();
            self.fetch_events(core);
        }
        for (key, socket) in std::mem::take(&mut core.runners.seats) {
            self.seat(key, socket);
            core.runners.wake(key);
        }
    }

    fn fetch_events(&mut self, core: &mut Core) {
        loop {
            let watch = &mut self.watch.get_mut().0;
            if let Err(error) = watch.poll(&mut self.events, Some(Duration::ZERO)) {
                if error.kind() == io::ErrorKind::Interrupted {
                    continue;
                }
                return;
            }
            let mut count = 0;
            for event in &self.events {
                count += 1;
                let at = event.token().0;
                let Some(Some(driver)) = self.members.get_mut(at) else {
                    continue;
                };
                driver.socket.note(event);
                if let Ok(key) = u32::try_from(at) {
                    core.runners.wake(ConnectionKey(key));
                }
            }
            if count < EVENTS {
                return;
            }
        }
    }

    fn seat(&mut self, key: ConnectionKey, socket: PlainSocket) {
        let at = key.0 as usize;
        if self.members.len() <= at {
            self.members.resize_with(at + 1, || None);
        }
        self.members[at] = Some(Driver::new(socket, key, Layers::None));
    }

    fn give_turn(&mut self, core: &mut Core, key: ConnectionKey) {
        if let Runner::Crowd { has_turn } = core.runners.runner(key) {
            *has_turn = false;
        }
        let Some(Some(driver)) = self.members.get_mut(key.0 as usize) else {
            return;
        };
        // Only a connection at its end has a time limit here, and needs to be woken by it.
        let was_ending = driver.is_ending();
        let waker = if was_ending {
            self.alarms.waker(key)
        } else {
            Waker::noop().clone()
        };
        let end = match driver.poll_turn(core, &mut Context::from_waker(&waker)) {
            Poll::Ready(end) => end,
            Poll::Pending => {
                if driver.is_ending() && !was_ending {
                    core.runners.wake(key);
                }
                if core.runners.has_turn(key) {
                    // Whoever goes on anyway does not wait for events.
                    return;
                }
                let token = Token(key.0 as usize);
                let registry = self.watch.get_ref().0.registry();
                match driver.socket.watch(registry, token) {
                    Ok(()) => return,
                    Err(error) => End::Failed(error),
                }
            }
        };
        let driver = self.members[key.0 as usize].take();
        core.close(key, end.reason().as_deref());
        drop(driver);
    }
}

/// Wakes members by the runtime's clock.
#[derive(Default)]
struct Alarms(Mutex<AlarmsInner>);

#[derive(Default)]
struct AlarmsInner {
    due: Vec<ConnectionKey>,
    task: Option<Waker>,
}

impl Alarms {
    fn with<R>(&self, work: impl FnOnce(&mut AlarmsInner) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn waker(self: &Arc<Self>, key: ConnectionKey) -> Waker {
        let alarms = self.clone();
        Arc::new(Alarm { alarms, key }).into()
    }
}

struct Alarm {
    alarms: Arc<Alarms>,
    key: ConnectionKey,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let task = self.alarms.with(|alarms| {
            alarms.due.push(self.key);
            alarms.task.clone()
        });
        if let Some(task) = task {
            task.wake();
        }
    }
}
