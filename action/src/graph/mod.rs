//! The dependency graph as a drawing, with the verdicts of a run where there was one.

mod dot;
mod layout;
mod mermaid;
mod svg;
mod text;

use std::io::{self, Write};

use clap::ValueEnum;
use clockwork_core::{CheckResult, Graph, Outcome, Palette, Project, Report};

use crate::{
    format::{Told, by_id, one_line},
    outline::Outline,
};

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A tree, dependencies first
    Text,
    /// For Graphviz
    Dot,
    /// For Markdown
    Mermaid,
    /// A picture
    Svg,
}

/// A graph that is ready to be drawn. Every text in it is on one line.
#[derive(Debug)]
pub(crate) struct Drawing {
    project: String,
    /// The run's verdict, if there was a run.
    passed: Option<bool>,
    /// Dependencies first.
    nodes: Vec<Node>,
    cross: Vec<Cross>,
}

#[derive(Debug)]
struct Node {
    name: String,
    kind: &'static str,
    needs: Vec<usize>,
    state: State,
    /// `3 assertions`, `2 of 3 assertions failed`.
    summary: String,
    /// What did not pass: how it ended, which check, and what was found.
    findings: Vec<Finding>,
}

/// An assertion over several resources.
#[derive(Debug)]
struct Cross {
    kind: &'static str,
    about: Vec<usize>,
    /// Whether it belongs to no resource, so that no node tells of it.
    of_project: bool,
    state: State,
    /// What was found, if it did not pass.
    message: String,
}

#[derive(Debug)]
struct Finding {
    state: State,
    check: String,
    message: String,
}

/// How something stands, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum State {
    /// Nothing is known: nothing was looked at, or nothing is asserted.
    Unknown,
    Skipped,
    Passed,
    Warning,
    Errored,
    Failed,
}

impl State {
    pub(crate) fn of(result: &CheckResult) -> Self {
        match result.verdict {
            _ if result.is_warning() => Self::Warning,
            Outcome::Passed => Self::Passed,
            Outcome::Skipped => Self::Skipped,
            Outcome::Errored => Self::Errored,
            Outcome::Failed => Self::Failed,
        }
    }

    pub(crate) fn mark(self) -> char {
        match self {
            Self::Unknown => '·',
            Self::Passed => '✓',
            Self::Skipped => '-',
            Self::Warning => '!',
            Self::Errored => '?',
            Self::Failed => '✗',
        }
    }

    /// The word, which is also a class in drawings.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Passed => "passed",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Errored => "errored",
            Self::Failed => "failed",
        }
    }

    fn paint(self, palette: &Palette) -> &'static str {
        match self {
            Self::Unknown | Self::Skipped => palette.dim,
            Self::Passed => palette.good,
            Self::Warning => palette.warning,
            Self::Errored | Self::Failed => palette.bad,
        }
    }

    /// A line's and a filling's colour, to be read on white and by the colour-blind.
    fn colours(self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown => ("#57606a", "#f6f8fa"),
            Self::Passed => ("#1a7f37", "#dafbe1"),
            Self::Skipped => ("#8c959f", "#ffffff"),
            Self::Warning => ("#9a6700", "#fff8c5"),
            Self::Errored => ("#8250df", "#fbefff"),
            Self::Failed => ("#cf222e", "#ffebe9"),
        }
    }
}

impl Drawing {
    pub(crate) fn new(project: &Project, graph: &Graph, report: Option<&Report>) -> Self {
        let results = report.map(by_id).unwrap_or_default();
        let outline = Outline::new(project, graph);
        let nodes = outline.resources.into_iter().map(|node| {
            let results: Vec<_> =
                node.checks.iter().filter_map(|id| results.get(id.as_str()).copied()).collect();
            Node {
                state: results.iter().map(|result| State::of(result)).max().unwrap_or(State::Unknown),
                summary: summary(node.checks.len(), &results),
                findings: results.iter().filter_map(|result| Finding::of(result)).collect(),
                name: one_line(&node.name).into_owned(),
                kind: node.kind,
                needs: node.needs,
            }
        });
        let nodes = nodes.collect();
        let cross = outline.cross.into_iter().map(|cross| {
            let result = results.get(cross.id.as_str());
            Cross {
                kind: cross.kind,
                about: cross.about,
                of_project: cross.of_project,
                state: result.map_or(State::Unknown, |result| State::of(result)),
                message: result
                    .and_then(|result| Finding::of(result))
                    .map_or_else(String::new, |f| f.message),
            }
        });
        let cross = cross.collect();
        Self {
            project: one_line(project.name()).into_owned(),
            passed: report.map(Report::passed),
            nodes,
            cross,
        }
    }

    pub(crate) fn write(
        &self,
        out: &mut impl Write,
        format: GraphFormat,
        palette: &Palette,
    ) -> io::Result<()> {
        match format {
            GraphFormat::Text => text::write(out, self, palette),
            GraphFormat::Dot => dot::write(out, self),
            GraphFormat::Mermaid => mermaid::write(out, self),
            GraphFormat::Svg => svg::write(out, self),
        }
    }

    /// `shop: 3 resources, 1 failed`.
    fn headline(&self) -> String {
        let count = self.nodes.len();
        let mut text =
            format!("{}: {count} {}", self.project, if count == 1 { "resource" } else { "resources" });
        let all =
            || self.nodes.iter().map(|node| node.state).chain(self.own_cross().map(|cross| cross.state));
        for state in [State::Failed, State::Errored, State::Warning, State::Skipped] {
            match all().filter(|other| *other == state).count() {
                0 => {}
                count => text.push_str(&format!(", {count} {}", state.word())),
            }
        }
        if self.passed.is_some() && all().all(|state| matches!(state, State::Unknown | State::Passed)) {
            text.push_str(", all hold");
        }
        text
    }

    /// The assertions that no node tells of.
    fn own_cross(&self) -> impl Iterator<Item = &Cross> {
        self.cross.iter().filter(|cross| cross.of_project)
    }

    fn state(&self) -> State {
        match self.passed {
            None => State::Unknown,
            Some(true) => State::Passed,
            Some(false) => State::Failed,
        }
    }
}

impl Cross {
    fn label(&self) -> String {
        match self.state {
            State::Unknown => self.kind.to_owned(),
            state => format!("{} {}", state.mark(), self.kind),
        }
    }
}

impl Finding {
    fn of(result: &CheckResult) -> Option<Self> {
        let state = State::of(result);
        let message = match state {
            State::Passed => return None,
            State::Skipped if !result.caused_by.is_empty() => {
                // Here there is room for every cause.
                format!("because of {}", result.caused_by.join(", "))
            }
            _ => result.message.lines().next().unwrap_or_default().to_owned(),
        };
        Some(Self {
            state,
            check: Told::of(result).name().to_owned(),
            message: one_line(&message).into_owned(),
        })
    }
}

fn summary(checks: usize, results: &[&CheckResult]) -> String {
    let assertions = match checks {
        0 => return "nothing asserted".to_owned(),
        1 => "1 assertion".to_owned(),
        more => format!("{more} assertions"),
    };
    let count = |state| results.iter().filter(|result| State::of(result) == state).count();
    let parts: Vec<_> = [State::Failed, State::Errored, State::Warning, State::Skipped]
        .into_iter()
        .map(|state| (count(state), state.word()))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if parts.is_empty() { assertions } else { format!("{assertions}, {}", parts.join(", ")) }
}

/// At most so many characters.
fn short(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests;
