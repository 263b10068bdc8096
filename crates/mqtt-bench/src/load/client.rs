//! One connection at work: bytes in large blocks, packets handled where they were read.
//!
//! A client costs one task. Each time it is polled it fills its output with what its publisher may send,
//! writes it with one call, reads with one call into a block that all clients share, and answers what
//! came; what is left of a packet is all that it keeps, so an idle one holds no buffer.

mod packets;
mod tally;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use mqtt_common::client::Lost;
use mqtt_net::Stream;
use mqtt_proto::{
    Connect, DecodeError, Disconnect, Packet, PacketId, Properties, QoS, ReasonCode, Subscribe,
    Subscription, SubscriptionOptions, Version, Will, frame_length,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::publisher::{Publisher, Room};
use super::shared::{Phase, Shared, add};
use super::trouble::Trouble;
use crate::plan::{Filters, Hello};

/// How often a client may write and read before others have their turn.
const ROUNDS: usize = 4;
/// The largest packet that is taken.
const MAX_PACKET: u32 = mqtt_proto::client::MAX_PACKET_SIZE;
/// Filters in one SUBSCRIBE.
const FILTERS: usize = 100;
/// How long leaving may stand still.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

pub use packets::Subscriber;

/// One connection.
#[derive(Debug)]
pub struct Client {
    place: usize,
    shared: Rc<Shared>,
    stream: Stream,
    version: Version,
    id: String,
    keep_alive: Duration,
    /// Packets to write, and how much of them has left.
    out: Vec<u8>,
    left: usize,
    /// The beginning of a packet whose rest has not come.
    partial: Vec<u8>,
    /// Where packets are read that are larger than the shared block, and how much is there.
    large: Vec<u8>,
    filled: usize,
    /// The answer to CONNECT: the receive maximum.
    accepted: Option<u16>,
    /// SUBACKs that have not come.
    subscribing: usize,
    trouble: Option<Trouble>,
    /// What it publishes, if it does.
    pub publisher: Option<Publisher>,
    is_finished: bool,
    /// What it hears, if it does.
    pub subscriber: Option<Subscriber>,
    /// Whether the time until a message is confirmed is measured.
    times_confirmed: bool,
    timer: Pin<Box<Sleep>>,
    /// Whether the runtime knows of the timer as it is.
    is_armed: bool,
    ping_due: Instant,
    is_silent: bool,
}

impl Client {
    /// A client at this place among the others, on a fresh connection.
    pub fn new(place: usize, shared: Rc<Shared>, stream: Stream, hello: &Hello) -> Client {
        let keep_alive = Duration::from_secs(hello.keep_alive.into());
        // The server waits for one and a half times as long [MQTT-3.1.2-22].
        let ping_due = Instant::now() + keep_alive;
        Client {
            place,
            shared,
            stream,
            version: hello.version,
            id: hello.id.clone(),
            keep_alive,
            out: Vec::new(),
            left: 0,
            partial: Vec::new(),
            large: Vec::new(),
            filled: 0,
            accepted: None,
            subscribing: 0,
            trouble: None,
            publisher: None,
            is_finished: false,
            subscriber: None,
            times_confirmed: false,
            timer: Box::pin(sleep_until(ping_due)),
            is_armed: false,
            ping_due,
            is_silent: true,
        }
    }

    /// Sends CONNECT and waits for CONNACK.
    ///
    /// # Errors
    /// The broker refuses, is silent, or the connection is lost.
    pub async fn open(&mut self, hello: &Hello, patience: Duration) -> Result<(), Trouble> {
        let will = hello.will.as_ref().map(|will| Will {
            qos: will.qos,
            retain: will.retain,
            topic: &will.topic,
            payload: &will.payload,
            properties: will.properties.view(),
        });
        let connect = Connect {
            version: hello.version,
            clean_start: hello.clean_start,
            keep_alive: hello.keep_alive,
            client_id: &hello.id,
            will,
            username: hello.username.as_deref(),
            password: hello.password.as_deref(),
            properties: hello.properties.view(),
        };
        Packet::Connect(connect).encode(self.version, &mut self.out)?;
        self.until(|client| client.accepted.is_some(), patience, "CONNECT")
            .await?;
        if let (Some(publisher), Some(maximum)) = (&mut self.publisher, self.accepted) {
            publisher.obey(maximum);
        }
        add(&self.shared.counts.opened, 1);
        Ok(())
    }

    /// Subscribes and waits for the broker's consent.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn subscribe(
        &mut self,
        filters: &Filters,
        patience: Duration,
    ) -> Result<(), Trouble> {
        let options = SubscriptionOptions {
            qos: filters.qos,
            ..SubscriptionOptions::default()
        };
        let mut id = PacketId::new(1);
        for some in filters.filters.chunks(FILTERS) {
            let subscription = |filter| Subscription { filter, options };
            let Some(packet_id) = id else { break };
            let packet = Packet::Subscribe(Subscribe {
                packet_id,
                properties: filters.properties.view(),
                subscriptions: some.iter().map(|it| subscription(&**it)).collect(),
            });
            packet.encode(self.version, &mut self.out)?;
            self.subscribing += 1;
            id = Some(packet_id.next());
        }
        self.until(|client| client.subscribing == 0, patience, "SUBSCRIBE")
            .await
    }

    async fn until(
        &mut self,
        mut done: impl FnMut(&Client) -> bool,
        patience: Duration,
        step: &'static str,
    ) -> Result<(), Trouble> {
        let work = poll_fn(|cx| match self.poll_work(cx) {
            Poll::Ready(trouble) => Poll::Ready(Err(trouble)),
            Poll::Pending if done(self) => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        });
        timeout(patience, work)
            .await
            .unwrap_or(Err(Trouble::Silent(step)))
    }

    /// Publishes and hears until the run is over.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn serve(&mut self) -> Result<(), Trouble> {
        poll_fn(|cx| match self.poll_work(cx) {
            Poll::Ready(trouble) => Poll::Ready(Err(trouble)),
            Poll::Pending if self.shared.phase() == Phase::Closing => Poll::Ready(Ok(())),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    /// Says good-bye, and waits for the broker to close its side.
    pub async fn close(mut self) {
        let bye = Packet::Disconnect(Disconnect {
            reason: ReasonCode::Success,
            properties: Properties::EMPTY,
        });
        // Half a packet cannot be followed by another.
        let is_whole = self.large_is_whole() && bye.encode(self.version, &mut self.out).is_ok();
        let leave = async {
            if is_whole {
                self.stream.write_all(&self.out[self.left..]).await?;
            }
            self.stream.flush().await?;
            self.stream.shutdown().await?;
            let mut rest = [0; 256];
            while tokio::io::AsyncReadExt::read(&mut self.stream, &mut rest).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // Everything that counts has been counted: how the connection ends changes nothing.
        let _ = timeout(LEAVE_PATIENCE, leave).await;
    }

    fn large_is_whole(&self) -> bool {
        let large = self.publisher.as_ref().and_then(Publisher::large);
        !large.is_some_and(|(_, is_begun)| is_begun)
    }

    fn lost(&self, lost: Lost) -> Trouble {
        Trouble::Lost {
            lost,
            id: self.id.clone(),
            was_open: self.accepted.is_some(),
        }
    }

    /// Does what can be done now; ready only with trouble.
    fn poll_work(&mut self, cx: &mut Context<'_>) -> Poll<Trouble> {
        self.shared.register(self.place, cx.waker());
        for _ in 0..ROUNDS {
            self.fill();
            let wrote = self.poll_write(cx);
            let read = self.poll_read(cx);
            if let Some(trouble) = self.trouble.take() {
                return Poll::Ready(trouble);
            }
            match (wrote, read) {
                (Err(lost), _) | (_, Err(lost)) => return Poll::Ready(self.lost(lost)),
                (Ok(false), Ok(false)) => {
                    self.settle(cx);
                    return Poll::Pending;
                }
                _ => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Nothing can be done now: sees to the timer, and tells if the publisher has nothing more to do.
    fn settle(&mut self, cx: &mut Context<'_>) {
        let mut due = self.ping_due;
        if let Some(publisher) = &mut self.publisher {
            match publisher.room(&self.shared) {
                Room::Later(time) => due = due.min(time.into()),
                // The next one has become due since we looked.
                Room::Now(_) if self.left == self.out.len() && publisher.large().is_none() => {
                    cx.waker().wake_by_ref();
                }
                Room::Finished
                    if !self.is_finished
                        && publisher.flight.is_empty()
                        && self.left == self.out.len()
                        && publisher.large().is_none() =>
                {
                    if publisher.qos() == QoS::AtMostOnce && self.shared.fan == 0 {
                        self.shared.counts.last.set(self.shared.clock.now());
                    }
                    self.abandon();
                }
                _ => {}
            }
        }
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
            self.is_armed = false;
        }
        // The runtime remembers whom to wake, and need not be told each time.
        if std::mem::replace(&mut self.is_armed, true) && !self.timer.is_elapsed() {
            return;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= self.ping_due {
                self.ping();
            }
            // Either there is a message to send now, or a ping.
            cx.waker().wake_by_ref();
            self.timer.as_mut().reset(self.ping_due);
        }
    }

    /// The publisher has finished, or its connection has.
    pub fn abandon(&mut self) {
        if self.publisher.is_some() && !self.is_finished {
            self.is_finished = true;
            add(&self.shared.counts.finished, 1);
            self.shared.changed.notify_one();
        }
    }

    fn ping(&mut self) {
        self.ping_due = Instant::now() + self.keep_alive;
        // Who has said anything else since then need not ping [MQTT-3.1.2-20].
        if std::mem::replace(&mut self.is_silent, true) && self.left == self.out.len() {
            // A packet of two bytes always has a wire form.
            let _ = Packet::PingReq.encode(self.version, &mut self.out);
        }
    }

    fn fill(&mut self) {
        let Some(publisher) = &mut self.publisher else {
            return;
        };
        // One block at a time: what waits behind a full socket would only grow older.
        if !self.out.is_empty() || publisher.large().is_some() {
            return;
        }
        if let Room::Now(room) = publisher.room(&self.shared) {
            let now = self.shared.clock.now();
            self.shared.lend(&mut self.out);
            publisher.fill(room, &mut self.out, now, &self.shared);
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<bool, Lost> {
        let mut wrote = false;
        loop {
            let large = self.publisher.as_ref().and_then(Publisher::large);
            let is_large = match large {
                Some((_, true)) => true,
                Some((_, false)) => self.left == self.out.len(),
                None => false,
            };
            let bytes = match large {
                Some((bytes, _)) if is_large => bytes,
                _ => &self.out[self.left..],
            };
            if bytes.is_empty() {
                break;
            }
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Ready(Ok(0)) => return Err(Lost::Io(std::io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => {
                    wrote = true;
                    self.is_silent = false;
                    match &mut self.publisher {
                        Some(publisher) if is_large => publisher.wrote_large(count),
                        _ => self.left += count,
                    }
                }
                Poll::Ready(Err(error)) => return Err(Lost::Io(error)),
                Poll::Pending => break,
            }
        }
        // TLS and WebSocket have buffers of their own.
        if wrote && let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_flush(cx) {
            return Err(Lost::Io(error));
        }
        if self.left == self.out.len() {
            self.shared.take_back(&mut self.out);
            self.left = 0;
        }
        Ok(wrote)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Lost> {
        if self.large.is_empty() {
            let shared = Rc::clone(&self.shared);
            let mut block = shared.block.borrow_mut();
            let kept = self.partial.len();
            block[..kept].copy_from_slice(&self.partial);
            let Some(end) = self.read_into(cx, &mut block, kept)? else {
                return Ok(false);
            };
            let used = self.handle(&block[..end])?;
            self.partial.clear();
            let rest = &block[used..end];
            match self.frame(rest)? {
                Some(length) if length + rest.len() > block.len() / 2 => {
                    self.large = vec![0; length + block.len() / 2];
                    self.large[..rest.len()].copy_from_slice(rest);
                    self.filled = rest.len();
                }
                _ if rest.is_empty() => self.partial = Vec::new(),
                _ => self.partial.extend_from_slice(rest),
            }
        } else {
            let mut large = std::mem::take(&mut self.large);
            let read = self.read_into(cx, &mut large, self.filled);
            self.large = large;
            let Some(end) = read? else { return Ok(false) };
            self.filled = end;
            let large = std::mem::take(&mut self.large);
            let used = self.handle(&large[..end]);
            self.large = large;
            let used = used?;
            self.large.copy_within(used..end, 0);
            self.filled = end - used;
            if let Some(length) = self.frame(&self.large[..self.filled])?
                && length > self.large.len()
            {
                self.large.resize(length, 0);
            }
        }
        Ok(true)
    }

    /// Reads behind what is there; the new end, or `None` if nothing has come.
    fn read_into(
        &mut self,
        cx: &mut Context<'_>,
        block: &mut [u8],
        from: usize,
    ) -> Result<Option<usize>, Lost> {
        let mut room = ReadBuf::new(&mut block[from..]);
        match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) if room.filled().is_empty() => Err(Lost::Closed),
            Poll::Ready(Ok(())) => Ok(Some(from + room.filled().len())),
            Poll::Ready(Err(error)) => Err(Lost::Io(error)),
            Poll::Pending => Ok(None),
        }
    }

    fn frame(&self, bytes: &[u8]) -> Result<Option<usize>, Lost> {
        frame_length(bytes, self.version, MAX_PACKET)
            .map_err(|error| self.undecodable(bytes, &error))
    }

    fn undecodable(&self, bytes: &[u8], error: &DecodeError) -> Lost {
        Lost::undecodable(self.accepted.is_some(), bytes, error)
    }
    /// From now on the time until a message is confirmed counts as its time on the way.
    pub fn time_confirmations(&mut self) {
        self.times_confirmed = true;
    }
}
