//! Functions that are marked with the decorator, which needs nothing installed.

use clockwork_assert::PythonAssert;
use clockwork_core::{Outcome, Project, ResourceExt};
use clockwork_drivers::EndpointResource;
use serde_json::json;

use super::Checks;
use crate::run::{check, run, told};

const MARKED: &str = r#"
from clockwork import Resource, Result, Verdict, assertion

@assertion(resource="web")
def serves(web: Resource) -> Result:
    return web.name == "web", web.name

@assertion(resource="api")
def answers(api: Resource) -> Verdict:
    return {"passed": False, "message": "API is down", "status": 503}

@assertion
def any_of_them(*resources): return True

@assertion()
def any_other(): assert True == True

def not_marked(): return False
"#;

fn endpoint(name: &str) -> EndpointResource {
    EndpointResource::new(name).url("http://localhost:1/")
}

#[tokio::test]
async fn a_resource_gets_those_that_are_marked_for_it_or_for_any() {
    let checks = Checks::new(MARKED);
    let marked = || PythonAssert::marked(checks.file());
    let project = Project::new("python")
        .with(endpoint("web").assert(marked()))
        .with(endpoint("api").assert(marked()).assert(checks.check("answers")))
        .assert(marked());
    let results = run(project).await;
    assert_eq!(told(&results[0], Outcome::Passed), "3 checks passed");
    let failed = "1 of 3 failed: answers failed: API is down";
    assert_eq!(told(&results[1], Outcome::Failed), failed);
    assert_eq!(results[1].details()["checks"][0]["details"]["status"], json!(503));
    assert_eq!(told(&results[2], Outcome::Failed), "API is down");
    assert_eq!(told(&results[3], Outcome::Failed), "1 of 4 failed: answers failed: API is down");
    let details = results[3].details();
    let names: Vec<_> =
        details["checks"].as_array().unwrap().iter().map(|check| &check["function"]).collect();
    assert_eq!(names, ["serves", "answers", "any_of_them", "any_other"]);
}

#[tokio::test]
async fn nothing_marked_is_no_pass() {
    let checks = Checks::new(
        "from clockwork import assertion\n@assertion(resource='web')\ndef check(web): return True\n",
    );
    checks.add("none.py", "def check(): return True\n");
    checks.add("wrong.py", "from clockwork import assertion\n@assertion('web')\ndef check(): return True\n");
    let project = Project::new("python")
        .with(endpoint("wbe").assert(PythonAssert::marked(checks.file())))
        .assert(PythonAssert::marked(checks.file()))
        .assert(PythonAssert::marked(checks.path.join("none.py")))
        .assert(PythonAssert::marked(checks.path.join("wrong.py")));
    let results = run(project).await;
    let said: Vec<_> = results
        .iter()
        .map(|result| told(result, Outcome::Errored).replace(&format!("{}/", checks.path.display()), ""))
        .collect();
    assert_eq!(said[0], "no function in \"checks.py\" is marked for \"wbe\"; one is for \"web\"");
    assert_eq!(
        said[1],
        "\"check\" in \"checks.py\" is marked for the resource \"web\", which this project does not have"
    );
    assert_eq!(
        said[2],
        "no function in \"none.py\" is marked as a check; mark them with `@assertion` (`from clockwork import assertion`), or \
         name one with `function`"
    );
    assert!(
        said[3].contains("@assertion marks a function: write @assertion, or @assertion(resource="),
        "{}",
        said[3]
    );
}

#[tokio::test]
async fn one_that_cannot_be_judged_makes_the_whole_errored() {
    let checks = Checks::new(
        "from clockwork import assertion\n@assertion\ndef fails(): return False\n@assertion\ndef raises(): return {}['x']\n",
    );
    let result = check(PythonAssert::marked(checks.file())).await;
    let message = told(&result, Outcome::Errored);
    assert!(message.starts_with(
        "2 of 2 did not pass: fails failed: returned False; raises errored: raised KeyError: 'x'"
    ));
}
