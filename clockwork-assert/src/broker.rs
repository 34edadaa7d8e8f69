//! [`BrokerField`]: which broker a queue is at: a resource, a URL, or a map that says all of it.

use std::{borrow::Cow, fmt};

use clockwork_core::{
    CheckError, Context, Invalid, ResourceName, Secret, SecretString, Vantage,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    text::quote,
};
use clockwork_drivers::{
    container::{ContainerInspect, ContainerRef, ContainerResource, Protocol, container_of},
    endpoint::EndpointResource,
    handshake::Login,
    queue::BrokerEngine,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};

/// A broker, and who asks it.
///
/// ```
/// use clockwork_assert::{Broker, BrokerEngine};
///
/// Broker::new(BrokerEngine::Amqp).host("mq.example").user("app").vhost("shop");
/// ```
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// What it is. Of a resource, its port or its image says so, where this is left out.
    #[serde(default)]
    pub(crate) engine: Option<BrokerEngine>,
    /// The resource that it is: a container or an endpoint; then `host` and `port` are that one's.
    #[serde(default)]
    pub(crate) resource: Option<String>,
    /// Where it listens: a name or an address. `localhost`, if left out.
    #[serde(default)]
    host: Option<String>,
    /// The port. The engine's usual one, if left out.
    #[serde(default)]
    port: Option<u16>,
    /// Who asks. `guest` for AMQP, if left out.
    #[serde(default)]
    user: Option<String>,
    /// The password: `{ env: NAME }` or `{ file: path }`.
    #[serde(default)]
    password: Option<Secret>,
    /// The password, from this environment variable: short for `password: { env: NAME }`.
    #[serde(default)]
    password_env: Option<String>,
    /// The virtual host (AMQP). `/`, if left out.
    #[serde(default)]
    vhost: Option<String>,
    /// The number of the database (Redis). 0, if left out.
    #[serde(default)]
    database: Option<u16>,
}

impl Broker {
    /// A broker on this machine.
    pub fn new(engine: BrokerEngine) -> Self {
        Self { engine: Some(engine), ..Self::default() }
    }

    /// Where it listens: a name or an address.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The port.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Who asks.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The password.
    #[must_use]
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// The virtual host (AMQP).
    #[must_use]
    pub fn vhost(mut self, vhost: impl Into<String>) -> Self {
        self.vhost = Some(vhost.into());
        self
    }

    /// The number of the database (Redis).
    #[must_use]
    pub fn database(mut self, database: u16) -> Self {
        self.database = Some(database);
        self
    }

    /// `amqp://app@mq.example/shop`.
    fn from_url(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let engine = match scheme {
            "amqp" => BrokerEngine::Amqp,
            "nats" => BrokerEngine::Nats,
            "redis" | "valkey" => BrokerEngine::Redis,
            "amqps" | "tls" | "rediss" => {
                return Err(format!("{scheme}:// is not spoken yet: brokers are asked in clear"));
            }
            _ => {
                return Err(format!(
                    "{} is no broker: write `amqp://`, `nats://` or `redis://`",
                    quote(scheme)
                ));
            }
        };
        let (place, path) = rest.split_once('/').map_or((rest, None), |(place, path)| (place, Some(path)));
        let (login, place) =
            place.rsplit_once('@').map_or((None, place), |(login, place)| (Some(login), place));
        let wrong = || String::from("the URL is not valid: write `amqp://user@host:5672/vhost`");
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().map_err(|_| wrong())?)),
            _ => (place, None),
        };
        let text = |part: &str| percent_decoded(part).ok_or_else(wrong);
        let mut broker =
            Self { host: Some(text(host)?).filter(|host| !host.is_empty()), port, ..Self::new(engine) };
        if let Some(login) = login {
            let (user, password) =
                login.split_once(':').map_or((login, None), |(user, pass)| (user, Some(pass)));
            broker.user = Some(text(user)?);
            broker.password =
                password.map(text).transpose()?.map(|secret| Secret::from(SecretString::from(secret)));
        }
        match (engine, path) {
            (_, None | Some("")) => {}
            (BrokerEngine::Amqp, Some(vhost)) => broker.vhost = Some(text(vhost)?),
            (BrokerEngine::Redis, Some(number)) => {
                broker.database = Some(number.parse().map_err(|_| wrong())?)
            }
            (BrokerEngine::Nats, Some(_)) => return Err(wrong()),
        }
        Ok(broker)
    }

    fn login(&self, engine: BrokerEngine) -> Option<Login> {
        let password = self.password.clone().or_else(|| self.password_env.as_deref().map(Secret::env));
        let database = match engine {
            BrokerEngine::Amqp => self.vhost.clone(),
            BrokerEngine::Redis => {
                self.database.filter(|number| *number > 0).map(|number| number.to_string())
            }
            BrokerEngine::Nats => None,
        };
        let guest = engine == BrokerEngine::Amqp;
        if self.user.is_none()
            && password.is_none()
            && (database.is_none() || !guest && engine == BrokerEngine::Nats)
        {
            return None;
        }
        let plain = |text: &str| Secret::from(SecretString::from(text));
        let user = self.user.clone().unwrap_or_else(|| String::from(if guest { "guest" } else { "" }));
        let password = password.unwrap_or_else(|| plain(if guest && user == "guest" { "guest" } else { "" }));
        Some(Login { user, password, database })
    }

    fn validate(&self, problems: &mut Vec<Invalid>) {
        let mut add =
            |field: &str, message: &str| problems.push(Invalid::field(format!("broker.{field}"), message));
        if self.engine.is_none() && self.resource.is_none() {
            add("engine", "is missing: say `amqp`, `nats` or `redis`, or name a `resource`");
        }
        if self.resource.is_some() && (self.host.is_some() || self.port.is_some()) {
            add("resource", "says where it listens, so that `host` and `port` mean nothing beside it");
        }
        if self.password.is_some() && self.password_env.is_some() {
            add("password", "give `password` or `password_env`, not both");
        }
        if self.port == Some(0) {
            add("port", "nothing can listen at port 0");
        }
        let engine = self.engine;
        if self.vhost.is_some() && engine.is_some_and(|engine| engine != BrokerEngine::Amqp) {
            add("vhost", "only AMQP has virtual hosts");
        }
        if self.database.is_some() && engine.is_some_and(|engine| engine != BrokerEngine::Redis) {
            add("database", "only Redis has databases");
        }
    }
}

