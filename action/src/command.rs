//! [`Command`]: the whole command, for the binary and for Rust programs.

use std::{ffi::OsString, fmt, io::Write, process::ExitCode, sync::Arc};

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches};
use clockwork_core::{
    Driver, Engine, EngineBuilder, Graph, ManifestError, Project, Registry, Report, Secrets, text::harmless,
};
use clockwork_drivers::vantage::Helper;

use crate::{
    cargo_program,
    cli::{Action, AssertArgs, Cli, FailOn, GraphArgs, RunArgs, SourceArgs, targets},
    exit::Exit,
    format::{Outputs, Stream, palette, tell_nothing_ran},
    graph,
    output::{Stdout, to_stdout},
    passes::PassesFile,
    progress::Progress,
    run::Run,
    runner::{for_the_log, reads_our_log},
    source::{self, Source},
};

/// What stands first on the command line where this program runs in a helper container, and only carries bytes.
const RELAY: &str = "__relay";

/// The command for a project that is declared in Rust.
///
/// ```no_run
/// # use clockwork_core::prelude::*;
/// fn main() -> ExitCode {
///     clockwork_action::main(Project::new("sums").assert(assertion("adds up", async |_: Context| 2 + 2 == 4)))
/// }
/// ```
pub fn main(project: Project) -> ExitCode {
    Command::new().project(project).main()
}

/// The command, with kinds of one's own: for a binary that reads manifests which name them.
///
/// ```no_run
/// # mod my_crate { pub fn register(_: &mut clockwork_core::Registry) {} }
/// fn main() -> std::process::ExitCode {
///     clockwork_action::Command::new().register(my_crate::register).main()
/// }
/// ```
#[must_use = "nothing runs until `main` is called"]
pub struct Command {
    engine: EngineBuilder,
    project: Option<Project>,
    /// It runs code that is not ours.
    foreign: bool,
}

impl Command {
    /// The command with the built-in kinds.
    pub fn new() -> Self {
        let engine =
            Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
        let engine = engine.provide(Helper::this_program(RELAY));
        Self { engine, project: None, foreign: false }
    }

    /// Adds a crate's kinds, for manifests.
    pub fn register(mut self, register: impl FnOnce(&mut Registry)) -> Self {
        self.engine = self.engine.register(register);
        self.foreign = true;
        self
    }

    /// Uses this driver for its kinds, instead of the one that a resource brings with it.
    pub fn driver(mut self, driver: impl Driver + 'static) -> Self {
        self.engine = self.engine.driver(driver);
        self.foreign = true;
        self
    }

    /// Asserts this project instead of a manifest.
    pub fn project(mut self, project: Project) -> Self {
        self.project = Some(project);
        self.foreign = true;
        self
    }

    /// Does what the process's command line says. To be called from a plain `fn main`, as it brings its own runtime.
    pub fn main(self) -> ExitCode {
        let args: Vec<OsString> = std::env::args_os().collect();
        if args.get(1).is_some_and(|word| word == RELAY) {
            let rest = args.iter().skip(2).map(|word| word.to_string_lossy().into_owned());
            return clockwork_drivers::vantage::relay(&rest.collect::<Vec<_>>());
        }
        let action = match self.parse(&args) {
            Ok(cli) => cli.action,
            Err(error) => return wrong_usage(&error, &args),
        };
        let exit = self.act(action, &args).unwrap_or_else(|error| {
            complain(&error);
            tell_nothing_ran(&targets(&args), &error);
            Exit::Usage
        });
        exit.into()
    }

    fn parse(&self, args: &[OsString]) -> Result<Cli, clap::Error> {
        let mut command = Cli::command();
        if self.project.is_some() {
            // Still parsed, so that whoever tries them is told why they have no meaning.
            for name in ["assert", "graph"] {
                command = command.mut_subcommand(name, |command| {
                    let options = ["manifest", "var", "vars_file"];
                    options.iter().fold(command, |command, id| command.mut_arg(id, |arg| arg.hide(true)))
                });
            }
        }
        Cli::from_arg_matches(&command.try_get_matches_from(args)?)
    }

    /// An error means that nothing ran.
    fn act(self, action: Action, args: &[OsString]) -> anyhow::Result<Exit> {
        match action {
            Action::Assert(options) => self.assert(&options, args),
            Action::Graph(options) => self.graph(&options, args),
            Action::Schema(options) if options.python => {
                Ok(print(|out| out.write_all(clockwork_drivers::python::STUB.as_bytes())))
            }
            Action::Schema(_) => {
                let schema = self.engine.build().context(BAD_REGISTRY)?.schema();
                Ok(print(|out| {
                    serde_json::to_writer_pretty(&mut *out, &schema)?;
                    out.write_all(b"\n")
                }))
            }
            Action::Version => Ok(print(|out| writeln!(out, "clockwork {}", env!("CARGO_PKG_VERSION")))),
        }
    }

