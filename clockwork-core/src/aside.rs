//! [`aside`]: the user's own code is run beside the run, on threads of ours. It may block (a loop, `std::thread::sleep`, a
//! client that is not async), and on the runtime's thread it would hold up every other check and its deadline.
//!
//! One thread runs it all, as long as nothing blocks; a second one waits, looks now and then whether somebody is stuck, and
//! takes over. So whatever is stuck costs a thread and nobody's time. Threads end when they have had nothing to do for a
//! while, and those that are stuck when they are no longer.

use std::{
    collections::VecDeque,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context as TaskContext, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::oneshot};

use crate::Context;

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

/// The threads of one run.
#[derive(Debug, Default)]
pub(crate) struct Aside(Arc<Shop>);

impl Drop for Aside {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.is_closed = true;
        let jobs = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(jobs);
        self.0.bell.notify_all();
    }
}

#[derive(Default)]
struct Shop {
    queue: Mutex<Queue>,
    bell: Condvar,
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

/// A future on its way, and how long it has held a thread.
struct Job {
    state: Mutex<State>,
    shop: Arc<Shop>,
    /// Since when it holds one, and for how long it did at most.
    holds: Mutex<(Option<Instant>, Duration)>,
}

struct State {
    /// Nothing while it is run, and when it has ended or nobody waits for it any more.
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    turn: Turn,
}

#[derive(PartialEq, Eq)]
enum Turn {
    /// For something that will wake it.
    Waits,
    /// For a thread.
    Queued,
    /// It has one.
    Runs,
    /// It has one, and was woken meanwhile: it is to have another turn.
    Again,
    /// Nobody waits for it any more.
    Over,
}

/// What became of it, beside its output.
pub(crate) struct Ended<T> {
    pub(crate) output: T,
    /// How long it held a thread at once, if that was too long.
    pub(crate) blocked: Option<Duration>,
}

/// Why there is no output.
pub(crate) enum Unfinished {
    /// Time ran out; for how long it has held a thread by now, if it is in the middle of that.
    TimedOut(Option<Duration>),
    /// Its thread could not be had.
    NoThread(std::io::Error),
}

/// Runs a future to its end, or to this check's deadline. Its panic is ours.
///
/// Under tokio's paused clock it runs where it is: that clock goes on when the runtime's own thread has nothing to do.
pub(crate) async fn aside<T, Fut>(cx: &Context, future: Fut) -> Result<Ended<T>, Unfinished>
where
    T: Send + 'static,
    Fut: Future<Output = T> + Send + 'static,
{
    if clock_is_paused() {
        return Ok(Ended { output: future.await, blocked: None });
    }
    let aside = cx.shared::<Aside>();
    aside.0.runtime.get_or_init(Handle::current);
    let (sender, receiver) = oneshot::channel();
    // What reads secrets tells them to the run, on whatever thread.
    let mut future = Box::pin(Arc::clone(cx.mask()).over(future));
    let guarded = std::future::poll_fn(move |task| {
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(task))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    });
    let whole = Box::pin(async move {
        // Whoever asked may have gone.
        let _ = sender.send(guarded.await);
    });
    let state = Mutex::new(State { future: Some(whole), turn: Turn::Queued });
    let job = Arc::new(Job { state, shop: Arc::clone(&aside.0), holds: Mutex::default() });
    aside.0.put(Arc::clone(&job)).map_err(Unfinished::NoThread)?;
    let asked = Asked(job);
    let ended = match cx.deadline() {
        Some(deadline) => tokio::time::timeout_at(deadline, receiver).await,
        None => Ok(receiver.await),
    };
    match ended {
        Ok(Ok(Ok(output))) => Ok(Ended { output, blocked: asked.0.blocked() }),
        Ok(Ok(Err(panic))) => resume_unwind(panic),
        Ok(Err(_)) | Err(_) => Err(Unfinished::TimedOut(asked.0.blocks())),
    }
}

/// Tokio's clock is the machine's, or else a test holds it.
fn clock_is_paused() -> bool {
    let before = Instant::now();
    let told = tokio::time::Instant::now().into_std();
    !(before..=Instant::now()).contains(&told)
}

/// Whoever asked is gone: nobody needs the future any more.
struct Asked(Arc<Job>);

