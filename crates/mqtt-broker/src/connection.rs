//! One connection: bytes from its socket into the engine, and what the engine has for it out again.
//!
//! A connection holds no buffer while it is idle. It reads into one that all share, and keeps
//! only the beginning of a packet that has not come whole; a large packet is read into a buffer
//! of exactly its size, in which its payload may then stay.

use crate::broker::{Core, Shared};
use crate::connection_state::ConnectionKey;
use crate::listener::text_of;
use bytes::{Bytes, BytesMut};
use std::future::Future;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How many bytes are read at once, by whichever connection reads.
pub(crate) const READ_BUFFER: usize = 128 * 1024;

/// How many pieces are handed to one write call.
const SLICES: usize = 32;

/// How long a connection that we end may take to read our last words and to close its side.
const LINGER: Duration = Duration::from_secs(5);

/// Starts to drive a connection whose next bytes are MQTT.
pub(crate) fn spawn<S>(shared: &Arc<Shared>, socket: S, key: ConnectionKey, layers: Layers)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    tokio::spawn(Task {
        shared: shared.clone(),
        driver: Driver::new(socket, key, layers),
    });
}

/// What lies between MQTT and the system's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layers {
    /// Nothing: closing it is all that is to be said at the end.
    None,
    /// TLS or WebSocket, which say goodbye themselves.
    Some,
}

/// How far a connection is on its way to its end.
enum State {
    Open,
    /// Nothing more can leave. What the client sent before it closed is still read, for that may
    /// end in a DISCONNECT, and its will must then not be published.
    Unwritable(io::Error, Pin<Box<Sleep>>),
    /// The engine has ended it: the outbox may still leave.
    Draining(Pin<Box<Sleep>>),
    /// Our side is closed. What the client still sends is read and thrown away: closing with
    /// unread bytes would make the system take back what we have sent.
    Lingering(Pin<Box<Sleep>>),
}

/// A connection that is driven by a task of its own.
struct Task<S> {
    shared: Arc<Shared>,
    driver: Driver<S>,
}

/// What drives a connection, turn by turn.
pub(crate) struct Driver<S> {
    pub(crate) socket: S,
    key: ConnectionKey,
    /// The beginning of a packet.
    inbox: BytesMut,
    /// Whether whole packets may lie in the inbox, which had to wait.
    is_held: bool,
    /// Whether it goes on without waiting for anything, after the others had their turn.
    wants_turn: bool,
    layers: Layers,
    state: State,
}

/// Why the loop of a connection stops.
pub(crate) enum End {
    /// Both sides are done, or the client has closed.
    Closed,
    Failed(io::Error),
}

