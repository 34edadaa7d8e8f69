//! Whether a check costs the same however many there are: what it costs beyond the floor, which itself pays for as many
//! connections as checks run at the same time, and so takes more for each of a hundred than of ten thousand.

use std::fmt::Write;

use crate::{
    driver::{self, Comparison},
    measure::Cost,
    scenario::World,
};

/// Its name among the scenarios.
pub(crate) const NAME: &str = "flat";

const COUNTS: [usize; 4] = [100, 1_000, 10_000, 100_000];
/// How much more a check of the dearest count may add to the floor than one of the cheapest.
const LIMIT: f64 = 1.5;

/// One count's result.
#[derive(Debug)]
pub(crate) struct Row {
    count: usize,
    floor: Cost,
    clockwork: Cost,
    /// Beyond a run with one check.
    cpu_us_per_check: f64,
    wall_us_per_check: f64,
    /// How much of the CPU's the floor does not take.
    added_us_per_check: f64,
}

/// HTTP checks of distinct URLs, in ever larger manifests.
pub(crate) fn run(world: &World, rounds: Option<usize>) -> anyhow::Result<Vec<Row>> {
    let one = driver::compare(world, "flat-1", &world.http(1), rounds.unwrap_or(41))?;
    let mut rows = Vec::new();
    for count in COUNTS {
        let rounds = rounds.unwrap_or(if count > 10_000 { 3 } else { 11 });
        let Comparison { floor, clockwork, .. } =
            driver::compare(world, &format!("flat-{count}"), &world.http(count), rounds)?;
        let per_check = |all_ms: f64, one_ms: f64| (all_ms - one_ms).max(0.0) * 1e3 / (count - 1) as f64;
        let cpu_us_per_check = per_check(clockwork.cpu_ms, one.clockwork.cpu_ms);
        let row = Row {
            count,
            floor,
            clockwork,
            cpu_us_per_check,
            wall_us_per_check: per_check(clockwork.wall_ms, one.clockwork.wall_ms),
            added_us_per_check: cpu_us_per_check - per_check(floor.cpu_ms, one.floor.cpu_ms),
        };
        eprintln!("{}", row.line());
        rows.push(row);
    }
    Ok(rows)
}

impl Row {
    fn line(&self) -> String {
        let Self { count, floor, clockwork, cpu_us_per_check, wall_us_per_check, added_us_per_check } = self;
        format!(
            "| {count} | {wall_us_per_check:.1} | {cpu_us_per_check:.1} | {added_us_per_check:.1} | {:.2} | {:.2} | {:.1} |",
            clockwork.wall_ms / floor.wall_ms,
            clockwork.cpu_ms / floor.cpu_ms,
            clockwork.peak_mib,
        )
    }
}

fn spread(rows: &[Row]) -> f64 {
    let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
    for row in rows {
        least = least.min(row.added_us_per_check);
        most = most.max(row.added_us_per_check);
    }
    most / least
}

/// Whether no count is dearer than allowed.
pub(crate) fn holds(rows: &[Row]) -> bool {
    spread(rows) <= LIMIT
}

/// The results as Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut out = String::from(
        "| HTTP checks | wall µs per check | CPU µs per check | of them beyond the floor | × floor's wall | × floor's CPU | peak MiB |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let _ = writeln!(out, "{}", row.line()); // a String takes everything
    }
    let verdict = if holds(rows) { "holds" } else { "**over**" };
    let _ = writeln!(
        out,
        "\nPer check beyond a run with one check. Dearest to cheapest of what is beyond the floor: {:.2} (at most {LIMIT}: {verdict}).",
        spread(rows),
    );
    out
}
