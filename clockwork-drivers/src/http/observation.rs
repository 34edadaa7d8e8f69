//! [`HttpObservation`]: an answer, whole, with how it came about.

use std::{iter, net::SocketAddr, sync::Arc, time::Duration};

use clockwork_core::{CheckError, text::quote_bytes};
use http::{HeaderMap, StatusCode, Version};

/// A complete answer to an [`super::HttpRequest`].
#[derive(Debug, Clone)]
pub struct HttpObservation {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: Headers,
    pub(super) body: Box<[u8]>,
    pub(super) truncated: bool,
    pub(super) url: Arc<str>,
    pub(super) redirects: Vec<Redirect>,
    pub(super) remote: SocketAddr,
    pub(super) reused: bool,
    pub(super) phases: Phases,
}

/// One redirect that was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Redirect {
    /// The URL that was asked.
    pub url: String,
    /// The status that it answered with.
    pub status: u16,
}

/// How long each part took. Over redirects, the sum; zero for what was not needed, as when a connection was used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Phases {
    /// From the name to its addresses.
    pub resolve: Duration,
    /// From the addresses to a connection.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// From the request to the answer's first byte.
    pub first_byte: Duration,
    /// From the answer's first byte to its last.
    pub transfer: Duration,
}

impl Phases {
    /// All of them.
    pub fn total(&self) -> Duration {
        self.resolve + self.connect + self.tls + self.first_byte + self.transfer
    }

    /// The phases in milliseconds, to the microsecond.
    pub fn to_json(&self) -> serde_json::Value {
        let ms = |duration: Duration| duration.as_micros() as f64 / 1000.0;
        serde_json::json!({
            "resolve": ms(self.resolve),
            "connect": ms(self.connect),
            "tls": ms(self.tls),
            "first_byte": ms(self.first_byte),
            "transfer": ms(self.transfer),
        })
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.resolve += other.resolve;
        self.connect += other.connect;
        self.tls += other.tls;
        self.first_byte += other.first_byte;
        self.transfer += other.transfer;
    }
}

/// The headers, in the order in which they came, those that repeat included, the names in small letters.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers {
    /// Of each: how long its name is, how long its value is, its name, its value.
    bytes: Vec<u8>,
}

impl Headers {
    /// With room for so many, which have so many bytes. There may be less than 4 GiB of them.
    pub(super) fn with_room(count: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(2 * size_of::<u32>() * count + bytes) }
    }

    pub(super) fn push(&mut self, name: &str, value: &[u8]) {
        let lengths = [name.len() as u32, value.len() as u32].map(u32::to_le_bytes);
        self.bytes.extend_from_slice(lengths.as_flattened());
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes[start..].make_ascii_lowercase();
        self.bytes.extend_from_slice(value);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        fn length(rest: &[u8]) -> Option<(usize, &[u8])> {
            let (length, rest) = rest.split_first_chunk()?;
            Some((u32::from_le_bytes(*length) as usize, rest))
        }
        let mut rest = &self.bytes[..];
        iter::from_fn(move || {
            let (name, after) = length(rest)?;
            let (value, after) = length(after)?;
            let (name, after) = after.split_at_checked(name)?;
            let (value, after) = after.split_at_checked(value)?;
            rest = after;
            Some((name, value))
        })
    }

    /// Every header of this name, whatever its case.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .filter(move |(other, _)| other.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    fn weight(&self) -> usize {
        self.bytes.capacity()
    }
}

impl From<&HeaderMap> for Headers {
    fn from(map: &HeaderMap) -> Self {
        let bytes = map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let mut headers = Self::with_room(map.len(), bytes);
        for (name, value) in map {
            headers.push(name.as_str(), value.as_bytes());
        }
        headers
    }
}

