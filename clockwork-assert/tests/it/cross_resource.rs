//! `CrossResourceAssert`, with a lock and without.

use std::{fs, sync::Arc};

use clockwork_assert::{CrossResourceAssert, FileExistsAssert, FileSizeAssert, PortAccessibleAssert};
use clockwork_core::{
    AssertionExt, CheckResult, Engine, IntoAssertion, Lock, ManifestInput, Outcome, Project,
};
use clockwork_drivers::FileResource;

use crate::run::{directory, told};

const SENTENCE: &str = "what is written is read";

fn project(lock: Option<Lock>) -> Project {
    let (one, other) = (FileResource::new("one", "/etc/passwd"), FileResource::new("other", "/etc/group"));
    let asserted = CrossResourceAssert::new(&one, &other, SENTENCE);
    let turned = asserted.clone().not();
    let project = Project::new("test").with(one).with(other).assert(asserted).assert(turned);
    match lock {
        Some(lock) => project.lock(lock),
        None => project,
    }
}

async fn judged(lock: Option<Lock>) -> Vec<Arc<CheckResult>> {
    Engine::standard().assert(&project(lock)).await.unwrap().results
}

#[tokio::test]
async fn without_a_lock_or_an_entry_nothing_is_judged() {
    for lock in [
        None,
        Some(Lock::new()),
        Some(Lock::new().entry(
            "one",
            "other",
            "something else",
            [FileExistsAssert::new("/etc/passwd").into_assertion()],
        )),
        Some(Lock::new().entry(
            "other",
            "one",
            SENTENCE,
            [FileExistsAssert::new("/etc/passwd").into_assertion()],
        )),
    ] {
        let results = judged(lock).await;
        for result in &results {
            let message = told(result, Outcome::Errored);
            assert!(
                message.starts_with("the sentence was not compiled into typed assertions: "),
                "{message}"
            );
            let what = "source: one, target: other, assertion: \"what is written is read\"";
            assert!(message.contains(what), "{message}");
        }
        assert_eq!(results[0].related.len(), 2);
        assert_eq!(results[0].label, SENTENCE);
    }
    let changed = Lock::new().entry("one", "other", "something else", []);
    let message = judged(Some(changed)).await[0].message.clone();
    assert!(
        message.contains("(of these two it has \"something else\": was the sentence changed?)"),
        "{message}"
    );
}

#[tokio::test]
async fn with_one_it_is_judged_by_its_typed_assertions() {
    let exists = || FileExistsAssert::new("/etc/passwd").into_assertion();
    let lock = |more| Lock::new().entry("one", "other", " what is  written\nis read ", [exists(), more]);
    let results = judged(Some(lock(FileSizeAssert::new("/etc/group").min_bytes(1).into_assertion()))).await;
    assert_eq!(told(&results[0], Outcome::Passed), "2 typed assertions hold");
    assert!(told(&results[1], Outcome::Failed).starts_with("holds, and must not"), "{}", results[1].message);
    assert_eq!(results[0].details()["assertions"][1]["verdict"], "passed");

    let results = judged(Some(lock(FileExistsAssert::new("/no/such/file").into_assertion()))).await;
    assert!(
        told(&results[0], Outcome::Failed).starts_with("FileExistsAssert (/no/such/file): "),
        "{}",
        results[0].message
    );
    told(&results[1], Outcome::Passed);

    let blind = PortAccessibleAssert::new(80).at("one").into_assertion();
    let results = judged(Some(lock(blind))).await;
    assert!(told(&results[0], Outcome::Errored).contains("it is no container"), "{}", results[0].message);
    told(&results[1], Outcome::Errored);
}

#[tokio::test]
async fn a_lock_file_is_read_for_a_program_too() {
    let (_kept, directory) = directory();
    let file = directory.join("clockwork.lock.yaml");
    let text = format!(
        "lock: clockwork.lock/v1\nentries:\n  - source: one\n    target: other\n    assertion: {SENTENCE}\n    on_target:\n      \
         - FileExistsAssert: {{ path: /etc/group }}\n"
    );
    fs::write(&file, &text).unwrap();
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    let bytes = fs::read(&file).unwrap();
    let lock = engine
        .read_lock(&ManifestInput::new("clockwork.lock.yaml", bytes), &project(None), &|_| None)
        .unwrap();
    told(&judged(Some(lock)).await[0], Outcome::Passed);
    let wrong = text.replace("FileExistsAssert", "FileExistAssert");
    let error = engine
        .read_lock(&ManifestInput::new("clockwork.lock.yaml", wrong), &project(None), &|_| None)
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("clockwork.lock.yaml:7:9") && error.contains("did you mean `FileExistsAssert`?"),
        "{error}"
    );
}
