//! One page that holds everything: the verdict, the graph, every result with its story, and when each was looked at. It
//! fetches nothing, is read without a script (the search alone needs one), and follows the reader's dark or light.
//!
//! It is also well-formed XML, so that a strict reader can check that nothing broke out of its place. Nothing in it is
//! taken from a message but text: foreign text is escaped, and the page's own policy allows the one script whose digest it
//! names, so that even an escape that was forgotten would run nothing.

use std::io::{self, Write};

use clockwork_core::{CheckResult, Outcome, Palette, text::bounded};

use super::{Seen, Told, Xml, failed_as_a_whole, headline, json, show};
use crate::graph::{GraphFormat, State};

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/filter.js");
/// Of [`SCRIPT`], in base 64; a test holds it to that.
const SCRIPT_SHA256: &str = "MGbD9OvU6yGKYifkdEOqhhT1LKHeLXPbTEflz12P4Iw=";

/// How many bytes of one result's details are shown.
const DETAILS: usize = 16 << 10;
/// Above this a drawing is no picture any more.
const DRAWN: usize = 400;

pub(super) fn write(out: &mut impl Write, seen: &Seen<'_>) -> io::Result<()> {
    let report = seen.report;
    let (head, verdict) = (headline(report), report.verdict.as_str());
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'sha256-{SCRIPT_SHA256}'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{} {}</title>\n\
         <style>\n{STYLE}</style>\n",
        Xml(&report.project),
        Xml(&head)
    )?;
    writeln!(out, "<header>\n<h1 class=\"{verdict}\">{}</h1>", Xml(&head))?;
    writeln!(out, "<p class=\"dim\">{}, {}</p>", Xml(&report.project), Xml(&report.started_at))?;
    if let Some(why) = failed_as_a_whole(report) {
        writeln!(out, "<p>{}</p>", Xml(why))?;
    }
    out.write_all(b"</header>\n")?;
    filters(out, seen)?;
    let whole = report.duration.as_secs_f64().max(f64::MIN_POSITIVE);
    for group in seen.told().chunk_by(|a, b| a.resource == b.resource) {
        let name = group[0].resource.as_deref().unwrap_or("across resources");
        writeln!(out, "<section class=\"resource\">\n<h2>{}</h2>", Xml(name))?;
        group.iter().try_for_each(|result| one(out, result, whole))?;
        out.write_all(b"</section>\n")?;
    }
    if seen.graph.resources().count() <= DRAWN {
        out.write_all(b"<h2>What depends on what</h2>\n<div class=\"graph\">\n")?;
        seen.drawing().write(out, GraphFormat::Svg, &Palette::default())?;
        out.write_all(b"</div>\n")?;
    }
    writeln!(out, "<script>{SCRIPT}</script>\n</html>")
}

fn filters(out: &mut impl Write, seen: &Seen<'_>) -> io::Result<()> {
    out.write_all(b"<form class=\"filters\">\n")?;
    let counts = seen.report.summary;
    for (verdict, count) in [
        ("failed", counts.failed),
        ("errored", counts.errored),
        ("warning", counts.warnings),
        ("skipped", counts.skipped),
        ("passed", counts.passed),
    ] {
        if count > 0 {
            let id = format!("show-{verdict}");
            writeln!(
                out,
                "<label><input type=\"checkbox\" id=\"{id}\" checked=\"\"/> {count} {verdict}</label>"
            )?;
        }
    }
    out.write_all(b"<input type=\"search\" id=\"search\" placeholder=\"Search\" aria-label=\"Search\" hidden=\"\"/>\n</form>\n")
}

/// One result: a line, and below it the whole story where there is one.
fn one(out: &mut impl Write, result: &Told<'_>, whole: f64) -> io::Result<()> {
    let state = State::of(result);
    let (class, mark) = (state.word(), state.mark());
    writeln!(
        out,
        "<div class=\"result {class}\">\n<div class=\"row {class}\"><span class=\"mark\">{mark}</span>"
    )?;
    write!(out, "<span class=\"title\">{}</span>", Xml(result.title()))?;
    if result.attempts == 0 {
        out.write_all(b"</div>\n")?;
    } else {
        let part = |of: f64| (100.0 * of / whole).clamp(0.0, 100.0);
        let (left, width) = (part(result.began.as_secs_f64()), part(result.duration.as_secs_f64()));
        let took = show(result.duration);
        let began = show(result.began);
        writeln!(
            out,
            "<span class=\"took dim\">{took}</span><span class=\"bar\" title=\"began after {began}, took {took}\">\
             <span style=\"left:{left:.2}%;width:{width:.2}%\"></span></span></div>"
        )?;
    }
    out.write_all(b"<div class=\"more\">\n")?;
    if !result.message.is_empty() {
        // A line break is one in `pre`, as a reference, too.
        writeln!(out, "<pre>{}{}</pre>", result.lead(), Xml(&result.message))?;
    }
    if result.verdict != Outcome::Passed {
        facts(out, result)?;
    }
    let details = result.evidence().map(|evidence| json::line(&evidence)).transpose()?;
    if let Some(details) = details.filter(|details| details != "{}") {
        let details = bounded(details, DETAILS);
        writeln!(
            out,
            "<details><summary class=\"dim\">details</summary><pre>{}</pre></details>",
            Xml(&details)
        )?;
    }
    out.write_all(b"</div>\n</div>\n")
}

/// What else is known of one that did not pass.
fn facts(out: &mut impl Write, result: &CheckResult) -> io::Result<()> {
    out.write_all(b"<dl>")?;
    let mut fact = |what: &str, text: &str| write!(out, "<dt>{what}</dt><dd><code>{}</code></dd>", Xml(text));
    for (what, text) in [("expected", &result.expected), ("actual", &result.actual)] {
        if let Some(text) = text {
            fact(what, text)?;
        }
    }
    for cause in &result.caused_by {
        fact("caused by", cause)?;
    }
    if let Some(place) = &result.place {
        fact("declared at", &place.to_string())?;
    }
    if &*result.at != "host" {
        fact("looked at from", &result.at)?;
    }
    if result.attempts > 1 {
        fact("attempts", &result.attempts.to_string())?;
    }
    for step in &result.timeline {
        let (at, verdict, count) = (step.at_ms, step.verdict.as_str(), step.count);
        fact(&format!("after {at} ms"), &format!("{verdict}, {count} times: {}", step.message))?;
    }
    out.write_all(b"</dl>\n")
}
