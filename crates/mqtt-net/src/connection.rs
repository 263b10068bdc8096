//! One connection's bytes: read in large blocks, partial packets kept, written in batches.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use mqtt_proto::{Version, frame_length};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

/// The size of the read buffer, and so of most reads. A packet that is larger makes it grow.
const READ_BLOCK: usize = 64 * 1024;
/// Less room than this behind the unread bytes, and they are moved to the front before reading.
const MIN_ROOM: usize = 8 * 1024;
/// A drained output buffer larger than this gives its memory back.
const KEEP_OUTPUT: usize = 256 * 1024;

/// What moved during one [`Connection::turn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Bytes arrived; they are in [`Connection::input`].
    Read,
    /// Bytes left; there is more room in [`Connection::output`].
    Written,
    /// The peer will send nothing more.
    End,
}

/// A byte stream with its buffers.
///
/// Contract: [`turn`](Self::turn) may be dropped at any await without losing a byte, so it can stand
/// in a `select!`. Only whole packets may be appended to [`output`](Self::output).
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    /// Read buffer; `unread` is the part not yet consumed.
    input: Vec<u8>,
    unread: std::ops::Range<usize>,
    /// What is being written. It always begins at a packet's first byte, and is never appended to:
    /// so it is known which packets had not left when a connection broke.
    leaving: Vec<u8>,
    left: usize,
    /// What waits to be written.
    waiting: Vec<u8>,
    /// A write failed. Reading goes on, since the peer may have said why.
    broken: Option<io::Error>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Wraps a connected stream.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            input: vec![0; READ_BLOCK],
            unread: 0..0,
            leaving: Vec::new(),
            left: 0,
            waiting: Vec::new(),
            broken: None,
        }
    }

    /// The stream itself, for its addresses.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// What has arrived and is not consumed yet.
    pub fn input(&self) -> &[u8] {
        &self.input[self.unread.clone()]
    }

    /// Both ends at once: the unread input and the buffer for whole packets to send.
    pub fn split(&mut self) -> (&[u8], &mut Vec<u8>) {
        (&self.input[self.unread.clone()], &mut self.waiting)
    }

    /// The buffer to which whole packets are appended; they leave during the next turns.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.waiting
    }

    /// Marks the first `count` bytes of the input as done.
    pub fn consume(&mut self, count: usize) {
        self.unread.start += count;
        debug_assert!(
            self.unread.start <= self.unread.end,
            "consumed more than there was"
        );
    }

    /// How many bytes wait to leave; what bounds the memory of a fast producer.
    pub fn backlog(&self) -> usize {
        self.leaving.len() - self.left + self.waiting.len()
    }

    /// Waits until bytes arrived or left, or the stream ended.
    ///
    /// # Errors
    /// The stream's error. After a failed write, what the peer has sent is still read first.
    pub async fn turn(&mut self) -> io::Result<Turn> {
        poll_fn(|cx| self.poll_turn(cx)).await
    }

    /// Takes what has already arrived, without waiting and without writing: false if nothing has.
    ///
    /// # Errors
    /// The stream's error. An end of the stream is left for the next turn to tell.
    pub async fn read_now(&mut self) -> io::Result<bool> {
        poll_fn(|cx| match self.poll_input(cx) {
            Poll::Ready(Ok(count)) => Poll::Ready(Ok(count > 0)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Ready(Ok(false)),
        })
        .await
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        let wrote = self.poll_output(cx);
        match self.poll_input(cx) {
            Poll::Ready(Ok(0)) => match self.broken.take() {
                Some(error) => Poll::Ready(Err(error)),
                None => Poll::Ready(Ok(Turn::End)),
            },
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(Turn::Read)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.broken.take().unwrap_or(error))),
            Poll::Pending if wrote => Poll::Ready(Ok(Turn::Written)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes as much as the stream takes; true if anything left.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> bool {
        let mut wrote = false;
        while self.broken.is_none() && self.fill_leaving() {
            let rest = &self.leaving[self.left..];
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Ready(Ok(0)) => self.broken = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    self.left += count;
                    wrote = true;
                }
                Poll::Ready(Err(error)) => self.broken = Some(error),
                Poll::Pending => break,
            }
        }
        // A stream with a buffer of its own (TLS, WebSocket) must be told that a batch is complete.
        if wrote && let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_flush(cx) {
            self.broken = Some(error);
        }
        wrote
    }

    /// Makes sure that `leaving` has unwritten bytes, if there are any at all.
    fn fill_leaving(&mut self) -> bool {
        if self.left < self.leaving.len() {
            return true;
        }
        self.leaving.clear();
        self.left = 0;
        if self.leaving.capacity() > KEEP_OUTPUT {
            self.leaving = Vec::new();
        }
        std::mem::swap(&mut self.leaving, &mut self.waiting);
        !self.leaving.is_empty()
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.make_room();
        let mut room = ReadBuf::new(&mut self.input[self.unread.end..]);
        match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
            Poll::Ready(Ok(())) => {
                let count = room.filled().len();
                self.unread.end += count;
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn make_room(&mut self) {
        if self.unread.is_empty() {
            self.unread = 0..0;
            if self.input.len() > READ_BLOCK {
                self.input.truncate(READ_BLOCK);
                self.input.shrink_to_fit();
            }
        } else if self.input.len() - self.unread.end < MIN_ROOM {
            self.input.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            if self.input.len() - self.unread.end < MIN_ROOM {
                // One packet fills the buffer: doubling keeps the number of copies small.
                self.input.resize(self.input.len() * 2, 0);
            }
        }
    }

    /// The packets that had not, or not wholly, left when the connection broke, in order.
    ///
    /// What the system had already taken is not among them: whether that arrived only an
    /// acknowledgement can tell.
    pub fn unsent(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        // Skip the packets of `leaving` that are gone to the last byte.
        while let Some(length) = packet_length(&self.leaving[from..]) {
            if from + length > self.left {
                break;
            }
            from += length;
        }
        packets(&self.leaving[from..]).chain(packets(&self.waiting))
    }

    /// Writes everything, tells the peer that nothing more will come, and waits for its end.
    ///
    /// Closing while bytes are unread or on their way makes the system reset the connection, and the
    /// peer may never see the last packets. `patience` bounds each wait without progress.
    ///
    /// # Errors
    /// The stream's error, or `TimedOut` if the output could not be written. A peer that just never
    /// closes its side is no error: it has been sent everything.
    pub async fn finish(&mut self, patience: Duration) -> io::Result<()> {
        while self.backlog() > 0 && self.broken.is_none() {
            self.unread = 0..0;
            match tokio::time::timeout(patience, self.turn()).await {
                Ok(Ok(Turn::End)) => break,
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
        self.stream.shutdown().await?;
        let end = async {
            loop {
                self.unread = 0..0;
                if matches!(self.turn().await?, Turn::End) {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(patience, end).await.unwrap_or(Ok(()))
    }
}

/// Splits a run of whole packets.
fn packets(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (packet, rest) = bytes.split_at_checked(packet_length(bytes)?)?;
        bytes = rest;
        Some(packet)
    })
}

/// The length of the packet at the start of `bytes`; what we have encoded ourselves has one.
fn packet_length(bytes: &[u8]) -> Option<usize> {
    frame_length(bytes, Version::V5, u32::MAX).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    /// A PUBLISH-like packet: first byte, length, filler.
    fn packet(first: u8, body: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        let mut rest = body;
        loop {
            let more = if rest > 127 { 0x80 } else { 0 };
            bytes.push((rest & 0x7f) as u8 | more);
            rest >>= 7;
            if rest == 0 {
                break;
            }
        }
        bytes.resize(bytes.len() + body, first);
        bytes
    }

    #[tokio::test]
    async fn partial_packets_stay_until_the_rest_arrives() {
        let (near, mut far) = tokio::io::duplex(1 << 20);
        let mut connection = Connection::new(near);
        far.write_all(&[0x30, 3, 1]).await.unwrap();
        assert_eq!(connection.turn().await.unwrap(), Turn::Read);
        assert_eq!(connection.input(), [0x30, 3, 1]);
        far.write_all(&[2, 3, 0xc0]).await.unwrap();
        assert_eq!(connection.turn().await.unwrap(), Turn::Read);
        assert_eq!(connection.input(), [0x30, 3, 1, 2, 3, 0xc0]);
        connection.consume(5);
        assert_eq!(connection.input(), [0xc0]);
        drop(far);
        assert_eq!(connection.turn().await.unwrap(), Turn::End);
    }

    #[tokio::test]
    async fn a_packet_larger_than_the_buffer_makes_it_grow_and_shrink_again() {
        let (near, mut far) = tokio::io::duplex(16 * 1024);
        let mut connection = Connection::new(near);
        let big = packet(0x30, 300_000);
        let sent = big.clone();
        let writer = tokio::spawn(async move {
            far.write_all(&sent).await.unwrap();
            far
        });
        while connection.input().len() < big.len() {
            assert_eq!(connection.turn().await.unwrap(), Turn::Read);
        }
        assert_eq!(connection.input(), big);
        connection.consume(big.len());
        let mut far = writer.await.unwrap();
        far.write_all(&[1]).await.unwrap();
        connection.turn().await.unwrap();
        assert_eq!(connection.input.len(), READ_BLOCK);
    }

    #[tokio::test]
    async fn unsent_packets_are_whole_and_in_order_and_a_half_written_one_is_among_them() {
        // The peer takes ten bytes: the first packet and a part of the second.
        let (near, mut far) = tokio::io::duplex(10);
        let mut connection = Connection::new(near);
        let all = [packet(0x30, 4), packet(0x31, 200), packet(0xc0, 0)];
        connection.output().extend_from_slice(&all[0]);
        connection.output().extend_from_slice(&all[1]);
        assert_eq!(connection.turn().await.unwrap(), Turn::Written);
        connection.output().extend_from_slice(&all[2]);
        assert_eq!(
            connection.unsent().collect::<Vec<_>>(),
            [&all[1][..], &all[2][..]]
        );
        let mut taken = [0; 10];
        far.read_exact(&mut taken).await.unwrap();
        assert_eq!(taken[..6], all[0]);
    }

    #[tokio::test]
    async fn finish_writes_all_and_waits_for_the_peers_end() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut connection = Connection::new(near);
        let bytes = packet(0x30, 100);
        connection.output().extend_from_slice(&bytes);
        let reader = tokio::spawn(async move {
            let mut got = Vec::new();
            far.read_to_end(&mut got).await.unwrap();
            got
        });
        connection.finish(Duration::from_secs(20)).await.unwrap();
        assert_eq!(reader.await.unwrap(), bytes);
    }

    #[tokio::test(start_paused = true)]
    async fn finish_gives_up_on_a_peer_that_reads_nothing() {
        let (near, _far) = tokio::io::duplex(8);
        let mut connection = Connection::new(near);
        connection.output().extend_from_slice(&packet(0x30, 100));
        let error = connection.finish(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn read_now_takes_what_is_there_and_writes_nothing() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut connection = Connection::new(near);
        connection.output().extend_from_slice(&packet(0xc0, 0));
        assert!(!connection.read_now().await.unwrap());
        far.write_all(&[0xd0, 0]).await.unwrap();
        assert!(connection.read_now().await.unwrap());
        assert_eq!(connection.input(), [0xd0, 0]);
        assert_eq!(connection.backlog(), 2);
    }
}
