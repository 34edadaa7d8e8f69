//! The exit codes are an interface.

use crate::{Ended, clockwork, scripted};

#[test]
fn the_verdict_is_the_exit_code() {
    for (script, code, head) in [
        ("passes", 0, "✓ All 1 assertion passed ("),
        ("fails", 1, "✗ 1 of 2 assertions failed ("),
        ("errors", 1, "✗ 1 of 1 assertion could not be judged ("),
        ("warns", 0, "✓ 1 of 2 assertions passed, 1 warning ("),
        ("skips", 1, "✗ None of 1 assertion was judged, 1 skipped ("),
        ("chain", 1, "✗ 1 of 2 assertions failed, 1 skipped because of database ("),
    ] {
        let ended = Ended::of(scripted(script).arg("assert"));
        assert_eq!(ended.code, Some(code), "{script}: {ended:?}");
        assert!(ended.stdout.starts_with(head), "{script}: {ended:?}");
        assert_eq!(ended.stderr, "", "{script}: progress of a quick run");
    }
}

#[test]
fn a_project_without_an_assertion_is_an_error() {
    let ended = Ended::of(scripted("").arg("assert"));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("nothing is asserted"), "{ended:?}");
}

#[test]
fn selecting_changes_what_is_judged() {
    let ended = Ended::of(scripted("chain").args(["assert", "--only", "database"]));
    assert_eq!(ended.code, Some(1));
    let ended = Ended::of(scripted("fails").args(["assert", "--tag", "nobody-has-it"]));
    assert_eq!(ended.code, Some(1), "nothing was judged: {ended:?}");
    let ended = Ended::of(scripted("chain").args(["assert", "--only", "databse"]));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("did you mean `database`?"), "{ended:?}");
}

#[test]
fn a_deadline_ends_a_run_that_hangs() {
    let ended = Ended::of(scripted("hangs").args(["assert", "--deadline", "300ms"]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("the run's deadline passed after"), "{ended:?}");
}

#[test]
fn help_and_version_are_no_errors() {
    let here = tempfile::tempdir().unwrap();
    for args in [&["--help"][..], &["assert", "--help"], &["graph", "--help"], &["--version"], &["version"]] {
        let ended = Ended::of(clockwork(&here).args(args));
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert!(!ended.stdout.is_empty() && !ended.stdout.contains('\x1b'), "{ended:?}");
    }
    let version = Ended::of(clockwork(&here).arg("version")).stdout;
    assert_eq!(version, format!("clockwork {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(Ended::of(clockwork(&here).arg("--version")).stdout, version);
}
