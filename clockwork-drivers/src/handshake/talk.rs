//! A bounded conversation over any stream.

use std::io;

use clockwork_core::text::quote_bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Step, Stopped};

/// How much of a service's answers is read in one handshake.
const LIMIT: usize = 64 << 10;

/// How much of the first answer is kept for messages, and how much of that is shown.
const KEPT: usize = 4096;
const BEGINNING: usize = 64;

/// Whatever bytes go over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// What a service says when it greets.
#[derive(Debug, Default)]
pub(crate) struct Greeting {
    /// Its name and version, as it says itself, quoted and bounded.
    pub(crate) server: Option<String>,
    /// Whether it accepted the credentials; `None` where none were given.
    pub(crate) accepted: Option<bool>,
}

/// One conversation.
pub(crate) struct Talk<S> {
    pub(crate) stream: S,
    /// The protocol's name, for messages.
    name: &'static str,
    unread: Vec<u8>,
    received: usize,
    /// How the very first answer began.
    beginning: Vec<u8>,
    /// What must not be shown, should it be repeated.
    secrets: Vec<Vec<u8>>,
    /// How much is read.
    limit: usize,
}

impl<S: Stream> Talk<S> {
    pub(crate) fn new(stream: S, name: &'static str) -> Self {
        let (unread, beginning, secrets) = (Vec::new(), Vec::new(), Vec::new());
        Self { stream, name, unread, received: 0, beginning, secrets, limit: LIMIT }
    }

    /// The same for more than a handshake: so many bytes are read.
    pub(crate) fn reading(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// From here on the other side may know this, and repeat it: whoever is no such service may be an echo.
    pub(crate) fn hide(&mut self, secret: &[u8]) {
        if !secret.is_empty() {
            self.secrets.push(secret.to_vec());
        }
    }

    /// What the other side said, made fit for a message: quoted, bounded, without secrets.
    pub(crate) fn quote(&self, said: &[u8]) -> String {
        quote_bytes(&self.masked(said))
    }

    fn masked(&self, said: &[u8]) -> Vec<u8> {
        let (mut masked, mut rest) = (Vec::new(), said);
        while let [first, others @ ..] = rest {
            let secret = self.secrets.iter().filter(|secret| rest.starts_with(secret)).map(Vec::len).max();
            match secret {
                Some(length) => {
                    masked.extend_from_slice(b"[secret]");
                    rest = &rest[length..];
                }
                None => {
                    masked.push(*first);
                    rest = others;
                }
            }
        }
        masked
    }

    /// The beginning of the first answer. It is cut when what is secret in it is gone, which else could be cut in two.
    fn began(&self) -> String {
        let masked = self.masked(&self.beginning);
        quote_bytes(&masked[..masked.len().min(BEGINNING)])
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| self.broken_off(&error))
    }

    /// The next `count` bytes.
    pub(crate) async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Stopped> {
        if count > self.limit {
            return Err(self.stranger());
        }
        while self.unread.len() < count {
            self.more().await?;
        }
        let rest = self.unread.split_off(count);
        Ok(std::mem::replace(&mut self.unread, rest))
    }

    /// The next line, without its end.
    pub(crate) async fn line(&mut self) -> Result<Vec<u8>, Stopped> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let rest = self.unread.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.unread, rest);
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), Stopped> {
        if self.received >= self.limit {
            return Err(self.stranger());
        }
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk).await {
            Ok(0) => Err(self.stop(match self.beginning.is_empty() {
                true => String::from("closed the connection without a word"),
                false => format!("closed the connection after {}", self.began()),
            })),
            Ok(count) => {
                let room = KEPT.saturating_sub(self.beginning.len());
                self.beginning.extend_from_slice(&chunk[..count.min(room)]);
                self.received += count;
                self.unread.extend_from_slice(&chunk[..count]);
                Ok(())
            }
            Err(error) => Err(self.broken_off(&error)),
        }
    }

    fn broken_off(&self, error: &io::Error) -> Stopped {
        self.stop(match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                String::from("reset the connection")
            }
            _ => format!("broke the connection off: {error}"),
        })
    }

    /// Whoever answers speaks something else.
    pub(crate) fn stranger(&self) -> Stopped {
        self.stop(match self.beginning.is_empty() {
            true => format!("does not speak {}", self.name),
            false => {
                format!("does not speak {}: its answer begins with {}", self.name, self.began())
            }
        })
    }

    /// It speaks the protocol, and says no.
    pub(crate) fn stop(&self, message: String) -> Stopped {
        Stopped { step: Step::Protocol, message }
    }

    /// It speaks the protocol, and refuses the credentials.
    pub(crate) fn unwelcome(&self, reply: &[u8]) -> Stopped {
        Stopped {
            step: Step::Authentication,
            message: match reply.is_empty() {
                true => String::from("refused the credentials"),
                false => format!("refused the credentials: {}", self.quote(reply)),
            },
        }
    }
}
