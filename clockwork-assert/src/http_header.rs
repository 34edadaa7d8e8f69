//! [`HttpHeaderAssert`]: an answer has a header, with the value that it has to have, or does not have it.
//!
//! Names are compared in any case. Where a header repeats, each of its lines is a value: one of them has to be as the
//! matcher says, and `not` in the matcher means that none is. A line is compared as a whole: a list in it is not split.
//! Whatever the status of the answer: that is `HttpStatusAssert`'s.
//!
//! Judged (so that `not` turns it around): another value; a header that is not there, where nothing but its presence is
//! asserted; one that is there, where it must be absent. Not judged: a value of a header that is not there, and no answer.
//!
//! `details`: `values`, the header's lines; and see `http_answer::with_evidence`.

use clockwork_core::{
    Among, Assertion, AssertionKind, CheckError, Context, Invalid, Matcher, Resource, Verdict, async_trait,
    text::quote,
};
use clockwork_drivers::http::{HttpObservation, HttpProbe};
use serde_json::Value;

use crate::{http_answer::with_evidence, http_request::http_kind};

http_kind! {
    /// An answer has a header, with the value that it has to have, or does not have it.
    ///
    /// ```
    /// use clockwork_assert::HttpHeaderAssert;
    /// use clockwork_core::Matcher;
    ///
    /// HttpHeaderAssert::new("https://shop.example/", "strict-transport-security").value(Matcher::contains("max-age="));
    /// HttpHeaderAssert::new("https://shop.example/", "x-powered-by").absent(true);
    /// ```
    pub struct HttpHeaderAssert(body, json) {
        /// The answer's header, in any case.
        header: String = String::new(),
        /// What its value has to be like; of a header that repeats, one of its values. Without it, the header has to be
        /// there.
        #[serde(default)]
        value: Option<Matcher> = None,
        /// The header must not be there.
        #[serde(default)]
        absent: bool = false,
    }
}

/// How much of the header's lines goes into `details`.
const SHOWN: usize = 16;

impl HttpHeaderAssert {
    /// The answer of this URL has this header. On an `EndpointResource` the URL may be relative to the resource's.
    pub fn new(url: impl Into<String>, header: impl Into<String>) -> Self {
        Self { header: header.into(), ..Self::of(Some(url.into())) }
    }

    /// What its value has to be like.
    #[must_use]
    pub fn value(mut self, matcher: impl Into<Matcher>) -> Self {
        self.value = Some(matcher.into());
        self
    }

    /// Whether it must not be there.
    #[must_use]
    pub fn absent(mut self, absent: bool) -> Self {
        self.absent = absent;
        self
    }

    fn judge(&self, seen: &HttpObservation) -> Verdict {
        let name = &self.header;
        let values: Vec<String> = seen.header_values(name).map(text).collect();
        let details: Value = values.iter().take(SHOWN).map(|value| bounded(value)).collect();
        let of = || format!("of {} ({})", seen.url(), seen.status_line());
        let shown = || values.iter().take(SHOWN).map(|value| quote(value)).collect::<Vec<_>>().join(", ");
        let verdict = match (&self.value, &values[..]) {
            _ if self.absent => Verdict::of(
                values.is_empty(),
                format!("the answer {} has the header {}: {}", of(), quote(name), shown()),
            )
            .expected(format!("no header {}", quote(name))),
            (None, values) => {
                Verdict::of(!values.is_empty(), format!("the answer {} has no header {}", of(), quote(name)))
                    .expected(format!("a header {}", quote(name)))
            }
            (Some(matcher), []) => {
                Verdict::unjudged(format!("the answer {} has no header {}", of(), quote(name)))
                    .expected(matcher.to_string())
            }
            (Some(matcher), values) => match matcher.check_among(values, Among::Texts) {
                Ok(()) => Verdict::passed().expected(matcher.to_string()),
                Err(mut mismatch) => {
                    mismatch.message = format!("the header {}: {}", quote(name), mismatch.message);
                    mismatch.into()
                }
            },
        };
        // That it holds needs no words.
        let verdict = if verdict.has_passed() { verdict.message("") } else { verdict };
        let actual = if values.is_empty() { String::from("not there") } else { shown() };
        verdict.actual(actual).detail("values", details)
    }
}

