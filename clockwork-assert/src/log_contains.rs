//! [`LogContainsAssert`]: a container's log has a line that matches a pattern, or (`absent`) has none.
//!
//! It looks at the last `lines` lines of both streams, as the engine keeps them; what was rotated away, or is older than
//! that, it does not see. The pattern is matched against each line by itself, so that `^` and `$` are a line's ends. One
//! that says itself that it spans lines (it contains `\n`, or sets `(?s)`) is matched against all of them, joined.
//!
//! Bytes that are no UTF-8 count as `\u{fffd}`. A log that is too large to be held is `errored` where what was dropped
//! could have mattered. A missing container judges nothing: it is `failed`, and `errored` under `not: true`. A container
//! that does not run has a log like any other.

use std::{ops::Range, time::Duration};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Pattern, Resource, Verdict, async_trait,
    duration::show, text::quote,
};
use clockwork_drivers::container::{ContainerLogs, ContainerRef, ContainerState, Log};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::container_state::last_lines;

/// A container's log has a line that matches, or has none.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogContainsAssert {
    /// A regular expression, matched against each line by itself (against all lines, joined, if it contains `\n` or
    /// `(?s)`).
    pattern: Pattern,
    /// How many lines to look at, from the end.
    #[serde(default = "hundred")]
    lines: u32,
    /// Only what was written in this time before now, by the engine's clock.
    #[serde(with = "clockwork_core::duration::optional", default)]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    since: Option<Duration>,
    /// No line may match.
    #[serde(default)]
    absent: bool,
    /// Another container than the resource's own: a resource's name, a container's name, or 12 or more digits of its id.
    #[serde(default)]
    container: Option<String>,
}

fn hundred() -> u32 {
    100
}

impl LogContainsAssert {
    /// One of the last 100 lines matches this regular expression.
    ///
    /// # Panics
    /// When it is no regular expression: a mistake in the program. [`LogContainsAssert::matching`] takes one that comes
    /// from elsewhere.
    pub fn new(pattern: &str) -> Self {
        match Pattern::new(pattern) {
            Ok(pattern) => Self::matching(pattern),
            Err(error) => panic!("{} is no regular expression: {error}", quote(pattern)),
        }
    }

    /// One of the last 100 lines matches.
    pub fn matching(pattern: Pattern) -> Self {
        Self { pattern, lines: hundred(), since: None, absent: false, container: None }
    }

    /// How many lines to look at, from the end.
    #[must_use]
    pub fn lines(mut self, lines: u32) -> Self {
        self.lines = lines;
        self
    }

    /// Only what was written in this time before now.
    #[must_use]
    pub fn since(mut self, since: Duration) -> Self {
        self.since = Some(since);
        self
    }

    /// No line may match.
    #[must_use]
    pub fn absent(mut self) -> Self {
        self.absent = true;
        self
    }

    /// The log of this container: a resource's name, a container's name, or 12 or more digits of its id.
    #[must_use]
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// `the last 100 lines of the last 5 m`.
    fn window(&self) -> String {
        match self.since {
            Some(since) => format!("the last {} lines of the last {}", self.lines, show(since)),
            None => format!("the last {} lines", self.lines),
        }
    }
}

impl AssertionKind for LogContainsAssert {
    const NAME: &'static str = "LogContainsAssert";
}

#[async_trait]
impl Assertion for LogContainsAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let not = if self.absent { "no " } else { "" };
        let of = self.container.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        format!("{of}{not}{}", quote(self.pattern.as_str()))
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut invalid = Vec::from_iter(ContainerRef::validate(owner, self.container.as_deref(), true));
        if self.pattern.as_str().is_empty() {
            invalid
                .push(Invalid::field("pattern", "an empty pattern matches every line; say what to look for"));
        }
        if !(1..=1_000_000).contains(&self.lines) {
            invalid.push(Invalid::field("lines", "look at 1 to 1000000 lines"));
        }
        invalid
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let container = ContainerRef::required(cx, self.container.as_deref())?;
        let listed = container.existing(cx).await?;
        let (engine, name) = (container.engine, listed.id);
        let log = cx.observe(ContainerLogs { engine, name, lines: self.lines, since: self.since }).await?;
        judge(self, &log, &listed.state)
    }
}

