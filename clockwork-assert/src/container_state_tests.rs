//! Every state that a container can be in other than running, and what is said about it.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use serde_json::json;

use super::*;

fn told(state: serde_json::Value, policy: &str, restarts: u64, log: &[&str]) -> Verdict {
    let json = json!({
        "State": state, "RestartCount": restarts,
        "HostConfig": { "RestartPolicy": { "Name": policy }, "Memory": 64_000_000 },
    });
    not_running("web", &examined(json, log))
}

#[test]
fn every_state_is_said_with_what_to_do() {
    let exited = |code: i64| json!({ "Status": "exited", "ExitCode": code });
    // state, restart policy, message, what is there, whether waiting is pointless
    for (state, policy, message, actual, terminal) in [
        (
            json!({ "Status": "created" }),
            "no",
            "was created and never started; start it with `docker start web`",
            "created",
            false,
        ),
        (exited(3), "no", "exited with code 3; its restart policy `no` leaves it so", "exited (3)", true),
        (
            exited(0),
            "on-failure",
            "exited with code 0; its restart policy `on-failure` leaves it so",
            "exited (0)",
            true,
        ),
        (exited(3), "always", "exited with code 3", "exited (3)", false),
        (exited(137), "always", "exited with code 137 (as after SIGKILL)", "exited (137)", false),
        (exited(127), "always", "exited with code 127 (its command was not found)", "exited (127)", false),
        (
            json!({ "Status": "exited", "ExitCode": 137, "OOMKilled": true }),
            "always",
            "was killed for want of memory (limit 64 MB), exit code 137",
            "exited (137)",
            false,
        ),
        (
            json!({ "Status": "paused" }),
            "no",
            "is paused; let it go on with `docker unpause web`",
            "paused",
            false,
        ),
        (
            json!({ "Status": "restarting", "ExitCode": 1 }),
            "always",
            "keeps restarting (4 times so far): each time, it exited with code 1",
            "restarting",
            false,
        ),
        (json!({ "Status": "removing" }), "no", "is being removed", "being removed", false),
        (
            json!({ "Status": "dead" }),
            "no",
            "is dead: the engine could not remove it; try `docker rm --force web`",
            "dead",
            false,
        ),
        (
            json!({ "Status": "asleep" }),
            "no",
            "is in the state \"asleep\", which Clockwork does not know",
            "\"asleep\"",
            false,
        ),
    ] {
        let verdict = told(state.clone(), policy, 4, &[]);
        assert_eq!(verdict.text(), format!("{message}\nits log is empty"), "{state}");
        assert_eq!(verdict.evidence().1, Some(actual), "{state}");
        assert_eq!(
            (verdict.has_passed(), verdict.is_judged(), verdict.is_terminal()),
            (false, true, terminal),
            "{state}"
        );
    }
}

#[test]
fn the_engines_error_and_the_log_are_quoted_and_bounded() {
    let state =
        json!({ "Status": "created", "ExitCode": 127, "Error": "exec: \"nope\": \u{1b}[2J not found" });
    let long = "x".repeat(100_000);
    let verdict = told(state, "no", 0, &["0", "1", "2", "3", "\u{1b}[31mred", &long]);
    let text = verdict.text();
    assert!(text.contains(r#"the engine says "exec: \"nope\": \u{1b}[2J not found""#), "{text}");
    assert!(
        text.contains(
            "\nthe last lines of its log:\n  \"1\"\n  \"2\"\n  \"3\"\n  \"\\u{1b}[31mred\"\n  \"xxx"
        ),
        "{text}"
    );
    assert!(text.len() < 1000, "{} bytes", text.len());
}

#[test]
fn when_it_ended_is_taken_from_the_status_and_nothing_else_is() {
    assert_eq!(ago("Exited (3) 5 seconds ago").unwrap(), "5 seconds ago");
    assert_eq!(ago("Exited (0) About a minute ago").unwrap(), "About a minute ago");
    for status in ["Up 5 minutes", "Exited (0) \u{1b}[2J ago", "Created", ""] {
        assert_eq!(ago(status), None, "{status}");
    }
}
