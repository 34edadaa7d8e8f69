//! [`TcpResponseAssert`]: a server says what is expected: its greeting, or its answer to some bytes.
//!
//! It proves that this server said that just now over one connection. Where an answer ends only its protocol knows: it is
//! over here when the server closes its side, or when nothing more has come for `quiet`. Where `expect` cannot become
//! false again (`contains`, `starts_with`, and combinations of these), reading stops as soon as it holds; everything else
//! (equality, `not`, a regular expression) is judged when the answer is over, so that half of an answer is not taken for
//! the whole.
//!
//! Judged (so that `not` turns it around): the answer. Not judged: no connection, no STARTTLS, no TLS, an answer that never
//! begins, a connection that breaks within the answer, an answer that is not text (unless `answer_as: hex`). One that is
//! longer than `max_answer` is `errored` unless what was read of it is enough.
//!
//! `details`: `remote`; `answer`, the first 1,000 characters of it; `bytes`; `end`: `closed`, `quiet`, `enough` or `broken`.

use std::{path::PathBuf, time::Duration};

use clockwork_core::{
    Assertion, AssertionKind, ByteSize, CheckError, Context, Invalid, Matcher, Resource, Verdict,
    async_trait,
    schemars::JsonSchema,
    text::{bounded, harmless, quote_bytes},
};
use clockwork_drivers::{
    EndpointResource,
    exchange::{End, Enough, Exchange, ExchangeProbe, hex},
    resolve::authority,
    starttls::StartTls,
    tls::TlsSettings,
};
use serde::Deserialize;

use crate::{host, payload::Payload};

/// A server says what is expected: its greeting, or its answer to some bytes.
///
/// ```
/// use clockwork_assert::TcpResponseAssert;
/// use clockwork_core::Matcher;
///
/// TcpResponseAssert::new("cache.example", 6379).send("PING\r\n").expect(Matcher::equals("+PONG\r\n"));
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(deny_unknown_fields)]
pub struct TcpResponseAssert {
    /// A name or an address: on an `EndpointResource` the resource's unless given, `localhost` elsewhere.
    #[serde(default)]
    host: Option<String>,
    /// The port. On an `EndpointResource` it may be left out, which means the resource's; with `starttls`, the protocol's.
    #[serde(default)]
    port: Option<u16>,
    /// What to send once the connection is there: text, `{ hex: … }` or `{ base64: … }`. Nothing unless given: then the
    /// server is to speak first.
    #[serde(default)]
    send: Payload,
    /// Whether to end our side of the connection after that, for servers that answer when there is nothing more to come.
    #[serde(default)]
    half_close: bool,
    /// What the answer has to be like. Unless given, any answer will do.
    #[serde(default)]
    expect: Option<Matcher>,
    /// What `expect` is compared with: the answer as text, or its bytes in lowercase hexadecimal digits with
    /// a space between them (`0d 0a`).
    #[serde(default)]
    answer_as: AnswerAs,
    /// How long nothing has to come for the answer to be over.
    #[serde(default = "half_a_second", with = "clockwork_core::duration")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    quiet: Duration,
    /// How much of the answer is read.
    #[serde(default = "sixty_four_kib")]
    max_answer: ByteSize,
    /// Over TLS from the beginning.
    #[serde(default)]
    tls: bool,
    /// Over TLS, after the words with which this protocol goes over to it.
    #[serde(default)]
    starttls: Option<StartTls>,
    /// A PEM file: then only what stands in it is trusted, instead of the machine's roots.
    #[serde(default)]
    ca_file: Option<PathBuf>,
    /// The name that the certificate has to be for. The host unless given.
    #[serde(default)]
    server_name: Option<String>,
    /// Accept any certificate.
    #[serde(default)]
    insecure: bool,
}

/// What an answer is compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(rename_all = "lowercase")]
pub enum AnswerAs {
    /// UTF-8.
    #[default]
    Text,
    /// Lowercase hexadecimal digits, with a space between the bytes: `0d 0a`.
    Hex,
}

fn half_a_second() -> Duration {
    Duration::from_millis(500)
}

fn sixty_four_kib() -> ByteSize {
    ByteSize(64 << 10)
}

/// For a resource that says where it is.
impl Default for TcpResponseAssert {
    fn default() -> Self {
        Self {
            host: None,
            port: None,
            send: Payload::default(),
            half_close: false,
            expect: None,
            answer_as: AnswerAs::Text,
            quiet: half_a_second(),
            max_answer: sixty_four_kib(),
            tls: false,
            starttls: None,
            ca_file: None,
            server_name: None,
            insecure: false,
        }
    }
}

