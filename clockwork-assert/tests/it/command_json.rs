//! Programs that are checks of their own: what they read, and what is believed of what they write.

use std::time::Duration;

use clockwork_assert::CommandAssert;
use clockwork_core::{AssertionExt, Engine, Outcome, Project, ResourceExt};
use clockwork_drivers::EndpointResource;
use serde_json::json;

use crate::run::{check, told};

const LONG: Duration = Duration::from_secs(60);

fn says(script: &str) -> CommandAssert {
    CommandAssert::new(["sh", "-c", script]).json()
}

#[tokio::test]
async fn only_what_is_surely_meant_is_believed() {
    use Outcome::{Errored, Failed, Passed};
    let how = r#"; write `{"verdict": "passed"}`, or `{"verdict": "failed", "message": "why"}`"#;
    for (script, verdict, message) in [
        (r#"echo '{"verdict": "passed"}'"#, Passed, String::new()),
        (r#"echo '{"verdict": "passed", "message": "3 of 3"}'"#, Passed, String::from(r#""3 of 3""#)),
        (r#"echo '{"verdict": "failed", "message": "2 of 3"}'"#, Failed, String::from(r#""2 of 3""#)),
        (r#"echo '{"verdict": "failed", "message": "2 of 3"}'; exit 1"#, Failed, String::from(r#""2 of 3""#)),
        (
            r#"echo '{"verdict": "failed"}'"#,
            Failed,
            String::from("the program says that it failed, and not why"),
        ),
        (
            r#"echo '{"verdict": "errored", "message": "no token"}'"#,
            Errored,
            String::from(r#"the program could not look: "no token""#),
        ),
        (
            r#"echo '{"verdict": "passed"}'; exit 1"#,
            Errored,
            format!("the program says that it passed, and exited with code 1{how}"),
        ),
        (
            "true",
            Errored,
            format!("the program wrote nothing on its standard output, where its verdict should be{how}"),
        ),
        (
            "echo boom >&2; exit 3",
            Errored,
            format!(
                "the program wrote nothing on its standard output, where its verdict should be, and exited with code 3; stderr: \"boom\"{how}"
            ),
        ),
        (
            "echo all is well",
            Errored,
            format!(
                "the program wrote something that is not JSON (expected value at line 1 column 1): \"all is well\\n\"{how}"
            ),
        ),
        (
            r#"echo '{"verdict": "passed"'"#,
            Errored,
            format!(
                "the program wrote something that is not JSON (EOF while parsing an object at line 2 column 0): \"{{\\\"verdict\\\": \\\"passed\\\"\\n\"{how}"
            ),
        ),
        (
            r#"echo '{"verdict": "passed"} done'"#,
            Errored,
            format!(
                "the program wrote more than its verdict on its standard output (what is not it belongs to the standard error): \"{{\\\"verdict\\\": \\\"passed\\\"}} done\\n\"{how}"
            ),
        ),
        (
            r#"echo '{"verdict": "passed"}'; echo '{"verdict": "failed"}'"#,
            Errored,
            format!(
                "the program wrote more than its verdict on its standard output (what is not it belongs to the standard error): \"{{\\\"verdict\\\": \\\"passed\\\"}}\\n{{\\\"verdict\\\": \\\"failed\\\"}}\\n\"{how}"
            ),
        ),
        ("echo true", Errored, format!("the program wrote \"true\", which is no verdict{how}")),
        (
            r#"echo '{"passed": true}'"#,
            Errored,
            format!(
                "the program wrote a verdict with the unknown key \"passed\" (it has verdict, message, expected, actual, details){how}"
            ),
        ),
        (
            r#"echo '{"verdict": "passed", "mesage": "x"}'"#,
            Errored,
            format!(
                "the program wrote a verdict with the unknown key \"mesage\" (did you mean `message`?){how}"
            ),
        ),
        (
            r#"echo '{"verdict": true}'"#,
            Errored,
            format!("the program wrote the verdict \"true\" (did you mean `passed`?){how}"),
        ),
        (
            r#"echo '{"verdict": "PASS"}'"#,
            Errored,
            format!("the program wrote the verdict \"PASS\" (did you mean `passed`?){how}"),
        ),
        (
            r#"echo '{"verdict": "warning"}'"#,
            Errored,
            format!(
                "the program wrote the verdict \"warning\": a failure that only warns is `failed`, and the manifest says `severity: warning`{how}"
            ),
        ),
        (r#"echo '{"message": "x"}'"#, Errored, format!("the program wrote JSON without a `verdict`{how}")),
        (
            r#"echo '{"verdict": "failed", "message": ["x"]}'"#,
            Errored,
            format!("the program wrote a verdict whose `message` is no text: \"[\\\"x\\\"]\"{how}"),
        ),
        (
            r#"echo '{"verdict": "failed", "details": 3}'"#,
            Errored,
            format!("the program wrote a verdict whose `details` are no object: \"3\"{how}"),
        ),
        ("kill -9 $$", Errored, format!("the program came to no verdict: and was killed by SIGKILL{how}")),
        (
            r#"echo '{"verdict": "passed"}'; kill -SEGV $$"#,
            Errored,
            format!("the program came to no verdict: and was killed by SIGSEGV{how}"),
        ),
        (
            "yes | head -c 3000000",
            Errored,
            format!(
                "the program wrote 3000000 bytes on its standard output, of which 1048576 are kept: too many for a verdict{how}"
            ),
        ),
        (
            r#"exec 1>&-; sleep 0.1"#,
            Errored,
            format!("the program wrote nothing on its standard output, where its verdict should be{how}"),
        ),
        (r#"exec 0<&-; echo '{"verdict": "passed"}'"#, Passed, String::new()),
        (r#"echo '{"verdict": "passed"}'; sleep 600 &"#, Passed, String::new()),
        (
            r#"printf '\033[2J'"#,
            Errored,
            format!(
                "the program wrote something that is not JSON (expected value at line 1 column 1): \"\\u{{1b}}[2J\"{how}"
            ),
        ),
    ] {
        let result = check(says(script).timeout(LONG)).await;
        assert_eq!(told(&result, verdict), message, "{script}");
    }
    let silent = check(says("sleep 600").timeout(Duration::from_millis(500))).await;
    told(&silent, Errored);
    // A judgement can be turned around, an error cannot.
    told(&check(says(r#"echo '{"verdict": "failed"}'"#).not().timeout(LONG)).await, Passed);
    told(&check(says("true").not().timeout(LONG)).await, Errored);
}

#[tokio::test]
async fn it_reads_the_resource_and_tells_what_it_found() {
    let script = r#"
import json, sys
asked = json.load(sys.stdin)
resource = asked["resource"]
assert asked["schema"] == "clockwork.program/v1", asked
json.dump({
    "verdict": "failed", "message": "not as meant", "expected": 3, "actual": "two",
    "details": {"name": resource["name"], "kind": resource["kind"], "url": resource["spec"]["url"], "keys": sorted(asked)},
}, sys.stdout)
"#;
    let assertion = CommandAssert::new(["/usr/bin/python3", "-c", script]).json();
    let endpoint = EndpointResource::new("site")
        .url("http://127.0.0.1:9/")
        .description("the site")
        .assert(assertion.timeout(LONG));
    let report = Engine::standard().assert(&Project::new("p").with(endpoint)).await.unwrap();
    let result = report.results.iter().find(|result| result.assertion == "CommandAssert").unwrap();
    assert_eq!(told(result, Outcome::Failed), r#""not as meant""#);
    assert_eq!((result.expected.as_deref(), result.actual.as_deref()), (Some(r#""3""#), Some(r#""two""#)));
    assert_eq!(
        result.details()["program"],
        json!({
            "name": "site", "kind": "EndpointResource", "url": "http://127.0.0.1:9/",
            "keys": ["observation", "observation_error", "resource", "schema"],
        })
    );
    let across = says(r#"grep -q '"resource":null' && echo '{"verdict": "passed"}'"#);
    told(&check(across.timeout(LONG)).await, Outcome::Passed);
}

#[tokio::test]
async fn a_program_that_says_its_verdict_is_not_compared() {
    let assertion = says("true").stdout(clockwork_core::Matcher::equals("x"));
    let error = Engine::standard().assert(&Project::new("test").assert(assertion)).await.unwrap_err();
    assert!(error.to_string().contains("has no meaning with `json: true`"), "{error}");
}
