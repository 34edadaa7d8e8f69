//! What each return and each exception means.

use clockwork_core::{AssertionExt, IntoAssertion, Outcome};
use serde_json::json;

use super::Checks;
use crate::run::told;

#[tokio::test]
async fn what_a_function_returns_is_taken_by_its_word() {
    use Outcome::{Errored, Failed, Passed};
    let checks = Checks::new(
        r#"
import collections, enum

def true(): return True
def false(): return False
def with_message(): return True, "42 rows"
def without_luck(): return False, "API is down"
def error(): return False, ValueError("no rows")
def nothing_said(): return False, None
def none():
    assert 1 + 1 == 2
def called():
    none()
def loop():
    for one in (): pass
def empty(): pass
def documented():
    """It does nothing."""
def forgotten():
    1 + 1 == 3
def one(): return 1
def zero(): return 0
def text(): return "False"
def two(): return True, False
def number(): return True, 404
def three(): return True, "a", "b"
def listed(): return [True, "a"]
def generator():
    yield True
def numpy():
    return type("bool_", (int,), {"__module__": "numpy", "__repr__": lambda self: "True"})(1)
def strange():
    class Strange:
        def __repr__(self): raise RuntimeError("no")
    return Strange()
async def awaited():
    import asyncio
    await asyncio.sleep(0.01)
    return True, "awaited"
async def asserted():
    assert False, "async"
def forgot_await():
    return awaited()
"#,
    );
    const HINT: &str =
        "return True or False, (bool, message), a dict with `passed`, or None behind assertions";
    let none = "returned None, and nothing in it could have failed: no `assert`, nothing raised, nothing called; return True or \
                False, or assert something";
    let other =
        |shown: &str| -> &'static str { format!("returned {shown}, which is no verdict; {HINT}").leak() };
    checks
        .expect([
            (checks.check("true"), Passed, ""),
            (checks.check("false"), Failed, "returned False"),
            (checks.check("with_message"), Passed, "42 rows"),
            (checks.check("without_luck"), Failed, "API is down"),
            (checks.check("error"), Failed, "no rows"),
            (checks.check("nothing_said"), Failed, "returned False"),
            (checks.check("none"), Passed, ""),
            (checks.check("called"), Passed, ""),
            (checks.check("loop"), Passed, ""),
            (checks.check("empty"), Errored, none),
            (checks.check("documented"), Errored, none),
            (checks.check("forgotten"), Errored, none),
            (checks.check("one"), Errored, other("1 of type int")),
            (checks.check("zero"), Errored, other("0 of type int")),
            (checks.check("text"), Errored, other("'False' of type str")),
            (checks.check("two"), Errored, other("(True, False) of type (bool, bool)")),
            (checks.check("number"), Errored, other("(True, 404) of type (bool, int)")),
            (checks.check("three"), Errored, other("(True, 'a', 'b') of type tuple")),
            (checks.check("listed"), Errored, other("[True, 'a'] of type list")),
            (
                checks.check("numpy"),
                Errored,
                "returned True of type numpy.bool_, which is no verdict; make a bool of it: `return bool(…)`",
            ),
            (
                checks.check("strange"),
                Errored,
                other("<Strange whose repr raises RuntimeError> of type checks.strange.<locals>.Strange"),
            ),
            (checks.check("awaited"), Passed, "awaited"),
            (checks.check("asserted"), Failed, "async (checks.py:41)"),
            (checks.check("forgot_await"), Passed, "awaited"),
        ])
        .await;
    // Its `repr` has an address in it.
    for check in [checks.check("generator").into_assertion(), checks.check("generator").not()] {
        let result = crate::run::check(check).await;
        let message = told(&result, Errored);
        assert!(message.starts_with("returned <generator object generator at 0x"), "{message}");
        assert!(message.ends_with("it has a `yield`: a check returns its verdict, once"), "{message}");
    }
}

