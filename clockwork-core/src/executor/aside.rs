//! Attempts that may block their thread ([`Assertion::may_block`](crate::Assertion::may_block)): the user's own code. They
//! run beside the run, on threads of ours, as on the runtime's thread they would hold up every other check and its deadline.
//!
//! One thread runs them all, as long as nothing blocks; a second one waits, looks now and then whether somebody is stuck, and
//! takes over. So whatever is stuck costs a thread and nobody's time. Threads end when they have had nothing to do for a
//! while, and those that are stuck when they are no longer.

use std::{
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context as TaskContext, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use tokio::runtime::Handle;

use super::{
    attempt::{Raw, attempt_alone, lost},
    desk::Desk,
};
use crate::{CheckError, Context, Fault, duration::show};

/// How long the spare thread lets work lie that somebody else may be about to take.
const TURN: Duration = Duration::from_millis(5);
/// How long a thread waits for work before it ends.
const IDLE: Duration = Duration::from_millis(500);
/// How long a thread that has just worked looks for more without sleeping: to be woken costs more than that.
const SPIN: Duration = Duration::from_micros(20);
/// Who holds a thread for longer blocks it.
const BLOCKS: Duration = Duration::from_millis(100);
/// How many threads there may be. Whoever comes then waits until one is free, at most until its own deadline.
const THREADS: usize = 256;

/// The threads of one run, and what became of the attempts that they were given.
pub(super) struct Aside(Arc<Shop>);

/// An attempt that ended.
pub(super) struct Ended {
    pub(super) job: Arc<Job>,
    pub(super) raw: Raw,
}

impl Aside {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// An attempt that is still to be handed over, by [`Aside::run`].
    pub(super) fn job(&self, check: usize, cx: Context) -> Arc<Job> {
        Arc::new(Job { check, cx, state: Mutex::default(), shop: Arc::clone(&self.0) })
    }

    /// Has them run.
    pub(super) fn run(&self, jobs: Vec<Arc<Job>>) {
        if !jobs.is_empty() {
            self.0.runtime.get_or_init(Handle::current);
            self.0.put(jobs);
        }
    }

    /// Waits until some may have ended.
    pub(super) async fn wait(&self) {
        self.0.ended.wait().await;
    }

    /// Those that have ended.
    pub(super) fn ended(&self) -> Vec<Ended> {
        self.0.ended.take()
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.is_closed = true;
        let jobs = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(jobs);
        self.0.work.notify_all();
    }
}

#[derive(Default)]
struct Shop {
    queue: Mutex<Queue>,
    work: Condvar,
    ended: Desk<Ended>,
    /// What the threads' timers and sockets belong to.
    runtime: OnceLock<Handle>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Arc<Job>>,
    /// Threads that work or are about to look for work, and those that wait.
    active: usize,
    idle: usize,
    is_closed: bool,
}

/// An attempt on its way.
pub(super) struct Job {
    pub(super) check: usize,
    pub(super) cx: Context,
    state: Mutex<State>,
    shop: Arc<Shop>,
}

#[derive(Default)]
struct State {
    /// Nothing before its first turn, while it has one, and when it is over.
    future: Option<Pin<Box<dyn Future<Output = Raw> + Send>>>,
    turn: Turn,
    /// Since when it holds a thread, and for how long it did at most.
    holds: Option<Instant>,
    held: Duration,
}

#[derive(Default, PartialEq, Eq)]
enum Turn {
    /// For a thread.
    #[default]
    Queued,
    /// For something that will wake it.
    Waits,
    /// It has a thread.
    Runs,
    /// It has one, and was woken meanwhile: it is to have another turn.
    Again,
    /// It has ended, or nobody waits for it any more.
    Over,
}

#[derive(PartialEq, Eq)]
enum Begins {
    Working,
    Waiting,
}

impl Shop {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(self: &Arc<Self>, jobs: impl IntoIterator<Item = Arc<Job>>) {
        let mut queue = self.queue();
        if queue.is_closed {
            return;
        }
        queue.jobs.extend(jobs);
        match (queue.active, queue.idle) {
            (0, 0) => {
                queue.active += 1;
                drop(queue);
                if let Err(error) = self.start(Begins::Working) {
                    let mut queue = self.queue();
                    queue.active -= 1;
                    let jobs = std::mem::take(&mut queue.jobs);
                    drop(queue);
                    jobs.into_iter().for_each(|job| job.has_no_thread(&error));
                }
            }
            (0, _) => {
                drop(queue);
                self.work.notify_one();
            }
            // Who works takes it next, and if that one is stuck, the spare one does.
            _ => {}
        }
    }

    /// One more thread, which is counted already as what it begins with.
    fn start(self: &Arc<Self>, begins: Begins) -> std::io::Result<()> {
        let Some(runtime) = self.runtime.get().cloned() else { return Ok(()) };
        let shop = Arc::clone(self);
        let thread = thread::Builder::new().name("clockwork-aside".into());
        thread.spawn(move || {
            let _inside = runtime.enter();
            if begins == Begins::Working || shop.wait(shop.queue()).is_some() {
                shop.work();
            }
        })?;
        Ok(())
    }

    fn work(self: &Arc<Self>) {
        let mut now = None;
        while let Some(job) = self.next(&mut now) {
            now = Some(job.run(now.unwrap_or_else(Instant::now)));
        }
    }

    /// The next job, when there is one; nothing when this thread has waited long enough. `now` is no longer known when it
    /// had to wait.
    fn next(self: &Arc<Self>, now: &mut Option<Instant>) -> Option<Arc<Job>> {
        let mut began = None;
        let mut queue = self.queue();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                // Somebody has to be there if this one gets stuck.
                if queue.idle == 0 && queue.active < THREADS {
                    queue.idle += 1;
                    drop(queue);
                    if self.start(Begins::Waiting).is_err() {
                        self.queue().idle -= 1;
                    }
                }
                return Some(job);
            }
            if queue.is_closed {
                queue.active -= 1;
                return None;
            }
            *now = None;
            if began.get_or_insert_with(Instant::now).elapsed() < SPIN {
                drop(queue);
                thread::yield_now();
                queue = self.queue();
                continue;
            }
            queue.active -= 1;
            queue.idle += 1;
            queue = self.wait(queue)?;
        }
    }

    /// Waits as one of the idle ones until there is work that nobody takes; then it is active.
    fn wait<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> Option<MutexGuard<'a, Queue>> {
        let began = Instant::now();
        loop {
            let patience = if queue.active > 0 { TURN } else { IDLE };
            let lies = queue.jobs.front().map(Arc::as_ptr);
            let (back, waited) =
                self.work.wait_timeout(queue, patience).unwrap_or_else(PoisonError::into_inner);
            queue = back;
            let lies_still = lies.is_some() && lies == queue.jobs.front().map(Arc::as_ptr);
            let is_mine = !queue.jobs.is_empty() && (queue.active == 0 || lies_still || !waited.timed_out());
            if is_mine || (queue.is_closed && !queue.jobs.is_empty()) {
                queue.idle -= 1;
                queue.active += 1;
                return Some(queue);
            }
            let is_spare = queue.active > 0 && queue.idle == 1;
            if queue.is_closed || (began.elapsed() > IDLE && !is_spare) {
                queue.idle -= 1;
                return None;
            }
        }
    }
}

