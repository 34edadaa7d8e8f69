//! The text format of Prometheus, for its node exporter's folder or a push gateway.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>
//!
//! One sample a result says how it ended; the counts are there beside them, so that an alert needs no query language. A
//! skipped one has no `clockwork_assertion_passed`: nothing is known of it, and 0 would say that it failed.

use std::{
    fmt,
    io::{self, Write},
};

use clockwork_core::{CheckResult, Outcome, Report, Severity};

use super::escape::escape;

pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let project = Label(&report.project);
    let mut single = |name: &str, help: &str, value: f64| {
        head(out, name, help)?;
        writeln!(out, "{name}{{project=\"{project}\"}} {value}")
    };
    single(
        "clockwork_run_passed",
        "Whether the run's verdict was passed.",
        f64::from(u8::from(report.passed())),
    )?;
    single("clockwork_run_duration_seconds", "How long the run took.", report.duration.as_secs_f64())?;
    if let Ok(started) = humantime::parse_rfc3339(&report.started_at)
        && let Ok(since) = started.duration_since(std::time::UNIX_EPOCH)
    {
        single("clockwork_run_started_timestamp_seconds", "When the run began.", since.as_secs_f64())?;
    }
    head(out, "clockwork_assertions", "How many assertions ended so.")?;
    let counts = report.summary;
    for (verdict, count) in [
        ("passed", counts.passed),
        ("failed", counts.failed),
        ("errored", counts.errored),
        ("skipped", counts.skipped),
        ("warning", counts.warnings),
    ] {
        writeln!(out, "clockwork_assertions{{project=\"{project}\",verdict=\"{verdict}\"}} {count}")?;
    }
    head(out, "clockwork_assertion_passed", "Whether an assertion that was looked at passed.")?;
    // A metric's samples stand together. Both have the same labels.
    let (mut took, mut labels) = (Vec::new(), Vec::new());
    for result in report.results.iter().filter(|result| result.verdict != Outcome::Skipped) {
        labels.clear();
        write_labels(&mut labels, &project, result)?;
        let passed: &[u8] = if result.verdict == Outcome::Passed { b" 1\n" } else { b" 0\n" };
        [b"clockwork_assertion_passed", &*labels, passed].iter().try_for_each(|part| out.write_all(part))?;
        took.extend_from_slice(b"clockwork_assertion_duration_seconds");
        took.extend_from_slice(&labels);
        writeln!(took, " {}", result.duration.as_secs_f64())?;
    }
    head(
        out,
        "clockwork_assertion_duration_seconds",
        "How long an assertion took, all its attempts together.",
    )?;
    out.write_all(&took)
}

fn head(out: &mut impl Write, name: &str, help: &str) -> io::Result<()> {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")
}

fn write_labels(out: &mut impl Write, project: &Label<'_>, result: &CheckResult) -> io::Result<()> {
    let severity = match result.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    write!(
        out,
        "{{project=\"{project}\",id=\"{}\",resource=\"{}\",assertion=\"{}\",severity=\"{severity}\"}}",
        Label(&result.id),
        Label(result.resource.as_deref().unwrap_or("")),
        Label(result.assertion),
    )
}

/// A label's value between its quotes.
struct Label<'a>(&'a str);

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(
            f,
            self.0,
            |byte| matches!(byte, b'\\' | b'"' | b'\n'),
            |f, c| match c {
                '\n' => f.write_str("\\n"),
                c => write!(f, "\\{c}"),
            },
        )
    }
}
