//! Containers, through the API of Docker and of Podman.
//!
//! | question | probe | what it costs |
//! | --- | --- | --- |
//! | which containers are there, do they run, are they healthy | [`ContainerList`] | one call per round, whoever asks |
//! | why does this one not run, what is its health check's output, how was it made | [`ContainerInspect`] | one call |
//! | what does an image's name mean now | [`ImageInspect`] | one call |
//! | how often was it started lately | [`ContainerStarts`] | one call |
//! | what did it write | [`ContainerLogs`] | one call |
//! | what does it use, where its control group is on another machine | [`ContainerStats`] | one call |
//!
//! What runs on this machine is measured without the engine ([`crate::usage`]).

#[cfg(feature = "tcp")]
pub(crate) mod act;
pub(crate) mod client;
mod driver;
mod endpoint;
mod fields;
mod image;
pub(crate) mod inspect;
mod list;
mod logs;
#[cfg(any(feature = "file", feature = "vulnerability"))]
pub(crate) mod pieces;
mod reference;
mod resource;
mod starts;
mod stats;
mod tls;
mod usual;

pub use driver::{ContainerDriver, ContainerObservation};
pub use endpoint::{EngineRef, Runtime};
pub use fields::{Command, EnvValue, HealthCheck, HealthTest, PortMapping, Protocol, Restart, Text, Volume};
pub use image::{ImageDetails, ImageInspect};
pub use inspect::{ContainerDetails, ContainerInspect, HealthRun, StateDetails};
pub use list::{ContainerList, ContainerState, ContainerSummary, Containers, Health};
pub use logs::{ContainerLogs, Log};
pub use reference::{ContainerRef, Listed, container_of, missing};
pub use resource::{ContainerResource, DockerResource};
pub use starts::ContainerStarts;
pub use stats::{ContainerStats, Stats};

use clockwork_core::{CheckError, Context, ResourceName};

/// The process id, on this machine, of the first process of the container that this resource is.
///
/// # Errors
/// When the resource is no container, there is no such container, it does not run, it runs on another machine, or the
/// engine cannot be asked.
pub async fn first_process(cx: &Context, name: &ResourceName) -> Result<u32, CheckError> {
    let (_, seen) = running(cx, name).await?;
    let here = match &*seen {
        Some(details) => process_here(details).await,
        None => None,
    };
    here.ok_or_else(|| {
        CheckError::unobservable(format!(
            "cannot look from inside {name}: its container runs on another machine, or hidden from this one"
        ))
        .hint("run clockwork where the container's engine runs, with its process table in sight")
    })
}

/// The container that this resource is, which runs.
///
/// # Errors
/// When the resource is no container, there is no such container, it does not run, or the engine cannot be asked.
pub(crate) async fn running(
    cx: &Context,
    name: &ResourceName,
) -> Result<(EngineRef, std::sync::Arc<Option<ContainerDetails>>), CheckError> {
    let resource = cx.resource_named(name.as_str()).and_then(|resource| container_of(&**resource));
    let Some(resource) = resource else {
        return Err(CheckError::unobservable(format!("cannot look from inside {name}: it is no container"))
            .hint("let `at` name a ContainerResource"));
    };
    let reference = ContainerRef::from(resource);
    // The same look from every vantage, so that it is shared.
    let cx = cx.from_vantage(clockwork_core::Vantage::Host);
    let seen = cx.observe(ContainerInspect::from(&reference)).await?;
    let Some(details) = &*seen else {
        return Err(CheckError::target(format!(
            "cannot look from inside {name}: there is no such container"
        ))
        .inconclusive());
    };
    if details.state.pid == 0 {
        let state = details.state();
        let message = format!("cannot look from inside {name}: its container is {state}");
        return Err(CheckError::target(message).inconclusive());
    }
    Ok((reference.engine, seen))
}

/// The process id, on this machine, of the container's first process; `None` where it does not run, or elsewhere.
pub(crate) async fn process_here(details: &ContainerDetails) -> Option<u32> {
    let pid = details.state.pid;
    // Containers are Linux's: elsewhere they run in another machine, be it a virtual one.
    if pid == 0 || !cfg!(target_os = "linux") {
        return None;
    }
    // A process id of another machine would name any process of this one.
    let id = details.id.clone();
    let groups =
        tokio::task::spawn_blocking(move || std::fs::read_to_string(format!("/proc/{pid}/cgroup"))).await;
    let groups = groups.ok()?.ok()?;
    crate::usage::cgroup::names_container(&groups, &id).then_some(pid)
}
