//! [`Context`]: what a check has in hand: probes to ask, the resource it is about, and how long it may take.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    marker::PhantomData,
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

use crate::{
    CheckError, Cleaned, Clock, Driver, Fault, Named, Observation, Probe, Resource, ResourceName, Vantage,
    bell::Bell,
    cleanup::{Cleanup, Cleanups, Left},
    engine::Drivers,
    graph::Graph,
    mask::Mask,
    phase::{Phase, SaysPhase},
    probe::{self, Shelf},
};

/// What one attempt of one check has in hand. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    attempt: Arc<Attempt>,
    /// The resource that the check is declared on.
    node: Option<usize>,
    vantage: Vantage,
    fresh_since: Instant,
    deadline: Option<Instant>,
    /// The deadline is the attempt's.
    has_bell: bool,
    phase: Option<Arc<dyn SaysPhase>>,
}

/// What all contexts of one attempt share.
struct Attempt {
    run: Arc<Run>,
    /// Rings at its deadline.
    bell: Bell,
    /// What it has to undo.
    cleanups: Cleanups,
}

/// What all checks of one run share.
pub(crate) struct Run {
    pub(crate) graph: Arc<Graph>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) drivers: Drivers,
    pub(crate) shelf: Shelf,
    /// How many look at one target at the same time; `None` where the run's own concurrency bounds that already.
    pub(crate) target_concurrency: Option<usize>,
    pub(crate) turns: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// By which way each vantage is looked from.
    pub(crate) ways: Mutex<HashMap<ResourceName, &'static str>>,
    pub(crate) began: Instant,
    /// The secrets that its checks have read.
    pub(crate) mask: Arc<Mask>,
    /// What attempts that were ended have left to be undone.
    pub(crate) left: Left,
}

impl Run {
    pub(crate) fn new(
        graph: Arc<Graph>,
        clock: Arc<dyn Clock>,
        drivers: Drivers,
        shelf: Shelf,
        target_concurrency: Option<usize>,
        mask: Arc<Mask>,
    ) -> Self {
        let (turns, ways) = (Mutex::default(), Mutex::default());
        let (began, left) = (Instant::now(), Left::default());
        Self { graph, clock, drivers, shelf, target_concurrency, turns, ways, began, mask, left }
    }
}

impl Context {
    pub(crate) fn new(
        run: Arc<Run>,
        node: Option<usize>,
        vantage: Vantage,
        fresh_since: Instant,
        deadline: Instant,
    ) -> Self {
        let (bell, cleanups) = (Bell::default(), Cleanups::default());
        let attempt = Arc::new(Attempt { run, bell, cleanups });
        Self { attempt, node, vantage, fresh_since, deadline: Some(deadline), has_bell: true, phase: None }
    }

    /// Asks a probe, or shares the answer that somebody else got to the same question from the same vantage in this
    /// round. A retry is a new round.
    ///
    /// # Errors
    /// The probe's; or that no answer came before this check's deadline.
    pub async fn observe<P: Probe>(&self, probe: P) -> Result<Arc<P::Observation>, CheckError> {
        probe::observe(probe, self).await
    }

    /// Asks a probe for this check alone: for kinds that measure, and so need a look of their own.
    ///
    /// # Errors
    /// As [`Context::observe`].
    pub async fn measure<P: Probe>(&self, probe: P) -> Result<Arc<P::Observation>, CheckError> {
        probe::measure(probe, self).await
    }

    /// Asks a resource's driver what is there, or shares the answer of this round; `None` where there is nothing.
    ///
    /// # Errors
    /// The driver's; or that there is no such resource, or no driver for its kind.
    pub async fn observe_resource(
        &self,
        name: &str,
    ) -> Result<Arc<Option<Box<dyn Observation>>>, CheckError> {
        self.observe(ResourceProbe(ResourceName::new(name))).await
    }

