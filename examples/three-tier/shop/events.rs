//! Just enough of the protocol of NATS: publish, and take from a JetStream consumer.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::setting;

const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) struct Events {
    stream: BufReader<TcpStream>,
}

/// Something that was published.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// Where its receipt goes.
    pub(crate) reply: Option<String>,
    /// Whether the server says something by it, and nobody published it.
    pub(crate) status: bool,
    pub(crate) payload: Vec<u8>,
}

impl Events {
    /// Of the environment's EVENTS_HOST.
    pub(crate) async fn connect() -> io::Result<Self> {
        let connect = async {
            let stream = TcpStream::connect((setting("EVENTS_HOST")?, 4222)).await?;
            let mut events = Self { stream: BufReader::new(stream) };
            events.line().await?; // INFO
            let hello =
                "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nSUB inbox.* 1\r\n";
            events.send(hello).await?;
            Ok(events)
        };
        timeout(PATIENCE, connect)
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the queue does not answer")))
    }

    pub(crate) async fn publish(&mut self, subject: &str, reply: &str, payload: &str) -> io::Result<()> {
        self.send(&format!("PUB {subject} {reply} {}\r\n{payload}\r\n", payload.len())).await
    }

    /// Publishes, and waits until the server says that it has it: every PING is answered in its turn.
    pub(crate) async fn publish_surely(&mut self, subject: &str, payload: &str) -> io::Result<()> {
        self.publish(subject, "", payload).await?;
        self.send("PING\r\n").await?;
        let answered = async {
            loop {
                if self.line().await?.starts_with("PONG") {
                    return Ok(());
                }
            }
        };
        timeout(PATIENCE, answered)
            .await
            .unwrap_or_else(|_| Err(io::Error::other("the queue does not answer")))
    }

    pub(crate) async fn next(&mut self) -> io::Result<Message> {
        loop {
            let line = self.line().await?;
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let number = |at: usize| words.get(at).and_then(|word| word.parse::<usize>().ok()).unwrap_or(0);
            match words.first().copied() {
                Some("PING") => self.send("PONG\r\n").await?,
                // MSG subject sid [reply] bytes; HMSG subject sid [reply] header-bytes bytes
                Some("MSG") => {
                    let payload = self.payload(number(words.len() - 1)).await?;
                    let reply = (words.len() == 5).then(|| words[3].to_owned());
                    return Ok(Message { reply, status: false, payload });
                }
                Some("HMSG") => {
                    let whole = self.payload(number(words.len() - 1)).await?;
                    let (head, payload) = whole.split_at(number(words.len() - 2).min(whole.len()));
                    let status = head.starts_with(b"NATS/1.0 ");
                    let reply = (words.len() == 6).then(|| words[3].to_owned());
                    return Ok(Message { reply, status, payload: payload.to_owned() });
                }
                _ => {}
            }
        }
    }

    async fn payload(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        let mut payload = vec![0; bytes.min(1 << 20) + 2];
        self.stream.read_exact(&mut payload).await?;
        payload.truncate(bytes);
        Ok(payload)
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line).await? {
            0 => Err(io::Error::other("the queue closed the connection")),
            _ => Ok(line),
        }
    }

    async fn send(&mut self, text: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(text.as_bytes()).await
    }
}
