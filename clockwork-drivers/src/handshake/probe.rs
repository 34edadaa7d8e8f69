//! See the module: what is asked, and how far it got.

use std::{path::PathBuf, time::Duration};

use clockwork_core::{CheckError, Context, Fault, Probe, Secret};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{
    amqp, grpc, http, kafka, mqtt, mysql, nats, postgresql, redis, smtp,
    talk::{Greeting, Stream, Talk},
};
use crate::{
    resolve::{authority, is_unresolved, resolve},
    tcp::{self, Outcome},
    tls::{self, TlsSettings},
    vantage::network::Network,
};

/// What is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Any protocol over TCP: a connection is enough.
    Tcp,
    /// HTTP/1.1 without TLS.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// gRPC over HTTP/2 without TLS.
    Grpc,
    /// PostgreSQL.
    #[serde(alias = "postgres")]
    Postgresql,
    /// MySQL or MariaDB.
    #[serde(alias = "mariadb")]
    Mysql,
    /// Redis.
    Redis,
    /// AMQP 0-9-1, as RabbitMQ speaks it.
    Amqp,
    /// NATS.
    Nats,
    /// MQTT 3.1.1.
    Mqtt,
    /// Kafka.
    Kafka,
    /// SMTP.
    Smtp,
}

impl Protocol {
    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Http | Self::Https => "HTTP",
            Self::Grpc => "gRPC",
            Self::Postgresql => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Redis => "Redis",
            Self::Amqp => "AMQP",
            Self::Nats => "NATS",
            Self::Mqtt => "MQTT",
            Self::Kafka => "Kafka",
            Self::Smtp => "SMTP",
        }
    }

    /// The port that its services usually listen at; none for TCP.
    pub fn usual_port(self) -> Option<u16> {
        Some(match self {
            Self::Tcp => return None,
            Self::Http => 80,
            Self::Https => 443,
            Self::Grpc => 50051,
            Self::Postgresql => 5432,
            Self::Mysql => 3306,
            Self::Redis => 6379,
            Self::Amqp => 5672,
            Self::Nats => 4222,
            Self::Mqtt => 1883,
            Self::Kafka => 9092,
            Self::Smtp => 25,
        })
    }

    /// Whether credentials can be shown in its handshake.
    pub fn has_credentials(self) -> bool {
        !matches!(self, Self::Tcp | Self::Http | Self::Https | Self::Grpc)
    }
}

/// Who is to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Login {
    /// The user's name; empty where the protocol knows a password alone.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// The database, or the virtual host.
    pub database: Option<String>,
}

/// A [`Login`] with the password read.
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: SecretString,
    pub(crate) database: Option<String>,
}

impl Login {
    /// With the password read.
    pub(crate) fn read(&self) -> Result<Credentials, CheckError> {
        let Self { user, password, database } = self;
        Ok(Credentials { user: user.clone(), password: password.reveal()?, database: database.clone() })
    }
}

/// Shakes hands with a service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HandshakeProbe {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Who is to be let in; `None` where that is not asked.
    pub login: Option<Login>,
    /// A PEM file: for HTTPS, only what stands in it is trusted, instead of the machine's roots.
    pub ca_file: Option<PathBuf>,
    /// How long all of it may take.
    pub patience: Duration,
}

/// The steps of a handshake, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The name has an address.
    Name,
    /// A way leads to the address.
    Route,
    /// The port accepts a connection.
    Connect,
    /// TLS is agreed upon, with a certificate that is trusted.
    Tls,
    /// The protocol is spoken.
    Protocol,
    /// The credentials are accepted.
    Authentication,
}

impl Step {
    /// The word for messages and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Route => "route",
            Self::Connect => "connect",
            Self::Tls => "TLS",
            Self::Protocol => "protocol",
            Self::Authentication => "authentication",
        }
    }
}

/// Where it came to an end, and why: what the service did, in words that follow its name (`reset the connection`), or,
/// before the protocol, a whole sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The step that did not succeed.
    pub step: Step,
    /// Why.
    pub message: String,
}

/// How far it got.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeObservation {
    /// The address that was talked to.
    pub remote: Option<std::net::SocketAddr>,
    /// What the service says that it is.
    pub server: Option<String>,
    /// Whether it accepted the credentials; `None` where none were shown.
    pub authenticated: Option<bool>,
    /// The step that did not succeed, if any.
    pub stopped: Option<Stopped>,
    /// How long it all took.
    pub took: Duration,
}

impl Probe for HandshakeProbe {
    type Observation = HandshakeObservation;

    async fn look(&self, cx: &Context) -> Result<HandshakeObservation, CheckError> {
        let credentials = self.login.as_ref().map(Login::read).transpose()?;
        // The way in first, which is nobody's patience but ours.
        Network::of(cx).await?;
        let began = Instant::now();
        let mut remote = None;
        let ended = self.shake(credentials.as_ref(), began + self.patience, &mut remote, cx).await?;
        let took = began.elapsed();
        Ok(match ended {
            Ok(Greeting { server, accepted }) => {
                HandshakeObservation { remote, server, authenticated: accepted, stopped: None, took }
            }
            Err(stopped) => HandshakeObservation {
                remote,
                server: None,
                authenticated: None,
                stopped: Some(stopped),
                took,
            },
        })
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("shaking hands with {} ({})", authority(&self.host, self.port), self.protocol.name())
    }

    fn target(&self) -> Option<String> {
        Some(authority(&self.host, self.port))
    }
}

fn too_slow(cx: &Context) -> CheckError {
    let place = cx.vantage().as_str();
    let message = format!("the engine did not run what carries bytes inside {place} in time");
    CheckError::timed_out(Fault::Observer, message)
}

