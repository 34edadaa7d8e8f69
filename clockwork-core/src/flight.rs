//! [`Flight`]: one look at the world, under way or done, and those who wait for it.
//!
//! It is polled by whoever of them comes. While there is one, which is nearly always, what wakes the look wakes that one;
//! while there are several, it wakes all of them, so that it does not matter which of them goes on or leaves. One allocation
//! holds the question, the answer, and who waits; another one the look itself, until it is done.

use std::{
    hash::{Hash, Hasher},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Task, Poll, Wake, Waker},
};

use futures_core::future::BoxFuture;
use tokio::time::Instant;

use crate::{
    CheckError, Probe, Vantage,
    phase::{PhaseSlot, SaysPhase},
};

pub(crate) type Answer<P> = Result<Arc<<P as Probe>::Observation>, CheckError>;

/// One look.
pub(crate) struct Flight<P: Probe> {
    /// The hash of what is asked, computed once.
    hash: u64,
    pub(crate) vantage: Vantage,
    pub(crate) probe: P,
    pub(crate) began: Instant,
    phase: PhaseSlot,
    state: Mutex<State<P>>,
}

struct State<P: Probe> {
    look: Look<P>,
    /// How many wait.
    waiting: u32,
    next_ticket: u32,
    to_wake: ToWake,
}

/// Whom to wake, by their tickets. Nearly always there is one.
#[derive(Default)]
struct ToWake {
    first: Option<(u32, Waker)>,
    #[expect(clippy::box_collection, reason = "each look is kept for a while, and of few anybody is here")]
    more: Option<Box<Vec<(u32, Waker)>>>,
}

enum Look<P: Probe> {
    Resting(BoxFuture<'static, Answer<P>>),
    /// Somebody polls it right now; and whether it was woken in the meantime. Then those who came since have to be, too:
    /// it may be that nobody else polls it again.
    Polled {
        woken: bool,
    },
    Done(Answer<P>),
    /// It panicked, or the last one who waited left.
    Lost,
}

impl<P: Probe> Flight<P> {
    /// A look that is still to be given its work, by [`Flight::start`].
    pub(crate) fn new(hash: u64, vantage: Vantage, probe: P) -> Arc<Self> {
        let state = State { look: Look::Lost, waiting: 0, next_ticket: 0, to_wake: ToWake::default() };
        let (began, phase, state) = (Instant::now(), PhaseSlot::default(), Mutex::new(state));
        Arc::new(Self { hash, vantage, probe, began, phase, state })
    }

    /// Gives it its work, and its first passenger.
    pub(crate) fn start(self: &Arc<Self>, look: BoxFuture<'static, Answer<P>>) -> Passenger<P> {
        let mut state = self.state();
        state.look = Look::Resting(look);
        self.aboard(&mut state)
    }

    /// One more who waits for it.
    pub(crate) fn board(self: &Arc<Self>) -> Passenger<P> {
        self.aboard(&mut self.state())
    }

    fn aboard(self: &Arc<Self>, state: &mut State<P>) -> Passenger<P> {
        state.waiting += 1;
        state.next_ticket += 1;
        Passenger { flight: Arc::clone(self), ticket: state.next_ticket, arrived: None }
    }

    fn state(&self) -> MutexGuard<'_, State<P>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One fewer waits. When it was the last, the look ends: nobody polls it any more, and what it holds (a connection,
    /// a turn at its target) must not be held for nobody.
    fn leave(&self, ticket: u32) -> Left<P> {
        let mut state = self.state();
        state.waiting -= 1;
        state.to_wake.forget(ticket);
        if state.waiting > 0 {
            return Left::Others;
        }
        match std::mem::replace(&mut state.look, Look::Lost) {
            Look::Resting(look) => Left::Nobody(Some(look)),
            _ => Left::Nobody(None),
        }
    }
}

/// Who is left.
pub(crate) enum Left<P: Probe> {
    Others,
    /// With what is to be dropped.
    Nobody(Option<BoxFuture<'static, Answer<P>>>),
}

impl ToWake {
    fn remember(&mut self, ticket: u32, waker: &Waker) {
        match &mut self.first {
            None => self.first = Some((ticket, waker.clone())),
            Some((first, before)) if *first == ticket => before.clone_from(waker),
            Some(_) => {
                let more = self.more.get_or_insert_default();
                match more.iter_mut().find(|(other, _)| *other == ticket) {
                    Some((_, before)) => before.clone_from(waker),
                    None => more.push((ticket, waker.clone())),
                }
            }
        }
    }

