#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use clockwork_core::Fault;
use serde_json::json;

use super::*;

fn judge(fields: &Value, seen: &HttpObservation) -> Result<Verdict, CheckError> {
    let kind: HttpBodyAssert = serde_json::from_value(fields.clone()).unwrap();
    assert_eq!(kind.validate(None).len(), 1, "all but the url is right: {fields}");
    kind.judge(seen, kind.json_schema.as_ref())
}

#[test]
fn what_is_in_the_body_is_judged() {
    const JSON: &[u8] = br#"{"status":"up","users":[{"name":"Ada"},{"name":"Bob"}]}"#;
    const SUM: &str = "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df"; // of "ok"
    for (fields, status, body, passed, judged, message) in [
        (json!({ "contains": "ok" }), 200, &b"all ok\n"[..], true, true, ""),
        (json!({ "contains": "OK" }), 200, b"ok", false, true, r#"the body does not contain "OK": "ok""#),
        (
            json!({ "contains": "x" }),
            404,
            b"",
            false,
            true,
            r#"the body does not contain "x": "" (answered 404 Not Found)"#,
        ),
        (json!({ "matches": "^v\\d+$" }), 200, b"v12", true, true, ""),
        (
            json!({ "matches": "^v\\d+$" }),
            200,
            b"v12\n",
            false,
            true,
            r#"the body does not match "^v\\d+$": "v12\n""#,
        ),
        (json!({ "sha256": SUM.to_uppercase() }), 200, b"ok", true, true, ""),
        (
            json!({ "json": { "status": "up", "$.users[*].name": { "contains": "Ada" } } }),
            200,
            JSON,
            true,
            true,
            "",
        ),
        (
            json!({ "json": { "status": "down" } }),
            200,
            JSON,
            false,
            true,
            r#"status: expected "down", got "up""#,
        ),
        (
            json!({ "json": { "version": "1" } }),
            200,
            JSON,
            false,
            false,
            "version: expected \"1\", but there is no such value",
        ),
        (
            json!({ "contains": "x", "json": { "version": "1" } }),
            200,
            b"{}",
            false,
            true,
            "the body does not contain \"x\": \"{}\"; version: expected \"1\", but there is no such value",
        ),
        (json!({ "json_schema": { "type": "object", "required": ["status"] } }), 200, JSON, true, true, ""),
        (
            json!({ "json_schema": { "required": ["version"] } }),
            200,
            b"{}",
            false,
            true,
            r#"the body is not as `json_schema` says: the body: "version" is a required property, got {}"#,
        ),
    ] {
        let verdict = judge(&fields, &HttpObservation::of(status, &[], body)).unwrap();
        let told = (verdict.has_passed(), verdict.is_judged(), verdict.text());
        assert_eq!(told, (passed, judged, message), "{fields}");
    }
    let other = judge(&json!({ "sha256": SUM }), &HttpObservation::of(200, &[], b"no")).unwrap();
    assert!(other.text().ends_with(&format!(", expected {SUM}")) && other.is_judged(), "{}", other.text());
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let gzip = [("content-encoding", "gzip")];
    for (fields, headers, body, fault, message) in [
        (
            json!({ "contains": "a" }),
            &gzip[..],
            &b"\x1f\x8b"[..],
            Fault::Observer,
            "the body is encoded as \"gzip\"",
        ),
        (
            json!({ "sha256": "0".repeat(64) }),
            &gzip,
            b"\x1f\x8b",
            Fault::Observer,
            "the body is encoded as \"gzip\"",
        ),
        (
            json!({ "contains": "a" }),
            &[],
            b"\xfc",
            Fault::Target,
            "the body is not UTF-8 text, from byte 0 on",
        ),
        (
            json!({ "json": { "a": 1 } }),
            &[],
            b"<html>",
            Fault::Target,
            "the body is not JSON (line 1, column 1): \"<html>\" (answered 200 OK)",
        ),
        (
            json!({ "json_schema": true }),
            &[],
            b"{\"a\":",
            Fault::Target,
            "the body is not JSON (line 1, column 5)",
        ),
    ] {
        let error = judge(&fields, &HttpObservation::of(200, headers, body)).unwrap_err();
        assert_eq!(error.fault(), fault, "{error}");
        assert!(error.to_string().starts_with(message), "{error}");
    }
}

#[test]
fn what_is_wrong_with_the_fields_is_told() {
    for (fields, message) in [
        (json!({}), "nothing is asserted of the body"),
        (json!({ "contains": "" }), "is empty, and so in every body"),
        (json!({ "sha256": "abc" }), "\"abc\" is not 64 hexadecimal digits"),
        (json!({ "json": {} }), "is empty: give a path"),
        (json!({ "json_schema": { "type": 1 } }), "is no JSON Schema"),
    ] {
        let fields =
            [json!({ "url": "http://localhost/" }), fields].map(|it| it.as_object().unwrap().clone());
        let fields: serde_json::Map<_, _> = fields.into_iter().flatten().collect();
        let kind: HttpBodyAssert = serde_json::from_value(fields.into()).unwrap();
        let problems = kind.validate(None);
        assert!(problems.len() == 1 && problems[0].message.contains(message), "{problems:?}");
    }
}
