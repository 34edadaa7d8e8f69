//! [`Event`]: what happens in a run, in one line of time. Reporters and progress displays are folds over it.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use futures_core::{Stream, future::BoxFuture};

use crate::{CheckResult, Outcome, Report};

/// One thing that happened.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A check's first attempt began.
    Started {
        /// The check's id.
        id: Arc<str>,
    },
    /// An attempt ended, and another one will follow.
    Attempt {
        /// The check's id.
        id: Arc<str>,
        /// Which attempt, from 1.
        number: u32,
        /// How it ended.
        outcome: Outcome,
        /// What it said.
        message: String,
        /// When the next one follows.
        again_in: Duration,
    },
    /// A check has its verdict.
    Judged(Arc<CheckResult>),
    /// The run is over.
    Finished(Arc<Report>),
}

/// What has happened, for the stream to take.
pub(crate) type Told = Arc<Mutex<VecDeque<Event>>>;

/// The dispatcher's end of the stream. What happens is told many at a time, whenever the dispatcher waits.
#[derive(Debug, Default)]
pub(crate) struct Events {
    untold: VecDeque<Event>,
    /// None, where nobody listens.
    told: Option<Told>,
}

impl Events {
    /// For a run of which only the report is wanted.
    pub(crate) fn unheard() -> Self {
        Self::default()
    }

    /// With where they are told.
    pub(crate) fn heard() -> (Self, Told) {
        let told = Told::default();
        (Self { untold: VecDeque::new(), told: Some(Arc::clone(&told)) }, told)
    }

    pub(crate) fn emit(&mut self, event: impl FnOnce() -> Event) {
        if self.told.is_some() {
            self.untold.push_back(event());
        }
    }

    /// To be called before waiting, and at the end.
    pub(crate) fn tell(&mut self) {
        if let Some(told) = &self.told
            && !self.untold.is_empty()
        {
            told.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.untold);
        }
    }
}

/// A run, as the events that it yields. It runs while it is polled; dropping it cancels every check.
#[must_use = "nothing runs until the stream is polled"]
pub struct EventStream {
    run: Option<BoxFuture<'static, Report>>,
    told: Told,
    /// Those that were taken out of `told` already, which come first.
    taken: VecDeque<Event>,
}

impl EventStream {
    pub(crate) fn new(run: BoxFuture<'static, Report>, told: Told) -> Self {
        Self { run: Some(run), told, taken: VecDeque::new() }
    }

    /// The next event; `None` after [`Event::Finished`].
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    fn take(&mut self) {
        std::mem::swap(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner), &mut self.taken);
    }

    /// An event that has happened already, if there is one: the run does not go on for it.
    pub fn waiting(&mut self) -> Option<Event> {
        if self.taken.is_empty() {
            self.take();
        }
        self.taken.pop_front()
    }
}

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.waiting() {
            return Poll::Ready(Some(event));
        }
        let Some(run) = &mut self.run else { return Poll::Ready(None) };
        let polled = run.as_mut().poll(cx);
        self.take();
        if let Poll::Ready(report) = polled {
            self.run = None;
            self.taken.push_back(Event::Finished(Arc::new(report)));
        }
        match self.taken.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None => Poll::Pending,
        }
    }
}

impl std::fmt::Debug for EventStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventStream").field("over", &self.run.is_none()).finish_non_exhaustive()
    }
}
