//! The Test Anything Protocol, version 14.
//!
//! A warning is `not ok … # TODO`: TAP's word for a failure that is reported and does not fail the suite. A run that fails
//! as a whole (interrupted, nothing judged) ends with `Bail out!`, as its results alone would look like a pass.

use std::{
    fmt::{self, Display, Formatter},
    io::{self, Write},
};

use clockwork_core::{CheckResult, Outcome};

use super::{Seen, Told, escape::escape, failed_as_a_whole, json};

pub(super) fn write(out: &mut impl Write, seen: &Seen<'_>) -> io::Result<()> {
    let report = seen.report;
    writeln!(out, "TAP version 14\n1..{}", report.results.len())?;
    for (index, result) in seen.told().iter().enumerate() {
        point(out, index + 1, result)?;
    }
    match failed_as_a_whole(report) {
        Some(why) => writeln!(out, "Bail out! {why}"),
        None => Ok(()),
    }
}

fn point(out: &mut impl Write, number: usize, result: &Told<'_>) -> io::Result<()> {
    let ok = match result.verdict {
        Outcome::Passed | Outcome::Skipped => "ok",
        Outcome::Failed | Outcome::Errored => "not ok",
    };
    let owner = result.resource.as_deref().unwrap_or("cross");
    write!(out, "{ok} {number} - {}/{}", Escaped(owner), Escaped(result.name()))?;
    match result.verdict {
        Outcome::Skipped => write!(out, " # SKIP {}", Escaped(&result.message))?,
        _ if result.is_warning() => write!(out, " # TODO warning")?,
        _ => {}
    }
    writeln!(out)?;
    if matches!(result.verdict, Outcome::Failed | Outcome::Errored) {
        diagnostics(out, result)?;
    }
    Ok(())
}

/// The YAML block beneath a failure. JSON strings are YAML's double-quoted ones.
fn diagnostics(out: &mut impl Write, result: &CheckResult) -> io::Result<()> {
    out.write_all(b"  ---\n")?;
    writeln!(out, "  message: {}", json::line(&result.message)?)?;
    writeln!(out, "  severity: {}", json::line(&result.severity)?)?;
    writeln!(out, "  verdict: {}", json::line(&result.verdict)?)?;
    let relationship = result.relationship.as_deref();
    for (key, value) in [
        ("relationship", relationship),
        ("expected", result.expected.as_deref()),
        ("actual", result.actual.as_deref()),
    ] {
        if let Some(value) = value {
            writeln!(out, "  {key}: {}", json::line(&value)?)?;
        }
    }
    writeln!(out, "  attempts: {}", result.attempts)?;
    writeln!(out, "  duration_ms: {:.3}", result.duration.as_secs_f64() * 1000.0)?;
    out.write_all(b"  ...\n")
}

/// On one line, and no `#` that could begin a directive.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        escape(
            f,
            self.0,
            |byte| matches!(byte, b'\\' | b'#' | b'\n'),
            |f, c| match c {
                '\n' => f.write_str("\\\\n"),
                c => write!(f, "\\{c}"),
            },
        )
    }
}
