//! `clockwork.lock.yaml` beside a manifest: what is read, and what is wrong with it.

use super::kinds::*;
use crate::{
    Assertion, CheckError, Context, Declared, Lock, Outcome, Project, Sentence, Verdict, lock::LockEntry,
};

const MANIFEST: &str = "\
project: p
vars: { path: /a }
resources:
  api: { kind: ContainerResource, image: x }
  db: { kind: ContainerResource, image: x }
assertions: [FileAssert: { path: /a }]
";

fn read_with(lock: &str) -> Result<Project, String> {
    let mut input = input(MANIFEST);
    input.lock = Some((String::from("clockwork.lock.yaml"), lock.as_bytes().to_vec()));
    engine().read_manifest(&input, &env).map_err(|error| error.to_string())
}

fn sentence(text: &str) -> Sentence<'_> {
    Sentence { source: "api", target: "db", text }
}

#[test]
fn an_entry_is_for_exactly_its_sentence() {
    let project = read_with(
        "lock: clockwork.lock/v1
entries:
  - source: api
    target: db
    assertion: >
      the api reads
      from the database
    reviewed: by Anna
    assertions: [FileAssert: { path: \"${vars.path}\" }, { HealthcheckAssert: { url: 'http://x' }, not: true }]
    on_target: [RunningAssert]
  - { source: db, target: api, assertion: \"the other way\", on_source: [RunningAssert] }
",
    );
    let project = project.unwrap_or_else(|error| panic!("{error}"));
    let lock = project.lock.clone().unwrap();
    let entry = lock.find(sentence("the api  reads from the database")).unwrap();
    assert_eq!((entry.assertions().len(), entry.reviewed()), (3, Some("by Anna")));
    assert_eq!(entry.assertions()[2].owner.as_ref().unwrap().as_str(), "db");
    assert!(format!("{:?}", entry.assertions()[0]).contains("\"/a\""), "{entry:?}");
    assert!(lock.find(sentence("the api reads from the databases")).is_none());
    assert!(lock.find(sentence("the other way")).is_none());
    let stale = lock.stale(&crate::Graph::new(&project).unwrap());
    assert_eq!(
        stale,
        [
            "clockwork.lock.yaml:3: nobody asserts \"the api reads from the database\" of api and db any more",
            "clockwork.lock.yaml:11: nobody asserts \"the other way\" of db and api any more",
        ]
    );
    assert!(read(MANIFEST).unwrap().lock.is_none());
    assert!(read_with("lock: clockwork.lock/v1\nentries: []\n").is_ok());
}

#[test]
fn what_is_wrong_with_a_lock_is_told_with_its_place() {
    let entry = |fields: &str| format!("lock: clockwork.lock/v1\nentries:\n  - {fields}\n");
    let good = "{ source: api, target: db, assertion: s, assertions: [RunningAssert] }";
    for (lock, told) in [
        (String::from("entries: []\n"), "a lock says first what it is"),
        (String::from("lock: clockwork.lock/v9\n"), "\"clockwork.lock/v9\" is no lock that can be read"),
        (String::from("lock: clockwork.lock/v1\nentires: []\n"), "a lock has no key \"entires\""),
        (String::from("lock: clockwork.lock/v1\nentries: {}\n"), "expected a list of entries"),
        (String::from("- a\n"), "expected a map with `lock` and `entries`"),
        (
            entry("{ source: apu, target: db, assertion: s, assertions: [RunningAssert] }"),
            "clockwork.lock.yaml:3:15",
        ),
        (
            entry("{ source: apu, target: db, assertion: s, assertions: [RunningAssert] }"),
            "did you mean `api`?",
        ),
        (entry("{ source: api, target: db, assertion: s, assertions: [] }"), "this entry has no assertions"),
        (entry("{ source: api, target: db, assertions: [RunningAssert] }"), "an entry needs `assertion`"),
        (
            entry("{ source: api, target: db, asertion: s, assertions: [RunningAssert] }"),
            "did you mean `assertion`?",
        ),
        (
            entry("{ source: api, target: db, assertion: s, assertions: [FileAssert: { paht: /a }] }"),
            "did you mean `path`?",
        ),
        (
            entry("{ source: api, target: db, assertion: s, assertions: [HealthcheckAssert: { url: x }] }"),
            "entries[0].assertions[0].HealthcheckAssert.url",
        ),
        (
            entry(
                "{ source: api, target: db, assertion: s, assertions: [{ RunningAssert: {}, within: 5s }] }",
            ),
            "`within` is not for an assertion in a lock",
        ),
        (entry(&format!("{good}\n  - {good}")), "there is an entry for this sentence already, in line 3"),
    ] {
        let error = read_with(&lock).err().unwrap_or_else(|| panic!("{lock}"));
        assert!(error.contains(told) && error.contains("clockwork.lock.yaml"), "{told}: {error}");
    }
}

/// Ends as it is told.
#[derive(Debug)]
struct Ends(fn() -> Result<Verdict, CheckError>);

#[async_trait::async_trait]
impl Assertion for Ends {
    fn kind(&self) -> &'static str {
        "Ends"
    }

    async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
        (self.0)()
    }
}

/// Asserts the sentence `s` of two resources.
#[derive(Debug)]
struct Says;

#[async_trait::async_trait]
impl Assertion for Says {
    fn kind(&self) -> &'static str {
        "Says"
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let entry: LockEntry = cx.graph().lock().unwrap().entries[0].clone();
        let mut parts = Vec::new();
        for part in entry.assertions() {
            parts.push(part.look(cx).await);
        }
        entry.judge(&parts)
    }
}

#[tokio::test]
async fn together_they_say_what_all_of_them_say() {
    use Outcome::{Errored, Failed, Passed};
    let passes = || Declared::new(Ends(|| Ok(Verdict::passed())));
    let fails = || Declared::new(Ends(|| Ok(Verdict::failed("no"))));
    let unjudged = || Declared::new(Ends(|| Err(CheckError::target("refused"))));
    let blind = || Declared::new(Ends(|| Err(CheckError::unobservable("no permission"))));
    for (parts, plain, turned, message) in [
        (vec![passes()], Passed, Failed, "1 typed assertion holds"),
        (vec![passes(), passes()], Passed, Failed, "2 typed assertions hold"),
        (vec![passes(), fails()], Failed, Passed, "Ends: no"),
        (vec![fails().not()], Passed, Failed, "1 typed assertion holds"),
        (vec![passes().not()], Failed, Passed, "Ends: holds, and must not"),
        (vec![passes(), unjudged()], Failed, Errored, "Ends: refused"),
        (vec![fails(), unjudged()], Failed, Passed, "Ends: no; Ends: refused"),
        (vec![fails(), blind()], Failed, Passed, "Ends: no"),
        (vec![passes(), blind()], Errored, Errored, "cannot be judged: Ends: no permission"),
        (
            vec![unjudged().not()],
            Errored,
            Errored,
            "cannot be judged: Ends: under `not` this proves nothing: refused",
        ),
        (vec![], Errored, Errored, "the entry of this sentence has no assertions"),
    ] {
        let lock = Lock::new().entry("api", "db", "s", parts.clone());
        let project = Project::new("x").assert(Says).assert(Declared::new(Says).not()).lock(lock);
        let report = crate::Engine::standard().assert(&project).await.unwrap();
        let ended: Vec<_> = report.results.iter().map(|result| result.verdict).collect();
        assert_eq!(ended, [plain, turned], "{parts:?}");
        assert_eq!(report.results[0].message, message);
    }
}