/// A connection to this port, or at which step that ended.
pub(crate) async fn reach(
    host: &str,
    port: u16,
    deadline: Instant,
    patience: &str,
    cx: &Context,
) -> Result<Result<tcp::Connected, Stopped>, CheckError> {
    let place = authority(host, port);
    let stop = |step, message| Ok(Err(Stopped { step, message }));
    let addresses = match timeout_at(deadline, resolve(host, port, false, cx)).await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) if is_unresolved(&error) => return stop(Step::Name, error.message().to_owned()),
        Ok(Err(error)) => return Err(error),
        Err(_) if cx.waits_for_us() => return Err(too_slow(cx)),
        Err(_) => return stop(Step::Name, format!("{host} did not resolve within {patience}")),
    };
    let (stream, tried) = match timeout_at(deadline, tcp::connect(&addresses, cx)).await {
        Ok(connected) => connected?,
        Err(_) if cx.waits_for_us() => return Err(too_slow(cx)),
        Err(_) => {
            return stop(Step::Connect, format!("{place} did not accept a connection within {patience}"));
        }
    };
    let Some(connected) = stream else {
        let no_way = |one: &tcp::Tried| matches!(one.outcome, Outcome::Unreachable | Outcome::NoSuchNetwork);
        let unreachable = tried.iter().all(no_way);
        let step = if unreachable { Step::Route } else { Step::Connect };
        return stop(step, tcp::nobody(&place, host, &tried).message().to_owned());
    };
    let _ = connected.stream.set_nodelay(true); // it only makes it faster
    Ok(Ok(connected))
}

impl HandshakeProbe {
    /// The outer error: we cannot look. The inner one: how far it got.
    async fn shake(
        &self,
        credentials: Option<&Credentials>,
        deadline: Instant,
        remote: &mut Option<std::net::SocketAddr>,
        cx: &Context,
    ) -> Result<Result<Greeting, Stopped>, CheckError> {
        let place = authority(&self.host, self.port);
        let stop = |step, message| Ok(Err(Stopped { step, message }));
        let patience = clockwork_core::duration::show(self.patience);

        let tcp::Connected { stream, remote: address } =
            match reach(&self.host, self.port, deadline, &patience, cx).await? {
                Ok(connected) => connected,
                Err(stopped) => return Ok(Err(stopped)),
            };
        *remote = Some(address);

        if self.protocol != Protocol::Https {
            cx.phase(format!("waiting for {place} to speak {}", self.protocol.name()));
            return Ok(self.greet(stream, credentials, &place, &patience, deadline).await);
        }
        cx.phase(format!("in the TLS handshake with {place}"));
        let settings =
            TlsSettings { ca_file: self.ca_file.clone(), alpn: &[b"http/1.1"], ..TlsSettings::default() };
        let stream = match timeout_at(deadline, self.encrypt(stream, &settings, cx)).await {
            Ok(encrypted) => match encrypted? {
                Ok(stream) => stream,
                Err(message) => return stop(Step::Tls, message),
            },
            Err(_) => {
                return stop(
                    Step::Tls,
                    format!("{place} did not finish the TLS handshake within {patience}"),
                );
            }
        };
        cx.phase(format!("waiting for {place} to speak HTTP"));
        Ok(self.greet(stream, credentials, &place, &patience, deadline).await)
    }

    async fn encrypt(
        &self,
        stream: TcpStream,
        settings: &TlsSettings,
        cx: &Context,
    ) -> Result<Result<tokio_rustls::client::TlsStream<TcpStream>, String>, CheckError> {
        let place = authority(&self.host, self.port);
        let config = tls::client_config(settings, cx).await?;
        let bare = self.host.trim_matches(['[', ']']).to_owned();
        let Ok(name) = rustls_pki_types::ServerName::try_from(bare) else {
            return Ok(Err(format!("{place} has no name that a certificate could hold")));
        };
        Ok(match tokio_rustls::TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Ok(stream),
            Err(error) => Err(match tls::failure(&place, &error) {
                Some(failure) => failure.message().to_owned(),
                None => format!("{place} broke the TLS handshake off: {error}"),
            }),
        })
    }

    async fn greet<S: Stream>(
        &self,
        stream: S,
        credentials: Option<&Credentials>,
        place: &str,
        patience: &str,
        deadline: Instant,
    ) -> Result<Greeting, Stopped> {
        let greeting = async {
            let mut talk = Talk::new(stream, self.protocol.name());
            if let Some(credentials) = credentials {
                talk.hide(credentials.password.expose_secret().as_bytes());
            }
            match self.protocol {
                Protocol::Tcp => Ok(Greeting::default()),
                Protocol::Http | Protocol::Https => http::greet(&mut talk, place).await,
                Protocol::Grpc => grpc::greet(talk.stream, place).await,
                Protocol::Postgresql => postgresql::greet(&mut talk).await,
                Protocol::Mysql => mysql::greet(&mut talk, credentials).await,
                Protocol::Redis => redis::greet(&mut talk, credentials).await,
                Protocol::Amqp => amqp::greet(&mut talk, credentials).await,
                Protocol::Nats => nats::greet(&mut talk, credentials).await,
                Protocol::Mqtt => mqtt::greet(&mut talk, credentials).await,
                Protocol::Kafka => kafka::greet(&mut talk, credentials).await,
                Protocol::Smtp => smtp::greet(&mut talk, credentials).await,
            }
        };
        match timeout_at(deadline, greeting).await {
            Ok(Ok(greeting)) => Ok(greeting),
            Ok(Err(Stopped { step, message })) => {
                Err(Stopped { step, message: format!("{place} {message}") })
            }
            Err(_) => Err(Stopped {
                step: Step::Protocol,
                message: format!("{place} said nothing of {} within {patience}", self.protocol.name()),
            }),
        }
    }
}
