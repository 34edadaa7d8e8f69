//! [`HttpProbe`]: asks, follows redirects, and comes back with an answer or with what came instead of one.

use std::{net::SocketAddr, sync::Arc};

use clockwork_core::{CheckError, Context, Phase, Probe};
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::Instant};
use tokio_rustls::TlsConnector;

use super::{
    HttpObservation, HttpRequest, Phases, Redirect,
    broken::{Broken, explain},
    connection::{Connection, Reply},
    fields::HttpVersion,
    hop::Hop,
    pool::{Pool, Resting, Settings},
    stream::Stream,
};
use crate::{resolve::resolve, tcp, tls};

/// Makes an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpProbe {
    /// What is asked.
    pub request: HttpRequest,
    /// Over a connection of its own, to an address that is looked up anew: for those who measure.
    pub fresh: bool,
}

impl HttpProbe {
    /// Asks this, over a connection of this run if one is at rest.
    pub fn new(request: HttpRequest) -> Self {
        Self { request, fresh: false }
    }

    /// The same, over a connection of its own.
    pub fn fresh(request: HttpRequest) -> Self {
        Self { request, fresh: true }
    }
}

impl Probe for HttpProbe {
    type Observation = HttpObservation;

    async fn look(&self, cx: &Context) -> Result<HttpObservation, CheckError> {
        let mut hop = Hop::first(&self.request);
        let mut phases = Phases::default();
        let mut redirects = Vec::new();
        loop {
            let mut took = Phases::default();
            let asked = ask(&hop, self.fresh, &mut took, cx).await;
            phases.add(&took);
            // What did not come tells how far it came.
            let told = |error: CheckError| error.detail("phases", phases.to_json());
            let Answer { reply, remote, reused } = asked.map_err(told)?;
            let status = reply.status;
            if let Some(next) = hop.next(status, &reply.headers, &redirects).map_err(told)? {
                redirects.push(Redirect { url: hop.url().to_string(), status: status.as_u16() });
                hop = next;
                continue;
            }
            return Ok(HttpObservation {
                status,
                version: reply.version,
                headers: reply.headers,
                body: reply.body.into(),
                truncated: reply.truncated,
                url: Arc::clone(hop.url().text()),
                redirects,
                remote,
                reused,
                phases,
            });
        }
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        self.request.to_string()
    }

    fn target(&self) -> Option<String> {
        Some(self.request.target())
    }

    fn weight(seen: &HttpObservation) -> usize {
        seen.weight()
    }
}

struct Answer {
    reply: Reply,
    remote: SocketAddr,
    reused: bool,
}

/// Asks one URL, over a connection at rest or a new one.
async fn ask(hop: &Hop<'_>, fresh: bool, phases: &mut Phases, cx: &Context) -> Result<Answer, CheckError> {
    let settings = hop.settings();
    // The pool knows the host's connections only.
    let here = *cx.vantage() == clockwork_core::Vantage::Host;
    let resting =
        (!fresh && here && hop.may_reuse()).then(|| cx.shared::<Pool>().of(hop.url().origin(), &settings));
    let now = Instant::now();
    if let Some(resting) = &resting
        && let Some(mut connection) = at_rest(resting, now).await
    {
        match ask_over(&mut connection, hop, now, phases, cx).await? {
            Ok(reply) => return Ok(finish(reply, connection, hop, Some(resting), true).await),
            // The server had given the connection up. That says nothing about how it answers: ask again, anew.
            Err(broken) if broken.may_be_stale() => {}
            Err(broken) => return Err(explain(&broken, &whom(hop, connection.remote))),
        }
    }
    // In a box, because few questions need it, and all would carry the room for it.
    let mut connection = Box::pin(open(hop, &settings, fresh, phases, cx)).await?;
    let made = connection.made;
    match ask_over(&mut connection, hop, made, phases, cx).await? {
        Ok(reply) => Ok(finish(reply, connection, hop, resting.as_deref(), false).await),
        Err(broken) => Err(explain(&broken, &whom(hop, connection.remote))),
    }
}

/// A connection that has rested and is still there.
async fn at_rest(resting: &Resting, now: Instant) -> Option<Box<Connection>> {
    loop {
        let mut connection = resting.take(now)?;
        if connection.is_there().await {
            return Some(connection);
        }
    }
}

