//! What a function gets: the resource, what its driver sees of it, its arguments, and secrets that are granted.

use std::{fs, time::Duration};

use clockwork_core::{AssertionExt, Engine, ManifestInput, Outcome, Project, ResourceExt, Secret};
use clockwork_drivers::FileResource;
use serde_json::json;

use super::Checks;
use crate::run::{check, judged, run, told};

#[tokio::test]
async fn a_resource_is_an_object_and_a_map() {
    let checks = Checks::new(
        r#"
def looks(file, *, limit, nested):
    assert file.name == file["name"] == "settings"
    assert file.kind == "FileResource"
    assert file.description == "what it runs with"
    assert file.path == file.spec.path == file["spec"]["path"]
    assert file.get("nothing") is None and "mode" in file
    assert isinstance(file, dict)
    assert limit == 3 and nested["a"].b == [1, None, "x"]
    return True, file.mode

def observes(file):
    seen = file.observation
    assert seen is file["observation"]
    return {"passed": seen["mode"] == "0640", "actual": seen.mode, "seen": seen}

def misspells(file): return file.pathh == ""
def no_entry(file): return file["pathh"] == ""
def without(): return True, "nothing needed"
def anything(*all, **named): return len(all) == 1, str(len(all))
"#,
    );
    let path = checks.add("settings.conf", "a = 1\n");
    crate::run::output("chmod", &["640", path.to_str().unwrap()]);
    let file = FileResource::new("settings", path.to_str().unwrap())
        .description("what it runs with")
        .mode("0640".parse().unwrap());
    let looks = checks.check("looks").arg("limit", 3).arg("nested", json!({ "a": { "b": [1, null, "x"] } }));
    let file = ["observes", "misspells", "no_entry", "without", "anything"]
        .into_iter()
        .fold(file.assert(looks), |file, function| file.assert(checks.check(function)));
    let results = run(Project::new("python").with(file)).await;
    assert_eq!(told(&results[0], Outcome::Passed), "0640");
    told(&results[1], Outcome::Passed);
    assert_eq!(results[1].actual.as_deref(), Some("0640"));
    assert_eq!(results[1].details()["seen"]["mode"], json!("0640"));
    let message = told(&results[2], Outcome::Errored);
    assert!(message.starts_with("raised AttributeError: there is no 'pathh' here: there are "), "{message}");
    assert!(told(&results[3], Outcome::Errored).starts_with("raised KeyError: 'pathh' (at "));
    assert_eq!(told(&results[4], Outcome::Passed), "nothing needed");
    assert_eq!(told(&results[5], Outcome::Passed), "1");
}

#[tokio::test]
async fn the_first_argument_is_the_resource_where_a_function_takes_one() {
    let checks = Checks::new(
        r#"
import functools

def wraps(function):
    @functools.wraps(function)
    def wrapper(*all, **named): return function(*all, **named)
    return wrapper

def required(file): return True, getattr(file, "name", str(file))
def optional(file="none given"): return True, getattr(file, "name", str(file))
def limit(limit): return limit == 3, str(limit)
@wraps
def wrapped(file): return True, getattr(file, "name", str(file))
class Callable:
    def __call__(self, *all): return True, str(len(all))
instance = Callable()
"#,
    );
    let functions = ["required", "optional", "limit", "wrapped", "instance"];
    let check = |function: &&str| match *function {
        "limit" => checks.check(function).arg("limit", 3),
        _ => checks.check(function),
    };
    let file = FileResource::new("settings", checks.file().to_str().unwrap());
    let file = functions.iter().map(check).fold(file, FileResource::assert);
    let project = functions.iter().map(check).fold(Project::new("python").with(file), Project::assert);
    let results = run(project).await;
    let said: Vec<_> = results.iter().map(|result| told(result, Outcome::Passed)).collect();
    assert_eq!(said[..5], ["settings", "settings", "3", "settings", "1"]);
    assert_eq!(said[5..], ["None", "none given", "3", "None", "0"]);
}