    fn forget(&mut self, ticket: u32) {
        self.first.take_if(|(other, _)| *other == ticket);
        if let Some(more) = &mut self.more {
            more.retain(|(other, _)| *other != ticket);
        }
    }

    fn wake(self) {
        self.first
            .into_iter()
            .chain(self.more.into_iter().flat_map(|more| *more))
            .for_each(|(_, waker)| waker.wake());
    }
}

impl<P: Probe> Wake for Flight<P> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let all = {
            let mut state = self.state();
            if let Look::Polled { woken } = &mut state.look {
                *woken = true;
            }
            std::mem::take(&mut state.to_wake)
        };
        all.wake();
    }
}

/// Equal when the same is asked.
impl<P: Probe> PartialEq for Flight<P> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.vantage == other.vantage && self.probe == other.probe
    }
}

impl<P: Probe> Eq for Flight<P> {}

impl<P: Probe> Hash for Flight<P> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<P: Probe> SaysPhase for Flight<P> {
    fn slot(&self) -> &PhaseSlot {
        &self.phase
    }
}

/// One who waits for a look.
pub(crate) struct Passenger<P: Probe> {
    pub(crate) flight: Arc<Flight<P>>,
    ticket: u32,
    arrived: Option<Arrived>,
}

/// How one has got an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// Whoever polled the look when it ended. There is one of each look.
    First,
    Later,
}

impl<P: Probe> Passenger<P> {
    /// How it has got its answer, if it has.
    pub(crate) fn arrived(&self) -> Option<Arrived> {
        self.arrived
    }

    /// Gives up waiting. To be called once, with the store locked: that is where others come from.
    pub(crate) fn leave(&self) -> Left<P> {
        self.flight.leave(self.ticket)
    }
}

impl<P: Probe> Future for Passenger<P> {
    type Output = Answer<P>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Answer<P>> {
        let Self { flight, ticket, arrived } = self.get_mut();
        let mut state = flight.state();
        let mut look = match &mut state.look {
            Look::Done(answer) => {
                *arrived = Some(Arrived::Later);
                return Poll::Ready(answer.clone());
            }
            Look::Lost => return Poll::Ready(Err(lost())),
            Look::Polled { .. } => {
                state.to_wake.remember(*ticket, task.waker());
                return Poll::Pending;
            }
            resting => match std::mem::replace(resting, Look::Polled { woken: false }) {
                Look::Resting(look) => look,
                _ => return Poll::Ready(Err(lost())),
            },
        };
        state.to_wake.remember(*ticket, task.waker());
        let is_alone = state.waiting == 1;
        drop(state);
        let everybody = (!is_alone).then(|| Waker::from(Arc::clone(flight)));
        let waker = everybody.as_ref().unwrap_or(task.waker());
        let polled = AssertUnwindSafe(|| look.as_mut().poll(&mut Task::from_waker(waker)));
        let polled = std::panic::catch_unwind(polled);
        let mut state = flight.state();
        match polled {
            Ok(Poll::Pending) => {
                let before = std::mem::replace(&mut state.look, Look::Resting(look));
                // Those who came meanwhile wait for a look that would wake this one alone, who may leave.
                let has_company = is_alone && state.waiting > 1;
                drop(state);
                if has_company || matches!(before, Look::Polled { woken: true }) {
                    flight.wake_by_ref();
                }
                Poll::Pending
            }
            Ok(Poll::Ready(answer)) => {
                *arrived = Some(Arrived::First);
                state.look = Look::Done(answer.clone());
                state.to_wake.forget(*ticket);
                let others = std::mem::take(&mut state.to_wake);
                drop(state); // before what the look holds goes
                others.wake();
                Poll::Ready(answer)
            }
            Err(panic) => {
                state.look = Look::Lost;
                drop(state);
                flight.wake_by_ref();
                std::panic::resume_unwind(panic)
            }
        }
    }
}

fn lost() -> CheckError {
    CheckError::unobservable("the look at it, which another check had begun, ended in a panic")
        .hint("this is a bug in its probe")
}

#[cfg(test)]
#[path = "flight_tests.rs"]
mod tests;
