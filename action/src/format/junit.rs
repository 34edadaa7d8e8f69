//! JUnit XML, as CI servers read it: a suite for each resource, a case for each assertion.
//!
//! A warning is a case that passed, with what was found in its `system-out`, so that it does not fail the suite. A run
//! that fails as a whole (interrupted, nothing judged) gets a case of its own that says so, as its results alone would
//! look like a pass.

use std::io::{self, Write};

use clockwork_core::{CheckResult, Outcome, text::harmless};

use super::{Seen, Told, Xml, failed_as_a_whole, story};

pub(super) fn write(out: &mut impl Write, seen: &Seen<'_>) -> io::Result<()> {
    let report = seen.report;
    let whole = failed_as_a_whole(report);
    let mut all = Counts::of(report.results.iter().map(|result| &**result));
    let mut run = Counts::default();
    if whole.is_some() {
        run = Counts { tests: 1, errors: 1, ..run };
        all = Counts { tests: all.tests + 1, errors: all.errors + 1, ..all };
    }
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")?;
    let (time, at) = (report.duration.as_secs_f64(), Xml(&report.started_at));
    writeln!(
        out,
        "<testsuites name=\"{}\" {all} time=\"{time:.6}\" timestamp=\"{at}\">",
        Xml(&report.project)
    )?;
    for suite in seen.told().chunk_by(|a, b| a.resource == b.resource) {
        let name = suite[0].resource.as_deref().unwrap_or("cross");
        let counts = Counts::of(suite.iter().map(|told| &**told));
        let time: f64 = suite.iter().map(|result| result.duration.as_secs_f64()).sum();
        writeln!(out, "  <testsuite name=\"{}\" {counts} time=\"{time:.6}\" timestamp=\"{at}\">", Xml(name))?;
        suite.iter().try_for_each(|result| case(out, result, name))?;
        out.write_all(b"  </testsuite>\n")?;
    }
    if let Some(why) = whole {
        writeln!(out, "  <testsuite name=\"clockwork\" {run} time=\"{time:.6}\" timestamp=\"{at}\">")?;
        writeln!(out, "    <testcase name=\"run\" classname=\"clockwork\" time=\"{time:.6}\">")?;
        writeln!(out, "      <error message=\"{0}\" type=\"errored\">{0}</error>", Xml(why))?;
        out.write_all(b"    </testcase>\n  </testsuite>\n")?;
    }
    out.write_all(b"</testsuites>\n")
}

fn case(out: &mut impl Write, result: &Told<'_>, suite: &str) -> io::Result<()> {
    let (name, suite, time) = (Xml(result.name()), Xml(suite), result.duration.as_secs_f64());
    write!(out, "    <testcase name=\"{name}\" classname=\"{suite}\" time=\"{time:.6}\"")?;
    if result.verdict == Outcome::Passed {
        return out.write_all(b"/>\n");
    }
    let message = harmless(&result.message);
    let first = message.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let tag = match result.verdict {
        Outcome::Passed => return out.write_all(b"/>\n"),
        Outcome::Skipped => {
            writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", Xml(first))?;
            return Ok(());
        }
        _ if result.is_warning() => {
            let verdict = result.verdict.as_str();
            writeln!(out, ">\n      <system-out>warning, {verdict}: {}</system-out>", Xml(&story(result)))?;
            return out.write_all(b"    </testcase>\n");
        }
        Outcome::Failed => "failure",
        Outcome::Errored => "error",
    };
    let kind = Xml(result.assertion);
    writeln!(
        out,
        ">\n      <{tag} message=\"{}\" type=\"{kind}\">{}</{tag}>",
        Xml(first),
        Xml(&story(result))
    )?;
    out.write_all(b"    </testcase>\n")
}

#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
}

impl Counts {
    fn of<'a>(results: impl Iterator<Item = &'a CheckResult>) -> Self {
        let mut counts = Self::default();
        for result in results {
            counts.tests += 1;
            match result.verdict {
                Outcome::Skipped => counts.skipped += 1,
                Outcome::Failed if result.fails_the_run() => counts.failures += 1,
                Outcome::Errored if result.fails_the_run() => counts.errors += 1,
                _ => {}
            }
        }
        counts
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tests, failures, errors, skipped } = self;
        write!(f, "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
    }
}
