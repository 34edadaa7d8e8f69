//! The command as its users have it: the real binary, a real Rust program, real files, signals and terminals.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../../../clockwork-assert/tests/it/skip.rs"]
mod skip;

#[path = "../runner/mod.rs"]
mod runner;

mod emulator;
mod exit_codes;
mod formats;
mod fresh;
mod graph;
mod interrupt;
mod lock;
mod manifest;
mod progress;
mod python;
mod rust_program;
mod step;
mod streams;
mod usage;
mod vantage;
mod witnesses;

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// The head of a request, line by line: the whole of it, as what is left unread when a connection is closed resets it.
fn head_of(stream: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect()
}

/// A command in an environment that does not depend on where the tests run. What cargo says of the package under test is
/// no user's: build scripts that hear of it would build their crates again, and all that depends on them.
fn plain(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    for (name, _) in std::env::vars_os() {
        let of_the_test = |prefix: &str| name.to_string_lossy().starts_with(prefix);
        // Nor does it matter whether the tests themselves run as a step of GitHub Actions.
        if of_the_test("CARGO_PKG_") || of_the_test("CARGO_MANIFEST_") || of_the_test("GITHUB_") {
            command.env_remove(&name);
        }
    }
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "SCRIPT"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").stdin(Stdio::null());
    command
}

/// The `clockwork` command, in this directory.
fn clockwork(directory: impl AsRef<Path>) -> Command {
    let mut command = plain(env!("CARGO_BIN_EXE_clockwork"));
    command.current_dir(directory);
    command
}

/// The Rust program with this script.
fn scripted(script: &str) -> Command {
    let mut command = plain(scripted_program());
    command.env("SCRIPT", script);
    command
}

/// Builds the example, which `cargo test --test it` alone does not; for the whole workspace, as the tests were, because
/// with this package's features alone cargo builds the dependencies again.
fn scripted_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let profile = Path::new(env!("CARGO_BIN_EXE_clockwork")).parent().unwrap();
        let name = match profile.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            other => other,
        };
        let built = plain(env!("CARGO"))
            .args(["build", "--quiet", "--offline", "--workspace", "--example", "scripted"])
            .args(["--profile", name, "--target-dir"])
            .arg(profile.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(built.success());
        profile.join("examples/scripted")
    })
}
