//! [`ResponseTimeAssert`]: a URL answers fast enough.
//!
//! It proves what a client here had to wait, just now, with a connection of its own for each sample: resolving, connecting,
//! TLS and all. It proves nothing about other clients, and little about load: take more samples, or a load test.
//!
//! Only a good answer has a response time that says something: an error page is fast. So any other status than
//! `expected_status` (by default whatever is below 400) is a failure that says nothing about the time, like no answer at
//! all. Judged (so that `not` turns it around) is the time alone.
//!
//! `details`: that of the sample that was judged, see `http_answer::with_evidence`; and `samples_ms`, what was measured,
//! in the order of asking.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Fault, Invalid, Resource, Verdict, async_trait,
    schemars::JsonSchema,
};
use clockwork_drivers::http::{HttpObservation, HttpProbe, HttpRequest, Phases};
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    expected_status::ExpectedStatus,
    http_answer::{milliseconds, told, with_evidence},
    http_request::http_kind,
};

http_kind! {
    /// A URL answers fast enough.
    ///
    /// ```
    /// use clockwork_assert::ResponseTimeAssert;
    ///
    /// ResponseTimeAssert::new("http://localhost:8080", 200).samples(20).percentile(95);
    /// ```
    pub struct ResponseTimeAssert(body, json) {
        /// How many milliseconds it may take.
        max_ms: u64 = 0,
        /// How often it is asked, one after the other. All samples have to fit into the assertion's `timeout`.
        #[serde(default = "one")]
        #[schemars(range(min = 1, max = 1000))]
        samples: u32 = one(),
        /// How many per cent of the samples have to be fast enough (nearest rank): 100 are all of them.
        #[serde(default = "hundred")]
        #[schemars(range(min = 1, max = 100))]
        percentile: u8 = hundred(),
        /// What is measured.
        #[serde(default)]
        phase: Phase = Phase::Total,
        /// Which answers have a response time worth judging: whatever is below 400, unless this is given.
        #[serde(default)]
        expected_status: Option<ExpectedStatus> = None,
    }
}

fn one() -> u32 {
    1
}

fn hundred() -> u8 {
    100
}

/// A part of what a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// From the beginning to the answer's last byte.
    #[default]
    Total,
    /// From the name to its addresses.
    Resolve,
    /// From the addresses to a connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// From the request to the answer's first byte.
    FirstByte,
    /// From the answer's first byte to its last.
    Transfer,
}

impl Phase {
    fn of(self, phases: &Phases) -> std::time::Duration {
        match self {
            Self::Total => phases.total(),
            Self::Resolve => phases.resolve,
            Self::Connect => phases.connect,
            Self::Tls => phases.tls,
            Self::FirstByte => phases.first_byte,
            Self::Transfer => phases.transfer,
        }
    }

    /// What took that long; nothing to say of the whole.
    fn prefix(self) -> &'static str {
        match self {
            Self::Total => "",
            Self::Resolve => "resolving ",
            Self::Connect => "connecting ",
            Self::Tls => "the TLS handshake ",
            Self::FirstByte => "the first byte ",
            Self::Transfer => "the transfer ",
        }
    }
}

impl ResponseTimeAssert {
    /// This URL answers within so many milliseconds. On an `EndpointResource` it may be relative to the resource's.
    pub fn new(url: impl Into<String>, max_ms: u64) -> Self {
        Self { max_ms, ..Self::of(Some(url.into())) }
    }

    /// How often it is asked, one after the other.
    #[must_use]
    pub fn samples(mut self, samples: u32) -> Self {
        self.samples = samples;
        self
    }

    /// How many per cent of the samples have to be fast enough.
    #[must_use]
    pub fn percentile(mut self, percentile: u8) -> Self {
        self.percentile = percentile;
        self
    }

    /// What is measured, instead of the whole.
    #[must_use]
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Which answers have a response time worth judging, instead of whatever is below 400.
    #[must_use]
    pub fn expected_status(mut self, status: impl Into<ExpectedStatus>) -> Self {
        self.expected_status = Some(status.into());
        self
    }

