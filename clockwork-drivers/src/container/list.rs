//! [`ContainerList`]: all containers of an engine in one call, which everybody in a round shares.

use std::{collections::HashMap, fmt};

use clockwork_core::{CheckError, Context, Fault, Probe, text::quote};
use serde::{Deserialize, Deserializer};

use super::{EngineRef, client};

/// How much an engine may list: some 50,000 containers.
const LIST_LIMIT: usize = 128 << 20;

/// All containers of an engine, running or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerList(pub EngineRef);

/// What an engine lists.
#[derive(Debug)]
pub struct Containers {
    engine: String,
    command: &'static str,
    all: Vec<ContainerSummary>,
    by_name: HashMap<String, usize>,
    /// Positions in `all`, in the order of the ids.
    by_id: Vec<usize>,
}

/// One container, as the list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerSummary {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Without the leading slash.
    pub names: Vec<String>,
    /// Running, exited…
    pub state: ContainerState,
    /// What its health check says; `None` where the list does not tell.
    pub health: Option<Health>,
    /// In the engine's words: `Up 5 minutes (healthy)`.
    pub status: String,
}

/// Where a container is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, and never started.
    Created,
    /// Its first process runs.
    Running,
    /// Frozen.
    Paused,
    /// Ended, and about to be started again by its restart policy.
    Restarting,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// The engine failed to remove it.
    Dead,
    /// What this engine alone knows.
    Other(String),
}

/// What a container's health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No health check is defined.
    Undefined,
    /// Not yet: its first checks are still to come, or within the start period.
    Starting,
    /// The last check succeeded.
    Healthy,
    /// Too many checks in a row failed.
    Unhealthy,
}

impl ContainerState {
    pub(crate) fn read(text: &str) -> Self {
        match text {
            // Podman has `configured` and `initialized` before the first start, and `stopped` before `exited`.
            "created" | "configured" | "initialized" => Self::Created,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "removing" => Self::Removing,
            "exited" | "stopped" => Self::Exited,
            "dead" => Self::Dead,
            other => Self::Other(other.chars().take(64).collect()),
        }
    }
}

impl fmt::Display for ContainerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Removing => "being removed",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Other(other) => return f.write_str(&quote(other)),
        })
    }
}

impl Health {
    /// The engine's word for it; an empty one is how Podman says that there is no check.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text {
            "healthy" => Some(Self::Healthy),
            "unhealthy" => Some(Self::Unhealthy),
            "starting" => Some(Self::Starting),
            "none" | "" => Some(Self::Undefined),
            _ => None,
        }
    }

    /// From `Up 5 minutes (health: starting)`. A status without such a word tells nothing: Podman never has one.
    fn in_status(status: &str) -> Option<Self> {
        let (_, word) = status.strip_suffix(')')?.rsplit_once('(')?;
        Self::read(word.strip_prefix("health: ").unwrap_or(word)).filter(|_| !word.is_empty())
    }
}

impl Containers {
    fn new(engine: String, command: &'static str, listed: Vec<Listed>) -> Self {
        let all: Vec<_> = listed.into_iter().map(ContainerSummary::from).collect();
        let names = |(index, one): (usize, &ContainerSummary)| {
            one.names.iter().map(|name| (name.clone(), index)).collect::<Vec<_>>()
        };
        let by_name = all.iter().enumerate().flat_map(names).collect();
        let mut by_id: Vec<_> = (0..all.len()).collect();
        by_id.sort_by(|&a, &b| all[a].id.cmp(&all[b].id));
        Self { engine, command, all, by_name, by_id }
    }

    /// Which engine was asked: `Docker at unix:///var/run/docker.sock (its usual socket)`.
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// The engine's own command, for hints: `docker` or `podman`.
    pub fn command(&self) -> &'static str {
        self.command
    }

    /// All of them, in the engine's order.
    pub fn all(&self) -> &[ContainerSummary] {
        &self.all
    }

    /// The one of exactly this name; or, where no name is so, the one whose id begins with these 12 or more digits.
    ///
    /// # Errors
    /// When the digits begin more than one id.
    pub fn find(&self, name: &str) -> Result<Option<&ContainerSummary>, CheckError> {
        if let Some(&index) = self.by_name.get(name) {
            return Ok(Some(&self.all[index]));
        }
        if !is_id_prefix(name) {
            return Ok(None);
        }
        let first = self.by_id.partition_point(|&index| self.all[index].id.as_str() < name);
        let mut matching = self.by_id[first..]
            .iter()
            .map(|&index| &self.all[index])
            .take_while(|one| one.id.starts_with(name));
        let found = matching.next();
        match matching.next() {
            None => Ok(found),
            Some(_) => {
                Err(CheckError::unobservable(format!("more than one container's id begins with {name}"))
                    .hint("write more digits of it, or the name"))
            }
        }
    }
}

/// Whether this can be the beginning of a container's id: a name that looks so is still looked up as a name first.
pub(crate) fn is_id_prefix(text: &str) -> bool {
    (12..=64).contains(&text.len()) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

impl Probe for ContainerList {
    type Observation = Containers;

    async fn look(&self, cx: &Context) -> Result<Containers, CheckError> {
        let engine = client::engine(&self.0, cx).await?;
        cx.phase(format!("waiting for the list of containers of {}", engine.describe()));
        let listed = engine.json::<Vec<Listed>>("/containers/json?all=1", LIST_LIMIT).await?;
        let listed = listed.ok_or_else(|| {
            CheckError::unobservable(format!("{} does not list containers", engine.describe()))
                .hint("check DOCKER_HOST or `endpoint`")
        })?;
        Ok(Containers::new(engine.describe(), engine.command(), listed))
    }

    fn describe(&self) -> String {
        String::from("listing containers")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &Containers) -> usize {
        seen.all.len() * 512
    }
}

/// One entry of `GET /containers/json`, as far as it is needed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default, deserialize_with = "or_default")]
    names: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    state: String,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    /// API 1.52 and newer.
    #[serde(default)]
    health: Option<ListedHealth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedHealth {
    #[serde(default, deserialize_with = "or_default")]
    status: String,
}

/// An engine written in Go says null for what is empty.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl From<Listed> for ContainerSummary {
    fn from(listed: Listed) -> Self {
        let health = match &listed.health {
            Some(health) => Health::read(&health.status),
            None => Health::in_status(&listed.status),
        };
        let bare = |name: String| name.strip_prefix('/').map(str::to_owned).unwrap_or(name);
        Self {
            id: listed.id,
            names: listed.names.into_iter().map(bare).collect(),
            state: ContainerState::read(&listed.state),
            health,
            status: listed.status,
        }
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
