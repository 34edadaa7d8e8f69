//! [`Engine`]: runs projects. Built by the host, holds no globals, cheap to clone, usable from many tasks at once.

use std::{collections::HashMap, sync::Arc};

use crate::{
    Clock, Driver, EventStream, ManifestError, Passes, Problem, Project, ProjectError, Registry,
    RegistryError, Report, RunOptions, SystemClock, context::Run, event::Events, executor, graph::Graph,
    probe::Provided,
};

/// Whatever can keep a project from running.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The project is not valid.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// The manifest is not valid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The engine was built with two kinds of one name.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// Runs projects.
///
/// ```
/// use clockwork_core::prelude::*;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let project = Project::new("sums").assert(assertion("adds up", async |_: Context| 2 + 2 == 4));
/// let report = Engine::standard().assert(&project).await?;
/// assert!(report.passed(), "{report}");
/// # Ok::<(), Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    drivers: Drivers,
    registry: Registry,
    concurrency: Option<usize>,
    provided: Provided,
    passes: Passes,
}

/// Drivers by the kind that they are for.
pub(crate) type Drivers = Arc<HashMap<&'static str, Arc<dyn Driver>>>;

/// Builds an [`Engine`].
#[derive(Debug)]
#[must_use]
pub struct EngineBuilder {
    clock: Arc<dyn Clock>,
    drivers: HashMap<&'static str, Arc<dyn Driver>>,
    registry: Registry,
    concurrency: Option<usize>,
    provided: Provided,
}

impl EngineBuilder {
    /// Gives every run this value to share ([`crate::Context::shared`]), instead of its type's default.
    pub fn provide<T: Default + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.provided.add(value);
        self
    }

    /// Uses this driver for its kinds, instead of the one that a resource brings with it.
    pub fn driver(mut self, driver: impl Driver + 'static) -> Self {
        let driver: Arc<dyn Driver> = Arc::new(driver);
        self.drivers.extend(driver.kinds().iter().map(|kind| (*kind, Arc::clone(&driver))));
        self
    }

    /// Adds a crate's kinds, for manifests: `.register(clockwork_assert::register)`.
    pub fn register(mut self, register: impl FnOnce(&mut Registry)) -> Self {
        register(&mut self.registry);
        self
    }

    /// How many attempts run at the same time, instead of what the project says.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = Some(concurrency);
        self
    }

    /// Tells the time of day, for tests.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// The engine.
    ///
    /// # Errors
    /// When two kinds were registered under one name.
    pub fn build(self) -> Result<Engine, RegistryError> {
        self.registry.check()?;
        let Self { clock, drivers, registry, concurrency, provided } = self;
        let (drivers, passes) = (Arc::new(drivers), Passes::default());
        Ok(Engine(Arc::new(Inner { clock, drivers, registry, concurrency, provided, passes })))
    }
}

impl Engine {
    /// An engine with nothing changed: enough for projects that are declared in Rust.
    pub fn standard() -> Self {
        let EngineBuilder { clock, drivers, registry, concurrency, provided } = Self::builder();
        let (drivers, passes) = (Arc::new(drivers), Passes::default());
        Self(Arc::new(Inner { clock, drivers, registry, concurrency, provided, passes }))
    }

    /// An engine of one's own making.
    pub fn builder() -> EngineBuilder {
        EngineBuilder {
            clock: Arc::new(SystemClock),
            drivers: HashMap::new(),
            registry: Registry::new(),
            concurrency: None,
            provided: Provided::default(),
        }
    }

    /// The kinds that a manifest may name.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// Observes and judges; changes nothing. Dropping the future cancels every check.
    ///
    /// # Errors
    /// When the project is not valid. Nothing ran.
    pub async fn assert(&self, project: &Project) -> Result<Report, ProjectError> {
        let graph = Arc::new(Graph::new(project)?);
        Ok(self.prepare(graph, RunOptions::default(), Events::unheard())?.await)
    }

    /// As [`Engine::assert`], yielding events while it runs.
    ///
    /// # Errors
    /// When the project is not valid. Nothing ran.
    pub fn stream(&self, project: &Project) -> Result<EventStream, ProjectError> {
        self.run(Arc::new(Graph::new(project)?), RunOptions::default())
    }

    /// As [`Engine::stream`], for a validated project and with options.
    ///
    /// # Errors
    /// When an option names a resource that is not there. Nothing ran.
    pub fn run(&self, graph: Arc<Graph>, options: RunOptions) -> Result<EventStream, ProjectError> {
        let (events, told) = Events::heard();
        Ok(EventStream::new(Box::pin(self.prepare(graph, options, events)?), told))
    }

    fn prepare(
        &self,
        graph: Arc<Graph>,
        mut options: RunOptions,
        events: Events,
    ) -> Result<impl Future<Output = Report> + Send + use<>, ProjectError> {
        let unknown = options.only.iter().filter(|name| graph.resource(name).is_none());
        let problems: Vec<_> =
            unknown.map(|name| Problem::new("unknown-resource", &["--only"], graph.unknown(name))).collect();
        if !problems.is_empty() {
            return Err(ProjectError { problems });
        }
        options.concurrency = options.concurrency.or(self.0.concurrency);
        let concurrency = options.concurrency.unwrap_or(graph.defaults.concurrency).max(1);
        let target_concurrency = graph.defaults.target_concurrency.filter(|limit| *limit < concurrency);
        let (clock, drivers) = (Arc::clone(&self.0.clock), Arc::clone(&self.0.drivers));
        let shelf = self.0.provided.shelf();
        let passes = options.passes.clone().unwrap_or_else(|| self.0.passes.clone());
        let mask = Arc::clone(&options.secrets.0);
        Ok(async move {
            let run = Run::new(graph, clock, drivers, shelf, target_concurrency, mask);
            executor::run(run, passes, options, events).await
        })
    }
}