impl TcpResponseAssert {
    /// The server at this port of a name or an address says something.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self { host: Some(host.into()), port: Some(port), ..Self::default() }
    }

    /// When it is sent this.
    #[must_use]
    pub fn send(mut self, payload: impl Into<Payload>) -> Self {
        self.send = payload.into();
        self
    }

    /// Ends our side of the connection after that.
    #[must_use]
    pub fn half_close(mut self, end: bool) -> Self {
        self.half_close = end;
        self
    }

    /// What the answer has to be like.
    #[must_use]
    pub fn expect(mut self, matcher: impl Into<Matcher>) -> Self {
        self.expect = Some(matcher.into());
        self
    }

    /// What it is compared as.
    #[must_use]
    pub fn answer_as(mut self, form: AnswerAs) -> Self {
        self.answer_as = form;
        self
    }

    /// How long nothing has to come for the answer to be over, if not half a second.
    #[must_use]
    pub fn quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// How much of the answer is read, if not 64 KiB.
    #[must_use]
    pub fn max_answer(mut self, bytes: u64) -> Self {
        self.max_answer = ByteSize(bytes);
        self
    }

    /// Over TLS from the beginning.
    #[must_use]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Over TLS, after the words with which this protocol goes over to it.
    #[must_use]
    pub fn starttls(mut self, protocol: StartTls) -> Self {
        self.starttls = Some(protocol);
        self
    }

    /// Only what stands in this PEM file is trusted.
    #[must_use]
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// The name that the certificate has to be for.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Accept any certificate.
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    fn is_over_tls(&self) -> bool {
        self.tls || self.starttls.is_some()
    }

    /// The host and the port, with what the owner knows.
    fn address(&self, owner: Option<&dyn Resource>) -> Option<(String, u16)> {
        let endpoint = owner.and_then(|owner| owner.downcast_ref::<EndpointResource>()?.address());
        let (host, port) = endpoint.map_or((None, None), |(host, port)| (Some(host), Some(port)));
        let host = self.host.clone().or(host).unwrap_or_else(|| String::from("localhost"));
        Some((host, self.port.or(port).or(self.starttls.map(StartTls::port))?))
    }

    fn probe(&self, host: String, port: u16) -> ExchangeProbe {
        let name = self.server_name.as_deref().unwrap_or(&host);
        let name = name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_owned();
        let settings =
            TlsSettings { ca_file: self.ca_file.clone(), insecure: self.insecure, ..TlsSettings::default() };
        let enough = self.expect.clone().filter(stays_true);
        ExchangeProbe {
            host,
            port,
            send: self.send.bytes().to_vec(),
            half_close: self.half_close,
            starttls: self.starttls,
            tls: self.is_over_tls().then_some((settings, name)),
            quiet: self.quiet,
            max_answer: usize::try_from(self.max_answer.bytes()).unwrap_or(usize::MAX),
            enough: enough.map(|matcher| Enough { matcher, in_hex: self.answer_as == AnswerAs::Hex }),
        }
    }

    fn judge(&self, seen: &Exchange, place: &str) -> Result<Verdict, CheckError> {
        if seen.answer.is_empty() {
            let how = match (&seen.end, self.send.bytes().is_empty()) {
                (End::Broken(how), _) => format!("broke the connection off without a word: {how}"),
                (_, true) => String::from("closed the connection without a greeting"),
                (_, false) => String::from("closed the connection without an answer"),
            };
            return Ok(Verdict::unjudged(format!("{place} {how}")));
        }
        let Some(expect) = &self.expect else { return Ok(Verdict::passed()) };
        let text = match self.answer_as {
            AnswerAs::Hex => hex(&seen.answer),
            AnswerAs::Text => match whole_text(seen) {
                Some(text) => text.to_owned(),
                None => {
                    return Ok(Verdict::unjudged(format!(
                        "{place} answered what is not UTF-8 text (compare its bytes with `answer_as: hex`): {}",
                        quote_bytes(&seen.answer)
                    )));
                }
            },
        };
        let compared = expect.check_str(&text);
        match (&seen.end, compared) {
            (End::Enough, Ok(())) => Ok(Verdict::passed()),
            (End::Broken(how), _) => Ok(Verdict::unjudged(format!(
                "{place} broke the connection off within its answer, after {}: {how}",
                quote_bytes(&seen.answer)
            ))),
            (End::TooLong, _) => Err(CheckError::unobservable(format!(
                "{place} answered more than {}, of which that much was read: {}",
                self.max_answer,
                quote_bytes(&seen.answer)
            ))
            .hint("raise `max_answer`")),
            (_, Ok(())) => Ok(Verdict::passed()),
            (_, Err(mut mismatch)) => {
                mismatch.message = format!("{place} answered otherwise: {}", mismatch.message);
                Ok(mismatch.into())
            }
        }
    }
}

