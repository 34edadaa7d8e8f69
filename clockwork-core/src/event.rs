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

/// The dispatcher's end of the stream; none, where nobody listens.
#[derive(Debug, Clone)]
pub(crate) struct Events(Option<Arc<Mutex<VecDeque<Event>>>>);

impl Default for Events {
    fn default() -> Self {
        Self(Some(Arc::default()))
    }
}

impl Events {
    /// For a run of which only the report is wanted.
    pub(crate) fn unheard() -> Self {
        Self(None)
    }

    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(events) = &self.0 {
            events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event());
        }
    }

    /// All that have happened since, into an empty list.
    fn take(&self, taken: &mut VecDeque<Event>) {
        if let Some(events) = &self.0 {
            std::mem::swap(&mut *events.lock().unwrap_or_else(PoisonError::into_inner), taken);
        }
    }
}

/// A run, as the events that it yields. It runs while it is polled; dropping it cancels every check.
#[must_use = "nothing runs until the stream is polled"]
pub struct EventStream {
    run: Option<BoxFuture<'static, Report>>,
    events: Events,
    /// Those that were taken out of `events` already, which come first.
    taken: VecDeque<Event>,
}

impl EventStream {
    pub(crate) fn new(run: BoxFuture<'static, Report>, events: Events) -> Self {
        Self { run: Some(run), events, taken: VecDeque::new() }
    }

    /// The next event; `None` after [`Event::Finished`].
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// An event that has happened already, if there is one: the run does not go on for it.
    pub fn waiting(&mut self) -> Option<Event> {
        if self.taken.is_empty() {
            self.events.take(&mut self.taken);
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
        if let Poll::Ready(report) = run.as_mut().poll(cx) {
            self.run = None;
            self.events.emit(|| Event::Finished(Arc::new(report)));
        }
        match self.waiting() {
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
