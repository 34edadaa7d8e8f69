//! The engine's HTTP API, as far as Clockwork needs it.
//!
//! A small client of our own instead of a generated one, because what an engine answers is judged here: an answer has a
//! size limit, a state that a newer engine or Podman invents is shown instead of making the whole list unreadable, raw
//! and multiplexed logs can be told apart, and the API version is negotiated: one `GET /_ping` per run, then every
//! request names the version that both sides know.

use std::{
    collections::HashMap,
    future::Future,
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use clockwork_core::{CheckError, Context, text::quote_bytes};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{OnceCell, Semaphore},
};

use super::{
    EngineRef,
    endpoint::{self, Address, Endpoint, Surroundings},
    tls,
};
use crate::platform;

/// The oldest API that is understood (Docker 20.10, Podman 3), and the newest that was read when this was written.
const OLDEST: (u32, u32) = (1, 41);
const NEWEST: (u32, u32) = (1, 52);

/// How many requests one engine gets at the same time. They are served by one daemon, so more only wait there.
const CONCURRENT: usize = 16;

pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The engines of one run.
#[derive(Default)]
pub(crate) struct Engines {
    surroundings: std::sync::OnceLock<Surroundings>,
    known: Mutex<HashMap<EngineRef, Arc<OnceCell<Arc<Engine>>>>>,
}

/// One engine: where it is, what it speaks, and connections that can be used again.
pub(crate) struct Engine {
    endpoint: Endpoint,
    version: (u32, u32),
    podman: bool,
    idle: Mutex<Vec<Connection>>,
    turns: Semaphore,
}

/// A connection and its engine room: whoever uses the one drives the other, so that no task outlives the look.
struct Connection {
    sender: http1::SendRequest<Empty<Bytes>>,
    driver: http1::Connection<TokioIo<Box<dyn Wire>>, Empty<Bytes>>,
}

/// A whole answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The engine that is meant; found and greeted once per run.
pub(crate) async fn engine(engine: &EngineRef, cx: &Context) -> Result<Arc<Engine>, CheckError> {
    let engines: Arc<Engines> = cx.shared();
    let cell = {
        let mut known = engines.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(engine) {
            Some(cell) => Arc::clone(cell),
            None => Arc::clone(known.entry(engine.clone()).or_default()),
        }
    };
    // A failure is not kept: an engine that starts up may answer the next attempt.
    let found = cell
        .get_or_try_init(|| async {
            let surroundings = engines.surroundings.get_or_init(Surroundings::read);
            // In a box: one of all questions needs it, and each would carry the room.
            Box::pin(Engine::greet(endpoint::find(engine, surroundings)?, cx)).await.map(Arc::new)
        })
        .await?;
    Ok(Arc::clone(found))
}

impl Engine {
    async fn greet(endpoint: Endpoint, cx: &Context) -> Result<Self, CheckError> {
        let mut engine = Self {
            endpoint,
            version: OLDEST,
            podman: false,
            idle: Mutex::default(),
            turns: Semaphore::new(CONCURRENT),
        };
        cx.phase(format!("greeting the container engine at {}", engine.endpoint));
        let answer = engine.whole("/_ping", 64 << 10).await?;
        let server = answer.headers.get(header::SERVER).map_or(&b""[..], |value| value.as_bytes());
        engine.podman = server.starts_with(b"Libpod") || answer.headers.contains_key("libpod-api-version");
        let speaks = answer.headers.get("api-version").and_then(|value| version(value.to_str().ok()?));
        let Some(speaks) = speaks.filter(|_| answer.status.is_success()) else {
            return Err(CheckError::unobservable(format!(
                "what answers at {} is no container engine: it says {} and {}",
                engine.endpoint,
                answer.status,
                quote_bytes(&answer.body)
            ))
            .hint("check DOCKER_HOST or `endpoint`"));
        };
        if speaks < OLDEST {
            return Err(CheckError::unobservable(format!(
                "the container engine at {} speaks API {}.{}, and Clockwork needs {}.{} or newer",
                engine.endpoint, speaks.0, speaks.1, OLDEST.0, OLDEST.1
            ))
            .hint("update it to Docker 20.10, Podman 3 or newer"));
        }
        engine.version = speaks.min(NEWEST);
        Ok(engine)
    }

    /// For messages: `Docker at unix:///var/run/docker.sock (its usual socket)`.
    pub(crate) fn describe(&self) -> String {
        format!("{} at {}", if self.podman { "Podman" } else { "Docker" }, self.endpoint)
    }

