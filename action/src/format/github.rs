//! For the log of a GitHub Actions job: the first line and what did not pass, all results in a group that is folded, then
//! an annotation for each failure and warning, at the line that declares it.
//!
//! The runner reads commands from the log (see [`crate::runner`]), so none may come from a message. It keeps ten errors
//! and ten warnings of a step, and 4,096 characters of each. Everything else that it would have to say of the step counts,
//! too: nine results are annotated, and the tenth annotation says how many more there are.

use std::{
    borrow::Cow,
    env,
    io::{self, Write},
    path::Path,
};

use clockwork_core::{CheckResult, ExposeSecret, Outcome, Place, SecretString, TextOptions, text::harmless};

use super::{Seen, Told, place, story, text, why_it_fails};
use crate::runner::{Data, Property, no_command};

/// How many annotations of one sort there are, beside the one that counts the rest.
const SHOWN: usize = 9;
/// How many characters of an annotation's message are shown; whoever wants more reads the log.
const MESSAGE: usize = 3_000;

pub(super) fn write(out: &mut impl Write, seen: &Seen<'_>, options: &TextOptions) -> io::Result<()> {
    let report = seen.report;
    lines(out, seen, &TextOptions { quiet: true, ..*options }, 0)?;
    let passed = report.results.iter().any(|result| result.verdict == Outcome::Passed);
    if passed && !options.quiet {
        writeln!(out, "::group::All {} results", report.results.len())?;
        lines(out, seen, options, 1)?;
        writeln!(out, "::endgroup::")?;
    }
    if !seen.annotated {
        return Ok(());
    }
    let of = |wanted: fn(&CheckResult) -> bool| {
        let results = report.results.iter().map(|result| &**result);
        results.filter(move |result| wanted(result)).map(Annotation::of)
    };
    let whole = why_it_fails(seen).map(Annotation::of_the_run);
    annotations(out, "error", whole.into_iter().chain(of(CheckResult::fails_the_run)))?;
    annotations(out, "warning", of(CheckResult::is_warning))
}

/// The text from this line on, no line of it a command.
fn lines(out: &mut impl Write, seen: &Seen<'_>, options: &TextOptions, from: usize) -> io::Result<()> {
    let mut plain = Vec::new();
    text::write(&mut plain, seen.report, options)?;
    for line in String::from_utf8_lossy(&plain).lines().skip(from) {
        writeln!(out, "{}", no_command(line))?;
    }
    Ok(())
}

/// Has the runner mask what the run has read. Only for the runner itself: these lines hold the secrets.
pub(super) fn masks(out: &mut impl Write, secrets: &[SecretString]) -> io::Result<()> {
    secrets.iter().try_for_each(|secret| writeln!(out, "::add-mask::{}", Data(secret.expose_secret())))
}

/// What is shown beside a line of a file.
pub(super) struct Annotation<'a> {
    place: Option<Cow<'a, Place>>,
    about: About<'a>,
}

enum About<'a> {
    Result(&'a CheckResult),
    /// The run as a whole.
    Run(Cow<'a, str>),
}

impl<'a> Annotation<'a> {
    fn of(result: &'a CheckResult) -> Self {
        Self { place: place(result).map(Cow::Borrowed), about: About::Result(result) }
    }

    /// About the run as a whole.
    pub(super) fn of_the_run(message: impl Into<Cow<'a, str>>) -> Self {
        Self { place: None, about: About::Run(message.into()) }
    }

    /// About this place.
    pub(super) fn at(self, place: Option<Place>) -> Self {
        Self { place: place.map(Cow::Owned), ..self }
    }
}

/// Up to nine of them, and how many more there are.
pub(super) fn annotations<'a>(
    out: &mut impl Write,
    command: &str,
    mut all: impl Iterator<Item = Annotation<'a>>,
) -> io::Result<()> {
    let workspace = env::var_os("GITHUB_WORKSPACE");
    let workspace = workspace.as_deref().map(Path::new);
    for Annotation { place, about } in all.by_ref().take(SHOWN) {
        write!(out, "::{command} ")?;
        if let Some(Place { file, line, column }) = place.as_deref() {
            let file = in_workspace(file, workspace);
            write!(out, "file={}", Property(&file))?;
            if *line > 0 {
                write!(out, ",line={line},col={column}")?;
            }
            out.write_all(b",")?;
        }
        let (title, message): (Cow<'_, str>, _) = match about {
            About::Result(result) => {
                (Told::of(result).title().to_owned().into(), harmless(&story(result)).into_owned().into())
            }
            About::Run(message) => ("Clockwork".into(), message),
        };
        let message: String = message.chars().take(MESSAGE).collect();
        writeln!(out, "title={}::{}", Property(&title), Data(&message))?;
    }
    match all.count() {
        0 => Ok(()),
        more => writeln!(
            out,
            "::{command} title=Clockwork::and {more} more; the log and the report have them all"
        ),
    }
}

/// The path as the repository has it.
fn in_workspace<'a>(file: &'a str, workspace: Option<&Path>) -> Cow<'a, str> {
    let inside = || {
        let there = env::current_dir().ok()?.join(file).canonicalize().ok()?;
        let inside = there.strip_prefix(workspace?.canonicalize().ok()?).ok()?;
        Some(inside.to_str()?.to_owned())
    };
    inside().map_or(Cow::Borrowed(file), Cow::Owned)
}