#[tokio::test]
async fn a_dict_brings_its_evidence() {
    use Outcome::{Errored, Failed, Passed};
    let checks = Checks::new(
        r#"
import datetime

def passed(): return {"passed": True, "message": "fine", "rows": 42, "when": datetime.date(2026, 11, 30)}
def failed():
    return {"passed": False, "message": "slow", "expected": "< 200", "actual": 512, "details": {"samples": [1, 2.5]}}
def bare(): return {"passed": False}
def typo(): return {"pased": True}
def ok(): return {"ok": True}
def nothing(): return {}
def number(): return {"passed": 1}
def message(): return {"passed": True, "message": 3}
def details(): return {"passed": True, "details": [1]}
def large(): return {"passed": True, "rows": ["x" * 100] * 10000}
def hostile(): return {"passed": True, "inf": float("inf"), 7: "\ud800", "big": 1 << 70, "deep": deep()}
def deep():
    value = []
    for _ in range(1000): value = [value]
    return value
"#,
    );
    let results = checks
        .expect([
            (checks.check("passed"), Passed, "fine"),
            (checks.check("failed"), Failed, "slow"),
            (checks.check("bare"), Failed, "returned `passed`: False"),
            (
                checks.check("typo"),
                Errored,
                "returned a dict without `passed`; did you mean `passed` by `pased`?",
            ),
            (checks.check("ok"), Errored, "returned a dict without `passed`; did you mean `passed` by `ok`?"),
            (
                checks.check("nothing"),
                Errored,
                "returned a dict without `passed`; `passed` is True or False; `message`, `expected`, `actual` and details may \
                 follow",
            ),
            (checks.check("number"), Errored, "returned a dict whose `passed` is of type int, not bool"),
            (checks.check("message"), Errored, "returned a dict whose `message` is of type int, not str"),
            (checks.check("details"), Errored, "returned a dict whose `details` is of type list, not dict"),
            (
                checks.check("large"),
                Errored,
                "what it returned is too large to keep: 10…",
            ),
            (checks.check("hostile"), Passed, ""),
        ])
        .await;
    let details = results[0].details();
    assert_eq!((&details["rows"], &details["when"]), (&json!(42), &json!("datetime.date(2026, 11, 30)")));
    let failed = &results[1];
    assert_eq!((failed.expected.as_deref(), failed.actual.as_deref()), (Some("< 200"), Some("512")));
    assert_eq!(failed.details()["samples"], json!([1, 2.5]));
    let details = results[10].details();
    assert_eq!((&details["inf"], &details["7"]), (&json!("inf"), &json!("\\ud800")));
}

#[tokio::test]
async fn a_failed_assertion_says_what_it_compared() {
    use Outcome::{Failed, Passed};
    let checks = Checks::new(
        r#"
class Response:
    status = 503
    headers = {"server": "nginx"}

response = Response()
calls = []

def plain(): assert response.status == 200
def said(): assert response.status == 200, "not ready"
def several_lines():
    assert (
        response.status
        == 200
    )
def entry(): assert response.headers["server"] != "nginx"
def length():
    rows = [1, 2, 3]
    assert len(rows) >= 4
def both():
    left, right = 1, 2
    assert left == right
def member(): assert "x" in response.headers
def truth():
    ready = None
    assert ready
def effect():
    assert calls.append(1)
def called():
    def get(): return 7
    assert get() == 8
def beneath():
    plain()
def library():
    import unittest
    unittest.TestCase().assertEqual(1, 2)
def raised():
    raise AssertionError("as I say")
def empty():
    raise AssertionError
"#,
    );
    let results = checks
        .expect([
            (
                checks.check("plain"),
                Failed,
                "assert response.status == 200: response.status is 503 (checks.py:9)",
            ),
            (checks.check("said"), Failed, "not ready (checks.py:10)"),
            (
                checks.check("several_lines"),
                Failed,
                "assert response.status == 200: response.status is 503 (checks.py:13)",
            ),
            (
                checks.check("entry"),
                Failed,
                r#"assert response.headers["server"] != "nginx": response.headers["server"] is 'nginx' (checks.py:16)"#,
            ),
            (checks.check("length"), Failed, "assert len(rows) >= 4: len(rows) is 3 (checks.py:19)"),
            (checks.check("both"), Failed, "assert left == right: left is 1, right is 2 (checks.py:22)"),
            (
                checks.check("member"),
                Failed,
                r#"assert "x" in response.headers: response.headers is {'server': 'nginx'} (checks.py:23)"#,
            ),
            (checks.check("truth"), Failed, "assert ready: it is None (checks.py:26)"),
            (checks.check("effect"), Failed, "assert calls.append(1) (checks.py:28)"),
            (checks.check("called"), Failed, "assert get() == 8 (checks.py:31)"),
            (
                checks.check("beneath"),
                Failed,
                "assert response.status == 200: response.status is 503 (checks.py:9)",
            ),
            (checks.check("library"), Failed, "1 != 2 (checks.py:36)"),
            (checks.check("raised"), Failed, "as I say (checks.py:38)"),
            (checks.check("empty"), Failed, "raise AssertionError (checks.py:40)"),
        ])
        .await;
    assert_eq!(results[0].expected.as_deref(), Some("response.status == 200"));
    assert_eq!(results[0].actual.as_deref(), Some("response.status is 503"));
    let traceback = &results[10].details()["traceback"];
    assert_eq!(traceback.as_array().unwrap().len(), 2, "{traceback}");
    checks
        .expect([
            (checks.check("plain").not(), Passed, "assert response.status == 200…"),
            (checks.check("raised").not(), Passed, "as I say…"),
        ])
        .await;
}

