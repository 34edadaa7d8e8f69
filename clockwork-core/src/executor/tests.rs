//! The executor's semantics, under paused time: what a person would wait a minute for happens at once and exactly.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};

use crate::{
    CheckError, Context, Declared, Engine, Event, Fault, Graph, Outcome, Probe, Report, RunOptions, Stop,
    prelude::*,
};

/// An assertion that takes `takes` and then says what `says` says to its attempt (from 1).
fn scripted<F>(name: &str, takes: Duration, says: F) -> Declared
where
    F: Fn(u32) -> Result<Verdict, CheckError> + Send + Sync + 'static,
{
    let (attempts, says) = (Arc::new(AtomicUsize::new(0)), Arc::new(says));
    assertion(name, move |_: Context| {
        let (attempts, says) = (Arc::clone(&attempts), Arc::clone(&says));
        async move {
            sleep(takes).await;
            says(attempts.fetch_add(1, SeqCst) as u32 + 1)
        }
    })
}

fn passes(name: &str) -> Declared {
    scripted(name, ms(10), |_| Ok(Verdict::passed()))
}

fn fails(name: &str) -> Declared {
    scripted(name, ms(10), |_| Ok(Verdict::failed("wrong")))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

async fn run(project: &Project) -> Report {
    run_with(project, RunOptions::default()).await
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

fn outcomes(report: &Report) -> Vec<(&str, Outcome)> {
    report.results.iter().map(|result| (&*result.id, result.verdict)).collect()
}

fn only(report: &Report) -> &crate::CheckResult {
    assert_eq!(report.results.len(), 1);
    &report.results[0]
}

#[tokio::test(start_paused = true)]
async fn concurrency_is_bounded_and_used() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut project = Project::new("p").defaults(|defaults| defaults.concurrency = 7);
    for n in 0..50 {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        project = project.assert(assertion(format!("a{n}"), move |_: Context| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                sleep(ms(100)).await;
                now.fetch_sub(1, SeqCst);
                true
            }
        }));
    }
    let report = run(&project).await;
    assert!(report.passed());
    assert_eq!(most.load(SeqCst), 7);
    assert_eq!(report.duration.as_millis(), 800, "50 checks of 100 ms, 7 at a time");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_never_ends_is_errored_and_the_others_are_not_held_up() {
    let endless = assertion("endless", async |_: Context| {
        std::future::pending::<()>().await;
        true
    });
    let report = run(&Project::new("p").assert(endless.timeout(ms(300))).assert(passes("quick"))).await;
    assert_eq!(report.results[0].verdict, Outcome::Errored);
    insta::assert_snapshot!(report.results[0].message, @"did not finish within 350 ms; raise `timeout`, or bound what the assertion does itself");
    assert_eq!(report.results[1].verdict, Outcome::Passed);
}

#[tokio::test(start_paused = true)]
async fn within_keeps_trying_and_tells_the_story() {
    let slow_start = |n| match n {
        1..=3 => Err(CheckError::target("connection refused")),
        4 => Ok(Verdict::failed("answered 503")),
        _ => Ok(Verdict::passed()),
    };
    let report = run(&Project::new("p").assert(scripted("a", ms(1), slow_start).within(ms(30_000)))).await;
    let result = only(&report);
    assert_eq!((result.verdict, result.attempts), (Outcome::Passed, 5));
    let told: Vec<_> =
        result.timeline.iter().map(|t| (t.at_ms, t.verdict, t.message.as_str(), t.count)).collect();
    use Outcome::{Failed, Passed};
    assert_eq!(
        told,
        [(1, Failed, "connection refused", 3), (401, Failed, "answered 503", 1), (801, Passed, "", 1)],
        "attempts at 0, 100, 200, 400 and 800 ms… on the grid of the run"
    );
}

#[tokio::test(start_paused = true)]
async fn within_gives_up_in_time_with_the_last_reason() {
    let report = run(&Project::new("p").assert(fails("a").within(ms(3_000)).every(ms(500)))).await;
    let result = only(&report);
    assert_eq!((result.verdict, result.attempts), (Outcome::Failed, 7));
    assert_eq!(result.message, "wrong (7 attempts in 2.9 s)");
    assert!(report.duration <= ms(3_000));
}

