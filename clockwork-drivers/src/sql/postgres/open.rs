//! Opening a connection: reaching the server, TLS, and who we are.

use std::{net::SocketAddr, path::PathBuf, pin::Pin, sync::Arc, task, time::Duration};

use bytes::BytesMut;
use clockwork_core::{CheckError, Context};
use postgres_protocol::message::frontend;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::login::{self, Login};
use crate::{
    platform::{LocalStream, connect_local},
    resolve::{is_unresolved, resolve},
    sql::{
        Connection, TlsMode,
        failure::{FailureKind, Said, SqlFailure},
    },
    tcp,
    tls::{self, TlsSettings},
    vantage::network::Network,
};

/// What a server was found to be when the connection was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sql) struct Server {
    /// Who it is, for messages.
    pub(in crate::sql) place: String,
    /// What it calls its version.
    pub(in crate::sql) version: String,
    /// The version of TLS; `None` in clear.
    pub(in crate::sql) tls: Option<String>,
}

/// A connection in clear or encrypted.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Local(LocalStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Where the server is, and the key that it gave for cancelling what runs on this connection.
#[derive(Debug, Clone)]
pub(super) struct Cancel {
    pub(super) address: Address,
    pub(super) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    pub(super) key: Option<(i32, i32)>,
}

#[derive(Debug, Clone)]
pub(super) enum Address {
    Tcp(SocketAddr, Network),
    Local(PathBuf),
}

/// How long the courtesy of cancelling may take. The server has its own timeout for the statement.
const CANCELLING: Duration = Duration::from_secs(2);

impl Cancel {
    /// Asks the server to cancel what runs on the connection.
    pub(super) async fn send(self) {
        let Some((process, secret)) = self.key else { return };
        let send = async {
            let mut stream = match self.address {
                Address::Local(path) => Stream::Local(connect_local(&path).await?),
                Address::Tcp(address, network) => {
                    let mut stream = network.connect(address, None).await?.into_stream()?;
                    match self.tls {
                        None => Stream::Tcp(stream),
                        Some((config, name)) => {
                            ask_for_tls(&mut stream).await?;
                            let connector = TlsConnector::from(config);
                            Stream::Tls(Box::new(connector.connect(name, stream).await?))
                        }
                    }
                }
            };
            let mut out = BytesMut::new();
            frontend::cancel_request(process, secret, &mut out);
            stream.write_all(&out).await?;
            stream.flush().await?;
            // The server closes when it has done it.
            stream.read(&mut [0]).await
        };
        let _ = tokio::time::timeout(CANCELLING, send).await;
    }
}

/// A connection to which the server let us in.
pub(super) struct Opened {
    pub(super) stream: Stream,
    /// What has been read and not looked at.
    pub(super) inbox: BytesMut,
    pub(super) server: Server,
    pub(super) cancel: Cancel,
    pub(super) said: Said,
}

/// Reaches the server and logs in.
pub(super) async fn connect(
    connection: &Connection,
    cx: &Context,
) -> Result<Result<Opened, SqlFailure>, CheckError> {
    let secret = connection.password().map(|password| password.reveal()).transpose()?;
    let said = Said::without(secret.clone());
    let reached = match reach(connection, &said, cx).await? {
        Ok(reached) => reached,
        Err(failure) => return Ok(Err(failure)),
    };
    let Reached { mut stream, address, tls, place, binding } = reached;
    cx.phase(format!(
        "waiting for {place} to let user {} in",
        clockwork_core::text::quote(connection.user())
    ));
    let mut inbox = BytesMut::with_capacity(8 << 10);
    let login = Login { connection, secret, said: &said, place: &place, binding };
    let welcome = match login::log_in(&mut stream, &mut inbox, login).await {
        Ok(welcome) => welcome,
        Err(failure) => return Ok(Err(failure)),
    };
    let server = Server { place, version: welcome.version, tls: tls.as_ref().map(|tls| tls.2.clone()) };
    let tls = tls.map(|(config, name, _)| (config, name));
    let cancel = Cancel { address, tls, key: welcome.key };
    Ok(Ok(Opened { stream, inbox, server, cancel, said }))
}

struct Reached {
    stream: Stream,
    address: Address,
    tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>, String)>,
    place: String,
    /// What binds the login to the TLS connection.
    binding: Option<Vec<u8>>,
}