#[tokio::test]
async fn what_is_not_there_has_no_observation() {
    let checks = Checks::new("def gone(file): return file.observation is None\n");
    let file = FileResource::new("settings", checks.path.join("none").to_str().unwrap());
    let results = run(Project::new("python").with(file.assert(checks.check("gone")))).await;
    told(&results[0], Outcome::Passed);
}

/// A retry is a new round, in which a file is imported anew: what it saw while it was imported is old.
#[tokio::test]
async fn each_round_imports_anew() {
    let checks = Checks::new("");
    let state = checks.path.join("state");
    let source = format!(
        "import os\nSTATE = os.path.exists({:?})\nprint(STATE)\n\ndef check(): return STATE, 'not yet'\n",
        state.display().to_string()
    );
    checks.add("checks.py", &source);
    let assertion = checks.check("check").within(Duration::from_secs(60)).every(Duration::from_millis(100));
    let (result, ()) = tokio::join!(check(assertion), async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        fs::write(&state, "").unwrap();
    });
    told(&result, Outcome::Passed);
    assert!(result.attempts > 1);
}

#[tokio::test]
async fn secrets_are_there_when_they_are_granted_and_never_shown() {
    const CANARY: &str = "kanarie\"n-3f9a";
    let checks = Checks::new(
        r#"
import os

def tells(token):
    assert token.startswith("kanarie")
    print("x" * 3990 + token)
    return False, "it is " + token

def raises(token): raise ValueError(token)
def compares(token): assert token == "nothing"
def returns(token): return {"passed": False, "message": token[::1], "seen": {token: [token]}}
def environment(): assert "CLOCKWORK_TEST_UNGRANTED" not in os.environ
"#,
    );
    let file = checks.add("secret", CANARY);
    let mut manifest = String::from("project: secrets\nassertions:\n");
    for function in ["tells", "raises", "compares", "returns"] {
        manifest.push_str(&format!(
            "  - PythonAssert: {{ file: {}, function: {function}, args: {{ token: {{ file: {} }} }} }}\n",
            checks.file().display(),
            file.display()
        ));
    }
    let report = judged(&manifest).await;
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("kanarie") && !json.contains("3f9a"), "{json}");
    assert!(json.matches("[secret]").count() > 6, "{json}");
    let verdicts: Vec<_> = report.results.iter().map(|result| result.verdict).collect();
    assert_eq!(verdicts, [Outcome::Failed, Outcome::Errored, Outcome::Failed, Outcome::Failed]);
    let unset = checks.check("raises").arg("token", Secret::env("CLOCKWORK_TEST_NOT_SET"));
    let result = check(unset).await;
    assert!(told(&result, Outcome::Errored).contains("\"CLOCKWORK_TEST_NOT_SET\" is not set"));
}

#[tokio::test]
async fn a_manifest_is_told_what_is_wrong_with_it() {
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    let manifest = "\
project: wrong
assertions:
  - PythonAssert: { function: check }
  - PythonAssert: { file: a.py, functon: check }
  - PythonAssert: { file: a.py, function: 'checks.check' }
  - PythonAssert: { file: a.py, function: check, args: { a-b: 1 } }
  - PythonAssert: { file: a.py, args: { a: 1 } }
  - PythonAssert: { file: a.py, function: check, python: '' }
  - PythonAssert: { file: a.py, function: check, sandbox: { netwrk: all } }
  - PythonAssert: { file: '', function: check }
";
    let input = ManifestInput::new("clockwork.yaml", manifest);
    let error = engine.read_manifest(&input, &|_| None).err().unwrap().to_string();
    for (line, message) in [
        (3, "`file`"),
        (4, "did you mean `function`?"),
        (5, "\"checks.check\" cannot be the name of a function"),
        (6, "\"a-b\" cannot be the name of an argument"),
        (7, "are for one function: name it with `function`"),
        (8, "names no interpreter: leave it out for `python3`"),
        (9, "did you mean `network`?"),
        (10, "file"),
    ] {
        assert!(error.contains(&format!("clockwork.yaml:{line}:")), "{line}: {error}");
        assert!(error.contains(message), "{message}: {error}");
    }
}