impl Drop for Asked {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.turn = Turn::Over;
        let gone = state.future.take();
        drop(state);
        drop(gone);
    }
}

#[derive(PartialEq, Eq)]
enum Begins {
    Working,
    Waiting,
}

impl Shop {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(self: &Arc<Self>, job: Arc<Job>) -> std::io::Result<()> {
        let mut queue = self.lock();
        if queue.is_closed {
            return Ok(());
        }
        queue.jobs.push_back(job);
        match (queue.active, queue.idle) {
            (0, 0) => {
                queue.active += 1;
                drop(queue);
                self.start(Begins::Working).inspect_err(|_| {
                    let mut queue = self.lock();
                    queue.active -= 1;
                    let jobs = std::mem::take(&mut queue.jobs);
                    // To drop what is the user's may wake others, who come here.
                    drop(queue);
                    drop(jobs);
                })
            }
            (0, _) => {
                drop(queue);
                self.bell.notify_one();
                Ok(())
            }
            // Who works takes it next, and if that one is stuck, the spare one does.
            _ => Ok(()),
        }
    }

    /// One more thread, which is counted already as what it begins with.
    fn start(self: &Arc<Self>, begins: Begins) -> std::io::Result<()> {
        let Some(runtime) = self.runtime.get().cloned() else { return Ok(()) };
        let shop = Arc::clone(self);
        let thread = thread::Builder::new().name("clockwork-aside".into());
        thread.spawn(move || {
            let _inside = runtime.enter();
            if begins == Begins::Working || shop.wait(shop.lock()).is_some() {
                shop.work();
            }
        })?;
        Ok(())
    }

    fn work(self: &Arc<Self>) {
        while let Some(job) = self.next() {
            job.run();
        }
    }

    /// The next job, when there is one; nothing when this thread has waited long enough.
    fn next(self: &Arc<Self>) -> Option<Arc<Job>> {
        let began = Instant::now();
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                // Somebody has to be there if this one gets stuck.
                if queue.idle == 0 && queue.active < THREADS {
                    queue.idle += 1;
                    drop(queue);
                    if self.start(Begins::Waiting).is_err() {
                        self.lock().idle -= 1;
                    }
                }
                return Some(job);
            }
            if queue.is_closed {
                queue.active -= 1;
                return None;
            }
            if began.elapsed() < SPIN {
                drop(queue);
                thread::yield_now();
                queue = self.lock();
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
                self.bell.wait_timeout(queue, patience).unwrap_or_else(PoisonError::into_inner);
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

impl std::fmt::Debug for Shop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let queue = self.lock();
        f.debug_struct("Shop")
            .field("active", &queue.active)
            .field("idle", &queue.idle)
            .finish_non_exhaustive()
    }
}

impl Job {
    fn run(self: &Arc<Self>) {
        let mut state = self.state();
        let Some(mut future) = state.future.take() else { return };
        state.turn = Turn::Runs;
        drop(state);
        let waker = Waker::from(Arc::clone(self));
        let began = Instant::now();
        self.holds().0 = Some(began);
        let poll = future.as_mut().poll(&mut TaskContext::from_waker(&waker));
        let mut holds = self.holds();
        *holds = (None, holds.1.max(began.elapsed()));
        drop(holds);
        let mut state = self.state();
        if poll.is_ready() || state.turn == Turn::Over {
            drop(state);
            drop(future);
            return;
        }
        state.future = Some(future);
        let again = state.turn == Turn::Again;
        state.turn = if again { Turn::Queued } else { Turn::Waits };
        drop(state);
        if again {
            // There is a thread: this one.
            let _ = self.shop.put(Arc::clone(self));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self) -> MutexGuard<'_, (Option<Instant>, Duration)> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn blocked(&self) -> Option<Duration> {
        Some(self.holds().1).filter(|held| *held >= BLOCKS)
    }

    fn blocks(&self) -> Option<Duration> {
        self.holds().0.map(|since| since.elapsed()).filter(|held| *held >= BLOCKS)
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
        // Without a thread it waits until its time is over, as everybody does then.
        let _ = shop.put(self);
    }
}

#[cfg(test)]
#[path = "aside_tests.rs"]
mod tests;
