//! What one whole process costs: wall time, CPU time, peak memory, as the kernel counts them.
//!
//! The kernel keeps the peak of *all* children that a process waited for. So each run has a small parent of its own,
//! this binary again, which waits for that one child and says what it cost.

use std::{
    env,
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, bail, ensure};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};

/// The argument that makes this binary such a parent.
pub(crate) const PART: &str = "--measure";

/// What one run cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// From before the start to after the end.
    pub(crate) wall_ms: f64,
    /// In the program and in the kernel for it, over all its threads.
    pub(crate) cpu_ms: f64,
    /// The most memory that it had at any moment.
    pub(crate) peak_mib: f64,
}

impl Cost {
    /// Each figure's median.
    pub(crate) fn median(costs: &[Self]) -> Self {
        let middle = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = costs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            match figures.len() {
                0 => 0.0,
                n if n % 2 == 1 => figures[n / 2],
                n => f64::midpoint(figures[n / 2 - 1], figures[n / 2]),
            }
        };
        Self {
            wall_ms: middle(|cost| cost.wall_ms),
            cpu_ms: middle(|cost| cost.cpu_ms),
            peak_mib: middle(|cost| cost.peak_mib),
        }
    }
}

/// Runs a command in a directory, with its output in `output`, and fails if it fails.
pub(crate) fn run(command: &[String], directory: &Path, output: &Path) -> anyhow::Result<Cost> {
    let parent = Command::new(env::current_exe()?)
        .arg(PART)
        .arg(output)
        .args(command)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let said = String::from_utf8_lossy(&parent.stdout);
    let figures: Vec<f64> = said.split_whitespace().map_while(|word| word.parse().ok()).collect();
    match figures[..] {
        [wall_ms, cpu_ms, peak_mib] if parent.status.success() => Ok(Cost { wall_ms, cpu_ms, peak_mib }),
        _ => {
            let output = std::fs::read_to_string(output).unwrap_or_default();
            let beginning: String = output.lines().take(20).collect::<Vec<_>>().join("\n");
            bail!("`{}` failed ({}):\n{beginning}", command.join(" "), parent.status)
        }
    }
}

/// The parent's part: `OUTPUT COMMAND [ARGUMENT…]`.
pub(crate) fn run_child(arguments: &[String]) -> anyhow::Result<()> {
    let [output, program, arguments @ ..] = arguments else { bail!("measure what?") };
    let output = File::create(output).with_context(|| format!("cannot write {output}"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stderr(output.try_clone()?).stdout(output);
    let began = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    let wall = began.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    ensure!(status.success(), "{program}: {status}");
    let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    println!("{} {} {}", wall.as_secs_f64() * 1e3, cpu_us as f64 / 1e3, usage.max_rss() as f64 / 1024.0);
    Ok(())
}