    /// The engine's own command, for hints.
    pub(crate) fn command(&self) -> &'static str {
        if self.podman { "podman" } else { "docker" }
    }

    /// Whether logs carry a content type that says how to read them (API 1.42 and newer).
    pub(crate) fn says_how_logs_are_framed(&self) -> bool {
        self.version >= (1, 42)
    }

    /// Asks for JSON; `None` where the engine says that there is no such thing.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        limit: usize,
    ) -> Result<Option<T>, CheckError> {
        let answer = self.whole(&self.versioned(path), limit).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => {
                serde_json::from_slice(&answer.body).map(Some).map_err(|error| {
                    CheckError::unobservable(format!(
                        "cannot read what {} answered to {path}",
                        self.describe()
                    ))
                    .with_source(error)
                })
            }
            _ => Err(self.refusal(path, &answer)),
        }
    }

    /// Asks for a body of any length, which is still to be read; `None` where the engine says that there is no such thing.
    async fn begin(&self, path: &str) -> Result<Option<(Connection, HeaderMap, Incoming)>, CheckError> {
        let (mut connection, response) = self.send(Method::GET, &self.versioned(path)).await?;
        let (parts, mut body) = response.into_parts();
        if parts.status.is_success() {
            return Ok(Some((connection, parts.headers, body)));
        }
        let body = self.collect(&mut connection, &mut body, 64 << 10).await?;
        let answer = Answer { status: parts.status, headers: parts.headers, body };
        match answer.status {
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(path, &answer)),
        }
    }

    /// Asks for a body of any length, and gives it piece by piece to `take`, until that returns `false`. `None` where the
    /// engine says that there is no such thing.
    pub(crate) async fn stream(
        &self,
        path: &str,
        mut take: impl FnMut(&HeaderMap, &[u8]) -> bool + Send,
    ) -> Result<Option<()>, CheckError> {
        let _turn = self.turns.acquire().await;
        let Some((mut connection, headers, mut body)) = self.begin(path).await? else { return Ok(None) };
        while let Some(frame) = connection.drive(body.frame()).await {
            let frame = frame.map_err(|error| self.broke(error))?;
            if let Some(piece) = frame.data_ref()
                && !take(&headers, piece)
            {
                return Ok(Some(())); // the connection goes with what is still on it
            }
        }
        self.keep(connection);
        Ok(Some(()))
    }

    /// Asks for headers alone; `None` where the engine says that there is no such thing.
    #[cfg(feature = "file")]
    pub(crate) async fn head(&self, path: &str) -> Result<Option<HeaderMap>, CheckError> {
        let _turn = self.turns.acquire().await;
        let (mut connection, response) = self.send(Method::HEAD, &self.versioned(path)).await?;
        let (parts, mut body) = response.into_parts();
        let body = self.collect(&mut connection, &mut body, 64 << 10).await?;
        self.keep(connection);
        match parts.status {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => Ok(Some(parts.headers)),
            status => Err(self.refusal(path, &Answer { status, headers: parts.headers, body })),
        }
    }

    /// Asks for a body of any length, and sends it piece by piece (none is empty), as fast as they are taken, until nobody
    /// takes them any more. `None` where the engine says that there is no such thing.
    #[cfg(any(feature = "file", feature = "vulnerability"))]
    pub(crate) async fn pour(
        &self,
        path: &str,
        into: &tokio::sync::mpsc::Sender<Bytes>,
    ) -> Result<Option<()>, CheckError> {
        let _turn = self.turns.acquire().await;
        let Some((mut connection, _, mut body)) = self.begin(path).await? else { return Ok(None) };
        while let Some(frame) = connection.drive(body.frame()).await {
            let frame = frame.map_err(|error| self.broke(error))?;
            let Ok(piece) = frame.into_data() else { continue };
            if !piece.is_empty() && into.send(piece).await.is_err() {
                return Ok(Some(())); // the connection goes with what is still on it
            }
        }
        self.keep(connection);
        Ok(Some(()))
    }

    pub(super) fn versioned(&self, path: &str) -> String {
        format!("/v{}.{}{path}", self.version.0, self.version.1)
    }

    /// A new connection, for one request.
    pub(super) async fn wire(&self) -> Result<Box<dyn Wire>, CheckError> {
        connect(&self.endpoint).await
    }

    /// What requests call the engine's machine.
    pub(super) fn host(&self) -> &str {
        match &self.endpoint.address {
            Address::Local(_) => "localhost",
            Address::Tcp { authority, .. } => authority,
        }
    }

    async fn whole(&self, path: &str, limit: usize) -> Result<Answer, CheckError> {
        let _turn = self.turns.acquire().await;
        let (mut connection, response) = self.send(Method::GET, path).await?;
        let (parts, mut body) = response.into_parts();
        let body = self.collect(&mut connection, &mut body, limit).await?;
        self.keep(connection);
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    async fn collect(
        &self,
        connection: &mut Connection,
        body: &mut Incoming,
        limit: usize,
    ) -> Result<Bytes, CheckError> {
        let mut whole = Vec::new();
        while let Some(frame) = connection.drive(body.frame()).await {
            let frame = frame.map_err(|error| self.broke(error))?;
            let Some(piece) = frame.data_ref() else { continue };
            if whole.len() + piece.len() > limit {
                return Err(CheckError::unobservable(format!(
                    "{} answered more than {limit} bytes",
                    self.describe()
                )));
            }
            whole.extend_from_slice(piece);
        }
        Ok(whole.into())
    }

    async fn send(&self, method: Method, path: &str) -> Result<(Connection, Response<Incoming>), CheckError> {
        // An idle connection may have been closed by the engine meanwhile: then a new one is the answer.
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut connection) = idle
            && let Ok(response) = connection.ask(request(&self.endpoint, &method, path)?).await
        {
            return Ok((connection, response));
        }
        let wire = connect(&self.endpoint).await?;
        let (sender, driver) =
            http1::handshake(TokioIo::new(wire)).await.map_err(|error| self.broke(error))?;
        let mut connection = Connection { sender, driver };
        let response = connection
            .ask(request(&self.endpoint, &method, path)?)
            .await
            .map_err(|error| self.broke(error))?;
        Ok((connection, response))
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < CONCURRENT {
            idle.push(connection);
        }
    }

    fn broke(&self, error: hyper::Error) -> CheckError {
        CheckError::unobservable(format!("the container engine at {} broke off", self.endpoint))
            .with_source(error)
            .retryable()
    }

    /// The engine's own words for why it does not answer.
    fn refusal(&self, path: &str, answer: &Answer) -> CheckError {
        #[derive(serde::Deserialize)]
        struct Told {
            message: String,
        }
        let told = match serde_json::from_slice::<Told>(&answer.body) {
            Ok(told) => clockwork_core::text::quote(&told.message),
            Err(_) => quote_bytes(&answer.body),
        };
        let path = path.split('?').next().unwrap_or(path);
        let what = format!("{} answered {} to {path}: {told}", self.describe(), answer.status.as_u16());
        let error = CheckError::unobservable(what);
        if answer.status.is_server_error() { error.retryable() } else { error }
    }
}

