//! [`ContainerDriver`]: observes containers, in the words in which they are declared.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use clockwork_core::{Change, CheckError, Context, Driver, Observation, Resource, ResourceKind, drift};
use serde::Serialize;
use serde_json::json;

use super::{
    ContainerDetails, ContainerInspect, ContainerRef, ContainerResource, DockerResource, EnvValue, Health,
    HealthCheck, Restart, container_of,
    fields::HealthTest,
    fields::{observed_port, spell_volume},
    inspect::{Healthcheck, HostConfig},
};

/// Observes containers. It changes none yet.
#[derive(Debug, Clone, Copy, Default)]
pub struct ContainerDriver;

/// A container that is there, in the words in which it is declared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContainerObservation {
    /// 64 hexadecimal digits.
    pub id: String,
    /// `running`, `exited`…
    pub state: String,
    /// `healthy`, `unhealthy`, `starting`; `None` without a health check.
    pub health: Option<String>,
    /// The image's name that it was made of.
    pub image: String,
    /// Its name in the engine.
    pub container_name: String,
    /// What it runs.
    pub command: Vec<String>,
    /// Published ports, sorted: `8080:80/tcp`.
    pub ports: Vec<String>,
    /// The environment variables that are declared, with a value that is no secret: others are nobody's business.
    pub env_vars: BTreeMap<String, String>,
    /// What is mounted, sorted: `/host/path:/path:ro`.
    pub volumes: Vec<String>,
    /// The networks that it is in, sorted.
    pub networks: Vec<String>,
    /// Its own health check, or the image's.
    pub health_check: Option<HealthCheck>,
    /// When the engine starts it again.
    pub restart: Restart,
    /// The memory that it may use, in bytes.
    pub memory: Option<u64>,
    /// How many cores it may use.
    pub cpus: Option<f64>,
    /// The user that it runs as; empty for the image's.
    pub user: String,
    /// All labels, those of the image too.
    pub labels: BTreeMap<String, String>,
}

#[async_trait]
impl Driver for ContainerDriver {
    fn kinds(&self) -> &'static [&'static str] {
        &[ContainerResource::NAME, DockerResource::NAME]
    }

    async fn observe(
        &self,
        resource: &dyn Resource,
        cx: &Context,
    ) -> Result<Option<Box<dyn Observation>>, CheckError> {
        let container = container_of(resource).ok_or_else(|| {
            CheckError::unobservable(format!("{} is no container", resource.common().name()))
        })?;
        let details = cx.observe(ContainerInspect::from(&ContainerRef::from(container))).await?;
        Ok(details.as_ref().as_ref().map(|details| {
            let mut seen = ContainerObservation::from(details);
            let declared = container.environment();
            seen.env_vars.retain(|name, _| matches!(declared.get(name), Some(EnvValue::Text(_))));
            let observation: Box<dyn Observation> = Box::new(seen);
            observation
        }))
    }

    /// A declared container is one that runs, so that one that does not has drifted.
    fn plan(
        &self,
        resource: &dyn Resource,
        observed: Option<&dyn Observation>,
    ) -> Result<Vec<Change>, CheckError> {
        let Some(observed) = observed else { return Ok(vec![Change::Create]) };
        let mut declared = resource.spec();
        declared["state"] = json!("running");
        let drift = drift(&declared, &observed.state());
        Ok(if drift.is_empty() { Vec::new() } else { vec![Change::Update(drift)] })
    }
}