impl HttpObservation {
    /// An answer that nobody gave, for the tests of those who judge answers.
    ///
    /// # Panics
    /// When the status is none.
    pub fn of(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Self {
        let mut all = Headers::default();
        for (name, value) in headers {
            all.push(name, value.as_bytes());
        }
        Self {
            status: StatusCode::from_u16(status).expect("a status has three digits"),
            version: Version::HTTP_11,
            headers: all,
            body: body.into(),
            truncated: false,
            url: "http://localhost/".into(),
            redirects: Vec::new(),
            remote: SocketAddr::from(([127, 0, 0, 1], 80)),
            reused: false,
            phases: Phases::default(),
        }
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The status with its usual name: `503 Service Unavailable`. The server's own words are not among it.
    pub fn status_line(&self) -> String {
        match self.status.canonical_reason() {
            Some(reason) => format!("{} {reason}", self.status.as_u16()),
            None => self.status.as_u16().to_string(),
        }
    }

    /// `HTTP/1.1`, `HTTP/2.0`.
    pub fn version(&self) -> String {
        format!("{:?}", self.version)
    }

    /// The first header of this name, whatever its case; `None` also where its value is not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every header of this name, in the order in which they came.
    pub fn header_values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        self.headers.all(name)
    }

    /// Every header, the name in small letters, in the order in which they came.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        // A name is ASCII: whatever parsed it has seen to that.
        self.headers.iter().map(|(name, value)| (std::str::from_utf8(name).unwrap_or_default(), value))
    }

    /// The body, or its beginning: see [`HttpObservation::is_truncated`].
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether the body was larger than was to be kept, so that only its beginning is here.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The whole body as text: UTF-8, or Latin-1 where the server says so.
    ///
    /// # Errors
    /// When the body is not here as a whole, or is no such text.
    pub fn text(&self) -> Result<std::borrow::Cow<'_, str>, CheckError> {
        if self.truncated {
            return Err(CheckError::unobservable(format!(
                "the body is larger than the {} bytes that are read of it",
                self.body.len()
            ))
            .hint("raise `max_body`"));
        }
        if let Some(coding) =
            self.header("content-encoding").filter(|it| !it.eq_ignore_ascii_case("identity"))
        {
            return Err(CheckError::unobservable(format!(
                "the body is encoded as {}, which was not asked for and is not decoded",
                quote_bytes(coding.as_bytes())
            ))
            .hint("ask for it as it is: `headers: { accept-encoding: identity }`"));
        }
        let error = match std::str::from_utf8(&self.body) {
            Ok(text) => return Ok(text.into()),
            Err(error) => error,
        };
        let kind = self.header("content-type").unwrap_or_default().to_ascii_lowercase();
        if kind.contains("iso-8859-1") || kind.contains("latin1") {
            return Ok(self.body.iter().map(|&byte| char::from(byte)).collect::<String>().into());
        }
        Err(CheckError::target(format!("the body is not UTF-8 text, from byte {} on", error.valid_up_to())))
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    /// When the body is not here as a whole, or is no JSON of this shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, CheckError> {
        let text = self.text()?;
        serde_json::from_str(&text).map_err(|error| {
            let beginning = quote_bytes(text.as_bytes());
            let (line, column) = (error.line(), error.column());
            // Its own text may quote the body without bounds.
            let what = if error.is_data() { "JSON of another shape" } else { "not JSON" };
            CheckError::target(format!("the body is {what} (line {line}, column {column}): {beginning}"))
        })
    }

    /// The URL that answered: the last one, where redirects were followed.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The redirects that were followed, in order.
    pub fn redirects(&self) -> &[Redirect] {
        &self.redirects
    }

    /// The address that answered.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Whether the last answer came over a connection that had been used before.
    pub fn was_reused(&self) -> bool {
        self.reused
    }

    /// How long each part took.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }

    /// About how many bytes this holds on to.
    pub(super) fn weight(&self) -> usize {
        let texts = self.body.len() + self.url.len() + self.headers.weight();
        size_of::<Self>() + texts + self.redirects.len() * 128
    }
}
