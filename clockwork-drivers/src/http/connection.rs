//! One connection to a server: made, used, and driven by whoever uses it. Nothing runs in the background: the
//! connection's own work is polled together with the request, and rests while nobody asks.

use std::{
    future::poll_fn,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use futures_util::{Stream, future::BoxFuture, stream::FuturesUnordered};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Body, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::wire::{Seen, Wire, Wired};

/// How many headers a response may have, and how many bytes its head: beyond that it is not read.
pub(super) const MAX_HEADERS: usize = 1000;
pub(super) const MAX_HEAD: usize = 400 << 10;

/// How much room a connection has for the head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// What hyper reads without asking for memory each time: a hundred headers.
    Usual,
    /// All that is ever read.
    Wide,
}

/// A request as it goes out.
pub(super) type Message = http::Request<Full<Bytes>>;

/// A connection that speaks HTTP.
pub(super) struct Connection {
    sender: Sender,
    /// The connection's own work; `None` when it has ended.
    driver: Option<BoxFuture<'static, ()>>,
    wire: Arc<Wire>,
    pub(super) remote: SocketAddr,
    pub(super) made: Instant,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// What came back.
pub(super) struct Reply {
    pub(super) head: http::response::Parts,
    pub(super) body: Vec<u8>,
    /// There was more of the body than was to be kept.
    pub(super) truncated: bool,
    pub(super) first_byte: Instant,
    pub(super) end: Instant,
}

/// What came instead.
pub(super) struct Broken {
    pub(super) error: hyper::Error,
    /// What had arrived of the answer.
    pub(super) seen: Seen,
    /// Whether the head had arrived, and how much of the body.
    pub(super) body: Option<u64>,
}

impl Broken {
    /// Whether the head of the answer was larger than the room for it.
    pub(super) fn needs_more_room(&self) -> bool {
        // The method that tells is only there with hyper's server half.
        self.error.is_parse() && self.error.to_string().contains("too large")
    }

    /// Whether this may be no more than the end of a connection that had rested: nothing of an answer has come. (Over
    /// HTTP/2 the end itself is announced, so that something has.)
    pub(super) fn may_be_stale(&self, version: http::Version) -> bool {
        self.seen.is_empty() || (version == http::Version::HTTP_2 && self.body.is_none())
    }
}

impl Connection {
    /// Speaks HTTP over a stream.
    pub(super) async fn new(
        stream: Wired,
        remote: SocketAddr,
        version: http::Version,
        room: Room,
    ) -> hyper::Result<Self> {
        let wire = stream.wire();
        let io = TokioIo::new(stream);
        let (sender, driver): (_, BoxFuture<'static, ()>) = if version == http::Version::HTTP_2 {
            let tasks = Tasks::default();
            let (sender, connection) = http2::Builder::new(tasks.clone())
                .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
                .handshake(io)
                .await?;
            let driver = async move {
                tokio::select! {
                    _ = connection => {}
                    never = tasks.run() => match never {},
                }
            };
            (Sender::Http2(sender), Box::pin(driver))
        } else {
            let mut builder = http1::Builder::new();
            builder.max_buf_size(MAX_HEAD).allow_obsolete_multiline_headers_in_responses(true);
            if room == Room::Wide {
                builder.max_headers(MAX_HEADERS);
            }
            let (sender, connection) = builder.handshake(io).await?;
            // Its error, too, reaches whoever waits for the answer.
            let driver = async move {
                let _ = connection.await;
            };
            (Sender::Http1(sender), Box::pin(driver))
        };
        Ok(Self { sender, driver: Some(driver), wire, remote, made: Instant::now() })
    }

    /// Asks, and reads the answer, keeping at most `max_body` bytes of its body.
    pub(super) async fn ask(&mut self, message: Message, max_body: usize) -> Result<Reply, Broken> {
        let Self { sender, driver, wire, .. } = self;
        wire.begin();
        let mut body_so_far = None;
        let asked = drive(driver, async {
            let response = match sender {
                Sender::Http1(sender) => sender.send_request(message).await,
                Sender::Http2(sender) => sender.send_request(message).await,
            }?;
            let head_came = Instant::now();
            body_so_far = Some(0);
            let (head, body) = response.into_parts();
            let (body, truncated) = read(body, max_body, &mut body_so_far).await?;
            Ok((head, body, truncated, head_came))
        })
        .await;
        match asked {
            Ok((head, body, truncated, head_came)) => {
                let first = wire.first().filter(|_| head.version != http::Version::HTTP_2);
                let first_byte = first.unwrap_or(head_came);
                Ok(Reply { head, body, truncated, first_byte, end: Instant::now() })
            }
            Err(error) => Err(Broken { error, seen: wire.seen(), body: body_so_far }),
        }
    }

    /// What is spoken over it.
    pub(super) fn version(&self) -> http::Version {
        match self.sender {
            Sender::Http1(_) => http::Version::HTTP_11,
            Sender::Http2(_) => http::Version::HTTP_2,
        }
    }

    /// Whether another request can be asked over it.
    pub(super) async fn is_reusable(&mut self) -> bool {
        // Lets it notice the end of the answer, and whether the server has hung up.
        poll_fn(|task| {
            poll_driver(&mut self.driver, task);
            Poll::Ready(())
        })
        .await;
        self.driver.is_some()
            && match &self.sender {
                Sender::Http1(sender) => sender.is_ready(),
                Sender::Http2(sender) => sender.is_ready(),
            }
    }
}

/// Drives the connection while there is work that waits for it.
async fn drive<T>(driver: &mut Option<BoxFuture<'static, ()>>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    poll_fn(|task| {
        if let Poll::Ready(done) = work.as_mut().poll(task) {
            return Poll::Ready(done);
        }
        poll_driver(driver, task);
        work.as_mut().poll(task)
    })
    .await
}

fn poll_driver(driver: &mut Option<BoxFuture<'static, ()>>, task: &mut Task<'_>) {
    if let Some(running) = driver
        && running.as_mut().poll(task).is_ready()
    {
        *driver = None;
    }
}

/// At most `limit` bytes of a body, and whether there was more.
async fn read(body: Incoming, limit: usize, so_far: &mut Option<u64>) -> hyper::Result<(Vec<u8>, bool)> {
    let announced = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
    // What a server announces is not yet what it sends.
    let mut kept = Vec::with_capacity(announced.unwrap_or(0).min(limit).min(64 << 10));
    let mut body = pin!(body);
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            *so_far = so_far.map(|bytes| bytes + data.len() as u64);
            let room = limit - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
            if data.len() > room {
                return Ok((kept, true));
            }
        }
    }
    Ok((kept, false))
}

/// The tasks that hyper's HTTP/2 wants to be run: run here, by whoever drives the connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<BoxFuture<'static, ()>>>>);

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tasks {
    fn execute(&self, task: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::pin(task));
    }
}

impl Tasks {
    async fn run(self) -> std::convert::Infallible {
        let mut running = FuturesUnordered::new();
        poll_fn(|task| {
            loop {
                let new = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
                let idle = new.is_empty();
                running.extend(new);
                while let Poll::Ready(Some(())) = Pin::new(&mut running).poll_next(task) {}
                if idle {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}
