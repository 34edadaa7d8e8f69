//! SARIF 2.1.0, for code scanning: what did not pass, at the line that declares it.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>
//!
//! A failure is an `error`, a warning a `warning`; what could not be judged says so in its message. An id is the result's
//! fingerprint, so that a finding is the same one in the next run. What passed is no finding. A run that was interrupted,
//! or judged nothing, is told as an invocation that did not succeed.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use clockwork_core::{CheckResult, Report, text::harmless};
use serde_json::{Value, json};

use super::{failed_as_a_whole, json, place, story, title};

pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let bad = || report.results.iter().filter(|result| result.fails_the_run() || result.is_warning());
    let mut rules = BTreeMap::new();
    for result in bad() {
        let next = rules.len();
        rules.entry(result.assertion).or_insert(next);
    }
    let mut named: Vec<_> = rules.iter().collect();
    named.sort_by_key(|(_, index)| **index);
    let named: Vec<_> = named.into_iter().map(|(kind, _)| json!({ "id": kind, "name": kind })).collect();
    let results: Vec<_> = bad().map(|result| finding(result, rules[result.assertion])).collect();
    let whole = failed_as_a_whole(report);
    let notes: Vec<_> =
        whole.iter().map(|why| json!({ "level": "error", "message": { "text": why } })).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "Clockwork",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": named,
            } },
            "automationDetails": { "id": format!("clockwork/{}/", harmless(&report.project)) },
            "invocations": [{
                "executionSuccessful": whole.is_none(),
                "startTimeUtc": report.started_at,
                "toolExecutionNotifications": notes,
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    json::pretty(out, &log)
}

fn finding(result: &CheckResult, rule: usize) -> Value {
    let message = format!("{}: {}{}", title(result), result.lead(), harmless(&story(result)));
    let mut finding = json!({
        "ruleId": result.assertion,
        "ruleIndex": rule,
        "level": if result.is_warning() { "warning" } else { "error" },
        "message": { "text": message },
        "partialFingerprints": { "clockworkId/v1": &*result.id },
    });
    if let Some(place) = place(result) {
        finding["locations"] = json!([{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&place.file) },
            "region": { "startLine": place.line, "startColumn": place.column },
        } }]);
    }
    finding
}

/// A path as a relative or absolute URI reference (RFC 3986): what has a meaning there is escaped.
fn uri(path: &str) -> String {
    use std::fmt::Write as _;
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(byte.into())
            }
            byte => drop(write!(uri, "%{byte:02X}")),
        }
    }
    uri
}
