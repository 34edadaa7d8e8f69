//! [`ContainerResource`]: a container that should be there, with the fields of docker compose.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use clockwork_core::{ByteSize, Common, Driver, Invalid, Resource, ResourceKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Command, ContainerDriver, EngineRef, EnvValue, HealthCheck, PortMapping, Restart, Runtime, Volume,
    driver::familiar, endpoint, fields::Text, reference,
};
use crate::sql::Connection;

/// A container that should be there and run.
///
/// ```
/// use clockwork_core::prelude::*;
/// use clockwork_drivers::ContainerResource;
///
/// let web = ContainerResource::new("nginx-web").image("nginx:1.27").ports(["8080:80"]).description("Web server");
/// ```
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContainerResource {
    #[serde(skip)]
    common: Common,
    /// What was wrong with what a setter was given; said when the project is validated.
    #[serde(skip)]
    problems: Vec<Invalid>,

    /// The image that it is made of: `nginx:1.27`, `ghcr.io/acme/api@sha256:…`.
    image: Option<String>,
    /// Its name in the engine. The resource's name, if left out.
    container_name: Option<String>,
    /// What it runs, instead of what the image says: a list, or one line.
    command: Option<Command>,
    /// Published ports: `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8002:8000-8002`.
    ports: Vec<PortMapping>,
    /// Environment variables. A secret is `{ env: NAME }` or `{ file: path }`.
    env_vars: BTreeMap<String, EnvValue>,
    /// What is mounted: `/host/path:/path:ro`, `name:/path`.
    volumes: Vec<Volume>,
    /// The networks that it is in.
    networks: Vec<String>,
    /// How the engine finds out whether it is healthy, instead of what the image says.
    health_check: Option<HealthCheck>,
    /// When the engine starts it again: `no`, `always`, `unless-stopped`, `on-failure:3`.
    restart: Option<Restart>,
    /// The memory that it may use: `512MB`, `1GiB`, or bytes.
    memory: Option<ByteSize>,
    /// How many cores it may use: `1.5`.
    cpus: Option<f64>,
    /// The user that it runs as: `1000`, `www-data`, `1000:1000`.
    user: Option<Text>,
    /// Labels.
    labels: BTreeMap<String, Text>,
    /// Which engine runs it: `auto` (the first that is there), `docker` or `podman`.
    runtime: Runtime,
    /// Where that engine listens, instead of DOCKER_HOST and the usual sockets: `unix:///path/to.sock`, `tcp://host:2376`.
    endpoint: Option<String>,
    /// How to reach the database that runs in it; assertions about databases use it.
    connection: Option<Connection>,
}

impl ContainerResource {
    /// A container of this name, with nothing else said about it.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self { common: Common::new(name), ..Self::default() }
    }

    /// The image that it is made of.
    #[must_use]
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// Its name in the engine, where that is not the resource's name.
    #[must_use]
    pub fn container_name(mut self, name: impl Into<String>) -> Self {
        self.container_name = Some(name.into());
        self
    }

    /// What it runs, word by word, instead of what the image says.
    #[must_use]
    pub fn command<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.command = Some(Command(words.into_iter().map(Into::into).collect()));
        self
    }

    /// Publishes ports: `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8002:8000-8002`. What is no port is said when the
    /// project is validated.
    #[must_use]
    pub fn ports<P: AsRef<str>>(mut self, ports: impl IntoIterator<Item = P>) -> Self {
        for port in ports {
            let port = self.read("ports", port.as_ref());
            self.ports.extend(port);
        }
        self
    }

    /// Sets an environment variable, to a text or a [`clockwork_core::Secret`].
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.env_vars.insert(name.into(), value.into());
        self
    }

    /// Sets environment variables.
    #[must_use]
    pub fn env_vars<N: Into<String>, V: Into<EnvValue>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.env_vars.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Mounts: `/host/path:/path:ro`, `name:/path`. What is none is said when the project is validated.
    #[must_use]
    pub fn volumes<V: AsRef<str>>(mut self, volumes: impl IntoIterator<Item = V>) -> Self {
        for volume in volumes {
            let volume = self.read("volumes", volume.as_ref());
            self.volumes.extend(volume);
        }
        self
    }

    /// Puts it into these networks.
    #[must_use]
    pub fn networks<N: Into<String>>(mut self, networks: impl IntoIterator<Item = N>) -> Self {
        self.networks.extend(networks.into_iter().map(Into::into));
        self
    }

    /// How the engine finds out whether it is healthy.
    #[must_use]
    pub fn health_check(mut self, health_check: HealthCheck) -> Self {
        self.health_check = Some(health_check);
        self
    }

    /// When the engine starts it again.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = Some(restart);
        self
    }

    /// The memory that it may use.
    #[must_use]
    pub fn memory(mut self, memory: ByteSize) -> Self {
        self.memory = Some(memory);
        self
    }

    /// How many cores it may use.
    #[must_use]
    pub fn cpus(mut self, cpus: f64) -> Self {
        self.cpus = Some(cpus);
        self
    }

    /// The user that it runs as.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(Text(user.into()));
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), Text(value.into()));
        self
    }

    /// Adds labels.
    #[must_use]
    pub fn labels<N: Into<String>, V: Into<String>>(self, labels: impl IntoIterator<Item = (N, V)>) -> Self {
        labels.into_iter().fold(self, |resource, (name, value)| resource.label(name, value))
    }

    /// Which engine runs it.
    #[must_use]
    pub fn runtime(mut self, runtime: Runtime) -> Self {
        self.runtime = runtime;
        self
    }

    /// Where its engine listens: `unix:///path/to.sock`, `tcp://host:2376`.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// How to reach the database that runs in it.
    #[must_use]
    pub fn connection(mut self, connection: Connection) -> Self {
        self.connection = Some(connection);
        self
    }

    /// The database that runs in it, if any is declared.
    pub fn database(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The published ports.
    pub fn published(&self) -> &[PortMapping] {
        &self.ports
    }

    /// The environment variables.
    pub fn environment(&self) -> &BTreeMap<String, EnvValue> {
        &self.env_vars
    }

    /// The engine that runs it.
    pub fn engine(&self) -> EngineRef {
        EngineRef { runtime: self.runtime, endpoint: self.endpoint.clone() }
    }

    /// The image that it is made of, where it says so.
    pub fn image_name(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// Its name in the engine.
    pub fn engine_name(&self) -> &str {
        self.container_name.as_deref().unwrap_or(self.common.name().as_str())
    }

    fn read<T: FromStr<Err = String>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.parse().map_err(|message| self.problems.push(Invalid::field(field, message))).ok()
    }
}

