//! The judgement of [`QuerySuccessAssert`] over rows that were read.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Duration;

use serde_json::json;

use super::*;

fn seen(value: Option<Value>, count: u64, more: bool) -> Rows {
    let rows = value.map(|value| vec![vec![value]]).unwrap_or_default();
    Rows { columns: vec!["x".into()], rows, count, more, affected: None, took: Duration::from_millis(7) }
}

fn matcher(json: Value) -> Matcher {
    serde_json::from_value(json).unwrap()
}

#[test]
fn rows_and_values_are_compared_by_type() {
    let query = || QuerySuccessAssert::new("SELECT x");
    // the assertion, the rows, passed, judged, message
    for (assertion, rows, passed, judged, message) in [
        (query(), seen(None, 0, false), true, true, "0 rows"),
        (query().value(5), seen(Some(json!(5)), 1, false), true, true, "1 row, value 5"),
        (query().value(5), seen(Some(json!(6)), 1, false), false, true, "value: expected 5, got 6"),
        (
            query().value(5),
            seen(None, 0, false),
            false,
            false,
            "value: expected 5, but the query brought no row",
        ),
        (
            query().value(matcher(json!({ "is": "null" }))),
            seen(Some(json!(null)), 1, false),
            true,
            true,
            "1 row, value null",
        ),
        (query().rows(3), seen(Some(json!(1)), 2, false), false, true, "rows: expected 3, got 2"),
        (query().max_ms(7), seen(Some(json!(1)), 1, false), true, true, "1 row, 7 ms"),
        (
            query().max_ms(6),
            seen(Some(json!(1)), 1, false),
            false,
            true,
            "took 7 ms, at most 6 ms are allowed",
        ),
    ] {
        let verdict = assertion.judge(&rows).unwrap();
        assert_eq!((verdict.has_passed(), verdict.is_judged(), verdict.text()), (passed, judged, message));
    }
    let text = query().value(5).judge(&seen(Some(json!("5")), 1, false)).unwrap();
    assert!(!text.has_passed() && text.text().contains("the string \"5\""), "{text:?}");
}

#[test]
fn more_rows_than_are_read_prove_only_what_they_prove() {
    let rows = seen(Some(json!(1)), 100_000, true);
    for (json, expected) in [
        (json!(1), Some(false)),
        (json!({ "lte": 500 }), Some(false)),
        (json!({ "gte": 1 }), Some(true)),
        (json!({ "between": [1, 9] }), Some(false)),
        (json!({ "not": 0 }), Some(true)),
        (json!(200_000), None),
        (json!({ "lte": 1_000_000 }), None),
        (json!({ "gte": 100_001 }), None),
    ] {
        let judged = count(&matcher(json.clone()), &rows).ok().map(|told| told.is_ok());
        assert_eq!(judged, expected, "{json}");
    }
}
