//! [`Seats`]: the processes in which the checks of one file run, one after another.
//!
//! There are few at first. When all of them have been busy with the same checks for a while, there may be as many again: so
//! quick checks share processes, and slow ones do not wait for each other.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clockwork_core::CheckError;
use serde_json::json;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{
    file::Live,
    worker::{Child, Ends, Parent, Status},
};

/// How many there are before any has kept others waiting.
const AT_FIRST: usize = 2;
/// How long others wait while nothing moves.
const PATIENCE: Duration = Duration::from_millis(5);

/// Those of one file.
#[derive(Debug)]
pub(super) struct Seats {
    state: Mutex<State>,
    freed: Notify,
}

#[derive(Debug)]
struct State {
    free: Vec<Seat>,
    /// How many there are, free or not.
    there: usize,
    /// How many there may be.
    most: usize,
    /// When the last one became free, or when there came to be more.
    moved: Instant,
}

/// A process that waits for a check, or runs one.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) ends: Ends,
    pub(super) process: Process,
    /// Whether it has run others before.
    pub(super) used: bool,
}

/// A copy of the one that imported the file, or that one itself.
#[derive(Debug)]
pub(super) enum Process {
    Copy(Child<Live>),
    Itself(Arc<Live>),
}

/// A seat that somebody has taken. The process is ended when this is dropped, with all that it started.
#[derive(Debug)]
pub(super) struct Taken<'s> {
    pub(super) seat: Seat,
    place: Place<'s>,
}

/// Where it is missing.
#[derive(Debug)]
struct Place<'s>(Option<&'s Seats>);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(seats) = self.0 {
            seats.state().there -= 1;
            seats.freed.notify_one();
        }
    }
}

impl Seats {
    pub(super) fn new() -> Self {
        let state = State { free: Vec::new(), there: 0, most: AT_FIRST, moved: Instant::now() };
        Self { state: Mutex::new(state), freed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A free one, or a copy of this process; `None` where that is gone.
    pub(super) async fn take(&self, live: &Arc<Live>) -> Result<Option<Taken<'_>>, CheckError> {
        loop {
            let freed = self.freed.notified();
            let patient_until = {
                let mut state = self.state();
                if let Some(seat) = state.free.pop() {
                    return Ok(Some(Taken { seat, place: Place(Some(self)) }));
                }
                if state.there < state.most {
                    break;
                }
                if state.moved.elapsed() >= PATIENCE {
                    (state.most, state.moved) = (state.there * 2, Instant::now());
                    break;
                }
                state.moved + PATIENCE
            };
            tokio::select! {
                () = freed => {}
                () = sleep_until(patient_until) => {}
            }
        }
        self.fresh(live).await
    }

    /// One that has run nothing.
    pub(super) async fn fresh(&self, live: &Arc<Live>) -> Result<Option<Taken<'_>>, CheckError> {
        self.state().there += 1;
        let place = Place(Some(self));
        Ok(Seat::copy(live).await?.map(|seat| Taken { seat, place }))
    }
}

impl Drop for Seats {
    /// They run nothing, so that there is nothing else to be ended.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        for seat in state.free.drain(..) {
            seat.process.end();
        }
    }
}

impl Taken<'static> {
    /// A copy that runs one check only; `None` where the process is gone that is to be copied.
    pub(super) async fn once(live: &Arc<Live>) -> Result<Option<Self>, CheckError> {
        Ok(Seat::copy(live).await?.map(|seat| Self { seat, place: Place(None) }))
    }

    /// The process that imported the file, for one check.
    pub(super) async fn itself(live: Arc<Live>) -> Result<Option<Self>, CheckError> {
        let (ends, theirs) = Ends::pair()?;
        let begun = begin(&live, true, &theirs).await;
        let seat = |_| Seat { ends, process: Process::Itself(live), used: false };
        Ok(begun.map(seat).map(|seat| Self { seat, place: Place(None) }))
    }
}

impl Taken<'_> {
    /// For the next check.
    pub(super) fn give_back(self) {
        let Self { mut seat, mut place } = self;
        match place.0.take() {
            None => seat.process.end(),
            Some(seats) => {
                seat.used = true;
                {
                    let mut state = seats.state();
                    state.free.push(seat);
                    state.moved = Instant::now();
                }
                seats.freed.notify_one();
            }
        }
    }

    /// It has told its end, and runs nothing else.
    pub(super) fn end(self) {
        self.seat.process.end();
    }

    /// How it ended, when it closed its socket without a word.
    pub(super) async fn status(self) -> Status {
        match self.seat.process {
            Process::Copy(child) => child.status().await,
            Process::Itself(live) => match Arc::into_inner(live) {
                Some(live) => live.process.status().await,
                None => Status::Unknown,
            },
        }
    }
}

impl Seat {
    async fn copy(live: &Arc<Live>) -> Result<Option<Self>, CheckError> {
        let (ends, theirs) = Ends::pair()?;
        let child = |number| Child { parent: Arc::clone(live), number, ended: false };
        let seat = |number| Self { ends, process: Process::Copy(child(number)), used: false };
        Ok(begin(live, false, &theirs).await.map(seat))
    }
}

impl Process {
    pub(super) fn ask_where(&self) {
        match self {
            Self::Copy(child) => child.ask_where(),
            Self::Itself(live) => live.process.ask_where(),
        }
    }

    fn end(self) {
        if let Self::Copy(child) = self {
            child.end();
        }
    }
}

/// Has a process begin, with these ends; its number, or `None` where its parent is gone.
async fn begin(live: &Live, here: bool, theirs: &[crate::sandbox::Descriptor; 3]) -> Option<u64> {
    let number = live.number();
    let message = json!({ "do": "call", "id": number, "with": 3, "here": here });
    if live.requests.send(&message, theirs).await.is_err() {
        live.is_gone();
        return None;
    }
    Some(number)
}
