//! The formats of a result, one file each. All are folds over a finished [`Report`], and none trusts what is in it:
//! messages quote the outside.

mod json;
mod junit;
mod tap;
mod text;

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    path::Path,
};

use anyhow::bail;
use clockwork_core::{CheckResult, Palette, Report, TextOptions, text::harmless};

use crate::{
    cli::{AssertArgs, Color, Target},
    output::{ReportFile, to_stdout},
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
}

impl Format {
    pub(crate) const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Junit, Self::Tap];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Tap => "tap",
        }
    }

    pub(crate) fn write(
        self,
        out: &mut impl Write,
        report: &Report,
        options: &TextOptions,
    ) -> io::Result<()> {
        match self {
            Self::Text => text::write(out, report, options),
            Self::Json => json::write(out, report),
            Self::Junit => junit::write(out, report),
            Self::Tap => tap::write(out, report),
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
    pub(crate) fn write(&self, report: &Report) -> Vec<anyhow::Error> {
        let plain = TextOptions { palette: Palette::default(), ..self.options };
        let files =
            self.files.iter().map(|(format, file)| file.write(|out| format.write(out, report, &plain)));
        let stdout =
            self.stdout.iter().map(|format| to_stdout(|out| format.write(out, report, &self.options)));
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
