#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

fn kind(more: Value) -> Result<DataConsistencyAssert, String> {
    let side = json!({ "connection": { "engine": "sqlite", "path": "a.db" }, "sql_query": "SELECT 1 AS id" });
    let mut fields = json!({ "left": side, "right": side, "key": "id" });
    fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(fields).map_err(|error| error.to_string())
}

#[test]
fn what_does_not_go_together_is_said() {
    for (more, expected) in [
        (json!({}), None),
        (json!({ "key": ["id", "region"], "tolerance": { "total": 0.01 } }), None),
        (json!({ "tolerance": "0.01" }), None),
        (json!({ "key": ["id", "ID"] }), Some("names a column twice")),
        (json!({ "key": "" }), Some("names no column")),
        (json!({ "tolerance": -1 }), Some("\"-1\" is no distance")),
        (json!({ "tolerance": "NaN" }), Some("is no distance")),
        (json!({ "tolerance": { "Id": 1 } }), Some("names a column of the key")),
        (json!({ "left": { "sql_query": "SELECT 1" } }), Some("give `resource` or `connection`")),
        (json!({ "left": { "resource": "db", "sql_query": " " } }), Some("is empty: write a query")),
        (
            json!({ "left": { "resource": "db", "connection": { "engine": "sqlite", "path": "a" }, "sql_query": "x" } }),
            Some("not both"),
        ),
        (
            json!({ "right": { "connection": { "engine": "sqlite" }, "sql_query": "x" } }),
            Some("SQLite needs `path`"),
        ),
    ] {
        let problems = kind(more.clone()).unwrap().validate(None);
        match expected {
            None => assert_eq!(problems, [], "{more}"),
            Some(expected) => {
                assert!(problems.iter().any(|one| one.message.contains(expected)), "{more}: {problems:?}");
            }
        }
    }
    for more in [json!({ "key": [] }), json!({ "tolerance": true }), json!({ "keys": "id" })] {
        assert!(kind(more.clone()).is_err(), "{more}");
    }
}

#[test]
fn what_was_found_is_judged() {
    let kind = kind(json!({})).unwrap();
    let seen = |left_rows, right_rows, equal, missing, repeated| Compared {
        left_rows,
        right_rows,
        equal,
        missing,
        repeated,
        ..Compared::default()
    };
    for (seen, passed, judged, told) in [
        (seen(3, 3, 3, 0, 0), true, true, "3 rows compared"),
        (seen(3, 2, 2, 1, 0), false, true, "1 row missing on the right ()"),
        (seen(2, 2, 0, 0, 2), false, false, "2 rows cannot be told apart by the key ()"),
        (seen(3, 2, 0, 1, 2), false, true, "1 row missing on the right (); 2 rows cannot be told apart"),
        (seen(0, 0, 0, 0, 0), false, false, "neither side brings a row"),
    ] {
        let verdict = kind.judge(&seen);
        assert_eq!((verdict.has_passed(), verdict.is_judged()), (passed, judged), "{verdict:?}");
        assert!(verdict.text().starts_with(told), "{verdict:?}");
    }
    assert!(kind.clone().allow_empty().judge(&Compared::default()).has_passed());
}
