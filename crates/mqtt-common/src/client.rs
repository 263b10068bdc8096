//! A client at work: one session over one connection after the other.
//!
//! A program's loop is: [`Client::moved`] waits for bytes or time, [`Client::process`] hands out what
//! has come, and a [`Lost`] connection is followed by [`Client::reopen`] or the end. Output comes
//! before acknowledgements: a message is acknowledged on the wire after it is on stdout.

mod carried;
mod lost;

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use mqtt_net::{ConnectError, Connection, Stream, Turn};
use mqtt_proto::client::{Abandoned, Event, PublishError, Session};
use mqtt_proto::{Publish, QoS, ReasonCode, decode};
use tokio::time::Instant;

use crate::console::Console;
use crate::exit::Exit;
use crate::hints;
use crate::options::{Common, Reconnect};
use crate::screen::Screen;
use crate::trace::Trace;
use carried::Carried;
use lost::{check, violated};

pub use lost::Lost;

/// How long leaving may stand still.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);
/// How long messages in a busy stream may gather before they are shown.
const GATHER: Duration = Duration::from_millis(1);
/// More bytes than this are worth a write of their own.
const GATHERED: usize = 16 * 1024;
/// Above this many unsent bytes a program should not publish more.
const BACKLOG: usize = 128 * 1024;

/// What a program may do while it handles an event.
pub struct Link<'a> {
    session: &'a mut Session,
    output: &'a mut Vec<u8>,
    carried: &'a mut Carried,
    trace: Option<&'a mut Trace>,
    /// Where messages are shown.
    pub screen: &'a mut Screen,
    now: u64,
}

impl Link<'_> {
    /// Publishes; see [`Session::publish`].
    ///
    /// # Errors
    /// As there: the message is not taken.
    pub fn publish(&mut self, tag: u64, publish: &Publish<'_>) -> Result<(), PublishError> {
        let start = self.output.len();
        self.session.publish(tag, publish, self.now, self.output)?;
        if publish.qos == QoS::AtMostOnce {
            self.carried.sent(tag);
        }
        if let Some(trace) = &mut self.trace {
            trace.sent(&self.output[start..], self.screen);
        }
        Ok(())
    }

    /// Lets this many messages at QoS 1 and 2 be in flight from now on.
    pub fn set_max_in_flight(&mut self, count: u16) {
        self.session.set_max_in_flight(count);
    }

    /// Whether another message could leave at once.
    pub fn has_room(&self) -> bool {
        self.session.has_room() && self.output.len() < BACKLOG
    }

    /// Whether every message at QoS 1 and 2 has ended.
    pub fn is_idle(&self) -> bool {
        self.session.is_idle()
    }
}

/// A session, its connection, and what is shown of them.
#[derive(Debug)]
pub struct Client {
    options: Common,
    /// The session; it outlives connections.
    pub session: Session,
    connection: Option<Connection<Stream>>,
    trace: Option<Trace>,
    /// Standard output.
    pub screen: Screen,
    started: Instant,
    /// Messages at QoS 0 that a broken connection had not carried away.
    carried: Carried,
    ever_open: bool,
    /// When stdout was flushed last, and until when to let more come before the next time.
    flushed: Instant,
    pause: Option<Instant>,
}