    /// One sample; an answer whose time says nothing is none.
    async fn sample(&self, taken: &[f64], request: &HttpRequest, cx: &Context) -> Result<Sample, CheckError> {
        let began = Instant::now();
        match cx.measure(HttpProbe::fresh(request.clone())).await {
            Ok(seen) => Ok(Sample { ms: milliseconds(self.phase.of(seen.phases())), seen }),
            // The check's time ran out, which was shared by all samples. Whether this one was slow is another question.
            Err(error) if error.is_timeout() && !taken.is_empty() => {
                let waited = milliseconds(began.elapsed());
                if waited > self.max_ms as f64 {
                    return Err(error);
                }
                let slowest = taken.iter().copied().fold(0.0, f64::max);
                let (taken, samples) = (taken.len(), self.samples);
                let slowest = shown(slowest, self.max_ms);
                Err(CheckError::unobservable(format!(
                    "only {taken} of {samples} samples were taken in time (slowest: {slowest})"
                ))
                .retryable()
                .hint("raise `timeout`, or take fewer samples"))
            }
            Err(error) => Err(error),
        }
    }

    /// Why this answer's time says nothing.
    fn not_worth_judging(&self, seen: &HttpObservation) -> Option<Result<Verdict, CheckError>> {
        let (good, expected) = match &self.expected_status {
            Some(expected) => (expected.contains(seen.status()), format!("status {expected}")),
            None => (seen.status() < 400, String::from("a status below 400")),
        };
        if !good {
            let message = format!("{}; how fast that came says nothing", told(seen));
            let verdict =
                Verdict::unjudged(message).expected(expected).actual(format!("status {}", seen.status()));
            return Some(Ok(with_evidence(verdict, seen, self.insecure)));
        }
        if self.phase == Phase::Tls && seen.phases().tls.is_zero() {
            let message = "there was no TLS handshake: it answered over HTTP in clear; ask an `https` URL, or for another \
                           `phase`";
            let verdict = Verdict::unjudged(message).expected(format!("<= {} ms", self.max_ms));
            return Some(Ok(with_evidence(verdict.actual("no TLS"), seen, self.insecure)));
        }
        if seen.is_truncated() && matches!(self.phase, Phase::Total | Phase::Transfer) {
            let error = CheckError::unobservable(format!(
                "the body is larger than the {} bytes that are read of it, so that its transfer was not measured to the \
                 end",
                seen.body().len()
            ));
            return Some(Err(error.hint("raise `max_body`, or measure another `phase`")));
        }
        None
    }

    /// `ms`: what was measured, in any order.
    fn judge(&self, ms: &mut [f64]) -> Verdict {
        ms.sort_by(f64::total_cmp);
        let judged = ms[rank(ms.len(), self.percentile)];
        let actual = shown(judged, self.max_ms);
        let mut message = format!("{}took {actual}", self.phase.prefix());
        if self.percentile < 100 {
            message.push_str(&format!(" at the {}th percentile", self.percentile));
        }
        if ms.len() > 1 {
            let fastest = shown(ms[0], self.max_ms);
            message.push_str(&format!(" (fastest of {} samples: {fastest})", ms.len()));
        }
        Verdict::of(judged <= self.max_ms as f64, message)
            .expected(format!("<= {} ms", self.max_ms))
            .actual(actual)
    }
}

struct Sample {
    ms: f64,
    seen: std::sync::Arc<HttpObservation>,
}

/// The nearest rank: the smallest sample that at least so many per cent of the samples do not exceed.
fn rank(samples: usize, percentile: u8) -> usize {
    (samples * usize::from(percentile)).div_ceil(100).clamp(1, samples) - 1
}

/// `512 ms`; with as many decimals as it takes to see on which side of the limit it lies.
fn shown(ms: f64, limit: u64) -> String {
    let limit = limit as f64;
    let decimals = (0..3).find(|&decimals| {
        let scale = 10_f64.powi(decimals);
        let rounded = (ms * scale).round() / scale;
        (rounded > limit) == (ms > limit) && (decimals > 0 || ms >= 10.0 || ms.fract() == 0.0)
    });
    format!("{ms:.*} ms", decimals.unwrap_or(3) as usize)
}

