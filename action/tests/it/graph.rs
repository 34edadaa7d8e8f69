//! `clockwork graph` through the real command.

use crate::{Ended, scripted};

#[test]
fn shows_the_verdicts_and_ends_as_they_say() {
    let ended = Ended::of(scripted("chain").arg("graph"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    let drawn = "✗ scripted: 2 resources, 1 failed, 1 skipped\n  ✗ database BlankResource, 1 assertion, 1 failed\n  │    ✗ \
                 FunctionAssertion/answers: refused\n  └─ - web BlankResource, 1 assertion, 1 skipped\n          - \
                 FunctionAssertion/answers: because of database/FunctionAssertion/answers\n";
    assert_eq!(ended.stdout, drawn);
    assert_eq!(Ended::of(scripted("passes").arg("graph")).code, Some(0));
}

#[test]
fn draws_what_is_declared_without_looking() {
    let ended = Ended::of(scripted("chain").args(["graph", "--declared"]));
    assert_eq!(ended.code, Some(0));
    let drawn = "· scripted: 2 resources\n  · database BlankResource, 1 assertion\n  └─ · web BlankResource, 1 assertion\n";
    assert_eq!(ended.stdout, drawn);
    // It hangs where it looks.
    assert_eq!(Ended::of(scripted("hangs").args(["graph", "--declared"])).code, Some(0));
}

#[test]
fn draws_in_every_format() {
    for (format, begins) in [("dot", "digraph "), ("mermaid", "flowchart "), ("svg", "<svg ")] {
        let ended = Ended::of(scripted("chain").args(["graph", "--format", format]));
        assert_eq!(ended.code, Some(1));
        assert!(ended.stdout.starts_with(begins), "{ended:?}");
    }
}
