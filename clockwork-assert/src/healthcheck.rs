//! [`HealthcheckAssert`]: a URL answers with the expected status, and with the expected body where one is given.
//!
//! It proves that the service can be reached from here and gave one whole answer as expected just now. It proves nothing
//! about what the service needs beyond what its health page looks at.
//!
//! Judged (so that `not` turns it around): another status, another body, and whatever keeps the service from answering:
//! refused, unreachable, no answer in time, reset, cut off, no TLS, no HTTP, redirects without end. Not judged: a name that
//! does not resolve (it may be a typing error), a body that is no text or no JSON, a JSON path without a value. What
//! cannot be read because of `max_body`, an encoding, a secret or a file is `errored`.
//!
//! `details`: see `http_answer::with_evidence`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Matcher, Resource, Verdict, async_trait,
};
use clockwork_drivers::http::{HttpObservation, HttpProbe};

use crate::{
    expected_status::ExpectedStatus,
    http_answer::{judged_with_evidence, wrong_status},
    http_request::http_kind,
    json_path::{self, Paths},
};

http_kind! {
    /// A URL answers with the expected status, and with the expected body where one is given.
    ///
    /// ```
    /// use clockwork_assert::HealthcheckAssert;
    /// use clockwork_core::Matcher;
    ///
    /// HealthcheckAssert::new("http://localhost:8080/health").json("status", Matcher::equals("up"));
    /// ```
    pub struct HealthcheckAssert(request_body, request_json) {
        /// The status that it has to answer with: `200`, `[200, 204]` or `2xx`.
        #[serde(default = "ok")]
        expected_status: ExpectedStatus = ok(),
        /// What the answer's body has to be like, as text.
        #[serde(default)]
        body: Option<Matcher> = None,
        /// What the answer's body has to hold, as JSON: JSONPath → what the value there has to be like.
        #[serde(default)]
        json: Option<Box<Paths>> = None,
    }
}

fn ok() -> ExpectedStatus {
    ExpectedStatus::from(200)
}

impl HealthcheckAssert {
    /// This URL answers with status 200. On an `EndpointResource` it may be relative to the resource's.
    pub fn new(url: impl Into<String>) -> Self {
        Self::of(Some(url.into()))
    }

    /// Other statuses than 200.
    #[must_use]
    pub fn expected_status(mut self, status: impl Into<ExpectedStatus>) -> Self {
        self.expected_status = status.into();
        self
    }

    /// What the answer's body has to be like, as text.
    #[must_use]
    pub fn body(mut self, matcher: Matcher) -> Self {
        self.body = Some(matcher);
        self
    }

    /// What the value at this JSONPath of the answer has to be like.
    #[must_use]
    pub fn json(mut self, path: impl Into<String>, matcher: Matcher) -> Self {
        self.json.get_or_insert_default().insert(path.into(), matcher);
        self
    }

    fn judge(&self, seen: &HttpObservation) -> Result<Verdict, CheckError> {
        if !self.expected_status.contains(seen.status()) {
            return Ok(Verdict::failed(wrong_status(seen, &self.expected_status))
                .expected(format!("status {}", self.expected_status))
                .actual(format!("status {}", seen.status())));
        }
        if let Some(matcher) = &self.body
            && let Err(mut mismatch) = matcher.check_str(&seen.text()?)
        {
            mismatch.message = format!("the body is wrong: {}", mismatch.message);
            return Ok(mismatch.into());
        }
        let Some(paths) = self.json.as_deref().filter(|paths| !paths.is_empty()) else {
            return Ok(Verdict::passed());
        };
        let wrong = json_path::compare(&seen.json()?, paths);
        if wrong.is_empty() {
            return Ok(Verdict::passed());
        }
        let join = |texts: Vec<&str>| texts.join("; ");
        let message = join(wrong.iter().map(|wrong| wrong.message.as_str()).collect());
        // One value that is wrong is enough to prove that the whole is.
        let verdict = match wrong.iter().any(|wrong| wrong.judged) {
            true => Verdict::failed(message),
            false => Verdict::unjudged(message),
        };
        let expected: Vec<_> = paths.iter().map(|(path, matcher)| format!("{path}: {matcher}")).collect();
        Ok(verdict
            .expected(expected.join("; "))
            .actual(join(wrong.iter().map(|wrong| wrong.actual.as_str()).collect())))
    }
}

