//! Three tiers are healthy, and whatever is broken between them is blamed on whom it has to be.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../../clockwork-assert/tests/it/skip.rs"]
mod skip;

use std::{path::Path, process::Command};

/// The table without the times.
fn without_times(page: &str) -> Vec<String> {
    let row = |line: &str| match line.strip_prefix("| ").and_then(|row| row.strip_suffix(" ms |")) {
        Some(row) => row.rsplit_once(" | ").map_or_else(|| row.to_owned(), |(row, _)| row.to_owned()),
        None => line.to_owned(),
    };
    page.lines().map(row).collect()
}

#[test]
fn every_fault_is_blamed_on_whom_it_has_to_be() {
    let missing = ["busybox", "nginx", "postgres", "nats", "service"].into_iter().find(|image| {
        let inspect = ["image", "inspect", &format!("clockwork/{image}:test")];
        !Command::new("docker").args(inspect).output().is_ok_and(|output| output.status.success())
    });
    let root = nix::unistd::Uid::effective().is_root();
    if missing.is_some() || !root {
        let why =
            format!("root: {root}, an image that is not there: {missing:?} (run scripts/engine.sh as root)");
        skip::skipped(&why);
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let table = directory.path().join("FAULTS.md");
    let mut command = Command::new(env!("CARGO_BIN_EXE_three-tier"));
    let output = command.args(["faults", "--table"]).arg(&table).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let (published, written) = (
        Path::new(env!("CARGO_MANIFEST_DIR")).join("three-tier/FAULTS.md"),
        std::fs::read_to_string(&table).unwrap(),
    );
    assert_eq!(
        without_times(&std::fs::read_to_string(published).unwrap()),
        without_times(&written),
        "FAULTS.md says how it is written anew"
    );
}