/// The answer as text. Where reading stopped within a character, the rest of it may well have been to come.
fn whole_text(seen: &Exchange) -> Option<&str> {
    match std::str::from_utf8(&seen.answer) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && seen.end == End::TooLong => {
            std::str::from_utf8(&seen.answer[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// Whether this matcher, once it holds, holds whatever is added to the text.
fn stays_true(matcher: &Matcher) -> bool {
    fn stays(value: &serde_json::Value) -> bool {
        value.as_object().is_some_and(|operators| {
            operators.iter().all(|(operator, value)| match operator.as_str() {
                "contains" | "starts_with" => true,
                "all_of" | "any_of" => value.as_array().is_some_and(|all| all.iter().all(stays)),
                _ => false,
            })
        })
    }
    serde_json::to_value(matcher).is_ok_and(|value| stays(&value))
}

#[async_trait]
impl Assertion for TcpResponseAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        match (&self.host, self.port) {
            (Some(host), Some(port)) => authority(host, port),
            (Some(host), None) => host.clone(),
            (None, Some(port)) => format!("port {port}"),
            (None, None) => String::new(),
        }
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        match self.address(owner) {
            None => {
                let missing = "is missing: give one, or declare this on an EndpointResource that has one";
                problems.push(Invalid::field("port", missing));
            }
            Some((_, 0)) => problems.push(Invalid::field("port", "nothing can listen at port 0")),
            Some(_) => {}
        }
        problems.extend(self.host.as_deref().and_then(host::problem));
        if self.tls && self.starttls.is_some() {
            problems.push(Invalid::field(
                "starttls",
                "goes over to TLS, which `tls: true` begins with; give one of them",
            ));
        }
        let only_tls = [
            ("ca_file", self.ca_file.is_some()),
            ("server_name", self.server_name.is_some()),
            ("insecure", self.insecure),
        ];
        for (field, given) in only_tls {
            if given && !self.is_over_tls() {
                problems.push(Invalid::field(field, "is about TLS; give `tls: true` or `starttls`, too"));
            }
        }
        if self.quiet.is_zero() {
            problems.push(Invalid::field("quiet", "has to be longer than nothing"));
        }
        if !(1..=64 << 20).contains(&self.max_answer.bytes()) {
            problems.push(Invalid::field("max_answer", "has to be from 1 byte to 64 MiB"));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let (host, port) =
            self.address(cx.resource()).ok_or_else(|| CheckError::unobservable("port: is missing"))?;
        let place = authority(&host, port);
        let seen = cx.observe(self.probe(host, port)).await?;
        let shown = String::from_utf8_lossy(&seen.answer[..seen.answer.len().min(4000)]);
        let shown: String = harmless(&shown).chars().take(1000).collect();
        let verdict = self
            .judge(&seen, &place)?
            .detail("remote", seen.remote.to_string())
            .detail("answer", bounded(shown, 4000))
            .detail("bytes", seen.answer.len())
            .detail("end", seen.end.as_str());
        let insecure = self.insecure && verdict.text().is_empty();
        Ok(if insecure { verdict.message("the certificate was not verified (`insecure`)") } else { verdict })
    }
}

impl AssertionKind for TcpResponseAssert {
    const NAME: &'static str = "TcpResponseAssert";
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::json;

    use super::*;

    #[test]
    fn reading_stops_early_only_for_what_cannot_become_false() {
        for (matcher, expected) in [
            (json!({ "contains": "ok" }), true),
            (json!({ "starts_with": "220" }), true),
            (json!({ "starts_with": "220", "contains": "ESMTP" }), true),
            (json!({ "all_of": [{ "contains": "a" }, { "contains": "b" }] }), true),
            (json!({ "any_of": [{ "contains": "a" }, { "equals": "b" }] }), false),
            (json!("+PONG\r\n"), false),
            (json!({ "not": { "contains": "error" } }), false),
            (json!({ "matches": "^220" }), false),
            (json!({ "ends_with": "\n" }), false),
            (json!({ "length": 4 }), false),
        ] {
            let read: Matcher = serde_json::from_value(matcher.clone()).unwrap();
            assert_eq!(stays_true(&read), expected, "{matcher}");
        }
    }
}
