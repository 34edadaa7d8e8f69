#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use serde_json::json;

use super::*;

fn matcher(json: Value) -> Matcher {
    serde_json::from_value(json).unwrap()
}

/// What holds, what fails (and its opposite holds), and what does not fit (and neither holds).
fn judge(operators: Value, holds: &[Value], fails: &[Value], unfit: &[Value]) {
    let (plain, not) = (matcher(operators.clone()), matcher(json!({ "not": operators })));
    for value in holds {
        assert_eq!(plain.check(Some(value)), Ok(()), "{plain} of {value}");
        let mismatch = not.check(Some(value)).unwrap_err();
        assert!(mismatch.judged, "{not} of {value}: {mismatch}");
    }
    for value in fails {
        let mismatch = plain.check(Some(value)).unwrap_err();
        assert!(mismatch.judged, "{plain} of {value}: {mismatch}");
        assert_eq!(not.check(Some(value)), Ok(()), "{not} of {value}");
    }
    for value in unfit {
        for matcher in [&plain, &not] {
            let mismatch = matcher.check(Some(value)).unwrap_err();
            assert!(!mismatch.judged, "{matcher} of {value}: {mismatch}");
        }
    }
    for matcher in [&plain, &not] {
        assert!(!matcher.check(None).unwrap_err().judged, "{matcher} of nothing");
        for value in holds.iter().chain(fails).chain(unfit) {
            if let Some(text) = value.as_str() {
                assert_eq!(matcher.check(Some(value)), matcher.check_str(text), "{matcher} of {text}");
            }
        }
    }
    assert_eq!(plain, matcher(serde_json::to_value(&plain).unwrap()), "{plain} comes back as it was");
}

#[test]
fn a_plain_value_is_equal_and_of_the_same_type() {
    judge(json!(5), &[json!(5), json!(5.0)], &[json!(6), json!("x"), json!([5]), Value::Null], &[json!("5")]);
    judge(json!("5"), &[json!("5")], &[json!("6"), json!(6), json!({})], &[json!(5), json!(5.0)]);
    judge(json!(""), &[json!("")], &[json!(0), json!(false), Value::Null, json!([])], &[]);
    judge(json!(0), &[json!(0), json!(-0.0)], &[Value::Null, json!(false), json!("")], &[json!("0")]);
    judge(json!(true), &[json!(true)], &[json!(false), json!(1)], &[json!("true")]);
    judge(json!(null), &[Value::Null], &[json!(0), json!("")], &[json!("null")]);
    judge(json!({ "equals": [1, 2] }), &[json!([1, 2.0])], &[json!([2, 1]), json!([1]), json!(1)], &[]);
    judge(
        json!({ "equals": { "a": 1 } }),
        &[json!({ "a": 1.0 })],
        &[json!({}), json!({ "a": 1, "b": 2 })],
        &[],
    );
}

#[test]
fn numbers_are_compared_exactly() {
    let big = 9_007_199_254_740_993_i64; // 2^53 + 1, which no float is
    judge(json!({ "gt": 9_007_199_254_740_992.0 }), &[json!(big)], &[json!(big - 1)], &[]);
    judge(json!(big), &[json!(big)], &[json!(9_007_199_254_740_992.0)], &[]);
    judge(json!({ "lt": u64::MAX }), &[json!(-1), json!(1e19)], &[json!(u64::MAX), json!(1e300)], &[]);
    judge(json!({ "gt": 1 }), &[json!(1.5), json!(1e300)], &[json!(0.5), json!(-1e300)], &[]);
}

#[test]
fn a_list_is_any_of() {
    judge(json!([200, "ok"]), &[json!(200), json!("ok")], &[json!(201), json!("no")], &[json!("200")]);
    judge(json!([{ "gt": 5 }, null]), &[json!(6), Value::Null], &[json!(5)], &[json!("x")]);
}

