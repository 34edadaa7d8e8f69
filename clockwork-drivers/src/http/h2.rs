//! One HTTP/2 connection: hyper's, driven by whoever uses it. Nothing runs in the background: the connection's own work
//! is polled together with the question, and rests while nobody asks.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context as Task, Poll},
};

use bytes::Bytes;
use futures_util::{Stream as _, future::BoxFuture, stream::FuturesUnordered};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;

use super::{
    body::Kept,
    broken::{Broken, Problem},
    connection::Reply,
    head::MAX_HEAD,
    stream::Stream,
};

/// A request as it goes out.
pub(super) type Message = http::Request<Full<Bytes>>;

/// One connection.
pub(super) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    /// The connection's own work; `None` when it has ended.
    driver: Option<BoxFuture<'static, ()>>,
}

impl Http2 {
    /// Speaks HTTP/2 over a stream.
    pub(super) async fn new(stream: Stream) -> hyper::Result<Self> {
        let tasks = Tasks::default();
        let (sender, connection) = Builder::new(tasks.clone())
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .handshake(TokioIo::new(stream))
            .await?;
        // Its error, too, reaches whoever waits for the answer.
        let driver = async move {
            tokio::select! {
                _ = connection => {}
                never = tasks.run() => match never {},
            }
        };
        Ok(Self { sender, driver: Some(Box::pin(driver)) })
    }

    /// Asks, and reads the answer, keeping at most `max_body` bytes of its body.
    pub(super) async fn ask(&mut self, message: Message, max_body: usize) -> Result<Reply, Broken> {
        let Self { sender, driver } = self;
        let mut came = None;
        let asked = drive(driver, async {
            let response = sender.send_request(message).await?;
            let first_byte = Instant::now();
            let (head, body) = response.into_parts();
            let mut kept = Kept::new(max_body);
            read(body, &mut kept, &mut came).await?;
            Ok(Reply {
                version: head.version,
                status: head.status,
                headers: (&head.headers).into(),
                body: kept.bytes,
                truncated: kept.truncated,
                first_byte,
                end: Instant::now(),
            })
        })
        .await;
        asked.map_err(|error| Broken { problem: Problem::Http2(error), beginning: Vec::new(), body: came })
    }

    /// Whether another request can be asked over it.
    pub(super) async fn is_reusable(&mut self) -> bool {
        // Lets it notice the end of the answer, and whether the server has hung up.
        poll_fn(|task| {
            poll_driver(&mut self.driver, task);
            Poll::Ready(())
        })
        .await;
        self.driver.is_some() && self.sender.is_ready()
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

/// Reads a body until it ends, or is larger than is kept. `came`: that the head has, and how much of the body.
async fn read(body: Incoming, kept: &mut Kept, came: &mut Option<u64>) -> hyper::Result<()> {
    *came = Some(0);
    let mut body = pin!(body);
    while !kept.truncated
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            kept.add(&data);
            *came = Some(kept.came);
        }
    }
    Ok(())
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
