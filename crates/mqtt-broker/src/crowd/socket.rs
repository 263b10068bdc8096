//! A socket of the crowd: read and written at once, or left until an event says more of it.

use super::tcp_ack::TcpAck;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::Socket;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket that never blocks. What it is ready for is known from events, so that no call is made
/// in vain; who has to wait is given a turn when that changes.
pub(super) struct PlainSocket {
    socket: Socket,
    is_readable: bool,
    /// The other side has closed, or the connection is broken: whatever is to be read can be.
    has_ended: bool,
    is_writable: bool,
    watched: Watched,
    tcp_ack: TcpAck,
}

/// What events tell of a socket. Nobody asks for more than was needed so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Watched {
    /// It has not had to wait yet.
    No,
    ForBytes,
    /// It was full once.
    ForBoth,
}

impl PlainSocket {
    /// `is_readable`: whether there may be something to be read, so that it is worth a call.
    pub(super) fn new(socket: Socket, is_readable: bool) -> PlainSocket {
        PlainSocket {
            socket,
            is_readable,
            has_ended: false,
            is_writable: true,
            watched: Watched::No,
            tcp_ack: TcpAck::default(),
        }
    }

    pub(super) fn note(&mut self, event: &mio::event::Event) {
        self.has_ended |= event.is_read_closed() || event.is_error();
        self.is_readable |= event.is_readable() || self.has_ended;
        self.is_writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// Sees to it that events tell when something can be read, and when a full socket no longer is.
    ///
    /// # Errors
    /// The system has no more resources for it.
    pub(super) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let fd = self.socket.as_raw_fd();
        let both = Interest::READABLE | Interest::WRITABLE;
        let (wanted, interest) = match self.is_writable {
            true => (Watched::ForBytes, Interest::READABLE),
            false => (Watched::ForBoth, both),
        };
        if self.watched >= wanted {
            return Ok(());
        }
        match std::mem::replace(&mut self.watched, wanted) {
            Watched::No => registry.register(&mut SourceFd(&fd), token, interest),
            _ => registry.reregister(&mut SourceFd(&fd), token, interest),
        }
    }

    fn write(&mut self, write: impl Fn(&Socket) -> io::Result<usize>) -> Poll<io::Result<usize>> {
        while self.is_writable {
            match write(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => {
                    self.tcp_ack.note_written();
                    return Poll::Ready(result);
                }
            }
        }
        Poll::Pending
    }
}

impl AsyncRead for PlainSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.is_readable {
            // SAFETY: the system only writes into it.
            #[allow(unsafe_code)]
            let room = unsafe { buffer.unfilled_mut() };
            let size = room.len();
            match this.socket.recv(room) {
                Ok(count) => {
                    // SAFETY: the system has written so many bytes.
                    #[allow(unsafe_code)]
                    unsafe {
                        buffer.assume_init(count);
                    }
                    buffer.advance(count);
                    this.tcp_ack.note_read();
                    // Less than there was room for is all that there was.
                    this.is_readable = this.has_ended || count == size;
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => this.is_readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        this.tcp_ack.pay(&this.socket);
        Poll::Pending
    }
}

impl AsyncWrite for PlainSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(|socket| socket.send(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(|socket| socket.send_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.shutdown(std::net::Shutdown::Write))
    }
}
