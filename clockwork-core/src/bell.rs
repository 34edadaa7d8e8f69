//! [`Bell`]: wakes whoever waits in one attempt when its time is over. The attempt has a timer already, and one more for each
//! of its questions would cost more than all else about asking.

use std::{
    ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicPtr,
            Ordering::{Relaxed, SeqCst},
        },
    },
    task::{Poll, RawWakerVTable, Waker},
};

#[derive(Default)]
pub(crate) struct Bell {
    has_rung: AtomicBool,
    /// Whom the attempt's own task is woken by: it hears the bell without being told. Only ever compared.
    own: (AtomicPtr<()>, AtomicPtr<RawWakerVTable>),
    /// Somebody else waits: of most attempts, nobody has to look who.
    any: AtomicBool,
    waits: Mutex<Vec<Waker>>,
}

impl Bell {
    fn waits(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn has_rung(&self) -> bool {
        self.has_rung.load(SeqCst)
    }

    /// Whoever is woken by this needs no other waker: it rings the bell itself, and asks everybody again then.
    pub(crate) fn belongs_to(&self, own: &Waker) {
        self.own.0.store(own.data().cast_mut(), Relaxed);
        self.own.1.store(ptr::from_ref(own.vtable()).cast_mut(), Relaxed);
    }

    fn is_owned_by(&self, waker: &Waker) -> bool {
        let vtable = ptr::from_ref(waker.vtable());
        ptr::eq(self.own.0.load(Relaxed), waker.data()) && ptr::eq(self.own.1.load(Relaxed), vtable)
    }

    /// Time is over, or the attempt is, and whoever goes on without it has no time, either.
    pub(crate) fn ring(&self) {
        // Either this sees that somebody waits, or whoever comes to wait sees that it has rung.
        self.has_rung.store(true, SeqCst);
        if self.any.load(SeqCst) {
            let waits = std::mem::take(&mut *self.waits());
            waits.into_iter().for_each(Waker::wake);
        }
    }

    /// Ready when it has rung; until then, `waker` is woken by it, unless it is the attempt's own.
    pub(crate) fn poll(&self, waker: &Waker) -> Poll<()> {
        if !self.has_rung() && !self.is_owned_by(waker) {
            let mut waits = self.waits();
            if !waits.iter().any(|other| other.will_wake(waker)) {
                waits.push(waker.clone());
            }
            self.any.store(true, SeqCst);
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