    fn assert(self, options: &AssertArgs, args: &[OsString]) -> anyhow::Result<Exit> {
        let outputs = Outputs::prepare(options)?;
        let engine = self.engine.build().context(BAD_REGISTRY)?;
        let (project, graph) = match Source::find(&options.source, &engine, self.project)? {
            Source::Project(project, graph) => (project, Arc::new(*graph)),
            Source::Program(directory) => return cargo_program::run(&directory, args, options.quiet),
        };
        if !options.quiet {
            warn_of_stale(&graph);
        }
        let progress = Progress::new(options.quiet, options.color, &project, &graph);
        let secrets = Secrets::default();
        let report = run(engine, &graph, &options.source, &options.run, &secrets, self.foreign, progress)?;
        let exit = Exit::of(&report, options.fail_on);
        if exit == Exit::Failed && report.passed() {
            complain(&anyhow::Error::msg("there are warnings, which --fail-on warning makes failures"));
        }
        let errors = outputs.write(&project, &graph, &report, &secrets);
        errors.iter().for_each(complain);
        // The process ends: to give all that back piece by piece would only take time.
        std::mem::forget((project, graph, report));
        Ok(if errors.is_empty() { exit } else { exit.unwritten() })
    }

    fn graph(self, options: &GraphArgs, args: &[OsString]) -> anyhow::Result<Exit> {
        let engine = self.engine.build().context(BAD_REGISTRY)?;
        let (project, graph) = match Source::find(&options.source, &engine, self.project)? {
            Source::Project(project, graph) => (project, Arc::new(*graph)),
            Source::Program(directory) => return cargo_program::run(&directory, args, options.quiet),
        };
        let report = if options.declared {
            None
        } else {
            let progress = Progress::new(options.quiet, options.color, &project, &graph);
            let secrets = Secrets::default();
            Some(run(engine, &graph, &options.source, &options.run, &secrets, self.foreign, progress)?)
        };
        let drawing = graph::Drawing::new(&project, &graph, report.as_deref());
        let exit = report.as_deref().map_or(Exit::Held, |report| Exit::of(report, FailOn::Failed));
        let written =
            print(|out| drawing.write(out, options.format, &palette(options.color, Stream::Stdout)));
        Ok(if written == Exit::Held { exit } else { exit.unwritten() })
    }
}

/// Runs it with what passed before, and keeps what passes now.
fn run(
    engine: Engine,
    graph: &Arc<Graph>,
    source: &SourceArgs,
    options: &RunArgs,
    secrets: &Secrets,
    foreign: bool,
    progress: Progress,
) -> anyhow::Result<Arc<Report>> {
    let passes = PassesFile::open(graph, source::directory(source), complain);
    let run = Run::new(engine, Arc::clone(graph), options, passes.passes(), secrets.clone(), foreign)?;
    let report = run.watch(progress)?;
    passes.save().unwrap_or_else(|error| complain(&error));
    Ok(report)
}

const BAD_REGISTRY: &str = "two crates bring kinds of the same name";

impl Default for Command {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command").field("project", &self.project).finish_non_exhaustive()
    }
}

fn print(write: impl FnOnce(&mut Stdout) -> std::io::Result<()>) -> Exit {
    match to_stdout(write) {
        Ok(()) => Exit::Held,
        Err(error) => {
            complain(&error);
            Exit::Failed
        }
    }
}

/// Says on standard error what stands in the lock for nobody.
fn warn_of_stale(graph: &Graph) {
    for stale in graph.lock().map(|lock| lock.stale(graph)).unwrap_or_default() {
        // As for what is wrong: whoever closed standard error does not want to know.
        let _ = std::io::stderr()
            .lock()
            .write_all(for_the_log(&format!("warning: {}\n", harmless(&stale))).as_bytes());
    }
}

/// Says on standard error what is wrong.
fn complain(error: &anyhow::Error) {
    // A manifest's errors each say that they are one.
    let lead = if error.is::<ManifestError>() { "" } else { "error: " };
    let text = format!("{lead}{error:#}");
    let text = format!("{}\n", text.trim_end());
    // Whoever closed standard error does not want to know.
    let _ = std::io::stderr().lock().write_all(for_the_log(&harmless(&text)).as_bytes());
}

/// The command line is wrong, or only asks for help.
fn wrong_usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        // Help that nobody reads is no failure.
        let _ = error.print();
        return Exit::Held.into();
    }
    let said = error.render();
    if reads_our_log() {
        let _ = std::io::stderr().lock().write_all(for_the_log(&harmless(&said.to_string())).as_bytes());
    } else {
        let _ = error.print();
    }
    tell_nothing_ran(&targets(args), &anyhow::Error::msg(said.to_string()));
    Exit::Usage.into()
}
