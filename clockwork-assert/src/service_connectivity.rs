//! [`ServiceConnectivityAssert`]: one service reaches another, looked at from inside the first one's network, by the
//! handshake of the protocol that they speak.
//!
//! It proves that, from where `from_service` stands, the name of `to_service` resolves, a way leads there, the port
//! accepts, TLS is agreed upon (for `https`), the protocol is spoken, and the credentials are accepted where there are
//! some. The message names the step that failed. It does not prove that `from_service`'s own program does all that: it
//! may be set up for another address.
//!
//! All of these failures judge its property, so that `not: true` proves that one service cannot reach the other. Not
//! judged: that `from_service` is not there to look from.
//!
//! `details`: `step` (the one that failed: `name`, `route`, `connect`, `tls`, `protocol`, `authentication`), `address`,
//! `server` (what it says that it is), `authenticated`.

use std::{path::PathBuf, time::Duration};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Named, Resource, ResourceName, Secret, Vantage,
    Verdict, async_trait,
};
use clockwork_drivers::{
    container::{ContainerInspect, ContainerRef, ContainerResource, container_of},
    endpoint::EndpointResource,
    handshake::{HandshakeObservation, HandshakeProbe, Login, Protocol, Step, Stopped},
    resolve::authority,
    sql::{ConnectProbe, Connection, DatabaseEngine, FailureKind},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::database_connection::Credentials;

/// One service reaches another, from inside the first one's network, by the protocol that they speak.
///
/// ```
/// use clockwork_assert::{Protocol, ServiceConnectivityAssert};
/// use clockwork_drivers::ContainerResource;
///
/// let database = ContainerResource::new("postgres-db").image("postgres:16");
/// let api = ContainerResource::new("api-service");
/// ServiceConnectivityAssert::new(&api, &database).protocol(Protocol::Postgresql);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceConnectivityAssert {
    /// The resource that it is looked at from: a container.
    from_service: String,
    /// The resource that has to be reached: a container or an endpoint.
    to_service: String,
    /// What they speak.
    #[serde(default = "tcp")]
    protocol: Protocol,
    /// How long all of it may take.
    #[serde(with = "clockwork_core::duration", default = "five_seconds")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    timeout: Duration,
    /// The port inside the network. If left out: that of the endpoint, the container's only published port (its side
    /// of it), or the protocol's usual one.
    #[serde(default)]
    port: Option<u16>,
    /// Who is to be let in. If left out: the user of the target's `connection`, where it has one.
    #[serde(default)]
    credentials: Option<Credentials>,
    /// A PEM file: for `https`, only what stands in it is trusted, instead of the machine's roots.
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

fn tcp() -> Protocol {
    Protocol::Tcp
}

fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

impl ServiceConnectivityAssert {
    /// The first resource, a container, reaches the second one over TCP.
    pub fn new(from: impl Named, to: impl Named) -> Self {
        Self {
            from_service: from.resource_name().to_string(),
            to_service: to.resource_name().to_string(),
            protocol: tcp(),
            timeout: five_seconds(),
            port: None,
            credentials: None,
            ca_file: None,
        }
    }

    /// What they speak.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// How long all of it may take.
    #[must_use]
    pub fn patience(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The port inside the network.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Who is to be let in.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: Secret) -> Self {
        self.credentials =
            Some(Credentials { user: user.into(), password: Some(password), password_env: None });
        self
    }

    /// A PEM file: for HTTPS, only what stands in it is trusted.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Where the target is, seen from inside the network.
    fn address(&self, target: &dyn Resource) -> Option<(String, u16)> {
        if let Some(container) = container_of(target) {
            let port = self.port.or_else(|| inner_port(container)).or(self.protocol.usual_port())?;
            return Some((container.engine_name().to_owned(), port));
        }
        let (host, port) = target.downcast_ref::<EndpointResource>()?.address()?;
        Some((host, self.port.unwrap_or(port)))
    }

    /// Who is to be let in: whom the assertion names, or who the target's connection is for.
    fn login(&self, target: &dyn Resource) -> Option<Login> {
        let connection = container_of(target).and_then(ContainerResource::database);
        let database = connection.and_then(|connection| connection.database.clone());
        if let Some(Credentials { user, password, password_env }) = &self.credentials {
            let password = password.clone().or_else(|| password_env.as_deref().map(Secret::env))?;
            return Some(Login { user: user.clone(), password, database });
        }
        let connection = connection.filter(|connection| speaks(connection.engine) == Some(self.protocol))?;
        Some(Login { user: connection.user().to_owned(), password: connection.password()?, database })
    }
}

/// The container's side of its only published TCP port.
fn inner_port(container: &ContainerResource) -> Option<u16> {
    let published = container.published();
    let mut ports =
        published.iter().filter(|port| port.protocol == clockwork_drivers::container::Protocol::Tcp);
    match (ports.next(), ports.next()) {
        (Some(only), None) if only.container.start() == only.container.end() => Some(*only.container.start()),
        _ => None,
    }
}

fn speaks(engine: DatabaseEngine) -> Option<Protocol> {
    match engine {
        DatabaseEngine::Postgresql => Some(Protocol::Postgresql),
        DatabaseEngine::Mysql | DatabaseEngine::Mariadb => Some(Protocol::Mysql),
        DatabaseEngine::Sqlite => None,
    }
}

/// Logs in to PostgreSQL, whose login is more than a handshake, and says how far it got.
async fn log_in(
    probe: &HandshakeProbe,
    login: Login,
    patience: Duration,
    cx: &Context,
) -> Result<Result<String, Stopped>, CheckError> {
    let connection = Connection {
        host: probe.host.clone(),
        port: Some(probe.port),
        database: login.database,
        user: Some(login.user),
        password: Some(login.password),
        ..Connection::new(DatabaseEngine::Postgresql)
    };
    let place = connection.place();
    let Ok(connected) = tokio::time::timeout(patience, cx.observe(ConnectProbe { connection })).await else {
        let message = format!("{place} speaks PostgreSQL, and did not let the user in in time");
        return Ok(Err(Stopped { step: Step::Authentication, message }));
    };
    Ok(match &*connected? {
        Ok(connected) => Ok(connected.product.clone()),
        Err(failure) => {
            let step = match failure.kind {
                FailureKind::Unresolved => Step::Name,
                FailureKind::Unreachable => Step::Connect,
                FailureKind::Tls => Step::Tls,
                FailureKind::Credentials | FailureKind::NoDatabase => Step::Authentication,
                _ => Step::Protocol,
            };
            Err(Stopped { step, message: failure.error.to_string() })
        }
    })
}

/// The networks that each of the two is in, when they share none; why a name does not resolve.
async fn apart(from: &dyn Resource, to: &dyn Resource, cx: &Context) -> Result<Option<String>, CheckError> {
    let mut told = Vec::new();
    let mut sets = Vec::new();
    for resource in [from, to] {
        let Some(container) = container_of(resource) else { return Ok(None) };
        let seen = cx.observe(ContainerInspect::from(&ContainerRef::from(container))).await?;
        let name = resource.common().name().to_string();
        let Some(details) = &*seen else { return Ok(Some(format!("there is no container {name}"))) };
        let networks: Vec<String> = details.networks().map(str::to_owned).collect();
        let list = if networks.is_empty() { String::from("none") } else { networks.join(", ") };
        told.push(format!("{name} is in {list}"));
        sets.push(networks);
    }
    let shared: Vec<_> = sets[0].iter().filter(|network| sets[1].contains(network)).collect();
    Ok(match &shared[..] {
        [] => Some(format!("they share no network: {}", told.join(", "))),
        [only] if *only == "bridge" => {
            Some(String::from("they share only the engine's default network, which knows no names"))
        }
        _ => None,
    })
}

#[async_trait]
impl Assertion for ServiceConnectivityAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        self.protocol.name().to_owned() // the report names the two resources beside it
    }

    fn related(&self) -> Vec<ResourceName> {
        vec![ResourceName::new(&self.from_service), ResourceName::new(&self.to_service)]
    }

    fn explains(&self) -> Option<ResourceName> {
        Some(ResourceName::new(&self.from_service))
    }

    fn implies(&self, _at: Option<&ResourceName>) -> Vec<(ResourceName, ResourceName)> {
        vec![(ResourceName::new(&self.from_service), ResourceName::new(&self.to_service))]
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        if self.port == Some(0) {
            problems.push(Invalid::field("port", "nothing can listen at port 0"));
        }
        if self.credentials.is_some() && !self.protocol.has_credentials() {
            let problem = format!("a handshake of {} shows none", self.protocol.name());
            problems.push(Invalid::field("credentials", problem));
        }
        if let Some(Credentials { password, password_env, .. }) = &self.credentials {
            match (password, password_env) {
                (None, None) => {
                    problems.push(Invalid::field("credentials", "give `password` or `password_env`"));
                }
                (Some(_), Some(_)) => {
                    problems
                        .push(Invalid::field("credentials", "give `password` or `password_env`, not both"));
                }
                _ => {}
            }
        }
        if self.ca_file.is_some() && self.protocol != Protocol::Https {
            problems.push(Invalid::field("ca_file", "only `https` shows a certificate"));
        }
        if self.timeout.is_zero() {
            problems.push(Invalid::field("timeout", "is 0: nothing answers in no time"));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let named = |name: &str| {
            cx.resource_named(name)
                .cloned()
                .ok_or_else(|| CheckError::unobservable(format!("there is no resource {name}")))
        };
        let (from, to) = (named(&self.from_service)?, named(&self.to_service)?);
        let Some((host, port)) = self.address(&*to) else {
            let kind = to.kind();
            return Err(CheckError::unobservable(format!(
                "cannot tell at which port {} listens ({kind})",
                self.to_service
            ))
            .hint("give `port`, and let `to_service` name a container or an endpoint"));
        };
        let place = authority(&host, port);
        let login = if self.protocol.has_credentials() { self.login(&*to) } else { None };
        let inside = cx.from_vantage(Vantage::Inside(ResourceName::new(&self.from_service)));
        // Whoever runs out of time first should be the one who can say at which step.
        let left = cx.deadline().map_or(self.timeout, |deadline| {
            deadline.saturating_duration_since(tokio::time::Instant::now()).saturating_sub(MARGIN)
        });
        let mut probe = HandshakeProbe {
            host,
            port,
            protocol: self.protocol,
            login: None,
            ca_file: self.ca_file.clone(),
            patience: self.timeout.min(left.max(MARGIN)),
        };
        let verdict = match login {
            Some(login) if self.protocol == Protocol::Postgresql => {
                // The handshake first: it says at which step it ends.
                let seen = inside.observe(probe.clone()).await?;
                let ended = match &seen.stopped {
                    Some(stopped) => Err(stopped.clone()),
                    None => log_in(&probe, login, probe.patience.saturating_sub(seen.took), &inside).await?,
                };
                match ended {
                    Ok(product) => Verdict::passed()
                        .message(format!("{place} is {product} and accepted the credentials")),
                    Err(stopped) => self.stopped(&stopped, &*from, &*to, cx).await?,
                }
            }
            login => {
                probe.login = login;
                let seen = inside.observe(probe).await?;
                match &seen.stopped {
                    None => Verdict::passed().message(greeted(&seen, &place, self.protocol)),
                    Some(stopped) => self.stopped(stopped, &*from, &*to, cx).await?,
                }
                .detail("address", seen.remote.map(|address| address.to_string()))
                .detail("server", seen.server.clone())
                .detail("authenticated", seen.authenticated)
            }
        };
        Ok(verdict.expected(format!("{} reaches {place} by {}", self.from_service, self.protocol.name())))
    }
}

