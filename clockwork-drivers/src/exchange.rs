//! [`ExchangeProbe`]: what a server says over a plain connection, or over TLS: a greeting, or the answer to some bytes.
//!
//! Where an answer ends nobody knows but the protocol that is spoken. It is over here when the server closes its side, when
//! nothing more has come for a while, or as soon as enough is there ([`Enough`]), whatever comes first.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::SocketAddr,
    time::Duration,
};

use clockwork_core::{CheckError, Context, Matcher, Probe};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    resolve::{authority, resolve},
    starttls::{self, StartTls},
    tcp,
    tls::{self, TlsSettings},
};

/// Connects, sends, and reads what comes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExchangeProbe {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What to send; nothing, if it is empty.
    pub send: Vec<u8>,
    /// Whether to end our side after that.
    pub half_close: bool,
    /// How to get to TLS, where the connection begins in plain text.
    pub starttls: Option<StartTls>,
    /// Over TLS, with these settings and this name.
    pub tls: Option<(TlsSettings, String)>,
    /// How long nothing has to come for the answer to be over. It does not begin before the first byte.
    pub quiet: Duration,
    /// How many bytes are read.
    pub max_answer: usize,
    /// When reading may stop before that.
    pub enough: Option<Enough>,
}

/// Something that stays true of an answer whatever follows, so that reading can stop when it holds.
#[derive(Clone, PartialEq)]
pub struct Enough {
    /// What it is. It has to stay true when text is added.
    pub matcher: Matcher,
    /// Whether it is about hexadecimal digits of the answer instead of its text.
    pub in_hex: bool,
}

impl Enough {
    fn holds(&self, answer: &[u8]) -> bool {
        match self.in_hex {
            true => self.matcher.check_str(&hex(answer)).is_ok(),
            false => std::str::from_utf8(answer).is_ok_and(|text| self.matcher.check_str(text).is_ok()),
        }
    }
}

impl fmt::Debug for Enough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enough({})", self.matcher)
    }
}

// A matcher compares with `==`; the one value that is not equal to itself (NaN) cannot be written in a manifest.
impl Eq for Enough {}

impl Hash for Enough {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.matcher.to_string().hash(state);
        self.in_hex.hash(state);
    }
}

/// What came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Exchange {
    /// Where it answered.
    pub remote: SocketAddr,
    /// What came, up to the limit.
    pub answer: Vec<u8>,
    /// Why reading stopped.
    pub end: End,
}

/// Why reading stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The server closed its side.
    Closed,
    /// Nothing more came for a while.
    Quiet,
    /// What was waited for is there.
    Enough,
    /// There was more than is read.
    TooLong,
    /// The connection broke: how.
    Broken(String),
}

impl End {
    /// In a few words.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Closed => "closed",
            Self::Quiet => "quiet",
            Self::Enough => "enough",
            Self::TooLong => "too long",
            Self::Broken(_) => "broken",
        }
    }
}

/// Lowercase hexadecimal digits, with a space between the bytes, so that nothing is found across their borders.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, byte) in bytes.iter().enumerate() {
        let space = if index == 0 { "" } else { " " };
        let _ = write!(text, "{space}{byte:02x}");
    }
    text
}

impl Probe for ExchangeProbe {
    type Observation = Exchange;

