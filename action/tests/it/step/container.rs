//! A job in a container that has bash, curl, tar, sha256sum and five more of its package (mkdir, mv, rm, chmod, sleep).

use std::process::Command;

use super::{BINARY, install::released};
use crate::skip::skipped;

const IMAGE: &str = "clockwork/bare:test";

/// Removed when it is dropped.
struct Container(String);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", &self.0]).output();
    }
}

fn docker(arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(arguments).output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn a_bare_container_is_enough() {
    if let Err(error) = docker(&["image", "inspect", IMAGE]) {
        skipped(&format!("there is no image {IMAGE}: {error}"));
        return;
    }
    let (mut runner, action, server) = released(&["0.1.0"]);
    let name = format!("clockwork-bare-{}", std::process::id());
    let root = runner.path().to_str().unwrap().to_owned();
    let programs = std::path::Path::new(BINARY).parent().unwrap().to_str().unwrap();
    let started = docker(&[
        "run",
        "--detach",
        "--name",
        &name,
        "--network",
        "host",
        "--volume",
        &format!("{root}:{root}"),
        "--volume",
        &format!("{programs}:{programs}:ro"),
        IMAGE,
        "sleep",
        "600",
    ]);
    let _container = Container(name.clone());
    started.unwrap();
    runner.container = Some(name.clone());
    let step = runner.run(&action, &[]);
    assert_eq!((step.output("passed"), step.output("failed")), ("1", "1"), "{} {}", server.port, step.text());
    assert_eq!(step.exit_code, Some(1));
    let report = std::fs::read_to_string(step.output("report-json")).unwrap();
    assert!(report.contains("clockwork.report/v1"));
    for absent in ["gzip", "wget", "jq", "python3", "sudo", "perl", "git"] {
        let found = docker(&["exec", &name, "bash", "-c", &format!("type -P {absent}")]);
        assert!(found.is_err(), "{absent} is there, so this proves less than it says");
    }
}
