//! [`HttpBodyAssert`]: what is in the body of an answer. All that is given has to hold.
//!
//! Text is read in the encoding that `Content-Type` names, else as UTF-8; `sha256` is of the bytes. At most `max_body` is
//! read: what is larger is `errored`, unless what was read settles the matter (a text that was found, a beginning that no
//! JSON has). Whatever the status of the answer: that is `HttpStatusAssert`'s.
//!
//! Judged (so that `not` turns it around): a text or pattern that is not in the body, another checksum, another value, JSON
//! that is not as the schema says. Not judged: a body that is no text in its encoding or no JSON, a JSONPath without a
//! value, and no whole answer (refused, cut off before its end).
//!
//! A JSON Schema stands in the manifest, or in a file (JSON, or YAML by its name). Nothing is ever fetched for it.
//!
//! `details`: see `http_answer::with_evidence`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Pattern, Resource, Verdict, async_trait,
    text::{quote, quote_bytes},
};
use clockwork_drivers::http::{HttpObservation, HttpProbe};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    http_answer::judged_with_evidence,
    http_request::http_kind,
    http_text::{decode, refuse_encoded},
    json_path::{self, Paths},
    json_schema,
};

http_kind! {
    /// What is in the body of an answer. All that is given has to hold.
    ///
    /// ```
    /// use clockwork_assert::HttpBodyAssert;
    /// use clockwork_core::Matcher;
    ///
    /// HttpBodyAssert::new("http://localhost:8080/").contains("Welcome");
    /// HttpBodyAssert::new("http://localhost:8080/users").json("$[*].name", Matcher::contains("Ada"));
    /// ```
    pub struct HttpBodyAssert(request_body, request_json) {
        /// A text that stands in it somewhere.
        #[serde(default)]
        contains: Option<String> = None,
        /// A regular expression that matches somewhere. `^` and `$` are the body's ends; with `(?m)`, a line's.
        #[serde(default)]
        matches: Option<Pattern> = None,
        /// The SHA-256 of all of it, as 64 hexadecimal digits.
        #[serde(default)]
        sha256: Option<String> = None,
        /// Read as JSON: JSONPath → the value, or a matcher. `server.port` is short for `$.server.port`.
        #[serde(default)]
        json: Option<Paths> = None,
        /// Read as JSON: the JSON Schema that it has to be valid against, or the path of a file with one
        /// (relative to the working directory).
        #[serde(default)]
        json_schema: Option<Value> = None,
    }
}

/// What the conditions came to so far.
#[derive(Default)]
struct Told {
    wrong: Vec<String>,
    actual: Vec<String>,
    judged: bool,
}

impl Told {
    fn wrong(&mut self, message: String, actual: impl Into<String>) {
        self.wrong.push(message);
        self.actual.push(actual.into());
        self.judged = true;
    }
}

impl HttpBodyAssert {
    /// The body that this URL answers with. On an `EndpointResource` it may be relative to the resource's.
    pub fn new(url: impl Into<String>) -> Self {
        Self::of(Some(url.into()))
    }

    /// A text that stands in it somewhere.
    #[must_use]
    pub fn contains(mut self, text: impl Into<String>) -> Self {
        self.contains = Some(text.into());
        self
    }

    /// A regular expression that matches somewhere.
    #[must_use]
    pub fn matches(mut self, pattern: Pattern) -> Self {
        self.matches = Some(pattern);
        self
    }

    /// The SHA-256 of all of it, as 64 hexadecimal digits.
    #[must_use]
    pub fn sha256(mut self, digits: impl Into<String>) -> Self {
        self.sha256 = Some(digits.into());
        self
    }

    /// What the value at this JSONPath has to be like.
    #[must_use]
    pub fn json(mut self, path: impl Into<String>, matcher: impl Into<clockwork_core::Matcher>) -> Self {
        self.json.get_or_insert_default().insert(path.into(), matcher.into());
        self
    }

    /// The JSON Schema that it has to be valid against; a text is the path of a file with one.
    #[must_use]
    pub fn json_schema(mut self, schema: impl Into<Value>) -> Self {
        self.json_schema = Some(schema.into());
        self
    }

    fn judge(&self, seen: &HttpObservation, schema: Option<&Value>) -> Result<Verdict, CheckError> {
        refuse_encoded(seen)?;
        let mut told = Told::default();
        // Our own limit kept us from telling; what else is wrong may still prove the failure.
        let mut unknown = false;
        if self.contains.is_some() || self.matches.is_some() {
            let text = decode(seen)?;
            unknown |= !self.judge_text(&text, seen.is_truncated(), &mut told);
        }
        if let Some(digits) = &self.sha256 {
            let sum = hex(&Sha256::digest(seen.body()));
            if seen.is_truncated() {
                unknown = true;
            } else if !sum.eq_ignore_ascii_case(digits) {
                told.wrong(
                    format!("sha256 is {sum}, expected {}", digits.to_ascii_lowercase()),
                    format!("sha256 {sum}"),
                );
            }
        }
        if self.json.is_some() || schema.is_some() {
            match parse(seen)? {
                Some(document) => self.judge_json(&document, schema, &mut told)?,
                None => unknown = true,
            }
        }
        if unknown && !told.judged {
            return Err(too_large(seen));
        }
        if told.wrong.is_empty() {
            return Ok(Verdict::passed().expected(self.expected()));
        }
        let mut message = told.wrong.join("; ");
        if !(200..300).contains(&seen.status()) {
            message = format!("{message} (answered {})", seen.status_line());
        }
        let verdict = if told.judged { Verdict::failed(message) } else { Verdict::unjudged(message) };
        Ok(verdict.expected(self.expected()).actual(told.actual.join("; ")))
    }