impl Connection {
    async fn ask(&mut self, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>> {
        let Self { sender, driver } = self;
        let ask = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        drive(driver, ask).await
    }

    async fn drive<T>(&mut self, work: impl Future<Output = T>) -> T {
        drive(&mut self.driver, work).await
    }
}

/// Does `work`, with the connection moving on meanwhile.
async fn drive<T, D: Future + Unpin>(driver: &mut D, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = &mut *driver, if open => open = false,
        }
    }
}

fn request(endpoint: &Endpoint, method: &Method, path: &str) -> Result<Request<Empty<Bytes>>, CheckError> {
    let host = match &endpoint.address {
        Address::Local(_) => "localhost",
        Address::Tcp { authority, .. } => authority,
    };
    Ok(Request::builder().method(method).uri(path).header(header::HOST, host).body(Empty::new())?)
}

async fn connect(endpoint: &Endpoint) -> Result<Box<dyn Wire>, CheckError> {
    let refused = |error: io::Error| {
        let (what, hint, retry) = match (&endpoint.address, error.kind()) {
            (Address::Local(path), io::ErrorKind::PermissionDenied) => (
                format!("no permission to use the container engine's socket {}", path.display()),
                "join the group that owns it (`sudo usermod -aG docker $USER`, then log in again), or run as root",
                false,
            ),
            (Address::Local(_), io::ErrorKind::NotFound) => (
                format!("there is no container engine at {endpoint}: no such socket"),
                "start Docker (`sudo systemctl start docker`), or correct DOCKER_HOST or `endpoint`",
                true,
            ),
            (_, io::ErrorKind::ConnectionRefused) => (
                format!("no container engine listens at {endpoint}"),
                "start Docker (`sudo systemctl start docker`), or correct DOCKER_HOST or `endpoint`",
                true,
            ),
            _ => (
                format!("cannot connect to the container engine at {endpoint}"),
                "check that it runs, and DOCKER_HOST or `endpoint`",
                true,
            ),
        };
        let error = CheckError::unobservable(what).with_source(error).hint(hint);
        if retry { error.retryable() } else { error }
    };
    match &endpoint.address {
        Address::Local(path) => Ok(Box::new(platform::connect_local(path).await.map_err(refused)?)),
        Address::Tcp { authority, tls } => {
            let wire = TcpStream::connect(authority).await.map_err(refused)?;
            match tls {
                None => Ok(Box::new(wire)),
                Some(certificates) => {
                    Ok(Box::new(tls::secure(wire, endpoint, authority, certificates.as_deref()).await?))
                }
            }
        }
    }
}

/// `1.41`.
fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// A name as a path segment: what is not plain is escaped, so that no name can become another request.
pub(crate) fn segment(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => escaped.push(byte as char),
            b'.' if name.len() > 2 => escaped.push('.'),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