impl Job {
    /// Its turn, which begins `now`. Returns when that ended.
    fn run(self: Arc<Self>, now: Instant) -> Instant {
        let mut state = self.state();
        if state.turn == Turn::Over {
            return now;
        }
        let future = state.future.take();
        state.turn = Turn::Runs;
        state.holds = Some(now);
        drop(state);
        // Made here, so that its memory is this thread's when it ends at once.
        let mut future = future.unwrap_or_else(|| Box::pin(attempt_alone(self.check, self.cx.clone())));
        let waker = Waker::from(Arc::clone(&self));
        // An assertion's own panic ends inside. Whatever the user's code drops may panic, too.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let polled = future.as_mut().poll(&mut TaskContext::from_waker(&waker));
            if polled.is_ready() {
                drop(future);
                return (polled, None);
            }
            (polled, Some(future))
        }));
        drop(waker);
        let now = Instant::now();
        let mut state = self.state();
        state.held = state.held.max(now - state.holds.take().unwrap_or(now));
        let again = match std::mem::replace(&mut state.turn, Turn::Over) {
            Turn::Over => {
                drop(state);
                discard(polled);
                // Who gave it up may wait for what it leaves behind.
                self.shop.ended.ring();
                return now;
            }
            turn => turn == Turn::Again,
        };
        let raw = match polled {
            Ok((Poll::Ready(raw), _)) => raw,
            Ok((Poll::Pending, future)) => {
                state.future = future;
                state.turn = if again { Turn::Queued } else { Turn::Waits };
                drop(state);
                if again {
                    // There is a thread: this one.
                    let shop = Arc::clone(&self.shop);
                    shop.put([self]);
                }
                return now;
            }
            Err(_) => Err(lost("it panicked when it ended")),
        };
        let raw = if state.held >= BLOCKS { told(raw, state.held) } else { raw };
        drop(state);
        let shop = Arc::clone(&self.shop);
        shop.ended.put(Ended { job: self, raw });
        now
    }

    fn has_no_thread(self: Arc<Self>, error: &std::io::Error) {
        self.state().turn = Turn::Over;
        let error = CheckError::unobservable(format!("cannot start a thread for it: {error}")).retryable();
        let shop = Arc::clone(&self.shop);
        shop.ended.put(Ended { job: self, raw: Err(error) });
    }

    /// Nobody waits for it any more.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        state.turn = Turn::Over;
        let gone = state.future.take();
        drop(state);
        discard(gone);
    }

    /// Whether it ever had a thread.
    pub(super) fn has_begun(&self) -> bool {
        let state = self.state();
        state.turn != Turn::Queued || state.future.is_some()
    }

    /// For how long it has held a thread by now, if that is too long.
    pub(super) fn blocks(&self) -> Option<Duration> {
        self.holds().filter(|held| *held >= BLOCKS)
    }

    /// For how long it has held a thread by now, if it does.
    pub(super) fn holds(&self) -> Option<Duration> {
        self.state().holds.map(|since| since.elapsed())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        let mut state = self.state();
        match state.turn {
            Turn::Waits => state.turn = Turn::Queued,
            Turn::Runs => {
                state.turn = Turn::Again;
                return;
            }
            Turn::Queued | Turn::Again | Turn::Over => return,
        }
        drop(state);
        let shop = Arc::clone(&self.shop);
        shop.put([self]);
    }
}

