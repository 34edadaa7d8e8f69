//! SARIF 2.1.0, for code scanning: what did not pass, at the line that declares it.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>
//!
//! A failure is an `error`, a warning a `warning`; what could not be judged says so in its message. An id is the result's
//! fingerprint, so that a finding is the same one in the next run. What passed is no finding. A run that was interrupted,
//! or judged nothing, is told as an invocation that did not succeed.

use std::io::{self, Write};

use clockwork_core::{Place, text::harmless};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{Seen, Told, failed_as_a_whole, json, place, story};

pub(super) fn write(out: &mut impl Write, seen: &Seen<'_>) -> io::Result<()> {
    let report = seen.report;
    let bad = seen.told().iter().filter(|result| result.fails_the_run() || result.is_warning());
    let mut rules: Vec<&str> = Vec::new();
    let mut results = Vec::new();
    for result in bad {
        let known = rules.iter().position(|rule| *rule == result.assertion);
        let rule = known.unwrap_or_else(|| {
            rules.push(result.assertion);
            rules.len() - 1
        });
        results.push(Finding::of(result, rule));
    }
    let rules: Vec<_> = rules.into_iter().map(|kind| json!({ "id": kind, "name": kind })).collect();
    let whole = failed_as_a_whole(report);
    let notes: Vec<_> =
        whole.iter().map(|why| json!({ "level": "error", "message": { "text": why } })).collect();
    let run = Run {
        tool: json!({ "driver": {
            "name": "Clockwork",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "informationUri": env!("CARGO_PKG_REPOSITORY"),
            "rules": rules,
        } }),
        automation_details: json!({ "id": format!("clockwork/{}/", harmless(&report.project)) }),
        invocations: json!([{
            "executionSuccessful": whole.is_none(),
            "startTimeUtc": report.started_at,
            "toolExecutionNotifications": notes,
        }]),
        column_kind: "unicodeCodePoints",
        results,
    };
    let schema = "https://json.schemastore.org/sarif-2.1.0.json";
    json::pretty(out, &Log { schema, version: "2.1.0", runs: [run] })
}

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Value,
    automation_details: Value,
    invocations: Value,
    column_kind: &'static str,
    results: Vec<Finding<'a>>,
}

/// There may be thousands of them, so they are no [`Value`]s.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message<'a>,
    partial_fingerprints: Fingerprints<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locations: Option<[Location<'a>; 1]>,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(serialize_with = "text")]
    text: &'a Told<'a>,
}

#[derive(Serialize)]
struct Fingerprints<'a> {
    #[serde(rename = "clockworkId/v1")]
    id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    #[serde(serialize_with = "physical")]
    physical_location: &'a Place,
}

impl<'a> Finding<'a> {
    fn of(result: &'a Told<'a>, rule_index: usize) -> Self {
        Self {
            rule_id: result.assertion,
            rule_index,
            level: if result.is_warning() { "warning" } else { "error" },
            message: Message { text: result },
            partial_fingerprints: Fingerprints { id: &result.id },
            locations: place(result).map(|place| [Location { physical_location: place }]),
        }
    }
}

fn text<S: Serializer>(result: &Told<'_>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{}: {}{}", result.title(), result.lead(), harmless(&story(result))))
}

fn physical<S: Serializer>(place: &Place, serializer: S) -> Result<S::Ok, S::Error> {
    json!({
        "artifactLocation": { "uri": uri(&place.file) },
        "region": { "startLine": place.line, "startColumn": place.column },
    })
    .serialize(serializer)
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