#[tokio::test(start_paused = true)]
async fn within_bounds_an_attempt_that_hangs() {
    let hangs = scripted("a", ms(60_000), |_| Ok(Verdict::passed()));
    let report = run(&Project::new("p").assert(hangs.within(ms(2_000)).timeout(ms(1_500)))).await;
    assert_eq!(only(&report).verdict, Outcome::Errored);
    assert!(report.duration <= ms(2_100), "{:?}", report.duration);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_within_cuts_short_does_not_hide_what_was_seen_before() {
    let slow = assertion("slow", async |cx: Context| {
        static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
        if ATTEMPTS.fetch_add(1, SeqCst) > 0 {
            cx.observe(Counted("hangs")).await?;
        }
        Ok((false, "is paused"))
    });
    let report =
        run(&Project::new("p").assert(slow.within(ms(1_000)).timeout(ms(5_000)).every(ms(700)))).await;
    assert_eq!((only(&report).verdict, only(&report).attempts), (Outcome::Failed, 2));
    assert_eq!(only(&report).message, "is paused (2 attempts in 1 s)");
}

#[tokio::test(start_paused = true)]
async fn what_stops_answering_while_it_has_to_hold_does_not_pass() {
    let stops = assertion("stops", async |cx: Context| {
        static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
        if ATTEMPTS.fetch_add(1, SeqCst) > 0 {
            cx.observe(Counted("hangs")).await?;
        }
        Ok(true)
    });
    // The attempt that passes is one that `within` cuts short, and those that follow are not.
    let stops = stops.within(ms(1_000)).timeout(ms(2_000)).holds_for(ms(10_000)).every(ms(500));
    let report = run(&Project::new("p").assert(stops)).await;
    assert_eq!(only(&report).verdict, Outcome::Failed, "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_terminal_state_ends_within_at_once() {
    for terminal in [
        scripted("a", ms(1), |_| Ok(Verdict::failed("exited").terminal())),
        scripted("a", ms(1), |_| Err(CheckError::target("gone").terminal())),
        scripted("a", ms(1), |_| Err(CheckError::unobservable("no permission"))),
    ] {
        let report = run(&Project::new("p").assert(terminal.within(ms(30_000)))).await;
        assert_eq!(only(&report).attempts, 1);
        assert_ne!(only(&report).verdict, Outcome::Passed);
    }
}

#[tokio::test(start_paused = true)]
async fn holds_for_asks_that_it_stays_true() {
    let stays = passes("a").holds_for(ms(5_000)).every(ms(1_000));
    let report = run(&Project::new("p").assert(stays)).await;
    assert_eq!(only(&report).verdict, Outcome::Passed);
    assert!(report.duration >= ms(5_000), "it was watched to the end: {:?}", report.duration);

    let breaks = scripted("a", ms(1), |n| Ok(Verdict::of(n < 4, "answered 500")));
    let report = run(&Project::new("p").assert(breaks.holds_for(ms(10_000)).every(ms(1_000)))).await;
    assert_eq!(only(&report).verdict, Outcome::Failed);
    assert_eq!(only(&report).message, "held for 3 s of 10 s, then: answered 500");
}

#[tokio::test(start_paused = true)]
async fn under_not_only_a_judged_property_turns() {
    let blind = |_| Err(CheckError::unobservable("no permission"));
    let refused = |_| Err(CheckError::target("refused"));
    let project = Project::new("p")
        .assert(passes("holds").not())
        .assert(fails("does not hold").not())
        .assert(scripted("refused", ms(1), refused).not())
        .assert(scripted("blind", ms(1), blind).not())
        .assert(assertion("panics", async |_: Context| -> bool { panic!("oh") }).not());
    use Outcome::{Errored, Failed, Passed};
    let report = run(&project).await;
    let found: Vec<_> = report.results.iter().map(|result| result.verdict).collect();
    assert_eq!(found, [Failed, Passed, Errored, Errored, Errored]);
    assert_eq!(
        report.results[0].label, "not holds",
        "who reads the line has to know which way it was asserted"
    );
    assert!(!report.passed());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_errored_and_takes_nobody_down() {
    let panics = assertion("panics", async |_: Context| -> bool { panic!("index {} is out of range", 7) });
    let report = run(&Project::new("p").assert(panics).assert(passes("other"))).await;
    assert_eq!((report.results[0].verdict, report.results[1].verdict), (Outcome::Errored, Outcome::Passed));
    insta::assert_snapshot!(report.results[0].message, @r#"the assertion panicked: "index 7 is out of range"; this is a bug in the assertion"#);
}

/// Its panic is not the assertion's, and so ends what ran it: others go on elsewhere.
#[tokio::test(start_paused = true)]
async fn what_panics_when_it_ends_is_lost_and_nothing_else_is() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("too late");
        }
    }
    let bombs = |name: &str| {
        assertion(name, async |_: Context| {
            let bomb = Bomb;
            sleep(ms(100_000)).await;
            drop(bomb);
            true
        })
    };
    let mut project = Project::new("bombs").assert(bombs("one")).assert(passes("fine")).assert(bombs("two"));
    project.defaults.concurrency = 1;
    let report = run_with(&project, RunOptions { timeout: Some(ms(20)), ..RunOptions::default() }).await;
    let ended: Vec<_> = report.results.iter().map(|result| (result.verdict, &*result.message)).collect();
    let lost = (Outcome::Errored, "the attempt was lost: it panicked when it ended");
    assert_eq!(ended, [lost, (Outcome::Passed, ""), lost]);
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_failure_is_skipped_with_the_root_cause() {
    let database = BlankResource::new("db").assert(fails("up"));
    let api = BlankResource::new("api").depends_on(&database).assert(passes("up")).assert(passes("fast"));
    let web = BlankResource::new("web").depends_on(&api).assert(passes("up"));
    let other = BlankResource::new("other").assert(passes("up"));
    // Declared in the wrong order on purpose: the report has the graph's.
    let report = run(&Project::new("p").with(web).with(api).with(database).with(other)).await;
    use Outcome::{Failed, Passed, Skipped};
    assert_eq!(
        outcomes(&report),
        [
            ("db/FunctionAssertion/up", Failed),
            ("api/FunctionAssertion/up", Skipped),
            ("api/FunctionAssertion/fast", Skipped),
            ("web/FunctionAssertion/up", Skipped),
            ("other/FunctionAssertion/up", Passed),
        ]
    );
    for skipped in &report.results[1..4] {
        assert_eq!(skipped.caused_by, ["db/FunctionAssertion/up".into()], "one root cause, no cascade");
        assert_eq!(skipped.message, "db/FunctionAssertion/up did not hold");
    }
    assert_eq!((report.summary.failed, report.summary.skipped), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_warning_is_counted_and_stops_nothing() {
    let db = BlankResource::new("db").assert(fails("fast").severity(Severity::Warning));
    let api = BlankResource::new("api").depends_on(&db).assert(passes("up"));
    let report = run(&Project::new("p").with(db).with(api)).await;
    assert!(report.passed());
    assert_eq!((report.summary.passed, report.summary.warnings, report.summary.failed), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_composite_waits_for_its_parts_and_they_for_what_it_needs() {
    let db = BlankResource::new("db").assert(scripted("up", ms(500), |_| Ok(Verdict::passed())));
    let part = BlankResource::new("part").assert(fails("up"));
    let stack = BlankResource::new("stack").depends_on(&db).child(part).assert(passes("whole"));
    let report = run(&Project::new("p").with(stack).with(db)).await;
    use Outcome::{Failed, Passed, Skipped};
    assert_eq!(
        outcomes(&report),
        [
            ("db/FunctionAssertion/up", Passed),
            ("part/FunctionAssertion/up", Failed),
            ("stack/FunctionAssertion/whole", Skipped),
        ]
    );
    assert_eq!(report.duration.as_millis(), 510, "the part waited for what the composite needs");
}

#[tokio::test(start_paused = true)]
async fn skip_and_filters_leave_out_without_blocking() {
    let db = BlankResource::new("db").assert(fails("up").skip("known, see #12"));
    let api =
        BlankResource::new("api").depends_on(&db).assert(passes("up").tags(["smoke"])).assert(passes("slow"));
    let project = Project::new("p").with(db).with(api);
    let found =
        |report: &Report| report.results.iter().map(|r| (r.verdict, r.message.clone())).collect::<Vec<_>>();
    use Outcome::{Passed, Skipped};

    let report = run(&project).await;
    assert_eq!(found(&report)[0], (Skipped, "known, see #12".to_owned()));
    assert_eq!(report.summary.passed, 2);

    let report = run_with(&project, RunOptions { tags: vec!["smoke".into()], ..RunOptions::default() }).await;
    let not_selected = (Skipped, "not selected by --tag".to_owned());
    assert_eq!(found(&report), [not_selected.clone(), (Passed, String::new()), not_selected]);
    assert!(report.passed());

    let report =
        run_with(&project, RunOptions { tags: vec!["nothing".into()], ..RunOptions::default() }).await;
    assert!(!report.passed(), "a run in which nothing was judged is not a pass");

    let report = run_with(&project, RunOptions { only: vec!["db".into()], ..RunOptions::default() }).await;
    assert!(!report.passed(), "the only selected assertion is skipped");
}

#[tokio::test(start_paused = true)]
async fn fail_fast_stops_at_the_first_failure_and_reports_everything() {
    let project = Project::new("p")
        .assert(scripted("slow", ms(10_000), |_| Ok(Verdict::passed())))
        .assert(fails("a").severity(Severity::Warning))
        .assert(scripted("b", ms(50), |_| Ok(Verdict::failed("wrong"))));
    let report = run_with(&project, RunOptions { fail_fast: true, ..RunOptions::default() }).await;
    use Outcome::{Failed, Skipped};
    let found: Vec<_> = report.results.iter().map(|result| result.verdict).collect();
    assert_eq!(found, [Skipped, Failed, Failed]);
    assert_eq!(report.results[0].message, "the run stopped at its first failure, cross/FunctionAssertion/b");
    assert_eq!(report.duration.as_millis(), 50);
}

#[tokio::test(start_paused = true)]
async fn stopped_from_outside_it_still_reports_everything() {
    let stop = Stop::default();
    let options = RunOptions { stop: stop.clone(), ..RunOptions::default() };
    let db = BlankResource::new("db").assert(fails("up").within(ms(600_000)));
    let api = BlankResource::new("api").depends_on(&db).assert(passes("up"));
    let project = Project::new("p").with(db).with(api).assert(passes("quick"));
    let (report, ()) = tokio::join!(run_with(&project, options), async {
        sleep(ms(5_000)).await;
        stop.stop();
    });
    use Outcome::{Passed, Skipped};
    let found: Vec<_> = report.results.iter().map(|result| result.verdict).collect();
    assert_eq!(found, [Skipped, Skipped, Passed]);
    assert!(report.interrupted && !report.passed());
    assert_eq!(report.duration.as_millis(), 5_000);
}

#[tokio::test(start_paused = true)]
async fn the_runs_deadline_ends_it_and_nothing_unseen_passes() {
    let db = BlankResource::new("db").assert(fails("up").within(ms(600_000)));
    let api = BlankResource::new("api").depends_on(&db).assert(passes("up"));
    let project = Project::new("p")
        .with(db)
        .with(api)
        .assert(scripted("hangs", ms(3_600_000), |_| Ok(Verdict::passed())).timeout(ms(3_600_000)))
        .assert(passes("holds").holds_for(ms(3_600_000)))
        .defaults(|defaults| defaults.deadline = Some(ms(10_000)));
    let report = run(&project).await;
    let said: Vec<_> =
        report.results.iter().map(|r| format!("{}: {}", r.verdict.as_str(), r.message)).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    failed: wrong (the run's deadline passed after 10 s)
    errored: the run's deadline passed after 10 s, while it waited for db
    errored: the run's deadline passed after 10 s, while it was being looked at
    errored: the run's deadline passed after 10 s, it held so far, and had to hold longer
    ");
    assert_eq!(report.duration.as_millis(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn a_cross_resource_assertion_waits_for_all_that_it_is_about() {
    #[derive(Debug)]
    struct Between(&'static [&'static str]);
    #[crate::async_trait]
    impl crate::Assertion for Between {
        fn kind(&self) -> &'static str {
            "Between"
        }
        fn related(&self) -> Vec<crate::ResourceName> {
            self.0.iter().map(crate::ResourceName::new).collect()
        }
        async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
            Ok(Verdict::passed())
        }
    }
    let a = BlankResource::new("a").assert(scripted("up", ms(400), |_| Ok(Verdict::passed())));
    let b = BlankResource::new("b").assert(fails("up"));
    let project = Project::new("p").with(a).with(b).assert(Between(&["a"])).assert(Between(&["a", "b"]));
    let report = run(&project).await;
    let (holds, skipped) = (&report.results[2], &report.results[3]);
    assert_eq!(
        (holds.verdict, &*holds.id, holds.related.as_slice()),
        (Outcome::Passed, "cross/Between", &["a".into()][..])
    );
    assert_eq!((skipped.verdict, &*skipped.id), (Outcome::Skipped, "cross/Between#2"));
    assert_eq!(skipped.caused_by, ["b/FunctionAssertion/up".into()]);
}

#[tokio::test(start_paused = true)]
async fn results_stand_in_the_same_order_whatever_the_concurrency() {
    let build = || {
        let mut project = Project::new("p");
        for n in 0..20u64 {
            let quick = scripted(&format!("q{n}"), ms((n * 37) % 100), |_| Ok(Verdict::passed()));
            let mut resource = BlankResource::new(format!("r{n}")).assert(quick).assert(passes("up"));
            if n % 3 == 0 {
                resource = resource.depends_on(format!("r{}", n + 1).as_str());
            }
            project = project.with(resource);
        }
        project
    };
    let mut orders = Vec::new();
    for concurrency in [1, 3, 64] {
        let report =
            run_with(&build(), RunOptions { concurrency: Some(concurrency), ..RunOptions::default() }).await;
        orders.push(report.results.iter().map(|result| result.id.to_string()).collect::<Vec<_>>());
    }
    assert!(orders[0] == orders[1] && orders[1] == orders[2]);
}

/// Counts how often it is looked at, per name.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Counted(&'static str);

static LOOKS: Mutex<Option<HashMap<&'static str, usize>>> = Mutex::new(None);

impl Counted {
    fn looks(&self) -> usize {
        LOOKS.lock().unwrap().as_ref().map_or(0, |looks| looks.get(self.0).copied().unwrap_or(0))
    }
}

impl Probe for Counted {
    type Observation = usize;

    async fn look(&self, cx: &Context) -> Result<usize, CheckError> {
        *LOOKS.lock().unwrap().get_or_insert_default().entry(self.0).or_default() += 1;
        cx.phase("waiting for the answer");
        sleep(ms(if self.0 == "hangs" { 60_000 } else { 20 })).await;
        Ok(self.looks())
    }

    fn describe(&self) -> String {
        format!("counting {}", self.0)
    }

    fn silence(&self) -> Fault {
        Fault::Target
    }

    fn target(&self) -> Option<String> {
        Some("one".to_owned())
    }
}

#[tokio::test(start_paused = true)]
async fn one_look_serves_all_who_ask_in_a_round_and_a_retry_is_a_new_one() {
    let mut project = Project::new("p");
    for n in 0..100 {
        let ask = async |cx: Context| Ok((*cx.observe(Counted("first")).await? == 1, "looked twice"));
        project = project.assert(assertion(format!("a{n}"), ask));
    }
    // What depends on verdicts of the first round shares its observations.
    let before = BlankResource::new("before").assert(passes("up"));
    let ask = async |cx: Context| Ok((*cx.observe(Counted("first")).await? == 1, "looked twice"));
    let after = BlankResource::new("after").depends_on(&before).assert(assertion("a", ask));
    let report = run(&project.with(before).with(after).defaults(|d| d.concurrency = 10)).await;
    assert!(report.passed(), "{report}");
    assert_eq!(Counted("first").looks(), 1);

    // Fifty that wait for the third look share each of them.
    let mut project = Project::new("p");
    for n in 0..50 {
        let ask = async |cx: Context| Ok((*cx.observe(Counted("retried")).await? >= 3, "not yet"));
        project = project.assert(assertion(format!("a{n}"), ask).within(ms(10_000)));
    }
    assert!(run(&project).await.passed());
    assert_eq!(Counted("retried").looks(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_check_that_was_retried_does_not_see_the_world_before() {
    let early = assertion("early", async |cx: Context| Ok((*cx.observe(Counted("stale")).await? >= 1, "")));
    let before = BlankResource::new("before")
        .assert(early)
        .assert(scripted("slow", ms(1), |n| Ok(Verdict::of(n > 3, "starting"))).within(ms(10_000)));
    let late = assertion("late", async |cx: Context| {
        Ok((*cx.observe(Counted("stale")).await? == 2, "saw the old one"))
    });
    let after = BlankResource::new("after").depends_on(&before).assert(late);
    let report = run(&Project::new("p").with(before).with(after)).await;
    assert!(report.passed(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_does_not_answer_says_what_it_waited_for_and_holds_no_turn() {
    let ask = |name: &'static str| {
        move |cx: Context| async move { Ok((*cx.observe(Counted(name)).await? >= 1, "")) }
    };
    let project = Project::new("p")
        .defaults(|defaults| defaults.target_concurrency = Some(1))
        .assert(assertion("hangs", ask("hangs")).timeout(ms(1_000)))
        .assert(assertion("waits for its turn", ask("after the hang")).timeout(ms(5_000)));
    let report = run(&project).await;
    assert_eq!(
        (report.results[0].verdict, report.results[1].verdict),
        (Outcome::Failed, Outcome::Passed),
        "{report}"
    );
    insta::assert_snapshot!(report.results[0].message, @"no answer within 1 s (counting hangs, waiting for the answer)");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_look_from_inside_a_container_is_refused_there() {
    let ask = async |cx: Context| Ok((*cx.observe(Counted("from inside")).await? >= 1, ""));
    let project = Project::new("p").with(BlankResource::new("api")).assert(assertion("a", ask).at("api"));
    let report = run(&project).await;
    assert_eq!((only(&report).verdict, Counted("from inside").looks()), (Outcome::Errored, 0));
    assert!(
        only(&report).message.starts_with("cannot look from inside api (counting from inside)"),
        "{report}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_measurement_is_never_shared() {
    let mut project = Project::new("p");
    for n in 0..5 {
        let ask = async |cx: Context| Ok((*cx.measure(Counted("measured")).await? >= 1, ""));
        project = project.assert(assertion(format!("a{n}"), ask));
    }
    assert!(run(&project).await.passed());
    assert_eq!(Counted("measured").looks(), 5);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_cancels_every_check() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut project = Project::new("p");
    for n in 0..10 {
        let dropped = Arc::clone(&dropped);
        project = project.assert(
            assertion(format!("a{n}"), move |_: Context| {
                let guard = Guard(Arc::clone(&dropped));
                async move {
                    sleep(ms(3_600_000)).await;
                    drop(guard);
                    true
                }
            })
            .timeout(ms(7_200_000)),
        );
    }
    let run = tokio::time::timeout(ms(1_000), run(&project)).await;
    assert!(run.is_err());
    tokio::task::yield_now().await;
    assert_eq!(dropped.load(SeqCst), 10);
}

#[tokio::test(start_paused = true)]
async fn one_engine_serves_many_tasks_at_once() {
    let (engine, began) = (Engine::standard(), Instant::now());
    let runs = (0..20).map(|_| {
        let engine = engine.clone();
        tokio::spawn(async move {
            let project = Project::new("p").assert(scripted("a", ms(300), |_| Ok(Verdict::passed())));
            engine.assert(&project).await.unwrap().passed()
        })
    });
    for run in runs.collect::<Vec<_>>() {
        assert!(run.await.unwrap());
    }
    assert_eq!(began.elapsed().as_millis(), 300);
}