/// The bytes that `%2F` and its kin stand for, as text.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                u8::try_from(digit(rest.next()?)? * 16 + digit(rest.next()?)?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A broker: a resource's name, a URL, or [`Broker`]'s fields.
#[derive(Debug, Clone)]
pub(crate) struct BrokerField(pub(crate) Broker);

impl BrokerField {
    pub(crate) fn named(name: ResourceName) -> Self {
        Self(Broker { resource: Some(name.to_string()), ..Broker::default() })
    }

    /// The engine, where it is said.
    pub(crate) fn engine(&self) -> Option<BrokerEngine> {
        self.0.engine
    }

    pub(crate) fn resource(&self) -> Option<&str> {
        self.0.resource.as_deref()
    }

    pub(crate) fn validate(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        self.0.validate(&mut problems);
        problems
    }

    /// What it is, where it is seen from here, and who asks.
    pub(crate) async fn place(
        &self,
        cx: &Context,
    ) -> Result<(BrokerEngine, String, u16, Option<Login>), CheckError> {
        let Broker { engine, resource, host, port, .. } = &self.0;
        let Some(name) = resource else {
            let engine = engine.ok_or_else(|| CheckError::unobservable("broker.engine: is missing"))?;
            let host = host.clone().unwrap_or_else(|| String::from("localhost"));
            return Ok((engine, host, port.unwrap_or(engine.usual_port()), self.0.login(engine)));
        };
        let unknown = || CheckError::unobservable(format!("there is no resource {name}"));
        let resource = cx.resource_named(name).ok_or_else(unknown)?;
        let (engine, host, port) = if let Some(container) = container_of(&**resource) {
            let engine = engine.or_else(|| engine_of(container)).ok_or_else(|| unsaid(name))?;
            let (host, port) = container_place(container, engine, cx).await?;
            (engine, host, port)
        } else if let Some((host, port)) =
            resource.downcast_ref::<EndpointResource>().and_then(EndpointResource::address)
        {
            let usual = ENGINES.into_iter().find(|engine| engine.usual_port() == port);
            (engine.or(usual).ok_or_else(|| unsaid(name))?, host, port)
        } else {
            return Err(CheckError::unobservable(format!(
                "cannot tell where the broker {name} listens ({})",
                resource.kind()
            ))
            .hint("let `broker` name a container or an endpoint, or give `{ engine: …, host: … }`"));
        };
        Ok((engine, host, port, self.0.login(engine)))
    }
}

const ENGINES: [BrokerEngine; 3] = [BrokerEngine::Amqp, BrokerEngine::Nats, BrokerEngine::Redis];

fn unsaid(name: &str) -> CheckError {
    CheckError::unobservable(format!("cannot tell what broker {name} is"))
        .hint(format!("write `broker: {{ resource: {name}, engine: amqp }}`, or nats, or redis"))
}

