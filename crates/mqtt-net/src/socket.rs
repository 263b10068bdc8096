//! The lowest layer of a connection: a TCP or a Unix socket.

use std::io;
use std::path::Path;

use tokio::net::TcpStream;

/// A connected socket.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Socket {
    /// Connects to the Unix socket at `path`.
    #[cfg(unix)]
    pub(crate) async fn unix(path: &Path) -> io::Result<Self> {
        tokio::net::UnixStream::connect(path).await.map(Self::Unix)
    }

    /// There is no such socket on this system.
    #[cfg(not(unix))]
    pub(crate) async fn unix(_path: &Path) -> io::Result<Self> {
        let missing = "this system has no Unix sockets";
        Err(io::Error::new(io::ErrorKind::Unsupported, missing))
    }
}

/// Makes an enum of streams a stream itself: each call goes to the one that is there.
macro_rules! one_of_streams {
    ($type:ty: $( $(#[$when:meta])* $variant:ident ),+) => {
        impl tokio::io::AsyncRead for $type {
            fn poll_read(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $( $(#[$when])* Self::$variant(stream) => {
                        std::pin::Pin::new(stream).poll_read(cx, buffer)
                    } )+
                }
            }
        }

        impl tokio::io::AsyncWrite for $type {
            fn poll_write(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                match self.get_mut() {
                    $( $(#[$when])* Self::$variant(stream) => {
                        std::pin::Pin::new(stream).poll_write(cx, bytes)
                    } )+
                }
            }

            fn poll_write_vectored(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                slices: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                match self.get_mut() {
                    $( $(#[$when])* Self::$variant(stream) => {
                        std::pin::Pin::new(stream).poll_write_vectored(cx, slices)
                    } )+
                }
            }

            fn is_write_vectored(&self) -> bool {
                match self {
                    $( $(#[$when])* Self::$variant(stream) => stream.is_write_vectored(), )+
                }
            }

            fn poll_flush(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $( $(#[$when])* Self::$variant(stream) => {
                        std::pin::Pin::new(stream).poll_flush(cx)
                    } )+
                }
            }

            fn poll_shutdown(
                self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                match self.get_mut() {
                    $( $(#[$when])* Self::$variant(stream) => {
                        std::pin::Pin::new(stream).poll_shutdown(cx)
                    } )+
                }
            }
        }
    };
}
pub(crate) use one_of_streams;

one_of_streams!(Socket: Tcp, #[cfg(unix)] Unix);
