//! What it costs to look from inside a container, over the same look from the host.
//!
//! ```text
//! cargo bench -p clockwork-action --bench vantage
//! ```
//!
//! Nothing listens in a container. A run asks its ports for that, from the host and from inside, one and a thousand; the
//! runs take turns, and medians are compared. The first look from inside asks the engine for the container's process, and
//! enters its network; the others share that.

#![expect(clippy::print_stdout, reason = "a program that talks to whoever runs it")]

use std::{
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, ensure};
use clockwork_assert::PortAccessibleAssert;
use clockwork_core::{AssertionExt, Engine, Project};
use clockwork_drivers::ContainerResource;

const IMAGE: &str = "clockwork/busybox:test";
const ROUNDS: usize = 41;
const MANY: usize = 1000;

fn main() -> anyhow::Result<ExitCode> {
    let container = Container::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut times = [(1, false), (1, true), (MANY, false), (MANY, true)].map(|what| (what, Vec::new()));
    for _ in 0..ROUNDS {
        for ((count, inside), times) in &mut times {
            let project = container.project(*count, *inside);
            let began = Instant::now();
            let report = runtime.block_on(Engine::standard().assert(&project))?;
            times.push(began.elapsed());
            ensure!(report.passed(), "{report}");
        }
    }
    let [host, inside, hosts, insides] = times.map(|(_, mut times)| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1000.0
    });
    println!("one look: {host:.2} ms from the host, {inside:.2} ms from inside ({:.1}×)", inside / host);
    println!(
        "{MANY} looks: {hosts:.1} ms from the host, {insides:.1} ms from inside ({:.2}×)",
        insides / hosts
    );
    let entering = row("entering a vantage, over the same look from the host", inside - host, 3.0);
    let sharing = row("each of a thousand looks that share one", (insides - hosts) / MANY as f64, 0.3);
    Ok(if entering || sharing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Says what was measured; whether it is over its limit.
fn row(what: &str, ms: f64, limit: f64) -> bool {
    let over = ms > limit;
    println!("{what}: {ms:.3} ms, limit {limit} ms{}", if over { ", OVER" } else { "" });
    over
}

struct Container {
    name: String,
    address: String,
}

impl Container {
    fn start() -> anyhow::Result<Self> {
        let name = format!("clockwork-vantage-{}", std::process::id());
        docker(&["run", "--detach", "--name", &name, IMAGE, "sleep", "3600"])?;
        let mut container = Self { name, address: String::new() };
        container.address =
            docker(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", &container.name])?;
        Ok(container)
    }

    /// So many different looks, as equal ones would be one.
    fn project(&self, count: usize, inside: bool) -> Project {
        let mut project = Project::new("vantage").with(ContainerResource::new(&self.name));
        for port in (10_000..).take(count) {
            let closed = PortAccessibleAssert::new(port).host(&self.address).not();
            project = project.assert(if inside { closed.at(&*self.name) } else { closed });
        }
        project
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", &self.name]);
    }
}

fn docker(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("docker").args(arguments).output().context("docker")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
