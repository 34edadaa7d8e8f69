//! Who gets the answer, whoever goes on and whoever leaves.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use futures_util::{FutureExt, future::poll_immediate};

use super::*;
use crate::Context;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked;

impl Probe for Asked {
    type Observation = u32;

    async fn look(&self, _: &Context) -> Result<u32, CheckError> {
        Ok(0)
    }

    fn describe(&self) -> String {
        String::from("asked")
    }
}

/// A look that is under way, with its first passenger.
fn begun(look: impl Future<Output = u32> + Send + 'static) -> (Arc<Flight<Asked>>, Passenger<Asked>) {
    let flight = Flight::new(0, Vantage::Host, Asked);
    let first = flight.start(Box::pin(look.map(|seen| Ok(Arc::new(seen)))));
    (flight, first)
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_on_gets_the_answer() {
    let looked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked);
    let (flight, mut first) = begun(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        count.fetch_add(1, SeqCst);
        7
    });
    // The first one begins it, and is never polled again; the last one leaves in the middle.
    let (second, third, mut last) = (flight.board(), flight.board(), flight.board());
    assert!(poll_immediate(&mut first).await.is_none());
    assert!(poll_immediate(&mut last).await.is_none());
    assert!(matches!(last.leave(), Left::Others));
    let third = tokio::spawn(third);
    assert_eq!(*second.await.unwrap(), 7);
    assert_eq!(*third.await.unwrap().unwrap(), 7);
    assert_eq!(*first.await.unwrap(), 7);
    assert_eq!(looked.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn when_the_last_one_leaves_the_look_ends() {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let (flight, mut first) = begun(async move {
        std::future::pending::<()>().await;
        drop(held);
        0
    });
    let mut second = flight.board();
    assert!(poll_immediate(&mut first).await.is_none() && poll_immediate(&mut second).await.is_none());
    assert!(matches!(first.leave(), Left::Others));
    assert!(weak.upgrade().is_some());
    assert!(matches!(second.leave(), Left::Nobody(Some(_))));
    assert!(weak.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_panic_reaches_the_one_who_polls_and_the_others_hear_of_it() {
    let (flight, first) = begun(async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        panic!("in the look")
    });
    let all = [first, flight.board(), flight.board()];
    let ended = futures_util::future::join_all(all.map(tokio::spawn)).await;
    let (panicked, heard): (Vec<_>, Vec<_>) = ended.into_iter().partition(Result::is_err);
    assert_eq!(panicked.len(), 1);
    for heard in heard {
        let error = heard.unwrap().unwrap_err();
        assert!(error.to_string().contains("ended in a panic"), "{error}");
    }
}

/// One thread polls while others come, wake and leave.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_forgotten_under_load() {
    for _ in 0..200 {
        let (flight, first) = begun(async {
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            7
        });
        let first = tokio::spawn(first);
        let all: Vec<_> = (0..7).map(|_| tokio::spawn(flight.board())).chain([first]).collect();
        for one in all {
            let answer = tokio::time::timeout(Duration::from_secs(20), one).await;
            assert_eq!(*answer.unwrap().unwrap().unwrap(), 7);
        }
    }
}

/// A look that waits for itself waits in vain, and nobody's thread stands still for it.
#[tokio::test(start_paused = true)]
async fn a_look_at_itself_ends_with_the_deadline() {
    let flight = Flight::new(0, Vantage::Host, Asked);
    let inside = flight.board();
    let outside = flight.start(Box::pin(inside));
    assert!(tokio::time::timeout(Duration::from_secs(1), outside).await.is_err());
}

/// While one waits, the look knows only how to wake that one. Whoever comes then must not depend on it.
#[tokio::test(start_paused = true)]
async fn who_comes_later_does_not_depend_on_who_was_alone() {
    let second = || async { tokio::time::sleep(Duration::from_secs(1)).await };
    for leaves in [true, false] {
        let (flight, mut first) = begun(second().map(|()| 7));
        assert!(poll_immediate(&mut first).await.is_none());
        let late = tokio::spawn(flight.board());
        tokio::task::yield_now().await; // it has polled
        // The first one leaves, or stays and is never polled again.
        if leaves {
            assert!(matches!(first.leave(), Left::Others));
        }
        let answer = tokio::time::timeout(Duration::from_secs(2), late).await;
        assert_eq!(*answer.unwrap().unwrap().unwrap(), 7, "leaves: {leaves}");
    }
}

/// One comes while the only other one polls, on another thread, and that one never comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_it_is_polled_is_woken() {
    for _ in 0..20 {
        let (polled, is_polled) = std::sync::mpsc::channel();
        let (came, has_come) = std::sync::mpsc::channel();
        let mut waits = Some((polled, has_come));
        let (flight, mut first) = begun(async move {
            std::future::poll_fn(|_| {
                if let Some((polled, has_come)) = waits.take() {
                    polled.send(()).unwrap();
                    has_come.recv().unwrap();
                }
                Poll::Ready(())
            })
            .await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            7
        });
        let alone = tokio::task::spawn_blocking(move || {
            assert!(first.poll_unpin(&mut Task::from_waker(Waker::noop())).is_pending());
            first
        });
        is_polled.recv().unwrap();
        let mut late = flight.board();
        assert!(poll_immediate(&mut late).await.is_none());
        let late = tokio::spawn(late);
        tokio::task::yield_now().await;
        came.send(()).unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(20), late).await;
        assert_eq!(*answer.unwrap().unwrap().unwrap(), 7);
        drop(alone.await.unwrap());
    }
}
