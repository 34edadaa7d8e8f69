//! The GitHub Action: `action.yml` itself, run by the emulator of the runner in `tests/runner`.

mod cancel;
mod container;
mod hostile;
mod inputs;
mod install;
mod outcomes;
mod readme;
mod workflows;

use std::{fs, path::Path};

use crate::runner::{Runner, Step};

/// The command that the tests were built with, so that nothing is installed.
const BINARY: &str = env!("CARGO_BIN_EXE_clockwork");

/// The action, in this checkout.
fn action() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A runner whose workspace has this manifest.
fn runner(manifest: &str) -> Runner {
    let runner = Runner::new();
    fs::write(runner.workspace().join("clockwork.yaml"), manifest).unwrap();
    runner
}

/// The action with the command that the tests were built with.
fn run(runner: &mut Runner, with: &[(&str, &str)]) -> Step {
    let with: Vec<_> = with.iter().copied().chain([("binary", BINARY)]).collect();
    runner.run(action(), &with)
}

/// A manifest of files that are there or not: `there` and `missing` are resources.
const TWO: &str = "\
project: shop
resources:
  there:
    kind: FileResource
    path: clockwork.yaml
    assertions:
      - FileExistsAssert: {}
        tags: [quick]
  missing:
    kind: FileResource
    path: no-such-file
    assertions:
      - FileExistsAssert: {}
";
