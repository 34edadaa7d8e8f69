//! The stream beneath a connection: with or without TLS, and it remembers how an answer began.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Task, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::client::TlsStream;

/// How much of an answer is remembered, for the message when it is no HTTP.
const BEGINNING: usize = 64;

/// What came over the wire since the last question.
#[derive(Default)]
pub(super) struct Wire(Mutex<Seen>);

/// See [`Wire`].
#[derive(Clone, Default)]
pub(super) struct Seen {
    /// When the first byte came.
    pub(super) first: Option<Instant>,
    /// The first bytes.
    pub(super) beginning: Vec<u8>,
}

impl Seen {
    /// Whether nothing came at all.
    pub(super) fn is_empty(&self) -> bool {
        self.beginning.is_empty()
    }
}

impl Wire {
    /// What came.
    pub(super) fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When the first byte came.
    pub(super) fn first(&self) -> Option<Instant> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).first
    }

    /// The next question begins.
    pub(super) fn begin(&self) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.first = None;
        seen.beginning.clear();
    }

    fn came(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.first.get_or_insert_with(Instant::now);
        let room = BEGINNING - seen.beginning.len();
        seen.beginning.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// A stream that notes what comes.
pub(super) struct Wired {
    stream: Stream,
    wire: Arc<Wire>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wired {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { stream: Stream::Plain(stream), wire: Arc::default() }
    }

    pub(super) fn tls(stream: TlsStream<TcpStream>) -> Self {
        Self { stream: Stream::Tls(Box::new(stream)), wire: Arc::default() }
    }

    pub(super) fn wire(&self) -> Arc<Wire> {
        Arc::clone(&self.wire)
    }
}

impl AsyncRead for Wired {
    fn poll_read(self: Pin<&mut Self>, task: &mut Task<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, wire } = self.get_mut();
        let before = buf.filled().len();
        let read = match stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(task, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(task, buf),
        };
        wire.came(&buf.filled()[before..]);
        read
    }
}

impl AsyncWrite for Wired {
    fn poll_write(self: Pin<&mut Self>, task: &mut Task<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(task, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(task, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(task),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(task),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(task),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(task),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(task, bufs),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(task, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
