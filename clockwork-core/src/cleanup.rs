//! [`Context::finally`]: what has to be done when an attempt has ended, however it ends.
//!
//! An attempt that ends by itself (with a verdict, an error, a panic, or because its time is over) does it there and then,
//! and its result says what became of it. One that is ended from outside (Ctrl-C, fail-fast, the run's deadline) leaves it
//! behind, and the dispatcher does it before the run ends. When the whole run is dropped, nobody is left to do it but the
//! runtime: that is the one task that outlives a run, and it is bounded as all of them are.

use std::{
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use crate::{CheckError, Context, Verdict, duration::show};

/// What became of a cleanup.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Cleaned {
    /// What was done, for the report's `details.cleanup`; null, where there is nothing to say.
    pub(crate) details: Value,
    /// Why something is still there.
    pub(crate) failed: Option<String>,
}

impl Cleaned {
    /// It is all gone. What was done goes to the report's `details.cleanup`, unless it is null.
    pub fn done(details: impl Into<Value>) -> Self {
        Self { details: details.into(), failed: None }
    }

    /// Something is still there. A check that passed fails with that, because it left something behind.
    pub fn failed(message: impl Into<String>, details: impl Into<Value>) -> Self {
        Self { details: details.into(), failed: Some(message.into()) }
    }
}

type Cleaning = Pin<Box<dyn Future<Output = Cleaned> + Send>>;

/// One cleanup that is still to be done.
pub(crate) struct Cleanup {
    within: Duration,
    work: Work,
}

enum Work {
    Waits(Box<dyn FnOnce(Context) -> Cleaning + Send>),
    Runs(Cleaning, Instant),
    Over,
}

impl Cleanup {
    pub(crate) fn new<F, Fut>(within: Duration, clean: F) -> Self
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = Cleaned> + Send + 'static,
    {
        Self { within, work: Work::Waits(Box::new(|cx| Box::pin(clean(cx)))) }
    }

    /// Goes on until it is done, panics, or its time is over. One that is dropped meanwhile can go on elsewhere.
    async fn run(&mut self, cx: &Context) -> Cleaned {
        if let Work::Waits(clean) = std::mem::replace(&mut self.work, Work::Over) {
            let deadline = Instant::now() + self.within;
            self.work = match catch_unwind(AssertUnwindSafe(|| clean(cx.with_deadline(deadline)))) {
                Ok(cleaning) => Work::Runs(cleaning, deadline),
                Err(_) => Work::Over,
            };
        }
        let Work::Runs(cleaning, deadline) = &mut self.work else {
            return Cleaned::failed("it panicked", Value::Null);
        };
        let deadline = *deadline;
        let cleaned = poll_fn(|task| match catch_unwind(AssertUnwindSafe(|| cleaning.as_mut().poll(task))) {
            Ok(poll) => poll,
            Err(_) => Poll::Ready(Cleaned::failed("it panicked", Value::Null)),
        });
        let cleaned = tokio::time::timeout_at(deadline + GRACE, cleaned).await;
        self.work = Work::Over;
        cleaned.unwrap_or_else(|_| {
            let message = format!("it did not finish within {}", show(self.within));
            Cleaned::failed(message, Value::Null)
        })
    }
}

/// How long a cleanup may overrun its time, so that it can say itself what it waited for.
const GRACE: Duration = Duration::from_millis(50);

/// The cleanups of one attempt, the latest last.
#[derive(Default)]
pub(crate) struct Cleanups {
    list: Mutex<Vec<Cleanup>>,
    /// There was one: of most attempts, nobody has to look into the list.
    any: AtomicBool,
}

impl Cleanups {
    fn list(&self) -> MutexGuard<'_, Vec<Cleanup>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> usize {
        if self.any.load(Ordering::Acquire) { self.list().len() } else { 0 }
    }

    pub(crate) fn add(&self, cleanup: Cleanup, left: &Left) {
        left.open.fetch_add(1, Ordering::AcqRel);
        self.list().push(cleanup);
        self.any.store(true, Ordering::Release);
    }

    /// All of them, for another one to hold.
    fn take(&self) -> Self {
        Self { list: Mutex::new(std::mem::take(&mut *self.list())), any: AtomicBool::new(true) }
    }
}

