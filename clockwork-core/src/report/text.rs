//! The report as text: one line that says it all, then a line for each result, then the whole story of what did not
//! pass.

use std::{fmt, fmt::Write};

use super::{Blamed, CheckResult, Report};
use crate::{
    Outcome,
    text::{bounded, harmless, is_plain},
};

/// How much of one message is shown.
const MESSAGE_LIMIT: usize = 4096;

/// How the text is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextOptions {
    /// Only the first line and what did not pass.
    pub quiet: bool,
    /// Also what those that passed saw, how long each took, and the timelines.
    pub verbose: bool,
    /// The colours.
    pub palette: Palette,
}

/// What is written around coloured parts: escape sequences, or nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Palette {
    /// Before what passed.
    pub good: &'static str,
    /// Before what failed or could not be judged.
    pub bad: &'static str,
    /// Before warnings.
    pub warning: &'static str,
    /// Before what matters less.
    pub dim: &'static str,
    /// After each of them.
    pub reset: &'static str,
}

impl Palette {
    /// The sixteen colours that every terminal has.
    pub const ANSI: Self =
        Self { good: "\x1b[32m", bad: "\x1b[31m", warning: "\x1b[33m", dim: "\x1b[2m", reset: "\x1b[0m" };
}

/// Writes the report as text.
///
/// # Errors
/// Those of the writer.
pub fn write_text(out: &mut impl fmt::Write, report: &Report, options: &TextOptions) -> fmt::Result {
    let Palette { good, bad, reset, .. } = options.palette;
    let (colour, mark) = if report.passed() { (good, '✓') } else { (bad, '✗') };
    writeln!(out, "{colour}{mark} {}{reset} ({})", headline(report), crate::duration::show(report.duration))?;
    let mut line = String::new();
    for result in &report.results {
        let filtered = result.verdict == Outcome::Skipped && result.caused_by.is_empty();
        if !(options.quiet && (result.verdict == Outcome::Passed || filtered)) {
            line.clear();
            write_line(&mut line, result, options)?;
            out.write_str(&line)?;
            write_story(out, result, options)?;
        }
    }
    Ok(())
}

/// `1 of 6 assertions failed, 2 could not be judged`: the verdict in a few words.
fn headline(report: &Report) -> String {
    let counts = report.summary;
    let all = report.results.len();
    let assertions = if all == 1 { "assertion" } else { "assertions" };
    let mut parts = Vec::new();
    if counts.failed > 0 {
        parts.push(format!("{} of {all} {assertions} failed", counts.failed));
    }
    if counts.errored > 0 {
        let of = if parts.is_empty() { format!(" of {all} {assertions}") } else { String::new() };
        parts.push(format!("{}{of} could not be judged", counts.errored));
    }
    if parts.is_empty() {
        parts.push(match counts.passed {
            0 if counts.warnings == 0 => format!("None of {all} {assertions} was judged"),
            passed if passed == all => format!("All {all} {assertions} passed"),
            passed => format!("{passed} of {all} {assertions} passed"),
        });
    }
    match counts.warnings {
        0 => {}
        1 => parts.push("1 warning".to_owned()),
        warnings => parts.push(format!("{warnings} warnings")),
    }
    let skipped = report.results.iter().filter(|result| !result.caused_by.is_empty()).count();
    let because = some_of(report.blamed.iter().filter(|blamed| blamed.skipped > 0));
    match (counts.skipped, skipped) {
        (0, _) => {}
        (all, 0) => parts.push(format!("{all} skipped")),
        (all, some) if all == some => parts.push(format!("{all} skipped because of {because}")),
        (all, some) => parts.push(format!("{all} skipped, {some} of them because of {because}")),
    }
    // A resource's own failure stands below with its name first. Of a relationship, this line says which one it is.
    let others = report.blamed.iter().filter(|blamed| blamed.relationship && blamed.skipped == 0);
    let others = match (some_of(others), skipped) {
        (others, _) if others.is_empty() => others,
        (others, 0) => format!(": {others}"),
        (others, _) => format!("; also {others}"),
    };
    let interrupted = if report.interrupted { "Interrupted: " } else { "" };
    format!("{interrupted}{}{others}", parts.join(", "))
}

/// The first few names.
fn some_of<'a>(blamed: impl Iterator<Item = &'a Blamed>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<&str> = blamed.map(|blamed| &*blamed.what).collect();
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=SHOWN => harmless(&shown).into_owned(),
        all => format!("{} and {} more", harmless(&shown), all - SHOWN),
    }
}

/// A result's own line, put together before it is written: it is many small parts.
fn write_line(out: &mut String, result: &CheckResult, options: &TextOptions) -> fmt::Result {
    let Palette { good, bad, warning, dim, reset } = options.palette;
    let (colour, mark) = match result.verdict {
        Outcome::Passed => (good, "✓"),
        Outcome::Skipped => (dim, "-"),
        _ if result.is_warning() => (warning, "!"),
        Outcome::Failed => (bad, "✗"),
        Outcome::Errored => (bad, "?"),
    };
    for part in ["  ", colour, mark, reset, " "] {
        out.push_str(part);
    }
    write_title(out, result)?;
    if options.verbose && result.attempts > 0 {
        write!(out, " {dim}{}{reset}", crate::duration::show(result.duration))?;
    }
    out.push('\n');
    Ok(())
}

/// What it saw, and how it came to that, of one that did not pass.
fn write_story(out: &mut impl fmt::Write, result: &CheckResult, options: &TextOptions) -> fmt::Result {
    let Palette { dim, reset, .. } = options.palette;
    let passed = result.verdict == Outcome::Passed;
    if !result.message.is_empty() && (!passed || options.verbose) {
        let message = bounded(format!("{}{}", result.lead(), harmless(&result.message)), MESSAGE_LIMIT);
        for line in message.lines() {
            writeln!(out, "      {line}")?;
        }
    }
    if result.timeline.len() > 1 && (!passed || options.verbose) {
        for step in &result.timeline {
            let at = crate::duration::show(std::time::Duration::from_millis(step.at_ms));
            let what = harmless(&step.message);
            let said = what.lines().next().filter(|line| !line.is_empty()).unwrap_or(step.verdict.as_str());
            writeln!(out, "      {dim}at {at}, {} ×: {said}{reset}", step.count)?;
        }
    }
    Ok(())
}

/// `nginx-web: ResponseTimeAssert (< 200 ms)`, on one line.
fn write_title(out: &mut String, result: &CheckResult) -> fmt::Result {
    match (&result.relationship, &result.resource, result.related.as_slice()) {
        (Some(relationship), _, _) => on_one_line(out, relationship),
        (None, Some(name), _) => on_one_line(out, name),
        (None, None, []) => out.push_str("cross"),
        (None, None, related) => on_one_line(out, &related.join(" → ")),
    }
    out.push_str(": ");
    on_one_line(out, result.assertion);
    if !result.label.is_empty() {
        out.push_str(" (");
        on_one_line(out, &result.label);
        out.push(')');
    }
    if &*result.at != "host" {
        out.push_str(" at ");
        on_one_line(out, &result.at);
    }
    if let Some(when) = &result.reused {
        write!(out, ", as of {when}")?;
    }
    Ok(())
}

fn on_one_line(out: &mut String, text: &str) {
    if is_plain(text) {
        return out.push_str(text);
    }
    match harmless(text) {
        text if text.contains('\n') => out.push_str(&text.replace('\n', " ")),
        text => out.push_str(&text),
    }
}