async fn ask_over(
    connection: &mut Connection,
    hop: &Hop<'_>,
    began: Instant,
    phases: &mut Phases,
    cx: &Context,
) -> Result<Result<Reply, Broken>, CheckError> {
    cx.phase(Phase::waiting_for(connection.remote, " to answer"));
    let asked = connection.ask(hop).await?;
    if let Ok(reply) = &asked {
        phases.first_byte = reply.first_byte - began;
        phases.transfer = reply.end - reply.first_byte;
    }
    Ok(asked)
}

async fn finish(
    reply: Reply,
    mut connection: Box<Connection>,
    hop: &Hop<'_>,
    resting: Option<&Resting>,
    reused: bool,
) -> Answer {
    let remote = connection.remote;
    if let Some(resting) = resting
        && !reply.truncated
        && !hop.asks_to_close()
        && connection.is_reusable().await
    {
        resting.put(connection, reply.end);
    }
    Answer { reply, remote, reused }
}

/// A connection to the hop's host, ready to be asked.
async fn open(
    hop: &Hop<'_>,
    settings: &Settings,
    fresh: bool,
    phases: &mut Phases,
    cx: &Context,
) -> Result<Box<Connection>, CheckError> {
    let (host, port) = (hop.host(), hop.port());
    // Before anything that is measured.
    let config = match &settings.tls {
        Some(tls) => Some(tls::client_config(tls, cx).await?),
        None => None,
    };
    let began = Instant::now();
    let addresses = match settings.resolve_to {
        Some(to) => vec![SocketAddr::new(to.ip, to.port.unwrap_or(port))],
        None => resolve(host, port, fresh, cx).await?,
    };
    let resolved = Instant::now();
    phases.resolve = resolved - began;
    let (stream, tried) = tcp::connect(&addresses, cx).await?;
    let Some(tcp::Connected { stream, remote }) = stream else {
        return Err(tcp::nobody(&hop.place(), host, &tried));
    };
    let connected = Instant::now();
    phases.connect = connected - resolved;
    let lost = |error| CheckError::target(format!("{} hung up at once", hop.place())).with_source(error);
    stream.set_nodelay(true).map_err(lost)?;
    let (stream, version) = match config {
        None => {
            let version = match hop.version() {
                Some(HttpVersion::Http2) => http::Version::HTTP_2,
                _ => http::Version::HTTP_11,
            };
            (Stream::Plain(stream), version)
        }
        Some(config) => {
            cx.phase(Phase::waiting_for(remote, " to complete the TLS handshake"));
            let secured = handshake(stream, TlsConnector::from(config), hop, remote).await?;
            phases.tls = connected.elapsed();
            secured
        }
    };
    Connection::new(stream, remote, version).await.map_err(|error| {
        let what = clockwork_core::text::quote(&error.to_string());
        CheckError::target(format!("{} broke the HTTP protocol: {what}", whom(hop, remote)))
    })
}

async fn handshake(
    stream: TcpStream,
    connector: TlsConnector,
    hop: &Hop<'_>,
    remote: SocketAddr,
) -> Result<(Stream, http::Version), CheckError> {
    let host = hop.host().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host).map_err(|_| {
        CheckError::unobservable(format!("{} cannot be the name in a certificate", hop.host()))
    })?;
    let stream = connector.connect(name, stream).await.map_err(|error| {
        let whom = whom(hop, remote);
        if let Some(failure) = tls::failure(&whom, &error) {
            return failure;
        }
        CheckError::target(match error.kind() {
            std::io::ErrorKind::UnexpectedEof => format!("{whom} closed the connection in the TLS handshake"),
            _ => format!("{whom} broke the TLS handshake off: {error}"),
        })
    })?;
    let chosen = stream.get_ref().1.alpn_protocol();
    let version = match (chosen, hop.version()) {
        (Some(b"h2"), _) => http::Version::HTTP_2,
        (_, Some(HttpVersion::Http2)) => {
            return Err(CheckError::target(format!("{} does not offer HTTP/2", whom(hop, remote))));
        }
        _ => http::Version::HTTP_11,
    };
    Ok((Stream::Tls(Box::new(stream)), version))
}

/// Who it was, for messages: `localhost:8080 ([::1]:8080)`; the address alone, where it stands in the URL.
fn whom(hop: &Hop<'_>, remote: SocketAddr) -> String {
    let (place, remote) = (hop.place(), remote.to_string());
    if place == remote { place } else { format!("{place} ({remote})") }
}
