//! [`Lane`]: short looks at the filesystem, one behind the other on one blocking thread.
//!
//! To wake a thread for every `stat` costs more than the `stat`, and to wake the runtime for every answer costs as much
//! again. So looks wait until all who are about to ask have asked, and answers are told in heaps: one of those who wait for
//! them is woken, and wakes the others from its own thread, which costs next to nothing. Where a look is slow or hangs (a
//! cold disk, a file server that is gone), nobody waits for long: whoever waits longer than [`PATIENCE`] takes an answer that
//! was not told yet, or brings another thread, up to one for each that waits.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Task, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::{task::yield_now, time::timeout};

/// How long a look waits for its turn before it brings another thread.
const PATIENCE: Duration = Duration::from_millis(10);

/// How many answers are told together, and how long the first of them waits for that.
const HEAP: usize = 32;
const SOON: Duration = Duration::from_micros(500);

/// The looks that wait, and how many threads there are for them. One for each run.
#[derive(Default)]
pub(super) struct Lane(Mutex<State>);

#[derive(Default)]
struct State {
    looks: VecDeque<Arc<dyn Job>>,
    threads: usize,
    /// Whose answers are there, and who are woken by the next who comes. Somebody is on the way.
    asleep: Vec<Waker>,
}

impl Lane {
    /// Runs `work` on a blocking thread; `None` if it panicked. What nobody waits for any more is left out.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let look = Arc::new(Look(Mutex::new(Stage::Waits { work, waker: None })));
        let first = {
            let mut state = self.lock();
            state.looks.push_back(Arc::clone(&look) as Arc<dyn Job>);
            state.threads == 0 && state.looks.len() == 1
        };
        let mut answer = Answer { lane: Arc::clone(self), look };
        if first {
            yield_now().await; // so that others who are about to ask, ask
            self.bring_thread(1);
        }
        loop {
            match timeout(PATIENCE, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) => self.bring_thread(usize::MAX),
            }
        }
    }

    /// Another thread, if there is work for it and there are fewer than `limit`.
    fn bring_thread(self: &Arc<Self>, limit: usize) {
        {
            let mut state = self.lock();
            if state.looks.is_empty() || state.threads >= limit {
                return;
            }
            state.threads += 1;
        }
        let lane = Arc::clone(self);
        tokio::task::spawn_blocking(move || lane.work());
    }

    /// What a thread does.
    fn work(&self) {
        let (mut answered, mut told) = (Vec::new(), Instant::now());
        loop {
            let mut state = self.lock();
            let Some(look) = state.looks.pop_front() else {
                // Together with the look at the queue: whoever adds to it next must not count on this thread.
                state.threads -= 1;
                drop(state);
                return self.tell(&mut answered);
            };
            drop(state);
            answered.extend(look.run());
            if answered.len() >= HEAP || told.elapsed() > SOON {
                self.tell(&mut answered);
                told = Instant::now();
            }
        }
    }

    /// Wakes one of these; who comes first wakes the others.
    fn tell(&self, answered: &mut Vec<Waker>) {
        let Some(first) = answered.pop() else { return };
        let mut state = self.lock();
        let somebody_comes = !state.asleep.is_empty();
        state.asleep.append(answered);
        if somebody_comes {
            state.asleep.push(first);
        } else {
            drop(state);
            first.wake();
        }
    }

    fn wake_the_others(&self) {
        let asleep = std::mem::take(&mut self.lock().asleep);
        asleep.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One look.
struct Look<T, W>(Mutex<Stage<T, W>>);

enum Stage<T, W> {
    Waits {
        work: W,
        waker: Option<Waker>,
    },
    Runs {
        waker: Option<Waker>,
    },
    /// With what came; nothing, if it panicked.
    Done(Option<T>),
    /// Nobody waits for it, or the answer was taken.
    Over,
}

impl<T, W> Look<T, W> {
    fn stage(&self) -> MutexGuard<'_, Stage<T, W>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look of any kind, as a thread sees it.
trait Job: Send + Sync {
    /// Does it, and returns who waits for it.
    fn run(&self) -> Option<Waker>;
}

impl<T: Send, W: FnOnce() -> T + Send> Job for Look<T, W> {
    fn run(&self) -> Option<Waker> {
        let work = {
            let mut stage = self.stage();
            match std::mem::replace(&mut *stage, Stage::Over) {
                Stage::Waits { work, waker } => {
                    *stage = Stage::Runs { waker };
                    work
                }
                _ => return None,
            }
        };
        let came = catch_unwind(AssertUnwindSafe(work)).ok();
        let mut stage = self.stage();
        match std::mem::replace(&mut *stage, Stage::Over) {
            Stage::Runs { waker } => {
                *stage = Stage::Done(came);
                waker
            }
            _ => {
                drop(stage); // before what came goes
                None
            }
        }
    }
}

/// Waits for what a look brings.
struct Answer<T, W> {
    lane: Arc<Lane>,
    look: Arc<Look<T, W>>,
}

impl<T, W> Future for Answer<T, W> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Option<T>> {
        self.lane.wake_the_others();
        let mut stage = self.look.stage();
        match &mut *stage {
            Stage::Waits { waker, .. } | Stage::Runs { waker } => {
                match waker {
                    Some(waker) => waker.clone_from(task.waker()),
                    None => *waker = Some(task.waker().clone()),
                }
                Poll::Pending
            }
            Stage::Done(came) => {
                let came = came.take();
                *stage = Stage::Over;
                Poll::Ready(came)
            }
            Stage::Over => Poll::Ready(None),
        }
    }
}

impl<T, W> Drop for Answer<T, W> {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut *self.look.stage(), Stage::Over);
        drop(before);
        self.lane.wake_the_others();
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_for_long_behind_a_look_that_hangs() {
        let lane = Arc::<Lane>::default();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let mut hanging: Vec<_> = (0..20)
            .map(|_| {
                let (lane, held) = (Arc::clone(&lane), Arc::clone(&held));
                tokio::spawn(async move {
                    lane.run(move || held.lock().unwrap_or_else(PoisonError::into_inner).recv()).await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        let began = Instant::now();
        assert_eq!(lane.run(|| 7).await, Some(7));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        drop(release);
        for look in hanging.drain(..) {
            assert!(look.await.is_ok_and(|told| told.is_some()));
        }
    }

    #[tokio::test]
    async fn a_look_that_panics_takes_nobody_with_it() {
        let lane = Arc::<Lane>::default();
        for _ in 0..20 {
            assert_eq!(lane.run(|| -> u8 { panic!("as the test wants it") }).await, None);
        }
        assert_eq!(lane.run(|| 7).await, Some(7));
    }

    /// Whoever is woken first and leaves instead of coming wakes the others all the same, and so do those who come late.
    #[tokio::test]
    async fn all_get_their_answers_whoever_leaves() {
        let lane = Arc::<Lane>::default();
        for round in 0..20 {
            let looks = (0..200).map(|number| {
                let lane = Arc::clone(&lane);
                tokio::spawn(async move { lane.run(move || number).await })
            });
            for (number, look) in looks.collect::<Vec<_>>().into_iter().enumerate() {
                if (number + round) % 3 == 0 {
                    look.abort();
                } else {
                    assert_eq!(look.await.ok().flatten(), Some(number));
                }
                if number % 50 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}
