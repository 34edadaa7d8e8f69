//! The formats of a result, one file each. All are folds over a finished [`Report`], and none trusts what is in it:
//! messages quote the outside.

mod github;
mod html;
mod json;
mod junit;
mod markdown;
mod prometheus;
mod sarif;
mod tap;
mod text;

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    path::Path,
};

use anyhow::bail;
use clockwork_core::{
    CheckResult, Graph, Palette, Place, Project, Report, TextOptions, duration::show, text::harmless,
};

use crate::{
    cli::{AssertArgs, Color, Target},
    output::{ReportFile, to_stdout},
    source::STANDARD_INPUT,
};

pub(crate) use junit::Xml;

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// `clockwork.report/v1`.
    Json,
    /// For CI servers.
    Junit,
    /// The Test Anything Protocol, version 14.
    Tap,
    /// For the log of a GitHub Actions job, with annotations.
    Github,
    /// For a job's summary.
    Markdown,
    /// One page with everything.
    Html,
    /// For code scanning.
    Sarif,
    /// For Prometheus.
    Prometheus,
}

/// What there is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) project: &'a Project,
    pub(crate) graph: &'a Graph,
    pub(crate) report: &'a Report,
}

impl Format {
    pub(crate) const ALL: [Self; 9] = [
        Self::Text,
        Self::Json,
        Self::Junit,
        Self::Tap,
        Self::Github,
        Self::Markdown,
        Self::Html,
        Self::Sarif,
        Self::Prometheus,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Tap => "tap",
            Self::Github => "github",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Sarif => "sarif",
            Self::Prometheus => "prometheus",
        }
    }

    pub(crate) fn write(
        self,
        out: &mut impl Write,
        seen: &Seen<'_>,
        options: &TextOptions,
    ) -> io::Result<()> {
        let report = seen.report;
        match self {
            Self::Text => text::write(out, report, options),
            Self::Json => json::write(out, report),
            Self::Junit => junit::write(out, report),
            Self::Tap => tap::write(out, report),
            Self::Github => github::write(out, report, options),
            Self::Markdown => markdown::write(out, seen),
            Self::Html => html::write(out, seen),
            Self::Sarif => sarif::write(out, report),
            Self::Prometheus => prometheus::write(out, report),
        }
    }
}

/// Every place that the result of a run goes to.
#[derive(Debug)]
pub(crate) struct Outputs {
    stdout: Option<Format>,
    files: Vec<(Format, ReportFile)>,
    options: TextOptions,
}

impl Outputs {
    /// Finds out before the run what goes where, and whether it can.
    pub(crate) fn prepare(args: &AssertArgs) -> anyhow::Result<Self> {
        let mut stdout = None;
        let mut files: Vec<(Format, ReportFile)> = Vec::new();
        for Target { format, file } in &args.format {
            match file {
                Some(file) => files.push((*format, prepare(*format, file, &files)?)),
                None if stdout.is_some_and(|first| first != *format) => bail!(
                    "two formats cannot both go to standard output; write one to a file: --format {name}=FILE",
                    name = format.name()
                ),
                None => stdout = Some(*format),
            }
        }
        let options = TextOptions {
            quiet: args.quiet,
            verbose: args.verbose,
            palette: palette(args.color, Stream::Stdout),
        };
        Ok(Self { stdout: Some(stdout.unwrap_or(Format::Text)), files, options })
    }

    /// Writes them all, the files first: whoever reads standard output may stop doing so. Returns what went wrong.
    pub(crate) fn write(&self, seen: &Seen<'_>) -> Vec<anyhow::Error> {
        let plain = TextOptions { palette: Palette::default(), ..self.options };
        let files = self.files.iter().map(|(format, file)| file.write(|out| format.write(out, seen, &plain)));
        let stdout = self.stdout.iter().map(|format| to_stdout(|out| format.write(out, seen, &self.options)));
        files.chain(stdout).filter_map(Result::err).collect()
    }
}

fn prepare(format: Format, path: &Path, others: &[(Format, ReportFile)]) -> anyhow::Result<ReportFile> {
    let file = ReportFile::prepare(path)?;
    if others.iter().any(|(_, other)| other.path() == file.path()) {
        bail!(
            "two formats cannot both be written to {}; give {} a file of its own",
            path.display(),
            format.name()
        );
    }
    Ok(file)
}

/// A stream that may be a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// The colours for a stream: `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM=dumb` have their say under `auto`.
pub(crate) fn palette(color: Color, stream: Stream) -> Palette {
    let paint = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            let choice = match stream {
                Stream::Stdout => anstream::AutoStream::choice(&io::stdout()),
                Stream::Stderr => anstream::AutoStream::choice(&io::stderr()),
            };
            choice != anstream::ColorChoice::Never
        }
    };
    if paint { Palette::ANSI } else { Palette::default() }
}

/// Whether somebody watches standard error.
pub(crate) fn stderr_is_watched() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Foreign text on one line.
pub(crate) fn one_line(text: &str) -> String {
    harmless(text).replace('\n', "\\n")
}

/// A result's name among those of its resource: its id without the resource, and its label where that says more.
pub(crate) fn name(result: &CheckResult) -> String {
    let id = match &result.resource {
        Some(resource) => result.id.strip_prefix(&**resource).unwrap_or(&result.id),
        None => result.id.strip_prefix("cross").unwrap_or(&result.id),
    };
    let id = id.strip_prefix('/').unwrap_or(id);
    let known = result.label.is_empty() || id.ends_with(&format!("/{}", result.label));
    one_line(&if known { id.to_owned() } else { format!("{id} ({})", result.label) })
}

/// A result's name with whom it is about: `web: HealthcheckAssert (/health)`, `api → db: ServiceConnectivityAssert (tcp)`.
fn title(result: &CheckResult) -> String {
    let about = result.relationship.as_deref().or(result.resource.as_deref()).unwrap_or("cross");
    format!("{}: {}", one_line(about), name(result))
}

/// Where it is declared, if that is in a file.
fn place(result: &CheckResult) -> Option<&Place> {
    result.place.as_ref().filter(|place| &*place.file != STANDARD_INPUT)
}

/// All that was found.
fn story(result: &CheckResult) -> String {
    let mut story = result.message.clone();
    for (what, text) in [
        ("relationship", result.relationship.as_deref()),
        ("expected", result.expected.as_deref()),
        ("actual", result.actual.as_deref()),
    ] {
        if let Some(text) = text {
            story.push_str(&format!("\n{what}: {text}"));
        }
    }
    story
}

/// The text's first line, which says it all.
fn headline(report: &Report) -> String {
    struct First(String);
    impl std::fmt::Write for First {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            let (line, more) = text.split_once('\n').map_or((text, false), |(line, _)| (line, true));
            self.0.push_str(line);
            // Nobody reads on.
            if more { Err(std::fmt::Error) } else { Ok(()) }
        }
    }
    let mut first = First(String::new());
    let _ = clockwork_core::write_text(&mut first, report, &TextOptions::default());
    first.0
}

/// Why a run that no result fails is not a pass, for formats that know results alone.
pub(crate) fn failed_as_a_whole(report: &Report) -> Option<&'static str> {
    if report.interrupted {
        return Some("the run was interrupted");
    }
    let told = report.results.iter().any(|result| result.fails_the_run());
    (!report.passed() && !told).then_some("no assertion was judged, so nothing was proven")
}

/// The results by id.
pub(crate) fn by_id(report: &Report) -> HashMap<&str, &CheckResult> {
    report.results.iter().map(|result| (&*result.id, &**result)).collect()
}

#[cfg(test)]
mod tests;