impl End {
    /// What the log says of it, if that is not simply that the client has closed.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            End::Closed => None,
            End::Failed(error) => Some(text_of(error)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Task<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let shared = this.shared.clone();
        let key = this.driver.key;
        let end = shared.with(|core| {
            core.runners.remember(key, cx.waker());
            this.driver.poll_turn(core, cx)
        });
        let end = ready!(end);
        shared.with(|core| core.close(key, end.reason().as_deref()));
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    pub(crate) fn new(socket: S, key: ConnectionKey, layers: Layers) -> Driver<S> {
        Driver {
            socket,
            key,
            inbox: BytesMut::new(),
            is_held: false,
            wants_turn: false,
            layers,
            state: State::Open,
        }
    }

    /// Whether it is on its way to its end, for which it has some time.
    pub(crate) fn is_ending(&self) -> bool {
        !matches!(self.state, State::Open)
    }

    /// Does what can be done now, and passes on what it means for others.
    pub(crate) fn poll_turn(&mut self, core: &mut Core, cx: &mut Context<'_>) -> Poll<End> {
        let end = self.poll_connection(core, cx);
        if end.is_ready() {
            // The caller closes it, and what that means for others is passed on with this.
            return end;
        }
        core.settle(Some(self.key));
        if std::mem::take(&mut self.wants_turn) {
            // Last: what came for others leaves before it is acknowledged here.
            core.runners.wake(self.key);
        }
        end
    }

    /// Does what can be done now: writes what is due, then reads once, then writes the answers.
    fn poll_connection(&mut self, core: &mut Core, cx: &mut Context<'_>) -> Poll<End> {
        if let State::Unwritable(..) = self.state {
            return self.poll_last_words(core, cx);
        }
        let mut written = self.poll_write(core, cx);
        if !matches!(written, Poll::Ready(Err(_))) {
            // Layers that gather bytes of their own (TLS, WebSocket) send what is left of them.
            match Pin::new(&mut self.socket).poll_flush(cx) {
                Poll::Ready(Ok(())) => {}
                pending_or_failed => written = pending_or_failed,
            }
        }
        if let Poll::Ready(Err(error)) = written {
            self.state = State::Unwritable(error, Box::pin(sleep(LINGER)));
            return self.poll_last_words(core, cx);
        }
        if let Poll::Ready(end) = self.poll_ending(core, cx, written.is_ready()) {
            return Poll::Ready(end);
        }
        if core.has_backlog(self.key) {
            // Whoever does not read its answers is not asked for more questions.
            return Poll::Pending;
        }
        if core.engine.is_asking(self.key) || core.engine.is_paused(self.key) {
            // What comes behind CONNECT waits until it is decided, and what comes behind a message
            // until its subscriber has caught up.
            return Poll::Pending;
        }
        if std::mem::take(&mut self.is_held) {
            self.take_held(core);
            self.wants_turn = true;
            return Poll::Pending;
        }
        match self.poll_read(core, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => Poll::Ready(End::Closed),
            Poll::Ready(Err(error)) => Poll::Ready(End::Failed(error)),
            Poll::Ready(Ok(_)) if self.has_said_all(core) => Poll::Ready(End::Closed),
            Poll::Ready(Ok(_)) => {
                // Others have their turn before this one reads again, and its answers leave then.
                self.wants_turn = true;
                Poll::Pending
            }
        }
    }

    /// Hands over what came before the connection had to wait, which now has an end.
    fn take_held(&mut self, core: &mut Core) {
        let held = std::mem::take(&mut self.inbox);
        let used = core.receive(self.key, &held, None);
        self.is_held = core.engine.is_paused(self.key);
        self.inbox.extend_from_slice(&held[used..]);
    }

    /// Reads what came before the connection broke, to its last byte.
    fn poll_last_words(&mut self, core: &mut Core, cx: &mut Context<'_>) -> Poll<End> {
        while !core.engine.is_closing(self.key) && !core.engine.is_asking(self.key) {
            if core.engine.is_paused(self.key) {
                return Poll::Pending;
            }
            if std::mem::take(&mut self.is_held) {
                self.take_held(core);
                continue;
            }
            match self.poll_read(core, cx) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => break,
                Poll::Pending => {
                    let State::Unwritable(_, limit) = &mut self.state else {
                        break;
                    };
                    ready!(limit.as_mut().poll(cx));
                    break;
                }
            }
        }
        match std::mem::replace(&mut self.state, State::Open) {
            State::Unwritable(error, _) => Poll::Ready(End::Failed(error)),
            _ => Poll::Ready(End::Closed),
        }
    }

