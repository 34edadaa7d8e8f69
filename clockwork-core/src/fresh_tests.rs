//! What passed before is used again, and nothing else: under paused time, with a clock of the test's own.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use serde_json::json;

use super::*;
use crate::{Clock, Event, Outcome, Report, RunOptions, async_trait, prelude::*};

/// Counts how often it is looked at, and says what it is told to.
#[derive(Clone)]
struct CountedAssert {
    fields: &'static str,
    file: PathBuf,
    world: Arc<World>,
}

#[derive(Default)]
struct World {
    looks: AtomicU32,
    is_bad: AtomicBool,
}

impl fmt::Debug for CountedAssert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fields)
    }
}

#[async_trait]
impl crate::Assertion for CountedAssert {
    fn kind(&self) -> &'static str {
        "CountedAssert"
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::File(self.file.clone())]
    }

    async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
        self.world.looks.fetch_add(1, Relaxed);
        let good = !self.world.is_bad.load(Relaxed);
        Ok(Verdict::of(good, "as it is").expected("good").actual("seen").detail("number", 7))
    }
}

/// Seconds after 1970.
#[derive(Debug, Clone, Default)]
struct TestClock(Arc<AtomicU64>);

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + self.0.load(Relaxed))
    }
}

struct Scene {
    kind: CountedAssert,
    clock: TestClock,
    passes: Passes,
    no_cache: bool,
    fields: Value,
    not: bool,
}

impl Scene {
    fn new(directory: &Path) -> Self {
        let (file, world) = (directory.join("input"), Arc::default());
        fs::write(&file, "one").unwrap();
        let kind = CountedAssert { fields: "{}", file, world };
        let (clock, passes) = (TestClock::default(), Passes::default());
        Self { kind, clock, passes, no_cache: false, fields: json!({}), not: false }
    }

    /// Whether it was looked at, and what came of it.
    async fn run(&self) -> (bool, Report) {
        let before = self.kind.world.looks.load(Relaxed);
        let mut declared = self.kind.clone().fresh_for(Duration::from_secs(600));
        if self.not {
            declared = declared.not();
        }
        let mut blank = BlankResource::new("web").assert(declared);
        if self.fields != json!({}) {
            blank = blank.child(BlankResource::new("part"));
        }
        let graph = crate::Graph::new(&Project::new("p").with(blank)).unwrap();
        let mut options = RunOptions::default();
        (options.passes, options.no_cache) = (Some(self.passes.clone()), self.no_cache);
        let engine = Engine::builder().clock(self.clock.clone()).build().unwrap();
        let mut events = engine.run(Arc::new(graph), options).unwrap();
        let report = loop {
            if let Some(Event::Finished(report)) = events.next().await {
                break report;
            }
        };
        (self.kind.world.looks.load(Relaxed) > before, (*report).clone())
    }

    async fn looks(&self) -> bool {
        self.run().await.0
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_is_used_again_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let scene = Scene::new(directory.path());
    let (looked, first) = scene.run().await;
    assert!(looked && first.results[0].reused.is_none());
    scene.clock.0.store(599, Relaxed);
    let (looked, report) = scene.run().await;
    assert!(!looked && report.passed());
    let again = &report.results[0];
    assert_eq!((again.reused.as_deref(), again.attempts), (Some("1970-01-12T13:46:40.000Z"), 0));
    assert_eq!(again.message, "passed at 1970-01-12T13:46:40.000Z, and is not asked again: as it is");
    assert_eq!((again.expected.as_deref(), again.actual.as_deref()), (Some("good"), Some("seen")));
    assert_eq!(again.details(), json!({ "number": 7 }));
    assert!(report.to_string().contains("web: CountedAssert, as of 1970-01-12T13:46:40.000Z"), "{report}");
    scene.clock.0.store(600, Relaxed);
    assert!(scene.looks().await, "it is too old");
}

#[tokio::test(start_paused = true)]
async fn whatever_it_rests_on_makes_it_ask_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut scene = Scene::new(directory.path());
    assert!(scene.looks().await);
    assert!(!scene.looks().await);
    type Change = (&'static str, fn(&mut Scene));
    let changes: [Change; 5] = [
        ("fields", |scene| scene.kind.fields = "{ other }"),
        ("a file", |scene| fs::write(&scene.kind.file, "two").unwrap()),
        ("a file that is gone", |scene| fs::remove_file(&scene.kind.file).unwrap()),
        ("the resource", |scene| scene.fields = json!({ "part": true })),
        ("options", |scene| scene.not = true),
    ];
    for (what, change) in changes {
        change(&mut scene);
        let (looked, report) = scene.run().await;
        assert!(looked, "{what}: {report}");
    }
    // Under `not` it fails, and is asked each time.
    assert!(scene.looks().await);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_never_used_again_and_takes_back_what_passed() {
    let directory = tempfile::tempdir().unwrap();
    let mut scene = Scene::new(directory.path());
    assert!(scene.looks().await);
    scene.kind.world.is_bad.store(true, Relaxed);
    assert!(!scene.looks().await, "nobody knows yet");
    scene.no_cache = true;
    let (looked, report) = scene.run().await;
    assert!(looked && report.results[0].verdict == Outcome::Failed);
    scene.no_cache = false;
    assert!(scene.looks().await && scene.looks().await, "it did not pass");
    scene.kind.world.is_bad.store(false, Relaxed);
    assert!(scene.looks().await);
    assert!(!scene.looks().await, "it passes again");
    // A clock that was set back: what passed in the future proves nothing.
    scene.clock = TestClock(Arc::new(AtomicU64::new(0)));
    scene.passes =
        Passes::read(&scene.passes.write(None).replace("\"at\":1000000000", "\"at\":1000001000")).unwrap();
    assert!(scene.looks().await);
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut scene = Scene::new(directory.path());
    assert!(scene.looks().await && scene.passes.changed());
    let written = scene.passes.write(None);
    scene.passes = Passes::read(&written).unwrap();
    assert!(!scene.looks().await);
    assert!(!scene.passes.changed(), "nothing was added");
    // Somebody else wrote the same meanwhile, and here it did not pass.
    scene.kind.world.is_bad.store(true, Relaxed);
    scene.no_cache = true;
    assert!(scene.looks().await);
    let merged = scene.passes.write(Some(&Passes::read(&written).unwrap()));
    assert_eq!(merged, r#"{"schema":"clockwork.passes/v1","passes":{}}"#);
    for bad in ["", "{}", r#"{"schema":"other/v1","passes":{}}"#, "[1]"] {
        assert!(Passes::read(bad).is_err(), "{bad}");
    }
}

/// What a closure captured cannot be seen: a pass is of this very closure.
#[tokio::test(start_paused = true)]
async fn a_closure_is_known_by_itself_alone() {
    let looks = Arc::new(AtomicU32::new(0));
    let closure = || {
        let looks = Arc::clone(&looks);
        let look = move |_: Context| {
            looks.fetch_add(1, Relaxed);
            async { true }
        };
        assertion("same name", look).fresh_for(Duration::from_secs(600))
    };
    let (engine, first) = (Engine::standard(), Project::new("p").assert(closure()));
    let second = Project::new("p").assert(closure());
    for (project, expected) in [(&first, 1), (&first, 1), (&second, 2), (&second, 2)] {
        assert!(engine.assert(project).await.unwrap().passed());
        assert_eq!(looks.load(Relaxed), expected);
    }
}