/// How long before the check's own deadline the handshake gives up.
const MARGIN: Duration = Duration::from_millis(100);

fn greeted(seen: &HandshakeObservation, place: &str, protocol: Protocol) -> String {
    let speaks = match protocol {
        Protocol::Tcp => format!("{place} accepted the connection"),
        protocol => format!("{place} speaks {}", protocol.name()),
    };
    match seen.authenticated {
        Some(true) => format!("{speaks} and accepted the credentials"),
        _ => speaks,
    }
}

impl ServiceConnectivityAssert {
    async fn stopped(
        &self,
        stopped: &Stopped,
        from: &dyn Resource,
        to: &dyn Resource,
        cx: &Context,
    ) -> Result<Verdict, CheckError> {
        let mut message = format!(
            "{} does not reach {}, at the step {}: {}",
            self.from_service,
            self.to_service,
            stopped.step.as_str(),
            stopped.message
        );
        if stopped.step <= Step::Connect
            && let Some(why) = apart(from, to, cx).await?
        {
            message = format!("{message}; {why}");
        }
        Ok(Verdict::failed(message)
            .actual(format!("stopped at {}", stopped.step.as_str()))
            .detail("step", stopped.step.as_str().to_lowercase()))
    }
}

impl AssertionKind for ServiceConnectivityAssert {
    const NAME: &'static str = "ServiceConnectivityAssert";
}
