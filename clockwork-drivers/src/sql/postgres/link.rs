//! [`Link`]: one connection that many checks use at the same time. What they ask is sent without waiting for the answers
//! before it, and the answers come in the order of the questions. What the server leaves out, because a transaction has
//! failed before it, is asked again.
//!
//! One task drives it, which ends with the link. A statement whose asker has gone takes the link with it, because
//! everything behind it would wait: the server is told to cancel it, and those behind ask again elsewhere.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::{
    answer::{self, Answer, Taken, Way},
    message::{self, MESSAGE_LIMIT, NoMessage},
    open::{Cancel, Opened, Server, Stream},
    refusal,
};
use crate::sql::{
    failure::{FailureKind, Said, SqlFailure},
    statement::{Rows, Statement},
};

/// How long the statement in front may take before those behind it ask elsewhere.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

pub(super) type Reply = Result<Rows, SqlFailure>;

/// Why a statement has no answer. It was not run, or only begun, and can be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unasked {
    /// The connection ended before the answer began.
    Gone,
    /// Others are answered who take long.
    HeldUp,
    /// Another one's failure had left a transaction, in which the server does nothing.
    LeftOut,
}

/// One connection, in use.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) server: Server,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    dead: AtomicBool,
    /// A statement brought more rows than are read; known to all connections to the database.
    floods: Arc<AtomicBool>,
    queue: Mutex<Queue>,
    /// Something is to be sent.
    send: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    outbox: BytesMut,
    pending: VecDeque<Pending>,
    asked: u64,
    /// Since when the statement in front is there.
    since: Option<Instant>,
    /// A statement has failed: whatever the next ones do, each has its transaction ended.
    is_careful: bool,
}

#[derive(Debug)]
struct Pending {
    number: u64,
    answer: Answer,
    asker: Option<Asker>,
}

type Asker = oneshot::Sender<Result<Reply, Unasked>>;

impl Pending {
    fn tell(&mut self, reply: Result<Reply, Unasked>) {
        if let Some(asker) = self.asker.take() {
            let _ = asker.send(reply); // whoever asked may have gone
        }
    }
}

impl Queue {
    fn push(&mut self, answer: Answer, asker: Option<Asker>) -> u64 {
        self.asked += 1;
        if self.pending.is_empty() {
            self.since = Some(Instant::now());
        }
        self.pending.push_back(Pending { number: self.asked, answer, asker });
        self.asked
    }

    /// What is in front has its whole answer.
    fn pop(&mut self) {
        self.pending.pop_front();
        self.since = (!self.pending.is_empty()).then(Instant::now);
    }