#[async_trait]
impl Assertion for ResponseTimeAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        format!("< {} ms", self.max_ms)
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.request_fields().validate(owner);
        if self.max_ms == 0 {
            problems.push(Invalid::field("max_ms", "nothing answers in 0 ms"));
        }
        if !(1..=1000).contains(&self.samples) {
            problems.push(Invalid::field("samples", "take at least 1 sample and at most 1000"));
        }
        if !(1..=100).contains(&self.percentile) {
            problems.push(Invalid::field("percentile", "is a number from 1 to 100"));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let request = self.request_fields().request(cx.resource())?;
        let (mut ms, mut slowest): (Vec<f64>, Option<Sample>) = (Vec::new(), None);
        for _ in 0..self.samples.max(1) {
            let sample = match self.sample(&ms, &request, cx).await {
                Ok(sample) => sample,
                Err(error) if error.fault() == Fault::Target => {
                    return Err(error.detail("samples_ms", ms));
                }
                Err(error) => return Err(error),
            };
            if let Some(verdict) = self.not_worth_judging(&sample.seen) {
                return verdict;
            }
            ms.push(sample.ms);
            if slowest.as_ref().is_none_or(|slowest| slowest.ms < sample.ms) {
                slowest = Some(sample);
            }
        }
        let samples = ms.clone();
        let verdict = self.judge(&mut ms);
        Ok(match slowest {
            Some(sample) => with_evidence(verdict, &sample.seen, self.insecure).detail("samples_ms", samples),
            None => verdict,
        })
    }
}

impl AssertionKind for ResponseTimeAssert {
    const NAME: &'static str = "ResponseTimeAssert";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_or_the_percentile_is_judged_and_told_as_the_contract_has_it() {
        let kind = |percentile| ResponseTimeAssert::new("http://localhost", 200).percentile(percentile);
        let hundred: Vec<f64> = (101..=200).map(f64::from).chain([900.0]).collect();
        for (percentile, samples, passed, message) in [
            (100, vec![512.3], false, "took 512 ms"),
            (100, vec![498.0, 512.0, 500.0], false, "took 512 ms (fastest of 3 samples: 498 ms)"),
            (100, vec![200.0], true, "took 200 ms"),
            (100, vec![200.4], false, "took 200.4 ms"),
            (100, vec![200.0004], false, "took 200.000 ms"),
            (100, vec![1.26], true, "took 1.3 ms"),
            (
                50,
                vec![9.0, 100.0, 900.0],
                true,
                "took 100 ms at the 50th percentile (fastest of 3 samples: 9 ms)",
            ),
            (
                99,
                hundred.clone(),
                true,
                "took 200 ms at the 99th percentile (fastest of 101 samples: 101 ms)",
            ),
            (100, hundred, false, "took 900 ms (fastest of 101 samples: 101 ms)"),
        ] {
            let verdict = kind(percentile).judge(&mut samples.clone());
            assert_eq!((verdict.has_passed(), verdict.text()), (passed, message));
            assert_eq!(verdict.evidence().0, Some("<= 200 ms"));
        }
    }

    #[test]
    fn ranks_are_the_nearest() {
        for (samples, percentile, expected) in [
            (1, 1, 0),
            (1, 100, 0),
            (3, 100, 2),
            (3, 50, 1),
            (4, 50, 1),
            (100, 95, 94),
            (101, 99, 99),
            (20, 96, 19),
        ] {
            assert_eq!(rank(samples, percentile), expected, "{percentile}% of {samples}");
        }
    }

    #[test]
    fn an_error_page_is_no_response_time() {
        let kind = ResponseTimeAssert::new("http://localhost", 200);
        for (status, good) in [(200, true), (302, true), (404, false), (500, false)] {
            assert_eq!(
                kind.not_worth_judging(&HttpObservation::of(status, &[], b"")).is_none(),
                good,
                "{status}"
            );
        }
        let in_clear = HttpObservation::of(200, &[], b"");
        let verdict = kind.clone().phase(Phase::Tls).not_worth_judging(&in_clear);
        assert!(matches!(verdict, Some(Ok(verdict)) if !verdict.has_passed() && !verdict.is_judged()));
        let missing = kind.expected_status(404);
        assert!(missing.not_worth_judging(&HttpObservation::of(404, &[], b"")).is_none());
        assert!(missing.not_worth_judging(&HttpObservation::of(200, &[], b"")).is_some());
    }
}