#[tokio::test]
async fn any_other_exception_names_the_user_s_line() {
    use Outcome::Errored;
    let checks = Checks::new(
        r#"
import json, sys

def key(): return {}["x"] == 1
def beneath(): return json.loads("{")
def chained():
    try: {}["x"]
    except KeyError as error: raise RuntimeError("no x") from error
def leaves(): sys.exit(0)
def interrupted(): raise KeyboardInterrupt
def long(): raise ValueError("x" * 10_000 + "\x1b[31m\n")
def nameless():
    class Odd(Exception):
        def __str__(self): raise ValueError
    raise Odd
def deep(): return deep()
def missing():
    import no_such_module_here
def takes(resource, *, limit): return True
def arguments(): return takes(1, 2, 3)
value = 3
"#,
    );
    let results = checks
        .expect([
            (checks.check("key"), Errored, r#"raised KeyError: 'x' (at checks.py:4 in key: "def key(): return {}[\"x\"] == 1")"#),
            (
                checks.check("beneath"),
                Errored,
                "raised json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1) \
                 (at checks.py:5 in beneath: \"def beneath(): return json.loads(\\\"{\\\")\")",
            ),
            (
                checks.check("chained"),
                Errored,
                "raised RuntimeError: no x (at checks.py:8 in chained: \"except KeyError as error: raise RuntimeError(\\\"no x\\\") \
                 from error\")",
            ),
            (
                checks.check("leaves"),
                Errored,
                "called `sys.exit(0)` (at checks.py:9 in leaves: \"def leaves(): sys.exit(0)\"); return a verdict instead",
            ),
            (
                checks.check("interrupted"),
                Errored,
                "raised KeyboardInterrupt (at checks.py:10 in interrupted: \"def interrupted(): raise KeyboardInterrupt\")",
            ),
            (
                checks.check("nameless"),
                Errored,
                "raised checks.nameless.<locals>.Odd: <its message raises ValueError> (at checks.py:15 in nameless: \"raise Odd\")",
            ),
            (
                checks.check("takes"),
                Errored,
                "cannot be called so: takes() missing 1 required keyword-only argument: 'limit'; it takes (resource, *, limit); it \
                 is called with `args` by their names; at the top level there is no resource, and the first argument is None",
            ),
            (
                checks.check("arguments"),
                Errored,
                "raised TypeError: takes() takes 1 positional argument but 3 were given (at checks.py:20 in arguments: \"def \
                 arguments(): return takes(1, 2, 3)\")",
            ),
            (checks.check("value"), Errored, "\"value\" in \"checks.py\" is no function: it is of type int"),
            (checks.check("keys"), Errored, "there is no function \"keys\" in \"checks.py\"; did you mean `key`?"),
        ])
        .await;
    assert_eq!(results[2].details()["cause"], json!("KeyError: 'x'"));
    for (function, begins, ends) in [
        ("long", "raised ValueError: xxx", r#"raise ValueError(\"x\" * 10_000 + \"\\x1b[31m\\n\")")"#),
        ("deep", "raised RecursionError: maximum recursion depth exceeded", r#"def deep(): return deep()")"#),
        ("missing", r#"there is no module "no_such_module_here" for "python3" ("#, " with `python`"),
    ] {
        let result = crate::run::check(checks.check(function)).await;
        let message = told(&result, Errored);
        assert!(message.starts_with(begins) && message.ends_with(ends), "{message}");
        assert!(message.len() < 2000, "{message}");
    }
}