impl Resource for ContainerResource {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    /// Ports, volumes and the image's name are in the spelling in which they are observed; secrets, and the order of
    /// what has none, are left out.
    fn spec(&self) -> Value {
        let mut spec = Map::new();
        let mut add = |name: &str, value: Value| {
            if !value.is_null() {
                spec.insert(name.to_owned(), value);
            }
        };
        let list = |mut list: Vec<String>| {
            list.sort();
            if list.is_empty() { Value::Null } else { json!(list) }
        };
        let variables = self.env_vars.iter().filter_map(|(name, value)| match value {
            EnvValue::Text(text) => Some((name.clone(), json!(text))),
            EnvValue::Secret(_) => None,
        });
        let variables: Map<_, _> = variables.collect();
        add("image", json!(self.image.as_deref().map(familiar)));
        add("container_name", json!(self.container_name));
        add("command", json!(self.command));
        add("ports", list(self.ports.iter().flat_map(PortMapping::each).collect()));
        add("env_vars", if variables.is_empty() { Value::Null } else { Value::Object(variables) });
        add("volumes", list(self.volumes.iter().map(Volume::spell).collect()));
        add("networks", list(self.networks.clone()));
        add("health_check", json!(self.health_check));
        add("restart", json!(self.restart));
        add("memory", json!(self.memory));
        add("cpus", json!(self.cpus));
        add("user", json!(self.user));
        add("labels", if self.labels.is_empty() { Value::Null } else { json!(self.labels) });
        Value::Object(spec)
    }

    fn driver(&self) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(ContainerDriver))
    }

    fn validate(&self) -> Vec<Invalid> {
        let mut invalid = self.problems.clone();
        let mut wrong = |field: &str, message: String| invalid.push(Invalid::field(field, message));
        if let Some(image) = &self.image
            && (image.is_empty() || image.chars().any(|c| c.is_whitespace() || c.is_control()))
        {
            wrong("image", format!("{} cannot be an image's name", clockwork_core::text::quote(image)));
        }
        if let Some(name) = &self.container_name
            && !reference::is_name(name)
        {
            wrong(
                "container_name",
                format!("{} cannot be a container's name", clockwork_core::text::quote(name)),
            );
        }
        for name in self.env_vars.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
            let name = clockwork_core::text::quote(name);
            wrong("env_vars", format!("{name} cannot be an environment variable's name"));
        }
        if let Some(cpus) = self.cpus
            && !(cpus.is_finite() && cpus > 0.0)
        {
            wrong("cpus", format!("{cpus} is no number of cores; write `0.5` or `2`"));
        }
        if self.memory.is_some_and(|memory| memory.0 == 0) {
            wrong("memory", String::from("a container cannot run in no memory; leave it out for no limit"));
        }
        if let Some(endpoint) = &self.endpoint
            && let Err(message) = endpoint::check(endpoint)
        {
            wrong("endpoint", message);
        }
        if let Some(connection) = &self.connection {
            invalid.extend(connection.validate("connection"));
        }
        invalid
    }
}

impl ResourceKind for ContainerResource {
    const NAME: &'static str = "ContainerResource";
}

/// A [`ContainerResource`] that Docker runs, whatever else is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "ContainerResource")]
pub struct DockerResource(ContainerResource);

impl DockerResource {
    /// A container of this name in Docker.
    pub fn new(name: impl AsRef<str>) -> Self {
        ContainerResource::new(name).into()
    }

    /// Says more about it: `DockerResource::new("web").with(|web| web.image("nginx"))`.
    #[must_use]
    pub fn with(self, say: impl FnOnce(ContainerResource) -> ContainerResource) -> Self {
        say(self.0).into()
    }
}

impl From<ContainerResource> for DockerResource {
    fn from(mut resource: ContainerResource) -> Self {
        match resource.runtime {
            Runtime::Auto => resource.runtime = Runtime::Docker,
            Runtime::Docker => {}
            Runtime::Podman => {
                let message = "DockerResource means Docker; for Podman, write ContainerResource";
                resource.problems.push(Invalid::field("runtime", message));
            }
        }
        Self(resource)
    }
}

impl AsRef<ContainerResource> for DockerResource {
    fn as_ref(&self) -> &ContainerResource {
        &self.0
    }
}

impl Resource for DockerResource {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn common(&self) -> &Common {
        &self.0.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.0.common
    }

    fn spec(&self) -> Value {
        self.0.spec()
    }

    fn driver(&self) -> Option<Arc<dyn Driver>> {
        self.0.driver()
    }

    fn validate(&self) -> Vec<Invalid> {
        self.0.validate()
    }
}

impl JsonSchema for DockerResource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DockerResource".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        ContainerResource::json_schema(generator)
    }
}

impl ResourceKind for DockerResource {
    const NAME: &'static str = "DockerResource";
}

#[cfg(test)]
#[path = "resource_tests.rs"]
mod tests;
