//! [`Lane`]: short looks at the filesystem, one behind the other on one blocking thread.
//!
//! To wake a thread for every `stat` costs more than the `stat`: a thousand files that are in memory take a sixth of
//! the thread switches and a third of the kernel's time in this way. Where a look is slow or hangs (a cold disk, a
//! file server that is gone), those behind it do not wait for long: whoever waits longer than [`PATIENCE`] brings
//! another thread, up to one for each that waits.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

/// How long a look waits for its turn before it brings another thread.
const PATIENCE: Duration = Duration::from_millis(10);

type Job = Box<dyn FnOnce() + Send>;

/// The looks that wait, and how many threads there are for them. One for each run.
#[derive(Default)]
pub(super) struct Lane(Mutex<State>);

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
}

impl Lane {
    /// Runs `look` on a blocking thread; `None` if it panicked. One that nobody waits for any more is left out.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        look: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (tell, mut told) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !tell.is_closed() {
                let _ = tell.send(look());
            }
        });
        self.lock().jobs.push_back(job);
        self.bring_thread(1);
        loop {
            match timeout(PATIENCE, &mut told).await {
                Ok(answer) => return answer.ok(),
                Err(_) => self.bring_thread(usize::MAX),
            }
        }
    }

    /// Another thread, if there is work for it and there are fewer than `limit`.
    fn bring_thread(self: &Arc<Self>, limit: usize) {
        {
            let mut state = self.lock();
            if state.jobs.is_empty() || state.threads >= limit {
                return;
            }
            state.threads += 1;
        }
        let thread = Thread { lane: Arc::clone(self), counted: true };
        tokio::task::spawn_blocking(move || thread.work());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that works on a lane. It is counted until it ends, even by a panic.
struct Thread {
    lane: Arc<Lane>,
    counted: bool,
}

impl Thread {
    fn work(mut self) {
        loop {
            let mut state = self.lane.lock();
            let Some(job) = state.jobs.pop_front() else {
                // Together with the look at the queue: whoever adds to it next must not count on this thread.
                state.threads -= 1;
                self.counted = false;
                return;
            };
            drop(state);
            job();
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if self.counted {
            self.lane.lock().threads -= 1;
        }
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, time::Instant};

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
}
