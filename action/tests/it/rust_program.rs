//! A directory with a Cargo.toml and no manifest: its program is built and run in the command's place.

use std::{fs, path::Path};

use crate::{Ended, clockwork, plain};

/// A package that uses the SDK and declares this project. It shares the dependencies that the tests were built with,
/// which takes the same profile: with another one cargo builds them all again, for minutes.
fn package(directory: &Path, main: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let profiles = workspace.find("[profile.dev]").unwrap()..workspace.find("[profile.release]").unwrap();
    let manifest = format!(
        "[package]\nname = \"deployed\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\n\
         clockwork-action = {{ path = {:?} }}\nclockwork-core = {{ path = {:?} }}\n{}[workspace]\n",
        root.join("action"),
        root.join("clockwork-core"),
        &workspace[profiles],
    );
    fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("src/main.rs"), main).unwrap();
}

fn run(directory: &Path, args: &[&str]) -> Ended {
    let target = Path::new(env!("CARGO_BIN_EXE_clockwork")).ancestors().nth(2).unwrap();
    let mut command = clockwork(directory);
    command
        .args(args)
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO", env!("CARGO"));
    Ended::of(&mut command)
}

const MAIN: &str = r#"
use clockwork_core::prelude::*;

fn main() -> ExitCode {
    let holds = std::env::var_os("BROKEN").is_none();
    let stock = BlankResource::new("stock").assert(assertion("holds", move |_: Context| async move { holds }));
    clockwork_action::main(Project::new("deployed").with(stock))
}
"#;

#[test]
fn is_built_and_run_with_the_same_arguments() {
    let here = tempfile::tempdir().unwrap();
    package(here.path(), MAIN);
    let ended = run(here.path(), &["assert", "--format", "json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["results"][0]["id"], "stock/FunctionAssertion/holds");
    assert!(ended.stderr.contains("Finished"), "cargo's progress is on standard error: {ended:?}");
    let quiet = run(here.path(), &["graph", "--quiet", "--declared"]);
    assert!(quiet.code == Some(0) && !quiet.stderr.contains("Finished"), "{quiet:?}");

    fs::write(here.path().join("src/main.rs"), MAIN.replace("fn main()", "fn mian()")).unwrap();
    let broken = run(here.path(), &["assert"]);
    assert_eq!((broken.code, broken.stdout.as_str()), (Some(2), ""), "{broken:?}");
    assert!(broken.stderr.contains("E0601") && broken.stderr.contains("nothing ran"), "{broken:?}");

    // What a newcomer gets wrong, and what the compiler says to do.
    for (wrong, says) in [
        ("assertion(\"x\", async |_: Context| \"yes\")", "`&str` is not a verdict"),
        (
            "async |_: Context| {}",
            "it returns `bool`, `(bool, message)`, a `Verdict`, or a `Result` of these",
        ),
        ("assertion(\"x\", |_: Context| true)", "`bool` is not a future"),
        ("true", "assert an assertion kind, or an `async` closure or function"),
        (
            "across(\"x\", BlankResource::new(\"stock\"), async |_, _| true)",
            "`clockwork_core::BlankResource` is no resource, and no tuple of resources",
        ),
    ] {
        let project = format!("Project::new(\"deployed\").assert({wrong})");
        let main = format!(
            "use clockwork_core::prelude::*;\nfn main() -> ExitCode {{ clockwork_action::main({project}) }}"
        );
        fs::write(here.path().join("src/main.rs"), main).unwrap();
        let broken = run(here.path(), &["assert", "--quiet"]);
        assert!(broken.code == Some(2) && broken.stderr.contains(says), "{wrong}: {}", broken.stderr);
    }

    // A program that reads manifests itself must not look for itself for ever.
    let reader = "fn main() -> std::process::ExitCode { clockwork_action::Command::new().main() }";
    fs::write(here.path().join("src/main.rs"), reader).unwrap();
    let reader = run(here.path(), &["assert"]);
    assert_eq!(reader.code, Some(2), "{reader:?}");
    assert!(reader.stderr.contains("declares no project itself"), "{reader:?}");
}

#[test]
fn a_package_that_does_not_use_the_sdk_is_no_program() {
    let here = tempfile::tempdir().unwrap();
    let made = plain(env!("CARGO")).args(["init", "--quiet", "--name", "other"]).arg(here.path()).status();
    assert!(made.unwrap().success());
    let ended = run(here.path(), &["assert"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    assert!(ended.stderr.contains("cargo add clockwork-action"), "{ended:?}");
}

#[test]
fn cargo_that_cannot_be_run_is_told() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("Cargo.toml"), "").unwrap();
    let mut command = plain(env!("CARGO_BIN_EXE_clockwork"));
    let ended = Ended::of(command.current_dir(&here).arg("assert").env("CARGO", "/nowhere/cargo"));
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("cargo cannot be run"), "{ended:?}");
}
