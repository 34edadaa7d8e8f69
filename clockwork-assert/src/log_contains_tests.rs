//! What is found in a log, and what is said about it.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

fn log(lines: &[&str]) -> Log {
    Log { lines: lines.iter().map(|&line| line.to_owned()).collect(), incomplete: false }
}

fn judged(asserted: &LogContainsAssert, lines: &[&str]) -> Verdict {
    judge(asserted, &log(lines), &ContainerState::Running).unwrap()
}

#[test]
fn a_pattern_is_about_one_line_unless_it_says_otherwise() {
    let lines = ["starting", "ready to serve", "Traceback:", "  File x", "ValueError: 5", "caf\u{fffd}"];
    for (pattern, found) in [
        ("ready", true),
        ("^ready", true),
        ("^starting$", true),
        ("starting.*ready", false),
        ("starting[^x]ready", false),
        (r"starting\nready", true),
        (r"(?s)Traceback.*ValueError", true),
        ("(?s)ValueError.*Traceback", false),
        ("READY", false),
        ("(?i)READY", true),
        ("caf\u{fffd}", true),
    ] {
        assert_eq!(judged(&LogContainsAssert::new(pattern), &lines).has_passed(), found, "{pattern}");
        assert_eq!(
            judged(&LogContainsAssert::new(pattern).absent(), &lines).has_passed(),
            !found,
            "{pattern}"
        );
    }
}

#[test]
fn a_failure_shows_the_line_or_the_end_of_the_log() {
    let absent =
        judged(&LogContainsAssert::new("ERR").absent(), &["ERR 1", "fine", "ERR \u{1b}[2J 2", "fine"]);
    assert_eq!(absent.text(), "2 lines match, the latest is line 2 from the end: \"ERR \\u{1b}[2J 2\"");
    let none = judged(&LogContainsAssert::new("ready").since(Duration::from_secs(5)), &["a", "b"]);
    assert_eq!(
        none.text(),
        "\"ready\" is not in the last 100 lines of the last 5 s of its log: it has 2 lines in that time\nthe last lines \
         of its log:\n  \"a\"\n  \"b\""
    );
    let exited = judge(&LogContainsAssert::new("ready"), &log(&[]), &ContainerState::Exited).unwrap();
    assert_eq!(
        exited.text(),
        "\"ready\" is not in the last 100 lines of its log: it is empty; the container is exited"
    );
    assert!(judged(&LogContainsAssert::new("x").absent(), &[]).has_passed());
}

#[test]
fn a_long_line_is_shown_where_it_matches() {
    let line = format!("{} needle {}", "a".repeat(5000), "b".repeat(5000));
    let verdict = judged(&LogContainsAssert::new("needle").absent(), &[&line]);
    assert!(verdict.text().contains("…\"needle bbb") && verdict.text().len() < 400, "{}", verdict.text());
}

#[test]
fn what_was_dropped_may_have_mattered() {
    let incomplete = |lines: &[&str]| Log { incomplete: true, ..log(lines) };
    let judge = |asserted: LogContainsAssert, lines: &[&str]| {
        judge(&asserted, &incomplete(lines), &ContainerState::Running)
            .map(|verdict| verdict.has_passed())
            .ok()
    };
    assert_eq!(judge(LogContainsAssert::new("x"), &["x"]), Some(true));
    assert_eq!(judge(LogContainsAssert::new("x").absent(), &["x"]), Some(false));
    assert_eq!(judge(LogContainsAssert::new("x"), &["y"]), None);
    assert_eq!(judge(LogContainsAssert::new("x").absent(), &["y"]), None);
}

#[test]
fn fields_are_checked() {
    let asserted: LogContainsAssert =
        serde_json::from_str(r#"{"pattern":"x","since":"5m","lines":7}"#).unwrap();
    assert_eq!((asserted.lines, asserted.since), (7, Some(Duration::from_secs(300))));
    for wrong in [r#"{}"#, r#"{"pattern":"("}"#, r#"{"pattern":"x","line":7}"#] {
        assert!(serde_json::from_str::<LogContainsAssert>(wrong).is_err(), "{wrong}");
    }
    let fields = |asserted: LogContainsAssert| -> Vec<String> {
        asserted.container("web").validate(None).into_iter().map(|invalid| invalid.field).collect()
    };
    assert_eq!(fields(LogContainsAssert::new("").lines(0)), ["pattern", "lines"]);
    assert_eq!(fields(LogContainsAssert::new("x")), [""; 0]);
    assert_eq!(LogContainsAssert::new("x").validate(None).len(), 1, "no container is meant");
}
