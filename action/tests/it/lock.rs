//! `clockwork.lock.yaml` beside a manifest.

use std::{fs, path::Path};

use serde_json::Value;

use crate::{Ended, clockwork};

const MANIFEST: &str = "\
project: shop
resources:
  users: { kind: FileResource, path: /etc/passwd }
  groups: { kind: FileResource, path: /etc/group }
assertions:
  - CrossResourceAssert: { source: users, target: groups, assertion: both are there }
";

const LOCK: &str = "\
lock: clockwork.lock/v1
entries:
  - source: users
    target: groups
    assertion: both are there
    on_source: [FileExistsAssert: { path: /etc/passwd }]
    on_target: [FileExistsAssert: { path: /etc/group }]
";

fn judged(directory: &Path, args: &[&str]) -> (Option<i32>, Value, String) {
    let ended = Ended::of(clockwork(directory).args(["assert", "--format", "json"]).args(args));
    (ended.code, serde_json::from_str(&ended.stdout).unwrap_or_default(), ended.stderr)
}

#[test]
fn a_sentence_is_judged_by_the_lock_beside_the_manifest() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("clockwork.yaml"), MANIFEST).unwrap();
    let (code, report, _) = judged(here.path(), &[]);
    assert_eq!((code, &report["results"][0]["verdict"]), (Some(1), &Value::from("errored")));
    let message = report["results"][0]["message"].as_str().unwrap();
    assert!(message.contains("there is no clockwork.lock.yaml beside the manifest"), "{message}");

    fs::write(here.path().join("clockwork.lock.yaml"), LOCK).unwrap();
    let (code, report, stderr) = judged(here.path(), &[]);
    assert_eq!(
        (code, &report["results"][0]["verdict"], stderr.as_str()),
        (Some(0), &Value::from("passed"), "")
    );
    // From elsewhere, it is still the one beside the manifest.
    let elsewhere = tempfile::tempdir().unwrap();
    let path = here.path().join("clockwork.yaml");
    assert_eq!(judged(elsewhere.path(), &["--manifest", path.to_str().unwrap()]).0, Some(0));

    fs::write(here.path().join("clockwork.lock.yaml"), LOCK.replace("/etc/group", "/no/such/file")).unwrap();
    let (code, report, _) = judged(here.path(), &[]);
    assert_eq!((code, &report["results"][0]["verdict"]), (Some(1), &Value::from("failed")));
    assert!(report["results"][0]["message"].as_str().unwrap().starts_with("FileExistsAssert"), "{report}");

    fs::write(here.path().join("clockwork.lock.yaml"), LOCK.replace("both are", "all are")).unwrap();
    let (code, report, stderr) = judged(here.path(), &[]);
    assert_eq!((code, &report["results"][0]["verdict"]), (Some(1), &Value::from("errored")));
    let stale =
        "warning: clockwork.lock.yaml:3: nobody asserts \"all are there\" of users and groups any more";
    assert!(stderr.contains(stale), "{stderr}");

    fs::write(here.path().join("clockwork.lock.yaml"), LOCK.replace("on_source", "on_surce")).unwrap();
    let (code, _, stderr) = judged(here.path(), &[]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.contains("clockwork.lock.yaml:6:5") && stderr.contains("did you mean `on_source`?"),
        "{stderr}"
    );
}
