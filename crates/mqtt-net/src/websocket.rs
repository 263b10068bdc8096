//! WebSocket for both roles: a byte stream inside of a byte stream, with HTTP at its beginning.
//!
//! [`request`] is a client's handshake, [`accept`] a server's; both give a [`WebSocket`], which reads
//! and writes like a socket. Each write becomes one binary frame, so whoever writes in batches sends
//! batches; pings are answered and closes returned while reading. An idle one holds no buffer.

mod client;
mod frames;
mod head;
mod server;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use frames::Decoder;

pub use client::{HandshakeError, request};
pub use frames::{Role, Violation};
pub use server::{Refused, ServerRules, accept};

/// The largest payload of a frame that is written, and so what a peer that does not read may cost.
const LARGEST_FRAME: usize = 256 * 1024;
/// More bytes of answers than this wait to leave, and nothing more is read.
const MOST_ANSWERS: usize = 16 * 1024;

/// A stream inside of WebSocket frames.
///
/// Reading ends like a closed socket when the other side has sent its close. A frame that breaks the
/// protocol is an error of kind [`InvalidData`](io::ErrorKind::InvalidData) with a [`Violation`]
/// inside, after the other side has been told its code. After writing, flush.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    role: Role,
    decoder: Decoder,
    /// What came behind the handshake, in the same read.
    early: Vec<u8>,
    /// Frames that wait to leave, and how much of them has left.
    out: Vec<u8>,
    left: usize,
    is_close_sent: bool,
}

impl<S> WebSocket<S> {
    /// A connection whose handshake is done; `early` came behind it.
    pub fn new(stream: S, role: Role, early: Vec<u8>) -> Self {
        Self {
            stream,
            role,
            decoder: Decoder::new(role),
            early,
            out: Vec::new(),
            left: 0,
            is_close_sent: false,
        }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// What has been read and not decoded yet: at most what came with the handshake.
    fn take_early(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..count]);
        if count == self.early.len() {
            self.early = Vec::new();
        } else {
            self.early.drain(..count);
        }
    }
}

impl<S: AsyncWrite + Unpin> WebSocket<S> {
    /// Writes what waits to leave.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.left < self.out.len() {
            let rest = &self.out[self.left..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.left += count,
            }
        }
        // An idle connection holds no buffer.
        self.out = Vec::new();
        self.left = 0;
        Poll::Ready(Ok(()))
    }

    /// Puts the slices into one frame and sends what can be sent of it now.
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_close_sent || self.decoder.is_over() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_out(cx))?;
        let mut parts: Vec<&[u8]> = Vec::with_capacity(slices.len());
        let mut length = 0;
        for slice in slices {
            let part = &slice[..slice.len().min(LARGEST_FRAME - length)];
            length += part.len();
            parts.push(part);
        }
        if length > 0 {
            frames::encode(self.role, OpCode::Data(Data::Binary), &parts, &mut self.out);
            if let Poll::Ready(Err(error)) = self.poll_out(cx) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        loop {
            let answered = this.poll_out(cx);
            if let Some(violation) = this.decoder.take_violation() {
                let error = io::Error::new(io::ErrorKind::InvalidData, violation);
                return Poll::Ready(Err(error));
            }
            if this.decoder.is_over() || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            if answered.is_pending() && this.out.len() - this.left > MOST_ANSWERS {
                return Poll::Pending;
            }
            if this.early.is_empty() {
                ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
            } else {
                this.take_early(buffer);
            }
            let raw = &mut buffer.filled_mut()[before..];
            if raw.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let count = this.decoder.decode(raw, &mut this.out);
            buffer.set_filled(before + count);
            if count > 0 {
                // What has failed to leave will fail again when something is written.
                let _ = this.poll_out(cx);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_frame(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_frame(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Sends our close, unless it has been sent as an answer, and closes our side.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_close_sent && !this.decoder.is_over() {
            frames::encode_close(this.role, CloseCode::Normal, &mut this.out);
        }
        this.is_close_sent = true;
        ready!(this.poll_out(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
