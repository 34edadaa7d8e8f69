//! The Rust program of the current directory: found, built and run in this process's place.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;

use crate::{exit::Exit, system};

/// What a program has to depend on to be one of ours.
const SDK: &str = "clockwork-action";

/// Tells a program that it was started from here, so that one without a project of its own does not look for itself.
const STARTED_BY: &str = "CLOCKWORK_STARTED_BY";

/// Builds the program and becomes it, with these arguments. Returns only when that failed; then nothing ran.
pub(crate) fn run(directory: &Path, args: &[OsString], quiet: bool) -> anyhow::Result<Exit> {
    ensure!(
        env::var_os(STARTED_BY).is_none(),
        "the program of {} declares no project itself and there is no clockwork.yaml; give it one with \
         `Command::project`, or write a manifest",
        directory.display()
    );
    let program = find(directory)?;
    let executable = build(directory, &program, quiet)?;
    let mut command = Command::new(&executable);
    command.args(args.iter().skip(1)).env(STARTED_BY, env!("CARGO_PKG_VERSION"));
    match system::run_instead(&mut command) {
        Err(error) => Err(error).with_context(|| format!("cannot run {}", executable.display())),
    }
}

/// A binary that uses the SDK.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    package: String,
    binary: String,
}

/// What of `cargo metadata` matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    default_run: Option<String>,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

fn cargo(directory: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(directory).stdin(Stdio::null());
    cargo
}

const NO_CARGO: &str = "there is a Cargo.toml and no clockwork.yaml here, but cargo cannot be run";

fn find(directory: &Path) -> anyhow::Result<Program> {
    let output = cargo(directory)
        .args(["metadata", "--format-version=1", "--no-deps"])
        .stderr(Stdio::inherit())
        .output()
        .context(NO_CARGO)?;
    ensure!(output.status.success(), "cargo cannot read the Cargo.toml here (see above); nothing ran");
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .context("cannot understand what cargo says of the Cargo.toml here")?;
    // Cargo names it with links followed.
    let here = directory.canonicalize().unwrap_or_else(|_| directory.to_owned()).join("Cargo.toml");
    choose(metadata, &here)
}

/// The program of this directory's package, or else the only one of the workspace.
fn choose(metadata: Metadata, here: &Path) -> anyhow::Result<Program> {
    let uses_sdk = |package: &Package| {
        package.dependencies.iter().any(|dependency| dependency.name == SDK && dependency.kind.is_none())
    };
    let packages: Vec<_> = metadata.packages.into_iter().filter(uses_sdk).collect();
    let package = match (packages.iter().find(|package| package.manifest_path == here), packages.as_slice()) {
        (Some(package), _) | (None, [package]) => package,
        (None, []) => bail!(
            "there is no clockwork.yaml here, and no program of this Cargo.toml depends on {SDK}; write a manifest, \
             name one with --manifest FILE, or `cargo add {SDK}`"
        ),
        (None, several) => {
            let names: Vec<_> = several.iter().map(|package| package.name.as_str()).collect();
            bail!(
                "several packages here use {SDK} ({}); go to the directory of one of them",
                names.join(", ")
            )
        }
    };
    let is_binary = |target: &&Target| target.kind.iter().any(|kind| kind == "bin");
    let binaries: Vec<_> =
        package.targets.iter().filter(is_binary).map(|target| target.name.as_str()).collect();
    let binary = match (&package.default_run, binaries.as_slice()) {
        (Some(default), _) => default.clone(),
        (None, [only]) => (*only).to_owned(),
        (None, []) => bail!("package {} uses {SDK} but has no binary; add a src/main.rs", package.name),
        (None, several) => bail!(
            "package {} has several binaries ({}); say which one with `default-run` in its Cargo.toml, or use `cargo \
             run --bin NAME -- assert`",
            package.name,
            several.join(", ")
        ),
    };
    Ok(Program { package: package.name.clone(), binary })
}

/// What of cargo's messages matters here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

/// Builds it, with cargo's progress and diagnostics on standard error, and returns the executable.
fn build(directory: &Path, program: &Program, quiet: bool) -> anyhow::Result<PathBuf> {
    let Program { package, binary } = program;
    let mut cargo = cargo(directory);
    cargo.args(["build", "--message-format=json-render-diagnostics", "--package", package, "--bin", binary]);
    if quiet {
        cargo.arg("--quiet");
    }
    let mut building = cargo.stdout(Stdio::piped()).spawn().context(NO_CARGO)?;
    let messages = building.stdout.take().ok_or_else(|| anyhow!("cargo says nothing"))?;
    let mut executable = None;
    for line in BufReader::new(messages).lines() {
        // Build scripts' messages have other shapes; they are not for us.
        let Ok(message) = serde_json::from_str::<Message>(&line.context("cannot hear what cargo says")?)
        else {
            continue;
        };
        if message.target.is_some_and(|target| target.name == *binary && target.kind == ["bin"]) {
            executable = message.executable.or(executable);
        }
    }
    let status = building.wait().context("cannot tell how cargo ended")?;
    ensure!(status.success(), "the program of package {package} does not build (see above); nothing ran");
    executable.ok_or_else(|| anyhow!("cargo built {binary} and does not say where it is"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn package(name: &str, dependency: &str, binaries: &[&str]) -> Package {
        Package {
            name: name.to_owned(),
            manifest_path: format!("/src/{name}/Cargo.toml").into(),
            default_run: None,
            dependencies: vec![Dependency { name: dependency.to_owned(), kind: None }],
            targets: binaries
                .iter()
                .map(|name| Target { name: (*name).to_owned(), kind: vec!["bin".to_owned()] })
                .collect(),
        }
    }

    #[test]
    fn chooses_the_program_of_this_directory_or_the_only_one() {
        let chosen = |packages: Vec<Package>, here: &str| {
            choose(Metadata { packages }, Path::new(here))
                .map(|program| program.binary)
                .map_err(|e| e.to_string())
        };
        let a = || package("a", SDK, &["a"]);
        let b = || package("b", SDK, &["b"]);
        assert_eq!(chosen(vec![a(), b()], "/src/b/Cargo.toml").unwrap(), "b");
        assert_eq!(chosen(vec![a(), package("c", "serde", &["c"])], "/src/Cargo.toml").unwrap(), "a");
        for (packages, said) in [
            (
                vec![package("c", "serde", &["c"])],
                "no program of this Cargo.toml depends on clockwork-action",
            ),
            (vec![a(), b()], "several packages here use clockwork-action (a, b)"),
            (vec![package("a", SDK, &[])], "has no binary"),
            (vec![package("a", SDK, &["x", "y"])], "several binaries (x, y)"),
        ] {
            let error = chosen(packages, "/src/Cargo.toml").unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let with_default = Package { default_run: Some("y".to_owned()), ..package("a", SDK, &["x", "y"]) };
        assert_eq!(chosen(vec![with_default], "/src/Cargo.toml").unwrap(), "y");
    }

    #[test]
    fn a_dependency_of_tests_alone_does_not_count() {
        let mut tested = package("a", SDK, &["a"]);
        tested.dependencies[0].kind = Some("dev".to_owned());
        assert!(choose(Metadata { packages: vec![tested] }, Path::new("/src/a/Cargo.toml")).is_err());
    }
}
