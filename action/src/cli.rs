//! The command line, as clap reads it.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clockwork_core::{duration, nearest, text::quote};

use crate::{format::Format, graph::GraphFormat};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "clockwork", version, about = "Asserts that what was deployed is what was meant")]
#[command(max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) action: Action,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all held; 1 an assertion failed or could not be judged; 2 the command line or the manifest is wrong, and \
nothing ran; 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Observe and judge; change nothing
    #[command(after_help = EXIT_CODES)]
    Assert(AssertArgs),
    /// Observe and judge, and draw what depends on what, with the verdicts
    #[command(after_help = EXIT_CODES)]
    Graph(GraphArgs),
    /// Print the JSON Schema of the manifest, for an editor's completion
    Schema(SchemaArgs),
    /// Print the version
    Version,
}

#[derive(Debug, Args)]
pub(crate) struct AssertArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Write the result to standard output, or to FILE; repeatable. Text goes to standard output unless another format
    /// does. FORMAT is text, json, junit, tap, github, github-output, markdown, html, sarif or prometheus
    #[arg(long, value_name = "FORMAT[=FILE]", value_parser = target)]
    pub(crate) format: Vec<Target>,
    /// Write report.json, report.junit.xml, report.sarif and report.html into DIR, which is made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(crate) report_dir: Option<PathBuf>,
    /// What makes the command fail: a failure (or what could not be judged), or a warning, too
    #[arg(long, value_name = "WHAT", default_value = "failed")]
    pub(crate) fail_on: FailOn,
    /// Leave the annotations out of the format github
    #[arg(long)]
    pub(crate) no_annotations: bool,
    /// Show only the verdict and what did not pass, and no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Show also what those that passed saw, how long each took, and every change of a repeated check
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Colour the output
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// Draw what is declared without looking at anything
    #[arg(long, conflicts_with_all = [
        "only", "tag", "concurrency", "within", "timeout", "deadline", "fail_fast", "no_cache", "grace"
    ])]
    pub(crate) declared: bool,
    /// How to draw it
    #[arg(long, default_value = "text")]
    pub(crate) format: GraphFormat,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Colour the output
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Print instead the type hints of the module `clockwork`, which checks in Python import: for `clockwork.pyi` beside
    /// them
    #[arg(long)]
    pub(crate) python: bool,
}

/// Where the project comes from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Project")]
pub(crate) struct SourceArgs {
    /// Read the project from FILE; `-` is standard input [default: clockwork.yaml, or else the program of the Cargo.toml
    /// here]
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Set the manifest's `${vars.X}`; repeatable
    #[arg(long, value_name = "X=VALUE", value_parser = variable)]
    pub(crate) var: Vec<(String, String)>,
    /// Set variables from a YAML map; repeatable, and --var goes before
    #[arg(long, value_name = "FILE")]
    pub(crate) vars_file: Vec<PathBuf>,
}

/// How to run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct RunArgs {
    /// Judge only the assertions on or about this resource; repeatable
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) only: Vec<String>,
    /// Judge only the assertions with this tag; repeatable
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Vec<String>,
    /// How many assertions are looked at at the same time
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<NonZeroUsize>,
    /// Keep trying each assertion until it passes, at most this long, where it does not say so itself
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) within: Option<Duration>,
    /// How long one attempt may take, where the assertion does not say so itself
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub(crate) timeout: Option<Duration>,
    /// How long the whole run may take
    #[arg(long, value_name = "DURATION", value_parser = positive)]
    pub(crate) deadline: Option<Duration>,
    /// Look at everything, also at what passed not long ago and may be used again (`fresh_for`)
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Stop at the first failure
    #[arg(long)]
    pub(crate) fail_fast: bool,
    /// Once the run is interrupted, wait at most this long for what assertions have to undo [default: 15s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub(crate) grace: Option<Duration>,
}

/// What makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// What fails the run's verdict
    Failed,
    /// A warning, too
    Warning,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// A format and where it goes; `None` is standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) format: Format,
    pub(crate) file: Option<PathBuf>,
}

fn target(text: &str) -> Result<Target, String> {
    let (name, file) = match text.split_once('=') {
        Some((_, "")) => return Err("name the file after the `=`".to_owned()),
        Some((name, "-")) => (name, None),
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    match Format::ALL.into_iter().find(|format| format.name() == name) {
        Some(format) => Ok(Target { format, file }),
        None => {
            let names = Format::ALL.map(Format::name);
            let near =
                nearest(name, names).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            Err(format!("there is no format {}; {near}there are {}", quote(name), names.join(", ")))
        }
    }
}

/// Where results were to go, as far as it can be told from a command line that is wrong elsewhere.
pub(crate) fn targets(args: &[OsString]) -> Vec<Target> {
    let mut words = args.iter().filter_map(|word| word.to_str());
    let mut targets = Vec::new();
    while let Some(word) = words.next() {
        let given = match word.strip_prefix("--format") {
            Some("") => words.next(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        targets.extend(given.and_then(|given| target(given).ok()));
    }
    targets
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

fn positive(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        Duration::ZERO => Err("it must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}
