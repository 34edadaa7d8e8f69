//! `clockwork graph` through the real command.

use crate::{Ended, scripted};

#[test]
fn shows_the_verdicts_and_ends_as_they_say() {
    let ended = Ended::of(scripted("chain").arg("graph"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    insta::assert_snapshot!(ended.stdout, @r"");
    assert_eq!(Ended::of(scripted("passes").arg("graph")).code, Some(0));
}

#[test]
fn draws_what_is_declared_without_looking() {
    let ended = Ended::of(scripted("chain").args(["graph", "--declared"]));
    assert_eq!(ended.code, Some(0));
    insta::assert_snapshot!(ended.stdout, @r"");
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
