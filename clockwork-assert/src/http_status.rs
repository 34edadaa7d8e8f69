//! [`HttpStatusAssert`]: a URL answers with the expected status.
//!
//! It proves what the answer's head says; nothing about its body. The status is that of the last answer, where redirects
//! are followed.
//!
//! Judged (so that `not` turns it around): another status. Not judged, because no status came: refused, no answer in time,
//! reset, an empty reply, no HTTP, redirects without end, interim answers (1xx) with nothing after them.
//!
//! `details`: see `http_answer::with_evidence`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait,
};
use clockwork_drivers::http::{HttpObservation, HttpProbe};

use crate::{
    expected_status::ExpectedStatus,
    http_answer::{with_evidence, wrong_status},
    http_request::http_kind,
};

http_kind! {
    /// A URL answers with the expected status.
    ///
    /// ```
    /// use clockwork_assert::{ExpectedStatus, HttpStatusAssert};
    ///
    /// HttpStatusAssert::new("http://localhost:8080/", ExpectedStatus::class(2));
    /// HttpStatusAssert::new("http://localhost:8080/admin", 401);
    /// ```
    pub struct HttpStatusAssert(body, json) {
        /// The status that it has to answer with: `200`, `[200, 204]` or `2xx`.
        expected_status: ExpectedStatus = ExpectedStatus::from(200),
    }
}

impl HttpStatusAssert {
    /// This URL answers with such a status. On an `EndpointResource` it may be relative to the resource's.
    pub fn new(url: impl Into<String>, expected_status: impl Into<ExpectedStatus>) -> Self {
        Self { expected_status: expected_status.into(), ..Self::of(Some(url.into())) }
    }

    fn judge(&self, seen: &HttpObservation) -> Verdict {
        let verdict = if self.expected_status.contains(seen.status()) {
            Verdict::passed()
        } else {
            let mut message = wrong_status(seen, &self.expected_status);
            let followed = seen.redirects().iter().map(|redirect| redirect.status);
            if let Some(status) = followed.into_iter().find(|status| self.expected_status.contains(*status)) {
                message.push_str(&format!(
                    "; a redirect on the way was a {status}: `follow_redirects: false` judges the first answer"
                ));
            }
            Verdict::failed(message)
        };
        verdict
            .expected(format!("status {}", self.expected_status))
            .actual(format!("status {}", seen.status()))
    }
}

#[async_trait]
impl Assertion for HttpStatusAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        format!("{} → {}", self.request_fields().label(), self.expected_status).trim_start().to_owned()
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        self.request_fields().validate(owner)
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

impl AssertionKind for HttpStatusAssert {
    const NAME: &'static str = "HttpStatusAssert";
    const ALIASES: &'static [&'static str] = &["HTTPStatusAssert"];
}