/// What the user's code has in there may panic when it is dropped.
fn discard<T>(gone: T) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(gone)));
}

/// What an attempt brought that held its thread for so long.
fn told(raw: Raw, held: Duration) -> Raw {
    let verdict = match raw {
        Ok(verdict) => verdict,
        Err(error) => return Err(error.detail("blocked_ms", ms(held))),
    };
    let note = format!("it blocked its thread for {}: {WAY_OUT}", show(held));
    let message = match verdict.text() {
        "" => note,
        text => format!("{text}; {note}"),
    };
    Ok(verdict.message(message).detail("blocked_ms", ms(held)))
}

/// What one brought that still does when its time is over.
pub(super) fn stuck(held: Duration) -> CheckError {
    let message = format!("did not finish: it has blocked its thread for {}", show(held));
    CheckError::timed_out(Fault::Observer, message)
        .detail("blocked_ms", ms(held))
        .hint(format!("{WAY_OUT}; the thread is left to itself"))
}

const WAY_OUT: &str = "await instead (`tokio::time::sleep`, an async client), or wrap what blocks in \
                       `tokio::task::spawn_blocking`";

fn ms(held: Duration) -> u64 {
    u64::try_from(held.as_millis()).unwrap_or(u64::MAX)
}

/// Tokio's clock is the machine's, or else a test holds it. That clock goes on when the runtime's own thread has nothing to
/// do, so everything runs there.
pub(super) fn clock_is_paused() -> bool {
    let before = Instant::now();
    let told = tokio::time::Instant::now().into_std();
    !(before..=Instant::now()).contains(&told)
}

#[cfg(test)]
#[path = "aside_tests.rs"]
mod tests;
