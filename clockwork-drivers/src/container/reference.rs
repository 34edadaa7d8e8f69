//! [`ContainerRef`]: which container of which engine an assertion is about.

use clockwork_core::{CheckError, Context, Invalid, Resource, text::quote};

use super::{
    ContainerInspect, ContainerList, ContainerResource, ContainerSummary, DockerResource, EngineRef,
};

/// A container: its engine, and its name there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerRef {
    /// The engine that runs it.
    pub engine: EngineRef,
    /// Its name, or 12 or more digits of its id.
    pub name: String,
}

/// The container that this resource is, if it is one.
pub fn container_of(resource: &dyn Resource) -> Option<&ContainerResource> {
    resource.downcast_ref().or_else(|| resource.downcast_ref::<DockerResource>().map(AsRef::as_ref))
}

impl ContainerRef {
    /// The container that a check means: the one that its `container` field names, otherwise the resource that it is
    /// declared on; `None` where that is no container.
    ///
    /// `container` may be a resource of the project, or else a name (or 12 digits of an id) in the engine of the
    /// resource that the check is declared on.
    pub fn meant(cx: &Context, container: Option<&str>) -> Option<Self> {
        let owner = cx.resource().and_then(container_of);
        let Some(name) = container else { return owner.map(Self::from) };
        if let Some(resource) = cx.resource_named(name)
            && let Some(resource) = container_of(&**resource)
        {
            return Some(resource.into());
        }
        let engine = owner.map(ContainerResource::engine).unwrap_or_default();
        Some(Self { engine, name: name.to_owned() })
    }

    /// The same for kinds that make no sense without one.
    ///
    /// # Errors
    /// When there is none; [`ContainerRef::validate`] finds that before anything runs.
    pub fn required(cx: &Context, container: Option<&str>) -> Result<Self, CheckError> {
        Self::meant(cx, container).ok_or_else(|| CheckError::unobservable(NONE_MEANT))
    }

    /// What is wrong with a `container` field, or with its absence on a resource that is no container.
    pub fn validate(
        owner: Option<&dyn Resource>,
        container: Option<&str>,
        required: bool,
    ) -> Option<Invalid> {
        match container {
            Some(name) if !is_name(name) => Some(Invalid::field(
                "container",
                format!("{} cannot be a container's name or id", quote(name)),
            )),
            None if required && owner.and_then(container_of).is_none() => Some(Invalid::whole(NONE_MEANT)),
            _ => None,
        }
    }

    /// This container, in the list that this round shares; `None` where there is no such container.
    ///
    /// # Errors
    /// When the engine cannot be asked, or the digits of an id are not enough.
    pub async fn listed(&self, cx: &Context) -> Result<Listed, CheckError> {
        let containers = cx.observe(ContainerList(self.engine.clone())).await?;
        let found = containers.find(&self.name)?.cloned();
        Ok(Listed { found, engine: containers.engine().to_owned(), command: containers.command() })
    }

    /// This container, in the list that this round shares.
    ///
    /// # Errors
    /// As [`ContainerRef::listed`]; and, as the target's fault, that there is no such container.
    pub async fn existing(&self, cx: &Context) -> Result<ContainerSummary, CheckError> {
        let Listed { found, engine, .. } = self.listed(cx).await?;
        found.ok_or_else(|| CheckError::target(missing(&self.name, &engine)))
    }
}

/// A container as listed, and the engine that listed it, in words.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Nothing, where there is no such container.
    pub found: Option<ContainerSummary>,
    /// `Docker at unix:///var/run/docker.sock (its usual socket)`.
    pub engine: String,
    /// The engine's own command, for hints: `docker` or `podman`.
    pub command: &'static str,
}

/// `there is no container web in Docker at …`.
pub fn missing(name: &str, engine: &str) -> String {
    format!("there is no container {name} in {engine}")
}

impl From<&ContainerResource> for ContainerRef {
    fn from(resource: &ContainerResource) -> Self {
        Self { engine: resource.engine(), name: resource.engine_name().to_owned() }
    }
}

impl From<&ContainerRef> for ContainerInspect {
    fn from(reference: &ContainerRef) -> Self {
        Self { engine: reference.engine.clone(), name: reference.name.clone() }
    }
}

const NONE_MEANT: &str =
    "no container is meant: name one with `container`, or declare this on a ContainerResource";

/// What engines accept as a name; the slash is in the names that legacy links make.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 256
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/'))
}
