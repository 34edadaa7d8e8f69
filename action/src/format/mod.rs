//! The formats of a result, one file each. All are folds over a finished [`Report`], and none trusts what is in it:
//! messages quote the outside.

mod escape;
mod github;
mod github_output;
mod html;
mod json;
mod junit;
mod markdown;
mod nothing_ran;
mod prometheus;
mod sarif;
mod tap;
mod text;
mod told;

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
    thread,
};

use anyhow::{Context as _, bail};
use clockwork_core::{
    CheckResult, Graph, Palette, Place, Project, Report, Secrets, TextOptions, duration::show,
};

use crate::{
    cli::{AssertArgs, Color, FailOn, Target},
    exit::Exit,
    graph::Drawing,
    output::{ReportFile, to_stdout},
    runner,
    source::STANDARD_INPUT,
};

pub(crate) use escape::{Xml, one_line};
pub(crate) use nothing_ran::tell as tell_nothing_ran;
pub(crate) use told::Told;

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
    /// For the outputs of a GitHub Actions step.
    GithubOutput,
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
    /// What makes the command fail.
    pub(crate) fail_on: FailOn,
    /// Whether failures are shown where they are declared.
    pub(crate) annotated: bool,
    /// The files that it is written to.
    pub(crate) files: &'a [(Format, PathBuf)],
    pub(crate) shared: &'a Shared<'a>,
}

/// What several formats need, made for the first that asks.
#[derive(Debug, Default)]
pub(crate) struct Shared<'a> {
    told: OnceLock<Vec<Told<'a>>>,
    drawing: OnceLock<Drawing>,
}

impl<'a> Seen<'a> {
    fn told(&self) -> &'a [Told<'a>] {
        let report = self.report;
        self.shared.told.get_or_init(|| report.results.iter().map(|result| Told::of(result)).collect())
    }

    fn drawing(&self) -> &'a Drawing {
        self.shared.drawing.get_or_init(|| Drawing::new(self.project, self.graph, Some(self.report)))
    }
}

impl Format {
    pub(crate) const ALL: [Self; 10] = [
        Self::Text,
        Self::Json,
        Self::Junit,
        Self::Tap,
        Self::Github,
        Self::GithubOutput,
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
            Self::GithubOutput => "github-output",
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
            Self::Junit => junit::write(out, seen),
            Self::Tap => tap::write(out, seen),
            Self::Github => github::write(out, seen, options),
            Self::GithubOutput => github_output::write(out, seen),
            Self::Markdown => markdown::write(out, seen),
            Self::Html => html::write(out, seen),
            Self::Sarif => sarif::write(out, seen),
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
    fail_on: FailOn,
    annotated: bool,
}

/// From here on it pays to write the files at the same time.
const MANY: usize = 1000;

/// What is in a report's directory.
const REPORTS: [(Format, &str); 4] = [
    (Format::Json, "report.json"),
    (Format::Junit, "report.junit.xml"),
    (Format::Sarif, "report.sarif"),
    (Format::Html, "report.html"),
];

impl Outputs {
    /// Finds out before the run what goes where, and whether it can.
    pub(crate) fn prepare(args: &AssertArgs) -> anyhow::Result<Self> {
        let mut stdout = None;
        let mut files: Vec<(Format, ReportFile)> = Vec::new();
        if let Some(directory) = &args.report_dir {
            fs::create_dir_all(directory)
                .with_context(|| format!("cannot make the directory {}", directory.display()))?;
            for (format, name) in REPORTS {
                files.push((format, prepare(format, &directory.join(name), &files)?));
            }
        }
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
        let github = args.format.iter().any(|target| target.format == Format::Github);
        if args.no_annotations && !github {
            bail!("--no-annotations has no meaning without --format github");
        }
        let options = TextOptions {
            quiet: args.quiet,
            verbose: args.verbose,
            palette: palette(args.color, Stream::Stdout),
        };
        let (fail_on, annotated) = (args.fail_on, !args.no_annotations);
        Ok(Self { stdout: Some(stdout.unwrap_or(Format::Text)), files, options, fail_on, annotated })
    }

    /// Writes them all, the files first: whoever reads standard output may stop doing so. Returns what went wrong.
    pub(crate) fn write(
        &self,
        project: &Project,
        graph: &Graph,
        report: &Report,
        secrets: &Secrets,
    ) -> Vec<anyhow::Error> {
        let files: Vec<_> =
            self.files.iter().map(|(format, file)| (*format, file.path().to_owned())).collect();
        let (fail_on, annotated, shared) = (self.fail_on, self.annotated, &Shared::default());
        let seen = Seen { project, graph, report, fail_on, annotated, files: &files, shared };
        let plain = TextOptions { palette: Palette::default(), ..self.options };
        let file = |(format, file): &(Format, ReportFile)| file.write(|out| format.write(out, &seen, &plain));
        let files: Vec<_> = match report.results.len() {
            ..MANY => self.files.iter().map(file).collect(),
            _ => thread::scope(|scope| {
                let writing: Vec<_> =
                    self.files.iter().map(|target| scope.spawn(move || file(target))).collect();
                let broken =
                    || Err(anyhow::Error::msg("a format could not be written: a defect of Clockwork"));
                writing.into_iter().map(|one| one.join().unwrap_or_else(|_| broken())).collect()
            }),
        };
        let stdout = self.stdout.iter().map(|format| {
            to_stdout(|out| match format {
                Format::Github => {
                    if runner::reads_our_log() {
                        github::masks(out, &secrets.read_so_far())?;
                    }
                    format.write(out, &seen, &self.options)
                }
                // Whoever runs a plain `clockwork assert` as a step is no less safe.
                Format::Text if runner::reads_our_log() => {
                    let mut text = Vec::new();
                    format.write(&mut text, &seen, &self.options)?;
                    out.write_all(runner::for_the_log(&String::from_utf8_lossy(&text)).as_bytes())
                }
                _ => format.write(out, &seen, &self.options),
            })
        });
        files.into_iter().chain(stdout).filter_map(Result::err).collect()
    }
}

fn prepare(format: Format, path: &Path, others: &[(Format, ReportFile)]) -> anyhow::Result<ReportFile> {
    // The outputs of a step are added to those that are there, and so is what goes to the job's summary.
    let names_it = |name| std::env::var_os(name).is_some_and(|file| file == path.as_os_str());
    let adds = format == Format::GithubOutput || names_it("GITHUB_STEP_SUMMARY");
    let file = ReportFile::prepare(path, adds)?;
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
            story.extend(["\n", what, ": ", text]);
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

/// Why the command fails though no result fails it.
fn why_it_fails(seen: &Seen<'_>) -> Option<Cow<'static, str>> {
    let Seen { report, fail_on, .. } = *seen;
    let warned = report.passed() && Exit::of(report, fail_on) != Exit::Held;
    let warnings = || match report.summary.warnings {
        1 => String::from("there is a warning, and warnings were to fail the run"),
        more => format!("there are {more} warnings, and they were to fail the run"),
    };
    failed_as_a_whole(report).map(Cow::Borrowed).or_else(|| warned.then(|| warnings().into()))
}

/// The results by id.
pub(crate) fn by_id(report: &Report) -> HashMap<&str, &CheckResult> {
    report.results.iter().map(|result| (&*result.id, &**result)).collect()
}

#[cfg(test)]
mod tests;