/// A header's value: UTF-8, and otherwise Latin-1, as HTTP once had it.
fn text(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) => text.to_owned(),
        Err(_) => value.iter().map(|&byte| char::from(byte)).collect(),
    }
}

fn bounded(value: &str) -> String {
    clockwork_core::text::bounded(value.to_owned(), 1024)
}

#[async_trait]
impl Assertion for HttpHeaderAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let url = self.request_fields().label();
        let shown = clockwork_core::text::harmless(&self.header);
        if url.is_empty() { shown.into_owned() } else { format!("{shown} of {url}") }
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.request_fields().validate(owner);
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if self.header.is_empty() || !self.header.bytes().all(token) {
            problems
                .push(Invalid::field("header", format!("{} cannot be a header's name", quote(&self.header))));
        }
        if self.absent && self.value.is_some() {
            problems
                .push(Invalid::field("absent", "a header that is absent has no `value`: give one of them"));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let request = self.request_fields().request(cx.resource())?;
        let seen = cx.observe(HttpProbe::new(request)).await?;
        Ok(with_evidence(self.judge(&seen), &seen, self.insecure))
    }
}

impl AssertionKind for HttpHeaderAssert {
    const NAME: &'static str = "HttpHeaderAssert";
    const ALIASES: &'static [&'static str] = &["HTTPHeaderAssert"];
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::json;

    use super::*;

    #[test]
    fn presence_absence_and_values_are_judged() {
        let seen = HttpObservation::of(
            200,
            &[
                ("cache-control", "no-store"),
                ("set-cookie", "a=1; Secure"),
                ("set-cookie", "b=2"),
                ("x-empty", ""),
            ],
            b"",
        );
        for (fields, passed, judged, message) in [
            (json!({ "header": "Cache-CONTROL" }), true, true, ""),
            (json!({ "header": "x-empty" }), true, true, ""),
            (json!({ "header": "x-empty", "value": "" }), true, true, ""),
            (
                json!({ "header": "etag" }),
                false,
                true,
                r#"the answer of http://localhost/ (200 OK) has no header "etag""#,
            ),
            (
                json!({ "header": "etag", "value": { "not": "x" } }),
                false,
                false,
                r#"the answer of http://localhost/ (200 OK) has no header "etag""#,
            ),
            (json!({ "header": "etag", "absent": true }), true, true, ""),
            (
                json!({ "header": "Set-Cookie", "absent": true }),
                false,
                true,
                r#"the answer of http://localhost/ (200 OK) has the header "Set-Cookie": "a=1; Secure", "b=2""#,
            ),
            (json!({ "header": "cache-control", "value": "no-store" }), true, true, ""),
            (
                json!({ "header": "cache-control", "value": "public" }),
                false,
                true,
                r#"the header "cache-control": expected "public", got "no-store""#,
            ),
            (json!({ "header": "set-cookie", "value": { "starts_with": "b=" } }), true, true, ""),
            (
                json!({ "header": "set-cookie", "value": { "not": { "contains": "b=" } } }),
                false,
                true,
                r#"the header "set-cookie": expected contains "b=" of none, got "a=1; Secure", "b=2""#,
            ),
            (
                json!({ "header": "set-cookie", "value": { "starts_with": "b=", "contains": "Secure" } }),
                false,
                true,
                r#"the header "set-cookie": expected starts with "b=" and contains "Secure" of at least one, got "a=1; Secure", "b=2""#,
            ),
        ] {
            let kind: HttpHeaderAssert = serde_json::from_value(fields.clone()).unwrap();
            let verdict = kind.judge(&seen);
            let told = (verdict.has_passed(), verdict.is_judged(), verdict.text());
            assert_eq!(told, (passed, judged, message), "{fields}");
        }
    }
}
