//! The containers that some scenarios look at.

use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, ensure};

/// The image, made locally by `scripts/engine.sh`.
const IMAGE: &str = "clockwork/busybox:test";
/// Marks ours, so that those of a run that was killed can be found.
const LABEL: &str = "clockwork.bench=cost";

/// Running containers, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Containers {
    pub(crate) names: Vec<String>,
}

/// Why there can be none here; `None` if there can.
pub(crate) fn unavailable() -> Option<String> {
    let unavailable =
        |why: &str| Some(format!("{why}; `scripts/engine.sh` starts an engine and makes {IMAGE}"));
    match docker(&["image", "inspect", IMAGE]) {
        Err(error) => unavailable(&format!("there is no docker command ({error})")),
        Ok(output) if !output.status.success() => unavailable(
            String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("no engine or no image"),
        ),
        Ok(_) => None,
    }
}

impl Containers {
    /// Starts as many as this, which do nothing.
    pub(crate) fn start(count: usize) -> anyhow::Result<Self> {
        remove_all();
        let mut containers = Self { names: Vec::new() };
        for number in 0..count {
            let name = format!("clockwork-cost-{number:03}");
            let run = [
                "run",
                "--detach",
                "--network=none",
                "--init=false",
                "--label",
                LABEL,
                "--name",
                &name,
                IMAGE,
            ];
            let output = docker(&[&run[..], &["sleep", "86400"]].concat())?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            containers.names.push(name);
        }
        Ok(containers)
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        remove_all();
    }
}

/// Removes what carries our label, left-overs of a run that was killed too.
fn remove_all() {
    let filter = format!("label={LABEL}");
    let Ok(listed) = docker(&["ps", "--all", "--quiet", "--filter", &filter]) else { return };
    let ids = String::from_utf8_lossy(&listed.stdout).into_owned();
    let ids: Vec<&str> = ids.split_whitespace().collect();
    // A hundred at once, and old engines come to a standstill.
    for some in ids.chunks(10) {
        let _ = docker(&[&["rm", "--force"][..], some].concat());
    }
}

fn docker(arguments: &[&str]) -> anyhow::Result<Output> {
    Command::new("docker").args(arguments).stdin(Stdio::null()).output().context("docker")
}