impl From<&ContainerDetails> for ContainerObservation {
    fn from(details: &ContainerDetails) -> Self {
        let (config, host) = (&details.config, &details.host_config);
        let ports = host.port_bindings.iter().flat_map(|(port, bindings)| {
            let bindings = bindings.iter().flatten();
            bindings.filter_map(move |one| observed_port(port, &one.host_ip, &one.host_port))
        });
        let variable = |text: &String| text.split_once('=').map(|(name, value)| (name.into(), value.into()));
        Self {
            id: details.id.clone(),
            state: details.state().to_string(),
            health: match details.health() {
                Some(Health::Healthy) => Some(String::from("healthy")),
                Some(Health::Unhealthy) => Some(String::from("unhealthy")),
                Some(Health::Starting) => Some(String::from("starting")),
                Some(Health::Undefined) | None => None,
            },
            image: familiar(&config.image),
            container_name: details.name.trim_start_matches('/').to_owned(),
            command: config.cmd.clone(),
            ports: sorted(ports.collect()),
            env_vars: config.env.iter().filter_map(variable).collect(),
            volumes: sorted(volumes(host)),
            networks: sorted(details.network_settings.networks.keys().cloned().collect()),
            health_check: health_check(&config.healthcheck),
            restart: match (details.restart_policy(), host.restart_policy.maximum_retry_count) {
                ("always", _) => Restart::Always,
                ("unless-stopped", _) => Restart::UnlessStopped,
                ("on-failure", count) => Restart::OnFailure(count),
                _ => Restart::No,
            },
            memory: details.memory_limit(),
            cpus: cpus(host),
            user: config.user.clone(),
            labels: config.labels.clone(),
        }
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

/// `-v` is kept in one way by an engine, `--mount` in another.
fn volumes(host: &HostConfig) -> Vec<String> {
    let bind = |bind: &String| {
        let mut parts = bind.split(':');
        let (source, target) = (parts.next()?, parts.next()?);
        let read_only = parts.next().is_some_and(|options| options.split(',').any(|option| option == "ro"));
        Some(spell_volume(Some(source), target, read_only))
    };
    let mount = |mount: &super::inspect::MountConfig| {
        let source = Some(mount.source.as_str()).filter(|source| !source.is_empty());
        spell_volume(source, &mount.target, mount.read_only)
    };
    host.binds.iter().filter_map(bind).chain(host.mounts.iter().map(mount)).collect()
}

fn cpus(host: &HostConfig) -> Option<f64> {
    if host.nano_cpus > 0 {
        return Some(host.nano_cpus as f64 / 1e9);
    }
    let quota = u64::try_from(host.cpu_quota).ok().filter(|&quota| quota > 0)?;
    let period = if host.cpu_period > 0 { host.cpu_period } else { 100_000 };
    Some(quota as f64 / period as f64)
}

fn health_check(check: &Healthcheck) -> Option<HealthCheck> {
    let time = |nanos: u64| (nanos > 0).then(|| Duration::from_nanos(nanos));
    (!check.test.is_empty()).then(|| HealthCheck {
        test: HealthTest(check.test.clone()),
        interval: time(check.interval),
        timeout: time(check.timeout),
        start_period: time(check.start_period),
        retries: Some(check.retries).filter(|&retries| retries > 0),
    })
}

/// An image's name as people write it, whole: `docker.io/library/nginx` is `nginx:latest`.
pub(super) fn familiar(image: &str) -> String {
    let name = image.strip_prefix("docker.io/").unwrap_or(image);
    let name = name.strip_prefix("library/").unwrap_or(name);
    let last = name.rsplit('/').next().unwrap_or(name);
    let whole = name.contains('@') || last.contains(':') || name.is_empty();
    if whole { name.to_owned() } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn one_image_has_one_name() {
        for (image, name) in [
            ("nginx", "nginx:latest"),
            ("docker.io/library/nginx:1.27", "nginx:1.27"),
            ("localhost:5000/shop/api", "localhost:5000/shop/api:latest"),
            ("nginx@sha256:abc", "nginx@sha256:abc"),
            ("ghcr.io/acme/api:1.4", "ghcr.io/acme/api:1.4"),
        ] {
            assert_eq!(familiar(image), name);
        }
    }

    #[test]
    fn what_is_observed_is_said_in_the_words_of_the_declaration() {
        let details: ContainerDetails = serde_json::from_value(json!({
            "Id": "1", "Name": "/web",
            "State": { "Status": "exited" },
            "Config": { "Image": "docker.io/library/nginx", "Cmd": ["nginx"], "Env": ["MODE=test", "PATH=/bin"],
                        "User": "", "Labels": { "a": "b", "c": "d" },
                        "Healthcheck": { "Test": ["CMD", "true"], "Interval": 5_000_000_000_u64 } },
            "HostConfig": { "Binds": ["/srv:/www:ro,z"], "Mounts": [{ "Source": "data", "Target": "/data" }],
                            "PortBindings": { "80/tcp": [{ "HostIp": "", "HostPort": "8080" }], "81/tcp": null },
                            "RestartPolicy": { "Name": "on-failure", "MaximumRetryCount": 3 },
                            "Memory": 1000, "NanoCpus": 1_500_000_000_u64 },
            "NetworkSettings": { "Networks": { "front": {}, "back": {} } },
        }))
        .unwrap();
        let seen = ContainerObservation::from(&details);
        let declared = ContainerResource::new("web")
            .image("nginx")
            .ports(["8080:80"])
            .env("MODE", "test")
            .volumes(["data:/data", "/srv:/www:ro"])
            .networks(["front", "back"])
            .restart(Restart::OnFailure(3))
            .cpus(1.5)
            .label("a", "b");
        let changes = |declared: &ContainerResource| ContainerDriver.plan(declared, Some(&seen)).unwrap();
        let paths = |changes: Vec<Change>| match changes.into_iter().next() {
            Some(Change::Update(drift)) => drift.into_iter().map(|drift| drift.path).collect(),
            _ => Vec::new(),
        };
        assert_eq!(paths(changes(&declared)), ["state"]);
        let other = declared.image("nginx:1.27").env("MODE", "prod").ports(["8081:81"]).cpus(2.0);
        assert_eq!(paths(changes(&other)), ["image", "ports", "env_vars.MODE", "cpus", "state"]);
    }
}
