//! A secured stream that says why it ended.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::ciphers;
use super::names::PeerNames;
use super::reasons::{Seen, TlsError};

/// A stream below TLS that remembers the first bytes that came: they tell who answers if it is not TLS.
#[derive(Debug)]
pub(super) struct Tap<S> {
    inner: S,
    head: [u8; 8],
    length: u8,
}

impl<S> Tap<S> {
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            head: [0; 8],
            length: 0,
        }
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.length)]
    }

    pub(super) fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buffer);
        for byte in &buffer.filled()[before..] {
            if usize::from(this.length) == this.head.len() {
                break;
            }
            this.head[usize::from(this.length)] = *byte;
            this.length += 1;
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A stream within TLS.
///
/// Its errors have a [`TlsError`] inside where TLS is the reason. A peer that closes without TLS's own
/// goodbye ends the stream like any other: MQTT's packets have lengths, so nothing can be cut unseen.
/// What the system would not take at once is written while reading, too; nobody has to flush.
#[derive(Debug)]
pub struct TlsStream<S> {
    inner: tokio_rustls::TlsStream<Tap<S>>,
    /// The server asked for a certificate and we had none.
    lacked: Option<Arc<AtomicBool>>,
}

impl<S> TlsStream<S> {
    pub(super) fn new(
        inner: tokio_rustls::TlsStream<Tap<S>>,
        lacked: Option<Arc<AtomicBool>>,
    ) -> Self {
        Self { inner, lacked }
    }

    /// The stream below.
    pub fn get_ref(&self) -> &S {
        &self.inner.get_ref().0.inner
    }

    /// The version agreed on, as Mosquitto writes it: `TLSv1.3`.
    pub fn version(&self) -> &'static str {
        match self.inner.get_ref().1.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        }
    }

    /// The cipher suite agreed on, by OpenSSL's name.
    pub fn cipher(&self) -> &'static str {
        let suite = self.inner.get_ref().1.negotiated_cipher_suite();
        suite.map_or("unknown", |suite| ciphers::openssl_name(suite.suite()))
    }

    /// Who the other side is, if it has shown a certificate.
    pub fn peer_names(&self) -> Option<PeerNames> {
        let chain = self.inner.get_ref().1.peer_certificates()?;
        chain.first().map(PeerNames::of)
    }

    fn explain(&self, error: io::Error) -> io::Error {
        let is_tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            .is_some();
        let wants_certificate = self
            .lacked
            .as_ref()
            .is_some_and(|lacked| lacked.load(Ordering::Relaxed));
        // A server that wants a certificate may cut the connection before its alert is read.
        let is_cut = wants_certificate && error.kind() == io::ErrorKind::ConnectionReset;
        if !is_tls && !is_cut {
            return error;
        }
        let seen = Seen {
            head: self.inner.get_ref().0.head(),
            wants_certificate,
        };
        io::Error::new(error.kind(), TlsError::of(&error, seen))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.inner.get_ref().1.wants_write() {
            // If this fails, reading tells more: the other side may have said why.
            let _ = Pin::new(&mut self.inner).poll_flush(cx);
        }
        match Pin::new(&mut self.inner).poll_read(cx, buffer) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.explain(error))),
            other => other,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        polled.map_err(|error| self.explain(error))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        polled.map_err(|error| self.explain(error))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        polled.map_err(|error| self.explain(error))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        polled.map_err(|error| self.explain(error))
    }
}
