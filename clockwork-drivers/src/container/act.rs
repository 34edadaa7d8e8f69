//! Requests that make something, and those whose connection becomes a pipe to a process.
//!
//! They are asked one connection each, in HTTP/1.0, whose answers end with the connection: nothing has to be read that a
//! library would be needed for.

use std::io;

use bytes::{Buf, BytesMut};
use clockwork_core::{CheckError, text::quote_bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::client::{Engine, Wire};

/// How long an answer's head, and its body, may be.
const HEAD: usize = 64 << 10;
const BODY: usize = 4 << 20;

/// What an engine says to a request that makes something.
pub(crate) struct Done {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Done {
    pub(crate) fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The engine's own words.
    pub(crate) fn told(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Told {
            message: String,
        }
        match serde_json::from_slice::<Told>(&self.body) {
            Ok(told) => clockwork_core::text::quote(&told.message),
            Err(_) => quote_bytes(&self.body),
        }
    }
}

/// A connection that has become a pipe: what is written is a process's standard input, what it says comes in frames.
pub(crate) struct Pipe {
    pub(crate) wire: Box<dyn Wire>,
    pub(crate) unread: BytesMut,
}

/// Which of its streams a process said something on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Error,
}

impl Engine {
    /// Sends this, and waits for the whole answer.
    pub(crate) async fn act(
        &self,
        verb: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<Done, CheckError> {
        let mut wire = self.wire().await?;
        let head = format!(
            "{verb} {} HTTP/1.0\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.versioned(path),
            self.host(),
            body.len()
        );
        let told = |error| self.broke_off(error);
        wire.write_all(head.as_bytes()).await.map_err(told)?;
        wire.write_all(body).await.map_err(told)?;
        wire.flush().await.map_err(told)?;
        let (status, unread) = head_of(&mut wire).await.map_err(told)?;
        let mut body = unread.to_vec();
        (&mut wire).take(BODY as u64).read_to_end(&mut body).await.map_err(told)?;
        Ok(Done { status, body })
    }

    /// Sends JSON.
    pub(crate) async fn make(&self, path: &str, what: &serde_json::Value) -> Result<Done, CheckError> {
        self.act("POST", path, "application/json", what.to_string().as_bytes()).await
    }

    /// Asks for a pipe to a process.
    pub(crate) async fn pipe(&self, path: &str, what: &str) -> Result<Result<Pipe, Done>, CheckError> {
        let mut wire = self.wire().await?;
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n{what}",
            self.versioned(path),
            self.host(),
            what.len()
        );
        let told = |error| self.broke_off(error);
        wire.write_all(head.as_bytes()).await.map_err(told)?;
        wire.flush().await.map_err(told)?;
        let (status, mut unread) = head_of(&mut wire).await.map_err(told)?;
        if matches!(status, 101 | 200) {
            return Ok(Ok(Pipe { wire, unread }));
        }
        // The connection stays open behind a refusal: what came with its head is enough.
        if unread.is_empty() {
            let _ = wire.read_buf(&mut unread).await;
        }
        Ok(Err(Done { status, body: unread.to_vec() }))
    }

    fn broke_off(&self, error: io::Error) -> CheckError {
        CheckError::unobservable(format!("{} broke off", self.describe())).with_source(error).retryable()
    }
}

/// The status, and what came behind the head.
async fn head_of(wire: &mut Box<dyn Wire>) -> io::Result<(u16, BytesMut)> {
    let mut unread = BytesMut::with_capacity(4096);
    loop {
        if let Some(end) = unread.windows(4).position(|four| four == b"\r\n\r\n") {
            let status = unread.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
            unread.advance(end + 4);
            return status
                .map(|status| (status, unread))
                .ok_or_else(|| io::Error::other("its answer is no HTTP"));
        }
        if unread.len() > HEAD || wire.read_buf(&mut unread).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The next frame of what a process says, out of what a pipe brings; `None` at its end.
pub(crate) async fn frame<R: tokio::io::AsyncRead + Unpin>(
    from: &mut R,
    unread: &mut BytesMut,
) -> io::Result<Option<(Stream, BytesMut)>> {
    loop {
        // A kind, three zeros, the length in four bytes, and so many bytes.
        if let [kind, 0, 0, 0, a, b, c, d, rest @ ..] = &unread[..] {
            let (kind, length) = (*kind, u32::from_be_bytes([*a, *b, *c, *d]) as usize);
            if length > BODY {
                return Err(io::Error::other("the engine sends frames without end"));
            }
            if rest.len() >= length {
                unread.advance(8);
                let stream = if kind == 2 { Stream::Error } else { Stream::Output };
                return Ok(Some((stream, unread.split_to(length))));
            }
        } else if unread.len() >= 8 {
            return Err(io::Error::other("the engine sends what is no frame"));
        }
        if from.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}