    /// Writes until the outbox is empty (`Ready`) or the socket takes no more.
    fn poll_write(&mut self, core: &mut Core, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while core.engine.outbox(self.key).ready() > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = core.engine.outbox(self.key).slices(&mut slices);
            let socket = Pin::new(&mut self.socket);
            let written = match &slices[..count] {
                // The system does less for one piece if it is not told that it might be several.
                [only] => socket.poll_write(cx, only),
                several => socket.poll_write_vectored(cx, several),
            };
            match ready!(written) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(count) => core.wrote(self.key, count),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // What waits for the store wakes this task when it may leave.
        if core.engine.outbox(self.key).is_empty() {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// Goes on with the end of a connection that the engine has closed.
    fn poll_ending(&mut self, core: &Core, cx: &mut Context<'_>, is_written: bool) -> Poll<End> {
        if !self.is_ending() {
            if !core.engine.is_closing(self.key) {
                return Poll::Pending;
            }
            if self.has_said_all(core) {
                return Poll::Ready(End::Closed);
            }
            self.state = State::Draining(Box::pin(sleep(LINGER)));
        }
        if is_written && let State::Draining(_) = self.state {
            let shut = ready!(Pin::new(&mut self.socket).poll_shutdown(cx));
            if shut.is_err() {
                return Poll::Ready(End::Closed);
            }
            self.state = State::Lingering(Box::pin(sleep(LINGER)));
        }
        match &mut self.state {
            State::Open | State::Unwritable(..) => Poll::Pending,
            State::Draining(limit) | State::Lingering(limit) => {
                limit.as_mut().poll(cx).map(|()| End::Closed)
            }
        }
    }

    /// Whether both sides have said their last. Nothing comes behind DISCONNECT, so nothing unread
    /// can spoil what we have sent; layers of their own have more to say.
    fn has_said_all(&self, core: &Core) -> bool {
        core.engine.has_left(self.key)
            && self.layers == Layers::None
            && core.engine.outbox(self.key).is_empty()
    }

    /// Reads once and hands over what came; the number of bytes.
    fn poll_read(&mut self, core: &mut Core, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let needed = core
            .engine
            .packet_length(self.key, &self.inbox)
            .unwrap_or(0);
        if needed > READ_BUFFER {
            return self.poll_read_large(core, cx, needed);
        }
        let mut buffer = core.take_read_buffer();
        let kept = self.inbox.len();
        let mut read = ReadBuf::uninit(&mut buffer);
        read.put_slice(&self.inbox);
        let polled = Pin::new(&mut self.socket).poll_read(cx, &mut read);
        let filled = read.filled();
        let result = match polled {
            Poll::Ready(Ok(())) if filled.len() > kept => {
                let used = core.receive(self.key, filled, None);
                self.is_held = core.engine.is_asking(self.key) || core.engine.is_paused(self.key);
                self.inbox.clear();
                if used < filled.len() {
                    self.inbox.extend_from_slice(&filled[used..]);
                } else {
                    // An idle connection holds no buffer.
                    self.inbox = BytesMut::new();
                }
                Poll::Ready(Ok(filled.len() - kept))
            }
            Poll::Ready(Ok(())) => Poll::Ready(Ok(0)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        core.put_read_buffer(buffer);
        result
    }

    /// Reads on into a packet that is larger than the shared buffer.
    fn poll_read_large(
        &mut self,
        core: &mut Core,
        cx: &mut Context<'_>,
        needed: usize,
    ) -> Poll<io::Result<usize>> {
        let before = self.inbox.len();
        self.inbox.reserve(needed - before);
        {
            let room = &mut self.inbox.spare_capacity_mut()[..needed - before];
            let mut read = ReadBuf::uninit(room);
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read))?;
            let count = read.filled().len();
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
            // SAFETY: ReadBuf has counted these bytes as initialised, right behind the old length.
            #[allow(unsafe_code)]
            unsafe {
                self.inbox.set_len(before + count);
            }
        }
        if self.inbox.len() == needed {
            let packet: Bytes = std::mem::take(&mut self.inbox).freeze();
            core.receive(self.key, &packet, Some(&packet));
        }
        Poll::Ready(Ok(self.inbox.len().max(needed) - before))
    }
}

/// A buffer that is only ever written before it is read.
pub(crate) fn read_buffer() -> Vec<MaybeUninit<u8>> {
    vec![MaybeUninit::uninit(); READ_BUFFER]
}