    /// Ends the transaction that a failed statement has left. That is needed once: what is asked from now on ends its own,
    /// and what was asked meanwhile is left out by the server.
    fn roll_back(&mut self) {
        if !self.is_careful && answer::roll_back(&mut self.outbox).is_ok() {
            self.push(Answer::rolled_back(), None);
        }
        self.is_careful = true;
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How the use of a connection ended.
enum Ended {
    /// Whoever asked what is in front has gone, or has enough.
    Abandoned,
    /// It cannot be used any more.
    Broken(SqlFailure),
}

impl Link {
    /// Drives this connection until it is dropped, or cannot be used any more.
    pub(super) fn new(opened: Opened, floods: Arc<AtomicBool>) -> Self {
        let Opened { stream, inbox, server, cancel, said } = opened;
        let shared = Arc::new(Shared { floods, ..Shared::default() });
        let task = tokio::spawn({
            let (shared, who) = (Arc::clone(&shared), server.place.clone());
            async move { drive(stream, inbox, shared, cancel, Whom { who, said }).await }
        });
        Self { server, shared, task }
    }

    /// Whether it can be asked.
    pub(super) fn is_alive(&self) -> bool {
        !self.shared.dead.load(Ordering::Acquire)
    }

    /// Whether it is not even cancelling any more.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    /// Whether nobody waits for an answer.
    pub(super) fn is_idle(&self) -> bool {
        self.shared.queue().pending.is_empty()
    }

    /// Whether whoever asks now waits behind a statement that takes long.
    pub(super) fn is_held_up(&self) -> bool {
        self.shared.queue().since.is_some_and(|since| since.elapsed() > PATIENCE)
    }

    /// Has each statement's transaction ended by itself: how long one takes is not to include that.
    pub(super) fn be_careful(&self) {
        self.shared.queue().is_careful = true;
    }

    /// Asks. With `patient`, it waits also while others are answered who take long.
    pub(super) async fn ask(&self, statement: &Statement, patient: bool) -> Result<Reply, Unasked> {
        let (number, mut reply) = {
            let mut queue = self.shared.queue();
            if !self.is_alive() {
                return Err(Unasked::Gone);
            }
            let way = Way::of(statement, queue.is_careful, self.shared.floods.load(Ordering::Relaxed));
            let sent = queue.outbox.len();
            if let Err(failure) = answer::question(statement, way, &mut queue.outbox) {
                queue.outbox.truncate(sent);
                return Ok(Err(failure));
            }
            let (asker, reply) = oneshot::channel();
            (queue.push(Answer::to(statement, way), Some(asker)), reply)
        };
        self.shared.send.notify_one();
        loop {
            match tokio::time::timeout(PATIENCE, &mut reply).await {
                Ok(reply) => return reply.unwrap_or(Err(Unasked::Gone)),
                Err(_) if patient => {}
                Err(_) => {
                    let queue = self.shared.queue();
                    let in_front = queue.pending.front().is_some_and(|front| front.number >= number);
                    let held_up = queue.since.is_some_and(|since| since.elapsed() > PATIENCE);
                    drop(queue);
                    if !in_front && held_up {
                        return Err(Unasked::HeldUp);
                    }
                }
            }
        }
    }
}

struct Whom {
    who: String,
    said: Said,
}

async fn drive(stream: Stream, inbox: BytesMut, shared: Arc<Shared>, cancel: Cancel, whom: Whom) {
    let (reader, writer) = tokio::io::split(stream);
    let ended = tokio::select! {
        ended = read(reader, inbox, &shared, &whom) => ended,
        ended = write(writer, &shared, &whom) => ended,
    };
    let pending = {
        let mut queue = shared.queue();
        // Under the lock: nobody asks any more who would not be told.
        shared.dead.store(true, Ordering::Release);
        queue.since = None;
        std::mem::take(&mut queue.pending)
    };
    match ended {
        Ended::Abandoned => {
            drop(pending);
            cancel.send().await;
        }
        Ended::Broken(failure) => {
            // The first is told; the others find out that nobody answers, and ask again.
            if let Some(mut front) = pending.into_iter().next() {
                front.tell(Ok(Err(failure)));
            }
        }
    }
}

async fn write(mut writer: WriteHalf<Stream>, shared: &Shared, whom: &Whom) -> Ended {
    loop {
        let outbox = std::mem::take(&mut shared.queue().outbox);
        if outbox.is_empty() {
            shared.send.notified().await;
            continue;
        }
        let sent = async {
            writer.write_all(&outbox).await?;
            writer.flush().await
        };
        if let Err(error) = sent.await {
            return Ended::Broken(lost(whom, &error));
        }
    }
}

fn lost(whom: &Whom, error: &std::io::Error) -> SqlFailure {
    let message = format!("{} broke the connection off: {}", whom.who, whom.said.quote(&error.to_string()));
    SqlFailure::new(FailureKind::Lost, message)
}

async fn read(mut reader: ReadHalf<Stream>, mut inbox: BytesMut, shared: &Shared, whom: &Whom) -> Ended {
    loop {
        loop {
            let message = match message::take(&mut inbox, MESSAGE_LIMIT) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(NoMessage::TooLong) => return Ended::Broken(Answer::too_large()),
                Err(NoMessage::Garbled) => {
                    let message = format!("{} broke the protocol", whom.who);
                    return Ended::Broken(SqlFailure::new(FailureKind::Lost, message));
                }
            };
            let mut queue = shared.queue();
            let Some(front) = queue.pending.front_mut() else {
                if message.tag == b'E' {
                    let error = message::ServerError::read(message.body);
                    return Ended::Broken(refusal::sort(&error, &whom.who, &whom.said));
                }
                continue; // a notice, or a parameter that changed
            };
            match front.answer.take(message, &whom.who, &whom.said) {
                Taken::More => {}
                Taken::Answered(reply) => front.tell(Ok(reply)),
                Taken::Over => queue.pop(),
                Taken::Last(reply) => {
                    front.tell(Ok(reply));
                    queue.pop();
                }
                Taken::Failed(failure) => {
                    front.tell(failure.map_or(Err(Unasked::LeftOut), |failure| Ok(Err(failure))));
                    queue.pop();
                    queue.roll_back();
                    shared.send.notify_one();
                }
                Taken::Flooded(reply) => {
                    shared.floods.store(true, Ordering::Relaxed);
                    front.tell(Ok(reply));
                    return Ended::Abandoned;
                }
                Taken::Unusable(failure) => return Ended::Broken(failure),
            }
        }
        let abandoned = poll_fn(|cx| match shared.queue().pending.front_mut() {
            Some(Pending { asker: Some(asker), .. }) => asker.poll_closed(cx),
            _ => Poll::Pending,
        });
        let read = tokio::select! {
            biased;
            read = reader.read_buf(&mut inbox) => read,
            () = abandoned => return Ended::Abandoned,
        };
        match read {
            Ok(0) => {
                let message = format!("{} closed the connection", whom.who);
                return Ended::Broken(SqlFailure::new(FailureKind::Lost, message));
            }
            Ok(_) => {}
            Err(error) => return Ended::Broken(lost(whom, &error)),
        }
    }
}
