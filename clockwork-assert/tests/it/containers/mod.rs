//! The kinds about containers, against a real engine. The `docker` command is the independent witness.
//!
//! Where no engine answers, these tests are skipped, and say so; with `CI=true` they fail instead.

mod connectivity;
mod engines;
mod image;
mod logs;
mod network;
mod podman;
mod proxy;
mod restarts;
mod states;
mod traffic;
mod usage;
mod vantage;

use std::{
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use clockwork_core::{CheckResult, prelude::*};
use clockwork_drivers::ContainerResource;

use crate::skip::skipped;

const BUSYBOX: &str = "clockwork/busybox:test";

/// Whether there is an engine with the test images; the test is skipped, where there is none.
fn engine() -> bool {
    let there = Command::new("docker").args(["image", "inspect", BUSYBOX]).output();
    let why = match there {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    skipped(&format!("no container engine (run scripts/engine.sh): {}", why.trim()))
}

fn run(args: &[&str]) -> Output {
    Command::new("docker").args(args).output().expect("docker is there")
}

fn docker(args: &[&str]) -> String {
    let output = run(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {}: {stderr}", args.join(" "));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A container that is removed whatever happens.
struct Container(String);

impl Container {
    fn name(what: &str) -> String {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        format!("cw-test-{}-{what}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// `docker run -d` with these options, running this in a shell.
    fn run(what: &str, options: &[&str], script: &str) -> Self {
        Self::make(&["run", "-d"], what, options, script)
    }

    fn make(verb: &[&str], what: &str, options: &[&str], script: &str) -> Self {
        let name = Self::name(what);
        let container = Self(name.clone());
        docker(
            &[verb, &["--name", &name, "--stop-timeout", "0"], options, &[BUSYBOX, "sh", "-c", script]]
                .concat(),
        );
        container
    }

    fn inspect(&self, format: &str) -> String {
        docker(&["inspect", "--format", format, &self.0])
    }

    fn wait_until(&self, format: &str, value: &str) {
        let began = Instant::now();
        while self.inspect(format) != value {
            let is = self.inspect("{{json .State}}");
            assert!(
                began.elapsed() < Duration::from_secs(90),
                "{} never got {format} = {value}: {is}",
                self.0
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn resource(&self) -> ContainerResource {
        ContainerResource::new(&self.0)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        run(&["rm", "--force", "--volumes", &self.0]);
    }
}

/// The results of a project of this resource alone.
async fn results(resource: impl clockwork_core::Resource) -> Vec<Arc<CheckResult>> {
    Engine::standard().assert(&Project::new("test").with(resource)).await.expect("a valid project").results
}

/// The result of the only assertion on this resource.
async fn result(resource: impl clockwork_core::Resource) -> Arc<CheckResult> {
    results(resource).await.remove(0)
}