fn judge(asserted: &LogContainsAssert, log: &Log, state: &ContainerState) -> Result<Verdict, CheckError> {
    let found = find(&asserted.pattern, log);
    let window = asserted.window();
    let pattern = quote(asserted.pattern.as_str());
    if log.incomplete && found.is_none() {
        return Err(CheckError::unobservable(format!(
            "{window} do not fit into memory, and {pattern} is not in the end of them"
        ))
        .hint("ask for fewer `lines`"));
    }
    let verdict = match (found, asserted.absent) {
        (Some(found), false) => Verdict::passed().message(found.tell()).actual(found.shown),
        (Some(found), true) => Verdict::failed(found.tell()).actual(found.shown),
        (None, true) => Verdict::passed().actual("no line matches"),
        (None, false) => {
            let looked_at = match log.lines.len() {
                0 => String::from("it is empty"),
                1 => String::from("it has 1 line"),
                count => format!("it has {count} lines"),
            };
            let since = if asserted.since.is_some() { " in that time" } else { "" };
            let state = match state {
                ContainerState::Running => String::new(),
                state => format!("; the container is {state}"),
            };
            let end = if log.lines.is_empty() { String::new() } else { last_lines(log) };
            Verdict::failed(format!(
                "{pattern} is not in {window} of its log: {looked_at}{since}{state}{end}"
            ))
            .actual("no line matches")
        }
    };
    let expected = if asserted.absent { "no line that matches" } else { "a line that matches" };
    Ok(verdict.expected(format!("{expected} {pattern}")))
}

/// A match, and how it is shown.
struct Found {
    /// Counted from the end: 1 is the last line.
    from_end: usize,
    count: usize,
    shown: String,
}

impl Found {
    fn tell(&self) -> String {
        let where_ = match self.from_end {
            1 => String::from("the last line"),
            n => format!("line {n} from the end"),
        };
        match self.count {
            1 => format!("{where_} matches: {}", self.shown),
            count => format!("{count} lines match, the latest is {where_}: {}", self.shown),
        }
    }
}

/// The latest match.
fn find(pattern: &Pattern, log: &Log) -> Option<Found> {
    if spans_lines(pattern.as_str()) {
        let all = log.lines.join("\n");
        let found = pattern.find_iter(&all).last()?;
        let behind = all[found.end()..].matches('\n').count();
        let count = pattern.find_iter(&all).count();
        return Some(Found { from_end: behind + 1, count, shown: excerpt(&all, found.range()) });
    }
    let mut matching =
        log.lines.iter().rev().enumerate().filter_map(|(n, line)| Some((n, line, pattern.find(line)?)));
    let (n, line, found) = matching.next()?;
    Some(Found { from_end: n + 1, count: 1 + matching.count(), shown: excerpt(line, found.range()) })
}

fn spans_lines(pattern: &str) -> bool {
    pattern.contains("\\n") || pattern.contains('\n') || pattern.contains("(?s")
}

/// What matched, with what stands before it on its line, as far as that is short.
fn excerpt(text: &str, found: Range<usize>) -> String {
    let line = text[..found.start].rfind('\n').map_or(0, |at| at + 1);
    let start = if found.start - line > 80 { found.start } else { line };
    let dots = if start > line { "…" } else { "" };
    let end = text[found.end..].find('\n').map_or(text.len(), |at| found.end + at);
    format!("{dots}{}", quote(&text[start..end]))
}

#[cfg(test)]
#[path = "log_contains_tests.rs"]
mod tests;
