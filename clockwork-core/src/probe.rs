//! [`Probe`]: a read-only way to touch the world, and the store that lets everybody who asks the same thing in one
//! round share one look at it.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, HashSet, VecDeque},
    future::{Future, poll_fn},
    hash::{BuildHasher, Hash, Hasher},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Duration,
};

use foldhash::quality::RandomState;
use futures_core::future::BoxFuture;
use tokio::time::Instant;

use crate::{
    CheckError, Context, Fault, ResourceName,
    bell::Bell,
    flight::{Answer, Arrived, Flight, Left, Passenger},
    phase::{Phase, PhaseSlot, SaysPhase},
};

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

/// How many bytes of observations one run keeps per kind of probe. Beyond it the oldest are forgotten, and asked for
/// again if anybody still needs them.
const KEPT: usize = 2 << 20;

/// The looks of one kind of probe in one run.
struct Store<P: Probe> {
    hasher: RandomState,
    looks: Mutex<Looks<P>>,
}

struct Looks<P: Probe> {
    all: HashSet<Arc<Flight<P>>, Prehashed>,
    /// Which are done and weigh how much, oldest first.
    kept: VecDeque<(Arc<Flight<P>>, usize)>,
    weight: usize,
}

impl<P: Probe> Default for Store<P> {
    fn default() -> Self {
        let looks = Looks { all: HashSet::default(), kept: VecDeque::new(), weight: 0 };
        Self { hasher: RandomState::default(), looks: Mutex::new(looks) }
    }
}

impl<P: Probe> Store<P> {
    /// The look that `cx` may share, or a new one: a look serves everybody who does not need a fresher one.
    fn share(self: Arc<Self>, probe: P, cx: &Context) -> Waiter<P> {
        let hash = self.hasher.hash_one((cx.vantage(), &probe));
        let flight = Flight::new(hash, cx.vantage().clone(), probe);
        let asked = flight.began;
        let mut looks = self.looks();
        if let Some(under_way) = looks.all.get(&flight)
            && under_way.began >= cx.fresh_since()
        {
            let passenger = under_way.board();
            drop(looks);
            return Waiter { store: self, passenger, asked, is_kept: false };
        }
        let passenger = flight.start(look(&flight, cx));
        let older = looks.all.replace(flight);
        drop(looks); // before what the older look holds goes
        drop(older);
        Waiter { store: self, passenger, asked, is_kept: false }
    }

    /// Keeps a look that is done, and forgets the oldest where that is too much.
    fn keep(&self, flight: &Arc<Flight<P>>, answer: &Answer<P>) {
        let weight = answer.as_ref().map_or(256, |seen| P::weight(seen)) + size_of::<Flight<P>>() + 128;
        let flight = Arc::clone(flight);
        let mut looks = self.looks();
        looks.weight += weight;
        looks.kept.push_back((flight, weight));
        // The newest stays, however large: somebody is about to ask for it again.
        while looks.weight > KEPT
            && looks.kept.len() > 1
            && let Some((oldest, weight)) = looks.kept.pop_front()
        {
            looks.weight -= weight;
            looks.forget(&oldest);
        }
    }

    fn looks(&self) -> MutexGuard<'_, Looks<P>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Probe> Looks<P> {
    /// Forgets this look, and not a later one at the same thing, which has an account of its own.
    fn forget(&mut self, flight: &Arc<Flight<P>>) -> Option<Arc<Flight<P>>> {
        let known = self.all.take(flight)?;
        if Arc::ptr_eq(&known, flight) {
            return Some(known);
        }
        self.all.insert(known);
        None
    }
}

/// The look itself.
fn look<P: Probe>(flight: &Arc<Flight<P>>, cx: &Context) -> BoxFuture<'static, Answer<P>> {
    let flight = Arc::clone(flight);
    let cx = cx.for_look(Arc::clone(&flight) as Arc<dyn SaysPhase>);
    // Made where it stays: to be moved there, all the room that it will ever need would be copied.
    let room = Box::new_uninit();
    let look = Box::write(room, async move {
        let _turn = cx.turn(&flight.probe).await;
        flight.probe.look(&cx).await.map(Arc::new)
    });
    Box::into_pin(look)
}

/// One who waits for a look. The last one who leaves before the answer is there takes it out of the store.
struct Waiter<P: Probe> {
    store: Arc<Store<P>>,
    passenger: Passenger<P>,
    asked: Instant,
    /// The answer is accounted for.
    is_kept: bool,
}

impl<P: Probe> Drop for Waiter<P> {
    fn drop(&mut self) {
        match self.passenger.arrived() {
            None => {}
            // What it weighs could not be told: that panicked.
            Some(Arrived::First) if !self.is_kept => {
                let flight = self.store.looks().forget(&self.passenger.flight);
                return drop(flight);
            }
            Some(_) => return,
        }
        let mut looks = self.store.looks();
        let (look, flight) = match self.passenger.leave() {
            Left::Others => return,
            Left::Nobody(look) => (look, looks.forget(&self.passenger.flight)),
        };
        drop(looks); // before what the look holds goes
        drop((look, flight));
    }
}

/// Takes the one number that a key is hashed with as its hash: it is one already.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Prehashed;