/// For a resource that has a URL itself.
impl Default for HealthcheckAssert {
    fn default() -> Self {
        Self::of(None)
    }
}

#[async_trait]
impl Assertion for HealthcheckAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        self.request_fields().label()
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.request_fields().validate(owner);
        if let Some(paths) = &self.json {
            problems.extend(json_path::problems("json", paths));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let request = self.request_fields().request(cx.resource())?;
        match cx.observe(HttpProbe::new(request)).await {
            Ok(seen) => judged_with_evidence(self.judge(&seen), &seen, self.insecure),
            Err(error) => {
                let actual = error.message().to_owned();
                Ok(Verdict::of_target(error)?
                    .expected(format!("status {}", self.expected_status))
                    .actual(actual))
            }
        }
    }
}

impl AssertionKind for HealthcheckAssert {
    const NAME: &'static str = "HealthcheckAssert";
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use clockwork_core::Fault;
    use serde_json::json;

    use super::*;

    fn kind(fields: serde_json::Value) -> HealthcheckAssert {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn a_status_and_a_body_are_judged() {
        const JSON: &[u8] = br#"{"status":"up","checks":[{"ok":true},{"ok":true}]}"#;
        // fields, status, body, whether it passed, whether it was judged, the message
        for (fields, status, body, passed, judged, message) in [
            (json!({}), 200, &b"whatever"[..], true, true, ""),
            (json!({}), 204, b"", false, true, "answered 204 No Content"),
            (json!({}), 503, b"down\n", false, true, r#"answered 503 Service Unavailable: "down\n""#),
            (json!({ "expected_status": "2xx" }), 204, b"", true, true, ""),
            (
                json!({ "expected_status": "2xx" }),
                404,
                b"no",
                false,
                true,
                r#"answered 404 Not Found: "no"; expected status 2xx"#,
            ),
            (json!({ "expected_status": [401, 403] }), 403, b"", true, true, ""),
            (json!({ "body": "ok" }), 200, b"ok", true, true, ""),
            (json!({ "body": { "contains": "ok" } }), 200, b"all ok\n", true, true, ""),
            (
                json!({ "body": "ok" }),
                200,
                b"ok\n",
                false,
                true,
                r#"the body is wrong: expected "ok", got "ok\n": line 2 is extra: """#,
            ),
            (
                json!({ "json": { "status": "up", "$.checks[*].ok": { "not": { "contains": false } } } }),
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
                "status: expected \"down\", got \"up\"",
            ),
            (
                json!({ "json": { "version": "1" } }),
                200,
                JSON,
                false,
                false,
                "version: expected \"1\", but there is no such value",
            ),
        ] {
            let seen = HttpObservation::of(status, &[], body);
            let verdict = kind(fields.clone()).judge(&seen).unwrap();
            let told = (verdict.has_passed(), verdict.is_judged(), verdict.text());
            assert_eq!((told.0, told.1), (passed, judged), "{fields}: {verdict:?}");
            assert_eq!(told.2, message, "{fields}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_verdict() {
        for (fields, headers, body, fault, message) in [
            (
                json!({ "body": "ok" }),
                &[("content-encoding", "gzip")][..],
                &b"\x1f\x8b"[..],
                Fault::Observer,
                "the body is encoded as \"gzip\"",
            ),
            (
                json!({ "body": { "not": { "contains": "ü" } } }),
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
                "the body is not JSON (line 1, column 1): \"<html>\"",
            ),
        ] {
            let seen = HttpObservation::of(200, headers, body);
            let error = kind(fields).judge(&seen).unwrap_err();
            assert_eq!(error.fault(), fault, "{error}");
            assert!(error.to_string().starts_with(message), "{error}");
        }
        let latin = HttpObservation::of(200, &[("content-type", "text/plain; charset=ISO-8859-1")], b"\xfc");
        assert!(kind(json!({ "body": "ü" })).judge(&latin).unwrap().has_passed());
    }
}
