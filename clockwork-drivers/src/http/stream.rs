//! The stream beneath a connection: with or without TLS.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context as Task, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

/// See the module.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Of which can be told whether something came that nobody waited for.
pub(super) trait Quiet: AsyncRead + Unpin + Sized {
    /// Whether nothing has come. What has is put into `room`.
    fn is_quiet(&mut self, task: &mut Task<'_>, room: &mut Vec<u8>) -> bool {
        pin!(self.read_buf(room)).poll(task).is_pending()
    }
}

impl Quiet for TlsStream<TcpStream> {}

impl Quiet for TcpStream {
    /// Without a promise to be woken, which costs more.
    fn is_quiet(&mut self, _: &mut Task<'_>, room: &mut Vec<u8>) -> bool {
        self.try_read_buf(room).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Quiet for Stream {
    fn is_quiet(&mut self, task: &mut Task<'_>, room: &mut Vec<u8>) -> bool {
        match self {
            Self::Plain(stream) => stream.is_quiet(task, room),
            Self::Tls(stream) => stream.is_quiet(task, room),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, task: &mut Task<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(task, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(task, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, task: &mut Task<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(task, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(task, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(task),
            Self::Tls(stream) => Pin::new(stream).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(task),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(task),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(task, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(task, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
