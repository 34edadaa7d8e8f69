//! [`Probe`]: a read-only way to touch the world, and the store that lets everybody who asks the same thing in one
//! round share one look at it.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, VecDeque},
    future::Future,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

use crate::{CheckError, Context, Fault, ResourceName};

/// One question to the world: the type says which, the fields are its arguments.
///
/// Equal questions from the same vantage in the same round are asked once ([`Context::observe`]).
pub trait Probe: Clone + Eq + Hash + Send + Sync + 'static {
    /// The answer.
    type Observation: Send + Sync + 'static;

    /// Looks. No deadline of its own: whoever waits has one, and dropping the future ends the look. What it is doing
    /// right now it says with [`Context::phase`].
    fn look(&self, cx: &Context) -> impl Future<Output = Result<Self::Observation, CheckError>> + Send;

    /// What is asked, for the message when no answer comes: `GET http://localhost/health`.
    fn describe(&self) -> String;

    /// Whose fault it is when no answer comes.
    fn silence(&self) -> Fault {
        Fault::Target
    }

    /// Whether it can look from inside a container. One that cannot is refused there: what it sees from the host would
    /// be reported as seen from inside.
    fn looks_inside(&self) -> bool {
        false
    }

    /// What it touches, to bound how many look at one target at the same time; `None` where that needs no bound.
    fn target(&self) -> Option<String> {
        None
    }

    /// About how many bytes an observation holds on to.
    fn weight(_: &Self::Observation) -> usize {
        256
    }
}

/// Where a probe looks from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Vantage {
    /// The machine that Clockwork runs on.
    #[default]
    Host,
    /// The inside of this resource (a container).
    Inside(ResourceName),
}

impl Vantage {
    /// The report's `at`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Host => "host",
            Self::Inside(name) => name.as_str(),
        }
    }
}

/// What a look is doing right now, so that whoever runs out of time can say what it waited for.
#[derive(Debug, Default)]
pub(crate) struct Phase(Mutex<String>);

impl Phase {
    pub(crate) fn set(&self, phase: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase.into();
    }

    pub(crate) fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Answer<P> = Result<Arc<<P as Probe>::Observation>, CheckError>;
type Flight<P> = Shared<BoxFuture<'static, Answer<P>>>;
type Key<P> = Arc<(Vantage, P)>;

/// How many bytes of observations one run keeps per kind of probe. Beyond it the oldest are forgotten, and asked for
/// again if anybody still needs them.
const KEPT: usize = 4 << 20;

struct Entry<P: Probe> {
    began: Instant,
    flight: Flight<P>,
    phase: Arc<Phase>,
}

/// The looks of one kind of probe in one run.
struct Store<P: Probe>(Mutex<Looks<P>>);

struct Looks<P: Probe> {
    entries: HashMap<Key<P>, Entry<P>>,
    /// Which observation began when and weighs how much, oldest first.
    kept: VecDeque<(Key<P>, Instant, usize)>,
    weight: usize,
}

impl<P: Probe> Default for Store<P> {
    fn default() -> Self {
        Self(Mutex::new(Looks { entries: HashMap::new(), kept: VecDeque::new(), weight: 0 }))
    }
}

impl<P: Probe> Store<P> {
    /// The look that `cx` may share, or a new one: a look serves everybody who does not need a fresher one.
    fn share(self: &Arc<Self>, probe: P, cx: &Context) -> Waiter<P> {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Arc::new((cx.vantage().clone(), probe));
        if let Some(entry) = looks.entries.get(&key)
            && entry.began >= cx.fresh_since()
        {
            let (flight, phase) = (entry.flight.clone(), Arc::clone(&entry.phase));
            return Waiter { store: Arc::clone(self), key, flight, phase };
        }
        let began = Instant::now();
        let phase = Arc::<Phase>::default();
        let look = {
            let (store, key, cx) = (Arc::clone(self), Arc::clone(&key), cx.for_look(Arc::clone(&phase)));
            async move {
                let _turn = cx.turn(&key.1).await;
                let answer = key.1.look(&cx).await.map(Arc::new);
                store.keep(key, began, answer.as_ref().map_or(256, |seen| P::weight(seen)));
                answer
            }
        };
        let flight = look.boxed().shared();
        let entry = Entry { began, flight: flight.clone(), phase: Arc::clone(&phase) };
        let older = looks.entries.insert(Arc::clone(&key), entry);
        drop(looks); // before what the older look holds goes
        drop(older);
        Waiter { store: Arc::clone(self), key, flight, phase }
    }

