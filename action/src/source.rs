//! Where the project comes from: the program itself, a manifest, or the Rust program of the current directory.

use std::{
    env,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow, bail, ensure};
use clockwork_core::{Engine, Graph, ManifestInput, Project};

use crate::cli::SourceArgs;

/// The manifest, where no other is named.
const DEFAULT: &str = "clockwork.yaml";

/// What its sentences stand for, beside it.
const LOCK: &str = "clockwork.lock.yaml";

/// What people call it by mistake.
const MISTAKEN: [&str; 4] = ["clockwork.yml", "Clockwork.yaml", "clockwork.json", ".clockwork.yaml"];

/// What a manifest is called that has no file.
pub(crate) const STANDARD_INPUT: &str = "standard input";

/// Nobody writes more than this by hand, and whatever is longer (`/dev/zero`) must not fill the memory.
const LIMIT: u64 = 32 << 20;

/// What there is to run.
#[derive(Debug)]
pub(crate) enum Source {
    /// A project, and the same validated.
    Project(Box<Project>, Box<Graph>),
    /// The Rust program of this directory, which is yet to be found, built and run.
    Program(PathBuf),
}

impl Source {
    /// Finds the project. `own` is the one that the program declares itself.
    pub(crate) fn find(args: &SourceArgs, engine: &Engine, own: Option<Project>) -> anyhow::Result<Self> {
        if let Some(project) = own {
            let given = [
                ("--manifest", args.manifest.is_some()),
                ("--var", !args.var.is_empty()),
                ("--vars-file", !args.vars_file.is_empty()),
            ];
            if let Some((option, _)) = given.iter().find(|(_, given)| *given) {
                bail!(
                    "this program declares its project itself, so {option} has no meaning here; leave it out, or run \
                     the `clockwork` command instead"
                );
            }
            let graph = Graph::new(&project)?;
            return Ok(Self::Project(Box::new(project), Box::new(graph)));
        }
        let manifest = match &args.manifest {
            Some(manifest) => manifest.as_path(),
            None if Path::new(DEFAULT).exists() => Path::new(DEFAULT),
            None => return nothing_here(),
        };
        read(manifest, args, engine).map(|(project, graph)| Self::Project(Box::new(project), Box::new(graph)))
    }
}

/// There is no manifest, so there is a program, or a way out to be named.
fn nothing_here() -> anyhow::Result<Source> {
    let here = env::current_dir().context("cannot tell the current directory")?;
    if let Some(other) = MISTAKEN.iter().find(|name| here.join(name).exists()) {
        bail!("there is no {DEFAULT} here, but there is {other}; rename it, or pass --manifest {other}");
    }
    if here.join("Cargo.toml").exists() {
        return Ok(Source::Program(here));
    }
    Err(anyhow!(
        "there is no {DEFAULT} in {}; write one, name another with --manifest FILE, or go to the directory of a Rust \
         program that uses clockwork-action",
        here.display()
    ))
}

/// Where the project is at home: beside its manifest, or here.
pub(crate) fn directory(args: &SourceArgs) -> &Path {
    let manifest = args.manifest.as_deref().filter(|manifest| *manifest != Path::new("-"));
    let beside = manifest.and_then(Path::parent).filter(|directory| !directory.as_os_str().is_empty());
    beside.unwrap_or(Path::new("."))
}

fn read(manifest: &Path, args: &SourceArgs, engine: &Engine) -> anyhow::Result<(Project, Graph)> {
    let (name, bytes) = if manifest == Path::new("-") {
        (STANDARD_INPUT.to_owned(), bounded(io::stdin().lock(), 0, STANDARD_INPUT)?)
    } else {
        (manifest.display().to_string(), file(manifest, "the manifest")?)
    };
    let vars_files = args.vars_file.iter().map(|path| {
        let bytes = file(path, "the variables")?;
        Ok((path.display().to_string(), bytes))
    });
    let vars_files = vars_files.collect::<anyhow::Result<_>>()?;
    let lock = lock(manifest)?;
    let input = ManifestInput { name, bytes, vars: args.var.clone(), vars_files, lock };
    Ok(engine.read_graph(&input, &|name| env::var(name).ok())?)
}

/// The lock beside the manifest, where there is one. What comes from standard input has nothing beside it.
fn lock(manifest: &Path) -> anyhow::Result<Option<(String, Vec<u8>)>> {
    if manifest == Path::new("-") {
        return Ok(None);
    }
    let path = manifest.with_file_name(LOCK);
    let there = path.try_exists().with_context(|| format!("cannot look for {}", path.display()))?;
    Ok(if there { Some((path.display().to_string(), file(&path, "the lock")?)) } else { None })
}

fn file(path: &Path, what: &str) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("cannot read {what}, {shown}"))?;
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    bounded(file, length, &shown.to_string())
}

/// Reads it to its end, with room for so much from the beginning.
fn bounded(source: impl Read, length: u64, name: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(LIMIT) as usize + 1);
    source.take(LIMIT + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    ensure!(bytes.len() as u64 <= LIMIT, "{name} is longer than {} MiB; is it the right file?", LIMIT >> 20);
    Ok(bytes)
}
