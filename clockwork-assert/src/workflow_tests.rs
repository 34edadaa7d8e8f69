#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

fn problems(json: Value) -> Vec<String> {
    let workflow: WorkflowAssert = serde_json::from_value(json).unwrap();
    workflow.validate(None).into_iter().map(|one| format!("{}: {}", one.field, one.message)).collect()
}

#[test]
fn what_does_not_go_together_is_said() {
    let get = |url: &str| json!({ "request": { "url": url } });
    for (steps, expected) in [
        (json!([get("http://here/")]), None),
        (json!([]), Some("steps: is empty")),
        (json!([{}]), Some("steps.0: a step has one of `request` and `query`")),
        (json!([{ "request": { "url": "here" } }]), Some("steps.0.request.url: \"here\" is not an http://")),
        (json!([{ "request": { "resource": "api", "url": "/here" } }]), None),
        (json!([{ "request": { "url": "http://h/", "body": "a", "json": 1 } }]), Some("one body")),
        (json!([get("http://here/${captured.id}")]), Some("no step before this one captures \"id\"")),
        (
            json!([
                { "request": { "url": "http://here/" }, "capture": { "order_id": "$.id" } },
                get("http://here/${captured.orderid}"),
            ]),
            Some("steps.1: no step before this one captures \"orderid\"; did you mean \"order_id\"?"),
        ),
        (
            json!([
                { "request": { "url": "http://here/" }, "capture": { "next": { "header": "location" } } },
                get("${captured.next}"),
                get("http://${captured.next}/x"),
            ]),
            None,
        ),
        (
            json!([{ "request": { "url": "http://here/" }, "capture": { "id": { "column": "id" } } }]),
            Some("steps.0.capture.id: takes `json`, `header` or `body`"),
        ),
        (
            json!([{ "request": { "url": "http://here/" }, "capture": { "id": "$..id" } }]),
            Some("may name several values"),
        ),
        (json!([{ "query": { "sql_query": "SELECT 1" } }]), Some("give `resource` or `connection`")),
        (
            json!([{ "query": { "resource": "db", "sql_query": "SELECT ${captured.x}" } }]),
            Some("put it into `params`"),
        ),
        (
            json!([{ "query": { "resource": "db", "sql_query": "SELECT 1", "rollback": true } }]),
            Some("is for `read_only: false`"),
        ),
        (
            json!([{ "query": { "resource": "db", "sql_query": "SELECT 1" }, "capture": { "a b": { "value": true } } }]),
            Some("cannot be a name"),
        ),
        (json!([{ "request": { "url": "http://here/" }, "every": "1s" }]), Some("is for `within`")),
    ] {
        let told = problems(json!({ "steps": steps }));
        match expected {
            None => assert!(told.is_empty(), "{steps}: {told:?}"),
            Some(expected) => assert!(told.iter().any(|one| one.contains(expected)), "{steps}: {told:?}"),
        }
    }
    // What any step captures, the cleanup may need.
    let step = json!({ "request": { "url": "http://here/" }, "capture": { "id": "id" } });
    assert!(problems(json!({ "steps": [step], "cleanup": [get("http://here/${captured.id}")] })).is_empty());
    for wrong in [
        json!({ "steps": [{ "request": { "url": "http://h/" }, "capture": { "id": { "json": "a", "header": "b" } } }] }),
        json!({ "steps": [{ "request": { "url": "http://h/" }, "capture": { "id": { "secret": true } } }] }),
        json!({ "steps": [{ "request": { "url": "http://h/", "bearer": "literal" } }] }),
        json!({ "cleanup": [] }),
    ] {
        assert!(serde_json::from_value::<WorkflowAssert>(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn the_resources_of_all_steps_are_named_once() {
    let query = |resource: &str| json!({ "query": { "resource": resource, "sql_query": "SELECT 1" } });
    let workflow: WorkflowAssert = serde_json::from_value(json!({
        "steps": [query("db"), { "request": { "resource": "api", "url": "/" } }, query("db")],
        "cleanup": [query("other")],
    }))
    .unwrap();
    assert_eq!(workflow.related(), ["db", "api", "other"].map(ResourceName::new));
}