    /// Whether the text was enough to tell.
    fn judge_text(&self, text: &str, truncated: bool, told: &mut Told) -> bool {
        let mut known = true;
        let beginning = || quote(text);
        if let Some(part) = self.contains.as_ref().filter(|part| !text.contains(part.as_str())) {
            known &= !truncated;
            if known {
                told.wrong(
                    format!("the body does not contain {}: {}", quote(part), beginning()),
                    beginning(),
                );
            }
        }
        if let Some(pattern) = &self.matches {
            // What matches before the end of what was read matches whatever follows; `$` and `\b` look one further.
            let found = pattern.find(text).is_some_and(|found| !truncated || found.end() < text.len());
            if !found && truncated {
                known = false;
            } else if !found {
                let message = format!("the body does not match {}: {}", quote(pattern.as_str()), beginning());
                told.wrong(message, beginning());
            }
        }
        known
    }

    fn judge_json(
        &self,
        document: &Value,
        schema: Option<&Value>,
        told: &mut Told,
    ) -> Result<(), CheckError> {
        for wrong in self.json.iter().flat_map(|paths| json_path::compare(document, paths)) {
            told.judged |= wrong.judged;
            told.wrong.push(wrong.message);
            told.actual.push(wrong.actual);
        }
        if let Some(schema) = schema {
            let wrong = json_schema::violations(schema, document)?;
            if !wrong.is_empty() {
                told.wrong(format!("the body is not as `json_schema` says: {wrong}"), wrong);
            }
        }
        Ok(())
    }

    fn expected(&self) -> String {
        let mut told = Vec::new();
        told.extend(self.contains.as_ref().map(|part| format!("contains {}", quote(part))));
        told.extend(self.matches.as_ref().map(|pattern| format!("matches {}", quote(pattern.as_str()))));
        told.extend(self.sha256.as_ref().map(|digits| format!("sha256 {}", digits.to_ascii_lowercase())));
        told.extend(self.json.iter().flatten().map(|(path, matcher)| format!("{path}: {matcher}")));
        told.extend(self.json_schema.as_ref().map(|_| String::from("valid against `json_schema`")));
        told.join("; ")
    }
}

/// The whole body as JSON; `None`, where too little of it was read to tell.
fn parse(seen: &HttpObservation) -> Result<Option<Value>, CheckError> {
    let text = decode(seen)?;
    match serde_json::from_str(&text) {
        Ok(_) if seen.is_truncated() => Ok(None),
        Ok(document) => Ok(Some(document)),
        Err(error) if seen.is_truncated() && error.is_eof() => Ok(None),
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            let beginning = quote_bytes(seen.body());
            let status = seen.status_line();
            Err(CheckError::target(format!(
                "the body is not JSON (line {line}, column {column}): {beginning} (answered {status})"
            )))
        }
    }
}

fn too_large(seen: &HttpObservation) -> CheckError {
    CheckError::unobservable(format!(
        "the body is larger than the {} bytes that are read of it",
        seen.body().len()
    ))
    .hint("raise `max_body`")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[async_trait]
impl Assertion for HttpBodyAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        self.request_fields().label()
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.request_fields().validate(owner);
        let given = [
            self.contains.is_some(),
            self.matches.is_some(),
            self.sha256.is_some(),
            self.json.is_some(),
            self.json_schema.is_some(),
        ];
        if !given.contains(&true) {
            problems.push(Invalid::whole(
                "nothing is asserted of the body: give `contains`, `matches`, `sha256`, `json` or `json_schema`",
            ));
        }
        if self.contains.as_deref() == Some("") {
            problems.push(Invalid::field("contains", "is empty, and so in every body"));
        }
        if let Some(digits) = &self.sha256
            && (digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
        {
            problems
                .push(Invalid::field("sha256", format!("{} is not 64 hexadecimal digits", quote(digits))));
        }
        problems.extend(self.json.iter().flat_map(|paths| json_path::problems("json", paths)));
        problems.extend(self.json_schema.as_ref().and_then(json_schema::problem));
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let schema = match &self.json_schema {
            Some(schema) => Some(json_schema::read(schema, cx).await?),
            None => None,
        };
        let request = self.request_fields().request(cx.resource())?;
        let seen = cx.observe(HttpProbe::new(request)).await?;
        judged_with_evidence(self.judge(&seen, schema.as_ref()), &seen, self.insecure)
    }
}

impl AssertionKind for HttpBodyAssert {
    const NAME: &'static str = "HttpBodyAssert";
    const ALIASES: &'static [&'static str] = &["HTTPBodyAssert"];
}

#[cfg(test)]
#[path = "http_body_tests.rs"]
mod tests;
