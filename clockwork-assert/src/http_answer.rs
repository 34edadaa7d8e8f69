//! What HTTP kinds say of an answer: its phases and what else is evidence, for the report's `details`.

use std::{net::SocketAddr, time::Duration};

use clockwork_core::{CheckError, Evidence, Verdict, text::push_number};
use clockwork_drivers::{address, http::HttpObservation};

use crate::expected_status::ExpectedStatus;

/// Adds what is known of the answer to a verdict's `details`:
///
/// - `phases`: `resolve`, `connect`, `tls`, `first_byte`, `transfer`, in milliseconds; 0 for what was not needed because a
///   connection was used again
/// - `status`, and `remote`, the address that answered
/// - `url` and `redirects` (each `url` and `status`), where redirects were followed
/// - `insecure: true`, where any certificate was accepted
pub(crate) fn with_evidence(verdict: Verdict, seen: &HttpObservation, insecure: bool) -> Verdict {
    let mut verdict = verdict.evidence_of(Answered::of(seen));
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

/// What is known of every answer.
struct Answered {
    status: u16,
    remote: SocketAddr,
    /// How long each phase took.
    resolve_us: u64,
    connect_us: u64,
    tls_us: u64,
    first_byte_us: u64,
    transfer_us: u64,
}

impl Answered {
    fn of(seen: &HttpObservation) -> Self {
        let phases = seen.phases();
        let micros = |took: Duration| took.as_micros() as u64;
        Self {
            status: seen.status(),
            remote: seen.remote(),
            resolve_us: micros(phases.resolve),
            connect_us: micros(phases.connect),
            tls_us: micros(phases.tls),
            first_byte_us: micros(phases.first_byte),
            transfer_us: micros(phases.transfer),
        }
    }
}

impl Evidence for Answered {
    fn members(&self) -> String {
        let mut json = String::with_capacity(160);
        json.push_str(r#""status":"#);
        push_number(&mut json, self.status.into());
        json.push_str(r#","remote":""#);
        address::push_socket(&mut json, self.remote);
        json.push_str(r#"","phases":{"resolve":"#);
        push_milliseconds(&mut json, self.resolve_us);
        for (before, micros) in [
            (r#","connect":"#, self.connect_us),
            (r#","tls":"#, self.tls_us),
            (r#","first_byte":"#, self.first_byte_us),
            (r#","transfer":"#, self.transfer_us),
        ] {
            json.push_str(before);
            push_milliseconds(&mut json, micros);
        }
        json.push('}');
        json
    }
}

/// In milliseconds, to the microsecond, as the float is written that is meant: `0.0`, `1.5`, `12.034`.
fn push_milliseconds(json: &mut String, micros: u64) {
    push_number(json, micros / 1000);
    let micros = micros % 1000;
    json.push('.');
    match (micros / 100, micros / 10 % 10, micros % 10) {
        (tenths, 0, 0) => push_number(json, tenths),
        (tenths, hundredths, thousandths) => {
            push_number(json, tenths);
            push_number(json, hundredths);
            if thousandths > 0 {
                push_number(json, thousandths);
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_by_hand_is_what_serde_writes() {
        for micros in
            [0, 1, 10, 100, 120, 123, 999, 1000, 1500, 10_000, 12_034, 999_999, 1_000_000, 86_400_000_001]
        {
            let duration = Duration::from_micros(micros);
            let mut json = String::new();
            push_milliseconds(&mut json, micros);
            assert_eq!(Some(json), serde_json::to_string(&milliseconds(duration)).ok());
        }
    }
}
