//! Progress goes to standard error: redrawn on a terminal, a few lines elsewhere, nothing for quick runs or `--quiet`.

use std::process::Command;

use crate::{Ended, scripted, scripted_program};

#[test]
fn a_log_gets_a_line_for_what_takes_its_time() {
    let ended = Ended::of(scripted("starts").arg("assert"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ended:?}");
    assert!(lines[0].starts_with("web/FunctionAssertion/starts: waiting for 1"), "{ended:?}");
    assert!(lines[0].ends_with("last failed: connection refused"), "{ended:?}");
    assert!(lines[1].starts_with("web/FunctionAssertion/starts: passed after "), "{ended:?}");
    assert!(!ended.stderr.contains("forged") && !ended.stderr.contains('\x1b'), "{ended:?}");
}

#[test]
fn quiet_is_quiet() {
    let ended = Ended::of(scripted("starts").args(["assert", "--quiet"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(ended.stdout.lines().count(), 1, "{ended:?}");
}

/// Runs it on a terminal of its own; standard output and error are the same there.
fn on_terminal(script: &str, args: &str, result: &str) -> String {
    let program = scripted_program().display();
    let line = format!("stty cols 100 rows 30; '{program}' assert {args} > '{result}'");
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env("SCRIPT", script)
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_terminal_is_drawn_on_and_left_clean() {
    let here = tempfile::tempdir().unwrap();
    let result = here.path().join("result.txt");
    let drawn = on_terminal("starts", "", result.to_str().unwrap());
    assert!(drawn.contains("0 of 1 judged ("), "{drawn:?}");
    assert!(
        drawn.contains("web/FunctionAssertion/starts") && drawn.contains("attempt 2: connection refused"),
        "{drawn:?}"
    );
    assert!(drawn.ends_with("\x1b[J"), "what was drawn is taken away: {drawn:?}");
    let frames = drawn.matches("of 1 judged").count();
    assert!((2..=16).contains(&frames), "{frames} frames in 1.5 s");
    assert!(std::fs::read_to_string(result).unwrap().starts_with("✓ All 1 assertion passed ("));
}

#[test]
fn a_quick_run_draws_nothing() {
    let here = tempfile::tempdir().unwrap();
    let result = here.path().join("result.txt");
    assert_eq!(on_terminal("passes", "", result.to_str().unwrap()), "");
    assert_eq!(on_terminal("starts", "--quiet", result.to_str().unwrap()), "");
}

#[test]
fn a_terminal_shows_what_waits_for_what() {
    let here = tempfile::tempdir().unwrap();
    let result = here.path().join("result.txt");
    let drawn = on_terminal("hangs", "--deadline 600ms", result.to_str().unwrap());
    assert!(drawn.contains("1 of 3 judged") && drawn.contains("jobs waits for web"), "{drawn:?}");
}
