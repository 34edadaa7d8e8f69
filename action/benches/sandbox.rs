//! What it costs to run a program in its sandbox, over starting it bare and waiting for it.
//!
//! ```text
//! cargo bench -p clockwork-action --bench sandbox
//! ```
//!
//! The program does nothing (`true`). Bare, it is started with pipes for its outputs, which are read to the end, and waited
//! for; as an assertion, one of a run that runs one after the other. The two take turns, and medians are compared.

#![expect(clippy::print_stdout, reason = "a program that talks to whoever runs it")]

use std::{
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use anyhow::ensure;
use clockwork_assert::CommandAssert;
use clockwork_core::{Engine, Project};
use clockwork_drivers::sandbox::{NetworkAccess, Sandbox};

const ROUNDS: usize = 25;
const MANY: u32 = 20;

fn main() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let kinds = [
        ("no sandbox", Sandbox::off()),
        ("its sandbox", Sandbox::new()),
        ("its sandbox, with the loopback interface", Sandbox::new().network(NetworkAccess::Loopback)),
    ];
    let mut bare = Vec::new();
    let mut ran: Vec<(Vec<Duration>, Vec<Duration>)> = vec![Default::default(); kinds.len()];
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for number in 0..MANY {
            let mut command = Command::new("/bin/true");
            command
                .arg(number.to_string())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            ensure!(command.spawn()?.wait_with_output()?.status.success(), "`true` failed");
        }
        bare.push(began.elapsed() / MANY);
        for ((_, sandbox), (one, many)) in kinds.iter().zip(&mut ran) {
            for (count, times) in [(1, one), (MANY, many)] {
                let program = |number: u32| CommandAssert::new(["/bin/true".to_owned(), number.to_string()]);
                let project = (0..count).fold(Project::new("programs"), |project, number| {
                    project.assert(program(number).sandbox(sandbox.clone()))
                });
                let engine = Engine::builder().concurrency(1).build()?;
                let began = Instant::now();
                let report = runtime.block_on(engine.assert(&project))?;
                times.push(began.elapsed() / count);
                ensure!(report.passed(), "{report}");
            }
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1000.0
    };
    let bare = median(&mut bare);
    println!("bare: {bare:.2} ms");
    let mut over = false;
    for ((name, sandbox), (one, many)) in kinds.iter().zip(&mut ran) {
        let (one, many) = (median(one), median(many));
        let limit = match sandbox.network_access() {
            NetworkAccess::Loopback => None, // a network of its own is the kernel's to make
            _ => Some(2.0),
        };
        let more = many - bare;
        let exceeds = limit.is_some_and(|limit| more > limit);
        over |= exceeds;
        println!(
            "a program, {name}: {many:.2} ms, {more:.2} ms over a bare one{}{}; alone in its run {one:.2} ms",
            limit.map(|limit| format!(", limit {limit} ms")).unwrap_or_default(),
            if exceeds { ", OVER" } else { "" },
        );
    }
    Ok(if over { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
