//! What a container, the processes of a name, or this machine use: memory and processor time.
//!
//! | of | memory | processor time |
//! | --- | --- | --- |
//! | a container | its control group's usage minus `inactive_file` (page cache that the kernel drops first), as `docker stats` shows it; limit: the control group's, or the machine's memory | its control group's |
//! | processes | the sum of their resident sets; what they share is counted for each | the sum of theirs, of those that were there all the time |
//! | the machine | `MemTotal` − `MemAvailable` | all but idle, waiting for disks, and stolen |
//!
//! Processor time is in percent of one core: two busy cores are 200 %.
//!
//! A container's control group is read on this machine: the engine is asked for nothing but the list that everybody
//! shares. Where there is no such group here (the engine is on another machine, or we are in a container ourselves),
//! the engine tells ([`crate::container::ContainerStats`]).

#[cfg(feature = "container")]
pub(crate) mod cgroup;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod host;
mod processes;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use host as system;

use std::{
    hash::Hash,
    time::{Duration, Instant},
};

use clockwork_core::{CheckError, Context, Fault, Probe};

#[cfg(feature = "container")]
use crate::container::{ContainerRef, ContainerState, ContainerStats};

/// Whose usage is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// This machine.
    Host,
    /// All processes of this name.
    Process(String),
    /// A container.
    #[cfg(feature = "container")]
    Container(ContainerRef),
}

/// How much memory is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemoryUsage(pub Subject);

/// An amount of memory, and how much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// In bytes.
    pub used: u64,
    /// What limits it, in bytes: the container's own limit, or this machine's memory.
    pub limit: u64,
    /// How many processes were counted, where they were.
    pub processes: Option<usize>,
}

/// How much processor time is used.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CpuUsage {
    /// Whose.
    pub of: Subject,
    /// How long to watch.
    pub over: Duration,
}

/// Processor time that was used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cpu {
    /// In percent of one core: two busy cores are 200.
    pub percent: f64,
    /// How long it was watched.
    pub over: Duration,
}

/// One reading of processor time used so far.
enum Reading {
    /// In nanoseconds, by a clock of our own.
    #[cfg(feature = "container")]
    Nanos(u64),
    Host(system::Ticks),
    Processes(processes::Times),
}

impl Probe for MemoryUsage {
    type Observation = Memory;

    async fn look(&self, cx: &Context) -> Result<Memory, CheckError> {
        match &self.0 {
            Subject::Host => blocking(system::memory).await,
            Subject::Process(name) => {
                let pids = processes::of(name, cx).await?;
                blocking(move || processes::memory(&pids)).await
            }
            #[cfg(feature = "container")]
            Subject::Container(container) => {
                let place = place(container, cx).await?;
                if let Some(group) = place.group {
                    cx.phase("reading its control group");
                    return blocking(move || group.memory().map_err(gone)).await;
                }
                let stats = cx.observe(ContainerStats(place.container)).await?;
                let limit = match stats.memory_limit {
                    Some(limit) => limit,
                    None => blocking(system::memory).await?.limit,
                };
                Ok(Memory { used: stats.memory, limit, processes: None })
            }
        }
    }

    fn describe(&self) -> String {
        format!("reading the memory that {} uses", self.0.describe())
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

impl Probe for CpuUsage {
    type Observation = Cpu;

    async fn look(&self, cx: &Context) -> Result<Cpu, CheckError> {
        let source = Source::find(&self.of, cx).await?;
        let first = source.read(cx).await?;
        let began = Instant::now();
        cx.phase(format!(
            "measuring over {}; `timeout` has to be longer than `over`",
            clockwork_core::duration::show(self.over)
        ));
        tokio::time::sleep(self.over).await;
        let second = source.read(cx).await?;
        let over = began.elapsed();
        let percent = match (first, second) {
            #[cfg(feature = "container")]
            (Reading::Nanos(first), Reading::Nanos(second)) => {
                second.saturating_sub(first) as f64 / over.as_nanos().max(1) as f64 * 100.0
            }
            (Reading::Host(first), Reading::Host(second)) => second.percent_since(&first),
            (Reading::Processes(first), Reading::Processes(second)) => second.percent_since(&first, over)?,
            _ => 0.0, // cannot be: one source, one kind of reading
        };
        Ok(Cpu { percent, over })
    }

    fn describe(&self) -> String {
        format!("measuring the processor time that {} uses", self.of.describe())
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

/// Where processor time is read from.
enum Source {
    Host,
    Processes(Vec<u32>),
    #[cfg(feature = "container")]
    Group(cgroup::Group),
    #[cfg(feature = "container")]
    Engine(ContainerRef),
}

impl Source {
    async fn find(subject: &Subject, cx: &Context) -> Result<Self, CheckError> {
        Ok(match subject {
            Subject::Host => Self::Host,
            Subject::Process(name) => Self::Processes(processes::of(name, cx).await?),
            #[cfg(feature = "container")]
            Subject::Container(container) => {
                let place = place(container, cx).await?;
                match place.group {
                    Some(group) => Self::Group(group),
                    None => Self::Engine(place.container),
                }
            }
        })
    }

    async fn read(&self, cx: &Context) -> Result<Reading, CheckError> {
        cx.phase("reading processor times");
        match self {
            Self::Host => blocking(|| system::ticks().map(Reading::Host)).await,
            Self::Processes(pids) => {
                let pids = pids.clone();
                blocking(move || system::times(&pids).map(Reading::Processes)).await
            }
            #[cfg(feature = "container")]
            Self::Group(group) => {
                let group = group.clone();
                blocking(move || group.cpu_nanos().map(Reading::Nanos).map_err(gone)).await
            }
            #[cfg(feature = "container")]
            Self::Engine(container) => cx
                .measure(ContainerStats(container.clone()))
                .await
                .map(|stats| Reading::Nanos(stats.cpu_nanos)),
        }
    }
}

impl Subject {
    fn describe(&self) -> String {
        match self {
            Self::Host => String::from("this machine"),
            Self::Process(name) => format!("the process {}", clockwork_core::text::quote(name)),
            #[cfg(feature = "container")]
            Self::Container(container) => format!("the container {}", container.name),
        }
    }
}

/// A container that runs: by its id, and its control group where that is on this machine.
#[cfg(feature = "container")]
struct Place {
    container: ContainerRef,
    group: Option<cgroup::Group>,
}

#[cfg(feature = "container")]
async fn place(container: &ContainerRef, cx: &Context) -> Result<Place, CheckError> {
    let listed = container.existing(cx).await?;
    if !matches!(listed.state, ContainerState::Running | ContainerState::Paused) {
        return Err(CheckError::target(format!(
            "the container {} uses nothing: it is {}",
            container.name, listed.state
        )));
    }
    let container = ContainerRef { engine: container.engine.clone(), name: listed.id };
    // Elsewhere than on Linux no container runs on this very system.
    let group = match cfg!(target_os = "linux") {
        true => cx.observe(cgroup::Groups).await?.of(&container.name),
        false => None,
    };
    Ok(Place { group, container })
}

#[cfg(feature = "container")]
fn gone(error: CheckError) -> CheckError {
    error.hint("did the container stop meanwhile?").retryable()
}

/// Files under /proc and /sys are read off the runtime's threads, in one hop.
async fn blocking<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    tokio::task::spawn_blocking(read).await?
}