    async fn look(&self, cx: &Context) -> Result<Exchange, CheckError> {
        let whom = authority(&self.host, self.port);
        // Before anything that is the server's.
        let tls = match &self.tls {
            Some((settings, name)) => Some((tls::client_config(settings, cx).await?, name.clone())),
            None => None,
        };
        let addresses = resolve(&self.host, self.port, false, cx).await?;
        let (stream, tried) = tcp::connect(&addresses, cx).await?;
        let Some(tcp::Connected { mut stream, remote }) = stream else {
            return Err(tcp::nobody(&whom, &self.host, &tried));
        };
        let lost = |error| CheckError::target(format!("{whom} hung up at once")).with_source(error);
        stream.set_nodelay(true).map_err(lost)?;
        if let Some(protocol) = self.starttls {
            starttls::negotiate(&mut stream, protocol, &whom, cx).await?;
        }
        let (answer, end) = match tls {
            None => self.talk(stream, remote, cx).await,
            Some((config, name)) => {
                cx.phase(format!("waiting for {remote} to complete the TLS handshake"));
                let stream = secure(stream, TlsConnector::from(config), name, &whom).await?;
                self.talk(stream, remote, cx).await
            }
        };
        Ok(Exchange { remote, answer, end })
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        let place = authority(&self.host, self.port);
        match self.send.is_empty() {
            true => format!("listening to {place}"),
            false => format!("asking {place}"),
        }
    }

    fn target(&self) -> Option<String> {
        Some(authority(&self.host, self.port))
    }

    fn weight(seen: &Exchange) -> usize {
        seen.answer.len() + 256
    }
}

async fn secure(
    stream: TcpStream,
    connector: TlsConnector,
    name: String,
    whom: &str,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, CheckError> {
    let shown = clockwork_core::text::quote(&name);
    let name = ServerName::try_from(name)
        .map_err(|_| CheckError::unobservable(format!("{shown} cannot be the name in a certificate")))?;
    connector.connect(name, stream).await.map_err(|error| {
        tls::failure(whom, &error).unwrap_or_else(|| {
            CheckError::target(format!("{whom} broke the TLS handshake off")).with_source(error)
        })
    })
}

impl ExchangeProbe {
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        remote: SocketAddr,
        cx: &Context,
    ) -> (Vec<u8>, End) {
        let (mut reader, mut writer) = tokio::io::split(&mut stream);
        let write = async {
            if !self.send.is_empty() {
                writer.write_all(&self.send).await?;
                writer.flush().await?;
            }
            if self.half_close { writer.shutdown().await } else { Ok(()) }
        };
        let mut answer = Vec::new();
        let end = self.both(self.read(&mut reader, &mut answer, remote, cx), write).await;
        (answer, end)
    }

    /// Reads while it writes: a server that answers before it has read everything must not keep us waiting, nor we it.
    async fn both(
        &self,
        read: impl Future<Output = End>,
        write: impl Future<Output = std::io::Result<()>>,
    ) -> End {
        tokio::pin!(read, write);
        let mut written = false;
        loop {
            tokio::select! {
                end = &mut read => return end,
                // That sending failed shows in the reading; what came before it still counts.
                _ = &mut write, if !written => written = true,
            }
        }
    }

    async fn read<R: AsyncRead + Unpin>(
        &self,
        reader: &mut R,
        answer: &mut Vec<u8>,
        remote: SocketAddr,
        cx: &Context,
    ) -> End {
        let mut chunk = [0; 4096];
        cx.phase(format!("waiting for {remote} to say something"));
        loop {
            let read = reader.read(&mut chunk);
            let read = match answer.is_empty() {
                true => read.await,
                false => match tokio::time::timeout(self.quiet, read).await {
                    Ok(read) => read,
                    Err(_) => return End::Quiet,
                },
            };
            let count = match read {
                Ok(0) => return End::Closed,
                // Many servers end a TLS connection without saying so first.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return End::Closed,
                Err(error) => return End::Broken(error.to_string()),
                Ok(count) => count,
            };
            let room = self.max_answer - answer.len();
            answer.extend_from_slice(&chunk[..count.min(room)]);
            if self.enough.as_ref().is_some_and(|enough| enough.holds(answer)) {
                return End::Enough;
            }
            if count > room {
                return End::TooLong;
            }
            let begin = clockwork_core::text::quote_bytes(answer);
            cx.phase(format!("waiting for more than the {} bytes that {remote} sent: {begin}", answer.len()));
        }
    }
}
