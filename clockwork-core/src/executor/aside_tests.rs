//! The user's code on threads of its own: in real time, on a runtime with one thread, which nothing may hold up.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::{CheckError, Cleaned, Event, Graph, Outcome, Report, RunOptions, Stop, prelude::*};

use super::*;

async fn run(project: Project) -> Report {
    Engine::standard().assert(&project).await.unwrap()
}

/// Whatever blocks for ever is given up, and nobody else is held up: not even with more of them than processors.
#[tokio::test]
async fn what_blocks_holds_up_nobody() {
    let over = Arc::new(AtomicBool::new(false));
    let mut project = Project::new("p");
    for number in 0..20 {
        let over = Arc::clone(&over);
        let stuck = move |_: Context| {
            let over = Arc::clone(&over);
            async move {
                while !over.load(Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                }
                true
            }
        };
        project = project.assert(assertion(format!("stuck {number}"), stuck).timeout(Duration::from_secs(1)));
    }
    for number in 0..100 {
        let quick = assertion(format!("quick {number}"), async |_: Context| {
            tokio::time::sleep(Duration::from_millis(1)).await;
            true
        });
        project = project.assert(quick);
    }
    let report = run(project).await;
    over.store(true, Relaxed);
    let (stuck, quick) = report.results.split_at(20);
    for one in stuck {
        let said = "did not finish: it has blocked its thread for ";
        assert_eq!(one.verdict, Outcome::Errored);
        assert!(one.message.starts_with(said) && one.message.contains("spawn_blocking"), "{}", one.message);
        assert!(one.details()["blocked_ms"].as_u64().unwrap() >= 100);
    }
    assert!(quick.iter().all(|one| one.verdict == Outcome::Passed), "{report}");
}

#[tokio::test]
async fn who_blocked_and_ended_is_told_so() {
    let slow = assertion("slow", async |_: Context| {
        thread::sleep(Duration::from_millis(150));
        true
    });
    // Not the future blocks, but what makes it.
    let before = assertion("before", |_: Context| {
        thread::sleep(Duration::from_millis(150));
        async { (false, "wrong") }
    });
    let report = run(Project::new("p").assert(slow).assert(before)).await;
    let [slow, before] = report.results.as_slice() else { panic!("{report}") };
    assert_eq!((slow.verdict, before.verdict), (Outcome::Passed, Outcome::Failed));
    assert!(slow.message.starts_with("it blocked its thread for "), "{}", slow.message);
    assert!(before.message.starts_with("wrong; it blocked its thread for "), "{}", before.message);
    assert!(slow.details()["blocked_ms"].as_u64().unwrap() >= 150);
}

/// Timers, channels that other threads serve, and whoever wakes itself over and over.
#[tokio::test]
async fn whatever_wakes_it_wakes_it() {
    let mut project = Project::new("p");
    for number in 0..50_u32 {
        let waits = assertion(format!("waits {number}"), move |_: Context| async move {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            thread::spawn(move || sender.send(number));
            tokio::time::sleep(Duration::from_millis(u64::from(number % 5))).await;
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            // A task of the run's own runtime.
            let there = tokio::spawn(receiver);
            (there.await.unwrap() == Ok(number), "another number")
        });
        project = project.assert(waits);
    }
    let report = run(project).await;
    assert!(report.passed(), "{report}");
}

#[tokio::test]
async fn a_panic_and_a_secret_stay_inside() {
    let panics = assertion("panics", async |_: Context| -> bool { panic!("at the disco") });
    let tells = assertion("tells", async |_: Context| {
        crate::hide(&crate::SecretString::from("hunter22"));
        (false, "said hunter22")
    });
    let report = run(Project::new("p").assert(panics).assert(tells)).await;
    let [panics, tells] = report.results.as_slice() else { panic!("{report}") };
    assert_eq!(panics.verdict, Outcome::Errored);
    assert!(panics.message.contains("the assertion panicked: \"at the disco\""), "{}", panics.message);
    assert_eq!(tells.message, "said [secret]");
}

/// One that is given up while it waits does not go on.
#[tokio::test]
async fn nobody_goes_on_after_the_deadline() {
    struct Tells(Arc<AtomicBool>);
    impl Drop for Tells {
        fn drop(&mut self) {
            self.0.store(true, Relaxed);
        }
    }
    let gone = Arc::new(AtomicBool::new(false));
    let watched = Arc::clone(&gone);
    let waits = assertion("waits", move |_: Context| {
        let held = Tells(Arc::clone(&watched));
        async move {
            std::future::pending::<()>().await;
            drop(held);
            true
        }
    });
    let report = run(Project::new("p").assert(waits.timeout(Duration::from_millis(50)))).await;
    assert!(report.results[0].message.starts_with("did not finish within "), "{report}");
    assert!(gone.load(Relaxed), "it is still there");
}

/// Also what one that is stuck would have to undo is undone: when its time is over, and when the run is interrupted.
#[tokio::test]
async fn what_is_stuck_leaves_nothing_behind() {
    for interrupted in [false, true] {
        let over = Arc::new(AtomicBool::new(false));
        let undone = Arc::new(AtomicBool::new(false));
        let (until, sets) = (Arc::clone(&over), Arc::clone(&undone));
        let stuck = assertion("stuck", move |cx: Context| {
            let (until, sets) = (Arc::clone(&until), Arc::clone(&sets));
            async move {
                cx.finally(Duration::from_secs(20), async move |_: Context| {
                    sets.store(true, Relaxed);
                    Cleaned::done("undone")
                });
                while !until.load(Relaxed) {
                    thread::sleep(Duration::from_millis(1));
                }
                true
            }
        });
        let stop = Stop::default();
        let seconds = if interrupted { 60 } else { 1 };
        let project = Project::new("p").assert(stuck.timeout(Duration::from_secs(seconds)));
        let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
        let mut events = Engine::standard().run(Arc::new(Graph::new(&project).unwrap()), options).unwrap();
        let stops = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            if interrupted {
                stop.stop();
            }
        });
        let report = loop {
            if let Some(Event::Finished(report)) = events.next().await {
                break report;
            }
        };
        over.store(true, Relaxed);
        stops.await.unwrap();
        let result = &report.results[0];
        assert!(undone.load(Relaxed), "interrupted: {interrupted}");
        assert_eq!(result.details()["cleanup"], "undone", "{result:?}");
        let told = if interrupted { "interrupted" } else { "it has blocked its thread for" };
        assert!(result.message.contains(told), "{}", result.message);
    }
}

/// A kind of the user's own that says so is treated alike.
#[tokio::test]
async fn any_kind_may_block() {
    #[derive(Debug)]
    struct Sleeps;
    #[async_trait::async_trait]
    impl crate::Assertion for Sleeps {
        fn kind(&self) -> &'static str {
            "SleepsAssert"
        }

        fn may_block(&self) -> bool {
            true
        }

        async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
            thread::sleep(Duration::from_millis(150));
            Ok(Verdict::passed())
        }
    }
    let report = run(Project::new("p").assert(Sleeps)).await;
    assert!(
        report.passed() && report.results[0].details()["blocked_ms"].as_u64().unwrap() >= 150,
        "{report}"
    );
}
