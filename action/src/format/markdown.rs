//! For a job's summary, an issue or a chat: the verdict, what did not pass with its whole story, how the resources hang
//! together, and what passed, folded.
//!
//! Foreign text stands in `<code>` and `<pre>`, with every character that Markdown or HTML give a meaning to as an entity,
//! so that it makes no link, mentions nobody and ends no fold. GitHub drops a summary of more than 1 MiB as a whole:
//! beyond [`LIMIT`] results are counted and not told.

use std::{
    collections::HashMap,
    fmt::{self, Display, Formatter},
    io::{self, Write},
};

use clockwork_core::{Outcome, text::harmless};

use super::{Seen, Told, escape::escape, headline, show, why_it_fails};
use crate::graph::{GraphFormat, State};

/// How many bytes are written at most, but for the last result.
const LIMIT: usize = 800 << 10;
/// How many characters of one message are shown.
const MESSAGE: usize = 8_000;
/// How many changes of a repeated check are told.
const STEPS: usize = 20;
/// Above this a graph is too large to be drawn: Mermaid gives up at 500 edges, and people before.
const DRAWN: usize = 60;

pub(super) fn write(out: &mut impl Write, seen: &Seen<'_>) -> io::Result<()> {
    let report = seen.report;
    let blamed = report.blamed.iter();
    let explained =
        blamed.flat_map(|blamed| blamed.explains.iter().map(|id| (&**id, &*blamed.what))).collect();
    let mut page = Page { out, written: 0, left_out: 0, explained };
    page.say(format_args!("## {}\n\n", Text(&headline(report))))?;
    page.say(format_args!("**{}**, {}\n\n", Text(&report.project), Text(&report.started_at)))?;
    if let Some(why) = why_it_fails(seen) {
        page.say(format_args!("**{}**\n\n", Text(&why)))?;
    }
    let results = || seen.told().iter();
    for result in results().filter(|result| result.fails_the_run()) {
        page.story(result)?;
    }
    for result in results().filter(|result| result.is_warning()) {
        page.story(result)?;
    }
    if page.left_out > 0 {
        let left_out = page.left_out;
        page.say(format_args!(
            "*and {left_out} more that did not pass: there is no room for them here*\n\n"
        ))?;
    }
    if report.results.len() > 1 && seen.graph.resources().count() <= DRAWN {
        page.say(format_args!("```mermaid\n"))?;
        seen.drawing().write(&mut page, GraphFormat::Mermaid, &clockwork_core::Palette::default())?;
        page.say(format_args!("```\n\n"))?;
    }
    // A `-` would begin a list within the list.
    page.folded(Outcome::Skipped, '·', seen.told())?;
    page.folded(Outcome::Passed, State::Passed.mark(), seen.told())
}

/// What is wrong with the command line or the manifest.
pub(super) fn nothing_ran(out: &mut impl Write, said: &str) -> io::Result<()> {
    let said: String = said.chars().take(8 * MESSAGE).collect();
    write!(out, "## ✗ Nothing was asserted\n\n<pre>{}</pre>\n\n", Entities(&said))
}

struct Page<'a, W> {
    out: &'a mut W,
    written: usize,
    left_out: usize,
    /// The failures that a failing relationship explains, and that relationship.
    explained: HashMap<&'a str, &'a str>,
}

impl<W: Write> Write for Page<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> Page<'_, W> {
    fn say(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.write_fmt(text)
    }

    /// All about one that did not pass.
    fn story(&mut self, result: &Told<'_>) -> io::Result<()> {
        if self.written > LIMIT {
            self.left_out += 1;
            return Ok(());
        }
        self.say(format_args!("### {} {}\n\n", State::of(result).mark(), Code(result.title())))?;
        let message: String = harmless(&result.message).chars().take(MESSAGE).collect();
        self.say(format_args!("<pre>{}{}</pre>\n\n", result.lead(), Entities(&message)))?;
        for (what, text) in [("expected", &result.expected), ("actual", &result.actual)] {
            if let Some(text) = text {
                self.say(format_args!("- {what}: {}\n", Code(&cut(text))))?;
            }
        }
        if let Some(relationship) = self.explained.get(&*result.id).copied() {
            self.say(format_args!("- because of {}\n", Code(relationship)))?;
        }
        if let Some(place) = &result.place {
            self.say(format_args!("- declared at {}\n", Code(&place.to_string())))?;
        }
        if &*result.at != "host" {
            self.say(format_args!("- looked at from inside {}\n", Code(&result.at)))?;
        }
        if result.attempts > 1 {
            self.say(format_args!("- {} attempts in {}\n", result.attempts, show(result.duration)))?;
        }
        for step in result.timeline.iter().take(STEPS) {
            let (at, verdict) = (step.at_ms, step.verdict.as_str());
            self.say(format_args!(
                "  - at {at} ms {verdict}, {} times: {}\n",
                step.count,
                Code(&cut(&step.message))
            ))?;
        }
        if let Some(more) = result.timeline.len().checked_sub(STEPS).filter(|more| *more > 0) {
            self.say(format_args!("  - and {more} more changes\n"))?;
        }
        self.say(format_args!("\n"))
    }

    /// One line each, behind a fold.
    fn folded(&mut self, verdict: Outcome, mark: char, results: &[Told<'_>]) -> io::Result<()> {
        let results = results.iter().filter(|result| result.verdict == verdict);
        let (count, what) = (results.clone().count(), verdict.as_str());
        if count == 0 {
            return Ok(());
        }
        self.say(format_args!("<details><summary>{count} {what}</summary>\n\n"))?;
        let mut left_out = 0;
        for result in results {
            if self.written > LIMIT {
                left_out += 1;
                continue;
            }
            self.say(format_args!("- {mark} {}", Code(result.title())))?;
            if verdict == Outcome::Skipped && !result.message.is_empty() {
                self.say(format_args!(": {}", Code(&cut(&result.message))))?;
            }
            self.say(format_args!("\n"))?;
        }
        if left_out > 0 {
            self.say(format_args!("- and {left_out} more: there is no room for them here\n"))?;
        }
        self.say(format_args!("\n</details>\n\n"))
    }
}

/// On one line, and short enough for one.
fn cut(text: &str) -> String {
    super::one_line(text).chars().take(500).collect()
}

/// Text on one line that is nothing but text.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Entities(&super::one_line(self.0)).fmt(f)
    }
}

/// The same in a font of fixed width.
struct Code<'a>(&'a str);

impl Display for Code<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "<code>{}</code>", Text(self.0))
    }
}

/// Every mark as an entity, which neither Markdown nor HTML takes for more than the mark. Letters, digits, spaces and line
/// breaks mean nothing by themselves.
struct Entities<'a>(&'a str);

impl Display for Entities<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        // A line break, too: a blank line would end an HTML block of another sort than `<pre>`.
        let special = |byte: u8| !(byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b',' | b'(' | b')'));
        escape(f, self.0, special, |f, c| match c {
            '✓' | '✗' | '…' | '→' => write!(f, "{c}"),
            c if c.is_alphanumeric() => write!(f, "{c}"),
            c => write!(f, "&#{};", u32::from(c)),
        })
    }
}