    /// The same, as what its driver observes: `cx.observe_as::<ContainerDetails>(&web).await?`.
    ///
    /// # Errors
    /// As [`Context::observe_resource`]; and that its driver observes something else.
    pub async fn observe_as<O: Observation>(
        &self,
        resource: impl Named,
    ) -> Result<Option<Observed<O>>, CheckError> {
        let name = resource.resource_name();
        let seen = self.observe_resource(name.as_str()).await?;
        match &*seen {
            None => Ok(None),
            Some(there) if there.downcast_ref::<O>().is_some() => Ok(Some(Observed(seen, PhantomData))),
            Some(_) => {
                let wanted = std::any::type_name::<O>();
                Err(CheckError::unobservable(format!("what is observed of {name} is no {wanted}")))
            }
        }
    }

    /// What probes share for the length of this run (connections, clients): one value of each type.
    pub fn shared<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.run().shelf.get()
    }

    /// The resource that the check is declared on; `None` for a cross-resource one.
    pub fn resource(&self) -> Option<&dyn Resource> {
        self.shared_resource().map(|resource| &**resource)
    }

    pub(crate) fn shared_resource(&self) -> Option<&Arc<dyn Resource>> {
        self.node.map(|node| &self.run().graph.nodes[node].resource)
    }

    /// The resource that the check is declared on, if it is of this type.
    pub fn resource_as<R: Resource>(&self) -> Option<&R> {
        self.resource()?.downcast_ref()
    }

    /// Any resource of the project.
    pub fn resource_named(&self, name: &str) -> Option<&Arc<dyn Resource>> {
        self.run().graph.resource(name)
    }

    /// The project that is run, validated.
    pub fn graph(&self) -> &Graph {
        &self.run().graph
    }

    /// Where to look from.
    pub fn vantage(&self) -> &Vantage {
        &self.vantage
    }

    /// For probes: says by which way they look from this vantage, for the `details` of all results that rest on it.
    pub fn looks_by(&self, way: &'static str) {
        if let Vantage::Inside(name) = &self.vantage {
            let mut ways = self.run().ways.lock().unwrap_or_else(PoisonError::into_inner);
            ways.insert(name.clone(), way);
        }
    }

    /// When this attempt has to be over; `None` inside a look that several may wait for.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The time of day.
    pub fn now(&self) -> SystemTime {
        self.run().clock.now()
    }

    /// For probes: says what the look is doing right now, for the message when time runs out.
    pub fn phase(&self, phase: impl Into<Phase>) {
        if let Some(look) = &self.phase {
            look.slot().set(phase.into());
        }
    }

    /// For probes with a patience of their own: whether what the look is doing right now is ours ([`Phase::ours`]), and
    /// so nothing that the target could be blamed for.
    pub fn waits_for_us(&self) -> bool {
        self.phase.as_ref().and_then(|look| look.slot().get()).is_some_and(|phase| phase.is_ours())
    }

    /// Does this when the attempt has ended, however it ends: with a verdict, with an error, by a panic, when its time is
    /// over, or because the run is interrupted. What was registered last is done first.
    ///
    /// It gets a context of its own, whose deadline is `within` from when it begins; then it is given up. What became of it
    /// stands in the result: what it says that it did, and that it failed. A check that passed and left something behind
    /// has failed.
    ///
    /// Not done is it when the process is killed, or ended by a second Ctrl-C. Where the run's future is dropped, it is
    /// left to the runtime.
    pub fn finally<F, Fut>(&self, within: Duration, clean: F)
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = Cleaned> + Send + 'static,
    {
        self.attempt.cleanups.add(Cleanup::new(within, clean), &self.run().left);
    }

    pub(crate) fn run(&self) -> &Run {
        &self.attempt.run
    }

    /// What rings at this context's deadline, where that is the attempt's.
    pub(crate) fn bell(&self) -> Option<&Bell> {
        self.has_bell.then_some(&self.attempt.bell)
    }

    pub(crate) fn mask(&self) -> &Arc<Mask> {
        &self.run().mask
    }

    pub(crate) fn cleanups(&self) -> &Cleanups {
        &self.attempt.cleanups
    }

    /// The same for whoever undoes these instead of the attempt.
    pub(crate) fn with_cleanups(&self, cleanups: Cleanups) -> Self {
        let (run, bell) = (Arc::clone(&self.attempt.run), Bell::default());
        Self { attempt: Arc::new(Attempt { run, bell, cleanups }), has_bell: false, ..self.clone() }
    }

    /// For a cleanup: what was seen before says nothing any more.
    pub(crate) fn with_deadline(&self, deadline: Instant) -> Self {
        let fresh_since = Instant::now();
        Self { deadline: Some(deadline), has_bell: false, fresh_since, phase: None, ..self.clone() }
    }

    /// The same, for a part of what is to be done: until then, if the attempt's own deadline is not earlier.
    #[must_use]
    pub fn until(&self, deadline: Instant) -> Self {
        match self.deadline {
            Some(own) if own <= deadline => self.clone(),
            _ => Self { deadline: Some(deadline), has_bell: false, ..self.clone() },
        }
    }

    /// The same, looking from somewhere else.
    #[must_use]
    pub fn from_vantage(&self, vantage: Vantage) -> Self {
        Self { vantage, ..self.clone() }
    }

    /// The same, about another resource.
    pub(crate) fn on(&self, resource: Option<&ResourceName>) -> Self {
        let node = resource.and_then(|name| self.run().graph.node(name.as_str()));
        Self { node, ..self.clone() }
    }

    /// Observations that began before this are too old for this attempt.
    pub(crate) fn fresh_since(&self) -> Instant {
        self.fresh_since
    }

    /// For a look that several may wait for: their deadlines are their own.
    pub(crate) fn for_look(&self, look: Arc<dyn SaysPhase>) -> Self {
        Self { deadline: None, has_bell: false, phase: Some(look), ..self.clone() }
    }

    /// Waits until fewer than the limit look at this probe's target. The look holds what this returns.
    pub(crate) async fn turn<P: Probe>(&self, probe: &P) -> Option<OwnedSemaphorePermit> {
        let limit = self.run().target_concurrency?;
        let target = probe.target()?;
        let semaphore = {
            let mut turns = self.run().turns.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(turns.entry(target).or_insert_with(|| Arc::new(Semaphore::new(limit))))
        };
        semaphore.acquire_owned().await.ok()
    }
}