/// What ended attempts left behind.
#[derive(Default)]
pub(crate) struct Left {
    /// How many cleanups there are that are not done.
    open: AtomicUsize,
    behind: Mutex<Behind>,
}

#[derive(Default)]
struct Behind {
    list: Vec<Todo>,
    /// The run is over: nobody comes for them any more.
    closed: bool,
}

impl Left {
    fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many cleanups there are that are not done.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// How many of them were left behind.
    pub(crate) fn waiting(&self) -> usize {
        self.behind().list.iter().map(Todo::len).sum()
    }

    pub(crate) fn take(&self) -> Vec<Todo> {
        std::mem::take(&mut self.behind().list)
    }

    /// Whatever is left behind from now on is given to the runtime.
    pub(crate) fn close(&self) {
        let list = {
            let mut behind = self.behind();
            behind.closed = true;
            std::mem::take(&mut behind.list)
        };
        list.into_iter().for_each(Todo::detach);
    }
}

/// The cleanups of one attempt, and who does them. Dropped before they are done, it leaves them behind.
pub(crate) struct Todo {
    pub(crate) check: usize,
    cx: Context,
    current: Option<Cleanup>,
    /// It belongs to the runtime, which drops it only when it ends itself: then nobody is left.
    detached: bool,
}

impl Todo {
    pub(crate) fn new(check: usize, cx: Context) -> Self {
        Self { check, cx, current: None, detached: false }
    }

    /// What the attempt has in hand.
    pub(crate) fn context(&self) -> &Context {
        &self.cx
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        usize::from(self.current.is_some()) + self.cx.cleanups().len()
    }

    /// Does them all, the latest first.
    pub(crate) async fn run(&mut self) -> Vec<Cleaned> {
        let mut done = Vec::new();
        loop {
            if self.current.is_none() {
                let next = self.cx.cleanups().list().pop();
                self.current = next;
            }
            let Some(current) = &mut self.current else { return done };
            done.push(current.run(&self.cx).await);
            self.current = None;
            self.cx.run().left.open.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Gives them to the runtime, where there is one.
    fn detach(mut self) {
        self.detached = true;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(self.run().await) });
        }
    }
}

impl Drop for Todo {
    fn drop(&mut self) {
        if self.detached || self.is_empty() {
            return;
        }
        let rest = Self {
            check: self.check,
            cx: self.cx.with_cleanups(self.cx.cleanups().take()),
            current: self.current.take(),
            detached: false,
        };
        let mut behind = self.cx.run().left.behind();
        if behind.closed {
            drop(behind);
            rest.detach();
        } else {
            behind.list.push(rest);
        }
    }
}

/// `; its cleanup failed: …`, where one did.
pub(crate) fn failures(cleaned: &[Cleaned]) -> Option<String> {
    let failed: Vec<_> = cleaned.iter().filter_map(|one| one.failed.as_deref()).collect();
    (!failed.is_empty()).then(|| format!("its cleanup failed: {}", failed.join("; ")))
}

/// What the report's `details.cleanup` holds, if anything.
pub(crate) fn details(cleaned: &[Cleaned]) -> Option<Value> {
    let mut said: Vec<_> = cleaned.iter().map(|one| &one.details).filter(|said| !said.is_null()).collect();
    match said.len() {
        0 => None,
        1 => said.pop().cloned(),
        _ => Some(said.into_iter().cloned().collect()),
    }
}

/// What an attempt came to, with what became of its cleanup.
pub(crate) fn told(raw: Result<Verdict, CheckError>, cleaned: &[Cleaned]) -> Result<Verdict, CheckError> {
    let (failures, details) = (failures(cleaned), details(cleaned));
    match raw {
        Ok(mut verdict) => {
            if let Some(failures) = failures {
                verdict.words.message = match verdict.passed {
                    true => format!("it held, but {failures}"),
                    false => format!("{}; {failures}", verdict.words.message),
                };
                (verdict.passed, verdict.judged) = (false, false);
            }
            Ok(match details {
                Some(details) => verdict.detail("cleanup", details),
                None => verdict,
            })
        }
        Err(mut error) => {
            if let Some(failures) = failures {
                error = error.followed_by(&format!("; {failures}"));
            }
            Err(match details {
                Some(details) => error.detail("cleanup", details),
                None => error,
            })
        }
    }
}
