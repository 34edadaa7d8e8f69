//! Who waits for whom through assertions, and who is blamed: under paused time, with the whole text as a snapshot.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Duration;

use tokio::time::sleep;

use crate::{CheckError, Context, Declared, Engine, Outcome, Report, ResourceName, async_trait, prelude::*};

/// Says what it is told to about how the first resource stands to the second.
#[derive(Debug, Clone)]
struct ReachesAssert {
    between: [&'static str; 2],
    explains: bool,
    says: fn() -> Result<Verdict, CheckError>,
}

#[async_trait]
impl crate::Assertion for ReachesAssert {
    fn kind(&self) -> &'static str {
        "ReachesAssert"
    }

    fn related(&self) -> Vec<ResourceName> {
        self.between.iter().map(ResourceName::new).collect()
    }

    fn explains(&self) -> Option<ResourceName> {
        self.explains.then(|| ResourceName::new(self.between[0]))
    }

    async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
        (self.says)()
    }
}

fn reaches(from: &'static str, to: &'static str, says: fn() -> Result<Verdict, CheckError>) -> ReachesAssert {
    ReachesAssert { between: [from, to], explains: true, says }
}

fn cut() -> Result<Verdict, CheckError> {
    Ok(Verdict::failed("no answer"))
}

fn holds() -> Result<Verdict, CheckError> {
    Ok(Verdict::passed())
}

fn blind() -> Result<Verdict, CheckError> {
    Err(CheckError::target("cannot look from inside it").inconclusive())
}

fn passes(name: &str) -> Declared {
    assertion(name, async |_: Context| true)
}

fn fails(name: &str) -> Declared {
    assertion(name, async |_: Context| (false, "wrong"))
}

fn takes(name: &str, ms: u64) -> Declared {
    assertion(name, move |_: Context| async move {
        sleep(Duration::from_millis(ms)).await;
        true
    })
}

async fn run(project: Project) -> Report {
    Engine::standard().assert(&project).await.unwrap()
}

fn text(report: &Report) -> String {
    let mut report = report.clone();
    report.duration = Duration::from_millis(41);
    report.to_string()
}

#[tokio::test(start_paused = true)]
async fn fifty_dependents_of_a_dead_database_are_one_failure() {
    let mut project = Project::new("shop").with(BlankResource::new("postgres-db").assert(fails("answers")));
    for number in 0..50 {
        let name = format!("service-{number}");
        project = project.with(BlankResource::new(name).depends_on("postgres-db").assert(passes("up")));
    }
    let report = run(project).await;
    let said = text(&report);
    assert_eq!(
        said.lines().next(),
        Some("✗ 1 of 51 assertions failed, 50 skipped because of postgres-db (41 ms)")
    );
    assert!(report.results[1..].iter().all(|result| result.verdict == Outcome::Skipped
        && result.caused_by == ["postgres-db/FunctionAssertion/answers".into()]));
    let blamed: Vec<_> = report.blamed.iter().map(|one| (&*one.what, one.skipped)).collect();
    assert_eq!(blamed, [("postgres-db", 50)]);
}