#[test]
fn orders_judge_numbers_alone() {
    let others = [json!("6"), json!(""), Value::Null, json!(true), json!([6]), json!({})];
    judge(json!({ "gt": 5 }), &[json!(6), json!(5.1)], &[json!(5), json!(4)], &others);
    judge(json!({ "gte": 5 }), &[json!(6), json!(5)], &[json!(4.9)], &others);
    judge(json!({ "lt": 5 }), &[json!(4), json!(-1)], &[json!(5)], &others);
    judge(json!({ "lte": 5 }), &[json!(5.0)], &[json!(6)], &others);
    judge(
        json!({ "between": [1, 5] }),
        &[json!(1), json!(5), json!(2.5)],
        &[json!(0.9), json!(5.1)],
        &others,
    );
}

#[test]
fn text_operators_judge_text_alone() {
    let others = [json!(5), Value::Null, json!(true)];
    judge(
        json!({ "contains": "ok" }),
        &[json!("is ok"), json!(["ok"]), json!({ "ok": 1 })],
        &[json!("no"), json!(["is ok"]), json!({})],
        &others,
    );
    judge(
        json!({ "contains": 5 }),
        &[json!([5.0])],
        &[json!([6]), json!([])],
        &[json!("5"), json!(["5"]), json!({ "5": 1 })],
    );
    judge(json!({ "starts_with": "ab" }), &[json!("abc")], &[json!("cab"), json!("")], &others);
    judge(json!({ "ends_with": "bc" }), &[json!("abc")], &[json!("bca")], &others);
    judge(json!({ "matches": "^a.c$" }), &[json!("abc")], &[json!("xabc")], &others);
    judge(
        json!({ "semver": ">=1.4, <2" }),
        &[json!("1.4.0"), json!("v1.9.3")],
        &[json!("2.0.0"), json!("1.3.9")],
        &[json!("1.4"), json!("latest"), json!(1.4), json!("vv1.4.0")],
    );
}

#[test]
fn several_operators_all_hold() {
    judge(json!({ "gt": 1, "lt": 5 }), &[json!(3)], &[json!(5), json!(1)], &[json!("3")]);
    // Half of the question does not fit, so neither it nor its opposite is proven.
    judge(json!({ "gt": 1, "equals": "x" }), &[], &[json!(0)], &[json!("x"), json!("y")]);
    judge(
        json!({ "all_of": [{ "contains": "a" }, { "contains": "b" }] }),
        &[json!("ab")],
        &[json!("a")],
        &[json!(1)],
    );
    judge(
        json!({ "any_of": [{ "contains": "a" }, { "gt": 1 }] }),
        &[json!("a"), json!(2)],
        &[],
        &[json!("b"), json!(1)],
    );
    judge(json!({ "one_of": ["a", 1] }), &[json!("a"), json!(1)], &[json!("b"), json!([1])], &[json!("1")]);
}

#[test]
fn length_counts_characters_elements_and_keys() {
    judge(
        json!({ "length": 2 }),
        &[json!("äö"), json!([1, 2]), json!({ "a": 1, "b": 2 })],
        &[json!("a"), json!([])],
        &[json!(2), Value::Null],
    );
    judge(json!({ "length": { "gte": 1 } }), &[json!("a")], &[json!(""), json!([])], &[json!(1)]);
}

#[test]
fn types_are_asked_for_by_name() {
    let values =
        [Value::Null, json!(true), json!(false), json!(1), json!(1.5), json!("s"), json!([]), json!({})];
    for (name, holds) in [
        (json!(null), &values[..1]),
        (json!("null"), &values[..1]),
        (json!(true), &values[1..2]),
        (json!(false), &values[2..3]),
        (json!("bool"), &values[1..3]),
        (json!("number"), &values[3..5]),
        (json!("integer"), &values[3..4]),
        (json!("string"), &values[5..6]),
        (json!("array"), &values[6..7]),
        (json!("object"), &values[7..]),
    ] {
        let fails: Vec<_> = values.iter().filter(|value| !holds.contains(value)).cloned().collect();
        judge(json!({ "is": name }), holds, &fails, &[]);
    }
}