/// What a resource's driver saw, as its type: shared with everybody who asked in this round.
pub struct Observed<O>(Arc<Option<Box<dyn Observation>>>, PhantomData<O>);

impl<O: Observation> Deref for Observed<O> {
    type Target = O;

    fn deref(&self) -> &O {
        match self.0.as_deref().and_then(|seen| seen.downcast_ref()) {
            Some(seen) => seen,
            None => unreachable!("it was of this type when it was made"),
        }
    }
}

impl<O: Observation> fmt::Debug for Observed<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Asks a resource's driver.
#[derive(Clone, PartialEq, Eq, Hash)]
struct ResourceProbe(ResourceName);

impl Probe for ResourceProbe {
    type Observation = Option<Box<dyn Observation>>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let name = self.0.as_str();
        let resource =
            cx.resource_named(name).ok_or_else(|| CheckError::unobservable(cx.run().graph.unknown(name)))?;
        let driver: Arc<dyn Driver> = match cx.run().drivers.get(resource.kind()) {
            Some(driver) => Arc::clone(driver),
            None => resource.driver().ok_or_else(|| {
                CheckError::unobservable(format!("there is no driver for {}", resource.kind()))
                    .hint("add one with `Engine::builder().driver(…)`")
            })?,
        };
        driver.observe(&**resource, cx).await
    }

    fn describe(&self) -> String {
        format!("observing {}", self.0)
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = self.resource().map(|resource| resource.common().name());
        f.debug_struct("Context")
            .field("resource", &resource)
            .field("vantage", &self.vantage)
            .finish_non_exhaustive()
    }
}
