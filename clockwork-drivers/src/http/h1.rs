//! One HTTP/1 connection: a question goes out, its answer is read, and what is spoken is told from what is not.
//!
//! Nothing runs in the background, and nothing is allocated for a question but what is kept of its answer. The head is
//! `httparse`'s to read; what is accepted and what is refused is what hyper's client accepts and refuses, which the
//! tests hold side by side.

use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    task::{Context as Task, Poll},
};

use http::Method;
use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    time::Instant,
};

use super::{
    body::Kept,
    broken::{BEGINNING, Broken, Problem},
    connection::Reply,
    head::{self, Head, MAX_HEAD, NoHead, Parsed},
    stream::Quiet,
};

/// How much is read at once.
const READ: usize = 8 << 10;
/// How much of a head is looked at whenever more of it comes. Beyond, only its end is looked for.
const LOOKED_AT: usize = 4 << 10;

/// When the answer's first and its latest bytes came.
struct Times {
    first_byte: Instant,
    end: Instant,
}

impl Times {
    fn now() -> Self {
        let now = Instant::now();
        Self { first_byte: now, end: now }
    }
}

/// One connection.
pub(super) struct Http1<S> {
    stream: S,
    /// The question.
    request: Vec<u8>,
    /// How much of it went out.
    sent: usize,
    /// Why no more of it could go out. There may be an answer all the same.
    unsent: Option<io::Error>,
    flushed: bool,
    /// What came of the answer and was not used yet, or all of its head.
    buffer: Vec<u8>,
    reusable: bool,
}

impl<S: Quiet + AsyncWrite> Http1<S> {
    pub(super) fn new(stream: S) -> Self {
        let (request, buffer) = (Vec::with_capacity(256), Vec::new());
        Self { stream, request, sent: 0, unsent: None, flushed: true, buffer, reusable: true }
    }

    /// Where the next question is to be written.
    pub(super) fn request(&mut self) -> &mut Vec<u8> {
        self.request.clear();
        &mut self.request
    }

    /// Sends the question, which asks with this method, and reads the answer, keeping at most `max_body` bytes of its
    /// body.
    pub(super) async fn ask(&mut self, method: &Method, max_body: usize) -> Result<Reply, Broken> {
        (self.sent, self.flushed, self.reusable) = (0, false, false);
        self.buffer.clear();
        let mut times = None;
        let (head, mut used) = match self.head(method, &mut times).await {
            Ok(head) => head,
            Err(problem) => {
                let beginning = self.buffer[..self.buffer.len().min(BEGINNING)].to_vec();
                return Err(Broken { problem, beginning, body: None });
            }
        };
        let Head { version, status, headers, mut body, keep_alive } = head;
        let Times { first_byte, mut end } = times.unwrap_or_else(Times::now);
        let mut kept = Kept::new(max_body);
        let broken = |problem, kept: &Kept| Broken { problem, beginning: Vec::new(), body: Some(kept.came) };
        loop {
            match body.take(&self.buffer[used..], &mut kept) {
                Ok(taken) => used += taken,
                Err(what) => return Err(broken(Problem::Malformed(what), &kept)),
            }
            if body.is_complete() || kept.truncated {
                break;
            }
            self.buffer.clear();
            used = 0;
            let more = self.more().await;
            end = Instant::now();
            match more {
                Ok(0) if body.ends_with_connection() => break,
                Ok(0) => return Err(broken(Problem::Closed, &kept)),
                Ok(_) => {}
                Err(error) => return Err(broken(Problem::Io(error), &kept)),
            }
        }
        let all_said = self.sent == self.request.len() && self.flushed && self.unsent.is_none();
        self.reusable = keep_alive && body.is_complete() && all_said && used == self.buffer.len();
        Ok(Reply { version, status, headers, body: kept.bytes, truncated: kept.truncated, first_byte, end })
    }

    /// The head of the answer, and how many bytes of the buffer came before its body.
    async fn head(&mut self, method: &Method, times: &mut Option<Times>) -> Result<(Head, usize), Problem> {
        // Where the head begins that is being read, and how much of it was looked at.
        let (mut start, mut seen) = (0, 0);
        loop {
            if self.more().await.map_err(Problem::Io)? == 0 {
                return Err(self.unsent.take().map_or(Problem::Closed, Problem::Io));
            }
            match times {
                Some(times) => times.end = Instant::now(),
                None => *times = Some(Times::now()),
            }
            loop {
                let bytes = &self.buffer[start..];
                if bytes.is_empty() || (seen > LOOKED_AT && !has_end(&bytes[seen - 3..])) {
                    break;
                }
                match head::parse(bytes, method) {
                    Ok(Parsed::Head(head, length)) if start + length <= MAX_HEAD => {
                        return Ok((head, start + length));
                    }
                    Ok(Parsed::Head(..)) => return Err(Problem::TooLarge),
                    Ok(Parsed::Interim(length)) => (start, seen) = (start + length, 0),
                    Ok(Parsed::Partial) => break,
                    Err(NoHead::Invalid) => return Err(Problem::NotHttp),
                    Err(NoHead::TooLarge) => return Err(Problem::TooLarge),
                }
            }
            seen = self.buffer.len() - start;
            if self.buffer.len() >= MAX_HEAD {
                return Err(Problem::TooLarge);
            }
        }
    }

    /// Reads more into the buffer, while the question goes out; nothing more at the end.
    async fn more(&mut self) -> io::Result<usize> {
        if self.buffer.capacity() - self.buffer.len() < READ / 2 {
            // Twice as much each time that all the room was needed.
            self.buffer.reserve(READ.max(self.buffer.capacity()).min(64 << 10));
        }
        poll_fn(|task| {
            self.poll_send(task);
            pin!(self.stream.read_buf(&mut self.buffer)).poll(task)
        })
        .await
    }

    fn poll_send(&mut self, task: &mut Task<'_>) {
        while self.unsent.is_none() && self.sent < self.request.len() {
            match Pin::new(&mut self.stream).poll_write(task, &self.request[self.sent..]) {
                Poll::Ready(Ok(0)) => self.unsent = Some(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(sent)) => self.sent += sent,
                Poll::Ready(Err(error)) => self.unsent = Some(error),
                Poll::Pending => return,
            }
        }
        if self.unsent.is_none() && !self.flushed {
            match Pin::new(&mut self.stream).poll_flush(task) {
                Poll::Ready(Ok(())) => self.flushed = true,
                Poll::Ready(Err(error)) => self.unsent = Some(error),
                Poll::Pending => {}
            }
        }
    }

    /// Whether the last answer was all that came, and the server keeps the connection.
    pub(super) fn is_reusable(&self) -> bool {
        self.reusable
    }

    /// Whether a connection that rested can be used: the server has not hung up, and said nothing that nobody asked.
    pub(super) async fn is_quiet(&mut self) -> bool {
        self.buffer.clear();
        let Self { stream, buffer, .. } = self;
        buffer.reserve(READ / 2);
        poll_fn(|task| Poll::Ready(stream.is_quiet(task, buffer))).await
    }
}

/// Whether there is an empty line.
fn has_end(bytes: &[u8]) -> bool {
    let mut line_ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    line_ends.any(|next| bytes[next..].starts_with(b"\n") || bytes[next..].starts_with(b"\r\n"))
}

#[cfg(test)]
#[path = "h1_tests.rs"]
mod tests;