#[test]
fn nothing_to_compare_with_proves_nothing() {
    for empty in [Matcher::all_of([]), Matcher::any_of([]), Matcher::one_of::<Value>([])] {
        assert!(empty.check(Some(&json!(1))).is_err(), "{empty}");
    }
    assert!(Matcher::not(Matcher::all_of([])).check(Some(&json!(1))).is_err());
    for vacuous in [
        json!({}),
        json!([]),
        json!({ "all_of": [] }),
        json!({ "any_of": [] }),
        json!({ "one_of": [] }),
        json!({ "contains": "" }),
        json!({ "matches": "" }),
        json!({ "starts_with": "" }),
        json!({ "not": {} }),
        json!({ "between": [5, 1] }),
        json!({ "between": [1] }),
        json!({ "length": "5" }),
        json!({ "length": -1 }),
        json!({ "gt": "5" }),
        json!({ "is": "int" }),
        json!({ "semver": "new" }),
        json!({ "matches": "(" }),
    ] {
        assert!(serde_json::from_value::<Matcher>(vacuous.clone()).is_err(), "{vacuous}");
    }
}

#[test]
fn failures_show_what_was_expected_what_was_there_and_the_difference() {
    let long = |text: &str| json!(format!("{}{text}", "line\n".repeat(3)));
    let cases = [
        (json!(5), json!("5")),
        (json!("ok"), json!("fail")),
        (json!([200, 204]), json!(500)),
        (json!({ "gt": 5, "not": 3 }), json!(3)),
        (json!({ "gt": 5 }), json!("6")),
        (json!({ "not": { "gt": 5 } }), json!("6")),
        (json!({ "contains": "\u{1b}[31m" }), json!("\r\u{202e}")),
        (json!({ "length": 2 }), json!([1])),
        (json!({ "length": 2 }), json!(2)),
        (json!({ "semver": ">=1.4" }), json!("1.4")),
        (json!({ "equals": ["a", "b", "c"] }), json!(["b", "c", "d"])),
        (json!({ "equals": [1, 2] }), json!([2, 1])),
        (json!({ "equals": { "a": 1, "b": 2 } }), json!({ "a": "1", "c": 3 })),
        (long("one\nend"), long("two\nend\n")),
        (json!("x".repeat(300)), json!(format!("{}y", "x".repeat(299)))),
        (json!({ "contains": 5 }), json!(["5"])),
        (json!({ "any_of": [{ "starts_with": "a" }, { "is": null }] }), json!("b")),
    ];
    let told: Vec<_> = cases
        .into_iter()
        .map(|(expected, actual)| matcher(expected).check(Some(&actual)).unwrap_err().message)
        .chain([matcher(json!({ "not": null })).check(None).unwrap_err().message])
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn errors_in_a_matcher_say_the_way_out() {
    let told: Vec<_> = [
        json!({ "contain": "x" }),
        json!({ "status": "x" }),
        json!({}),
        json!([]),
        json!({ "gt": "5" }),
        json!({ "between": [5, 1] }),
        json!({ "is": "int" }),
        json!({ "semver": "new" }),
        json!({ "matches": "(" }),
        json!({ "one_of": [] }),
        json!({ "contains": "" }),
        json!({ "length": "5" }),
    ]
    .into_iter()
    .map(|wrong| serde_json::from_value::<Matcher>(wrong).unwrap_err().to_string())
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn differences_are_bounded() {
    let many = Value::Array((0..100_000).map(Value::from).collect());
    let other = Value::Array((1..100_001).map(Value::from).collect());
    let body = "line\n".repeat(200_000);
    for mismatch in [
        Matcher::equals(many).check(Some(&other)).unwrap_err(),
        Matcher::equals(body.clone()).check_str(&body.replace("line", "lime")).unwrap_err(),
    ] {
        assert!(mismatch.message.len() < 4000, "{} bytes", mismatch.message.len());
    }
}
