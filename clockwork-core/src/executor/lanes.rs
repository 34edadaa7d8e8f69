//! [`Lanes`]: the tasks that attempts run in, each for one attempt after the other. There are as many as attempts ran at the
//! same time: a task for each attempt costs as much as half of a check that waits for nothing.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

use tokio::{
    task::JoinSet,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    attempt::{Raw, attempt, lost},
    desk::Desk,
};
use crate::{
    Context,
    cleanup::{self, Todo},
    mask::Mask,
};

/// The lanes of one run, and what became of the attempts that they were given. When this is dropped, so are those that run.
pub(super) struct Lanes {
    tasks: JoinSet<()>,
    lanes: Vec<Arc<Lane>>,
    /// Those that have nothing to do.
    free: Vec<usize>,
    busy: usize,
    desk: Arc<Desk<Ended>>,
}

/// What a lane does next.
pub(super) enum Work {
    Attempt(Context),
    /// Undoes what an attempt left that brought this. In a box: few have anything to undo, and each is handed over.
    CleanUp(Box<(Todo, Raw)>),
}

/// An attempt that ended.
pub(super) struct Ended {
    pub(super) check: usize,
    pub(super) raw: Raw,
    /// Nothing, where the lane ended with it.
    lane: Option<usize>,
}

#[derive(Default)]
struct Lane {
    has_next: AtomicBool,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    next: Option<(usize, Work)>,
    /// The lane's task, once it has waited.
    task: Option<Waker>,
}

impl Lanes {
    pub(super) fn new() -> Self {
        let (lanes, free) = (Vec::new(), Vec::new());
        Self { tasks: JoinSet::new(), lanes, free, busy: 0, desk: Arc::default() }
    }

    /// How many are at work.
    pub(super) fn busy(&self) -> usize {
        self.busy
    }

    /// Has a check's attempt run.
    pub(super) fn run(&mut self, check: usize, work: Work, mask: &Arc<Mask>) {
        self.busy += 1;
        if let Some(lane) = self.free.pop() {
            return self.lanes[lane].give(check, work);
        }
        let (number, lane) = (self.lanes.len(), Arc::new(Lane::default()));
        lane.give(check, work);
        self.lanes.push(Arc::clone(&lane));
        let desk = Arc::clone(&self.desk);
        self.tasks.spawn(Arc::clone(mask).over(async move { lane.serve(number, &desk).await }));
    }

    /// Waits until some have ended.
    pub(super) async fn wait(&self) {
        self.desk.wait().await;
    }

    /// Those that have ended.
    pub(super) fn ended(&mut self) -> Vec<Ended> {
        let ended = self.desk.take();
        self.busy -= ended.len();
        self.free.extend(ended.iter().filter_map(|ended| ended.lane));
        ended
    }

    /// Has no attempt go on.
    pub(super) fn abort(&mut self) {
        self.tasks.abort_all();
    }

    /// Waits until another lane has ended, after [`Lanes::abort`]; returns whether there was one.
    pub(super) async fn join(&mut self) -> bool {
        self.tasks.join_next().await.is_some()
    }
}

impl Lane {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(&self, check: usize, work: Work) {
        let mut slot = self.slot();
        slot.next = Some((check, work));
        self.has_next.store(true, Ordering::Release);
        if let Some(task) = &slot.task {
            task.wake_by_ref();
        }
    }

    /// Waits for it. `is_known`: whoever gives knows the lane's task, in which it stays.
    async fn next(&self, is_known: &mut bool) -> (usize, Work) {
        poll_fn(|task| {
            if *is_known && !self.has_next.load(Ordering::Acquire) {
                return Poll::Pending;
            }
            let mut slot = self.slot();
            match slot.next.take() {
                Some(next) => {
                    self.has_next.store(false, Ordering::Release);
                    Poll::Ready(next)
                }
                None => {
                    slot.task = Some(task.waker().clone());
                    *is_known = true;
                    Poll::Pending
                }
            }
        })
        .await
    }

    async fn serve(&self, number: usize, desk: &Desk<Ended>) {
        let mut alarm: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
        let mut is_known = false;
        loop {
            let (check, work) = self.next(&mut is_known).await;
            let mut held = Held { check, desk, ends_by_itself: false };
            let raw = match work {
                Work::Attempt(cx) => {
                    // To put it off costs next to nothing, so that there is one for all attempts of a lane.
                    alarm.as_mut().reset(cx.deadline().unwrap_or_else(Instant::now));
                    attempt(check, &mut Todo::new(check, cx), alarm.as_mut()).await
                }
                Work::CleanUp(left) => {
                    let (mut todo, raw) = *left;
                    cleanup::told(raw, &Box::pin(todo.run()).await)
                }
            };
            held.ends_by_itself = true;
            drop(held);
            desk.put(Ended { check, raw, lane: Some(number) });
        }
    }
}

/// An assertion's own panic ends in its attempt. Whatever the user's code drops may panic, too, and then the lane ends.
struct Held<'a> {
    check: usize,
    desk: &'a Desk<Ended>,
    ends_by_itself: bool,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if !self.ends_by_itself {
            let raw = Err(lost("it panicked when it ended"));
            self.desk.put(Ended { check: self.check, raw, lane: None });
        }
    }
}