    fn keep(&self, key: Key<P>, began: Instant, weight: usize) {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let weight = weight + 2 * size_of::<P>() + 256;
        looks.weight += weight;
        looks.kept.push_back((key, began, weight));
        // The newest stays, however large: somebody is about to ask for it again.
        while looks.weight > KEPT
            && looks.kept.len() > 1
            && let Some((oldest, began, weight)) = looks.kept.pop_front()
        {
            looks.weight -= weight;
            // A later look at the same thing has an account of its own.
            if looks.entries.get(&oldest).is_some_and(|entry| entry.began == began) {
                looks.entries.remove(&oldest);
            }
        }
    }
}

/// One who waits for a look. When the last one leaves before the answer is there, the look ends: nobody polls it any
/// more, and what it holds (a connection, a turn at its target) must not be held for nobody.
struct Waiter<P: Probe> {
    store: Arc<Store<P>>,
    key: Key<P>,
    flight: Flight<P>,
    phase: Arc<Phase>,
}

impl<P: Probe> Drop for Waiter<P> {
    fn drop(&mut self) {
        if self.flight.peek().is_some() {
            return;
        }
        let mut looks = self.store.0.lock().unwrap_or_else(PoisonError::into_inner);
        let abandoned = looks.entries.get(&self.key).is_some_and(|entry| {
            entry.flight.ptr_eq(&self.flight)
                && entry.flight.strong_count().is_some_and(|holders| holders <= 2)
        });
        let entry = if abandoned { looks.entries.remove(&self.key) } else { None };
        drop(looks); // before what the look holds goes
        drop(entry);
    }
}

/// One value of each type: the stores, and what probes share for the length of a run (connections, clients).
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Shelf {
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let any = shelf.entry(TypeId::of::<T>()).or_insert_with(|| Arc::<T>::default());
        // It cannot be of another type: the key is the type.
        Arc::clone(any).downcast().unwrap_or_default()
    }

    /// Forgets everything, unfinished looks included.
    pub(crate) fn clear(&self) {
        let all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(all);
    }
}

/// Asks, or shares an answer of this round.
pub(crate) async fn observe<P: Probe>(probe: P, cx: &Context) -> Answer<P> {
    refuse_to_look_elsewhere(&probe, cx)?;
    let store: Arc<Store<P>> = cx.shared();
    let waiter = store.share(probe, cx);
    within_deadline(&waiter.key.1, cx, &waiter.phase, waiter.flight.clone()).await
}

/// Asks for this caller alone.
pub(crate) async fn measure<P: Probe>(probe: P, cx: &Context) -> Answer<P> {
    refuse_to_look_elsewhere(&probe, cx)?;
    let phase = Arc::<Phase>::default();
    let look_cx = cx.for_look(Arc::clone(&phase));
    let look = async {
        let _turn = look_cx.turn(&probe).await;
        probe.look(&look_cx).await.map(Arc::new)
    };
    within_deadline(&probe, cx, &phase, look).await
}

fn refuse_to_look_elsewhere<P: Probe>(probe: &P, cx: &Context) -> Result<(), CheckError> {
    match cx.vantage() {
        Vantage::Inside(name) if !probe.looks_inside() => {
            let message = format!("cannot look from inside {name} ({})", probe.describe());
            Err(CheckError::unobservable(message).hint("leave out `at`, or look through files and processes"))
        }
        _ => Ok(()),
    }
}

async fn within_deadline<P: Probe>(
    probe: &P,
    cx: &Context,
    phase: &Phase,
    look: impl Future<Output = Answer<P>>,
) -> Answer<P> {
    let Some(deadline) = cx.deadline() else { return look.await };
    let asked = Instant::now();
    match tokio::time::timeout_at(deadline, look).await {
        Ok(answer) => answer,
        Err(_) => {
            let waited = crate::duration::show(deadline.saturating_duration_since(asked));
            let phase = match phase.get() {
                phase if phase.is_empty() => probe.describe(),
                phase => format!("{}, {phase}", probe.describe()),
            };
            Err(CheckError::timed_out(probe.silence(), format!("no answer within {waited} ({phase})")))
        }
    }
}
