//! What HTTP kinds say of an answer: its phases and what else is evidence, for the report's `details`.

use std::time::Duration;

use clockwork_core::{CheckError, Verdict};
use clockwork_drivers::http::{HttpObservation, Phases};
use serde::Serialize;

use crate::expected_status::ExpectedStatus;

/// Adds what is known of the answer to a verdict's `details`:
///
/// - `phases`: `resolve`, `connect`, `tls`, `first_byte`, `transfer`, in milliseconds; 0 for what was not needed because a
///   connection was used again
/// - `status`, and `remote`, the address that answered
/// - `url` and `redirects` (each `url` and `status`), where redirects were followed
/// - `insecure: true`, where any certificate was accepted
pub(crate) fn with_evidence(verdict: Verdict, seen: &HttpObservation, insecure: bool) -> Verdict {
    let mut verdict = verdict
        .detail_of("status", &seen.status())
        .detail_of("remote", &seen.remote())
        .detail_of("phases", &PhasesMs::new(seen.phases()));
    if !seen.redirects().is_empty() {
        let redirects = seen.redirects().iter();
        let redirects: serde_json::Value = redirects
            .map(|redirect| serde_json::json!({ "url": redirect.url, "status": redirect.status }))
            .collect();
        verdict = verdict.detail("url", seen.url()).detail("redirects", redirects);
    }
    if insecure {
        verdict = verdict.detail("insecure", true);
        if verdict.text().is_empty() {
            verdict = verdict.message("the certificate was not verified (`insecure`)");
        }
    }
    verdict
}

/// The same of an answer that could not be judged: too large, of another encoding, no JSON.
pub(crate) fn judged_with_evidence(
    judged: Result<Verdict, CheckError>,
    seen: &HttpObservation,
    insecure: bool,
) -> Result<Verdict, CheckError> {
    match judged {
        Ok(verdict) => Ok(with_evidence(verdict, seen, insecure)),
        Err(error) => {
            let evidence = with_evidence(Verdict::passed(), seen, insecure).details();
            Err(evidence.into_iter().fold(error, |error, (key, value)| error.detail(&key, value)))
        }
    }
}

/// The phases in milliseconds, to the microsecond.
#[derive(Serialize)]
struct PhasesMs {
    resolve: f64,
    connect: f64,
    tls: f64,
    first_byte: f64,
    transfer: f64,
}

impl PhasesMs {
    fn new(phases: &Phases) -> Self {
        Self {
            resolve: milliseconds(phases.resolve),
            connect: milliseconds(phases.connect),
            tls: milliseconds(phases.tls),
            first_byte: milliseconds(phases.first_byte),
            transfer: milliseconds(phases.transfer),
        }
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// What was answered with another status than those that were expected, and which these are if it is not 200 alone.
pub(crate) fn wrong_status(seen: &HttpObservation, expected: &ExpectedStatus) -> String {
    match expected.to_string().as_str() {
        "200" => told(seen),
        expected => format!("{}; expected status {expected}", told(seen)),
    }
}

/// `answered 503 Service Unavailable`, with where it came from after redirects and how its body begins.
pub(crate) fn told(seen: &HttpObservation) -> String {
    let mut told = format!("answered {}", seen.status_line());
    if !seen.redirects().is_empty() {
        told.push_str(&format!(" at {} after {} redirects", seen.url(), seen.redirects().len()));
    }
    if let Some(location) = seen.header("location") {
        let location = clockwork_drivers::http::without_userinfo(location);
        told.push_str(&format!(", to {}", clockwork_core::text::quote(&location)));
    }
    if !seen.body().is_empty() {
        told.push_str(&format!(": {}", clockwork_core::text::quote_bytes(seen.body())));
    }
    told
}