/// By its port inside, or else by its image's name.
fn engine_of(container: &ContainerResource) -> Option<BrokerEngine> {
    let publishes = |engine: &BrokerEngine| {
        let tcp = container.published().iter().filter(|port| port.protocol == Protocol::Tcp);
        tcp.into_iter().any(|port| port.container.contains(&engine.usual_port()))
    };
    let image = container.image_name().unwrap_or_default();
    let called = |words: &[&str]| words.iter().any(|word| image.contains(word));
    ENGINES.into_iter().find(publishes).or_else(|| {
        let by_image = [
            (BrokerEngine::Amqp, &["rabbitmq"][..]),
            (BrokerEngine::Nats, &["nats"]),
            (BrokerEngine::Redis, &["redis", "valkey"]),
        ];
        by_image.into_iter().find(|(_, words)| called(words)).map(|(engine, _)| engine)
    })
}

/// From inside a network by its name; from the host at the port that it publishes, or else at its own address.
async fn container_place(
    container: &ContainerResource,
    engine: BrokerEngine,
    cx: &Context,
) -> Result<(String, u16), CheckError> {
    let inner = engine.usual_port();
    if let Vantage::Inside(_) = cx.vantage() {
        return Ok((container.engine_name().to_owned(), inner));
    }
    let tcp = container.published().iter().filter(|port| port.protocol == Protocol::Tcp);
    for port in tcp.into_iter().filter(|port| port.container.contains(&inner)) {
        if let Some(host) = &port.host {
            let address = port.address.filter(|address| !address.is_unspecified());
            let address = address.map_or_else(|| String::from("localhost"), |address| address.to_string());
            return Ok((address, host.start() + (inner - port.container.start())));
        }
    }
    let seen = cx.observe(ContainerInspect::from(&ContainerRef::from(container))).await?;
    let name = container.engine_name();
    let Some(details) = &*seen else {
        return Err(CheckError::target(format!("there is no container {name}")));
    };
    match details.addresses().next() {
        Some(address) => Ok((address.to_string(), inner)),
        None => Err(CheckError::target(format!(
            "the container {name} has no address and publishes no port {inner}"
        ))),
    }
}

impl<'de> Deserialize<'de> for BrokerField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = BrokerField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a broker: a resource's name, `amqp://host`, or `{ engine: amqp, host: … }`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<BrokerField, E> {
                if text.contains("://") {
                    return Broker::from_url(text).map(BrokerField).map_err(E::custom);
                }
                Ok(BrokerField::named(ResourceName::new(text)))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<BrokerField, A::Error> {
                Broker::deserialize(MapAccessDeserializer::new(map)).map(BrokerField)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for BrokerField {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BrokerField".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let fields = generator.subschema_for::<Broker>();
        json_schema!({ "anyOf": [{ "type": "string" }, fields] })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn urls_say_all_of_it() {
        let read = |url: &str| Broker::from_url(url);
        let broker = read("amqp://app:s%40crt@mq.example:5673/%2Fshop").unwrap();
        let login = broker.login(BrokerEngine::Amqp).unwrap();
        assert_eq!((broker.host.as_deref(), broker.port), (Some("mq.example"), Some(5673)));
        assert_eq!((&*login.user, login.database.as_deref()), ("app", Some("/shop")));
        assert!(!format!("{broker:?}").contains("s@crt"), "{broker:?}");
        let broker = read("redis://[::1]/3").unwrap();
        assert_eq!((broker.host.as_deref(), broker.port, broker.database), (Some("[::1]"), None, Some(3)));
        assert_eq!(read("nats://").unwrap().host, None);
        for (url, why) in [
            ("kafka://x", "\"kafka\" is no broker"),
            ("amqps://x", "not spoken yet"),
            ("redis://x/y", "not valid"),
            ("amqp://x:port", "not valid"),
            ("nats://x/y", "not valid"),
        ] {
            assert!(read(url).unwrap_err().contains(why), "{url}");
        }
    }

    #[test]
    fn who_asks_follows_the_engine() {
        assert!(Broker::new(BrokerEngine::Nats).login(BrokerEngine::Nats).is_none());
        assert!(Broker::new(BrokerEngine::Amqp).login(BrokerEngine::Amqp).is_none()); // the probe's guest
        let guest = Broker::new(BrokerEngine::Amqp).vhost("x").login(BrokerEngine::Amqp).unwrap();
        assert_eq!((&*guest.user, guest.database.as_deref()), ("guest", Some("x")));
        let third = Broker::new(BrokerEngine::Redis).database(3).login(BrokerEngine::Redis).unwrap();
        assert_eq!((&*third.user, third.database.as_deref()), ("", Some("3")));
    }

    #[test]
    fn containers_say_what_they_are() {
        let engine = |container: ContainerResource| engine_of(&container);
        let named = || ContainerResource::new("x");
        assert_eq!(engine(named().ports(["5673:5672"])), Some(BrokerEngine::Amqp));
        assert_eq!(engine(named().image("docker.io/nats:2")), Some(BrokerEngine::Nats));
        assert_eq!(engine(named().image("acme/api")), None);
    }
}
