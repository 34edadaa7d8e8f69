//! What has to be undone is undone, however a check ends.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::json;
use tokio::time::sleep;

use crate::{
    CheckError, Cleaned, Context, Declared, Engine, Event, Graph, Outcome, Report, RunOptions, Stop,
    prelude::*,
};

/// An assertion that leaves something behind, counts how often that is undone, and then ends as `end` has it.
fn leaving<F, Fut>(name: &str, undone: &Arc<AtomicUsize>, end: F) -> Declared
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Verdict, CheckError>> + Send + 'static,
{
    let (undone, end) = (Arc::clone(undone), Arc::new(end));
    assertion(name, move |cx: Context| {
        let (undone, end) = (Arc::clone(&undone), Arc::clone(&end));
        async move {
            cx.finally(Duration::from_secs(2), async move |_: Context| {
                sleep(Duration::from_secs(1)).await;
                undone.fetch_add(1, SeqCst);
                Cleaned::done("undone")
            });
            end().await
        }
    })
}

async fn run_with(project: &Project, options: RunOptions) -> Report {
    let graph = Arc::new(Graph::new(project).unwrap());
    let mut events = Engine::standard().run(graph, options).unwrap();
    while let Some(event) = events.next().await {
        if let Event::Finished(report) = event {
            return Arc::into_inner(report).unwrap();
        }
    }
    unreachable!("a run ends with its report")
}

async fn never() -> Result<Verdict, CheckError> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn it_is_undone_however_the_check_ends() {
    let undone = Arc::new(AtomicUsize::new(0));
    let project = Project::new("test")
        .assert(leaving("passes", &undone, async || Ok(Verdict::passed())))
        .assert(leaving("fails", &undone, async || Ok(Verdict::failed("wrong"))))
        .assert(leaving("errs", &undone, async || Err(CheckError::unobservable("blind"))))
        .assert(leaving("panics", &undone, async || panic!("oh")))
        .assert(leaving("hangs", &undone, never).timeout(Duration::from_secs(3)));
    let report = run_with(&project, RunOptions::default()).await;
    let verdicts: Vec<_> = report.results.iter().map(|result| result.verdict).collect();
    use Outcome::{Errored, Failed, Passed};
    assert_eq!(verdicts, [Passed, Failed, Errored, Errored, Errored], "{report}");
    assert_eq!(undone.load(SeqCst), 5);
    for result in &report.results {
        assert_eq!(result.details(), json!({ "cleanup": "undone" }), "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_undone_before_an_interrupted_run_ends() {
    for stops in ["interrupt", "fail fast", "deadline"] {
        let undone = Arc::new(AtomicUsize::new(0));
        let fails = assertion("fails", async |_: Context| {
            sleep(Duration::from_secs(1)).await;
            (false, "wrong")
        });
        let project = Project::new("test")
            .assert(leaving("hangs", &undone, never).timeout(Duration::from_secs(60)))
            .assert(fails);
        let stop = Stop::default();
        let mut options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
        match stops {
            "interrupt" => drop(tokio::spawn(async move {
                sleep(Duration::from_millis(500)).await;
                stop.stop();
            })),
            "fail fast" => options.fail_fast = true,
            _ => options.deadline = Some(Duration::from_secs(2)),
        }
        let report = run_with(&project, options).await;
        assert_eq!(undone.load(SeqCst), 1, "{stops}");
        let result = &report.results[0];
        assert!(result.message.ends_with("; its cleanup ran"), "{stops}: {}", result.message);
        assert_eq!(result.details(), json!({ "cleanup": "undone" }), "{stops}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_run_waits_for_it_no_longer_than_told() {
    for (grace, told, waited) in [(None, "its cleanup ran", 1), (Some(500), "it did not finish", 0)] {
        let undone = Arc::new(AtomicUsize::new(0));
        let hangs = leaving("hangs", &undone, never).timeout(Duration::from_secs(60));
        let project = Project::new("test").assert(hangs);
        let stop = Stop::default();
        let grace = grace.map(Duration::from_millis);
        let options = RunOptions { stop: stop.clone(), grace, ..RunOptions::default() };
        tokio::spawn(async move {
            sleep(Duration::from_millis(500)).await;
            stop.stop();
        });
        let report = run_with(&project, options).await;
        assert!(report.results[0].message.contains(told), "{report}");
        assert_eq!(undone.load(SeqCst), waited);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_is_left_to_the_runtime() {
    let undone = Arc::new(AtomicUsize::new(0));
    let project = Project::new("test").assert(leaving("hangs", &undone, never));
    let engine = Engine::standard();
    tokio::select! {
        _ = engine.assert(&project) => unreachable!("it hangs"),
        () = sleep(Duration::from_millis(500)) => {}
    }
    sleep(Duration::from_secs(5)).await;
    assert_eq!(undone.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_undone_is_told_and_never_a_pass() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&order);
    let several = assertion("several", move |cx: Context| {
        let order = Arc::clone(&told);
        async move {
            for name in ["first", "second"] {
                let order = Arc::clone(&order);
                cx.finally(Duration::from_secs(1), async move |_: Context| {
                    order.lock().unwrap().push(name);
                    Cleaned::failed(format!("{name} is still there"), name)
                });
            }
            true
        }
    });
    let hangs = assertion("hangs", async |cx: Context| {
        cx.finally(Duration::from_secs(1), async |_: Context| std::future::pending().await);
        (false, "wrong")
    });
    let panics = assertion("panics", async |cx: Context| {
        cx.finally(Duration::from_secs(1), async |_: Context| panic!("oh"));
        true
    });
    let project = Project::new("test").assert(several).assert(hangs).assert(panics);
    let report = run_with(&project, RunOptions::default()).await;
    let messages: Vec<_> = report.results.iter().map(|result| result.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "it held, but its cleanup failed: second is still there; first is still there",
            "wrong; its cleanup failed: it did not finish within 1 s",
            "it held, but its cleanup failed: it panicked",
        ]
    );
    assert!(report.results.iter().all(|result| result.verdict == Outcome::Failed), "{report}");
    assert_eq!(*order.lock().unwrap(), ["second", "first"]);
    assert_eq!(report.results[0].details(), json!({ "cleanup": ["second", "first"] }));
}
