//! What stands in a step's log, outputs and summary where the command line or the manifest was wrong: what is wrong, at the
//! place where it is. The other formats have no word for a run that never began, and their files are left as they were.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
};

use clockwork_core::{ManifestError, ManifestProblem, Place, text::harmless};

use super::{
    Format,
    github::{Annotation, annotations},
    github_output, markdown,
};
use crate::{
    cli::Target,
    output::{ReportFile, to_stdout},
    runner::reads_our_log,
    source::STANDARD_INPUT,
};

/// Tells it wherever it can be told. What cannot be written is no news any more: the command has failed.
pub(crate) fn tell(targets: &[Target], error: &anyhow::Error) {
    let said = harmless(format!("{error:#}").trim_end()).into_owned();
    for Target { format, file } in targets {
        let _ = match (format, file) {
            (Format::Github, None) => to_stdout(|out| annotate(out, error, &said)),
            (Format::GithubOutput, Some(file)) => append(file, github_output::nothing_ran),
            (Format::Markdown, Some(file)) if reads_our_log() => {
                append(file, |out| markdown::nothing_ran(out, &said))
            }
            _ => Ok(()),
        };
    }
}

fn append(
    file: &std::path::Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> anyhow::Result<()> {
    ReportFile::prepare(file, true)?.write(write)
}

fn annotate(out: &mut impl Write, error: &anyhow::Error, said: &str) -> io::Result<()> {
    match error.downcast_ref::<ManifestError>() {
        Some(error) => annotations(out, "error", error.problems().iter().map(annotation)),
        None => annotations(out, "error", std::iter::once(Annotation::of_the_run(said))),
    }
}

fn annotation(problem: &ManifestProblem) -> Annotation<'static> {
    let help = problem.help.iter().map(|help| format!("\nhelp: {}", harmless(help)));
    let message = format!("{}{}", harmless(&problem.message), help.collect::<String>());
    let (file, line, column) = (problem.file.as_str().into(), problem.line, problem.column);
    let place = Place { file, line, column };
    Annotation::of_the_run(message).at(Some(place).filter(|place| &*place.file != STANDARD_INPUT))
}