/// See [`Prehashed`].
#[derive(Debug, Default)]
pub(crate) struct Given(u64);

impl BuildHasher for Prehashed {
    type Hasher = Given;

    fn build_hasher(&self) -> Given {
        Given::default()
    }
}

impl Hasher for Given {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// One value of each type: the stores, and what probes share for the length of a run (connections, clients).
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>, Prehashed>>);

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

/// What an engine gives each of its runs to share.
#[derive(Clone, Default)]
pub(crate) struct Provided(Vec<(TypeId, Arc<dyn Any + Send + Sync>)>);

impl Provided {
    pub(crate) fn add<T: Send + Sync + 'static>(&mut self, value: T) {
        self.0.push((TypeId::of::<T>(), Arc::new(value)));
    }

    pub(crate) fn shelf(&self) -> Shelf {
        Shelf(Mutex::new(self.0.iter().cloned().collect()))
    }
}

impl std::fmt::Debug for Provided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Provided").field(&self.0.len()).finish()
    }
}

/// Asks, or shares an answer of this round.
pub(crate) async fn observe<P: Probe>(probe: P, cx: &Context) -> Answer<P> {
    refuse_to_look_elsewhere(&probe, cx)?;
    let mut waiter = cx.shared::<Store<P>>().share(probe, cx);
    let Some(answer) = in_time(cx, &mut waiter.passenger).await else {
        let flight = &waiter.passenger.flight;
        return Err(too_late(&flight.probe, cx, waiter.asked, flight.slot()));
    };
    if waiter.passenger.arrived() == Some(Arrived::First) {
        waiter.store.keep(&waiter.passenger.flight, &answer);
        waiter.is_kept = true;
    }
    answer
}

/// Asks for this caller alone.
pub(crate) async fn measure<P: Probe>(probe: P, cx: &Context) -> Answer<P> {
    refuse_to_look_elsewhere(&probe, cx)?;
    let asked = Instant::now();
    let phase = Arc::<PhaseSlot>::default();
    let look_cx = cx.for_look(Arc::clone(&phase) as Arc<dyn SaysPhase>);
    // In a box, as whoever measures only now and then would have to hold the room for it always.
    let look = Box::pin(async {
        let _turn = look_cx.turn(&probe).await;
        probe.look(&look_cx).await.map(Arc::new)
    });
    in_time(cx, look).await.unwrap_or_else(|| Err(too_late(&probe, cx, asked, &phase)))
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

/// A time that was waited, as people would call it: 499 ms are 500 ms. What is told in every attempt again is the same
/// then, so that a timeline has no transition where nothing changed.
fn about(waited: Duration) -> Duration {
    let ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    let rounded = |unit: u64| ms.saturating_add(unit / 2) / unit * unit;
    let digits = ms.checked_ilog10().unwrap_or(0);
    let near = |ms_about: &u64| ms_about.abs_diff(ms) <= ms / 40;
    let about = (1..=2).filter_map(|kept| Some(rounded(10_u64.pow(digits.checked_sub(kept)?)))).find(near);
    about.map_or(waited, Duration::from_millis)
}

/// What comes before the deadline.
async fn in_time<T>(cx: &Context, look: impl Future<Output = T>) -> Option<T> {
    match (cx.deadline(), cx.bell()) {
        (None, _) => Some(look.await),
        (Some(_), Some(bell)) => until(bell, look).await,
        (Some(deadline), None) => tokio::time::timeout_at(deadline, look).await.ok(),
    }
}

/// That no answer came, and what was waited for.
fn too_late<P: Probe>(probe: &P, cx: &Context, asked: Instant, phase: &PhaseSlot) -> CheckError {
    let deadline = cx.deadline().unwrap_or_else(Instant::now);
    let waited = crate::duration::show(about(deadline.saturating_duration_since(asked)));
    let phase = phase.get();
    let ours = phase.as_ref().is_some_and(Phase::is_ours);
    let others = phase.as_ref().is_some_and(Phase::is_of_others);
    let phase = match phase {
        None => probe.describe(),
        Some(phase) => format!("{}, {phase}", probe.describe()),
    };
    let fault = if ours { Fault::Observer } else { probe.silence() };
    let error = CheckError::timed_out(fault, format!("no answer within {waited} ({phase})"));
    if others { error.inconclusive() } else { error }
}

/// What comes before the bell rings, or as it does.
async fn until<T>(bell: &Bell, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|task| match future.as_mut().poll(task) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => bell.poll(task.waker()).map(|()| None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_waiting_is_a_round_time_and_never_far_from_it() {
        for (waited, told) in [
            (0, 0),
            (7, 7),
            (198, 200),
            (290, 290),
            (499, 500),
            (996, 1_000),
            (1_234, 1_230),
            (1_499, 1_500),
            (4_988, 5_000),
            (89_990, 90_000),
            (124_950, 125_000),
        ] {
            assert_eq!(about(Duration::from_millis(waited)), Duration::from_millis(told), "{waited}");
        }
        for ms in (0..200_000).step_by(7) {
            let told = about(Duration::from_millis(ms)).as_millis().abs_diff(ms.into());
            assert!(told <= u128::from(ms) / 40, "{ms}");
        }
    }
}