async fn reach(
    connection: &Connection,
    said: &Said,
    cx: &Context,
) -> Result<Result<Reached, SqlFailure>, CheckError> {
    let place = connection.place();
    if let Some(path) = connection.socket() {
        cx.phase(format!("connecting to {place}"));
        return Ok(match connect_local(&path).await {
            Ok(stream) => {
                let stream = Stream::Local(stream);
                Ok(Reached { stream, address: Address::Local(path), tls: None, place, binding: None })
            }
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(CheckError::unobservable(format!("no permission to connect to {place}")));
            }
            Err(error) => Err(SqlFailure::new(
                FailureKind::Unreachable,
                format!("cannot connect to {place}: {}", said.quote(&error.to_string())),
            )),
        });
    }
    let addresses = match resolve(&connection.host, connection.port(), false, cx).await {
        Ok(addresses) => addresses,
        Err(error) if is_unresolved(&error) => {
            return Ok(Err(SqlFailure::of(FailureKind::Unresolved, error)));
        }
        Err(error) => return Err(error),
    };
    let (stream, tried) = tcp::connect(&addresses, cx).await?;
    let Some(tcp::Connected { mut stream, remote: address }) = stream else {
        let error = tcp::nobody(&place, &connection.host, &tried);
        return Ok(Err(SqlFailure::of(FailureKind::Unreachable, error)));
    };
    let hung_up = |place: &str, error: std::io::Error| {
        let message = format!("{place} closed the connection: {}", said.quote(&error.to_string()));
        SqlFailure::new(FailureKind::Lost, message)
    };
    if let Err(error) = stream.set_nodelay(true) {
        return Ok(Err(hung_up(&place, error)));
    }
    let place = if place == address.to_string() { place } else { format!("{place} ({address})") };
    cx.phase(format!("waiting for {place} to speak PostgreSQL"));
    let offered = match ask_for_tls(&mut stream).await {
        Ok(b'S') => true,
        Ok(b'N') => false,
        Ok(first) => return Ok(Err(other_protocol(stream, first, &place, said).await)),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            let message = format!("{place} closed the connection without a word of PostgreSQL");
            return Ok(Err(SqlFailure::new(FailureKind::OtherProtocol, message)));
        }
        Err(error) => return Ok(Err(hung_up(&place, error))),
    };
    let address = Address::Tcp(address, Network::of(cx).await?);
    if !offered {
        return Ok(match connection.tls() {
            TlsMode::Prefer => {
                Ok(Reached { stream: Stream::Tcp(stream), address, tls: None, place, binding: None })
            }
            TlsMode::Require | TlsMode::VerifyFull => Err(SqlFailure::new(
                FailureKind::Tls,
                format!("{place} offers no TLS, and `tls` asks for it"),
            )
            .hint("set `ssl = on` with a certificate on the server")),
        });
    }
    let settings = TlsSettings {
        ca_file: connection.ca_file.clone(),
        insecure: connection.tls() != TlsMode::VerifyFull,
        ..TlsSettings::default()
    };
    let config = tls::client_config(&settings, cx).await?;
    let host = connection.host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host)
        .map_err(|_| CheckError::unobservable(format!("{place} cannot be the name in a certificate")))?;
    cx.phase(format!("waiting for {place} to complete the TLS handshake"));
    let stream = match TlsConnector::from(Arc::clone(&config)).connect(name.clone(), stream).await {
        Ok(stream) => stream,
        Err(error) => {
            let error = tls::failure(&place, &error).unwrap_or_else(|| {
                let what = said.quote(&error.to_string());
                CheckError::target(format!("{place} broke the TLS handshake off: {what}"))
            });
            return Ok(Err(SqlFailure::of(FailureKind::Tls, error)));
        }
    };
    let session = stream.get_ref().1;
    let version = session.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
    let version = version.replace("TLSv1_", "1.");
    let binding = session.peer_certificates().and_then(|chain| login::end_point(chain.first()?));
    let stream = Stream::Tls(Box::new(stream));
    Ok(Ok(Reached { stream, address, tls: Some((config, name, version)), place, binding }))
}

/// Asks whether the server does TLS. One byte and no more is read of the answer: what an attacker sends behind it must
/// not pass for encrypted.
async fn ask_for_tls(stream: &mut TcpStream) -> std::io::Result<u8> {
    let mut out = BytesMut::new();
    frontend::ssl_request(&mut out);
    stream.write_all(&out).await?;
    stream.read_u8().await
}

/// Whoever answered so is no PostgreSQL.
async fn other_protocol(mut stream: TcpStream, first: u8, place: &str, said: &Said) -> SqlFailure {
    let mut seen = vec![first];
    let mut more = [0; 64];
    if let Ok(Ok(read)) = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut more)).await {
        seen.extend_from_slice(&more[..read]);
    }
    // A server that is full, or has not started yet, may say so at once.
    let seen = said.quote(&String::from_utf8_lossy(&seen));
    let message = format!("{place} does not speak PostgreSQL: its answer begins with {seen}");
    SqlFailure::new(FailureKind::OtherProtocol, message).hint("is it the right port?")
}

macro_rules! each {
    ($self:ident, $stream:ident => $do:expr) => {
        match $self.get_mut() {
            Stream::Tcp($stream) => $do,
            Stream::Local($stream) => $do,
            Stream::Tls($stream) => $do,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> task::Poll<std::io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
        bytes: &[u8],
    ) -> task::Poll<std::io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
