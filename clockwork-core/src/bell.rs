//! [`Bell`]: wakes whoever waits in one attempt when its time is over. The attempt has a timer already, and one more for each
//! of its questions would cost more than all else about asking.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
};

#[derive(Default)]
pub(crate) struct Bell {
    has_rung: AtomicBool,
    waits: Mutex<Waits>,
}

/// Nearly always there is one.
#[derive(Default)]
struct Waits {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Bell {
    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_rung(&self) -> bool {
        self.has_rung.load(Ordering::Acquire)
    }

    /// Time is over.
    pub(crate) fn ring(&self) {
        self.has_rung.store(true, Ordering::Release);
        let Waits { first, more } = std::mem::take(&mut *self.waits());
        first.into_iter().chain(more).for_each(Waker::wake);
    }

    /// The attempt is over, which `own` woke. Whoever goes on without it has no time, either.
    pub(crate) fn end(&self, own: &Waker) {
        self.has_rung.store(true, Ordering::Release);
        let Waits { first, more } = std::mem::take(&mut *self.waits());
        first.into_iter().chain(more).filter(|waker| !waker.will_wake(own)).for_each(Waker::wake);
    }

    /// Ready when it has rung; until then, `waker` is woken by it.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<()> {
        if !self.has_rung() {
            let Waits { first, more } = &mut *self.waits();
            match first {
                None => *first = Some(waker.clone()),
                Some(first) if first.will_wake(waker) => {}
                Some(_) if more.iter().any(|other| other.will_wake(waker)) => {}
                Some(_) => more.push(waker.clone()),
            }
        }
        // Also when it has rung since.
        if self.has_rung() { Poll::Ready(()) } else { Poll::Pending }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, sync::Arc, time::Duration};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_is_heard_by_all_who_wait_and_by_those_who_come_late() {
        let bell = Arc::new(Bell::default());
        let wait = |bell: &Arc<Bell>| {
            let bell = Arc::clone(bell);
            async move { poll_fn(|task| bell.poll(task.waker())).await }
        };
        let waits = [tokio::spawn(wait(&bell)), tokio::spawn(wait(&bell))];
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(waits.iter().all(|one| !one.is_finished()));
        bell.ring();
        for one in waits {
            assert!(one.await.is_ok());
        }
        wait(&bell).await;
    }
}
