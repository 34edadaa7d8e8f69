//! [`Desk`]: where attempts that ended are handed in, and fetched many at a time, so that many are one wakeup.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub(super) struct Desk<T> {
    ended: Mutex<Vec<T>>,
    /// Rung when the first has come since those before were taken.
    bell: Notify,
}

impl<T> Default for Desk<T> {
    fn default() -> Self {
        Self { ended: Mutex::default(), bell: Notify::new() }
    }
}

impl<T> Desk<T> {
    fn ended(&self) -> MutexGuard<'_, Vec<T>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, one: T) {
        let mut ended = self.ended();
        ended.push(one);
        let is_first = ended.len() == 1;
        drop(ended);
        if is_first {
            self.ring();
        }
    }

    /// Has whoever waits look, though nothing may have come.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Waits until some may have come.
    pub(super) async fn wait(&self) {
        self.bell.notified().await;
    }

    /// Those that have come.
    pub(super) fn take(&self) -> Vec<T> {
        let mut ended = self.ended();
        // As many may come again, and are not to be copied as their room grows.
        let room = Vec::with_capacity(ended.len());
        std::mem::replace(&mut *ended, room)
    }
}
