//! The results as Markdown.

use std::{fmt::Write, fs, process::Command};

use crate::{driver::Comparison, measure::Cost, scenario::Scenario};

/// One scenario's result.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) scenario: Scenario,
    pub(crate) rounds: usize,
    pub(crate) assertions: usize,
    pub(crate) costs: Comparison,
}

impl Row {
    fn figures(&self) -> [(Option<f64>, f64, &'static str); 4] {
        let (limits, floor, ours) = (self.scenario.limits, self.costs.floor, self.costs.clockwork);
        [
            (limits.wall, ours.wall_ms / floor.wall_ms, "× wall"),
            (limits.cpu, ours.cpu_ms / floor.cpu_ms, "× CPU"),
            (limits.wall_ms, ours.wall_ms, " ms"),
            (limits.peak_mib, ours.peak_mib, " MiB"),
        ]
    }

    /// What is over its limit.
    pub(crate) fn over(&self) -> Vec<String> {
        let over = |(limit, is, unit): (Option<f64>, f64, &str)| {
            limit.filter(|limit| is > *limit).map(|limit| format!("**over**: {is:.2}{unit} > {limit}"))
        };
        self.figures().into_iter().filter_map(over).collect()
    }

    /// Its line of the table.
    pub(crate) fn line(&self) -> String {
        let Self { scenario, rounds, assertions, costs } = self;
        let Comparison { floor, runtime, clockwork } = costs;
        let limits =
            self.figures().into_iter().filter_map(|(limit, _, unit)| Some(format!("{}{unit}", limit?)));
        let limits = limits.collect::<Vec<_>>().join(", ");
        let verdict = match self.over() {
            over if over.is_empty() => "holds".to_owned(),
            over => over.join(", "),
        };
        let [(_, wall, _), (_, cpu, _), ..] = self.figures();
        format!(
            "| {} | {assertions} | {} ({runtime}) | {} | {wall:.2} | {cpu:.2} | {limits} | {verdict} | {rounds} |",
            scenario.name,
            cost(*floor),
            cost(*clockwork),
        )
    }
}

fn cost(cost: Cost) -> String {
    format!("{:.1} / {:.1} ms, {:.1} MiB", cost.wall_ms, cost.cpu_ms, cost.peak_mib)
}

/// The comparison.
pub(crate) fn comparison(rows: &[Row]) -> String {
    let mut out = String::from(
        "| scenario | assertions | floor: wall / CPU, peak | clockwork: wall / CPU, peak | × wall | × CPU | limit | | rounds |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let _ = writeln!(out, "{}", row.line()); // a String takes everything
    }
    out
}

/// Where this ran, for whoever reads the numbers.
pub(crate) fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown CPU");
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc = rustc.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    format!(
        "{} cores of {}, Linux {}, {}, load {} at the beginning",
        std::thread::available_parallelism().map_or(1, usize::from),
        model.trim_matches([' ', '\t', ':']),
        kernel.trim(),
        rustc.split(" (").next().unwrap_or_default(),
        load.split(' ').next().unwrap_or_default(),
    )
}