impl Client {
    /// A client without a connection.
    pub fn new(options: Common) -> Client {
        let session = Session::new(options.session.clone());
        let trace = options
            .debug
            .then(|| Trace::new(session.client_id(), session.version()));
        Client {
            options,
            session,
            connection: None,
            trace,
            screen: Screen::default(),
            started: Instant::now(),
            carried: Carried::default(),
            ever_open: false,
            flushed: Instant::now(),
            pause: None,
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the broker has ever let us in.
    pub fn was_open(&self) -> bool {
        self.ever_open
    }

    /// Connects, and puts CONNECT on its way. May be dropped at any await.
    ///
    /// # Errors
    /// No address of the broker could be reached.
    pub async fn open(&mut self) -> Result<(), ConnectError> {
        let stream = mqtt_net::connect(&self.options.way).await?;
        let now = self.now();
        let mut connection = Connection::new(stream);
        self.session
            .connect(now, connection.output())
            .expect("the lengths of all fields were checked with the flags");
        if let Some(trace) = &mut self.trace {
            trace.sent(connection.output(), &mut self.screen);
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// What the user wants done when the connection is lost.
    pub fn reconnect(&self) -> &Reconnect {
        &self.options.reconnect
    }

    /// Connects again, with the user's pause before each attempt, until it works or `give_up` has
    /// come.
    ///
    /// # Errors
    /// The last failure before giving up.
    pub async fn reopen(&mut self, give_up: Option<Instant>) -> Result<(), ConnectError> {
        loop {
            tokio::time::sleep(self.options.reconnect.delay).await;
            match self.open().await {
                Ok(()) => return Ok(()),
                Err(error) if give_up.is_some_and(|end| Instant::now() >= end) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
    }

    /// Waits until there is something to [`process`](Self::process), or something has left. Stdout is
    /// flushed as soon as nothing more is waiting. May be dropped at any await.
    ///
    /// # Errors
    /// The connection is lost, or stdout takes nothing more.
    pub async fn moved(&mut self) -> Result<(), Lost> {
        let Some(connection) = &mut self.connection else {
            return std::future::pending().await;
        };
        if !self.screen.is_empty() {
            if !self.screen.is_full() && connection.read_now().await.map_err(Lost::Io)? {
                return Ok(());
            }
            self.flush()?;
        }
        if let Some(end) = self.pause {
            tokio::time::sleep_until(end).await;
            self.pause = None;
        }
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let due = self
            .session
            .next_timeout()
            .map(|ms| self.started + Duration::from_millis(ms));
        tokio::select! {
            turn = connection.turn() => match turn {
                Ok(Turn::End) => Err(Lost::Closed),
                Ok(Turn::Read | Turn::Written) => Ok(()),
                Err(error) => Err(Lost::Io(error)),
            },
            () = sleep_until(due) => self.handle_timeout(),
        }
    }

    /// Flushes stdout. In a stream of small messages, each of which would cost a read and a write of
    /// its own, the next ones are given a moment to gather; acknowledgements never wait for it.
    fn flush(&mut self) -> Result<(), Lost> {
        let (now, gathered) = (Instant::now(), self.screen.buffer().len());
        let busy = now.duration_since(self.flushed) < 2 * GATHER && gathered < GATHERED;
        let owes = self.connection.as_ref().is_some_and(|c| c.backlog() > 0);
        if busy && !owes && !self.screen.is_terminal() {
            self.pause = Some(now + GATHER);
        }
        self.flushed = now;
        self.screen.flush().map_err(Lost::Screen)
    }

    fn handle_timeout(&mut self) -> Result<(), Lost> {
        let now = self.now();
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let start = connection.output().len();
        self.session
            .handle_timeout(now, connection.output())
            .map_err(Lost::Timeout)?;
        if let Some(trace) = &mut self.trace {
            trace.sent(&connection.output()[start..], &mut self.screen);
        }
        Ok(())
    }

    /// Hands every whole packet that has come to `handle`, until it breaks off.
    ///
    /// # Errors
    /// The broker broke the protocol, refused us, or said good-bye.
    pub fn process<B>(
        &mut self,
        mut handle: impl FnMut(Event<'_>, &mut Link<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, Lost> {
        let (now, version) = (self.now(), self.session.version());
        let limit = self.session.max_receive_size();
        let Some(connection) = &mut self.connection else {
            return Ok(ControlFlow::Continue(()));
        };
        let (input, output) = connection.split();
        let mut used = 0;
        let outcome = loop {
            if !self.session.is_open()
                && let Err(lost) = Lost::check_first(&input[used..])
            {
                break Err(lost);
            }
            let (packet, length) = match decode(&input[used..], version, limit) {
                Ok(Some(whole)) => whole,
                Ok(None) => break Ok(ControlFlow::Continue(())),
                Err(error) => {
                    let lost = Lost::undecodable(self.session.is_open(), &input[used..], &error);
                    self.session.reject(&error.into(), output);
                    break Err(lost);
                }
            };
            used += length;
            if let Some(trace) = &mut self.trace {
                trace.received(&packet, &mut self.screen);
            }
            let start = output.len();
            let handled = self.session.handle(&packet, now, output);
            if let Some(trace) = &mut self.trace {
                trace.sent(&output[start..], &mut self.screen);
            }
            let event = match handled
                .map_err(|violation| violated(violation.to_string()))
                .and_then(check)
            {
                Ok(event) => event,
                Err(lost) => break Err(lost),
            };
            match &event {
                Event::Connected(_) => {
                    self.ever_open = true;
                    self.carried.go_on(output);
                }
                Event::UnknownId { packet, packet_id } => {
                    if let Some(trace) = &self.trace {
                        trace.unknown(packet.name(), packet_id.get(), &mut self.screen);
                    }
                }
                _ => {}
            }
            let trace = self.trace.as_mut();
            let mut link = Link {
                session: &mut self.session,
                output,
                carried: &mut self.carried,
                trace,
                screen: &mut self.screen,
                now,
            };
            if let ControlFlow::Break(value) = handle(event, &mut link) {
                break Ok(ControlFlow::Break(value));
            }
        };
        connection.consume(used);
        outcome
    }

    /// The way to publish outside of an event; `None` without an open connection, and while too many
    /// messages or bytes are on their way.
    pub fn link(&mut self) -> Option<Link<'_>> {
        let now = self.now();
        let connection = self.connection.as_mut().filter(|c| c.backlog() < BACKLOG)?;
        self.session.is_open().then(|| Link {
            session: &mut self.session,
            output: connection.output(),
            carried: &mut self.carried,
            trace: self.trace.as_mut(),
            screen: &mut self.screen,
            now,
        })
    }

    /// Whether all that was published has at least been given to the system.
    pub fn all_sent(&self) -> bool {
        self.carried.is_empty() && self.connection.as_ref().is_none_or(|c| c.backlog() == 0)
    }

    /// The connection is of no more use: what had not left it at QoS 0 is kept for the next one, as
    /// the session keeps the rest. A broker that broke the protocol still gets the DISCONNECT that
    /// says so.
    pub async fn close(&mut self, lost: &Lost) {
        if let (Lost::Violation { .. }, Some(connection)) = (lost, &mut self.connection) {
            // It may be gone already, and there is nobody else to tell.
            let _ = connection.finish(LEAVE_PATIENCE).await;
        }
        self.session.connection_lost();
        if let Some(connection) = self.connection.take() {
            self.carried.keep(connection.unsent());
        }
    }

    /// The tags of all messages of which it is not known that they arrived, or at QoS 0 that they
    /// left; in no order.
    pub fn unconfirmed(&self) -> impl Iterator<Item = u64> {
        self.session.unconfirmed().chain(self.carried.numbers())
    }

    /// Says good-bye and waits until the broker has it: a client that leaves in a hurry would have
    /// its will published.
    ///
    /// # Errors
    /// The connection broke before everything was sent.
    pub async fn leave(&mut self, reason: ReasonCode) -> io::Result<()> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        let start = connection.output().len();
        self.session.disconnect(reason, connection.output());
        if let Some(trace) = &mut self.trace {
            trace.sent(&connection.output()[start..], &mut self.screen);
        }
        // Nothing is lost with a broken stdout that has not been reported already.
        let _ = self.screen.flush();
        connection.finish(LEAVE_PATIENCE).await
    }

    /// Says why no connection came about, and what to try. Returns what the program ends with if it
    /// does not try again.
    pub fn explain_failure(&self, console: &Console, error: &ConnectError) -> Exit {
        let (sentence, hint) = hints::failure(error, &self.options.way);
        console.error(&sentence);
        console.hint(&hint);
        Exit::unreachable(error)
    }

    /// Says why the connection was lost, and what to try.
    pub fn explain_loss(&self, console: &Console, lost: &Lost) {
        lost.explain(self, console);
    }
}

/// Says what has become of messages that cannot be sent again.
pub fn describe_abandoned(abandoned: &Abandoned) -> String {
    match abandoned.cause {
        mqtt_proto::client::Cause::SessionLost => {
            "the broker lost the session before completing it, so that it may or may not have been passed on".into()
        }
        mqtt_proto::client::Cause::Unpublishable(error) => error.to_string(),
    }
}

/// Waits for a moment; for ever if there is none.
pub async fn sleep_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