/// The service is unhealthy because it does not reach its database: the relationship is looked at all the same, and is
/// what the first line names.
#[tokio::test(start_paused = true)]
async fn a_relationship_is_blamed_for_what_it_explains() {
    let project = |says| {
        Project::new("shop")
            .with(BlankResource::new("db").assert(passes("up")))
            .with(BlankResource::new("api").depends_on("db").assert(fails("healthy")))
            .with(BlankResource::new("web").depends_on("api").assert(passes("up")))
            .assert(reaches("api", "db", says))
    };
    insta::assert_snapshot!(text(&run(project(cut)).await), @"
    ✗ 2 of 4 assertions failed, 1 skipped because of api → db (41 ms)
      ✓ db: FunctionAssertion (up)
      ✗ api: FunctionAssertion (healthy)
          wrong
      - web: FunctionAssertion (up)
          skipped: api/FunctionAssertion/healthy did not hold
      ✗ api → db: ReachesAssert
          no answer
    ");
    let report = run(project(cut)).await;
    insta::assert_json_snapshot!(report.blamed, @r#"
    [
      {
        "what": "api → db",
        "relationship": true,
        "ids": [
          "cross/ReachesAssert"
        ],
        "explains": [
          "api/FunctionAssertion/healthy"
        ],
        "skipped": 1
      }
    ]
    "#);
    assert_eq!(report.results[3].relationship.as_deref(), Some("api → db"));
    // A relationship that holds is no excuse, and one that cannot be looked at is no failure of its own.
    insta::assert_snapshot!(text(&run(project(holds)).await), @"
    ✗ 1 of 4 assertions failed, 1 skipped because of api (41 ms)
      ✓ db: FunctionAssertion (up)
      ✗ api: FunctionAssertion (healthy)
          wrong
      - web: FunctionAssertion (up)
          skipped: api/FunctionAssertion/healthy did not hold
      ✓ api → db: ReachesAssert
    ");
    insta::assert_snapshot!(text(&run(project(blind)).await), @"
    ✗ 1 of 4 assertions failed, 2 skipped because of api (41 ms)
      ✓ db: FunctionAssertion (up)
      ✗ api: FunctionAssertion (healthy)
          wrong
      - web: FunctionAssertion (up)
          skipped: api/FunctionAssertion/healthy did not hold
      - api → db: ReachesAssert
          skipped: api/FunctionAssertion/healthy did not hold: cannot look from inside it
    ");
}

/// Of a service that is down nothing can be told about whom it talks to: it is blamed alone.
#[tokio::test(start_paused = true)]
async fn a_service_is_blamed_for_what_cannot_be_told_from_there() {
    let unjudged = || Ok(Verdict::unjudged("nobody takes anything"));
    for (says, state, expected) in [
        (unjudged as fn() -> _, fails as fn(&str) -> Declared, &["worker"][..]),
        (blind, fails, &["worker"]),
        (cut, fails, &["worker → queue", "worker"]),
        (unjudged, passes, &["worker → queue"]),
    ] {
        let consumes = ReachesAssert { between: ["worker", "queue"], explains: false, says };
        let worker = BlankResource::new("worker").assert(consumes).assert(state("runs"));
        let queue = BlankResource::new("queue").assert(passes("up"));
        let report = run(Project::new("p").with(queue).with(worker)).await;
        let blamed: Vec<_> = report.blamed.iter().map(|one| &*one.what).collect();
        assert_eq!(blamed, expected, "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn relationships_are_named_in_the_first_line() {
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| BlankResource::new(name).assert(passes("up")));
    let base = || Project::new("p").with(a.clone()).with(b.clone()).with(c.clone()).with(d.clone());
    let head = |report: Report| text(&report).lines().next().unwrap().to_owned();
    let one = base().assert(reaches("a", "b", cut)).assert(passes("other"));
    assert_eq!(head(run(one).await), "✗ 1 of 6 assertions failed: a → b (41 ms)");
    let both = base()
        .with(BlankResource::new("dead").assert(fails("up")))
        .with(BlankResource::new("e").depends_on("dead").assert(passes("up")).assert(passes("x").skip("no")))
        .assert(reaches("a", "b", cut));
    assert_eq!(
        head(run(both).await),
        "✗ 2 of 8 assertions failed, 2 skipped, 1 of them because of dead; also a → b (41 ms)"
    );
    let many = ["b", "c", "d"].into_iter().fold(base(), |p, to| p.assert(reaches("a", to, cut)));
    let many = many
        .assert(reaches("b", "c", cut))
        .assert(reaches("b", "c", || Ok(Verdict::failed("a warning is nobody's fault"))));
    assert_eq!(head(run(many).await), "✗ 5 of 9 assertions failed: a → b, a → c, a → d and 1 more (41 ms)");
    let pinned = || Ok(Verdict::failed("c is cut off").blames([("a", "c")]));
    assert_eq!(
        head(run(base().assert(reaches("a", "b", pinned))).await),
        "✗ 1 of 5 assertions failed: a → c (41 ms)"
    );
    let held = || Ok(Verdict::passed().blames([("a", "c")]));
    let held = run(base().assert(reaches("a", "b", held))).await;
    assert_eq!(held.results[4].relationship.as_deref(), Some("a → b"));
    let warned = base().assert(reaches("a", "b", cut).severity(Severity::Warning));
    assert_eq!(head(run(warned).await), "✓ 4 of 5 assertions passed, 1 warning (41 ms)");
}

/// An assertion that is declared on a resource and is about another one is a part of the order, and holds up those that
/// stand on its resource.
#[tokio::test(start_paused = true)]
async fn what_assertions_imply_is_a_part_of_the_order() {
    let api = BlankResource::new("api").assert(reaches("api", "queue", cut)).assert(takes("up", 5));
    let web = BlankResource::new("web").depends_on("api").assert(passes("up"));
    let queue = BlankResource::new("queue").assert(takes("up", 700));
    let report = run(Project::new("p").with(web).with(api).with(queue)).await;
    insta::assert_snapshot!(text(&report), @"
    ✗ 1 of 4 assertions failed, 1 skipped because of api → queue (41 ms)
      ✓ queue: FunctionAssertion (up)
      ✗ api → queue: ReachesAssert
          no answer
      ✓ api: FunctionAssertion (up)
      - web: FunctionAssertion (up)
          skipped: api/ReachesAssert did not hold
    ");
    assert_eq!(report.duration.as_millis(), 700, "it waited for what it is about");

    // A dead queue is the one root of both.
    let api = BlankResource::new("api").assert(reaches("api", "queue", cut)).assert(passes("up"));
    let web = BlankResource::new("web").depends_on("api").assert(passes("up"));
    let queue = BlankResource::new("queue").assert(fails("up"));
    let report = run(Project::new("p").with(web).with(api).with(queue)).await;
    let head = "✗ 1 of 4 assertions failed, 1 skipped because of queue (41 ms)";
    assert_eq!(text(&report).lines().next(), Some(head));
    assert_eq!(report.results[1].caused_by, ["queue/FunctionAssertion/up".into()]);
}

/// Declared on the database, about who reaches it: that stands behind the database, so it cannot come first.
#[tokio::test(start_paused = true)]
async fn what_would_lead_in_a_circle_comes_late_and_holds_up_nobody() {
    let db = BlankResource::new("db")
        .assert(reaches("api", "db", cut))
        .assert(passes("from there").at("api"))
        .assert(takes("up", 300));
    let api = BlankResource::new("api").depends_on("db").assert(takes("up", 400));
    let report = run(Project::new("p").with(db).with(api)).await;
    insta::assert_snapshot!(text(&report), @"
    ✗ 1 of 4 assertions failed: api → db (41 ms)
      ✗ api → db: ReachesAssert
          no answer
      ✓ db: FunctionAssertion (from there) at api
      ✓ db: FunctionAssertion (up)
      ✓ api: FunctionAssertion (up)
    ");
    assert_eq!(report.duration.as_millis(), 700);

    // And where its own resource failed, it is skipped with that.
    let db = BlankResource::new("db").assert(reaches("api", "db", cut)).assert(fails("up"));
    let api = BlankResource::new("api").depends_on("db").assert(passes("up"));
    let report = run(Project::new("p").with(db).with(api)).await;
    let head = "✗ 1 of 3 assertions failed, 2 skipped because of db (41 ms)";
    assert_eq!(text(&report).lines().next(), Some(head));

    // Two that are about each other, without any `depends_on`.
    let a = BlankResource::new("a").assert(reaches("a", "b", holds)).assert(passes("up"));
    let b = BlankResource::new("b").assert(reaches("b", "a", holds)).assert(passes("up"));
    let report = run(Project::new("p").with(a).with(b)).await;
    assert!(report.passed(), "{report}");
    assert_eq!(report.results.len(), 4);
}

/// What the resource that it looks from has failed does not keep it from looking.
#[tokio::test(start_paused = true)]
async fn a_vantage_with_failures_of_its_own_is_still_looked_from() {
    let one = BlankResource::new("a").assert(fails("healthy"));
    let looks = assertion("looks", async |_: Context| true);
    let cannot = assertion("cannot", async |_: Context| blind());
    let project = || Project::new("p").with(one.clone()).assert(looks.clone().at("a"));
    let report = run(project().assert(cannot.at("a"))).await;
    use Outcome::{Failed, Passed, Skipped};
    let found: Vec<_> = report.results.iter().map(|result| result.verdict).collect();
    assert_eq!(found, [Failed, Passed, Skipped], "{report}");
    assert_eq!(report.results[2].caused_by, ["a/FunctionAssertion/healthy".into()]);
}

/// What waits for resources without assertions is looked at once.
#[tokio::test(start_paused = true)]
async fn what_waits_for_nothing_is_looked_at_once() {
    let [a, b] = ["a", "b"].map(BlankResource::new);
    let project =
        Project::new("p").with(a).with(b).assert(reaches("a", "b", holds)).assert(passes("x").at("a"));
    let report = run(project).await;
    let attempts: Vec<_> = report.results.iter().map(|result| result.attempts).collect();
    assert_eq!(attempts, [1, 1], "{report}");
}
